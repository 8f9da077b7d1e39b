import { readdirSync, readFileSync } from 'node:fs';

/** What some processes have used of a core so far, milliseconds, all their threads together; Linux tells it in nanoseconds. */
export function cpuMs(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids)
    for (const thread of threadsOf(pid)) nanoseconds += Number(onCpu(pid, thread)?.split(' ', 1)[0] ?? 0);
  return nanoseconds / 1e6;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // It has ended; what it used until then is missing on both sides of a difference.
  }
}

function onCpu(pid: number, thread: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
  } catch {
    return undefined; // A thread that ended.
  }
}
