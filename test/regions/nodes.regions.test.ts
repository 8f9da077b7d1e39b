import type { World } from '@causeway/local';
import { segmentName, type Ack } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { createCanvas } from './door-pair.ts';
import { RawSocket } from './door-socket.ts';
import { connectDocument, openDocument, reencoded } from './documents.ts';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west'] as const;
const [EAST, WEST] = REGIONS;

describe('two regions of two servers each', () => {
  let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
  let world: World;
  let token: string;
  /** Of all four servers. */
  let urls: string[];
  let tests = 0;

  beforeAll(async () => {
    opened = await testWorld({ regions: REGIONS, servers: 2, delayMs: 20 });
    world = opened.world;
    token = await world.token('ada');
    urls = REGIONS.flatMap((region) => world.regions[region]!.urls);
  });

  afterAll(async () => {
    await opened?.[Symbol.asyncDispose]();
  });

  /** What the messages of a test begin with. */
  const prefix = (): string => `test ${++tests}:`;
  const bodiesAt = async (url: string, of: string): Promise<string[]> =>
    (await new Speaker(url, token).everything())
      .map(({ body }) => body)
      .filter((body) => body.startsWith(of))
      .sort();

  /** Every server shows exactly this. */
  async function everywhere(of: string, bodies: readonly string[]): Promise<void> {
    for (const url of urls)
      await eventually(
        `everything at ${url}`,
        () => bodiesAt(url, of),
        (found) => found.length >= bodies.length,
      );
    for (const url of urls) expect(await bodiesAt(url, of), url).toEqual([...bodies].sort());
  }

  /** Sends a command to a server; the id of its message. */
  const send = async (url: string, command: object): Promise<string> => {
    const answer = await new Speaker(url, token).request('POST', '/messages', command);
    expect(answer.status).toBe(201);
    return ((await answer.json()) as Ack).id;
  };

  const peerOf = async (region: string) =>
    (await world.status()).regions.find((found) => found.region === region)!.peers[0]!;

  it('R4 a command that is sent to all servers of all regions, at once and again, is one message (PAINS 18)', async () => {
    const of = prefix();
    const commands = Array.from({ length: 20 }, (_, at) => ({
      body: `${of} once ${at}`,
      nonce: randomBytes(16).toString('base64url'),
    }));
    const ids = await Promise.all(
      commands.map((command) => Promise.all(urls.map((url) => send(url, command)))),
    );
    for (const answers of ids) expect(new Set(answers).size).toBe(1);
    await everywhere(
      of,
      commands.map(({ body }) => body),
    );
    for (const [at, command] of commands.entries())
      expect(await send(urls[at % urls.length]!, command)).toBe(ids[at]![0]);
    await everywhere(
      of,
      commands.map(({ body }) => body),
    );
  });

  it('R4 R5 commands that a killed server did not answer go to the next server, and are one message each (PAINS 18)', async () => {
    const of = prefix();
    const bodies = Array.from({ length: 120 }, (_, at) => `${of} survives ${at}`);
    const left = [...bodies];
    let doubtful = 0;
    let killing: Promise<void> | undefined;
    const lane = async (): Promise<void> => {
      for (let body = left.shift(); body !== undefined; body = left.shift()) {
        const command = { body, nonce: randomBytes(16).toString('base64url') };
        // To the servers in turn, until one acknowledges.
        for (let at = 0; ; at++) {
          const speaker = new Speaker(urls[at % urls.length]!, token);
          const answer = await speaker.request('POST', '/messages', command).catch(() => undefined);
          if (answer?.status === 201) break;
          expect(answer?.status ?? 503).toBe(503);
          doubtful++;
        }
        if (left.length < 80) killing ??= world.kill(EAST, 'server');
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    await killing;
    expect(doubtful).toBeGreaterThan(0);
    await world.restart(EAST, 'server');
    await everywhere(of, bodies);
  });

  it('R15 a reader goes on at another server, and at another region, with the difference only (PAINS 18)', async () => {
    const name = await createCanvas(urls[0]!, token);
    const { doc, provider } = await openDocument(urls[0]!, name, token);
    doc.getText('text').insert(0, randomBytes(150 * 1024).toString('hex'));
    const whole = Y.encodeStateAsUpdate(doc).length;
    for (const url of urls)
      await eventually(
        `all of it at ${url}`,
        () => differenceAt(url, token, name, new Y.Doc()),
        ({ received }) => received >= whole,
      );
    provider.destroy();
    for (const [at, url] of urls.entries()) {
      // Somebody goes on at the next server meanwhile.
      const other = await openDocument(urls[(at + 1) % urls.length]!, name, token);
      const words = `meanwhile ${at} `;
      other.doc.getText('text').insert(0, words);
      const { received } = await eventually(
        `what was missed at ${url}`,
        () => differenceAt(url, token, name, doc),
        () => doc.getText('text').toString().startsWith(words),
      );
      expect(received).toBeLessThan(2_000);
      other.provider.destroy();
    }
  });

  it('R3 R15 kill -9 of each broker in turn while all servers take posts: nothing acknowledged is lost, and the lag shows it (PAINS 19)', async () => {
    const of = prefix();
    const acknowledged: string[] = [];
    const over = new AbortController();
    const post = async (url: string): Promise<void> => {
      const speaker = new Speaker(url, token);
      for (let at = 0; !over.signal.aborted; at++) {
        const body = `${of} ${url} ${at}`;
        await speaker.post(body);
        acknowledged.push(body);
      }
    };
    const posting = urls.map(post);
    try {
      for (const [broker, reader] of [REGIONS, REGIONS.toReversed()] as [string, string][]) {
        const before = acknowledged.length;
        await world.kill(broker, 'nats');
        await eventually(
          `${reader} says that it has heard nothing of ${broker} for a while`,
          () => peerOf(reader),
          ({ connected, heardAt }) => !connected && Date.now() - heardAt! > 2_500,
        );
        await eventually(
          'they go on',
          async () => acknowledged.length - before,
          (count) => count >= 20,
        );
        await world.restart(broker, 'nats');
        await eventually(
          `${reader} hears ${broker} again`,
          () => peerOf(reader),
          ({ connected, heardAt = 0 }) => connected && Date.now() - heardAt < 2_000,
        );
      }
    } finally {
      over.abort();
    }
    await Promise.all(posting);
    await everywhere(of, acknowledged);
  });

  it('R5 R15 a cut of a few seconds is reconciled within 5 s of healing (PAINS 17)', async () => {
    const of = prefix();
    const bodies = [`${of} before`];
    await new Speaker(urls[0]!, token).post(bodies[0]!);
    await everywhere(of, bodies);
    world.links.cut(EAST, WEST, { mode: 'black-hole' });
    await world.links.assertCut(EAST, WEST);
    try {
      for (const region of REGIONS)
        await eventually(
          `${region} notices`,
          () => peerOf(region),
          ({ connected }) => !connected,
        );
      for (const url of urls) {
        bodies.push(`${of} ${url}`);
        await new Speaker(url, token).post(`${of} ${url}`);
      }
      await eventually(
        'each side has its own',
        () => Promise.all(urls.map((url) => bodiesAt(url, of))),
        (found) => found.every(({ length }) => length === 3),
      );
    } finally {
      await world.links.heal();
    }
    const healed = performance.now();
    await everywhere(of, bodies);
    expect(performance.now() - healed).toBeLessThan(5_000);
    const name = segmentName('demo', 'general', 1);
    await eventually(
      `${name} equal byte for byte`,
      () => Promise.all(urls.map((url) => reencoded(url, name, token))),
      (copies) => new Set(copies).size === 1,
    );
  });

  it('R2 R3 SIGTERM in the middle of edits: what anybody saw is there at once, and everything when the writer is back (PAINS 3)', async () => {
    const [url, beside] = world.regions[EAST]!.urls as [string, string];
    const name = await createCanvas(url, token);
    const watcher = await openDocument(url, name, token);
    const writer = new Y.Doc();
    const provider = connectDocument(writer, url, name, token);
    await eventually('the writer is in', async () => provider.synced, Boolean);
    const words = writer.getArray<number>('words');
    let stopping: Promise<void> | undefined;
    for (let word = 0; word < 600; word++) {
      words.push([word]);
      if (word === 300) stopping = world.stopPart(EAST, 'server');
      // As fast as a process gets a turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stopping;
    const seen = watcher.doc.getArray<number>('words').length;
    watcher.provider.destroy();
    // The other server of the region has heard nothing of it but what rests in the database.
    const { doc, provider: reader } = await openDocument(beside, name, token);
    expect(doc.getArray('words').length).toBeGreaterThanOrEqual(seen);
    reader.destroy();
    await world.restart(EAST, 'server');
    for (const each of urls)
      await eventually(
        `all edits at ${each}`,
        () => reencoded(each, name, token),
        (copy) => arrayIn(copy).length === 600,
      );
    provider.destroy();
  });
});

const arrayIn = (copy: string): unknown[] => {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, Buffer.from(copy, 'base64'));
  return doc.getArray('words').toArray();
};

/** Takes over what a server has and the document lacks, as a client that connects again does; bytes that it was sent. */
async function differenceAt(
  url: string,
  token: string,
  name: string,
  doc: Y.Doc,
): Promise<{ received: number }> {
  const socket = new RawSocket(url, name, token);
  await socket.isIn();
  const question = encoding.createEncoder();
  encoding.writeVarUint(question, 0);
  encoding.writeVarUint(question, 0);
  encoding.writeVarUint8Array(question, Y.encodeStateVector(doc));
  socket.send(encoding.toUint8Array(question));
  const answer = await eventually(
    'the difference',
    async () => socket.frames.map(stepTwo).find((update) => update !== undefined),
    (update) => update !== undefined,
  );
  socket.socket.close();
  Y.applyUpdate(doc, answer!);
  return { received: socket.frames.reduce((sum, frame) => sum + frame.length, 0) };
}

/** The update in an answer to a state vector. */
function stepTwo(frame: Uint8Array): Uint8Array | undefined {
  const from = decoding.createDecoder(new Uint8Array(frame));
  if (decoding.readVarUint(from) !== 0 || decoding.readVarUint(from) !== 1) return undefined;
  return decoding.readVarUint8Array(from);
}
