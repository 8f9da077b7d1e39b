import { access, chmod, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { findProgram } from '../child.ts';
import { WorldError } from '../error.ts';
import { debianPackage } from './debian.ts';
import { githubRelease } from './release.ts';
import { isRecent, MINIMUM_NATS_VERSION, versionOf } from './version.ts';

/** A place that nats-server can be had from. */
export type NatsSource = {
  /** As people read it. */
  name: string;
  /**
   * Puts a verified executable into `folder`, which is empty and ours alone, and resolves with
   * its path. Rejects when it cannot be had there, or is not what it should be.
   */
  fetch(folder: string): Promise<string>;
};

export type FindNatsOptions = {
  /** Folder that a fetched server is kept in, made if missing; several processes may share it. */
  cache: string;
  /** Is told in one line what happens, the version that is used included. */
  onProgress?: (text: string) => void;
  /** `process.env` by default; `NATS_SERVER` names a server to use and no other. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Where to look on PATH; for tests. */
  onPath?: () => string | undefined;
  /** In the order in which they are tried. */
  sources?: readonly NatsSource[];
};

export type NatsBinary = { path: string; version: string };

const ADVICE = `Install nats-server ${MINIMUM_NATS_VERSION} or newer (macOS: brew install nats-server), or set NATS_SERVER to its path.`;

/**
 * Finds a nats-server of version 2.15.1 or newer: `$NATS_SERVER`, PATH, the cache, a pinned
 * release, Debian's package. Rejects with a line that says what was found and what to do.
 */
export async function findNatsServer(options: FindNatsOptions): Promise<NatsBinary> {
  const { cache, onProgress = () => undefined, env = process.env } = options;
  const { onPath = () => findProgram('nats-server'), sources = [githubRelease, debianPackage] } = options;
  const use = (binary: NatsBinary): NatsBinary => {
    onProgress(`nats-server ${binary.version} at ${binary.path}`);
    return binary;
  };

  const named = env['NATS_SERVER'];
  if (named !== undefined && named !== '') return use(await insistOn(named));

  const installed = onPath();
  if (installed !== undefined) {
    const version = await versionOf(installed);
    if (version !== undefined && isRecent(version)) return use({ path: installed, version });
    onProgress(`${installed} is ${tooOld(version)}: looking elsewhere`);
  }

  const cached = `${cache}/nats-server`;
  const version = await versionOf(cached);
  if (version !== undefined && isRecent(version)) return use({ path: cached, version });

  return use(await fetchInto(cache, sources, onProgress));
}

async function insistOn(path: string): Promise<NatsBinary> {
  const version = await versionOf(path);
  if (version === undefined || !isRecent(version))
    throw new WorldError(`NATS_SERVER is ${path}, which is ${tooOld(version)}. ${ADVICE}`);
  return { path, version };
}

const tooOld = (version: string | undefined): string =>
  version === undefined
    ? 'no nats-server that runs here'
    : `nats-server ${version}, older than ${MINIMUM_NATS_VERSION}`;

async function fetchInto(
  cache: string,
  sources: readonly NatsSource[],
  onProgress: (text: string) => void,
): Promise<NatsBinary> {
  await makeFolder(cache);
  const failures: string[] = [];
  for (const source of sources) {
    onProgress(`fetching nats-server: ${source.name}`);
    // A folder per attempt, then one atomic rename: whoever fetches at the same time cannot mix in,
    // and the last one replaces a whole file by a whole file.
    const folder = await mkdtemp(`${cache}/fetching-`);
    try {
      const path = await source.fetch(folder);
      await chmod(path, 0o755);
      const version = await versionOf(path);
      if (version === undefined || !isRecent(version)) throw new Error(`it is ${tooOld(version)}`);
      await rename(path, `${cache}/nats-server`);
      return { path: `${cache}/nats-server`, version };
    } catch (error) {
      const reason = lastLine(error);
      failures.push(`${source.name}: ${reason}`);
      onProgress(`not from there (${source.name}): ${reason}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  throw new WorldError(`No nats-server could be had. ${failures.join('. ')}. ${ADVICE}`);
}

async function makeFolder(cache: string): Promise<void> {
  try {
    await mkdir(cache, { recursive: true });
    await access(cache, constants.W_OK);
  } catch (cause) {
    throw new WorldError(`nats-server cannot be kept in ${cache}: ${lastLine(cause)}. ${ADVICE}`, { cause });
  }
}

/** A failed program's error ends with what it said last, and that says most. */
const lastLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1)!;
