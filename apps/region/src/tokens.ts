import { CausewayError, isId } from '@causeway/protocol';
import { importJWK, jwtVerify, type CryptoKey, type JWTPayload } from 'jose';
import type { Config } from './config/read.ts';

/** Who speaks, as a verified token says, and until when (milliseconds since 1970). */
export type Identity = { member: string; workspace: string; signedBy: string; expires: number };

/** Tokens verified lately, so that a busy client costs one signature check a minute. */
const REMEMBERED = 10_000;
const REMEMBER_MS = 60_000;

/** Verifies access tokens: EdDSA, signed by a region, `sub` the member, `ws` the workspace. */
export class Tokens {
  readonly #keys: ReadonlyMap<string, CryptoKey>;
  readonly #remembered = new Map<string, { identity: Identity; until: number }>();

  private constructor(keys: ReadonlyMap<string, CryptoKey>) {
    this.#keys = keys;
  }

  static async open(config: Config): Promise<Tokens> {
    const keys = new Map<string, CryptoKey>();
    for (const { region, publicKey } of config.regions) keys.set(region, await keyOf(region, publicKey));
    return new Tokens(keys);
  }

  /** The identity, or `unauthorized`. The token itself never appears in an error. */
  async verify(token: string | undefined): Promise<Identity> {
    if (token === undefined || token === '')
      throw new CausewayError(
        'unauthorized',
        'send a token: Authorization: Bearer <token>, or ?token= for WebSockets',
      );
    const now = Date.now();
    const known = this.#remembered.get(token);
    if (known !== undefined && known.until > now) return known.identity;
    const identity = await this.#check(token);
    if (this.#remembered.size >= REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!);
    this.#remembered.set(token, { identity, until: Math.min(identity.expires, now + REMEMBER_MS) });
    return identity;
  }

  async #check(token: string): Promise<Identity> {
    let signedBy = '';
    let payload: JWTPayload;
    try {
      const verified = await jwtVerify(
        token,
        ({ kid }) => {
          signedBy = kid ?? '';
          const key = this.#keys.get(signedBy);
          if (key === undefined) throw new Error('unknown key');
          return key;
        },
        { algorithms: ['EdDSA'], audience: 'causeway', requiredClaims: ['exp', 'sub', 'ws'] },
      );
      payload = verified.payload;
    } catch (error) {
      const expired = (error as { code?: string }).code === 'ERR_JWT_EXPIRED';
      throw new CausewayError(
        'unauthorized',
        expired ? 'the token has expired; get a new one' : 'the token is not valid; get a new one',
      );
    }
    const { sub, ws, exp } = payload;
    if (typeof sub !== 'string' || !isId(sub) || typeof ws !== 'string')
      throw new CausewayError('unauthorized', 'the token names no member or workspace');
    return { member: sub, workspace: ws, signedBy, expires: exp! * 1000 };
  }
}

async function keyOf(region: string, publicKey: Config['regions'][number]['publicKey']): Promise<CryptoKey> {
  try {
    return (await importJWK(publicKey, 'EdDSA')) as CryptoKey;
  } catch (error) {
    throw new Error(`the public key of region ${region} in the manifest is no Ed25519 key (JWK)`, {
      cause: error,
    });
  }
}
