import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { User } from '../child.ts';
import { WorldError } from '../error.ts';
import { postgresUser, reachable } from './account.ts';
import type { Binaries } from './binaries.ts';
import { copyTree, giveTree } from './copy-tree.ts';
import { partialOf, workshop } from './workshop.ts';

export const SUPERUSER = 'causeway';
const PASSWORD_FILE = 'causeway-password';

/**
 * Where the data that belongs into `dataDir` really is: there, or in the workshop when the
 * account of Postgres cannot reach it. Remove this folder to start from nothing.
 */
export function postgresDataFolder(dataDir: string, user: User | undefined = postgresUser()): string {
  const wanted = resolve(dataDir);
  mkdirSync(dirname(wanted), { recursive: true });
  if (reachable(wanted, user)) return wanted;
  const key = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
  return join(workshop(), `data-${key}-${basename(wanted)}`);
}

/** Makes `folder` a cluster of this release unless it is one; its password. */
export function prepareDataFolder(folder: string, binaries: Binaries, user: User | undefined): string {
  if (existsSync(join(folder, 'PG_VERSION'))) checkRelease(folder, binaries);
  else newCluster(folder, binaries, user);
  if (user !== undefined && statSync(folder).uid !== user.uid) giveTree(folder, user);
  return readFileSync(join(folder, PASSWORD_FILE), 'utf8');
}

function checkRelease(folder: string, { version }: Binaries): void {
  const found = readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim();
  const release = version.split('.')[0];
  if (found !== release)
    throw new WorldError(
      `${folder} holds data of Postgres ${found}, this is ${release}: move it away or dump it`,
    );
}

/** Copies the template (0.1 s), because initdb takes a second. */
function newCluster(folder: string, binaries: Binaries, user: User | undefined): void {
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new WorldError(`${folder} is neither empty nor a Postgres data folder`);
  const partial = partialOf(folder);
  copyTree(template(binaries, user), partial);
  if (existsSync(folder)) rmdirSync(folder);
  renameSync(partial, folder);
}

function template(binaries: Binaries, user: User | undefined): string {
  const folder = join(workshop(), `template-${binaries.version}-${user?.uid ?? 'own'}`);
  if (existsSync(folder)) return folder;
  const partial = partialOf(folder);
  mkdirSync(partial, { mode: 0o700 });
  if (user !== undefined) giveTree(partial, user);
  initdb(partial, binaries, user);
  try {
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

function initdb(folder: string, binaries: Binaries, user: User | undefined): void {
  const password = randomBytes(18).toString('base64url');
  const passwordFile = partialOf(join(dirname(folder), 'password'));
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) giveTree(passwordFile, user);
  const options = [
    '-U',
    SUPERUSER,
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
    '--no-locale',
  ];
  const done = spawnSync(join(binaries.folder, 'bin', 'initdb'), ['-D', folder, ...options, '--no-sync'], {
    ...user,
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C' },
    encoding: 'utf8',
  });
  rmSync(passwordFile);
  if (done.status !== 0)
    throw new Error(`initdb failed: ${done.error?.message ?? ''}${done.stderr}${done.stdout}`);
  writeFileSync(join(folder, PASSWORD_FILE), password, { mode: 0o600 });
  if (user !== undefined) giveTree(join(folder, PASSWORD_FILE), user);
}
