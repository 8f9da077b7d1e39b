import {
  CausewayError,
  base64url,
  canvasName,
  commandId,
  directChannel,
  type Request,
} from '@causeway/protocol';
import { orderOf } from '@causeway/replica';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { connect, type Client } from './client.ts';
import { FakeRegion, webSocketOf } from './fake-region.ts';
import { MemoryStorage } from './storage/memory-storage.ts';

const tokenUntil = (seconds: number): string =>
  `x.${base64url(new TextEncoder().encode(JSON.stringify({ sub: 'ada', ws: 'acme', exp: seconds })))}.x`;
const TOKEN = `x.${base64url(new TextEncoder().encode(JSON.stringify({ sub: 'ada', ws: 'acme' })))}.x`;

let region: FakeRegion;
let storage: MemoryStorage;
let client: Client;

beforeEach(() => {
  vi.useFakeTimers();
  region = new FakeRegion();
  storage = new MemoryStorage();
});
afterEach(async () => {
  await client.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(10);

async function open(): Promise<Client> {
  client = await connect({
    url: 'http://region',
    token: TOKEN,
    workspace: 'acme',
    fetch: region.fetch,
    webSocket: webSocketOf(region),
    storage,
  });
  await settle();
  return client;
}

const asked = <K extends Request['do']>(what: K) =>
  region.asked.filter((request): request is Extract<Request, { do: K }> => request.do === what);
const commands = () => asked('command').map(({ command }) => command);

test('R4 a command that was not answered is sent again to the letter, when the connection is back', async () => {
  await open();
  region.answer = () => undefined;
  const posting = client.post('general', 'hi');
  await settle();
  region.sockets[0]!.close(1006);
  await settle();
  expect(client.outbox.getSnapshot()).toMatchObject([{ state: 'waiting', error: { code: 'not-committed' } }]);
  const [first] = commands();
  region.answer = (request) =>
    request.do === 'command' ? { ack: region.acknowledge(request.command) } : { done: true };
  await vi.advanceTimersByTimeAsync(2_000);
  expect((await posting).id).toBe(commandId(first!));
  expect(commands()).toEqual([first, first]);
});

test('what a region refuses is a typed error, with what to do', async () => {
  await open();
  region.answer = () => {
    throw new CausewayError('too-many', 'take a pin off first');
  };
  await expect(client.pin('general', 'MMMMMMMMMMMMMMMMMMMMMM', true)).rejects.toMatchObject({
    code: 'too-many',
    message: 'take a pin off first',
  });
  expect(() => client.post('nowhere', 'hi')).toThrow('there is no channel "nowhere" here');
});

test('badges of channels that are not open come as they change, and again with a new connection', async () => {
  region.answer = (request) =>
    request.do === 'badges'
      ? { badges: [{ channel: 'random', unread: 2, mentions: 1, latest: '1' }] }
      : { cells: [] };
  await open();
  const entry = () => client.channels.getSnapshot().find(({ id }) => id === 'random');
  const general = client.channels.getSnapshot().find(({ id }) => id === 'general');
  expect(entry()).toMatchObject({ unread: 2, mentions: 1 });
  region.push({ badges: [{ channel: 'random', unread: 3, mentions: 1, latest: '2' }] });
  expect(entry()).toMatchObject({ unread: 3 });
  expect(client.channels.getSnapshot()).toContain(general);
  region.sockets[0]!.close(1006);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked('badges')).toHaveLength(2);
  expect(entry()).toMatchObject({ unread: 2 });
});

test('a badge of a channel that nobody named makes it ask for the names', async () => {
  await open();
  region.channels = [...region.channels, { id: 'new', slug: 'brand-new' }];
  region.push({ badges: [{ channel: 'new', unread: 1, mentions: 0 }] });
  await settle();
  expect(client.channels.getSnapshot()).toContainEqual(
    expect.objectContaining({ slug: 'brand-new', unread: 1, isJoined: false }),
  );
});

test('presence is asked for whom anybody has in view, once for what changes together', async () => {
  await open();
  const leave = client.presence.watch(['ben', 'cleo']);
  client.presence.watch(['cleo', 'dan']);
  await settle();
  expect(asked('presence').map(({ members }) => members)).toEqual([['ben', 'cleo', 'dan']]);
  region.push({
    presence: [
      { member: 'ben', state: 'online' },
      { member: 'eve', state: 'online' },
    ],
  });
  expect([...client.presence.getSnapshot()]).toEqual([['ben', 'online']]);
  leave();
  await settle();
  expect(asked('presence').at(-1)!.members).toEqual(['cleo', 'dan']);
  expect([...client.presence.getSnapshot()]).toEqual([]);
  region.sockets[0]!.close(1006);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked('presence').at(-1)!.members).toEqual(['cleo', 'dan']);
});

test('who types is told at most every 3 s, and heard of for 6 s', async () => {
  await open();
  for (let key = 0; key < 10; key++) client.typing.tell('general');
  await settle();
  expect(asked('typing')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(3_000);
  client.typing.tell('general');
  await settle();
  expect(asked('typing')).toHaveLength(2);
  region.push({ typing: { channel: 'general', member: 'ben' } });
  region.push({ typing: { channel: 'general', member: 'ada' } });
  expect(client.typing.getSnapshot().get('general')).toEqual([{ member: 'ben' }]);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(client.typing.getSnapshot().get('general')).toBeUndefined();
});

test('a draft is sent when its writer pauses, one for all of it, and another device’s draft shows', async () => {
  await open();
  for (const body of ['h', 'he', 'hey']) client.drafts.set('general', body);
  expect(client.drafts.of('general')).toBe('hey');
  expect(commands()).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_100);
  expect(commands()).toMatchObject([{ kind: 'draft', channel: 'general', body: 'hey' }]);
  expect(client.drafts.of('general')).toBe('hey');
  const v = orderOf(Date.now() * 1_024 + 9_000_000, 'x');
  const cell = { scope: 'acme/member/ada', key: 'draft|general', v, value: 'from my phone' };
  region.push({ cells: [cell] });
  expect(client.drafts.of('general')).toBe('from my phone');
});

test('of drafts that nobody could be told of only the last one waits', async () => {
  await open();
  region.answer = () => undefined;
  region.sockets[0]!.close(1006);
  for (const body of ['a', 'ab', 'abc']) {
    client.drafts.set('general', body);
    client.drafts.flush();
  }
  const waiting = client.outbox.getSnapshot().map(({ command }) => 'body' in command && command.body);
  expect(waiting).toEqual(['abc']);
});

test('a direct channel is there before a region has heard of it', async () => {
  await open();
  region.answer = () => undefined;
  const { id } = client.openDirect(['ben']);
  expect(id).toBe(directChannel('acme', ['ada', 'ben']));
  expect(client.channels.getSnapshot()).toContainEqual(
    expect.objectContaining({ id, kind: 'direct', others: ['ben'] }),
  );
  client.post(id, 'hi').catch(() => undefined);
  await settle();
  expect(client.outbox.getSnapshot()).toHaveLength(2);
});

test('a scheduled message keeps the id that was minted for it', async () => {
  await open();
  const { id } = client.schedule('general', 'later', Date.now() + 60_000);
  await settle();
  const [command] = commands();
  expect(command).toMatchObject({ kind: 'schedule', post: { kind: 'post', body: 'later' } });
  expect(client.scheduled.getSnapshot()).toMatchObject([{ id }]);
  await client.unschedule(id);
  expect(client.scheduled.getSnapshot()).toEqual([]);
});

test('without its region it starts with what it saw last, and keeps what is written', async () => {
  region.post(1, 'a');
  await open();
  client.openChannel('general');
  region.push({ badges: [{ channel: 'random', unread: 7, mentions: 0 }] });
  await vi.advanceTimersByTimeAsync(5_000);
  await client.close();

  const away = new FakeRegion();
  away.fetch = () => Promise.reject(new TypeError('no network'));
  away.answer = () => undefined;
  region = away;
  client = await connect({
    url: 'http://region',
    token: TOKEN,
    workspace: 'acme',
    fetch: away.fetch,
    webSocket: class extends EventTarget {
      close(): void {}
    } as unknown as typeof WebSocket,
    storage,
  });
  const feed = client.openChannel('general');
  void client.post('general', 'written on a train').catch(() => undefined);
  await settle();
  expect(client.workspace.name).toBe('Acme');
  expect(client.channels.getSnapshot().find(({ id }) => id === 'random')).toMatchObject({ unread: 7 });
  expect(feed.getSnapshot().messages.map(({ body }) => body)).toEqual(['a', 'written on a train']);
  expect(client.outbox.getSnapshot()).toMatchObject([{ isKept: true }]);
});

test('R12 who may not be here any more keeps nothing of it', async () => {
  await open();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await storage.keys('cache', '')).not.toEqual([]);
  region.refusals.push(Response.json({ code: 'forbidden', detail: 'no' }, { status: 403 }));
  await client.lookForChannels();
  expect(await storage.keys('cache', '')).toEqual([]);
});

test('another token is shown to the region while the connection stays', async () => {
  const start = Math.floor(Date.now() / 1_000);
  const tokens = [tokenUntil(start + 600), tokenUntil(start + 1_200)];
  client = await connect({
    url: 'http://region',
    token: async () => tokens.shift() ?? tokenUntil(start + 9_000),
    workspace: 'acme',
    fetch: region.fetch,
    webSocket: webSocketOf(region),
  });
  await vi.advanceTimersByTimeAsync(545_000);
  expect(asked('refresh')).toEqual([expect.objectContaining({ token: tokenUntil(start + 1_200) })]);
  expect(region.sockets).toHaveLength(1);
});

test('R3 a canvas that is closed without being saved is there again when it is opened again, and saved later', async () => {
  const name = canvasName('acme', 'plan');
  const held = new Y.Doc();
  region.canvases.set(name, held);
  await open();
  const first = client.openCanvas('plan');
  await settle();
  region.sockets[0]!.close(1006);
  first.getSnapshot().doc.getText('text').insert(0, 'offline');
  first.close();
  const again = client.openCanvas('plan');
  expect(again.getSnapshot().doc.getText('text').toJSON()).toBe('offline');
  again.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(held.getText('text').toJSON()).toBe('offline');
  const other = client.openCanvas('plan');
  expect(other).not.toBe(first);
  expect(first.isLeaving).toBe(true);
});
