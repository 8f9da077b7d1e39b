import { base64url, channelScope, commandId, type Command } from '@causeway/protocol';
import { Replica, rebuildViews, type Store } from '@causeway/replica';
import { MemoryNetwork } from '@causeway/replication';
import { openPostgres, type Database } from '@causeway/store';
import { startTestPostgres, type TestPostgres } from '@causeway/local';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const time = {
  now: () => Date.now(),
  sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
    pause(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};
const ZONE = 'global';
const SCOPE = channelScope('acme', 'general');

let server: TestPostgres;
let url: string;
let databases: Database[];
let network: MemoryNetwork;
let stop: AbortController;
let running: Promise<void>[];

beforeAll(async () => {
  server = await startTestPostgres();
}, 60_000);
afterAll(() => server.stop(), 30_000);
beforeEach(async () => {
  url = await server.createDatabase();
  databases = [];
  running = [];
  stop = new AbortController();
  network = new MemoryNetwork({ time, regions: ['us-east'], delayMs: 0 });
});
afterEach(async () => {
  stop.abort();
  await Promise.all(running);
  await Promise.all(databases.map((database) => database.close()));
});

async function store(): Promise<Store> {
  const database = await openPostgres(url, { region: 'us-east' });
  databases.push(database);
  return database.zone(ZONE);
}

/** One server process of the region, on its own sessions with the database. */
async function start(): Promise<Replica> {
  const replica = new Replica({
    region: 'us-east',
    regions: ['us-east'],
    store: await store(),
    bus: network.bus('us-east'),
    time,
    random: { bytes: randomBytes },
    notice: () => undefined,
  });
  running.push(replica.run(stop.signal));
  return replica;
}

const onMessage = (message: string) => ({
  workspace: 'acme',
  channel: 'general',
  member: 'ada',
  nonce: base64url(randomBytes(16)),
  message,
});
const post = (body: string): Command => {
  const { message: _, ...rest } = onMessage('');
  return { kind: 'post', ...rest, body };
};
const edit = (message: string, body: string): Command => ({
  kind: 'edit',
  ...onMessage(message),
  body,
  v: Date.now() * 1_024,
});

async function shown(replica: Replica, after?: Parameters<Replica['messages']>[4]): Promise<string[]> {
  const { items } = await replica.messages('acme', 'general', undefined, 10_000, after);
  return items.map(({ body }) => body).toReversed();
}

describe('views on Postgres', () => {
  it('R9 two processes of a region show their own writes at once, and each other’s by token', async () => {
    const [one, other] = [await start(), await start()];
    const expected: string[] = [];
    for (let n = 0; n < 30; n++) {
      const [writer, reader] = n % 2 === 0 ? [one, other] : [other, one];
      const command = post(`n${n}`);
      expected.push(`n${n}`);
      await writer.execute(command);
      expect(await shown(writer)).toEqual(expected);
      const { token } = await writer.execute(edit(commandId(command), `edited ${n}`));
      expected[n] = `edited ${n}`;
      expect(await shown(reader, token)).toEqual(expected);
    }
  });

  it('R9 a rebuilt view is the same, by a running server and by the command alone', async () => {
    const replica = await start();
    for (let n = 0; n < 20; n++)
      await Promise.all(Array.from({ length: 20 }, (_, k) => replica.execute(post(`n${n}.${k}`))));
    const before = await shown(replica);
    expect(before).toHaveLength(400);
    const direct = await store();
    const rebuild = async (): Promise<number[]> => {
      const positions: number[] = [];
      const events = {
        progress: ({ position }: { position: number }) => void positions.push(position),
        failed: (error: unknown) => expect.unreachable(String(error)),
      };
      await rebuildViews(direct, time, events, new AbortController().signal);
      return positions;
    };
    await rebuild();
    expect(await shown(replica)).toEqual(before);
    stop.abort();
    await Promise.all(running);
    const alone = await rebuild();
    expect(alone).toEqual(alone.toSorted((a, b) => a - b));
    const view = await direct.viewMessages(SCOPE, undefined, 1_000);
    expect(view.map(({ body }) => body).toReversed()).toEqual(before);
  });
});
