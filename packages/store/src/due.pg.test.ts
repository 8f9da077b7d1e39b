import { startTestPostgres, type TestPostgres } from '@causeway/local';
import type { Row, Store } from '@causeway/replica';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgres, type Database } from './open-postgres.ts';

let server: TestPostgres;
let database: Database;
let store: Store;
let url: string;
beforeAll(async () => {
  server = await startTestPostgres();
  url = await server.createDatabase();
  database = await openPostgres(url, { region: 'us' });
  store = database.zone('global');
}, 60_000);
afterAll(async () => {
  await database.close();
  await server.stop();
}, 30_000);

const scheduled = (n: number, value: unknown): Row => ({
  entry: {
    kind: 'cells',
    scope: `acme/member/m${n % 100}`,
    cells: [{ key: `scheduled|${n}`, v: '1', value }],
  },
});

it('R10 what is due is found beside very many that were sent, by its index', async () => {
  const many = Array.from({ length: 20_000 }, (_, n) => scheduled(n, { at: n, sent: true }));
  for (let at = 0; at < many.length; at += 500) await store.append(many.slice(at, at + 500));
  const post = { kind: 'post' };
  await store.append([
    scheduled(20_001, { at: 5, post, region: 'us' }),
    scheduled(20_002, { at: 5, post, region: 'eu' }),
  ]);
  const asked = { region: 'us', own: 10, others: 0, limit: 100 };
  // Postgres keeps a plan after five times.
  for (let time = 0; time < 10; time++)
    expect((await store.due(asked)).map(({ key }) => key)).toEqual(['scheduled|20001']);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const plan = await sql`
      explain select key from causeway.cells where zone = 'global' and key like 'scheduled|%'
        and substring(value from '^\\{"at":([0-9]{1,16}),"post":') is not null
        and substring(value from '^\\{"at":([0-9]{1,16}),"post":')::bigint <= 10`;
    expect(JSON.stringify(plan)).toContain('cells_due');
  } finally {
    await sql.end();
  }
});
