import { freePort, startTestPostgres, type World } from '@causeway/local';
import { ERRORS, type Ack, type Problem } from '@causeway/protocol';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import postgres from 'postgres';
import { manifestLike, runServer } from './door-process.ts';
import { HonestPair, createCanvas } from './door-pair.ts';
import { RawSocket } from './door-socket.ts';
import { openDocument } from './documents.ts';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west'] as const;

let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
let world: World;
let east: string;
let west: string;
let token: string;
let ada: Speaker;

beforeAll(async () => {
  opened = await testWorld({ regions: REGIONS, delayMs: 2 });
  world = opened.world;
  [east, west] = REGIONS.map((region) => world.regions[region]!.url) as [string, string];
  token = await world.token('ada');
  ada = new Speaker(east, token);
});

afterAll(async () => {
  await opened?.[Symbol.asyncDispose]();
});

const readiness = async (url: string): Promise<number> => (await fetch(`${url}/readyz`)).status;

const bodiesIn = async (url: string): Promise<string[]> =>
  (await new Speaker(url, token).everything()).map(({ body }) => body);

describe('the doors while something is broken', () => {
  it('R10 paused readers of 20 MB cost the server no memory to speak of, and get what they lack when they read again', async () => {
    const pair = await HonestPair.open([east, west], token);
    const document = await createCanvas(east, token);
    const paused = Array.from({ length: 20 }, () => new RawSocket(east, document, token));
    await Promise.all(paused.map((reader) => reader.isIn()));
    for (const reader of paused) reader.send(Uint8Array.of(0, 0, 1, 0));
    await eventually(
      'an answer to each',
      async () => paused.every(({ frames }) => frames.length > 1),
      Boolean,
    );
    for (const { socket } of paused) socket.pause();
    const before = await memoryOf('us-east');
    let most = 0;
    const writer = new RawSocket(east, document, token);
    await writer.isIn();
    const updates = updatesOf(20 * 1024 * 1024, 128 * 1024);
    for (const [at, update] of updates.entries()) {
      writer.send(update);
      if (at % 20 !== 0) continue;
      await pair.converge();
      most = Math.max(most, await memoryOf('us-east'));
    }
    const last = `${updates.length - 1}`.padEnd(128 * 1024, 'x');
    await eventually('the last update', async () => (await valueFor(document)) === last, Boolean);
    for (const { socket } of paused) socket.resume();
    await eventually(
      'everything at each reader',
      async () => paused.map(valueOf),
      (values) => values.every((value) => value === last),
    );
    for (const { socket } of paused) socket.close();
    // Twenty readers of 20 MB would be 400 MB; what there is, is the garbage of one writer.
    expect(most - before).toBeLessThan(220 * 1024 * 1024);
    await pair.isUndisturbed();
    const { doc, provider } = await openDocument(east, document, token);
    expect(doc.getMap('map').size).toBe(1);
    provider.destroy();
    writer.socket.close();
    pair.close();
  });

  it('R5 with NATS stopped it stays ready and acknowledges; the peer gets it when NATS is back (PAINS 5)', async () => {
    const pair = await HonestPair.open([east, west], token);
    await world.stopPart('us-east', 'nats');
    const { id } = await ada.post('without a broker');
    expect(await readiness(east)).toBe(200);
    pair.docs[0]!.getText('text').insert(0, 'offline');
    expect(await bodiesIn(east)).toContain('without a broker');
    await world.restart('us-east', 'nats');
    await eventually(
      'the post in the other region',
      async () => (await new Speaker(west, token).everything()).map((message) => message.id),
      (ids) => ids.includes(id),
    );
    await pair.isUndisturbed();
    expect(pair.docs[1]!.getText('text').toString()).toBe('offline');
    pair.close();
  });

  it('R2 with Postgres stopped it is not ready, acknowledges nothing and says retry; then it goes on by itself', async () => {
    const pair = await HonestPair.open([east, west], token);
    await ada.post('before');
    await world.stopPart('us-east', 'postgres');
    await eventually(
      'not ready',
      () => readiness(east),
      (status) => status === 503,
    );
    expect((await fetch(`${east}/healthz`)).status).toBe(200);
    for (const [method, path, body] of [
      ['POST', '/messages', { body: 'never said' }],
      ['GET', '/messages', undefined],
      ['PUT', '/topic', { topic: 'never set' }],
    ] as const) {
      const answer = await ada.request(method, path, body);
      expect(answer.status, method).toBe(503);
      expect(await answer.json()).toMatchObject({ next: 'retry' });
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    const refused = await new RawSocket(east, 'demo/segment/random/1', token).closed;
    expect(refused.code).toBe(ERRORS['not-ready'].close);
    pair.docs[0]!.getText('text').insert(0, 'kept by its author');
    await eventually(
      'the writer to be told',
      async () => pair.disturbances,
      (codes) => codes.includes(ERRORS['not-committed'].close),
    );
    expect(pair.docs[1]!.getText('text').toString()).toBe('');
    await world.restart('us-east', 'postgres');
    await eventually(
      'ready again',
      () => readiness(east),
      (status) => status === 200,
    );
    await ada.post('after');
    expect(await bodiesIn(east)).not.toContain('never said');
    await pair.converge();
    expect(pair.docs[1]!.getText('text').toString()).toBe('kept by its author');
    pair.close();
  });

  it('R3 SIGTERM in the middle of 200 posts: what was acknowledged is there, the others were told (PAINS 3)', async () => {
    const speaker = new Speaker(east, token, 'demo', 'random');
    const reader = new RawSocket(east, 'demo/segment/random/1', token);
    await reader.opened;
    const document = await createCanvas(east, token);
    const watcher = new RawSocket(east, document, token);
    await watcher.isIn();
    const acks: Ack[] = [];
    const told: string[] = [];
    let stopping: Promise<void> | undefined;
    const post = async (at: number): Promise<void> => {
      const answer = await speaker
        .request('POST', '/messages', { body: `last words ${at}` })
        .catch(() => undefined);
      if (answer?.status === 201) acks.push((await answer.json()) as Ack);
      else told.push(answer === undefined ? 'unreachable' : ((await answer.json()) as Problem).code);
      if (acks.length === 60) stopping ??= world.stopPart('us-east', 'server');
    };
    const posts = Array.from({ length: 200 }, (_, at) => at);
    const lane = async (): Promise<void> => {
      for (let at = posts.shift(); at !== undefined; at = posts.shift()) await post(at);
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    await stopping;
    expect(acks.length).toBeGreaterThanOrEqual(60);
    expect(acks.length + told.length).toBe(200);
    // A connection that dies in the middle would leave its client in doubt.
    expect(told.filter((code) => !['shutting-down', 'unreachable'].includes(code))).toEqual([]);
    for (const { closed } of [reader, watcher])
      expect((await closed).code).toBe(ERRORS['shutting-down'].close);
    const log = await readFile(join(world.home, 'logs', 'us-east-server.log'), 'utf8');
    expect(log).not.toMatch(/cannot serve|rror:/);
    await world.restart('us-east', 'server');
    for (const url of [east, west]) {
      const there = new Speaker(url, token, 'demo', 'random');
      const ids = await eventually(
        'what was acknowledged',
        async () => (await there.everything()).map(({ id }) => id),
        (found) => acks.every(({ id }) => found.includes(id)),
      );
      expect(new Set(ids).size).toBe(ids.length);
    }
  });
});

describe.concurrent('a server that cannot start says why, exits and leaves nothing running', () => {
  it('its port is taken: one clear line, code 1, and the server that has it goes on', async () => {
    const { code, output } = await runServer(manifest('taken', () => undefined));
    expect(code).toBe(1);
    expect(output).toMatch(/"msg":"cannot serve"/);
    expect(output).toContain('EADDRINUSE');
    expect(await readiness(east)).toBe(200);
  });

  it('Postgres is not there: one clear line and code 1, without the password', async () => {
    const port = await freePort();
    const { code, output } = await runServer(
      manifest('absent', (it) => (it.postgres = `postgres://causeway:hushhush@127.0.0.1:${port}/postgres`)),
    );
    expect(code).toBe(1);
    expect(output).toContain('no connection to Postgres');
    expect(output).not.toContain('hushhush');
  });

  it('R2 the database would acknowledge what a crash loses: synchronous_commit off', async () => {
    const url = new URL(world.regions['us-east']!.postgresUrl);
    const sql = postgres(url.href, { max: 1, fetch_types: false });
    await sql.unsafe('create database careless');
    await sql.unsafe('alter database careless set synchronous_commit = off');
    await sql.end();
    url.pathname = '/careless';
    const { code, output } = await runServer(manifest('careless', (it) => (it.postgres = url.href)));
    expect(code).toBe(1);
    expect(output).toContain('Postgres runs with synchronous_commit = off');
  });

  it('R2 the database would acknowledge what a crash loses: fsync off', async () => {
    const careless = await startTestPostgres({ fsync: 'off' });
    try {
      const { code, output } = await runServer(
        manifest('no-fsync', (it) => (it.postgres = careless.server.url)),
      );
      expect(code).toBe(1);
      expect(output).toContain('Postgres runs with fsync = off');
    } finally {
      await careless.stop();
    }
  });

  it('the manifest is wrong: a sentence and code 2, or code 1 for a key that is none', async () => {
    const contradiction = manifest('contradiction', (it) => it.regions.splice(0, 1));
    expect(await runServer(contradiction)).toMatchObject({
      code: 2,
      output: expect.stringContaining('/regions does not list this region, us-east'),
    });
    const key = manifest('key', (it) => (it.regions[0]!.publicKey.x = '!'));
    expect(await runServer(key)).toMatchObject({
      code: 1,
      output: expect.stringContaining('the public key of region us-east'),
    });
  });

  it('it ends with code 0 at SIGTERM also when Postgres and NATS are gone', async () => {
    const deaf = await startTestPostgres();
    let silenced: Promise<void> | undefined;
    const ended = await runServer(
      manifest('deaf', (it) => {
        it.postgres = deaf.server.url;
        it.listen.port = 0;
        for (const { nats } of it.zones) nats.url = 'nats://127.0.0.1:1';
      }),
      (output, end) => {
        if (output.includes('"msg":"serving"')) silenced ??= deaf.server.kill().then(end);
      },
    );
    await deaf.stop();
    expect(ended).toMatchObject({ code: 0, output: expect.stringContaining('"msg":"stopping"') });
  });
});

/** The environment of a server whose manifest differs from that of us-east. */
const manifest = (name: string, change: Parameters<typeof manifestLike>[2]): Record<string, string> => ({
  CAUSEWAY_CONFIG: manifestLike(world.regions['us-east']!.manifestFile, name, change),
});

/** Bytes in memory of a region's server, as the kernel counts them. */
async function memoryOf(region: string): Promise<number> {
  const { regions } = await world.status();
  const { pid } = regions.find((found) => found.region === region)!.parts.server;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/** What a new reader finds under the key. */
async function valueFor(document: string): Promise<unknown> {
  const { doc, provider } = await openDocument(east, document, token);
  provider.destroy();
  return doc.getMap('map').get('key');
}

/** What a reader that was sent these frames has under the key. */
function valueOf({ frames }: RawSocket): unknown {
  const doc = new Y.Doc();
  for (const frame of frames) {
    if (frame[0] !== 0 || frame[1] === 0) continue;
    Y.applyUpdate(doc, decoding.readVarUint8Array(decoding.createDecoder(frame.subarray(2))));
  }
  return doc.getMap('map').get('key');
}

/** Frames that write one key of a map over and over, so many bytes altogether. */
function updatesOf(bytes: number, each: number): Uint8Array[] {
  const doc = new Y.Doc();
  const frames: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => {
    const frame = encoding.createEncoder();
    encoding.writeVarUint(frame, 0);
    encoding.writeVarUint(frame, 2);
    encoding.writeVarUint8Array(frame, update);
    frames.push(encoding.toUint8Array(frame));
  });
  for (let at = 0; at < bytes / each; at++) doc.getMap('map').set('key', `${at}`.padEnd(each, 'x'));
  return frames;
}
