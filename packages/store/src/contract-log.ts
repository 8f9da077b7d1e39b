import { BUCKETS, bucketOf, type Row, type Store, type Tail } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import { batch, bytes, cells, CHANNEL, everything, into, update } from './contract-rows.ts';

const NAME = 'acme/canvas/a';

/** Awaits that the horizon has passed a commit: something else in the database may hold it back for a moment. */
export async function passed(store: Store, commit: number): Promise<void> {
  while ((await store.horizon()) < commit);
}

/** Brings the view to where the log is, as a projector that finds nothing would. */
export async function viewed(store: Store): Promise<void> {
  const { position } = await store.viewState();
  expect(
    await store.project({ from: position, to: await store.horizon(), messages: [], gone: [], awaiting: [] }),
  ).toBe(true);
}

/** Appends, publishes and views rows, so that they may be compacted. */
async function settled(store: Store, rows: Row[]): Promise<number> {
  const { outbox, commit } = await store.append(rows);
  await store.published(
    outbox.map(({ seq }) => seq),
    into,
  );
  await passed(store, commit);
  await viewed(store);
  return commit;
}

const namesIn = (tail: Tail): string[] => tail.rows.map(({ name }) => name);
const staleNames = async (store: Store): Promise<string[]> =>
  (await store.stale(1_000)).map(({ name }) => name);

/** Names of one bucket, in order. */
const inBucket = (wanted: number, count: number): string[] => {
  const found: string[] = [];
  for (let n = 0; found.length < count; n++)
    if (bucketOf(`acme/canvas/${n}`) === wanted) found.push(`acme/canvas/${n}`);
  return found.sort();
};

/** The tail of the log, the table of states, and compaction. */
export function logContract(fresh: () => Store): void {
  describe('the tail', () => {
    it('R2 lists what commits wrote, in their order, and says up to where', async () => {
      const store = fresh();
      const first = await store.append([update(NAME, '1'), cells(CHANNEL, ['b', '1', 1], ['a', '1', [2]])]);
      const second = await store.apply(
        batch({ rows: [update('acme/canvas/b', '2')], own: [update(NAME, '3')] }),
      );
      expect(second.commit).toBeGreaterThan(first.commit);
      await passed(store, second.commit);
      const tail = await store.tail(0, 100);
      expect(tail.rows).toMatchObject([
        { name: NAME, own: true, snapshot: false },
        { name: 'acme/canvas/b', own: false, snapshot: false },
        { name: NAME, own: true, snapshot: false },
      ]);
      expect(tail.cells).toEqual([
        { scope: CHANNEL, key: 'a', v: '1', value: [2] },
        { scope: CHANNEL, key: 'b', v: '1', value: 1 },
      ]);
      expect(tail.to).toBeGreaterThanOrEqual(second.commit);
      expect(namesIn(await store.tail(first.commit, 100))).toEqual(['acme/canvas/b', NAME]);
      expect(await store.tail(tail.to, 100)).toMatchObject({ rows: [], cells: [] });
    });

    it('R2 a commit is listed whole, and whoever goes on at `to` meets every one once', async () => {
      const store = fresh();
      let last = 0;
      for (let n = 0; n < 6; n++)
        last = (
          await store.append([
            update(`acme/canvas/${n}`, '1'),
            update(`acme/canvas/${n}`, '2'),
            cells(CHANNEL, [`${n}`, '1', n]),
          ])
        ).commit;
      await passed(store, last);
      const [names, keys]: string[][] = [[], []];
      let portions = 0;
      for (let at = 0; at < last; portions++) {
        const tail = await store.tail(at, 4);
        expect(namesIn(tail)).toHaveLength(4);
        expect(tail.to).toBeGreaterThan(at);
        names!.push(...namesIn(tail));
        keys!.push(...tail.cells.map(({ key }) => key));
        at = tail.to;
      }
      expect(portions).toBe(3);
      expect(names).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5].map((n) => `acme/canvas/${n}`));
      expect(keys).toEqual(['0', '1', '2', '3', '4', '5']);
    });

    it('a cell stands at its last change only, and one that lost nowhere', async () => {
      const store = fresh();
      const { commit } = await store.append([cells(CHANNEL, ['topic', '1', 'old'], ['note', '1', 'kept'])]);
      await store.append([cells(CHANNEL, ['topic', '2', 'new'])]);
      await passed(store, (await store.append([cells(CHANNEL, ['note', '0', 'lost'])])).commit);
      expect((await store.tail(0, 1)).cells.map(({ value }) => value)).toEqual(['kept']);
      expect((await store.tail(commit, 100)).cells.map(({ value }) => value)).toEqual(['new']);
    });

    it('never goes back: above the horizon it ends where it began', async () => {
      const store = fresh();
      await store.append([update(NAME, '1')]);
      expect(await store.tail(Number.MAX_SAFE_INTEGER, 10)).toEqual({
        rows: [],
        cells: [],
        to: Number.MAX_SAFE_INTEGER,
      });
    });

    it('the bytes and the author of its rows can be had, in order', async () => {
      const store = fresh();
      const entry = { kind: 'update', name: NAME, bytes: bytes('1'), member: 'ada' } as const;
      const { commit } = await store.append([{ entry }, update('acme/canvas/b', '2'), update(NAME, '3')]);
      await passed(store, commit);
      const { rows } = await store.tail(0, 100);
      expect((await store.loadRows(rows.toReversed())).map((row) => row.entry)).toEqual([
        entry,
        update('acme/canvas/b', '2').entry,
        update(NAME, '3').entry,
      ]);
      const elsewhere = { name: 'acme/canvas/b', id: rows[0]!.id };
      expect(await store.loadRows([elsewhere, { name: NAME, id: 0 }])).toEqual([]);
      expect(await store.loadRows([])).toEqual([]);
    });

    it('R4 the last commit of names is the one that changed any of them', async () => {
      const store = fresh();
      const first = await store.append([update(NAME, '1'), cells(CHANNEL, ['k', '2', 1])]);
      const second = await store.apply(batch({ rows: [update('acme/canvas/b', '1')] }));
      await store.append([cells(CHANNEL, ['k', '1', 'lost'])]);
      expect(await store.lastCommit([NAME, CHANNEL])).toBe(first.commit);
      expect(await store.lastCommit([CHANNEL, 'acme/canvas/b'])).toBe(second.commit);
      expect(await store.lastCommit(['acme/canvas/none'])).toBe(0);
      expect(await store.lastCommit([])).toBe(0);
    });
  });

  describe('states', () => {
    it('R1 whatever writes a name makes it stale: own rows, those of peers, cells that won', async () => {
      const store = fresh();
      await store.append([update(NAME, '12'), update(NAME, '345'), cells(CHANNEL, ['k', '2', 1])]);
      await store.apply(batch({ rows: [update(NAME, '6'), cells('acme/member/ada', ['k', '1', 1])] }));
      const states = await store.stale(100);
      expect(states).toMatchObject([
        { name: NAME, changes: 2, rows: 3, bytes: 6 },
        { name: CHANNEL, changes: 1, rows: 0, bytes: 0 },
        { name: 'acme/member/ada', changes: 1, rows: 0, bytes: 0 },
      ]);
      for (const { quietMs } of states) expect(quietMs).toBeGreaterThanOrEqual(0);
      await store.setDigests(states.map(({ name, changes }) => ({ name, changes, digest: 1n })));
      expect(await staleNames(store)).toEqual([]);
      await store.apply(batch({ rows: [cells(CHANNEL, ['k', '1', 'lost']), cells('acme/member/ada')] }));
      expect(await staleNames(store)).toEqual([]);
      await store.append([cells(CHANNEL, ['k', '3', 1])]);
      expect(await staleNames(store)).toEqual([CHANNEL]);
    });

    it('R10 lists those with most rows first, then those quiet for longest', async () => {
      const store = fresh();
      for (const [name, rows] of [
        ['b', 1],
        ['a', 1],
        ['d', 3],
        ['c', 2],
      ] as const)
        await store.append(Array.from({ length: rows }, () => update(name, 'x')));
      expect(await staleNames(store)).toEqual(['d', 'c', 'b', 'a']);
      expect((await store.stale(2)).map(({ name }) => name)).toEqual(['d', 'c']);
    });

    it('R1 a digest counts only for the state that it was made of', async () => {
      const store = fresh();
      await store.append([update(NAME, '1')]);
      const [seen] = await store.stale(1);
      await store.append([update(NAME, '2')]);
      await store.setDigests([{ name: NAME, changes: seen!.changes, digest: 1n }]);
      await store.setDigests([{ name: 'acme/canvas/none', changes: 1, digest: 1n }]);
      await store.setDigests([]);
      expect(await staleNames(store)).toEqual([NAME]);
    });

    it('R1 buckets show digests exclusive-ored, all 64 bits of them, and how many are stale', async () => {
      const store = fresh();
      const [one, other] = [inBucket(5, 3), inBucket(BUCKETS - 1, 1)];
      await store.append([...one, ...other].map((name) => update(name, '1')));
      const digests = [2n ** 64n - 1n, 2n ** 63n + 5n];
      await store.setDigests(digests.map((digest, at) => ({ name: one[at]!, changes: 1, digest })));
      const buckets = await store.buckets();
      expect(buckets).toHaveLength(BUCKETS);
      expect(buckets[5]).toEqual({ digest: digests[0]! ^ digests[1]!, names: 3, stale: 1 });
      expect(buckets[BUCKETS - 1]).toEqual({ digest: 0n, names: 1, stale: 1 });
      expect(buckets[0]).toEqual({ digest: 0n, names: 0, stale: 0 });
      const listed = [
        { name: one[0]!, digest: digests[0]! },
        { name: one[1]!, digest: digests[1]! },
        { name: one[2]! },
      ];
      expect(await store.names([5], '', 10)).toEqual(listed);
      expect(await store.names([5], '', 2)).toEqual(listed.slice(0, 2));
      expect(await store.names([5], one[1]!, 2)).toEqual(listed.slice(2));
      expect(await store.names([4], '', 10)).toEqual([]);
      const both = [...listed, { name: other[0]! }].sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(await store.names([BUCKETS - 1, 5], '', 10)).toEqual(both);
    });
  });

  describe('compaction', () => {
    const idsIn = async (store: Store): Promise<number[]> =>
      (await store.loadState(NAME))!.rows.map(({ id }) => id);
    const made = { name: NAME, changes: 1, snapshot: bytes('whole'), digest: 7n };

    it('R2 puts the snapshot in the place of exactly the rows that it was made of', async () => {
      const store = fresh();
      await settled(store, [update(NAME, '1'), update(NAME, '2')]);
      const state = await store.loadState(NAME);
      expect(state).toMatchObject({
        changes: 1,
        rows: [
          { bytes: bytes('1'), held: false },
          { bytes: bytes('2'), held: false },
        ],
      });
      const [written] = await store.stale(1);
      const before = await store.horizon();
      expect(await store.compact({ ...made, rows: await idsIn(store) })).toBe(true);
      expect(await store.loadDocument(NAME)).toEqual([made.snapshot]);
      expect((await store.buckets())[bucketOf(NAME)]).toEqual({ digest: 7n, names: 1, stale: 0 });
      expect(await store.stale(1)).toEqual([]);
      const { commit } = await store.append([update(NAME, '3')]);
      expect(await store.stale(1)).toMatchObject([{ changes: written!.changes + 1, rows: 2, bytes: 6 }]);
      await passed(store, commit);
      expect((await store.tail(before, 100)).rows).toMatchObject([
        { name: NAME, own: false, snapshot: true },
        { name: NAME, own: true, snapshot: false },
      ]);
      expect(await store.loadDocument(NAME)).toEqual(['whole', '3'].map(bytes));
    });

    it('R2 leaves alone what was written meanwhile, and the digest out of date', async () => {
      const store = fresh();
      await settled(store, [update(NAME, '1')]);
      const rows = await idsIn(store);
      await settled(store, [update(NAME, '2')]);
      expect(await store.compact({ ...made, rows })).toBe(true);
      expect((await store.loadDocument(NAME)).toSorted((a, b) => a.length - b.length)).toEqual(
        ['2', 'whole'].map(bytes),
      );
      expect(await store.stale(1)).toMatchObject([{ changes: 2, rows: 2, bytes: 6 }]);
      const again = { ...made, changes: 2, snapshot: bytes('all of it'), rows: await idsIn(store) };
      await settled(store, [update('acme/canvas/b', '1')]);
      expect(await store.compact(again)).toBe(true);
      expect(await store.loadDocument(NAME)).toEqual([again.snapshot]);
    });

    it('R2 does nothing when one of the rows is gone, and of two compactors one wins', async () => {
      const store = fresh();
      await settled(store, [update(NAME, '1'), update(NAME, '2')]);
      const rows = await idsIn(store);
      expect(await store.compact({ ...made, rows: [...rows, 0] })).toBe(false);
      expect(await store.compact({ ...made, rows: [] })).toBe(false);
      expect(await store.loadDocument(NAME)).toHaveLength(2);
      const outcomes = await Promise.all([1, 2, 3].map(() => store.compact({ ...made, rows })));
      expect(outcomes.toSorted()).toEqual([false, false, true]);
      expect(await store.loadDocument(NAME)).toEqual([made.snapshot]);
    });

    it('R3 does nothing while one of the rows waits for publication', async () => {
      const store = fresh();
      await settled(store, [update(NAME, '1')]);
      const { outbox, commit } = await store.append([update(NAME, '2')]);
      await passed(store, commit);
      await viewed(store);
      expect((await store.loadState(NAME))!.rows.map(({ held }) => held)).toEqual([false, true]);
      const compaction = { ...made, changes: 2, rows: await idsIn(store) };
      expect(await store.compact(compaction)).toBe(false);
      expect(await store.unpublished(everything)).toEqual(outbox);
      await store.published([outbox[0]!.seq], into);
      expect(await store.compact(compaction)).toBe(true);
    });

    it('does nothing above the position of the view, nor before there is one', async () => {
      const store = fresh();
      const { commit } = await store.apply(batch({ rows: [update(NAME, '1')] }));
      const compaction = { ...made, rows: await idsIn(store) };
      expect(await store.compact(compaction)).toBe(false);
      await store.viewState();
      expect(await store.compact(compaction)).toBe(false);
      await store.project({ from: 0, to: commit - 1, messages: [], gone: [], awaiting: [] });
      expect(await store.compact(compaction)).toBe(false);
      await store.project({ from: commit - 1, to: commit, messages: [], gone: [], awaiting: [] });
      expect(await store.compact(compaction)).toBe(true);
    });

    it('a scope has a state without rows, an unknown name none', async () => {
      const store = fresh();
      await store.append([cells(CHANNEL, ['k', '1', 1])]);
      expect(await store.loadState(CHANNEL)).toEqual({ changes: 1, rows: [] });
      expect(await store.loadState('acme/canvas/none')).toBeUndefined();
    });
  });
}
