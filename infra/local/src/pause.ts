import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorldError } from './error.ts';
import { signalTo, treeOf } from './process-tree.ts';

const STOPPED_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 2;

/**
 * Stops a process and all that descend from it where they are (SIGSTOP), and resolves once none of
 * them runs. Returns how to let them go on.
 */
export async function pauseTree(root: number): Promise<() => void> {
  const paused = new Set<number>();
  const resume = (): void => {
    for (const pid of paused) signalTo(pid, 'SIGCONT');
  };
  const deadline = performance.now() + STOPPED_WITHIN_MS;
  for (;;) {
    const tree = treeOf(root);
    // Parents first: one that is stopped has no more children.
    for (const { pid } of tree.filter(({ pid }) => !paused.has(pid))) {
      paused.add(pid);
      signalTo(pid, 'SIGSTOP');
    }
    if (tree.length > 0 && tree.every(({ stopped }) => stopped)) break;
    if (tree.length === 0 || performance.now() > deadline) {
      resume();
      throw new WorldError(
        tree.length === 0
          ? `Process ${root} ended before it could be paused.`
          : `Process ${root} did not stop within ${STOPPED_WITHIN_MS / 1000} s.`,
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
  const waker = wakeWithoutUs([...paused]);
  return () => {
    waker.kill('SIGKILL');
    resume();
  };
}

/**
 * A stopped process does not heed the signal that the kernel sends it when we die. This one notices
 * our end by its standard input, and makes them go on into theirs.
 */
function wakeWithoutUs(pids: readonly number[]): ChildProcess {
  const waker = spawn('/bin/sh', ['-c', 'read _; kill -CONT "$@"', 'waker', ...pids.map(String)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without it, only what was paused while we were killed stays behind.
  waker.once('error', () => undefined);
  return waker;
}
