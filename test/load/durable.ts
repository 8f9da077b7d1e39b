import type { World } from '@causeway/local';
import type { Command } from '@causeway/protocol';
import { Replica } from '@causeway/replica';
import { MemoryNetwork } from '@causeway/replication';
import { openPostgres } from '@causeway/store';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { perSecond, type Figure } from './figures.ts';
import { Crowd } from './posting.ts';

const AT_ONCE = 1_000;
const LANES = 2;
const BATCH = 500;

/**
 * Durable posts per second: the bare database (group commit of rows of the same size, two
 * connections that overlap), the write path of a replica on it, and the whole door.
 */
export async function measureDurable(world: World, posts: number): Promise<Figure[]> {
  const url = world.regions['us-east']!.postgresUrl;
  const raw = await rawGroupCommit(url, posts * 2);
  const replica = await replicaPosts(url, posts);
  const door = await doorPosts(world, Math.round(posts / 4));
  return [
    {
      what: 'Postgres, bare group commit',
      value: raw.text,
      note: `rows of 200 bytes, ${LANES} connections, batches of ${BATCH}`,
    },
    {
      what: 'replica, durable posts, 16 channels',
      value: replica.text,
      note: `${AT_ONCE} at once; ${percent(replica, raw)} of bare`,
    },
    {
      what: 'through the HTTP door',
      value: door.text,
      note: `64 connections, generator on the same cores; ${percent(door, raw)} of bare`,
    },
  ];
}

type Rate = { text: string; rate: number };
const rateOf = (count: number, startedAt: number): Rate => {
  const elapsed = performance.now() - startedAt;
  return { text: perSecond(count, elapsed), rate: count / elapsed };
};
const percent = (one: Rate, other: Rate): string => `${Math.round((one.rate / other.rate) * 100)} %`;

export async function rawGroupCommit(url: string, rows: number): Promise<Rate> {
  const admin = postgres(url, { max: 1, onnotice: () => undefined });
  await admin`create table if not exists bench (id bigserial primary key, name text, bytes bytea)`;
  const names = Array.from({ length: BATCH }, (_, at) => `demo/segment/bench/${at % 16}`);
  // Array literals, as the store sends them.
  const rowNames = `{${names.join(',')}}`;
  const rowBytes = `{${names.map(() => `"\\\\x${randomBytes(200).toString('hex')}"`).join(',')}}`;
  const insert = 'insert into bench (name, bytes) select * from unnest($1::text[], $2::bytea[])';
  const lane = async (): Promise<void> => {
    const sql = postgres(url, { max: 1 });
    for (let left = rows / LANES; left > 0; left -= BATCH)
      await sql.unsafe(insert, [rowNames, rowBytes], { prepare: true });
    await sql.end();
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: LANES }, lane));
  const rate = rateOf(rows, startedAt);
  await admin`drop table bench`;
  await admin.end();
  return rate;
}

/** The write path as a server runs it, with a broker that costs nothing: this is about Postgres. */
export async function replicaPosts(url: string, posts: number): Promise<Rate> {
  const database = await openPostgres(url, { region: 'us-east' });
  const time = {
    now: () => Date.now(),
    sleep: (ms: number, signal?: AbortSignal) =>
      pause(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
  };
  const replica = new Replica({
    region: 'us-east',
    regions: ['us-east', 'eu-west'],
    // A zone of its own: the servers of the world know nothing of it.
    store: database.zone('bench'),
    bus: new MemoryNetwork({ time, regions: ['us-east', 'eu-west'] }).bus('us-east'),
    time,
    random: { bytes: (count) => randomBytes(count) },
    notice: () => undefined,
  });
  const stop = new AbortController();
  const running = replica.run(stop.signal);
  let left = posts;
  const startedAt = performance.now();
  const one = async (): Promise<void> => {
    while (left-- > 0) await replica.execute(postOf(left));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  const rate = rateOf(posts, startedAt);
  stop.abort();
  await running;
  await database.close();
  return rate;
}

const postOf = (at: number): Command => ({
  kind: 'post',
  workspace: 'bench',
  channel: `channel${at % 16}`,
  member: `member${at % 200}`,
  nonce: randomBytes(16).toString('base64url'),
  body: `message ${at} of about sixty characters, as chat has them`,
});

async function doorPosts(world: World, posts: number): Promise<Rate> {
  const crowd = await Crowd.at(world, 'us-east');
  const startedAt = performance.now();
  await crowd.postMany('random', posts, 64);
  const rate = rateOf(posts, startedAt);
  crowd.close();
  return rate;
}
