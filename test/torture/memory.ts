import type { WorldStatus } from '@causeway/local';
import { SERVERS } from '@causeway/local';
import { readFile } from 'node:fs/promises';

/** Resident bytes of one server process. */
export type MemorySample = { at: number; region: string; server: string; pid: number; bytes: number };

/** Resident memory of all server processes that run. */
export async function measureMemory({ regions }: WorldStatus): Promise<MemorySample[]> {
  const at = Date.now();
  const servers = regions.flatMap(({ region, parts }) =>
    SERVERS.flatMap((server) => {
      const { pid, state } = parts[server] ?? {};
      return pid === undefined || state !== 'ready' ? [] : [{ region, server, pid }];
    }),
  );
  const samples = await Promise.all(
    servers.map(async (server) => ({ at, ...server, bytes: await residentBytes(server.pid) })),
  );
  return samples.filter(({ bytes }) => bytes > 0);
}

export type MemoryGrowth = {
  /** Largest and median resident bytes in the first third of the run, and in its last. */
  first: { most: number; median: number };
  last: { most: number; median: number };
};

export function growthOf(samples: readonly MemorySample[]): MemoryGrowth | undefined {
  const [begun, ended] = [samples[0]?.at, samples.at(-1)?.at];
  if (begun === undefined || ended === undefined) return undefined;
  const third = (ended - begun) / 3;
  const of = (chosen: readonly MemorySample[]): { most: number; median: number } => {
    const sorted = chosen.map(({ bytes }) => bytes).sort((a, b) => a - b);
    return { most: sorted.at(-1) ?? 0, median: sorted[Math.floor(sorted.length / 2)] ?? 0 };
  };
  return {
    first: of(samples.filter(({ at }) => at <= begun + third)),
    last: of(samples.filter(({ at }) => at >= ended - third)),
  };
}

/** 0 for a process that has ended. */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}
