import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { User } from '../child.ts';
import { WorldError } from '../error.ts';

/**
 * The account that Postgres runs under: ours, or `nobody` when we are root, since Postgres refuses
 * root and initdb wants an account that exists.
 */
export function postgresUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const nobody = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  if (nobody === undefined) throw new WorldError('running as root needs an account `nobody` for Postgres');
  return { uid: Number(nobody[2]), gid: Number(nobody[3]) };
}

/** Can `user` pass every folder above `path`? Without a user we are it, and can. */
export function reachable(path: string, user: User | undefined): boolean {
  if (user === undefined) return true;
  const folder = dirname(path);
  return passable(folder, user) && (folder === dirname(folder) || reachable(folder, user));
}

function passable(folder: string, user: User): boolean {
  const { mode, uid, gid } = statSync(folder);
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return (mode & bit) !== 0;
}
