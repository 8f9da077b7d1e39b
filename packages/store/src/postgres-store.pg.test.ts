/* The contract over a real Postgres, and what only a real one can do: faults, slow transactions, older tables, roles. One server for all. */
import { startTestPostgres, type TestPostgres } from '@causeway/local';
import { bucketOf, Doubtful, Refused, Unavailable, type Row } from '@causeway/replica';
import { connect, createServer, type Socket } from 'node:net';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { passed } from './contract-log.ts';
import { into } from './contract-rows.ts';
import { storeContract } from './contract.ts';
import { UnfitDatabase } from './faults.ts';
import { STEPS } from './migrations.ts';
import { openPostgres, type Database, type PostgresOptions } from './open-postgres.ts';

let server: TestPostgres;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await startTestPostgres();
}, 60_000);
afterAll(() => server.stop(), 30_000);
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const NAME = 'acme/canvas/a';
const update = (content: string, name = NAME): Row => ({
  entry: { kind: 'update', name, bytes: new TextEncoder().encode(content) },
});
const cell = (key: string): Row => ({
  entry: { kind: 'cells', scope: 'acme/member/ada', cells: [{ key, v: '1', value: 1 }] },
});

async function open(url: string, options: Partial<PostgresOptions> = {}): Promise<Database> {
  const database = await openPostgres(url, { region: 'us-east', ...options });
  cleanups.push(() => database.close());
  return database;
}

/** A session beside the store, to disturb it. */
function beside(url: string): postgres.Sql {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  cleanups.push(() => sql.end({ timeout: 0 }));
  return sql;
}

/** A session that holds the log locked until it is told to let go. */
async function lockedLog(url: string): Promise<() => Promise<unknown>> {
  const sql = beside(url);
  await sql.unsafe('begin; lock table causeway.log in access exclusive mode');
  return () => sql.unsafe('rollback');
}

const waitingForLock = async (url: string): Promise<number> => {
  const sql = beside(server.server.url);
  const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
    where wait_event_type = 'Lock' and datname = ${new URL(url).pathname.slice(1)}`;
  return row!['waiting'] as number;
};

/** A transaction on another connection that has its number, and has written a row. */
async function slow(url: string): Promise<() => Promise<unknown>> {
  const sql = beside(url);
  await sql.unsafe(`begin; insert into causeway.log (zone, name, id, bytes, own)
    values ('global', 'acme/canvas/slow', nextval('causeway.seq'), '', true)`);
  return () => sql.unsafe('commit');
}

/** A database whose document is published and viewed, and how to compact what it holds now. */
async function compactable() {
  const url = await server.createDatabase();
  const [one, other] = [(await open(url)).zone('global'), (await open(url)).zone('global')];
  const { outbox, commit } = await one.append([update('1'), update('2')]);
  await one.published(
    outbox.map(({ seq }) => seq),
    into,
  );
  await passed(one, commit);
  await one.viewState();
  await one.project({ from: 0, to: commit, messages: [], gone: [], awaiting: [] });
  const { changes, rows } = (await one.loadState(NAME))!;
  const compaction = {
    name: NAME,
    changes,
    rows: rows.map(({ id }) => id),
    snapshot: Uint8Array.of(9),
    digest: 5n,
  };
  return { url, one, other, compaction };
}

/**
 * A link to Postgres that can be cut, or swallow what Postgres says. Paused, our side looks to
 * Postgres as a stopped process does: it says nothing, and its sockets stay open.
 */
async function link(
  url: string,
): Promise<{ url: string; cut(): void; mute(): void; heal(): void; pause(): void }> {
  const pairs = new Set<[Socket, Socket]>();
  let muted = false;
  let paused = false;
  const proxy = createServer((near) => {
    const far = connect(server.port, '127.0.0.1');
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    near.on('data', (data) => void (paused || far.write(data)));
    far.on('data', (data) => void (muted || near.write(data)));
    for (const end of pair)
      end
        .on('error', () => undefined)
        .on('close', () => {
          if (paused && end === near) return;
          near.destroy();
          far.destroy();
          pairs.delete(pair);
        });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    paused = false;
    for (const pair of pairs) for (const end of pair) end.destroy();
  };
  cleanups.push(async () => {
    cut();
    proxy.close();
  });
  const { port } = proxy.address() as { port: number };
  return {
    url: Object.assign(new URL(url), { port: String(port) }).href,
    cut,
    mute: () => {
      muted = true;
    },
    heal: () => {
      muted = false;
    },
    pause: () => {
      paused = true;
    },
  };
}

storeContract('Postgres', async () => {
  const own = await startTestPostgres();
  const database = await openPostgres(await own.createDatabase(), { region: 'us-east' });
  return {
    zone: (zone) => database.zone(zone),
    close: async () => {
      await database.close();
      await own.stop();
    },
  };
});

describe('opening a database', () => {
  it('R2 refuses fsync = off', async () => {
    const careless = await startTestPostgres({ fsync: 'off' });
    cleanups.push(() => careless.stop());
    const opening = openPostgres(careless.server.url, { region: 'us-east' });
    await expect(opening).rejects.toMatchObject({ name: 'UnfitDatabase', reason: 'fsync' });
  }, 30_000);

  it('R2 refuses synchronous_commit = off of the database or of the role', async () => {
    const url = await server.createDatabase();
    const database = new URL(url).pathname.slice(1);
    const sql = beside(server.server.url);
    const refused = { name: 'UnfitDatabase', reason: 'synchronous_commit' };
    await sql.unsafe(`alter database ${database} set synchronous_commit = off`);
    await expect(openPostgres(url, { region: 'us-east' })).rejects.toMatchObject(refused);
    await sql.unsafe(`alter database ${database} reset synchronous_commit`);
    await sql.unsafe(`alter role causeway in database ${database} set synchronous_commit = off`);
    await expect(openPostgres(url, { region: 'us-east' })).rejects.toMatchObject(refused);
    await sql.unsafe(`alter role causeway in database ${database} reset synchronous_commit`);
    await open(url);
  });

  it('R2 a setting that is turned off later stops the next session', async () => {
    const url = await server.createDatabase();
    const store = (await open(url)).zone('global');
    await beside(server.server.url).unsafe(
      `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off`,
    );
    await expect(store.append([update('x')])).rejects.toBeInstanceOf(UnfitDatabase);
  });

  it('says at once that the password is wrong or the database is missing', async () => {
    const url = Object.assign(new URL(server.server.url), { password: 'wrong' }).href;
    await expect(openPostgres(url, { region: 'us-east' })).rejects.toMatchObject({ reason: 'access' });
    const missing = Object.assign(new URL(server.server.url), { pathname: '/none' }).href;
    await expect(openPostgres(missing, { region: 'us-east' })).rejects.toMatchObject({ reason: 'access' });
  });

  it('gives up on a server that is not there', async () => {
    const opening = openPostgres('postgres://x@127.0.0.1:1/x', { region: 'us-east', connectForMs: 50 });
    await expect(opening).rejects.toBeInstanceOf(Unavailable);
  });

  it('migrates once, however many processes open it at once, and leaves newer tables alone', async () => {
    const url = await server.createDatabase();
    const databases = await Promise.all([open(url), open(url), open(url)]);
    const sql = beside(url);
    await sql.unsafe('insert into causeway.migrations (step) values (1000)');
    databases.push(await open(url));
    const identities = await Promise.all(databases.map((database) => database.zone('global').identity()));
    expect(new Set(identities).size).toBe(1);
  });

  it('R15 a database made anew on the same server has another identity', async () => {
    const [one, other] = [
      await open(await server.createDatabase()),
      await open(await server.createDatabase()),
    ];
    expect(await one.zone('global').identity()).not.toBe(await other.zone('global').identity());
  });
});

describe('faults', () => {
  it('R3 what was acknowledged is there after kill -9', async () => {
    const own = await startTestPostgres();
    cleanups.push(() => own.stop());
    const url = await own.createDatabase();
    const database = await open(url);
    const store = database.zone('global');
    const { outbox } = await store.append([update('kept'), cell('k')]);
    await own.server.kill();
    expect(await database.healthy()).toBe(false);
    await expect(store.append([update('lost')])).rejects.toSatisfy(
      (error) => error instanceof Unavailable || error instanceof Doubtful,
    );
    await own.restart();
    await vi.waitFor(async () => expect(await database.healthy()).toBe(true), 10_000);
    expect(await store.loadDocument(NAME)).toEqual([new TextEncoder().encode('kept')]);
    expect(await store.unpublished({ olderThanMs: 0, limit: 10 })).toEqual(outbox);
    await store.append([update('again')]);
    expect(await store.loadDocument(NAME)).toHaveLength(2);
  }, 60_000);

  it('R2 a connection cut while a commit is under way is Doubtful, and its lane is replaced', async () => {
    const url = await server.createDatabase();
    const cable = await link(url);
    const store = (await open(cable.url)).zone('global');
    await store.append([update('before')]);
    const unlock = await lockedLog(url);
    const appends = Promise.allSettled([store.append([update('a')]), store.append([update('b')])]);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(2));
    cable.cut();
    for (const outcome of await appends)
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(Doubtful) });
    await unlock();
    await Promise.all([store.append([update('c')]), store.append([update('d')])]);
  });

  it('R2 an answer that does not come in time is Doubtful, and the commit may have happened', async () => {
    const url = await server.createDatabase();
    const cable = await link(url);
    const store = (await open(cable.url, { answerTimeoutMs: 400 })).zone('global');
    await store.append([update('before')]);
    cable.mute();
    await expect(store.append([update('doubtful')])).rejects.toBeInstanceOf(Doubtful);
    cable.heal();
    await vi.waitFor(async () => expect(await store.loadDocument(NAME)).toHaveLength(2));
    await store.append([update('after')]);
  });

  it('R2 a session that the operator ends during a commit is Doubtful', async () => {
    const url = await server.createDatabase();
    const store = (await open(url)).zone('global');
    const unlock = await lockedLog(url);
    const append = store.append([update('x')]);
    const outcome = expect(append).rejects.toBeInstanceOf(Doubtful);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(1));
    await beside(url).unsafe(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name like '%append' and datname = current_database()`,
    );
    await outcome;
    await unlock();
    await store.append([update('y')]);
  });

  it('a lock that is not to be had is Unavailable: certainly rolled back', async () => {
    const url = await server.createDatabase();
    const store = (await open(url, { answerTimeoutMs: 500 })).zone('global');
    const unlock = await lockedLog(url);
    const append = store.append([update('x')]);
    await expect(append).rejects.toBeInstanceOf(Unavailable);
    await unlock();
    expect(await store.loadDocument(NAME)).toEqual([]);
  });

  it('a store without a server is Unavailable: never sent', async () => {
    const url = await server.createDatabase();
    const cable = await link(url);
    const store = (await open(cable.url)).zone('global');
    const fresh = (await open(Object.assign(new URL(url)).href)).zone('global');
    await fresh.close();
    await expect(fresh.append([update('x')])).rejects.toBeInstanceOf(Unavailable);
    expect(await store.loadDocument(NAME)).toEqual([]);
  });

  it('R3 a key that no index can hold refuses the whole batch, and the words of Postgres stay out', async () => {
    const store = (await open(await server.createDatabase())).zone('global');
    const noise = Array.from({ length: 4_000 }, () => Math.random().toString(36).slice(2)).join('');
    const refused = await store
      .append([update('x'), cell(noise), cell('k')])
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect(String(refused)).toBe('Refused: Postgres refuses the data (54000 index_form_tuple_context)');
    expect(await store.loadDocument(NAME)).toEqual([]);
    expect(await store.loadCells(['acme/member/ada'])).toEqual([]);
    const nul = store.append([update('x'), cell('a NUL: \0')]);
    await expect(nul).rejects.toThrow('22021');
    await store.append([update('x'), cell('k')]);
  });
});

describe('two lanes at once', () => {
  /** A message in two segments; the first append waits for a cell while it holds the message. */
  it.each([
    ['a second copy', { posts: [{ id: 'm', t: '2' }], edits: [], deletes: [] }],
    ['an edit elsewhere', { posts: [], edits: ['m'], deletes: [] }],
    ['a deletion elsewhere', { posts: [], edits: [], deletes: ['m'] }],
  ])('R1 the later commit notices what the earlier one did: %s', async (_, second) => {
    const url = await server.createDatabase();
    const store = (await open(url)).zone('global');
    await store.append([cell('k')]);
    const holder = beside(url);
    await holder.unsafe(`begin; select from causeway.cells where key = 'k' for update`);
    const common = { channel: 'acme/channel/general', operations: 1 };
    const earlier = store.append([
      {
        ...update('1', 'acme/segment/general/1'),
        index: { ...common, segment: 1, posts: [{ id: 'm', t: '1' }], edits: [], deletes: [] },
      },
      cell('k'),
    ]);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(1));
    const later = store.append([
      { ...update('2', 'acme/segment/general/2'), index: { ...common, segment: 2, ...second } },
    ]);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(2));
    await holder.unsafe('rollback');
    expect((await earlier).untidy).toEqual([]);
    expect((await later).untidy).toMatchObject([{ id: 'm' }]);
  });

  it('R2 two batches over the same document and cell wait for each other, whatever else they hold', async () => {
    const url = await server.createDatabase();
    const store = (await open(url)).zone('global');
    const first: Row = {
      entry: { kind: 'cells', scope: 'aaa/member/bob', cells: [{ key: 'k', v: '1', value: 1 }] },
    };
    await store.append([first, update('1'), cell('k')]);
    const holder = beside(url);
    await holder.unsafe(`begin; select from causeway.states where name = 'aaa/member/bob' for update`);
    const again: Row = {
      entry: { kind: 'cells', scope: 'aaa/member/bob', cells: [{ key: 'k', v: '2', value: 2 }] },
    };
    const one = store.append([again, update('2'), cell('k')]);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(1));
    const other = store.append([update('3'), cell('k')]);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(2));
    await holder.unsafe('rollback');
    await Promise.all([one, other]);
    expect(await store.loadDocument(NAME)).toHaveLength(3);
  });
});

describe('an append', () => {
  it('R10 does not count what is parked: a full table of it costs no commit anything', async () => {
    const url = await server.createDatabase();
    const store = (await open(url)).zone('global');
    const sql = beside(url);
    type Reads = { parked: number; logged: number };
    const reads = async (): Promise<Reads> => {
      const [row] = await sql`select
        (select seq_scan + idx_scan from pg_stat_user_tables where relname = 'parked')::int as parked,
        (select n_tup_ins from pg_stat_user_tables where relname = 'log')::int as logged`;
      return row as unknown as Reads;
    };
    const { parked } = await reads();
    // Postgres counts about once a second, at the end of a transaction.
    const counted = (write: () => Promise<unknown>, seen: (now: Reads) => boolean): Promise<void> =>
      vi.waitFor(
        async () => {
          await write();
          expect(await reads()).toSatisfy(seen);
        },
        { timeout: 10_000, interval: 100 },
      );
    await counted(
      () => store.append([update('1')]),
      ({ logged }) => logged > 0,
    );
    expect((await reads()).parked).toBe(parked);
    const message = { name: NAME, version: 9, bytes: Uint8Array.of(1) };
    await counted(
      () => store.apply({ peer: 'p', rows: [], own: [], parked: [message] }),
      (now) => now.parked > parked,
    );
  }, 30_000);
});

describe('the horizon', () => {
  it('R2 stays below a slow transaction, whose row is then met by whoever goes on at `to`', async () => {
    const url = await server.createDatabase();
    const store = (await open(url)).zone('global');
    const first = await store.append([update('1')]);
    await passed(store, first.commit);
    const commit = await slow(url);
    const { commit: later } = await store.append([update('2'), cell('k')]);
    expect(await store.horizon()).toBeLessThan(later);
    const before = await store.tail(0, 100);
    expect(before.rows.map(({ name }) => name)).toEqual([NAME]);
    expect(before.cells).toEqual([]);
    expect(before.to).toBeLessThan(later);
    await commit();
    await passed(store, later);
    const after = await store.tail(before.to, 100);
    expect(after.rows.map(({ name }) => name)).toEqual(['acme/canvas/slow', NAME]);
    expect(after.cells).toHaveLength(1);
  });

  it('R2 followers that read while six connections write meet every row once', async () => {
    const url = await server.createDatabase();
    const stores = [await open(url), await open(url), await open(url)].map((database) =>
      database.zone('global'),
    );
    const writing = Promise.all(
      stores.flatMap((store, at) =>
        Array.from({ length: 2 }, async (_, lane) => {
          for (let n = 0; n < 40; n++)
            await store.append([update('x', `acme/canvas/${at}-${lane}-${n}`), cell(`${at}-${lane}-${n}`)]);
        }),
      ),
    );
    let done = false;
    const follow = async (store: (typeof stores)[number], limit: number): Promise<string[]> => {
      const met: string[] = [];
      for (let at = 0; ;) {
        const isLast = done;
        const tail = await store.tail(at, limit);
        met.push(...tail.rows.map(({ name }) => name), ...tail.cells.map(({ key }) => key));
        if (isLast && tail.to === at && tail.rows.length === 0) return met;
        at = tail.to;
      }
    };
    const following = Promise.all([follow(stores[0]!, 3), follow(stores[1]!, 1_000)]);
    const last = writing.then(async () => {
      const { commit } = await stores[0]!.append([update('last', 'acme/canvas/last')]);
      await passed(stores[0]!, commit);
      done = true;
    });
    await last;
    for (const met of await following) {
      expect(met).toHaveLength(6 * 40 * 2 + 1);
      expect(new Set(met).size).toBe(met.length);
    }
  });

  it('R2 a rebuild that begins beside a slow transaction reads the snapshots above the horizon too', async () => {
    const url = await server.createDatabase();
    const store = (await open(url)).zone('global');
    const { outbox, commit: written } = await store.append([update('1')]);
    await store.published([outbox[0]!.seq], into);
    await passed(store, written);
    await store.viewState();
    await store.project({ from: 0, to: written, messages: [], gone: [], awaiting: [] });
    const commit = await slow(url);
    const rows = (await store.loadState(NAME))!.rows.map(({ id }) => id);
    expect(
      await store.compact({ name: NAME, changes: 1, rows, snapshot: Uint8Array.of(1), digest: 1n }),
    ).toBe(true);
    await store.rebuildViews();
    const { rebuildTo } = await store.viewState();
    expect(await store.horizon()).toBeLessThan(rebuildTo);
    await commit();
    await passed(store, rebuildTo);
    const above = await store.tail(rebuildTo, 100);
    expect(above.rows.filter(({ snapshot }) => snapshot)).toEqual([]);
    expect((await store.tail(0, 100)).rows.filter(({ snapshot }) => snapshot)).toHaveLength(1);
  });
});

describe('compaction beside others', () => {
  it('R2 an append that commits while a compaction waits for it keeps its row and the state stale', async () => {
    const { url, one, other, compaction } = await compactable();
    await other.append([cell('k')]);
    const holder = beside(url);
    await holder.unsafe(`begin; select from causeway.states where name = '${NAME}' for update`);
    const append = other.append([update('3')]);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(1));
    const compacting = one.compact(compaction);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(2));
    await holder.unsafe('rollback');
    await append;
    expect(await compacting).toBe(true);
    const rows = (await one.loadDocument(NAME)).map((bytes) => bytes.join());
    expect(rows.toSorted()).toEqual([new TextEncoder().encode('3').join(), '9'].toSorted());
    expect(await one.stale(10)).toMatchObject([{ name: NAME, changes: 2, rows: 2, bytes: 2 }, {}]);
  });

  it('R2 of two compactors that meet at the same rows the second one finds them gone', async () => {
    const { url, one, other, compaction } = await compactable();
    const holder = beside(url);
    await holder.unsafe(`begin; select from causeway.log where name = '${NAME}' for update`);
    const both = [one, other].map((store) => store.compact(compaction));
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(2));
    await holder.unsafe('rollback');
    expect((await Promise.all(both)).toSorted()).toEqual([false, true]);
    expect(await one.loadDocument(NAME)).toEqual([compaction.snapshot]);
  });

  it('R2 a rebuild waits for a compaction under way, and then reads its snapshot', async () => {
    const { url, one, other, compaction } = await compactable();
    const holder = beside(url);
    await holder.unsafe(`begin; select from causeway.log where name = '${NAME}' for update`);
    const compacting = one.compact(compaction);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(1));
    const rebuilding = other.rebuildViews();
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(2));
    await holder.unsafe('rollback');
    expect(await compacting).toBe(true);
    await rebuilding;
    const { rebuildTo } = await one.viewState();
    await passed(one, rebuildTo);
    expect((await one.tail(rebuildTo, 10)).rows).toEqual([]);
    expect((await one.tail(0, 10)).rows).toMatchObject([{ snapshot: true }]);
  });

  it('R2 a compaction that comes after a rebuild began leaves the rows to it', async () => {
    const { url, one, other, compaction } = await compactable();
    const holder = beside(url);
    await holder.unsafe(`begin; update causeway.views set position = '0', build = 2`);
    const compacting = one.compact(compaction);
    await vi.waitFor(async () => expect(await waitingForLock(url)).toBe(1));
    await holder.unsafe('commit');
    expect(await compacting).toBe(false);
    expect(await other.loadDocument(NAME)).toHaveLength(2);
  });
});

describe('tables of the version before', () => {
  it('R2 what is there is found in the tail, in states and buckets as if it were written now', async () => {
    const url = await server.createDatabase();
    const sql = beside(url);
    await sql.unsafe('create schema causeway');
    await sql.unsafe(
      'create table causeway.migrations (step int primary key, at timestamptz not null default now())',
    );
    await sql.unsafe(STEPS[0]!);
    await sql.unsafe('insert into causeway.migrations (step) values (1)');
    const names = Array.from({ length: 300 }, (_, n) => `acme/canvas/${'x'.repeat(n % 7)}${n}`);
    for (const name of names)
      await sql`insert into causeway.log (zone, name, id, bytes, own)
        values ('global', ${name}, nextval('causeway.seq'), '\\x0102', true), ('global', ${name}, nextval('causeway.seq'), '', false)`;
    await sql`insert into causeway.outbox (zone, seq, name, log_id)
      select zone, nextval('causeway.seq'), name, id from causeway.log where id = 1`;
    await sql`insert into causeway.cells (zone, scope, key, v, value, own) values ('global', 'acme/member/ada', 'k', '1', '1', true)`;
    const store = (await open(url)).zone('global');
    const states = await store.stale(1_000);
    expect(states).toHaveLength(301);
    expect(states.at(-1)).toMatchObject({ name: 'acme/member/ada', changes: 1, rows: 0, bytes: 0 });
    expect(states[0]).toMatchObject({ changes: 1, rows: 2, bytes: 2 });
    for (const { name } of states)
      expect(await store.names([bucketOf(name)], '', 1_000)).toContainEqual({ name });
    const met: number[] = [];
    let portions = 0;
    const { rebuildTo } = await store.viewState();
    await passed(store, rebuildTo);
    for (let at = 0; at < rebuildTo; portions++) {
      const tail = await store.tail(at, 100);
      met.push(...tail.rows.map(({ id }) => id));
      at = tail.to;
    }
    expect(met).toEqual(Array.from({ length: 600 }, (_, n) => n + 1));
    expect(portions).toBeGreaterThan(4);
    expect(await store.outboxSize()).toMatchObject({ rows: 1, bytes: 2 });
    expect((await store.loadState(names[0]!))!.rows.map(({ held }) => held)).toEqual([true, false]);
    await store.project({ from: 0, to: rebuildTo, messages: [], gone: [], awaiting: [] });
    const compaction = { name: names[0]!, changes: 1, rows: [1, 2], snapshot: Uint8Array.of(1), digest: 1n };
    expect(await store.compact(compaction)).toBe(false);
  });
});

describe('roles', () => {
  it('move to a second database handle when the first one closes', async () => {
    const url = await server.createDatabase();
    const [first, second] = [await open(url), await open(url)];
    const never = new AbortController().signal;
    const inside = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<void>();
    const leading = first.zone('global').lead(
      'receiver',
      async (signal) => {
        signal.addEventListener('abort', () => lost.resolve());
        inside.resolve();
        await lost.promise;
      },
      never,
    );
    await inside.promise;
    let moved = false;
    const take = (): Promise<void> =>
      second.zone('global').lead(
        'receiver',
        async () => {
          moved = true;
        },
        never,
      );
    await take();
    expect(moved).toBe(false);
    await first.close();
    await leading;
    await vi.waitFor(async () => {
      await take();
      expect(moved).toBe(true);
    }, 5_000);
  });

  it.each(['cut', 'mute'] as const)(
    'are lost when their connection is: %s',
    async (fault) => {
      const url = await server.createDatabase();
      const cable = await link(url);
      const store = (await open(cable.url)).zone('global');
      await store.lead(
        'receiver',
        async (signal) => {
          const lost = new Promise((resolve) => signal.addEventListener('abort', resolve));
          cable[fault]();
          await lost;
        },
        new AbortController().signal,
      );
    },
    20_000,
  );

  it('R9 are freed by Postgres when their holder is paused and its connection stays open', async () => {
    const url = await server.createDatabase();
    const cable = await link(url);
    const [paused, other] = [(await open(cable.url)).zone('global'), (await open(url)).zone('global')];
    const never = new AbortController().signal;
    const leading = paused.lead(
      'receiver',
      async (signal) => {
        cable.pause();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
      never,
    );
    let moved = false;
    await vi.waitFor(
      async () => {
        await other.lead('receiver', async () => void (moved = true), never);
        expect(moved).toBe(true);
      },
      { timeout: 15_000, interval: 200 },
    );
    await leading;
  }, 30_000);
});
