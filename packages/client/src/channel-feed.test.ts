import { commandId, type Message } from '@causeway/protocol';
import { timeOfPost } from '@causeway/replica';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ChannelFeed } from './channel-feed.ts';
import { ClientClock } from './client-clock.ts';
import { CommandMaker } from './command-maker.ts';
import { FakeRegion, webSocketOf } from './fake-region.ts';
import { Credentials } from './link/credentials.ts';
import { Session } from './link/session.ts';
import { Outbox } from './outbox.ts';
import { RegionApi } from './region-api.ts';
import { Cache } from './storage/cache.ts';
import { MemoryStorage } from './storage/memory-storage.ts';

const TOKEN = 'secret-token';

let region: FakeRegion;
let outbox: Outbox;
let feed: ChannelFeed;
let session: Session;
let storage: MemoryStorage;

beforeEach(() => {
  vi.useFakeTimers();
  region = new FakeRegion();
  storage = new MemoryStorage();
});

afterEach(() => {
  leave();
  vi.useRealTimers();
});

/** Lets everything run that needs no time. */
const settle = () => vi.advanceTimersByTimeAsync(0);

function leave(): void {
  feed.close();
  session.close();
  void outbox.close();
}

async function open(): Promise<void> {
  const clock = new ClientClock(() => 2_000_000);
  const api = new RegionApi({ url: 'http://region', token: TOKEN, fetch: region.fetch });
  outbox = new Outbox({
    send: () => new Promise(() => undefined),
    acknowledged: () => undefined,
    random: () => 1,
    now: () => clock.now(),
  });
  session = new Session({
    url: 'http://region',
    credentials: new Credentials(TOKEN, Date.now),
    workspace: 'acme',
    member: 'ada',
    random: () => 1,
    webSocket: webSocketOf(region),
    joined: () => undefined,
    pushed: () => undefined,
  });
  feed = new ChannelFeed({
    session,
    cache: new Cache(storage, 'acme|ada', () => 2_000_000),
    workspace: 'acme',
    channel: { id: 'general', slug: 'general' },
    api,
    outbox,
    clock,
    random: () => 1,
    closed: () => undefined,
  });
  await settle();
}

const make = new CommandMaker({
  workspace: 'acme',
  member: 'ada',
  clock: new ClientClock(() => 2_000_000),
  randomBytes: (count) => new Uint8Array(count),
});
const bodies = () => feed.getSnapshot().messages.map(({ body }) => body);
const names = () => region.sockets.filter(({ readyState }) => readyState < 3).flatMap(({ names }) => names);
const segment = (number: number) => `acme/segment/general/${number}`;

const older = (count: number): Message[] =>
  Array.from({ length: count }, (_, at) => ({
    id: `old${at}`,
    author: 'ben',
    body: `old${at}`,
    t: timeOfPost(900_000_000 - at, 1),
    at: 1,
    region: 'eu-west',
  }));

test('it follows the newest segment, and as many below as it needs', async () => {
  for (const number of [1, 2, 3, 4]) region.post(number, `m${number}`);
  await open();
  expect(names()).toEqual([segment(4), segment(3), segment(2)]);
  expect(feed.getSnapshot()).toMatchObject({ connection: 'live', older: 'none' });
  expect(bodies()).toEqual(['m2', 'm3', 'm4']);
  region.post(4, 'new');
  expect(bodies()).toEqual(['m2', 'm3', 'm4', 'new']);
});

test('it goes up with the channel, and what it leaves stays on screen', async () => {
  for (const number of [1, 2, 3]) region.post(number, `m${number}`);
  await open();
  region.post(4, 'm4');
  region.set('top|us-east', '1', 4);
  await settle();
  expect(names()).toEqual([segment(3), segment(2), segment(4)]);
  expect(bodies()).toEqual(['m1', 'm2', 'm3', 'm4']);
});

test('older messages come by pages, until there are some that were not there', async () => {
  region.post(1, 'new');
  region.history = older(120);
  await open();
  expect(feed.getSnapshot()).toMatchObject({ older: 'more' });
  expect(bodies()).toHaveLength(51);
  await feed.loadOlder();
  expect(bodies()).toHaveLength(101);
  await feed.loadOlder();
  expect(feed.getSnapshot().older).toBe('none');
  expect(bodies()).toHaveLength(121);
});

test('a page that cannot be read is said, and can be asked for again', async () => {
  region.post(1, 'new');
  region.history = older(60);
  await open();
  region.refusals.push(Response.json({ code: 'not-ready' }, { status: 503 }));
  await feed.loadOlder();
  expect(feed.getSnapshot()).toMatchObject({ older: 'more', error: { code: 'not-ready' } });
  await feed.loadOlder();
  expect(feed.getSnapshot()).toMatchObject({ older: 'none' });
  expect(feed.getSnapshot()).not.toHaveProperty('error');
});

test('a region that is not there yet is asked again', async () => {
  region.post(1, 'a');
  region.refusals.push(Response.error(), Response.error());
  await open();
  expect(feed.getSnapshot()).toMatchObject({ connection: 'reconnecting', error: { code: 'not-ready' } });
  await vi.advanceTimersByTimeAsync(250);
  expect(feed.getSnapshot()).toMatchObject({ connection: 'live' });
  expect(bodies()).toEqual(['a']);
});

test('an acknowledged post stands in sight once, before and after it comes back', async () => {
  region.post(1, 'a');
  await open();
  const command = make.post('general', 'mine');
  const client = region.segment(1).doc.clientID;
  const token = [{ document: segment(1), client, clock: 2 }];
  feed.acknowledged(command, { id: commandId(command), level: 'region', token, clock: 1 });
  expect(bodies()).toEqual(['a', 'mine']);
  region.post(1, commandId(command));
  expect(bodies()).toEqual(['a', commandId(command)]);
  region.segment(1).delete(commandId(command));
  expect(bodies()).toEqual(['a']);
});

test('a connection that breaks comes back by itself, one that is refused does not', async () => {
  region.post(1, 'a');
  await open();
  region.sockets[0]!.close(1006);
  expect(feed.getSnapshot()).toMatchObject({ connection: 'reconnecting' });
  region.post(1, 'b');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(feed.getSnapshot()).toMatchObject({ connection: 'live' });
  expect(bodies()).toEqual(['a', 'b']);
  region.sockets[1]!.close(4410, 'the token has expired');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(feed.getSnapshot()).toMatchObject({ connection: 'stopped', error: { code: 'unauthorized' } });
  expect(region.sockets).toHaveLength(2);
});

test('what was seen last is there before a region answers, and only the difference travels', async () => {
  for (const body of ['a', 'b']) region.post(1, body);
  await open();
  region.set('topic', '1', { text: 'tea' });
  await vi.advanceTimersByTimeAsync(3_000);
  leave();
  await settle();
  region.segment(1).delete('a');
  region.post(1, 'c');
  region.refusals.push(...Array.from({ length: 9 }, () => Response.error()));
  await open();
  expect(feed.getSnapshot()).toMatchObject({ topic: 'tea' });
  expect(bodies()).toEqual(['b', 'c']);
});

test('R10 what was deleted while nobody looked leaves with the first page', async () => {
  region.post(1, 'new');
  region.history = older(3);
  await open();
  await vi.advanceTimersByTimeAsync(3_000);
  leave();
  await settle();
  region.history = region.history.filter(({ id }) => id !== 'old1');
  await open();
  expect(bodies()).toEqual(['old2', 'old0', 'new']);
});

test('pins are the cells of the channel, with what is on its way', async () => {
  region.post(1, 'a');
  await open();
  region.set('pin|A', '1', { by: 'ada', t: 1 });
  region.set('pin|B', '2', { by: 'ada', t: 1 });
  expect(feed.getSnapshot().pins).toEqual(['B', 'A']);
  region.set('pin|B', '3', null);
  expect(feed.getSnapshot().pins).toEqual(['A']);
});

test('markers go up only', async () => {
  region.post(1, 'a');
  await open();
  expect(feed.newMarkers()).toHaveLength(1);
  expect(feed.newMarkers()).toEqual([]);
  region.post(1, 'b');
  expect(feed.newMarkers()).toHaveLength(1);
});

test('closed, it leaves no document and no timer', async () => {
  region.post(1, 'a');
  await open();
  feed.close();
  await settle();
  expect(names()).toEqual([]);
  session.close();
  expect(vi.getTimerCount()).toBe(0);
});

const at = (n: number, more: Partial<Message> = {}): Message => ({
  id: `old${n}`,
  author: 'ben',
  body: `old${n}`,
  t: timeOfPost(n, 1),
  at: 0,
  region: 'us-east',
  ...more,
});

test('a thread has its older replies by pages, new ones as they come, and own ones at once', async () => {
  region.segment(1);
  await open();
  region.history = [at(3, { thread: 'old1' }), at(1)];
  const thread = feed.openThread('old1');
  await settle();
  const shown = () => thread.getSnapshot().replies.map(({ body }) => body);
  expect(thread.getSnapshot()).toMatchObject({ root: { id: 'old1' }, older: 'none' });
  expect(shown()).toEqual(['old3']);
  expect(bodies()).toEqual([]);
  region.segment(1).post('new', timeOfPost(1_024_000_000, 1), { a: 'cleo', b: 'new', o: 'us', r: 'old1' });
  void outbox.add(make.post('general', 'mine', { thread: 'old1' }));
  await settle();
  expect(shown()).toEqual(['old3', 'new', 'mine']);
  expect(thread.getSnapshot().root?.replies?.count).toBe(2);
  thread.close();
});
