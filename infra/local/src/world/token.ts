import { isId } from '@causeway/protocol';
import { importJWK, SignJWT } from 'jose';
import { WorldError } from '../error.ts';
import type { Secrets } from './secrets.ts';

export const DEFAULT_TTL_SECONDS = 12 * 60 * 60;
export const MAX_TTL_SECONDS = 30 * 24 * 60 * 60;

export type TokenRequest = {
  member: string;
  workspace: string;
  /** The region that signs. */
  region: string;
  ttlSeconds: number;
};

/** A token for one member of one workspace: JWT, EdDSA, signed by a region of the workspace's zone. */
export async function signToken(secrets: Secrets, request: TokenRequest): Promise<string> {
  const { member, workspace, region, ttlSeconds } = request;
  if (!isId(member))
    throw new WorldError(`"${member}" cannot be a member: ids are 1-64 characters of A-Z a-z 0-9 _ -`);
  if (!(ttlSeconds > 0 && ttlSeconds <= MAX_TTL_SECONDS))
    throw new WorldError(`A token lives from 1 second to ${MAX_TTL_SECONDS / 86_400} days.`);
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ ws: workspace })
    .setProtectedHeader({ alg: 'EdDSA', kid: region })
    .setIssuer(region)
    .setSubject(member)
    .setAudience('causeway')
    .setIssuedAt(now)
    .setExpirationTime(now + Math.ceil(ttlSeconds))
    .sign(await importJWK(secrets.signingKey(region), 'EdDSA'));
}
