import { startTestPostgres, type TestPostgres } from '@causeway/local';
import { Doubtful, Refused, Unavailable, type Row } from '@causeway/replica';
import { connect, createServer, type Socket } from 'node:net';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { storeContract } from './contract.ts';
import { UnfitDatabase } from './faults.ts';
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

/** A link to Postgres that can be cut, or swallow what Postgres says. */
async function link(url: string): Promise<{ url: string; cut(): void; mute(): void; heal(): void }> {
  const pairs = new Set<[Socket, Socket]>();
  let muted = false;
  const proxy = createServer((near) => {
    const far = connect(server.port, '127.0.0.1');
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => void (muted || near.write(data)));
    for (const end of pair)
      end
        .on('error', () => undefined)
        .on('close', () => {
          near.destroy();
          far.destroy();
          pairs.delete(pair);
        });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
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

  it('R3 an adoption that fails half way leaves the old incarnation and its outbox', async () => {
    const url = await server.createDatabase();
    const store = (await open(url, { answerTimeoutMs: 500 })).zone('global');
    await store.adoptIncarnation('one');
    const { outbox } = await store.append([update('x')]);
    const sql = beside(url);
    await sql.unsafe(
      `create function fail() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
       create trigger fail before insert on causeway.outbox execute function fail()`,
    );
    await expect(store.adoptIncarnation('two')).rejects.toThrow();
    await sql.unsafe('drop trigger fail on causeway.outbox');
    expect(await store.unpublished({ olderThanMs: 0, limit: 10 })).toEqual(outbox);
    expect(await store.adoptIncarnation('two')).toBe(true);
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
});
