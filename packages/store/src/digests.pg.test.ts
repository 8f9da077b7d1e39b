import { startTestPostgres, type TestPostgres } from '@causeway/local';
import type { Row, Store } from '@causeway/replica';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgres, type Database } from './open-postgres.ts';

let server: TestPostgres;
let database: Database;
let store: Store;
let scopes = 0;
beforeAll(async () => {
  server = await startTestPostgres();
  database = await openPostgres(await server.createDatabase(), { region: 'us-east' });
  store = database.zone('global');
}, 60_000);
afterAll(async () => {
  await database.close();
  await server.stop();
}, 30_000);

async function writeScopes(count: number): Promise<void> {
  const rows = Array.from({ length: count }, (): Row => {
    const scope = `acme/message/general/${String(++scopes).padStart(22, '0')}`;
    return { entry: { kind: 'cells', scope, cells: [{ key: 'heart|ada', v: '1', value: true }] } };
  });
  await store.append(rows);
}

async function digestSome(): Promise<void> {
  const stale = await store.stale(100);
  await store.setDigests(stale.map(({ name, changes }) => ({ name, changes, digest: 1n })));
}

it('R15 digests are recorded in time, also by a session that planned it while the table was small', async () => {
  // After five times Postgres keeps a plan, and nothing has counted the rows of a new region yet.
  for (let time = 0; time < 8; time++) {
    await writeScopes(20);
    await digestSome();
  }
  await writeScopes(1_500);
  // A statement that takes longer than 4 s is given up.
  for (let time = 0; time < 15; time++) await digestSome();
  expect(await store.stale(1)).toEqual([]);
});
