import { startTestPostgres, type TestPostgres } from '@causeway/local';
import type { MessageRow } from '@causeway/replica';
import { createHash } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgres } from './open-postgres.ts';

let server: TestPostgres;
let url: string;
beforeAll(async () => {
  server = await startTestPostgres();
  url = await server.createDatabase();
}, 60_000);
afterAll(() => server.stop(), 30_000);

const CHANNEL = 'acme/channel/general';
/** So many that the index by time is a level higher than the one by id, which then looks cheaper. */
const MESSAGES = 8_000;

/** As long as real ones. */
const timeOf = (n: number): string => `${n}`.padStart(11, '0').padEnd(20, '.00000000');

const message = (n: number): MessageRow => ({
  channel: CHANNEL,
  message: {
    id: createHash('sha256').update(`${n}`).digest('base64url').slice(0, 22),
    t: timeOf(n),
    author: 'ada',
    body: 'hello',
    at: n,
    region: 'us',
    ...(n % 10 === 0 ? { thread: '0'.repeat(22) } : {}),
  },
  copies: [{ segment: Math.ceil((n + 1) / 500), client: 1, clock: n }],
  mentions: { members: [], channel: false, here: false },
});

it('R10 a page reads what it shows, in a table that has grown and has no statistics yet', async () => {
  const admin = postgres(url, { max: 1, onnotice: () => undefined });
  const filling = await openPostgres(url, { region: 'us' });
  await admin`alter table causeway.messages set (autovacuum_enabled = false)`;
  const view = filling.zone('global');
  for (let at = 0, { position } = await view.viewState(); at < MESSAGES; at += 500, position++) {
    const messages = Array.from({ length: 500 }, (_, n) => message(at + n));
    await view.project({ from: position, to: position + 1, messages, gone: [], awaiting: [] });
  }
  await filling.close();
  const database = await openPostgres(url, { region: 'us' });
  const store = database.zone('global');
  const before = await read();
  // Postgres keeps a plan after five times.
  for (let time = 0; time < 10; time++) {
    expect(await store.viewMessages(CHANNEL, undefined, 50)).toHaveLength(50);
    const middle = { t: timeOf(MESSAGES / 2), id: '' };
    expect(await store.viewMessages(CHANNEL, middle, 50)).toHaveLength(50);
    expect(await store.viewMessages(CHANNEL, undefined, 50, '0'.repeat(22))).toHaveLength(50);
    expect(await store.countables([{ channel: CHANNEL, from: 16 }], 5_000)).toHaveLength(450);
  }
  await database.close();
  // What a session read is counted when it ends.
  await expect.poll(async () => (await read()) - before, { timeout: 10_000 }).toBeGreaterThan(0);
  expect((await read()) - before).toBeLessThan(10 * 1_000);
  await admin.end();

  /** Rows of the table that were fetched so far. */
  async function read(): Promise<number> {
    const [row] = await admin`
      select idx_tup_fetch + seq_tup_read as fetched from pg_stat_all_tables
      where relid = 'causeway.messages'::regclass`;
    return Number(row!['fetched']);
  }
});
