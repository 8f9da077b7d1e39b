import { LIMITS, base64url, canvasName, parseName, type ErrorCode } from '@causeway/protocol';
import { ERRORS } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import { EventEmitter } from 'node:events';
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import * as Y from 'yjs';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { AwarenessRooms } from '../awareness.ts';
import { step1Frame, updateFrame } from './frames.ts';
import { SyncSession } from './session.ts';

/** The server's end of a WebSocket whose other end the test is. */
class Socket extends EventEmitter {
  /** Messages that were written, whether or not the other end has read them. */
  readonly sent: Uint8Array[] = [];
  isPaused = false;
  closedWith: { code: number; reason: string } | undefined;
  isTerminated = false;
  pings = 0;
  /** While false, the kernel takes nothing. */
  reads = true;
  unread = 0;
  readonly #unread: (() => void)[] = [];
  /** What stands below it: every write is one whole frame. */
  readonly wire = {
    cork: () => undefined,
    uncork: () => undefined,
    write: (frame: Uint8Array, done: () => void = () => undefined) => {
      this.sent.push(payloadOf(frame));
      if (this.reads) return queueMicrotask(done);
      this.unread += frame.length;
      this.#unread.push(done);
    },
  } as unknown as Duplex;

  readAgain(): void {
    this.reads = true;
    this.unread = 0;
    for (const done of this.#unread.splice(0)) done();
  }

  close(code: number, reason: string): void {
    this.closedWith = { code, reason };
  }

  terminate(): void {
    this.isTerminated = true;
  }

  ping(): void {
    this.pings++;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  receives(data: Uint8Array, isBinary = true): void {
    this.emit('message', Buffer.from(data), isBinary);
  }
}

/** The payload of an unmasked frame. */
const payloadOf = (frame: Uint8Array): Uint8Array =>
  new Uint8Array(frame.subarray(frame[1]! < 126 ? 2 : frame[1] === 126 ? 4 : 10));

const CANVAS = canvasName('acme-id', base64url(randomBytes(16)));
const SEGMENT = 'acme-id/segment/general-id/1';
const EMPTY_VECTOR = Uint8Array.of(0);

let region: RegionInMemory;
let rooms: AwarenessRooms;
let closes: number;
beforeEach(async () => {
  region = await regionInMemory();
  rooms = new AwarenessRooms();
  closes = 0;
});

type Opened = { socket: Socket; session: SyncSession; opening: Promise<void> };

function start(document = CANVAS, expires = Number.POSITIVE_INFINITY, withCells = false): Opened {
  const socket = new Socket();
  const session = new SyncSession({
    socket: socket as unknown as WebSocket,
    wire: socket.wire,
    replica: region.replica,
    document,
    name: parseName(document)!,
    member: 'ada',
    expires,
    withCells,
    rooms,
    counts: region.metrics.outgoing,
    failed: () => undefined,
    closed: () => void closes++,
  });
  return { socket, session, opening: session.open() };
}

async function open(document = CANVAS, expires?: number): Promise<Opened> {
  const opened = start(document, expires);
  await opened.opening;
  return opened;
}

const listeners = async (document = CANVAS): Promise<number> =>
  (await region.replica.documents.open(document)).listeners.size;

/** An update that adds a text of so many characters. */
const written = (chars: number): Uint8Array => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, 'x'.repeat(chars));
  return Y.encodeStateAsUpdate(doc);
};

const expectClosed = (socket: Socket, code: ErrorCode): void =>
  expect(socket.closedWith).toMatchObject({ code: ERRORS[code].close });

describe('a session', () => {
  it('lets go of document, room and cells when its socket closes, at whatever moment of its opening', async () => {
    await region.replica.writeCanvas(CANVAS, written(10), 'ben');
    for (const document of [CANVAS, SEGMENT])
      for (let turns = 0; turns < 12; turns++) {
        const { socket, opening } = start(document, undefined, true);
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        socket.emit('close');
        await opening;
        expect(await listeners(document), `after ${turns} turns`).toBe(0);
        expect(rooms.size).toBe(0);
      }
    const { socket, opening } = start(SEGMENT, undefined, true);
    socket.emit('close');
    await opening;
    const before = socket.sent.length;
    region.replica.cells.committed({
      kind: 'cells',
      scope: 'acme-id/channel/general-id',
      cells: [{ key: 'topic', v: '1', value: 1 }],
    });
    expect(socket.sent.length).toBe(before);
    expect(closes).toBe(25);
  });

  it('two that open one canvas while a third leaves it are in one room', async () => {
    const leaving = await open();
    const [one, two] = [start(), start()];
    leaving.socket.emit('close');
    await Promise.all([one.opening, two.opening]);
    expect(rooms.size).toBe(1);
    for (const { socket } of [one, two]) socket.emit('close');
    expect(rooms.size).toBe(0);
  });

  it('a document that cannot be loaded closes it with not-ready, and leaves nothing', async () => {
    region.broken = true;
    for (let n = 0; n < 1_000; n++) {
      const { socket } = await open(canvasName('acme-id', `c${n}`));
      expectClosed(socket, 'not-ready');
      socket.emit('close');
    }
    expect(rooms.size).toBe(0);
    expect(closes).toBe(1_000);
    expect(region.replica.documents.size).toBe(0);
  });

  const FRAMES: [what: string, frame: Uint8Array, code: ErrorCode][] = [
    ['nothing', new Uint8Array(), 'malformed-frame'],
    ['an unknown type', Uint8Array.of(77), 'malformed-frame'],
    ['an unknown step', Uint8Array.of(0, 9, 0), 'malformed-frame'],
    ['a length beyond its end', Uint8Array.of(0, 2, 200, 1), 'malformed-frame'],
    ['a state vector that is none', step1Frame(Uint8Array.of(5)), 'malformed-frame'],
    ['an update that is none', updateFrame(Uint8Array.of(1, 2, 3)), 'malformed-frame'],
    ['half an update', updateFrame(written(100).subarray(0, 50)), 'malformed-frame'],
    ['an awareness message that is none', Uint8Array.of(1, 2, 9, 9), 'malformed-frame'],
    ['more than half a megabyte', new Uint8Array(LIMITS.frameBytes + 1), 'frame-too-large'],
  ];
  it.each(FRAMES)('%s closes it with a code, and another one goes on', async (_, frame, code) => {
    const [bad, honest] = [await open(), await open()];
    bad.socket.receives(frame);
    await expect.poll(() => bad.socket.closedWith).toBeDefined();
    expectClosed(bad.socket, code);
    honest.socket.receives(updateFrame(written(5)));
    const live = await region.replica.documents.open(CANVAS);
    await expect.poll(() => live.doc.getText('text').length).toBe(5);
    expect(honest.socket.closedWith).toBeUndefined();
    expect(live.listeners.size).toBe(1);
  });

  it('a text frame closes it with malformed-frame', async () => {
    const { socket } = await open();
    socket.receives(Buffer.from('hello'), false);
    expectClosed(socket, 'malformed-frame');
  });

  it('a channel document takes no update: closed with read-only, unchanged', async () => {
    const { socket } = await open(SEGMENT);
    socket.receives(updateFrame(written(5)));
    expectClosed(socket, 'read-only');
    const { doc } = await region.replica.documents.open(SEGMENT);
    expect(Y.encodeStateVector(doc)).toEqual(EMPTY_VECTOR);
  });

  it('R10 a flood of requests for the whole document is answered once or twice, not with gigabytes', async () => {
    await region.replica.writeCanvas(CANVAS, written(100_000), 'ben');
    const { socket } = await open();
    for (let n = 0; n < 5_000; n++) socket.receives(step1Frame(EMPTY_VECTOR));
    await expect.poll(() => textOf(readerOf(socket)).length).toBe(100_000);
    expect(socket.sent.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(400_000);
    expect(socket.closedWith).toBeUndefined();
  });

  it('R10 a reader that falls behind costs a megabyte, and gets differences of bounded size when it reads again', async () => {
    const { socket } = await open();
    socket.receives(step1Frame(EMPTY_VECTOR));
    await expect.poll(() => socket.sent.length).toBe(2);
    socket.reads = false;
    for (let n = 0; n < 60; n++) await region.replica.writeCanvas(CANVAS, written(50_000), 'ben');
    expect(socket.closedWith).toBeUndefined();
    expect(socket.unread).toBeLessThan(1.2 * 1024 * 1024);
    socket.readAgain();
    const live = await region.replica.documents.open(CANVAS);
    await expect.poll(() => textOf(readerOf(socket)) === textOf(live.doc)).toBe(true);
    expect(textOf(live.doc)).toHaveLength(3_000_000);
    expect(Math.max(...socket.sent.map(({ length }) => length))).toBeLessThan(260 * 1024);
    await region.replica.writeCanvas(CANVAS, written(7), 'ben');
    await expect.poll(() => textOf(readerOf(socket)).length).toBe(3_000_007);
  });

  it('a thin line may open a large document while others edit it', async () => {
    for (let n = 0; n < 60; n++) await region.replica.writeCanvas(CANVAS, written(50_000), 'ben');
    const { socket } = await open();
    socket.reads = false;
    socket.receives(step1Frame(EMPTY_VECTOR));
    for (let n = 1; n <= 30; n++) {
      await region.replica.writeCanvas(CANVAS, written(10), 'ben');
      socket.readAgain();
      socket.reads = false;
    }
    socket.readAgain();
    await expect.poll(() => textOf(readerOf(socket)).length).toBe(3_000_300);
    expect(socket.closedWith).toBeUndefined();
    // The last piece says that it is the last.
    expect(socket.sent.filter((message) => message[0] === 0 && message[1] === 1)).toHaveLength(1);
  });

  it('a stock client hears something in every 30 s, or it would reconnect', async () => {
    const { socket, session } = await open(SEGMENT);
    for (let beat = 1; beat <= 5; beat++) {
      session.beat(Date.now());
      socket.emit('pong');
      await expect.poll(() => socket.sent.length).toBe(beat);
    }
    expect(socket.sent.at(-1)).toEqual(Uint8Array.of(1, 1, 0));
    expect(socket.pings).toBe(5);
  });

  it('R11 a client that vanished without a word is given up', async () => {
    const { socket, session } = await open();
    for (let beat = 0; beat < 2; beat++) session.beat(Date.now());
    expect(socket.isTerminated).toBe(false);
    session.beat(Date.now());
    expect(socket.isTerminated).toBe(true);
  });

  it('ends when its token does', async () => {
    const { socket, session } = await open(CANVAS, 5_000);
    session.beat(4_999);
    expect(socket.closedWith).toBeUndefined();
    session.beat(5_000);
    expectClosed(socket, 'unauthorized');
  });

  it('5,000 random and mutated frames: none throws, an honest session beside them goes on', async () => {
    const honest = await open(canvasName('acme-id', base64url(randomBytes(16))));
    const whole = [
      step1Frame(EMPTY_VECTOR),
      updateFrame(written(20)),
      Uint8Array.of(1, 7, 1, 5, 1, 2, 123, 125),
      Uint8Array.of(3),
    ];
    let victim = await open();
    for (let n = 0; n < 5_000; n++) {
      if (victim.socket.closedWith !== undefined) {
        victim.socket.emit('close');
        victim = await open();
      }
      victim.socket.receives(n % 3 === 0 ? randomBytes(1 + (n % 40)) : mutated(whole[n % 4]!));
      if (n % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(honest.socket.closedWith).toBeUndefined();
    honest.socket.receives(updateFrame(written(3)));
    await expect.poll(() => region.replica.waiting.appends).toBe(0);
    expect(honest.socket.closedWith).toBeUndefined();
  });
});

/** What a client holds that has read every message so far, and never saw one that it could not integrate. */
const readerOf = ({ sent }: Socket): Y.Doc => {
  const doc = new Y.Doc();
  for (const message of sent) {
    if (message[0] !== 0 || message[1] === 0) continue;
    const from = decoding.createDecoder(message.subarray(2));
    Y.applyUpdate(doc, decoding.readVarUint8Array(from));
    expect(doc.store.pendingStructs).toBeNull();
  }
  return doc;
};
const textOf = (doc: Y.Doc): string => doc.getText('text').toString();

function mutated(frame: Uint8Array): Uint8Array {
  const copy = new Uint8Array(frame);
  const [at, value, cut] = randomBytes(3);
  copy[at! % copy.length] = value!;
  return cut! % 4 === 0 ? copy.subarray(0, cut! % (copy.length + 1)) : copy;
}
