import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from '../child.ts';
import { WorldError } from '../error.ts';
import { pauseTree } from '../pause.ts';
import { lastLines } from './log-file.ts';
import type { Process } from './part.ts';

/** The program that a region runs. */
export const REGION_SERVER = fileURLToPath(new URL('../../../../apps/region/src/main.ts', import.meta.url));
const SKEWED_CLOCK = new URL('skewed-clock.ts', import.meta.url).href;

const READY_WITHIN_MS = 60_000;
const PROBE_EVERY_MS = 50;
const PROBE_TIMEOUT_MS = 2_000;
const LINES_OF_LOG = 12;

/** How to run the region's program. */
type ProgramOptions = {
  region: string;
  /** A JavaScript or TypeScript file. */
  entry: string;
  manifestFile: string;
  log: string;
};

export type ServerOptions = ProgramOptions & {
  /** In messages, e.g. `the server of us-east`. */
  title: string;
  /** Where it will listen, e.g. http://127.0.0.1:4101. */
  url: string;
  /** How far its clock is ahead, in milliseconds; not at all by default. */
  skewMs?: number;
};

/** Starts a region server and waits until it says that it is ready. Fails with the end of its log. */
export async function startServer(options: ServerOptions, signal: AbortSignal): Promise<Process> {
  signal.throwIfAborted();
  const { title, entry, manifestFile, log, skewMs = 0 } = options;
  const child = await startChild({
    name: title,
    command: process.execPath,
    args: ['--enable-source-maps', ...(skewMs === 0 ? [] : ['--import', SKEWED_CLOCK]), entry],
    env: { ...environment(manifestFile), CAUSEWAY_CLOCK_SKEW_MS: skewMs === 0 ? undefined : String(skewMs) },
    log,
  });
  try {
    await ready(child, options, signal);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return {
    pid: child.pid,
    exited: child.exited,
    stop: () => child.stop(),
    kill: () => child.kill(),
    pause: () => pauseTree(child.pid),
  };
}

/**
 * Rebuilds the views of a region with the region's own program, and hands on what that says. Fails
 * with the end of its log; what was rebuilt so far when the signal fires, stays so.
 */
export async function rebuildViews(
  { region, entry, manifestFile, log }: ProgramOptions,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const child = await startChild({
    name: `rebuild of ${region}`,
    command: process.execPath,
    args: ['--enable-source-maps', entry, 'rebuild'],
    env: environment(manifestFile),
    log,
    onLine,
  });
  const stop = (): void => void child.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const { code } = await child.exited;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (code !== 0)
    throw new WorldError(
      `The views of ${region} were not rebuilt. The log is ${log}:\n${lastLines(log, LINES_OF_LOG)}`,
    );
}

/** The manifest has the addresses already, one database per region. */
const environment = (manifestFile: string): Record<string, string | undefined> => ({
  CAUSEWAY_CONFIG: manifestFile,
  DATABASE_URL: undefined,
  NATS_URL: undefined,
});

async function ready(child: Child, { title, url, log }: ServerOptions, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  const fail = (what: string): WorldError =>
    new WorldError(`${capital(title)} ${what}. Its log is ${log}:\n${lastLines(log, LINES_OF_LOG)}`);
  while (!(await isReady(url))) {
    signal.throwIfAborted();
    if (!child.running) throw fail('ended while it started');
    if (performance.now() > deadline) throw fail(`was not ready within ${READY_WITHIN_MS / 1000} s`);
    await pause(PROBE_EVERY_MS);
  }
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Whether a server says so itself. */
async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    return false;
  }
}
