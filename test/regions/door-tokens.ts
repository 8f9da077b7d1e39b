import { createPrivateKey, sign, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Claims = Readonly<Record<string, unknown>>;

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3_600;

/** Signs tokens with the keys of a world's regions, also ones that `causeway token` would never make. */
export class Forger {
  readonly #keys: Record<string, JsonWebKey>;

  constructor(home: string) {
    this.#keys = (
      JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8')) as { keys: Record<string, JsonWebKey> }
    ).keys;
  }

  token(claims: Claims, region = 'us-east', named = region): string {
    const signed = `${part({ alg: 'EdDSA', kid: named })}.${part(claimsOf(claims))}`;
    const key = createPrivateKey({ key: this.#keys[region]!, format: 'jwk' });
    return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
  }

  unsigned(claims: Claims = {}): string {
    return `${part({ alg: 'none', kid: 'us-east' })}.${part(claimsOf(claims))}.`;
  }
}

const claimsOf = (claims: Claims): Claims => ({
  sub: 'mallory',
  ws: 'demo',
  aud: 'causeway',
  exp: inAnHour(),
  ...claims,
});
