import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalTo, treeOf } from '../process-tree.ts';

const PATIENCE_MS = 10_000;

/**
 * Makes way in a data folder: a Postgres that still runs there is interrupted and waited for; a
 * postmaster.pid without its process is removed, because Postgres itself refuses to start when
 * another process got that number.
 */
export async function endPredecessor(dataFolder: string): Promise<void> {
  const pid = runningIn(dataFolder);
  if (pid !== undefined) {
    process.kill(pid, 'SIGINT');
    // It heeds nothing while it is paused.
    for (const { pid: each } of treeOf(pid)) signalTo(each, 'SIGCONT');
    const until = Date.now() + PATIENCE_MS;
    while (runsIn(pid, dataFolder)) {
      if (Date.now() > until) throw new Error(`Postgres ${pid} in ${dataFolder} does not end`);
      await sleep(20);
    }
  }
  rmSync(join(dataFolder, 'postmaster.pid'), { force: true });
}

/** The process number that the data folder's lock file names. */
function postmasterPid(dataFolder: string): number | undefined {
  const file = join(dataFolder, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** The Postgres that runs in this data folder now. */
export function runningIn(dataFolder: string): number | undefined {
  const pid = postmasterPid(dataFolder);
  return pid !== undefined && runsIn(pid, dataFolder) ? pid : undefined;
}

/** Is this process a Postgres of that folder? Numbers are reused, and a zombie holds nothing. */
function runsIn(pid: number, dataFolder: string): boolean {
  if (!existsSync('/proc/self/cmdline'))
    return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout.includes(
      dataFolder,
    );
  try {
    // A zombie's command line is empty.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dataFolder);
  } catch {
    return false;
  }
}
