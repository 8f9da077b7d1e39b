import { canvasName, memberScope, segmentName } from '@causeway/protocol';
import { Doubtful, Refused, Unavailable, bucketOf, documentDigest } from '@causeway/replica';
import type { StoreOperation } from '@causeway/store';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { moved, moves, steps, updatesOf, world as xmlWorld } from '@causeway/replica/random-edits';
import { Bench, pendingOf, replay, stateOf, text } from './compacting.ts';
import { SeededRandom } from './seeded-random.ts';

const NAME = canvasName('acme', 'plan');

let bench: Bench;
const open = (): Bench => (bench = new Bench());
afterEach(() => bench.close());

const rowsIn = async (name = NAME): Promise<Uint8Array[]> => await bench.store.loadDocument(name);

/** A text by one client, a row per change. */
function typist(client: number) {
  const doc = new Y.Doc();
  doc.clientID = client;
  const change = (by: (text: Y.Text) => void): Uint8Array => {
    let emitted: Uint8Array | undefined;
    doc.once('update', (bytes: Uint8Array) => (emitted = bytes));
    by(doc.getText('t'));
    return emitted!;
  };
  return {
    doc,
    type: (more: string) => change((text) => text.insert(text.length, more)),
    erase: (at: number, length: number) => change((text) => text.delete(at, length)),
  };
}

describe('what is rewritten, and when', () => {
  it('R10 200 rows and more, though somebody writes all the time; fewer are left alone until it is quiet (PAINS 21)', async () => {
    open();
    const compactor = bench.compactor();
    const { type, doc } = typist(1);
    let most = 0;
    for (let n = 0; n < 1_000; n++) {
      await bench.append(NAME, type('x'));
      await bench.publish();
      await bench.project();
      await bench.time.sleep(100);
      most = Math.max(most, (await rowsIn()).length);
    }
    expect(most).toBeGreaterThanOrEqual(200);
    expect(most).toBeLessThan(230);
    expect(compactor.counts.compacted).toBeLessThanOrEqual(5);
    await bench.settle();
    expect(await rowsIn()).toHaveLength(1);
    expect(
      replay(await rowsIn())
        .getText('t')
        .toJSON(),
    ).toBe(doc.getText('t').toJSON());
    // Each rewriting put one row in the place of others.
    expect(compactor.counts.rowsRemoved).toBe(999);
  });

  it('R10 not what costs hardly more than a fresh copy: it gets its digest only', async () => {
    open();
    const compactor = bench.compactor();
    const { type, doc } = typist(1);
    await bench.append(NAME, type('x'.repeat(10_000)), type('y'));
    await bench.settle();
    expect(await rowsIn()).toHaveLength(2);
    expect(compactor.counts).toMatchObject({ compacted: 0, digests: 1 });
    expect(await digestIn()).toBe(documentDigest(NAME, doc));
  });

  it('R13 deleted text is gone from every row, from a large document too', async () => {
    open();
    bench.compactor();
    for (const size of [10, 200_000]) {
      const name = canvasName('acme', `c${size}`);
      const { type, erase } = typist(1);
      await bench.append(name, type('x'.repeat(size)), type('SECRET'));
      await bench.settle();
      expect((await rowsIn(name)).map(text).join()).toContain('SECRET');
      await bench.append(name, erase(size, 'SECRET'.length));
      await bench.settle();
      expect((await rowsIn(name)).map(text).join()).not.toContain('SECRET');
      expect(replay(await rowsIn(name)).getText('t').length).toBe(size);
    }
  });

  it('R13 and so is that of a message, with the words of its edits', async () => {
    open();
    bench.compactor();
    const name = segmentName('acme', 'general', 1);
    const doc = new Y.Doc();
    const rows: Uint8Array[] = [];
    doc.on('update', (bytes: Uint8Array) => void rows.push(bytes));
    doc.getMap('m').set('id|t', { a: 'ada', b: 'SECRET', o: 'us' });
    doc.getMap('e').set('id|c', { b: 'SECRET too', v: 1 });
    await bench.append(name, ...rows.splice(0));
    await bench.settle();
    doc.transact(() => {
      doc.getMap('x').set('id', 1);
      doc.getMap('m').delete('id|t');
      doc.getMap('e').delete('id|c');
    });
    await bench.append(name, ...rows);
    await bench.settle();
    const log = (await rowsIn(name)).map(text).join();
    expect(log).not.toContain('SECRET');
    expect(
      replay(await rowsIn(name))
        .getMap('x')
        .toJSON(),
    ).toEqual({ id: 1 });
  });

  it('R3 no row that waits in the outbox, and none that a view has not read; they are not forgotten either', async () => {
    open();
    const compactor = bench.compactor();
    const { type, doc } = typist(1);
    for (let n = 0; n < 300; n++) await bench.append(NAME, type('x'));
    await bench.time.sleep(120_000);
    expect(await rowsIn()).toHaveLength(300);
    await bench.publish(290);
    await bench.time.sleep(120_000);
    expect(await rowsIn()).toHaveLength(300);
    await bench.project();
    await bench.time.sleep(120_000);
    expect(await rowsIn()).toHaveLength(11);
    expect(await bench.store.unpublished({ olderThanMs: 0, limit: 100 })).toHaveLength(10);
    await bench.publish();
    await bench.project();
    await bench.time.sleep(120_000);
    expect(await rowsIn()).toHaveLength(1);
    expect([compactor.counts.compacted, compactor.counts.rowsRemoved]).toEqual([2, 289 + 10]);
    expect(await digestIn()).toBe(documentDigest(NAME, doc));
  });

  it('R10 a round with nothing to do is one query', async () => {
    open();
    const calls: StoreOperation[] = [];
    bench.faults.inject((operation, when) => {
      if (when === 'before') calls.push(operation);
      return undefined;
    });
    const compactor = bench.compactor();
    await bench.time.sleep(10_500);
    expect(new Set(calls)).toEqual(new Set(['stale']));
    expect(calls.length).toBeLessThanOrEqual(11);
    expect(compactor.caughtUp).toBe(true);
  });

  it("R10 thousands of stale names are worked off without pauses, and those that have to wait stand in nobody's way", async () => {
    open();
    const one = typist(1).type('x');
    for (let n = 0; n < 1_500; n++) await bench.append(canvasName('acme', `held${n}`), one, one, one);
    await bench.publish(0);
    for (let n = 0; n < 1_500; n++) await bench.apply(canvasName('acme', `free${n}`), one);
    const scopes = Array.from({ length: 250 }, (_, n) => memberScope('acme', `m${n}`));
    await bench.store.append(
      scopes.map((scope) => ({ entry: { kind: 'cells', scope, cells: [{ key: 'k', v: '1', value: 1 }] } })),
    );
    await bench.time.sleep(6_000);
    bench.compactor();
    await bench.time.sleep(10_000);
    const left = (await bench.store.stale(10_000)).map(({ name }) => name);
    expect(left.filter((name) => !name.includes('held'))).toEqual([]);
    expect(left).toHaveLength(1_500);
  });
});

const digestIn = async (name = NAME): Promise<bigint | undefined> =>
  (await bench.store.names([bucketOf(name)], '', 1_000)).find((row) => row.name === name)?.digest;

describe('what a compaction may meet', () => {
  it('R3 R13 rows that were committed while it read are not deleted, and make its digest void', async () => {
    open();
    const [one, other] = [typist(1), typist(2)];
    for (let n = 0; n < 250; n++) await bench.append(NAME, one.type('x'));
    await bench.publish();
    await bench.project();
    const gate = bench.faults.gate('loadState', 'after');
    bench.compactor();
    await gate.reached;
    await bench.append(NAME, other.type('late'));
    gate.open();
    await bench.time.sleep(1_000);
    const rows = await rowsIn();
    expect(rows).toHaveLength(2);
    expect(replay(rows).getText('t').length).toBe(254);
    expect(await digestIn()).toBeUndefined();
    await bench.settle();
    expect(await digestIn()).toBe(documentDigest(NAME, replay(rows)));
  });

  it('R3 a second compactor that was paused, and wakes when another one has done the work, changes nothing', async () => {
    open();
    const { type, doc } = typist(1);
    for (let n = 0; n < 250; n++) await bench.append(NAME, type('x'));
    await bench.publish();
    await bench.project();
    const { promise: reached, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
    const stop = bench.faults.inject((operation, when) => {
      if (operation !== 'compact' || when !== 'before') return undefined;
      stop();
      arrive();
      return woken;
    });
    const paused = bench.compactor();
    await reached;
    bench.compactor();
    await bench.settle();
    for (let n = 0; n < 10; n++) await bench.append(NAME, type('y'));
    const before = await rowsIn();
    expect(before).toHaveLength(11);
    wake();
    await bench.time.sleep(1_000);
    expect(await rowsIn()).toEqual(before);
    expect(paused.counts.compacted).toBe(0);
    await bench.settle();
    expect(await digestIn()).toBe(documentDigest(NAME, doc));
  });

  it('R10 a database that fails is noticed once and does not stop it; a document that breaks Yjs stops no other', async () => {
    open();
    const { type, doc } = typist(1);
    const broken = canvasName('acme', 'broken');
    await bench.apply(broken, ...Array.from({ length: 300 }, () => Uint8Array.of(1, 1, 1)));
    await bench.append(NAME, type('a'), type('b'), type('c'));
    const stop = bench.faults.inject(() => Promise.reject(new Unavailable('gone')));
    const compactor = bench.compactor();
    await bench.time.sleep(60_000);
    expect(bench.notices).toEqual([{ what: 'compaction-failed', kind: undefined, why: 'Unavailable: gone' }]);
    stop();
    await bench.publish();
    await bench.project();
    await bench.time.sleep(60_000);
    expect(await digestIn()).toBe(documentDigest(NAME, doc));
    expect((await bench.store.stale(10)).map(({ name }) => name)).toEqual([broken]);
    expect(bench.notices.slice(1)).toMatchObject([{ what: 'compaction-failed', kind: 'canvas' }]);
    expect(compactor.counts).toMatchObject({ compacted: 1, failed: 2 });
    expect(await rowsIn(broken)).toHaveLength(300);
  });

  it('R10 one document that takes the database too long holds up no other, nor the scopes', async () => {
    open();
    const slow = canvasName('acme', 'slow');
    const { type } = typist(1);
    await bench.apply(slow, ...Array.from({ length: 300 }, () => type('x')));
    await bench.apply(NAME, typist(2).type('y'));
    await bench.project();
    const loadState = bench.store.loadState.bind(bench.store);
    bench.store.loadState = (name) =>
      name === slow ? Promise.reject(new Doubtful('no answer in time')) : loadState(name);
    bench.compactor();
    await bench.time.sleep(60_000);
    expect((await bench.store.stale(10)).map(({ name }) => name)).toEqual([slow]);
  });

  it('R10 a page of names that all have to wait hides nothing behind it', async () => {
    open();
    const parked = Array.from({ length: 1_100 }, (_, n) => canvasName('acme', `parked${n}`));
    const { type } = typist(1);
    const bytes = type('x');
    for (const name of parked) await bench.apply(name, bytes, bytes);
    bench.store.parkedNames = () => Promise.resolve(parked);
    await bench.apply(NAME, bytes);
    await bench.project();
    bench.compactor();
    await bench.time.sleep(60_000);
    expect(await digestIn()).toBeDefined();
  });

  it('R3 neither compacts nor digests what is parked for a newer version', async () => {
    open();
    const { type } = typist(1);
    await bench.apply(NAME, ...Array.from({ length: 300 }, () => type('x')));
    await bench.store.apply({
      peer: 'eu',
      rows: [],
      own: [],
      parked: [{ name: NAME, version: 9, bytes: Uint8Array.of(9, 9) }],
    });
    const other = canvasName('acme', 'other');
    await bench.apply(other, typist(2).type('y'));
    await bench.project();
    bench.compactor();
    await bench.time.sleep(60_000);
    expect(await rowsIn()).toHaveLength(300);
    expect(await digestIn()).toBeUndefined();
    expect(await digestIn(other)).toBeDefined();
  });

  it('R10 a log of more than 64 MiB is left alone, and everything else goes on', async () => {
    // PAINS 12: one poisonous document hangs the server.
    open();
    const poison = canvasName('acme', 'poison');
    const megabyte = new Uint8Array(1024 * 1024);
    for (let n = 0; n < 65; n++) await bench.apply(poison, megabyte);
    await bench.append(NAME, typist(1).type('x'));
    const loads: unknown[] = [];
    bench.faults.inject((operation, when) => {
      if (operation === 'loadState' && when === 'before') loads.push(operation);
      return undefined;
    });
    const compactor = bench.compactor();
    await bench.time.sleep(60_000);
    expect(bench.notices).toEqual([{ what: 'quarantined', kind: 'canvas', bytes: 65 * megabyte.length }]);
    expect([compactor.quarantined, compactor.caughtUp, loads.length]).toEqual([1, true, 1]);
    expect((await bench.store.stale(10)).map(({ name }) => name)).toEqual([poison]);
  });
});

/** What happens to a document between two rounds; numbers are taken modulo what there is. */
type Event = { what: 'append' | 'apply' | 'publish' | 'project' | 'follow' | 'pass'; amount: number };
const EVENTS = ['append', 'apply', 'publish', 'project', 'follow', 'pass'] as const;
const single: fc.Arbitrary<Event> = fc.record({
  what: fc.constantFrom(...EVENTS),
  amount: fc.nat(1_000),
});
/** Time enough to rewrite, if nothing is in the way. */
const lull: Event[] = [
  { what: 'publish', amount: 1_000 },
  { what: 'project', amount: 0 },
  { what: 'pass', amount: 750 },
];
const events = fc
  .array(fc.oneof(fc.tuple(single), fc.constant(lull)), { minLength: 10, maxLength: 40 })
  .map((parts) => parts.flat());

/** Somebody who follows the tail: in turn ahead and far behind, never told of anything. */
function follower(store: Bench['store']) {
  const doc = new Y.Doc();
  let position = 0;
  return {
    doc,
    async follow(limit: number): Promise<void> {
      const { rows, to } = await store.tail(position, limit);
      for (const { entry } of await store.loadRows(rows)) Y.applyUpdate(doc, entry.bytes, 'peer');
      position = to;
    },
  };
}

/**
 * Rows of a random history, in random order, are appended by two writers and applied from a peer,
 * while two compactors work whose every step may wait or fail. At every moment the log must
 * amount to all rows together; in the end it is small, and so are those who followed its tail.
 */
async function story(rows: readonly Uint8Array[], events: readonly Event[], seed: number): Promise<void> {
  open();
  const random = new SeededRandom(seed);
  const shaken = new Set<StoreOperation>(['stale', 'parkedNames', 'loadState', 'compact', 'setDigests']);
  const errors = [Refused, Unavailable, Doubtful];
  const stop = bench.faults.inject(async (operation, when) => {
    if (!shaken.has(operation)) return;
    if (random.chance(30)) await bench.time.sleep(random.below(4_000));
    if (random.chance(10)) throw new (random.pick(when === 'after' ? [Doubtful] : errors))('no');
  });
  const compactors = [bench.compactor(), bench.compactor()];
  const [near, far] = [follower(bench.store), follower(bench.store)];
  const written: Uint8Array[] = [];
  const left = [...rows];
  let checked = '';
  const write = async (by: 'append' | 'apply', amount: number): Promise<void> => {
    const batch = left.splice(0, 1 + (amount % 5));
    if (batch.length === 0) return;
    written.push(...batch);
    await bench[by](NAME, ...batch);
  };
  for (const { what, amount } of events) {
    if (what === 'append' || what === 'apply') await write(what, amount);
    else if (what === 'publish') await bench.publish(amount);
    else if (what === 'project') await bench.project();
    else if (what === 'follow') await near.follow(1 + (amount % 20));
    else if (what === 'pass') await bench.time.sleep(amount * 20);
    const log = await rowsIn();
    const changed = `${written.length} ${log.map(({ length }) => length)}`;
    if (changed === checked) continue;
    checked = changed;
    const [snapshotAndTail, all] = [replay(log), replay(written)];
    expect(stateOf(log)).toBe(stateOf(written));
    expect(pendingOf(snapshotAndTail)).toEqual(pendingOf(all));
  }
  compactions += compactors.reduce((sum, { counts }) => sum + counts.compacted, 0);
  while (left.length > 0) await write('append', 4);
  stop();
  await bench.settle();
  const log = await rowsIn();
  expect(stateOf(log)).toBe(stateOf(rows));
  const doc = replay(rows);
  if (rows.length > 0) expect(await digestIn()).toBe(documentDigest(NAME, doc));
  for (const reader of [near, far]) {
    for (let n = 0; n < 20; n++) await reader.follow(10);
    expect(stateOf([Y.encodeStateAsUpdate(reader.doc)])).toBe(stateOf(rows));
  }
  const cost = log.reduce((sum, { length }) => sum + length + 120, 0);
  const fresh = Y.encodeStateAsUpdate(replay([Y.encodeStateAsUpdate(doc)])).length + 120;
  expect(cost).toBeLessThanOrEqual(1.15 * fresh);
  bench.close();
}
/** Done in the middle of stories, not at their end. */
let compactions = 0;

describe('snapshot and tail are the full replay', () => {
  it('R1 R3 whatever is written meanwhile, held back, paused or failing', async () => {
    compactions = 0;
    await fc.assert(
      fc.asyncProperty(steps, moves(20), events, fc.nat(), (steps, moves, events, seed) =>
        story(moved(updatesOf(steps), moves), events, seed),
      ),
      { seed: 1, numRuns: 100 },
    );
    expect(compactions).toBeGreaterThan(75);
  });

  it('R1 R3 also of XML in an order that leaves much pending', async () => {
    compactions = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 20_000 }), events, fc.nat(), (world, events, seed) =>
        story(xmlWorld(world), events, seed),
      ),
      { seed: 1, numRuns: 50 },
    );
    expect(compactions).toBeGreaterThan(40);
  });

  it('R1 what is pending outlives a snapshot, is not in its digest, and completes when the rest comes', () => {
    open();
    let pending = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const rows = xmlWorld(seed);
      for (const cut of [5, 12, 20, 30]) {
        const before = replay(rows.slice(0, cut));
        const after = replay([Y.encodeStateAsUpdate(before)]);
        expect(pendingOf(after), `seed ${seed}, ${cut} rows`).toEqual(pendingOf(before));
        expect(documentDigest(NAME, after), `seed ${seed}, ${cut} rows`).toBe(documentDigest(NAME, before));
        if (pendingOf(before).structs.length > 0) pending++;
      }
    }
    expect(pending).toBeGreaterThan(100);
  });
});
