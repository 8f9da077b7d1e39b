import { startTestPostgres, type TestPostgres } from '@causeway/local';
import type { Store } from '@causeway/replica';
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

it('R10 how far logs are is read without reading them, however long they are', async () => {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  /** Rows of changes that were read, and how often somebody began to. */
  const read = async (): Promise<{ rows: number; scans: number }> => {
    const [row] = await sql`
      select seq_tup_read + coalesce(idx_tup_fetch, 0) as rows, seq_scan + coalesce(idx_scan, 0) as scans
      from pg_stat_user_tables where schemaname = 'causeway' and relname = 'changes'`;
    return { rows: Number(row!['rows']), scans: Number(row!['scans']) };
  };
  try {
    await sql`
      insert into causeway.changes (zone, workspace, version, digest, body)
      select 'global', workspace, version, workspace || version, '{}'
      from unnest(array['a', 'b', 'c']) as workspace, generate_series(1, 10000) as version`;
    await sql`analyze causeway.changes`;
    await sql`select pg_stat_force_next_flush()`;
    const before = await read();
    // Postgres keeps a plan after five times.
    for (let time = 0; time < 10; time++)
      expect(await store.strongHeads()).toEqual(
        ['a', 'b', 'c'].map((workspace) => ({ workspace, version: 10_000, digest: `${workspace}10000` })),
      );
    // A session says what it did when it has been idle for a while.
    await expect.poll(async () => (await read()).scans).toBeGreaterThanOrEqual(before.scans + 10);
    expect((await read()).rows - before.rows).toBeLessThan(1_000);
  } finally {
    await sql.end();
  }
}, 60_000);
