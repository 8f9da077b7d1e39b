import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WorldError } from '../error.ts';

/** Who runs the world of a home folder, and where it can be steered. */
export type Claim = {
  pid: number;
  /** When that process started, as the system tells it: tells it from a later one of the same pid. */
  born: string;
  /** Web page and control API. */
  url: string;
};

/** The folder that holds a world: `CAUSEWAY_HOME`, or `.causeway` at the root of this repository. */
export const homeOf = (env: Readonly<Record<string, string | undefined>>): string =>
  env['CAUSEWAY_HOME'] ?? fileURLToPath(new URL('../../../../.causeway', import.meta.url));

/** Where a fetched nats-server is kept: one for all worlds of this checkout, wherever their homes are. */
export const natsCacheFolder = (): string => join(homeOf({}), 'cache');

/** The world that runs on this home; `undefined` when none does, also after its launcher was killed. */
export function runningWorld(home: string): Claim | undefined {
  const claim = readClaim(home);
  return claim !== undefined && bornOf(claim.pid) === claim.born ? claim : undefined;
}

/**
 * Makes this process the one world of `home`; throws `WorldError` when there is one already.
 * `wasKilled` says that the last one never released its claim.
 */
export function claimHome(home: string, url: string): { wasKilled: boolean; release(): void } {
  const claim: Claim = { pid: process.pid, born: bornOf(process.pid) ?? '', url };
  const wasKilled = inHome(home, () => take(home, claim));
  return {
    wasKilled,
    release() {
      if (readClaim(home)?.pid === process.pid) rmSync(claimFile(home), { force: true });
    },
  };
}

/** Says whether the claim before was never released. */
function take(home: string, claim: Claim): boolean {
  // Open to all: Postgres runs as another user when we are root. Secrets are files of mode 0600.
  mkdirSync(home, { recursive: true, mode: 0o755 });
  const running = runningWorld(home);
  if (running !== undefined) throw alreadyRunning(home, running);
  const wasKilled = readClaim(home) !== undefined;
  rmSync(claimFile(home), { force: true });
  publish(home, claim);
  return wasKilled;
}

const REFUSALS: Readonly<Record<string, string>> = {
  EEXIST: 'it is not a folder',
  ENOTDIR: 'it is not below a folder',
  EACCES: 'it may not be written',
  EPERM: 'it may not be written',
  EROFS: 'it may not be written',
};

/** What the file system refuses here, the person who chose the folder can put right. */
function inHome<T>(home: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof WorldError) throw error;
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new WorldError(
      `A world cannot be kept in ${home}: ${REFUSALS[code] ?? message}. ` +
        'Set CAUSEWAY_HOME to a folder that you can write.',
      { cause: error },
    );
  }
}

const claimFile = (home: string): string => join(home, 'world.json');

const alreadyRunning = (home: string, { url, pid }: Claim): WorldError =>
  new WorldError(
    `A world runs already on ${home}: ${url} (pid ${pid}). Stop it with "npx causeway down", ` +
      'or start a second one with another CAUSEWAY_HOME and CAUSEWAY_BASE_PORT.',
  );

/** A link appears whole or not at all, and only for the first of two launchers that race. */
function publish(home: string, claim: Claim): void {
  const draft = `${claimFile(home)}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(claim));
  try {
    linkSync(draft, claimFile(home));
  } catch (error) {
    const running = runningWorld(home);
    throw running === undefined ? error : alreadyRunning(home, running);
  } finally {
    rmSync(draft, { force: true });
  }
}

function readClaim(home: string): Claim | undefined {
  try {
    return JSON.parse(readFileSync(claimFile(home), 'utf8')) as Claim;
  } catch {
    return undefined;
  }
}

/** Text that differs between two processes of one pid; `undefined` when there is no such process. */
function bornOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the name, may hold spaces and brackets; the start time is the 22nd.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : rest[18];
  } catch {
    return process.platform === 'linux' ? undefined : bornByPs(pid);
  }
}

function bornByPs(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}
