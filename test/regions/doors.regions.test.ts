/* Everything that the doors of a region answer, good and bad, against one running world: starting one per topic would cost minutes. */
import type { World } from '@causeway/local';
import { ERRORS, LIMITS, type Ack, type ErrorCode, type Message, type Problem } from '@causeway/protocol';
import { randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import { HonestPair, createCanvas } from './door-pair.ts';
import { RawSocket, rawRequest, sendAndHangUp } from './door-socket.ts';
import { Forger } from './door-tokens.ts';
import { connectDocument, openDocument } from './documents.ts';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

/**
 * Everything that a client can send to a region, good and bad. One file, because all of it happens
 * to one world, beside one honest pair, and its logs are searched at the end.
 */
const REGIONS = ['us-east', 'eu-west'] as const;
/** Stand for what people send: none of it may be found in a log or a metric. */
const SECRET = { body: 'xylophone-body', member: 'zenobia-member', emoji: 'quagga-emoji' };

let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
let world: World;
let east: string;
let west: string;
let token: string;
let ada: Speaker;
let pair: HonestPair;
let forger: Forger;

beforeAll(async () => {
  opened = await testWorld({ regions: REGIONS, delayMs: 2 });
  world = opened.world;
  [east, west] = REGIONS.map((region) => world.regions[region]!.url) as [string, string];
  token = await world.token('ada');
  ada = new Speaker(east, token);
  forger = new Forger(world.home);
  pair = await HonestPair.open([east, west], token);
});

afterAll(async () => {
  pair?.close();
  await opened?.[Symbol.asyncDispose]();
});

async function problemOf(answer: Response): Promise<Problem> {
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  return (await answer.json()) as Problem;
}

/** Opens a document that should be refused; the code that it is closed with, from the closed set. */
async function refusal(document: string, given?: string, regionUrl = east): Promise<string> {
  const { code } = await new RawSocket(regionUrl, document, given).closed;
  return codeNamed(code);
}

const codeNamed = (close: number): string =>
  Object.entries(ERRORS).find(([, error]) => error.close === close)?.[0] ?? String(close);

describe('the sync door', () => {
  it('R1 a canvas is read and written by the stock provider in two regions', () => pair.isUndisturbed());

  it('a channel document is read by the stock provider; what it writes is refused and seen by nobody', async () => {
    const document = 'demo/segment/general/1';
    const { id } = await ada.post(SECRET.body);
    const reader = new Y.Doc();
    const provider = connectDocument(reader, west, document, token);
    const closes: (number | undefined)[] = [];
    // At a "permission denied" the provider would print its address, token included.
    const warning = vi.spyOn(console, 'warn');
    provider.on('connection-close', (event) => closes.push(event?.code));
    await eventually(
      'the post',
      async () => [...reader.getMap('m').keys()],
      (keys) => keys.some((key) => key.startsWith(id)),
    );
    reader.getMap('m').set('forged|1', { a: 'ada', b: 'forged', o: 'us-east' });
    await eventually(
      'the answer',
      async () => closes,
      (codes) => codes.includes(ERRORS['read-only'].close),
    );
    provider.destroy();
    expect(warning).not.toHaveBeenCalled();
    warning.mockRestore();
    await ada.post('after the forgery');
    for (const url of [east, west]) {
      const fresh = await openDocument(url, document, token);
      expect([...fresh.doc.getMap('m').keys()]).not.toContain('forged|1');
      fresh.provider.destroy();
    }
    expect((await ada.everything()).map(({ body }) => body)).not.toContain('forged');
    await pair.isUndisturbed();
  });

  it('R10 none of 100 openings at once gets an empty document (PAINS 6)', async () => {
    const document = await createCanvas(east, token);
    const writer = await openDocument(east, document, token);
    writer.doc.getText('text').insert(0, 'here all along');
    await eventually(
      'the text in the other region',
      async () => {
        const { doc, provider } = await openDocument(west, document, token);
        provider.destroy();
        return doc.getText('text').toString();
      },
      (text) => text === 'here all along',
    );
    await world.restart('us-east', 'server');
    const opened = await Promise.all(Array.from({ length: 100 }, () => openDocument(east, document, token)));
    expect(new Set(opened.map(({ doc }) => doc.getText('text').toString()))).toEqual(
      new Set(['here all along']),
    );
    for (const { provider } of [...opened, writer]) provider.destroy();
    pair.disturbances.length = 0;
  });

  it('R11 cursors: who is killed vanishes, who comes back is seen at once, nobody removes another', async () => {
    const document = await createCanvas(east, token);
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => openDocument(east, document, token)));
    const all = [one!, two!, three!];
    for (const { provider } of all) provider.awareness.setLocalState({ is: 'here' });
    const people = (): number[] => [...one!.provider.awareness.getStates().keys()].sort();
    const ids = all.map(({ doc }) => doc.clientID).sort();
    await eventually(
      'all three',
      async () => people(),
      (seen) => seen.length === 3,
    );
    expect(people()).toEqual(ids);

    const mallory = new RawSocket(east, document, forger.token({}));
    await mallory.isIn();
    mallory.send(awareness(two!.doc.clientID, 9, null));
    mallory.send(awareness(two!.doc.clientID, 9, { is: 'forged' }));
    mallory.send(awareness(4_711, 1, { is: 'mallory' }));
    await eventually(
      'mallory',
      async () => people(),
      (seen) => seen.includes(4_711),
    );
    expect(people()).toEqual([...ids, 4_711].sort());
    expect(one!.provider.awareness.getStates().get(two!.doc.clientID)).toEqual({ is: 'here' });
    mallory.socket.terminate();
    await eventually(
      'the ghost to vanish',
      async () => people(),
      (seen) => seen.length === 3,
      2_000,
    );

    two!.provider.disconnect();
    await eventually(
      'the flap',
      async () => people(),
      (seen) => seen.length === 2,
      2_000,
    );
    two!.provider.connect();
    await eventually(
      'the return',
      async () => people(),
      (seen) => seen.length === 3,
      2_000,
    );
    for (const { provider } of all) provider.destroy();
  });

  const HUGE = 2 * LIMITS.frameBytes + 1;
  const FRAMES: [what: string, frame: Uint8Array | string, code: string][] = [
    ['a malformed frame', Uint8Array.of(9, 9, 9), 'malformed-frame'],
    ['an empty frame', new Uint8Array(), 'malformed-frame'],
    ['a text frame', 'hello', 'malformed-frame'],
    ['a truncated update', Uint8Array.of(0, 2, 100, 1, 1), 'malformed-frame'],
    ['bytes that are no update', Uint8Array.of(0, 2, 3, 1, 2, 3), 'malformed-frame'],
    ['bytes that are no state vector', Uint8Array.of(0, 0, 1, 5), 'malformed-frame'],
    ['a frame above the limit', new Uint8Array(LIMITS.frameBytes + 1), 'frame-too-large'],
    // ws cuts it off by itself, with the code that RFC 6455 has for it.
    ['a frame above the hard limit', new Uint8Array(HUGE), '1009'],
  ];
  it.each(FRAMES)('%s gets a close code, and nobody beside it suffers', async (_, frame, code) => {
    const mallory = new RawSocket(east, pair.name, token);
    await mallory.isIn();
    mallory.send(frame);
    expect(codeNamed((await mallory.closed).code)).toBe(code);
    await pair.isUndisturbed();
  });

  const DOCUMENTS: [document: string, code: ErrorCode][] = [
    ['demo', 'not-found'],
    ['demo/member/ada', 'not-found'],
    ['demo/canvas/a/b', 'not-found'],
    ['demo/segment/general/0', 'not-found'],
    ['demo/segment/nowhere/1', 'not-found'],
    ['%zz', 'not-found'],
    ['demo/segment/general/3000', 'not-here-yet'],
    ['demo/canvas/absent', 'not-here-yet'],
    ['elsewhere/canvas/absent', 'forbidden'],
    ['demo-eu/segment/general/1', 'forbidden'],
  ];
  it.each(DOCUMENTS)('the document %s is refused with %s', async (document, code) => {
    expect(await refusal(document, token)).toBe(code);
    await pair.isUndisturbed();
  });

  const TOKENS: [what: string, make: () => string | undefined, code: ErrorCode][] = [
    ['no token', () => undefined, 'unauthorized'],
    ['an expired token', () => forger.token({ exp: 1_000_000_000 }), 'unauthorized'],
    ['a changed signature', () => forger.token({}).replace(/.{6}$/, 'AAAAAA'), 'unauthorized'],
    ['the signature of another region', () => forger.token({}, 'eu-west', 'us-east'), 'unauthorized'],
    ['alg none', () => forger.unsigned(), 'unauthorized'],
    ['another audience', () => forger.token({ aud: 'other' }), 'unauthorized'],
    ['another workspace', () => forger.token({ ws: 'demo-eu' }, 'eu-west'), 'forbidden'],
  ];
  it.each(TOKENS)('R12 %s is refused at both doors', async (_, make, code) => {
    const bad = make();
    expect(await refusal(pair.name, bad)).toBe(code);
    const answer = await fetch(`${east}/v1/workspaces/demo`, {
      headers: bad === undefined ? {} : { authorization: `Bearer ${bad}` },
    });
    expect(answer.status).toBe(ERRORS[code].status);
    expect(await problemOf(answer)).toMatchObject({ code });
    await pair.isUndisturbed();
  });

  it('R6 a workspace of the EU is served to tokens of the EU only, and only there', async () => {
    const document = 'demo-eu/segment/general/1';
    const inside = forger.token({ ws: 'demo-eu' }, 'eu-west');
    const outside = forger.token({ ws: 'demo-eu' }, 'us-east');
    expect(await refusal(document, outside, west)).toBe('forbidden');
    expect(await refusal(document, outside)).toBe('forbidden');
    const sentOn = await new RawSocket(east, document, inside).closed;
    expect(codeNamed(sentOn.code)).toBe('elsewhere');
    expect(sentOn.reason).toContain(west);
    const { provider } = await openDocument(west, document, inside);
    provider.destroy();
  });

  it('a bad frame that is still unread when the socket dies does not take the process with it', async () => {
    const path = `/v1/sync/${pair.name}?token=${token}`;
    const bad = Uint8Array.of(0xf1, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    await Promise.all(
      Array.from({ length: 200 }, (_, at) =>
        sendAndHangUp(east, at % 3 === 0 ? '/v1/sync/x' : path, bad, at % 2 === 0 ? 'end' : 'reset'),
      ),
    );
    await pair.isUndisturbed();
  });

  it('20,000 random and mutated frames before and after sign-in: the process lives, the pair converges', async () => {
    const document = await createCanvas(east, token);
    const whole = wholeFrames();
    for (let round = 0; round < 10; round++)
      await Promise.all(
        Array.from({ length: 40 }, async (_, at) => {
          const mallory = new RawSocket(east, document, at % 4 === 0 ? 'no token' : token);
          await mallory.opened;
          for (let n = 0; n < 50; n++)
            mallory.send(n % 5 === 0 ? randomBytes(1 + n) : mutated(whole[n % 4]!));
          mallory.socket.close();
          await mallory.closed;
        }),
      );
    await pair.isUndisturbed();
    const { provider } = await openDocument(east, document, token);
    provider.destroy();
  });
});

describe('the REST door', () => {
  it('posts, reads, edits, reacts, takes back, deletes', async () => {
    const zenobia = new Speaker(east, forger.token({ sub: SECRET.member }), 'demo', 'random');
    const { id } = await zenobia.post('first');
    const reply = await zenobia.post('a reply', id);
    const at = `/messages/${id}`;
    const ok = async (method: string, path: string, body?: object): Promise<Ack> => {
      const answer = await zenobia.request(method, path, body);
      expect(answer.status, `${method} ${path}`).toBe(200);
      return (await answer.json()) as Ack;
    };
    const shown = async (): Promise<Message> =>
      (await zenobia.everything()).find((message) => message.id === id)!;
    expect(await ok('PATCH', at, { body: 'edited' })).toMatchObject({ level: 'region' });
    await ok('PUT', `${at}/reactions/${SECRET.emoji}`);
    expect(await shown()).toMatchObject({
      body: 'edited',
      author: SECRET.member,
      region: 'us-east',
      reactions: { [SECRET.emoji]: [SECRET.member] },
      history: [{ body: 'first' }],
    });
    await ok('DELETE', `${at}/reactions/${SECRET.emoji}`);
    expect(await shown()).not.toHaveProperty('reactions');
    await ok('DELETE', at);
    expect(await zenobia.everything()).toMatchObject([{ id: reply.id, thread: id }]);
    expect((await zenobia.request('PATCH', at, { body: 'late' })).status).toBe(410);
  });

  it('tells of workspace and channel, sets the topic, moves read markers forward only', async () => {
    const general = new Speaker(east, token);
    const { token: place } = await general.post('to be read');
    const { client, clock } = place[0] as { client: number; clock: number };
    const segment = Number((place[0] as { document: string }).document.split('/').at(-1));
    const put = async (path: string, body: object): Promise<number> =>
      (await general.request('PUT', path, body)).status;
    expect(await put('/topic', { topic: 'cows' })).toBe(200);
    for (const seen of [clock, 1])
      expect(await put('/read', { markers: [{ segment, client, clock: seen }] })).toBe(200);
    const beyond = { segment, client, clock: clock + 1_000 };
    expect(await put('/read', { markers: [beyond] })).toBe(ERRORS['not-here-yet'].status);
    const channel = (await (await general.request('GET', '')).json()) as object;
    expect(channel).toMatchObject({
      id: 'general',
      topic: { text: 'cows', by: 'ada' },
      markers: expect.arrayContaining([{ segment, client, clock }]),
    });
    const workspace = await (await general.request('GET', '/../../../demo')).json();
    expect(workspace).toMatchObject({ id: 'demo', zone: 'global', member: 'ada' });
  });

  it('creates canvases and lists them, the newest first', async () => {
    const [first, second] = [await createCanvas(east, token), await createCanvas(east, token)];
    const list = (await (await ada.request('GET', '/../../canvases')).json()) as {
      items: { document: string; title: string; author: string }[];
    };
    const documents = list.items.map(({ document }) => document);
    expect(documents.indexOf(second)).toBeLessThan(documents.indexOf(first));
    expect(list.items[0]).toMatchObject({ title: 'a canvas', author: 'ada' });
  });

  it('R9 pages add up to everything, none twice, while others post (PAINS 21)', async () => {
    const held = await Promise.all(Array.from({ length: 120 }, (_, at) => ada.post(`page me ${at}`)));
    const reading = new AbortController();
    const others = Array.from({ length: 3 }, async (_, at) => {
      const other = new Speaker(at === 0 ? west : east, token);
      for (let n = 0; !reading.signal.aborted; n++) await other.post(`meanwhile ${at} ${n}`);
    });
    const seen: Message[] = [];
    for (let cursor = ''; ;) {
      const answer = await ada.request('GET', `/messages?limit=7${cursor}`);
      const { items, next } = (await answer.json()) as { items: Message[]; next?: string };
      seen.push(...items);
      if (next === undefined) break;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
    reading.abort();
    await Promise.all(others);
    const ids = seen.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(held.filter(({ id }) => !ids.includes(id))).toEqual([]);
    const order = seen.map(({ t, id }) => `${t}~${id}`);
    expect(order).toEqual([...order].sort().toReversed());
  });

  it('bad bodies, paths and methods get a problem, and a member beside them is served', async () => {
    const cases: [method: string, path: string, body: unknown, code: ErrorCode][] = [
      ['POST', '/messages', { body: 'x', colour: 'red' }, 'invalid-request'],
      ['POST', '/messages', { body: 5 }, 'invalid-request'],
      ['POST', '/messages', { body: 'x'.repeat(LIMITS.bodyChars + 1) }, 'body-too-large'],
      ['POST', '/messages', { body: 'a\0b' }, 'invalid-request'],
      ['POST', '/messages', { body: 'a\ud800' }, 'invalid-request'],
      ['GET', '/messages?cursor=junk', undefined, 'invalid-request'],
      ['PUT', '/messages', {}, 'not-found'],
      ['PUT', '/topic', { topic: 'x', v: Date.now() * 2_048, nonce: 'A'.repeat(22) }, 'clock-ahead'],
      ['PUT', '/topic', { topic: 'x', nonce: 'A'.repeat(22) }, 'invalid-request'],
      ['POST', '/messages', { body: 'x', nonce: 'A'.repeat(22), id: 'A'.repeat(22) }, 'id-mismatch'],
    ];
    for (const [method, path, body, code] of cases) {
      const answer = await ada.request(method, path, body);
      expect({ path, ...(await problemOf(answer)) }).toMatchObject({ code, status: answer.status });
      const { id } = await ada.post('still served');
      expect((await ada.page()).items[0]!.id).toBe(id);
    }
    await pair.isUndisturbed();
  });

  const RAW: [what: string, request: string, says: string][] = [
    [
      'headers of 20 KB',
      `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
      'too long',
    ],
    ['an address of 20 KB', `GET /v1/${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 'too long'],
    ['no HTTP at all', 'hello, is this the door?\r\n\r\n', 'no HTTP request'],
    [
      'two lengths',
      'POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      'no HTTP request',
    ],
    [
      'an address that cannot be decoded',
      'GET /v1/workspaces/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      'not readable',
    ],
  ];
  it.each(RAW)('%s gets a problem too', async (_, request, says) => {
    const answer = await rawRequest(east, request);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('application/problem+json');
    const problem = JSON.parse(answer.slice(answer.indexOf('{'))) as Problem;
    expect(problem).toMatchObject({ code: 'invalid-request', status: 400 });
    expect(problem.detail).toContain(says);
  });

  it('an upgrade that is not for the sync door is an ordinary request', async () => {
    expect(await upgrade('/healthz', 'h2c')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await upgrade('/v1/elsewhere', 'websocket')).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('operators ask without a token: health, readiness, metrics, the description of the API', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/v1/openapi.json'])
      expect((await fetch(east + path)).status, path).toBe(200);
    const { openapi, paths } = (await (await fetch(`${east}/v1/openapi.json`)).json()) as {
      openapi: string;
      paths: object;
    };
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths)).toContain('/v1/workspaces/{workspace}/channels/{channel}/messages');
  });
});

describe('what is left behind', () => {
  it('R6 no token, path, text, member or reaction is in a log of the regions or in their metrics', async () => {
    const said = await Promise.all([
      ...REGIONS.map(async (region) => (await fetch(`${world.regions[region]!.url}/metrics`)).text()),
      ...(await readdir(join(world.home, 'logs'))).map((file) =>
        readFile(join(world.home, 'logs', file), 'utf8'),
      ),
    ]);
    expect(said.length).toBeGreaterThanOrEqual(8);
    const secrets = [
      token,
      token.split('.')[1]!,
      ...Object.values(SECRET),
      '/v1/sync/demo',
      'segment/general',
      '"ada"',
    ];
    for (const text of said) for (const secret of secrets) expect(text).not.toContain(secret);
  });
});

/** Frames as an honest client sends them. */
function wholeFrames(): Uint8Array[] {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, 'mutate me');
  const update = Y.encodeStateAsUpdate(doc);
  return [
    Uint8Array.of(0, 0, 1, 0),
    Uint8Array.of(0, 2, update.length, ...update),
    Uint8Array.of(1, 7, 1, 5, 1, 2, 123, 125),
    Uint8Array.of(3),
  ];
}

function mutated(frame: Uint8Array): Uint8Array {
  const copy = new Uint8Array(frame);
  const [at, value, cut] = randomBytes(3);
  copy[at! % copy.length] = value!;
  return cut! % 4 === 0 ? copy.subarray(0, cut! % (copy.length + 1)) : copy;
}

/** A y-websocket frame that announces one client. */
function awareness(client: number, clock: number, state: object | null): Uint8Array {
  const payload = encoding.createEncoder();
  encoding.writeVarUint(payload, 1);
  encoding.writeVarUint(payload, client);
  encoding.writeVarUint(payload, clock);
  encoding.writeVarString(payload, JSON.stringify(state));
  const frame = encoding.createEncoder();
  encoding.writeVarUint(frame, 1);
  encoding.writeVarUint8Array(frame, encoding.toUint8Array(payload));
  return encoding.toUint8Array(frame);
}

/** Asks a region to turn a connection into something else. */
const upgrade = (path: string, to: string): Promise<string> =>
  rawRequest(east, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: ${to}\r\n\r\n`);
