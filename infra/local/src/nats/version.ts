import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Older servers acknowledge writers of the directory that contradict each other. */
export const MINIMUM_NATS_VERSION = '2.15.1';

const run = promisify(execFile);

/** What `nats-server --version` says, e.g. `2.15.1`; undefined when it cannot be run. */
export async function versionOf(binary: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(binary, ['--version'], { timeout: 5_000 });
    return /v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** Whether a version is at least the minimum; a pre-release counts as older than its release. */
export function isRecent(version: string, minimum: string = MINIMUM_NATS_VERSION): boolean {
  const [have, want] = [numbers(version), numbers(minimum)];
  const at = have.findIndex((part, n) => part !== want[n]);
  if (at === -1) return !/^\d+\.\d+\.\d+-(?!\d)/.test(version);
  return have[at]! > want[at]!;
}

const numbers = (version: string): number[] => version.split(/[.+-]/, 3).map(Number);
