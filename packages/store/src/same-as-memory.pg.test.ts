import { startTestPostgres, type TestPostgres } from '@causeway/local';
import type { Row, Store } from '@causeway/replica';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
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
            version: fc.constant(2),
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
  fc.constantFrom('one', 'two').map(
    (name): Step =>
      (store) =>
        store.adoptIncarnation(name),
  ),
  fc.nat({ max: 5 }).map((count): Step => async (store) => {
    const found = await store.unpublished({ olderThanMs: 0, limit: count });
    await store.published(found.map(({ seq }) => seq));
  }),
  fc.nat({ max: 3 }).map(
    (count): Step =>
      async (store) =>
        store.tidied(await store.untidy(count)),
  ),
);

/** Everything that a store can be asked, numbers left out. */
async function contents(store: Store): Promise<unknown> {
  const names = CHANNELS.flatMap((channel) => [1, 2, 3].map((segment) => `${channel}/${segment}`));
  return {
    documents: await Promise.all(names.map((name) => store.loadDocument(name))),
    cells: await store.loadCells(SCOPES),
    copies: await store.copies(CHANNELS.flatMap((channel) => IDS.map((id) => ({ channel, id })))),
    segments: await Promise.all(CHANNELS.map((channel) => store.segments(channel))),
    cursors: await Promise.all(PEERS.map((peer) => store.cursor(peer))),
    parked: await store.parkedNames(),
    outbox: withoutNumbers(await store.unpublished({ olderThanMs: 0, limit: 1_000 })),
    untidy: withoutNumbers(await store.untidy(1_000)),
  };
}

/** Leaves the numbers out; lists keep their order. */
function withoutNumbers(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, field: unknown) => (key === 'seq' || key === 'mark' ? 0 : field)),
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
      expect(await contents(real)).toEqual(await contents(memory));
      await real.close();
    }),
    { numRuns: 60 },
  );
}, 60_000);
