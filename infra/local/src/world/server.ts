import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from '../child.ts';
import { WorldError } from '../error.ts';
import { lastLines } from './log-file.ts';
import type { Process } from './part.ts';

/** The program that a region runs. */
export const REGION_SERVER = fileURLToPath(new URL('../../../../apps/region/src/main.ts', import.meta.url));

const READY_WITHIN_MS = 60_000;
const PROBE_EVERY_MS = 50;
const PROBE_TIMEOUT_MS = 2_000;
const LINES_OF_LOG = 12;

export type ServerOptions = {
  region: string;
  /** A JavaScript or TypeScript file. */
  entry: string;
  manifestFile: string;
  /** Where it will listen, e.g. http://127.0.0.1:4101. */
  url: string;
  log: string;
};

/** Starts a region server and waits until it says that it is ready. Fails with the end of its log. */
export async function startServer(options: ServerOptions, signal: AbortSignal): Promise<Process> {
  signal.throwIfAborted();
  const child = await startChild({
    name: `server of ${options.region}`,
    command: process.execPath,
    args: ['--enable-source-maps', options.entry],
    // The manifest has these already, one database per region.
    env: { CAUSEWAY_CONFIG: options.manifestFile, DATABASE_URL: undefined, NATS_URL: undefined },
    log: options.log,
  });
  try {
    await ready(child, options, signal);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return { pid: child.pid, exited: child.exited, stop: () => child.stop(), kill: () => child.kill() };
}

async function ready(child: Child, { region, url, log }: ServerOptions, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  const fail = (what: string): WorldError =>
    new WorldError(`The server of ${region} ${what}. Its log is ${log}:\n${lastLines(log, LINES_OF_LOG)}`);
  while (!(await isReady(url))) {
    signal.throwIfAborted();
    if (!child.running) throw fail('ended while it started');
    if (performance.now() > deadline) throw fail(`was not ready within ${READY_WITHIN_MS / 1000} s`);
    await pause(PROBE_EVERY_MS);
  }
}

/** Whether a region says so itself. */
export async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    return false;
  }
}
