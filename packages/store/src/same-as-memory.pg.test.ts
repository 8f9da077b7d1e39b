import { startTestPostgres, type TestPostgres } from '@causeway/local';
import { mentionsIn } from '@causeway/protocol';
import { bucketOf, type Row, type Store } from '@causeway/replica';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { passed, viewed } from './contract-log.ts';
import { MemoryStore } from './memory-store.ts';
import { openPostgres, type Database } from './open-postgres.ts';

/**
 * Simulations run on MemoryStore and servers on PostgresStore: whatever comes, both must answer
 * the same. Numbers of rows and marks are compared by order only.
 */
let server: TestPostgres;
let database: Database;
beforeAll(async () => {
  server = await startTestPostgres();
  database = await openPostgres(await server.createDatabase(), { region: 'us-east' });
}, 60_000);
afterAll(async () => {
  await database.close();
  await server.stop();
}, 30_000);

const CHANNELS = ['acme/channel/a', 'acme/channel/b'];
const IDS = ['m1', 'm2', 'm3', '\u{1F600}', '\uFF5E'];
const DOCUMENTS = CHANNELS.flatMap((channel) => [1, 2, 3].map((segment) => `${channel}/${segment}`));
const TIMES = fc.constantFrom('1', '2', 'z', '\u{1F600}', '\uFF5E');
const digestOf = (name: string): bigint => BigInt.asUintN(64, -(BigInt(bucketOf(name)) ** 5n));
const SCOPES = ['acme/member/ada', 'acme/member/\u00e9'];
const PEERS = ['eu-west', 'eu-central'];
const few = <T>(items: T[]) => fc.subarray(items, { maxLength: 2 });

const segmentRow = fc
  .record({
    channel: fc.constantFrom(...CHANNELS),
    segment: fc.integer({ min: 1, max: 3 }),
    posts: few(IDS),
    edits: few(IDS),
    deletes: few(IDS),
    t: fc.constantFrom('1', '2', 'z', '\u{1F600}', '\uFF5E'),
    bytes: fc.uint8Array({ maxLength: 20 }),
    member: fc.option(fc.constantFrom('ada', 'quote " back \\ comma , {}'), { nil: undefined }),
  })
  .map(({ channel, segment, posts, edits, deletes, t, bytes, member }): Row => ({
    entry: {
      kind: 'update',
      name: `${channel}/${segment}`,
      bytes,
      ...(member === undefined ? {} : { member }),
    },
    index: {
      channel,
      segment,
      posts: posts.map((id) => ({ id, t })),
      edits,
      deletes,
      operations: bytes.length,
    },
  }));

const cellsRow = fc
  .record({
    scope: fc.constantFrom(...SCOPES),
    cells: fc.array(
      fc.record({
        key: fc.constantFrom('a', 'NULL', '"\\', '', '\u{1F600}', '\uFF5E'),
        v: fc.constantFrom('1', '2', '10', '\u{1F600}', '\uFF5E'),
        value: fc.jsonValue({ maxDepth: 2 }),
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ scope, cells }): Row => ({ entry: { kind: 'cells', scope, cells } }));

const rows = fc.array(fc.oneof(segmentRow, cellsRow), { maxLength: 5 });

type Step = (store: Store) => Promise<unknown>;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: rows.map(
      (batch): Step =>
        (store) =>
          store.append(batch),
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({
        peer: fc.constantFrom(...PEERS),
        sequence: fc.integer({ min: 1, max: 9 }),
        rows,
        own: rows,
        parked: fc.array(
          fc.record({
            name: fc.constantFrom('p', 'q'),
            version: fc.nat({ max: 3 }),
            bytes: fc.uint8Array({ maxLength: 2 }),
          }),
          { maxLength: 2 },
        ),
        moves: fc.boolean(),
      })
      .map(({ sequence, moves, ...batch }): Step => {
        const cursor = { incarnation: 'i', sequence, messageId: `i.${sequence}` };
        return (store) => store.apply({ ...batch, ...(moves ? { cursor } : {}) });
      }),
  },
  fc
    .record({
      stream: fc.constantFrom('one', 'two'),
      lastSequence: fc.nat({ max: 9 }),
      given: fc.nat({ max: 9 }),
    })
    .map((stream): Step => async (store) => {
      const { isNew } = await store.adoptIncarnation(stream);
      return { isNew, sequence: (await store.incarnation())!.sequence };
    }),
  fc
    .record({ count: fc.nat({ max: 5 }), sequence: fc.nat({ max: 12 }) })
    .map(({ count, sequence }): Step => async (store) => {
      const found = await store.unpublished({ olderThanMs: 0, limit: count });
      const { incarnation } = (await store.incarnation()) ?? { incarnation: 'none' };
      await store.published(
        found.map(({ seq }) => seq),
        { incarnation, sequence },
      );
    }),
  fc.nat({ max: 5 }).map(
    (keep): Step =>
      (store) =>
        store.trimOutbox(keep),
  ),
  fc
    .record({ version: fc.integer({ min: 1, max: 3 }), peer: fc.constantFrom(...PEERS) })
    .map(({ version, peer }): Step => async (store) => {
      const unparked = (await store.parked(version, 1)).map(({ id }) => id);
      return store.apply({ peer, rows: [], own: [], parked: [], unparked });
    }),
  {
    weight: 2,
    arbitrary: fc.nat({ max: 2 }).map((skipped): Step => async (store) => {
      const states = (await store.stale(100)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const digests = states
        .slice(skipped)
        .map(({ name, changes }) => ({ name, changes, digest: digestOf(name) }));
      await store.setDigests(digests);
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        name: fc.constantFrom(...DOCUMENTS),
        stray: fc.boolean(),
        skipped: fc.nat({ max: 1 }),
        changes: fc.integer({ min: 1, max: 3 }),
        isViewed: fc.boolean(),
      })
      .map(({ name, stray, skipped, changes, isViewed }): Step => async (store) => {
        await passed(store, await store.lastCommit(DOCUMENTS));
        if (isViewed) await viewed(store);
        const { rows } = (await store.loadState(name)) ?? { rows: [] };
        return store.compact({
          name,
          changes,
          rows: [...rows.slice(skipped).map(({ id }) => id), ...(stray ? [0] : [])],
          snapshot: Uint8Array.of(skipped, changes),
          digest: digestOf(name),
        });
      }),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        isBehind: fc.boolean(),
        messages: fc.array(
          fc.record({
            channel: fc.constantFrom(...CHANNELS),
            id: fc.constantFrom(...IDS),
            t: TIMES,
            author: fc.constantFrom('ada', 'ben'),
            body: fc.constantFrom('', '@ada', '@ben @channel', '@here'),
            segments: fc.constantFrom([1], [2, 3], [3]),
            reply: fc.constantFrom({}, { thread: 'm1' }, { thread: 'm1', also: true as const }),
          }),
          {
            maxLength: 3,
          },
        ),
        gone: fc.array(
          fc
            .record({
              channel: fc.constantFrom(...CHANNELS),
              id: fc.constantFrom(...IDS),
              notYet: fc.boolean(),
            })
            .map(({ notYet, ...place }) => (notYet ? { ...place, notYet } : place)),
          { maxLength: 2 },
        ),
        awaiting: fc.uniqueArray(
          fc.record({ document: fc.constantFrom(...DOCUMENTS), ids: fc.subarray([...IDS]) }),
          { maxLength: 2, selector: ({ document }) => document },
        ),
      })
      .map(({ isBehind, messages, gone, awaiting }): Step => async (store) => {
        const { position } = await store.viewState();
        return store.project({
          from: position - (isBehind ? 1 : 0),
          to: position + 1_000_000,
          messages: messages.map(({ channel, id, t, author, body, segments, reply }) => ({
            channel,
            message: { id, author, body, t, at: 1, region: 'us-east', ...reply, reactions: { x: ['ada'] } },
            mentions: mentionsIn(body),
            copies: segments.map((segment) => ({ segment, client: segment, clock: t.length })),
          })),
          gone,
          awaiting,
        });
      }),
  },
  fc.constant<Step>((store) => store.rebuildViews()),
  fc.nat({ max: 2 }).map((keep): Step => async (store) => {
    await passed(store, (await store.marking()).high);
    return store.forgetGone(keep);
  }),
  fc.constant<Step>((store) => store.awaiting()),
  fc.nat({ max: 3 }).map(
    (count): Step =>
      async (store) =>
        store.tidied(await store.untidy(count)),
  ),
);

/** Everything that a store can be asked, numbers left out. */
async function contents(store: Store): Promise<unknown> {
  await passed(store, await store.lastCommit([...DOCUMENTS, ...SCOPES]));
  const { rows, cells } = await store.tail(0, 1_000);
  const views = CHANNELS.flatMap((channel) => [
    store.viewMessages(channel, undefined, 10),
    store.viewMessages(channel, { t: '2', id: 'm2' }, 2),
    store.viewMessages(channel, undefined, 2, 'm1'),
    store.viewMessage({ channel, id: 'm2' }),
    store.viewThreads(channel, ['m1', 'm2'], 1),
    store.countables([{ channel, from: 2 }], 3),
    store.viewMentions('acme', 'ada', { named: [channel], joined: CHANNELS }, undefined, 3),
    store.viewMentions('acme', 'ben', { named: CHANNELS, joined: [channel] }, { t: '2', id: 'm2' }, 3),
  ]);
  await passed(store, (await store.marking()).high);
  return {
    tail: { rows, cells },
    changes: (await store.changes(['acme'], 0, 1_000)).changes,
    rows: await store.loadRows(rows),
    states: (await store.stale(100))
      .map((state) => ({ ...state, quietMs: 0 }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    buckets: (await store.buckets()).map(({ digest, ...bucket }) => ({ ...bucket, digest: String(digest) })),
    views: await Promise.all(views),
    parkedRows: await store.parked(3, 100),
    outboxSize: { ...(await store.outboxSize()), oldestMs: 0 },
    documents: await Promise.all(DOCUMENTS.map((name) => store.loadDocument(name))),
    cells: await store.loadCells(SCOPES),
    copies: await store.copies(CHANNELS.flatMap((channel) => IDS.map((id) => ({ channel, id })))),
    segments: await Promise.all(CHANNELS.map((channel) => store.segments(channel))),
    cursors: await Promise.all(PEERS.map((peer) => store.cursor(peer))),
    parked: await store.parkedNames(),
    outbox: withoutNumbers(await store.unpublished({ olderThanMs: 0, limit: 1_000 })),
    untidy: withoutNumbers(await store.untidy(1_000)),
  };
}

const NUMBERS = new Set(['seq', 'mark', 'commit', 'id']);

/** Leaves the numbers out; lists keep their order. */
function withoutNumbers(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, field: unknown) =>
      NUMBERS.has(key) && typeof field === 'number' ? 0 : field,
    ),
  );
}

let zones = 0;
it('R1 R3 PostgresStore answers as MemoryStore does, whatever comes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const memory = new MemoryStore({ region: 'us-east', now: () => 0 });
      const real = database.zone(`zone-${++zones}`);
      for (const take of steps)
        expect(withoutNumbers((await take(real)) ?? null)).toEqual(
          withoutNumbers((await take(memory)) ?? null),
        );
      expect(withoutNumbers(await contents(real))).toEqual(withoutNumbers(await contents(memory)));
      await real.close();
    }),
    { numRuns: 60 },
  );
}, 60_000);
