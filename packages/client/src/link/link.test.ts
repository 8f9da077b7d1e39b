import { CausewayError, base64url } from '@causeway/protocol';
import * as encoding from 'lib0/encoding';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { FakeRegion, webSocketOf } from '../fake-region.ts';
import { Credentials, type TokenSource } from './credentials.ts';
import { FRAME, frame } from './frames.ts';
import { Link, type LinkParts, type Speaker } from './link.ts';
import { LinkedDocument } from './linked-document.ts';

let region: FakeRegion;
let link: Link;
let credentials: Credentials;

beforeEach(() => {
  vi.useFakeTimers();
  region = new FakeRegion();
});
afterEach(() => {
  link.close();
  credentials.close();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

function open(
  token: TokenSource = 'token',
  renewed?: (token: string) => void,
  more: Partial<LinkParts> = {},
): void {
  credentials = new Credentials(token, Date.now, renewed);
  link = new Link({
    url: 'http://region',
    credentials,
    random: () => 1,
    probe: 'acme/session',
    webSocket: webSocketOf(region),
    ...more,
  });
}

/** Somebody who writes down what they hear. */
function speaker(): Speaker & { said: string[] } {
  const said: string[] = [];
  return {
    said,
    joined: () => void said.push('joined'),
    heard: (type) => void said.push(`heard ${type}`),
    left: (error, isOver) => void said.push(`left ${error?.code}${isOver ? ' for good' : ''}`),
  };
}

/** A token as far as clients read it. */
const tokenUntil = (expires: number, name: string): string =>
  `x.${base64url(new TextEncoder().encode(JSON.stringify({ sub: 'ada', ws: 'acme', exp: expires / 1_000 })))}.${name}`;

test('R10 500 documents share one socket, and each hears only what is about it (PAINS 7)', async () => {
  for (let number = 1; number <= 500; number++) region.post(number, `m${number}`);
  open();
  const speakers = Array.from({ length: 500 }, (_, at) => {
    const each = speaker();
    link.attach(`acme/segment/general/${at + 1}`, each);
    return each;
  });
  await settle();
  expect(region.sockets).toHaveLength(1);
  for (const { said } of speakers) expect(said).toEqual(['joined']);
  region.post(250, 'news');
  expect(speakers.map(({ said }) => said.length).filter((length) => length > 1)).toEqual([2]);
  expect(speakers[249]!.said).toEqual(['joined', `heard ${FRAME.sync}`]);
});

test('a hundred clients that lost one region come back over two seconds, not at once', async () => {
  const links = Array.from({ length: 100 }, (_, at) => {
    open('token', undefined, { random: () => (at + 0.5) / 100 });
    link.attach('acme/session', speaker());
    return link;
  });
  await settle();
  for (const socket of region.sockets.slice()) socket.close(1006);
  for (const tenth of Array.from({ length: 10 }, (_, at) => at + 1)) {
    await vi.advanceTimersByTimeAsync(200);
    expect(region.sockets).toHaveLength(100 + 10 * tenth);
  }
  expect(links.map((each) => each.getSnapshot().status)).toEqual(Array(100).fill('live'));
  for (const each of links) each.close();
});

test('who does something while there is no connection waits half a second at most for the next attempt', async () => {
  open();
  const one = speaker();
  link.attach('acme/session', one);
  await settle();
  region.isDown = true;
  region.sockets[0]!.close(1006);
  await vi.advanceTimersByTimeAsync(20_000);
  const attempts = region.sockets.length;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(region.sockets).toHaveLength(attempts);
  // However often, it is one attempt.
  for (let n = 0; n < 10; n++) link.hurry();
  await vi.advanceTimersByTimeAsync(499);
  expect(region.sockets).toHaveLength(attempts);
  await vi.advanceTimersByTimeAsync(1);
  expect(region.sockets).toHaveLength(attempts + 1);
  region.isDown = false;
  link.hurry();
  await vi.advanceTimersByTimeAsync(500);
  expect(link.getSnapshot()).toEqual({ status: 'live' });
});

test('where many wait to be let in, who is waited for says so, once for each connection', async () => {
  let isAwaited = true;
  region.isBusy = true;
  open('token', undefined, { isAwaited: () => isAwaited });
  link.attach('acme/session', speaker());
  await settle();
  const here = { do: 'state', idle: false };
  expect(region.early).toEqual([here]);
  link.hurry();
  expect(region.early).toHaveLength(1);
  region.letIn();
  expect(link.getSnapshot()).toEqual({ status: 'live' });
  link.hurry();
  expect(region.asked).toEqual([]);

  isAwaited = false;
  region.isBusy = true;
  region.sockets[0]!.close(1006);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(region.early).toHaveLength(1);
  link.hurry();
  expect(region.early).toEqual([here, here]);
});

test('the connection comes back with jitter, and everybody is let in again', async () => {
  open();
  const one = speaker();
  link.attach('acme/session', one);
  await settle();
  region.sockets[0]!.close(1006);
  expect(link.getSnapshot()).toMatchObject({ status: 'reconnecting', error: { code: 'not-ready' } });
  await vi.advanceTimersByTimeAsync(1_999);
  expect(region.sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(one.said).toEqual(['joined', 'left not-ready', 'joined']);
  expect(link.getSnapshot()).toEqual({ status: 'live' });
});

test('a region that ends one document ends no other, and one that is refused is not asked for again', async () => {
  region.denied.set('acme/canvas/b', 'forbidden: ask its author');
  open();
  const [a, b] = [speaker(), speaker()];
  link.attach('acme/session', speaker());
  link.attach('acme/canvas/a', a);
  link.attach('acme/canvas/b', b);
  await settle();
  expect([a.said, b.said]).toEqual([['joined'], ['left forbidden for good']]);
  region.sockets[0]!.end('acme/canvas/a', 'not-committed: again');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(a.said).toEqual(['joined', 'left not-committed', 'joined']);
  expect(region.sockets).toHaveLength(1);
  expect(b.said).toHaveLength(1);
});

test('R10 a refused token ends the attempts: none is made an hour later (PAINS 11)', async () => {
  open();
  const one = speaker();
  link.attach('acme/session', one);
  await settle();
  region.refusedTokens.add('token');
  region.sockets[0]!.close(4410, 'revoked');
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(link.getSnapshot()).toMatchObject({ status: 'stopped', error: { code: 'unauthorized' } });
  expect(one.said.at(-1)).toBe('left unauthorized for good');
  expect(region.sockets).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('with a source of tokens another one is tried, once; refused as well, that was it', async () => {
  const tokens = ['first', 'second', 'third'];
  const asked = vi.fn(async () => tokens.shift()!);
  region.refusedTokens.add('first');
  open(asked);
  const one = speaker();
  link.attach('acme/session', one);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(one.said.at(-1)).toBe('joined');
  expect(region.sockets.map((socket) => socket.tokens)).toEqual([['first'], ['second']]);
  for (const token of ['second', 'third']) region.refusedTokens.add(token);
  region.sockets[1]!.close(4410);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(asked).toHaveBeenCalledTimes(3);
  expect(link.getSnapshot()).toMatchObject({ status: 'stopped', error: { code: 'unauthorized' } });
});

test('a source that fails is asked again, one that refuses is not', async () => {
  let failure: Error = new TypeError('no network');
  const asked = vi.fn(() => Promise.reject(failure));
  open(asked);
  await vi.advanceTimersByTimeAsync(8_000);
  expect(asked.mock.calls.length).toBeGreaterThan(2);
  expect(link.getSnapshot()).toMatchObject({ status: 'reconnecting' });
  failure = new CausewayError('unauthorized', 'sign in again');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(link.getSnapshot()).toMatchObject({ status: 'stopped', error: { message: 'sign in again' } });
  const before = asked.mock.calls.length;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(asked).toHaveBeenCalledTimes(before);
  expect(region.sockets).toEqual([]);
});

test('a token is renewed before it expires', async () => {
  const start = Date.now();
  const tokens = ['a', 'b'].map((name, at) => tokenUntil(start + 600_000 * (at + 1), name));
  const renewed = vi.fn();
  const source = vi.fn(async () => tokens[Math.min(source.mock.calls.length, 2) - 1]!);
  open(source, renewed);
  await vi.advanceTimersByTimeAsync(539_000);
  expect(renewed).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(renewed).toHaveBeenCalledExactlyOnceWith(tokens[1]);
});

test('a connection on which nothing comes any more is given up', async () => {
  open();
  const one = speaker();
  link.attach('acme/session', one);
  await settle();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(region.sockets).toHaveLength(1);
  region.sockets[0]!.send = () => undefined;
  await vi.advanceTimersByTimeAsync(45_000);
  expect(region.sockets.length).toBeGreaterThan(1);
  expect(link.getSnapshot().status).toBe('live');
});

test('what cannot be read breaks the connection, and nothing else', async () => {
  open();
  link.attach('acme/session', speaker());
  await settle();
  for (const bytes of [[200], [3, 97, 98, 99], [12, ...new TextEncoder().encode('acme/session'), 2, 9, 9]]) {
    region.sockets.at(-1)!.deliver(new Uint8Array(bytes));
    await vi.advanceTimersByTimeAsync(16_000);
    expect(link.getSnapshot().status).toBe('live');
  }
});

test('R1 both sides get what the other has, when the connection is back', async () => {
  const there = new Y.Doc();
  region.canvases.set('acme/canvas/a', there);
  open();
  const here = new LinkedDocument(link, {
    name: 'acme/canvas/a',
    changed: () => undefined,
    withAwareness: true,
  });
  here.doc.getText('text').insert(0, 'early ');
  await settle();
  expect(there.getText('text').toJSON()).toBe('early ');
  region.sockets[0]!.close(1006);
  here.doc.getText('text').insert(6, 'offline ');
  there.getText('text').insert(0, '> ');
  await vi.advanceTimersByTimeAsync(2_000);
  for (const doc of [here.doc, there]) expect(doc.getText('text').toJSON()).toBe('> early offline ');
  here.close();
});

test('two who have one canvas open see each other’s writes', async () => {
  region.canvases.set('acme/canvas/a', new Y.Doc());
  open();
  const [one, other] = [1, 2].map(
    () => new LinkedDocument(link, { name: 'acme/canvas/a', changed: () => undefined }),
  );
  await settle();
  one!.doc.getText('text').insert(0, 'hi');
  expect(other!.doc.getText('text').toJSON()).toBe('hi');
  one!.close();
  other!.doc.getText('text').insert(2, ' there');
  expect(region.canvases.get('acme/canvas/a')!.getText('text').toJSON()).toBe('hi there');
  other!.close();
  expect(region.sockets[0]!.names).toEqual([]);
});

test('R10 more than fits into a frame waits, and ends no connection; what is left of it when some is taken back is sent', async () => {
  const there = new Y.Doc();
  region.canvases.set('acme/canvas/a', there);
  open();
  const here = new LinkedDocument(link, { name: 'acme/canvas/a', changed: () => undefined });
  await settle();
  const text = here.doc.getText('text');
  text.insert(0, 'before ');
  text.insert(7, 'x'.repeat(600_000));
  text.insert(0, 'and ');
  expect(there.getText('text').toJSON()).toBe('before ');
  expect([here.status, here.error?.code, here.isSaved]).toEqual(['live', 'frame-too-large', false]);
  region.sockets[0]!.close(1006);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([link.getSnapshot().status, here.error?.code]).toEqual(['live', 'frame-too-large']);
  text.delete(11 + 100, 600_000 - 100);
  expect(there.getText('text').toJSON()).toBe(`and before ${'x'.repeat(100)}`);
  expect(here.error).toBeUndefined();
  here.close();
});

test('a region that pings is answered, and a broken update is no broken document', async () => {
  const there = new Y.Doc();
  region.canvases.set('acme/canvas/a', there);
  open();
  const here = new LinkedDocument(link, { name: 'acme/canvas/a', changed: () => undefined });
  await settle();
  const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  region.sockets[0]!.deliver(new Uint8Array([FRAME.ping]));
  region.sockets[0]!.say('acme/canvas/a', FRAME.sync, (to) => {
    encoding.writeVarUint(to, 2);
    encoding.writeVarUint8Array(to, new Uint8Array([1, 2, 3]));
  });
  errors.mockRestore();
  there.getText('text').insert(0, 'fine');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(here.doc.getText('text').toJSON()).toBe('fine');
  here.close();
});

/** By then a lost connection is back. */
const BACK_MS = 5_000;

/** A frame about `acme/session`, deflated. */
const deflated = (type: number): Uint8Array =>
  frame('acme/session', FRAME.deflated, (to) =>
    encoding.writeVarUint8Array(to, deflateRawSync(Uint8Array.of(type, 0))),
  );

test('what a region deflates is heard in its place, and nothing of it on another connection', async () => {
  open();
  const one = speaker();
  link.attach('acme/session', one);
  await settle();
  const socket = region.sockets[0]!;
  socket.deliver(deflated(FRAME.awareness));
  socket.say('acme/session', FRAME.stateless);
  socket.deliver(deflated(FRAME.sync));
  socket.say('acme/session', FRAME.queryAwareness);
  const { awareness, stateless, sync, queryAwareness } = FRAME;
  const heard = [awareness, stateless, sync, queryAwareness].map((type) => `heard ${type}`);
  await vi.waitFor(() => expect(one.said).toEqual(['joined', ...heard]));
  socket.deliver(deflated(FRAME.awareness));
  socket.close(1006);
  await vi.advanceTimersByTimeAsync(BACK_MS);
  socket.deliver(new Uint8Array([FRAME.ping]));
  expect(one.said).toEqual(['joined', ...heard, 'left not-ready', 'joined']);
});

test('what says that it is deflated and is not ends the connection, which comes back', async () => {
  open();
  const one = speaker();
  link.attach('acme/session', one);
  await settle();
  region.sockets[0]!.say('acme/session', FRAME.deflated, (to) =>
    encoding.writeVarUint8Array(to, new Uint8Array([0xff, 0xff, 0xff])),
  );
  await vi.waitFor(() => expect(one.said).toEqual(['joined', 'left not-ready']));
  await vi.advanceTimersByTimeAsync(BACK_MS);
  expect(one.said.at(-1)).toBe('joined');
});
