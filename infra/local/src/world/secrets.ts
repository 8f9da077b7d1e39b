import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { REGIONS } from './layout.ts';

export type PublicKey = { kty: string; crv: string; x: string };

/** What a world keeps to itself, the same after a restart. */
export type Secrets = {
  /** The password of a broker's user, told apart by what it is for. */
  password(purpose: string): string;
  /** Ed25519, the private half. */
  signingKey(region: string): JWK;
  publicKey(region: string): PublicKey;
};

type Stored = { seed: string; keys: Record<string, JWK> };

/** Reads the secrets of a home, or draws them; they lie in a file that only its owner can read. */
export async function openSecrets(home: string): Promise<Secrets> {
  const file = join(home, 'secrets.json');
  if (!existsSync(file)) writePrivately(file, JSON.stringify(await drawSecrets()));
  const { seed, keys } = JSON.parse(readFileSync(file, 'utf8')) as Stored;
  return {
    password: (purpose) => createHmac('sha256', seed).update(purpose).digest('base64url'),
    signingKey: (region) => keys[region]!,
    publicKey(region) {
      const { kty, crv, x } = keys[region]!;
      return { kty: kty!, crv: crv!, x: x! };
    },
  };
}

/** Never seen half written, and never readable to others. */
export function writePrivately(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}

async function drawSecrets(): Promise<Stored> {
  const keys = await Promise.all(
    REGIONS.map(async (region): Promise<[string, JWK]> => {
      const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
      return [region, await exportJWK(privateKey)];
    }),
  );
  return { seed: randomBytes(32).toString('base64url'), keys: Object.fromEntries(keys) };
}
