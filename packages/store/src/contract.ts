/* What every store owes its replica, in memory and in Postgres alike: one list, run against both. */
import { Refused, type Store } from '@causeway/replica';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  batch,
  bytes,
  cells,
  CHANNEL,
  entriesOf,
  everything,
  idsOf,
  into,
  places,
  segment,
  update,
  write,
} from './contract-rows.ts';
import { changesContract } from './contract-changes.ts';
import { decisionContract } from './contract-decisions.ts';
import { dueContract } from './contract-due.ts';
import { logContract } from './contract-log.ts';
import { countsContract } from './contract-counts.ts';
import { strongContract } from './contract-strong.ts';
import { viewContract } from './contract-views.ts';

/*
 * What the port Store promises, as tests that every store has to pass. Long because it is one
 * list: method by method, in the order of the port.
 */

/** One region's database, as the suite needs it: any number of zones, each empty when first asked for. */
export type StoreUnderTest = { zone(zone: string): Store; close(): Promise<void> };

const kept = (content: string, version: number) => ({
  name: segment(1),
  version,
  bytes: bytes(content),
});
const many = (from: number) =>
  Array.from({ length: 20_000 }, (_, n) => ({
    name: `acme/canvas/${from + n}`,
    version: 9,
    bytes: bytes('?'),
  }));

/**
 * What every store promises (ports.ts), as vitest tests. `open` is called once; each test takes
 * a zone of its own, so a database may be shared by all of them.
 */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`store contract: ${name}`, () => {
    let opened: StoreUnderTest;
    let zones = 0;
    const fresh = (): Store => opened.zone(`zone-${++zones}`);
    beforeAll(async () => {
      opened = await open();
    }, 60_000);
    afterAll(() => opened.close(), 30_000);

    describe('the log', () => {
      it('R2 what append has resolved can be read, in log order', async () => {
        const store = fresh();
        await store.append([update('acme/canvas/a', '1'), update('acme/canvas/b', 'other')]);
        await store.append([update('acme/canvas/a', '2'), update('acme/canvas/a', '3')]);
        expect(await store.loadDocument('acme/canvas/a')).toEqual(['1', '2', '3'].map(bytes));
        expect(await store.loadDocument('acme/canvas/none')).toEqual([]);
      });

      it('keeps bytes as they are, empty ones included', async () => {
        const store = fresh();
        const all = Uint8Array.from({ length: 256 }, (_, value) => value);
        const entry = { kind: 'update', name: 'acme/canvas/a' } as const;
        await store.append([
          { entry: { ...entry, bytes: all } },
          { entry: { ...entry, bytes: new Uint8Array() } },
        ]);
        expect(await store.loadDocument('acme/canvas/a')).toEqual([all, new Uint8Array()]);
      });

      it('R4 an append of nothing is none', async () => {
        expect(await fresh().append([])).toEqual({ outbox: [], untidy: [], commit: 0, authored: [] });
      });

      it('R6 R12 a zone sees nothing of another zone', async () => {
        const [one, other] = [fresh(), fresh()];
        await one.append([
          write(1, { posts: ['a'] }),
          write(2, { posts: ['a'] }),
          cells(CHANNEL, ['topic', '1', 'x']),
        ]);
        await one.apply(batch({ parked: [{ name: segment(9), version: 9, bytes: bytes('?') }] }));
        expect(await other.loadDocument(segment(1))).toEqual([]);
        expect(await other.loadCells([CHANNEL])).toEqual([]);
        expect(await other.copies(places(CHANNEL, 'a'))).toEqual([]);
        expect(await other.segments(CHANNEL)).toEqual([]);
        expect(await other.unpublished(everything)).toEqual([]);
        expect(await other.untidy(10)).toEqual([]);
        expect(await other.cursor('eu-west')).toBeUndefined();
        expect(await other.parkedNames()).toEqual([]);
        expect(await other.parked(9, 10)).toEqual([]);
        expect(await other.tail(0, 10)).toMatchObject({ rows: [], cells: [] });
        expect(await other.lastCommit([CHANNEL, segment(1)])).toBe(0);
        expect(await other.stale(10)).toEqual([]);
        expect(await other.loadState(segment(1))).toBeUndefined();
        expect((await other.buckets()).filter(({ names }) => names > 0)).toEqual([]);
        expect(await other.outboxSize()).toEqual({ rows: 0, bytes: 0, oldestMs: 0 });
        expect(await other.trimOutbox(0)).toBe(0);
      });

      it('R3 one row that cannot be stored refuses its whole batch, and the rest can be tried again', async () => {
        const store = fresh();
        const good = write(1, { posts: ['a'] });
        for (const bad of [
          update('acme/canvas/\0', 'x'),
          cells(CHANNEL, ['\0', '1', 1]),
          write(1, { posts: ['\0'] }),
        ])
          await expect(store.append([good, cells(CHANNEL, ['k', '1', 1]), bad])).rejects.toBeInstanceOf(
            Refused,
          );
        expect(await store.loadDocument(segment(1))).toEqual([]);
        expect(await store.loadCells([CHANNEL])).toEqual([]);
        expect(await store.segments(CHANNEL)).toEqual([]);
        expect(await store.unpublished(everything)).toEqual([]);
        await store.append([good]);
        expect(await store.loadDocument(segment(1))).toHaveLength(1);
      });

      it('R10 takes a batch of 1,000 rows and 2 MiB', async () => {
        const store = fresh();
        const rows = Array.from({ length: 1_000 }, (_, n) =>
          update('acme/canvas/a', `${n}`.padEnd(2_100, '.')),
        );
        const { outbox } = await store.append(rows);
        expect(outbox).toHaveLength(1_000);
        expect(await store.loadDocument('acme/canvas/a')).toHaveLength(1_000);
      });
    });

    describe('the outbox', () => {
      it('R3 holds each own row until it is published, in the order of the rows', async () => {
        const store = fresh();
        const rows = [
          cells(CHANNEL, ['topic', '1', { text: 'tea' }]),
          update('acme/canvas/b', 'b'),
          update('acme/canvas/a', 'a'),
        ];
        const { outbox } = await store.append(rows);
        expect(entriesOf(outbox)).toEqual(entriesOf(rows));
        expect(outbox.map(({ seq }) => seq)).toEqual(outbox.map(({ seq }) => seq).toSorted((a, b) => a - b));
        expect(await store.unpublished(everything)).toEqual(outbox);
        await store.published([outbox[1]!.seq], into);
        await store.published([], into);
        expect(await store.unpublished(everything)).toEqual([outbox[0], outbox[2]]);
        expect(await store.loadDocument('acme/canvas/b')).toHaveLength(1);
      });

      it('keeps the member of an update', async () => {
        const store = fresh();
        const entry = { kind: 'update', name: 'acme/canvas/a', bytes: bytes('x'), member: 'ada' } as const;
        await store.append([{ entry }]);
        expect(entriesOf(await store.unpublished(everything))).toEqual([entry]);
      });

      it('R10 answers at most `limit` rows, the lowest, old enough', async () => {
        const store = fresh();
        const { outbox } = await store.append(['1', '2', '3'].map((n) => update('acme/canvas/a', n)));
        expect(await store.unpublished({ limit: 2, olderThanMs: 0 })).toEqual(outbox.slice(0, 2));
        expect(await store.unpublished({ ...everything, olderThanMs: 3_600_000 })).toEqual([]);
      });

      it('R10 knows its size', async () => {
        const store = fresh();
        const value = '\u{1F600}';
        await store.append([update('acme/canvas/a', '12345'), cells(CHANNEL, ['k', '1', value])]);
        const size = await store.outboxSize();
        const text = JSON.stringify([{ key: 'k', v: '1', value: JSON.stringify(value) }]);
        expect(size).toMatchObject({ rows: 2, bytes: 5 + bytes(text).length });
        expect(size.oldestMs).toBeGreaterThanOrEqual(0);
        expect(size.oldestMs).toBeLessThan(60_000);
      });

      it('R10 loses its oldest rows when it is trimmed, and the log none', async () => {
        const store = fresh();
        const { outbox } = await store.append(['1', '2', '3'].map((n) => update('acme/canvas/a', n)));
        expect(await store.trimOutbox(3)).toBe(0);
        expect(await store.trimOutbox(1)).toBe(2);
        expect(await store.unpublished(everything)).toEqual(outbox.slice(2));
        expect(await store.trimOutbox(0)).toBe(1);
        expect(await store.unpublished(everything)).toEqual([]);
        expect(await store.loadDocument('acme/canvas/a')).toHaveLength(3);
      });

      it('holds a cell change as it was written, even when it lost', async () => {
        const store = fresh();
        await store.append([cells(CHANNEL, ['topic', '2', 'new'])]);
        const late = cells(CHANNEL, ['topic', '1', 'old']);
        await store.append([late]);
        expect(entriesOf(await store.unpublished(everything)).at(-1)).toEqual(late.entry);
      });
    });

    describe('cells', () => {
      it('R1 the larger v wins in any order, with repeats', async () => {
        const store = fresh();
        await store.append([cells(CHANNEL, ['topic', '2', 'second'], ['other', '1', null])]);
        await store.append([cells(CHANNEL, ['topic', '1', 'first'])]);
        await store.append([cells(CHANNEL, ['topic', '3', 'third'])]);
        await store.append([cells(CHANNEL, ['topic', '2', 'second'])]);
        expect(await store.loadCells([CHANNEL])).toEqual([
          { scope: CHANNEL, key: 'other', v: '1', value: null },
          { scope: CHANNEL, key: 'topic', v: '3', value: 'third' },
        ]);
      });

      it('R1 among equal v the larger value text wins', async () => {
        const [one, other] = [fresh(), fresh()];
        await one.append([cells(CHANNEL, ['topic', '1', 'a'])]);
        await one.append([cells(CHANNEL, ['topic', '1', 'b'])]);
        await other.append([cells(CHANNEL, ['topic', '1', 'b'])]);
        await other.append([cells(CHANNEL, ['topic', '1', 'a'])]);
        for (const store of [one, other]) expect((await store.loadCells([CHANNEL]))[0]!.value).toBe('b');
      });

      it('R1 texts compare by their UTF-8 bytes, not by UTF-16 units', async () => {
        const store = fresh();
        await store.append([cells(CHANNEL, ['topic', '1', '\u{1F600}'])]);
        await store.append([cells(CHANNEL, ['topic', '1', '\uFF5E'])]);
        expect((await store.loadCells([CHANNEL]))[0]!.value).toBe('\u{1F600}');
        await store.append([cells(CHANNEL, ['\u{1F600}', '1', 1], ['\uFF5E', '1', 1], ['Z', '1', 1])]);
        expect((await store.loadCells([CHANNEL])).map(({ key }) => key)).toEqual([
          'Z',
          'topic',
          '\uFF5E',
          '\u{1F600}',
        ]);
      });

      it('R4 one key twice in a batch is folded to its winner', async () => {
        const store = fresh();
        await store.append([
          cells(CHANNEL, ['topic', '2', 'b'], ['topic', '1', 'a']),
          cells(CHANNEL, ['topic', '3', 'c']),
          cells(CHANNEL, ['topic', '2', 'z']),
        ]);
        expect((await store.loadCells([CHANNEL])).map(({ value }) => value)).toEqual(['c']);
        expect(await store.unpublished(everything)).toHaveLength(3);
      });

      it('any JSON value comes back equal, whatever its field order', async () => {
        const store = fresh();
        const value = { z: [1, 2.5, { deep: '\u0000 "\\ \uD83D\uDE00' }], a: null, b: false };
        await store.append([cells(CHANNEL, ['k', '1', value])]);
        expect((await store.loadCells([CHANNEL]))[0]!.value).toEqual(value);
        expect(entriesOf(await store.unpublished(everything))).toEqual([
          cells(CHANNEL, ['k', '1', value]).entry,
        ]);
      });

      it('loads several scopes, ordered by scope and key', async () => {
        const store = fresh();
        await store.append([cells('acme/member/b', ['2', '1', 1], ['1', '1', 1])]);
        await store.append([cells('acme/member/a', ['9', '1', 1]), cells('acme/member/c', ['0', '1', 1])]);
        const found = await store.loadCells([
          'acme/member/b',
          'acme/member/a',
          'acme/member/none',
          'acme/member/b',
        ]);
        expect(found.map(({ scope, key }) => `${scope} ${key}`)).toEqual([
          'acme/member/a 9',
          'acme/member/b 1',
          'acme/member/b 2',
        ]);
        expect(await store.loadCells([])).toEqual([]);
      });

      it('R1 concurrent batches in opposite key order all commit, and the largest v is left', async () => {
        const store = fresh();
        const keys = Array.from({ length: 40 }, (_, n) => `k${n}`);
        await Promise.all(
          Array.from({ length: 12 }, (_, n) => {
            const order = n % 2 === 0 ? keys : keys.toReversed();
            return store.append(order.map((key) => cells(CHANNEL, [key, String(n + 10), n])));
          }),
        );
        expect(new Set((await store.loadCells([CHANNEL])).map(({ v }) => v))).toEqual(new Set(['21']));
      });
    });

    describe('segments and copies', () => {
      it('counts what this region wrote and knows the range of everybody', async () => {
        const store = fresh();
        await store.append([write(2, { posts: ['b', 'c'] }, '12345'), write(2, { edits: ['b'] }, '123')]);
        await store.append([write(1, { deletes: ['z'] }, '1')]);
        await store.apply(batch({ rows: [write(2, { posts: ['a', 'd'] }, 'not ours')] }));
        expect(await store.segments(CHANNEL)).toEqual([
          { segment: 1, posts: 0, bytes: 1, operations: 1 },
          { segment: 2, posts: 2, bytes: 8, operations: 3, first: 't-a', last: 't-d' },
        ]);
        expect(await store.segments('acme/channel/none')).toEqual([]);
      });

      it('answers the totals of the segments that own rows were written into, in order', async () => {
        const store = fresh();
        await store.append([write(10, { posts: ['a'] }, '123')]);
        const { authored } = await store.append([
          write(10, { edits: ['a'] }, '12'),
          write(9, { posts: ['b'] }, '1'),
        ]);
        const nine = { channel: CHANNEL, segment: 9, posts: 1, bytes: 1, operations: 1 };
        expect(authored).toEqual([
          nine,
          { channel: CHANNEL, segment: 10, posts: 1, bytes: 5, operations: 2 },
        ]);
        const rows = [write(9, { posts: ['c'] }), write(10, { posts: ['d'] })];
        expect((await store.apply(batch({ rows }))).authored).toEqual([]);
        const own = [write(9, { edits: ['b'] }, '1')];
        expect((await store.apply(batch({ rows, own }))).authored).toEqual([
          { ...nine, bytes: 2, operations: 2 },
        ]);
      });

      it('a segment that only peers wrote is known, with no counts', async () => {
        const store = fresh();
        await store.apply(batch({ rows: [write(10, { posts: ['a'] }), write(9, { posts: ['b'] })] }));
        expect(await store.segments(CHANNEL)).toEqual([
          { segment: 9, posts: 0, bytes: 0, operations: 0, first: 't-b', last: 't-b' },
          { segment: 10, posts: 0, bytes: 0, operations: 0, first: 't-a', last: 't-a' },
        ]);
      });

      it('knows in which segments a message is, and where it is deleted', async () => {
        const store = fresh();
        await store.append([write(1, { posts: ['a', 'b'] })]);
        await store.apply(batch({ rows: [write(2, { posts: ['a'] }), write(2, { deletes: ['a'] })] }));
        expect(await store.copies(places(CHANNEL, 'a', 'b', 'none', 'a'))).toEqual([
          { channel: CHANNEL, id: 'a', segment: 1, deleted: false },
          { channel: CHANNEL, id: 'a', segment: 2, deleted: true },
          { channel: CHANNEL, id: 'b', segment: 1, deleted: false },
        ]);
        expect(await store.copies(places('acme/channel/other', 'a'))).toEqual([]);
        expect(await store.copies([])).toEqual([]);
      });

      it('a deletion that comes before its message is known; an edit that does is no copy', async () => {
        const store = fresh();
        await store.apply(batch({ rows: [write(1, { deletes: ['a'] }), write(1, { edits: ['b'] })] }));
        expect(await store.copies(places(CHANNEL, 'a', 'b'))).toEqual([
          { channel: CHANNEL, id: 'a', segment: 1, deleted: true },
        ]);
      });

      it('R4 a repeated row changes no copies', async () => {
        const store = fresh();
        const row = write(1, { posts: ['a'] });
        await store.append([row]);
        expect((await store.append([row])).untidy).toEqual([]);
        expect(await store.copies(places(CHANNEL, 'a'))).toHaveLength(1);
      });
    });

    describe('untidy messages', () => {
      it('R1 a message touched here that has a copy elsewhere needs a look', async () => {
        const store = fresh();
        expect((await store.append([write(1, { posts: ['a', 'b', 'c', 'd'] })])).untidy).toEqual([]);
        expect(idsOf((await store.append([write(2, { posts: ['a'] })])).untidy)).toEqual(['a']);
        expect(idsOf((await store.append([write(2, { edits: ['b'] })])).untidy)).toEqual(['b']);
        expect(idsOf((await store.append([write(2, { deletes: ['c'] })])).untidy)).toEqual(['c']);
        expect((await store.append([write(1, { edits: ['d'] })])).untidy).toEqual([]);
        expect((await store.append([write(1, { deletes: ['d'] })])).untidy).toEqual([]);
        expect(idsOf(await store.untidy(10))).toEqual(['a', 'b', 'c']);
      });

      it('R1 two copies in one batch need a look', async () => {
        const rows = [write(1, { posts: ['a', 'b'] }), write(2, { posts: ['a'] })];
        expect(idsOf((await fresh().append(rows)).untidy)).toEqual(['a']);
      });

      it('R13 a message posted or edited though deleted needs a look', async () => {
        const store = fresh();
        await store.append([write(1, { posts: ['a', 'b'] })]);
        await store.append([write(1, { deletes: ['a', 'b', 'c'] })]);
        const { untidy } = await store.append([write(1, { posts: ['c'], edits: ['b'] })]);
        expect(idsOf(untidy)).toEqual(['b', 'c']);
      });

      it("R13 a peer's deletion always needs a look, our own alone does not", async () => {
        const store = fresh();
        await store.append([write(1, { posts: ['a', 'b'] })]);
        expect((await store.append([write(1, { deletes: ['b'] })])).untidy).toEqual([]);
        const { untidy } = await store.apply(batch({ rows: [write(1, { deletes: ['a'] })] }));
        expect(idsOf(untidy)).toEqual(['a']);
      });

      it('forgets a look that was taken, unless there is a new reason', async () => {
        const store = fresh();
        await store.append([write(1, { posts: ['a', 'b'] }), write(2, { posts: ['a', 'b'] })]);
        const seen = await store.untidy(10);
        const [again] = (await store.append([write(2, { edits: ['a'] })])).untidy;
        expect(again!.mark).toBeGreaterThan(seen.find(({ id }) => id === 'a')!.mark);
        await store.tidied(seen);
        expect(await store.untidy(10)).toEqual([again]);
        await store.tidied([again!]);
        await store.tidied([]);
        expect(await store.untidy(10)).toEqual([]);
      });

      it('R10 answers at most `limit`, the oldest reasons first', async () => {
        const store = fresh();
        for (const id of ['c', 'a', 'b'])
          await store.append([write(1, { posts: [id] }), write(2, { posts: [id] })]);
        expect((await store.untidy(2)).map(({ id }) => id)).toEqual(['c', 'a']);
      });

      it('R1 of two appends at once with one message in two segments, at least one notices', async () => {
        const store = fresh();
        const ids = Array.from({ length: 30 }, (_, n) => `m${n}`);
        const results = await Promise.all(
          ids.flatMap((id) => [
            store.append([write(1, { posts: [id] })]),
            store.append([write(2, { posts: [id] })]),
          ]),
        );
        const noticed = new Set(results.flatMap(({ untidy }) => idsOf(untidy)));
        expect([...noticed].sort()).toEqual(ids.toSorted());
        expect(idsOf(await store.untidy(100))).toEqual(ids.toSorted());
      });
    });

    describe("a peer's rows", () => {
      it('R4 are logged without an echo, with the cursor behind them', async () => {
        const store = fresh();
        const cursor = { incarnation: 'two', sequence: 42, messageId: 'two-42' };
        expect(await store.cursor('eu-west')).toBeUndefined();
        const rows = [write(1, { posts: ['a'] }, 'theirs'), cells(CHANNEL, ['topic', '1', 'x'])];
        expect((await store.apply(batch({ cursor, rows }))).outbox).toEqual([]);
        expect(await store.cursor('eu-west')).toEqual(cursor);
        expect(await store.cursor('eu-central')).toBeUndefined();
        expect(await store.loadDocument(segment(1))).toEqual([bytes('theirs')]);
        expect(await store.loadCells([CHANNEL])).toHaveLength(1);
        expect(await store.unpublished(everything)).toEqual([]);
      });

      it('what this region writes because of them goes out', async () => {
        const store = fresh();
        const own = [cells(CHANNEL, ['top|us-east', '2', 2])];
        const { outbox } = await store.apply(batch({ rows: [write(2, { posts: ['a'] })], own }));
        expect(entriesOf(outbox)).toEqual(entriesOf(own));
        expect(await store.unpublished(everything)).toEqual(outbox);
      });

      it('R15 a cursor moves wherever the receiver says, backwards too', async () => {
        const store = fresh();
        const cursor = { incarnation: 'two', sequence: 1, messageId: 'two-1' };
        await store.apply(batch({ cursor: { ...cursor, sequence: 9_007_199_254_740_991 } }));
        await store.apply(batch({ cursor }));
        expect(await store.cursor('eu-west')).toEqual(cursor);
      });

      it('R3 rows without a cursor leave it where it was: more of their delivery follow', async () => {
        const store = fresh();
        await store.apply({ peer: 'eu-west', rows: [write(1, { posts: ['a'] })], own: [], parked: [] });
        expect(await store.cursor('eu-west')).toBeUndefined();
        await store.apply(batch());
        await store.apply({ peer: 'eu-west', rows: [write(1, { posts: ['b'] })], own: [], parked: [] });
        expect(await store.cursor('eu-west')).toEqual(batch().cursor);
        expect(await store.loadDocument(segment(1))).toHaveLength(2);
      });

      it('R3 refused rows leave the cursor where it was', async () => {
        const store = fresh();
        await store.apply(batch());
        const bad = batch({
          cursor: { incarnation: 'one', sequence: 2, messageId: 'one-2' },
          rows: [cells(CHANNEL, ['\0', '1', 1])],
        });
        await expect(store.apply(bad)).rejects.toBeInstanceOf(Refused);
        expect(await store.cursor('eu-west')).toEqual(batch().cursor);
      });

      it('R4 messages of a newer version are kept once per message', async () => {
        const store = fresh();
        const parked = [
          { name: segment(2), version: 7, bytes: bytes('from the future') },
          { name: segment(1), version: 7, bytes: bytes('1') },
          { name: segment(1), version: 7, bytes: bytes('2') },
          { name: segment(3), version: 0, bytes: bytes('nobody can read this') },
        ];
        await store.apply(batch({ parked }));
        await store.apply(batch({ parked }));
        expect(await store.parkedNames()).toEqual([segment(1), segment(2)]);
        expect(await store.loadDocument(segment(1))).toEqual([]);
      });

      it('R4 parked messages come back oldest first, and leave with the rows made of them', async () => {
        const store = fresh();
        await store.apply(batch({ parked: [kept('b', 2), kept('?', 0)] }));
        await store.apply(batch({ peer: 'eu-central', parked: [kept('c', 3)] }));
        await store.apply(batch({ parked: [kept('a', 2)] }));
        const parked = await store.parked(3, 10);
        expect(parked).toMatchObject([
          { peer: 'eu-west', ...kept('b', 2) },
          { peer: 'eu-central', ...kept('c', 3) },
          { peer: 'eu-west', ...kept('a', 2) },
        ]);
        // All of one name, and one of them is of version 3: what is older waits behind it.
        expect(await store.parked(2, 10)).toEqual([]);
        expect(await store.parked(3, 1)).toEqual([parked[0]]);
        const unparked = [parked[0]!.id, parked[2]!.id];
        await expect(
          store.apply(batch({ unparked, rows: [cells(CHANNEL, ['\0', '1', 1])] })),
        ).rejects.toBeInstanceOf(Refused);
        expect(await store.parked(3, 10)).toEqual(parked);
        await store.apply(batch({ unparked, rows: [write(1, { posts: ['b'] }, 'b')] }));
        expect(await store.parked(3, 10)).toEqual([parked[1]]);
        expect(await store.loadDocument(segment(1))).toEqual([bytes('b')]);
      });

      it('R10 keeps no more than 100,000 parked messages of a zone, and applies the rest all the same', async () => {
        const store = fresh();
        for (let from = 0; from < 100_000; from += 20_000) await store.apply(batch({ parked: many(from) }));
        const cursor = { incarnation: 'one', sequence: 2, messageId: 'one-2' };
        const full = await store.apply(
          batch({ cursor, rows: [write(1, { posts: ['a'] })], parked: many(100_000).slice(0, 1) }),
        );
        expect(full.unkept).toBe(true);
        expect(await store.parkedNames()).toHaveLength(100_000);
        expect(await store.cursor('eu-west')).toEqual(cursor);
        expect((await store.apply(batch({ rows: [write(2, { posts: ['b'] })] }))).unkept).toBeUndefined();
        const [oldest] = await store.parked(9, 1);
        await store.apply(batch({ unparked: [oldest!.id] }));
        await store.apply(batch({ parked: many(100_000).slice(0, 1) }));
        expect((await store.parkedNames()).includes('acme/canvas/100000')).toBe(true);
      });
    });

    describe('incarnations', () => {
      const stream = { stream: 'out-global 2026-01-01', lastSequence: 7, given: 1_000 };

      it('R15 the same stream gives the same one, to every process and after any number of tries', async () => {
        const store = fresh();
        const { incarnation, isNew } = await store.adoptIncarnation(stream);
        expect(isNew).toBe(false);
        expect(incarnation).toMatch(/^[\w-]{22}$/);
        const same = { incarnation, isNew: false };
        const later = { ...stream, lastSequence: 8 };
        expect(
          await Promise.all([stream, later, stream].map((found) => store.adoptIncarnation(found))),
        ).toEqual([same, same, same]);
      });

      it('R15 another stream, one that has lost its tail, and one that came back are another one each', async () => {
        const store = fresh();
        const found = [await store.adoptIncarnation(stream)];
        for (const next of [
          { ...stream, stream: 'out-global 2026-02-02' },
          { ...stream, stream: 'out-global 2026-02-02', lastSequence: 6 },
          stream,
        ]) {
          found.push(await store.adoptIncarnation(next));
          expect(found.at(-1)!.isNew).toBe(true);
          expect(await store.adoptIncarnation(next)).toEqual({ ...found.at(-1), isNew: false });
        }
        expect(new Set(found.map(({ incarnation }) => incarnation)).size).toBe(4);
      });

      it('R15 a tail that was lost is noticed by what published() was told, also out of order', async () => {
        const store = fresh();
        const { incarnation } = await store.adoptIncarnation(stream);
        await store.published([], { incarnation: 'another', sequence: 99 });
        await store.published([], { incarnation, sequence: 9 });
        await store.published([], { incarnation, sequence: 8 });
        expect((await store.adoptIncarnation({ ...stream, lastSequence: 9 })).isNew).toBe(false);
        expect((await store.adoptIncarnation({ ...stream, lastSequence: 8 })).isNew).toBe(true);
      });

      it('R15 what other processes were given since the stream was looked at is no loss', async () => {
        const store = fresh();
        expect(await store.incarnation()).toBeUndefined();
        const { incarnation } = await store.adoptIncarnation(stream);
        const known = await store.incarnation();
        expect(known).toEqual({ incarnation, sequence: 7 });
        await store.published([], { incarnation, sequence: 12 });
        const adopted = await store.adoptIncarnation({ ...stream, lastSequence: 8, given: known!.sequence });
        expect(adopted).toEqual({ incarnation, isNew: false });
      });

      it('R3 R15 another one changes nothing in the outbox', async () => {
        const store = fresh();
        await store.adoptIncarnation(stream);
        const { outbox } = await store.append([update('acme/canvas/a', '1'), update('acme/canvas/a', '2')]);
        await store.published([outbox[0]!.seq], into);
        await store.adoptIncarnation({ ...stream, lastSequence: 1 });
        expect(await store.unpublished(everything)).toEqual([outbox[1]]);
      });
    });

    logContract(fresh);
    viewContract(fresh);
    changesContract(fresh);
    countsContract(fresh);
    decisionContract(fresh);
    dueContract(fresh);
    strongContract(fresh);

    describe('roles', () => {
      it('are held by one at a time and free afterwards', async () => {
        const store = fresh();
        const never = new AbortController().signal;
        const inside = Promise.withResolvers<void>();
        const leave = Promise.withResolvers<void>();
        const ran: string[] = [];
        const first = store.lead(
          'receiver',
          async () => {
            ran.push('first');
            inside.resolve();
            await leave.promise;
          },
          never,
        );
        await inside.promise;
        await store.lead('receiver', async () => void ran.push('second'), never);
        await store.lead('sweeper', async () => void ran.push('another role'), never);
        leave.resolve();
        await first;
        await store.lead('receiver', async () => void ran.push('third'), never);
        expect(ran).toEqual(['first', 'another role', 'third']);
      });

      it('are the same role in another zone only by name', async () => {
        const [one, other] = [fresh(), fresh()];
        const never = new AbortController().signal;
        let ran = false;
        await one.lead(
          'receiver',
          () =>
            other.lead(
              'receiver',
              async () => {
                ran = true;
              },
              never,
            ),
          never,
        );
        expect(ran).toBe(true);
      });

      it('pass the outer signal on, and the failure of the work', async () => {
        const store = fresh();
        const stop = new AbortController();
        const failed = store.lead(
          'receiver',
          async (signal) => {
            stop.abort();
            expect(signal.aborted).toBe(true);
            throw new Error('work failed');
          },
          stop.signal,
        );
        await expect(failed).rejects.toThrow('work failed');
        let ran = false;
        await store.lead(
          'receiver',
          async () => {
            ran = true;
          },
          new AbortController().signal,
        );
        expect(ran).toBe(true);
      });
    });

    it('R15 names its database, always the same way', async () => {
      const store = fresh();
      expect(await store.identity()).toBe(await store.identity());
      expect(await store.identity()).not.toBe('');
    });
  });
}
