import { canvasName, memberScope, type Cell } from '@causeway/protocol';
import type { Bucket, Row } from '@causeway/replica';
import * as fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import * as Y from 'yjs';
import { moved, moves, steps, updatesOf } from '@causeway/replica/random-edits';
import { Bench } from './compacting.ts';
import { World, idOf, WORKSPACE } from './world.ts';

const cell: fc.Arbitrary<Cell> = fc.record({
  scope: fc.constantFrom('ada', 'bob', 'eve').map((member) => memberScope('acme', member)),
  key: fc.constantFrom('a', 'b', 'c', 'd'),
  v: fc.nat(9).map(String),
  value: fc.oneof(fc.nat(3), fc.constantFrom('x', null), fc.record({ a: fc.nat(2), b: fc.nat(2) })),
});

/** Rows of three documents and three scopes. */
const rows = fc
  .tuple(fc.tuple(steps, steps, steps), fc.array(cell, { maxLength: 20 }))
  .map(([documents, cells]): Row[] => [
    ...documents.flatMap((steps, n) =>
      updatesOf(steps).map((bytes): Row => ({
        entry: { kind: 'update', name: canvasName('acme', `c${n}`), bytes },
      })),
    ),
    ...cells.map(({ scope, ...held }): Row => ({ entry: { kind: 'cells', scope, cells: [held] } })),
  ]);

let worlds: { close(): void }[] = [];
afterEach(() => {
  for (const world of worlds) world.close();
  worlds = [];
});

/** The table of states of a region that got these rows in this order, some at a time, with lulls in which it compacts. */
async function settled(rows: readonly Row[], batches: readonly number[]): Promise<Bucket[]> {
  const bench = new Bench();
  worlds.push(bench);
  bench.compactor();
  const left = [...rows];
  for (let n = 0; left.length > 0; n++) {
    const batch = left.splice(0, 1 + batches[n % batches.length]!);
    if (n % 2 === 0) await bench.store.append(batch);
    else await bench.store.apply({ peer: 'eu', rows: batch, own: [], parked: [] });
    if (batches[n % batches.length]! % 4 === 0) await bench.settle();
  }
  await bench.settle();
  const buckets = await bench.store.buckets();
  bench.close();
  return buckets;
}

const digestsOf = (buckets: readonly Bucket[]): bigint[] => buckets.map(({ digest }) => digest);

it('R1 R15 regions that hold the same, and are quiet, have equal tables; one that lacks a row has another', async () => {
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(
      rows,
      moves(40),
      fc.array(fc.nat(12), { minLength: 3, maxLength: 10 }),
      fc.nat(),
      async (rows, moves, batches, at) => {
        const one = await settled(rows, batches);
        const order = shuffled(rows, moves);
        const other = await settled(order, batches.toReversed());
        expect(other).toEqual(one);
        expect(one.every(({ stale }) => stale === 0)).toBe(true);
        if (rows.length === 0) return;
        const missing = rows[at % rows.length]!;
        const less = await settled(
          rows.filter((row) => row !== missing),
          batches,
        );
        // A row may say nothing that others do not say: a cell that lost, a delete of what is deleted.
        const isSeen = digestsOf(less).some((digest, bucket) => digest !== one[bucket]!.digest);
        if (missing.entry.kind === 'update' && bringsStructs(missing)) expect(isSeen).toBe(true);
        if (isSeen) seen++;
      },
    ),
    { seed: 1, numRuns: 40 },
  );
  expect(seen).toBeGreaterThan(20);
});

/** `moved` works on bytes; here each row stands for its place. */
function shuffled(all: readonly Row[], moves: Parameters<typeof moved>[1]): Row[] {
  const places = all.map((_, at) => Uint8Array.of(at & 255, at >> 8));
  return moved(places, moves).map(([low, high]) => all[low! + high! * 256]!);
}

const bringsStructs = ({ entry }: Row): boolean => entry.kind === 'update' && entry.bytes[0] !== 0;

/** Header and bytes of rows. */
const costs = (all: readonly Uint8Array[]): number => all.reduce((sum, { length }) => sum + 120 + length, 0);

it('R15 two regions in which people work end with equal tables, and each document costs little more than a fresh copy', async () => {
  const world = new World({ regions: ['us', 'eu'], processes: 2 });
  worlds.push(world);
  const { random } = world;
  const ids: string[] = [];
  for (let n = 0; n < 300; n++) {
    const region = random.pick(['us', 'eu']);
    const { replica } = random.pick(world.region(region).processes);
    const id = random.pick(ids);
    const act = id === undefined ? 0 : random.below(5);
    const command = [
      () => world.post(`post ${n}`),
      () => world.post(`post ${n}`),
      () => world.edit(id!, `edit ${n}`, world.v()),
      () => world.remove(id!),
      () => world.react(id!, random.chance(50), world.v()),
    ][act]!();
    if (command.kind === 'post') ids.push(idOf(command));
    await replica.execute(command).catch(() => undefined);
    await world.time.sleep(random.below(500));
  }
  const stores = ['us', 'eu'].map((name) => world.region(name).store);
  await world.until(
    async () => {
      const stale = await Promise.all(stores.map((store) => store.stale(1)));
      if (stale.flat().length > 0) return false;
      const [us, eu] = await Promise.all(stores.map((store) => store.buckets()));
      return digestsOf(us!).every((digest, at) => digest === eu![at]!.digest);
    },
    'equal and nothing stale',
    600_000,
  );
  for (const store of stores)
    for (const { segment } of await store.segments(`${WORKSPACE}/channel/general`)) {
      const rows = await store.loadDocument(`${WORKSPACE}/segment/general/${segment}`);
      const doc = new Y.Doc();
      for (const row of rows) Y.applyUpdate(doc, row);
      expect(costs(rows) / costs([Y.encodeStateAsUpdate(doc)])).toBeLessThanOrEqual(1.15);
    }
  const compactors = world.regions.flatMap(({ processes }) =>
    processes.map(({ replica }) => replica.compactor),
  );
  expect(compactors.filter(({ counts }) => counts.compacted > 0)).toHaveLength(2);
  expect(
    world.regions.flatMap(({ processes }) => processes.flatMap(({ notices }) => notices)),
  ).not.toContainEqual(expect.objectContaining({ what: 'compaction-failed' }));
});
