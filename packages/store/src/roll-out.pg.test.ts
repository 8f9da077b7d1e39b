/* A process of the version before that goes on writing after the tables were migrated. */
import { startTestPostgres, type TestPostgres } from '@causeway/local';
import { bucketOf, type Store } from '@causeway/replica';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { passed } from './contract-log.ts';
import { messageRow } from './contract-rows.ts';
import { STEPS } from './migrations.ts';
import { openPostgres, type Database } from './open-postgres.ts';

let server: TestPostgres;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await startTestPostgres();
}, 60_000);
afterAll(() => server.stop(), 30_000);
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** What the release of step 1 wrote for one update, or one changed cell, of this region. */
const UPDATE = `
  with logged as (
    insert into causeway.log (zone, name, id, bytes, member, own)
    values ('global', $1, nextval('causeway.seq'), $2, null, true) returning zone, name, id
  )
  insert into causeway.outbox (zone, seq, name, log_id, cells) select zone, id, name, id, null from logged`;
const CELL = `
  with enqueued as (
    insert into causeway.outbox (zone, seq, name, log_id, cells)
    values ('global', nextval('causeway.seq'), $1, null, $4)
  )
  insert into causeway.cells as held (zone, scope, key, v, value, own)
  values ('global', $1, 'k', $2, $3, true)
  on conflict (zone, scope, key) do update set v = excluded.v, value = excluded.value, own = excluded.own
    where (excluded.v, excluded.value) > (held.v, held.value)`;

/** A process of the release of step 1. */
function before(sql: postgres.Sql) {
  return {
    write: (name: string, bytes: string) => sql.unsafe(UPDATE, [name, Buffer.from(bytes)]),
    set: (scope: string, v: string) =>
      sql.unsafe(CELL, [scope, v, v, JSON.stringify([{ key: 'k', v, value: Number(v) }])]),
  };
}

/** A database of step 1 with rows, its process of then, and one of this version. */
async function beside() {
  const url = await server.createDatabase();
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  cleanups.push(() => sql.end({ timeout: 0 }));
  await sql.unsafe('create schema causeway');
  await sql.unsafe(
    'create table causeway.migrations (step int primary key, at timestamptz not null default now())',
  );
  await sql.unsafe(STEPS[0]!);
  await sql.unsafe('insert into causeway.migrations (step) values (1)');
  const old = before(sql);
  await old.write(DOCUMENT, 'one');
  await old.set(SCOPE, '1');
  const database: Database = await openPostgres(url, { region: 'us-east' });
  cleanups.push(() => database.close());
  return { old, sql, store: database.zone('global') };
}

const DOCUMENT = 'acme/canvas/a';
const SCOPE = 'acme/channel/general';
const BOTH = [DOCUMENT, SCOPE];

/** All digests up to date, each of them 5. */
async function digested(store: Store): Promise<void> {
  const stale = await store.stale(100);
  await store.setDigests(stale.map(({ name, changes }) => ({ name, changes, digest: 5n })));
  expect(await store.stale(100)).toEqual([]);
}

const inBucket = async (store: Store, name: string) =>
  (await store.names([bucketOf(name)], '', 100)).find((found) => found.name === name);

/** Names of all that the tail lists above a commit. */
async function tailOf(store: Store, after: number): Promise<string[]> {
  const { rows, cells } = await store.tail(after, 1_000);
  return [...rows.map(({ name }) => name), ...cells.map(({ scope }) => scope)].sort();
}

describe('a process of the version before, beside one of this version', () => {
  it('R2 R15 the tail meets whatever it writes', async () => {
    const { old, store } = await beside();
    const after = await store.horizon();
    await old.write(DOCUMENT, 'two');
    await old.write('acme/canvas/new', 'one');
    await old.set(SCOPE, '2');
    await old.set('acme/channel/new', '1');
    const names = ['acme/canvas/new', 'acme/channel/new', ...BOTH].sort();
    await passed(store, await store.lastCommit(names));
    expect(await tailOf(store, after)).toEqual(names);
    expect((await store.unpublished({ olderThanMs: 0, limit: 100 })).length).toBe(6);
    expect(await store.outboxSize()).toMatchObject({ rows: 6 });
  });

  it('R1 R15 whatever it writes makes its name stale, new names too, so that peers compare it', async () => {
    const { old, store } = await beside();
    await digested(store);
    await old.write(DOCUMENT, 'two');
    await old.set(SCOPE, '2');
    await old.write('acme/canvas/new', 'one');
    await old.set('acme/channel/new', '1');
    const names = ['acme/canvas/new', 'acme/channel/new', ...BOTH].sort();
    expect((await store.stale(100)).map(({ name }) => name).sort()).toEqual(names);
    for (const name of names) expect(await inBucket(store, name)).toEqual({ name });
    expect((await store.stale(100)).find(({ name }) => name === DOCUMENT)).toMatchObject({
      rows: 2,
      bytes: 6,
    });
    // A cell that loses changes nothing.
    await digested(store);
    await old.set(SCOPE, '1');
    expect(await store.stale(100)).toEqual([]);
  });

  it('R2 R3 what it writes while a document is compacted is kept, and its digest is not believed', async () => {
    const { old, store } = await beside();
    const { rebuildTo } = await store.viewState();
    await passed(store, rebuildTo);
    await store.project({ from: 0, to: rebuildTo, messages: [], gone: [], awaiting: [] });
    const waiting = await store.unpublished({ olderThanMs: 0, limit: 100 });
    await store.adoptIncarnation({ stream: 's', lastSequence: 0, given: 0 });
    const { incarnation } = (await store.incarnation())!;
    await store.published(
      waiting.map(({ seq }) => seq),
      { incarnation, sequence: 2 },
    );
    const { changes, rows } = (await store.loadState(DOCUMENT))!;
    await old.write(DOCUMENT, 'two');
    const snapshot = new TextEncoder().encode('snapshot');
    expect(
      await store.compact({ name: DOCUMENT, changes, rows: rows.map(({ id }) => id), snapshot, digest: 7n }),
    ).toBe(true);
    const texts = (await store.loadDocument(DOCUMENT)).map((bytes) => Buffer.from(bytes).toString());
    expect(texts.sort()).toEqual(['snapshot', 'two']);
    expect(await inBucket(store, DOCUMENT)).toEqual({ name: DOCUMENT });
  });

  it('R9 messages that it projects lack what this version keeps: a rebuild brings it', async () => {
    const { store, sql } = await beside();
    const keep = (id: string, text: string) =>
      sql.unsafe(
        `insert into causeway.messages as held (zone, channel, id, t, thread, message, build)
         select 'global', $1, $2, '1', null, $3, build from causeway.views
         on conflict (zone, channel, id) do update set message = excluded.message, build = excluded.build`,
        [SCOPE, id, text],
      );
    const rebuilt = async (from: number): Promise<number> => {
      const { position, rebuildTo } = await store.viewState();
      expect(position).toBe(0);
      const to = Math.max(from, rebuildTo);
      const messages = ['a', 'b'].map((id) => messageRow(id, '1', { channel: SCOPE }));
      expect(await store.project({ from: 0, to, messages, gone: [], awaiting: [] })).toBe(true);
      return to;
    };
    const counted = async () =>
      (await store.countables([{ channel: SCOPE, from: 1 }], 9)).map(({ id }) => id);
    const to = await rebuilt(0);
    await store.mendViews();
    expect((await store.viewState()).position).toBe(to);
    // A new message, and one that this version wrote before.
    for (const id of ['c', 'a']) {
      await keep(id, JSON.stringify(messageRow(id, '1').message));
      expect(await counted()).not.toContain(id);
      await store.mendViews();
      await rebuilt(to);
      expect(await counted()).toEqual(['b', 'a']);
    }
  });
});
