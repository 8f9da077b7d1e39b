import { randomUUID } from 'node:crypto';
import { constants, accessSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorldError } from '../error.ts';

/**
 * Our folder outside of any home, where every account can read: binaries and data that Postgres
 * could not reach where they belong, and the template of new clusters. Its name is guessable, so
 * it is used only when it is ours.
 */
export function workshop(): string {
  const uid = process.getuid?.() ?? 0;
  const folder = join(writable('/var/tmp') ? '/var/tmp' : tmpdir(), `causeway-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o022) !== 0)
    throw new WorldError(`${folder} is not a folder that only we can write; remove it`);
  return folder;
}

/** A name beside `path`, for making it before renaming it into place. */
export const partialOf = (path: string): string => `${path}.${randomUUID()}`;

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
