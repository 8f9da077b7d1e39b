import { findBasePort, startWorld, type World } from '@causeway/local';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { median } from '../load/figures.ts';
import { Inside, type Held } from './database.ts';
import type { Finding } from './finding.ts';
import { Workload } from './workload.ts';

const REGIONS = ['us-east', 'eu-west'] as const;
const DELAY_MS = 40;
const FIRST = 50_000;
const LAST = 200_000;
/**
 * What lives in the heap may be so much larger after the last operation than after the first part, or
 * so many bytes. Resident memory says more about when V8 collects than about what lives.
 */
const FLAT = { share: 1.15, bytes: 32 * 1024 * 1024 } as const;
/** Bytes per live message and cell, against those of a fresh copy. */
const WORTH = 1.3;
/** Samples of memory before a point, a second apart: the lowest of them comes after a collection. */
const SAMPLES = 40;
const REST_WITHIN_MS = 600_000;

/**
 * Memory over many operations, the size of a database against that of a fresh copy, and a region
 * whose disk was deleted. `share`: a fiftieth takes a fiftieth of the operations.
 */
export async function proveGrowth(share: number, say: (line: string) => void): Promise<Finding[]> {
  const home = await mkdtemp(join(tmpdir(), 'causeway-proof-'));
  say('starting two regions …');
  const world = await startWorld({
    home,
    basePort: await findBasePort(),
    regions: REGIONS,
    delays: () => DELAY_MS,
  });
  const insides = REGIONS.map((region) => new Inside(world, region));
  try {
    const first = await workUpTo(world, Math.ceil(FIRST / share), say);
    const last = await workUpTo(world, Math.ceil(LAST / share), say, first.workload);
    last.workload.close();
    const restMs = await rest(insides, say);
    const used = await insides[1]!.held();
    say('deleting the disk of eu-west …');
    await insides[1]!.close();
    const began = performance.now();
    await world.wipe('eu-west');
    insides[1] = new Inside(world, 'eu-west');
    await whole(insides, say);
    const wholeMs = performance.now() - began;
    await rest(insides, say);
    const fresh = await insides[1].held();
    return [
      memory(first.memory, last.memory),
      { what: 'the compactor caught up', value: seconds(restMs), holds: true },
      size(used, fresh),
      files(used, fresh),
      {
        what: 'a region whose disk was deleted is whole again by digest',
        value: `${fresh.messages.toLocaleString('en')} messages, ${fresh.cells.toLocaleString('en')} cells in ${seconds(wholeMs)}`,
        holds: fresh.messages === used.messages && fresh.cells === used.cells,
      },
    ];
  } finally {
    await Promise.all(insides.map((inside) => inside.close()));
    await world.stop();
    await rm(home, { recursive: true, force: true });
  }
}

/** Carries out operations and says what memory the servers took at the end, in bytes. */
async function workUpTo(
  world: World,
  count: number,
  say: (line: string) => void,
  workload?: Workload,
): Promise<{ memory: Memory[]; workload: Workload }> {
  const work = workload ?? (await Workload.at(world));
  const over = new AbortController();
  const done = work.until(count).finally(() => over.abort());
  const samples: Memory[][] = [];
  while (!over.signal.aborted || samples.length < SAMPLES) {
    await pause(1_000);
    const sample = await memoryOf(world);
    samples.push(sample);
    const of = `${work.count.toLocaleString('en')} of ${count.toLocaleString('en')} operations`;
    say(`${of}, ${sample.map(({ resident }) => mebibytes(resident)).join(' and ')}`);
  }
  await done;
  const newest = samples.slice(-SAMPLES);
  const memory = REGIONS.map((_, at) => ({
    living: Math.min(...newest.map((sample) => sample[at]!.living)),
    resident: median(newest.map((sample) => sample[at]!.resident)),
  }));
  return { memory, workload: work };
}

/** Of one server process, in bytes. */
type Memory = { living: number; resident: number };

async function memoryOf(world: World): Promise<Memory[]> {
  return Promise.all(
    REGIONS.map(async (region) => {
      const text = await (await fetch(`${world.regions[region]!.url}/metrics`)).text();
      const value = (name: string): number =>
        Number(new RegExp(`^${name}\\{.*\\} (.+)$`, 'm').exec(text)![1]);
      const living = value('nodejs_heap_size_used_bytes') + value('nodejs_external_memory_bytes');
      return { living, resident: value('process_resident_memory_bytes') };
    }),
  );
}

/** Until nothing is stale or waits in any region; how long that took, in milliseconds. */
async function rest(insides: readonly Inside[], say: (line: string) => void): Promise<number> {
  const began = performance.now();
  for (;;) {
    const states = await Promise.all(insides.map((inside) => inside.restless()));
    if (states.every(({ stale, outbox }) => stale + outbox === 0)) return performance.now() - began;
    if (performance.now() - began > REST_WITHIN_MS) throw new Error('the compactor does not catch up');
    say(`${states.map(({ stale }) => stale).join(' and ')} names are stale`);
    await pause(1_000);
  }
}

/** Until both regions have the same digests. */
async function whole(insides: readonly Inside[], say: (line: string) => void): Promise<void> {
  const began = performance.now();
  for (;;) {
    const states = await Promise.all(insides.map((inside) => inside.restless()));
    if (states.every(({ stale }) => stale === 0) && new Set(states.map(({ digest }) => digest)).size === 1)
      return;
    if (performance.now() - began > REST_WITHIN_MS) throw new Error('the region does not become whole');
    say('the emptied region is filling itself …');
    await pause(1_000);
  }
}

function memory(first: readonly Memory[], last: readonly Memory[]): Finding {
  const both = (of: keyof Memory): string =>
    REGIONS.map((_, at) => `${mebibytes(first[at]![of])} → ${mebibytes(last[at]![of])}`).join(', ');
  return {
    what: `memory after a quarter and after all operations, ${REGIONS.join(' and ')}`,
    value: `living ${both('living')}; resident ${both('resident')}`,
    holds: last.every(({ living }, at) => {
      const before = first[at]!.living;
      return living <= Math.max(before * FLAT.share, before + FLAT.bytes);
    }),
  };
}

function size(used: Held, fresh: Held): Finding {
  const [ours, theirs] = [used, fresh].map(({ rowBytes, messages, cells }) => rowBytes / (messages + cells));
  return {
    what: 'bytes of rows per live message and cell, against a fresh copy',
    value: `${ours!.toFixed(0)} against ${theirs!.toFixed(0)}: ${(ours! / theirs!).toFixed(2)} times`,
    holds: ours! / theirs! <= WORTH,
  };
}

function files(used: Held, fresh: Held): Finding {
  const [ours, theirs] = [used, fresh].map(
    ({ fileBytes, messages, cells }) => fileBytes / (messages + cells),
  );
  return {
    what: 'the same of the files, with indexes and the free space in them',
    value: `${ours!.toFixed(0)} against ${theirs!.toFixed(0)}: ${(ours! / theirs!).toFixed(2)} times`,
    holds: true,
  };
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
