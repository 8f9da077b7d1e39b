import {
  CausewayError,
  LIMITS,
  channelScope,
  messageScope,
  type ErrorCode,
  type Name,
} from '@causeway/protocol';
import type { Reader, Replica } from '@causeway/replica';
import type { WebSocket } from 'ws';
import { Bucket } from '../../rate-limit.ts';
import { asCausewayError } from '../problems.ts';
import { NOBODY, type AwarenessPeer, type AwarenessRoom, type AwarenessRooms } from './awareness.ts';
import { closeWith } from './closing.ts';
import {
  awarenessFrame,
  cellsFrame,
  readFrame,
  step1Frame,
  step2Frame,
  updateFrame,
  type Frame,
} from './frames.ts';

/**
 * Bytes that may wait in one socket besides the answer under way; a reader that falls further
 * behind reconnects and catches up by difference.
 */
const BACKLOG_BYTES = 1024 * 1024;
/** What one socket may send: frames and bytes, on average a second and at once. */
const FRAMES = { perSecond: 2_000, burst: 40_000 } as const;
const BYTES = { perSecond: 2 * 1024 * 1024, burst: 32 * 1024 * 1024 } as const;
/** Frames taken from a socket whose writes are not committed yet; beyond it we stop reading it. */
const UNCOMMITTED = 256;
/** Differences that a socket may have asked for and not got; each can be as large as the document. */
const ASKED = 8;
/** Beats without a sign of life after which a client is given up. */
const SILENT_BEATS = 2;

export type SessionParts = {
  socket: WebSocket;
  replica: Replica;
  /** The document's full name, by ids. */
  document: string;
  name: Name;
  member: string;
  /** When the token expires, milliseconds since 1970. */
  expires: number;
  /** Send the cells of a segment's messages too. */
  withCells: boolean;
  /** Where canvases show who is there. */
  rooms: AwarenessRooms;
  /** We close it, for this reason. */
  failed(code: ErrorCode): void;
  /** It is closed, whoever did it. */
  closed(): void;
};

/**
 * One socket of the `/v1/sync` door: one document, the y-websocket protocol. A canvas is
 * read and written; a segment is read, its messages come by command. The socket is paused until
 * `open` has resolved, so frames that come early wait in the kernel.
 */
export class SyncSession implements AwarenessPeer {
  readonly #parts: SessionParts;
  readonly #frames = new Bucket(FRAMES.perSecond, FRAMES.burst, Date.now());
  readonly #bytes = new Bucket(BYTES.perSecond, BYTES.burst, Date.now());
  readonly #asked: Uint8Array[] = [];
  #answering = false;
  /** Bytes of the answer that is on its way out. */
  #owed = 0;
  #reader: Reader | undefined;
  #room: AwarenessRoom | undefined;
  #unsubscribe: () => void = () => undefined;
  #hasFailed = false;
  #isClosed = false;
  #uncommitted = 0;
  #silentBeats = 0;
  #isTold = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { socket } = parts;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('pong', () => (this.#silentBeats = 0));
    socket.on('close', () => this.#ended());
  }

  get member(): string {
    return this.#parts.member;
  }

  /** Never rejects: a session that cannot be opened is closed with the reason. */
  async open(): Promise<void> {
    const { replica, document } = this.#parts;
    try {
      const reader = await replica.join(document, {
        update: (bytes) => this.#write(updateFrame(bytes)),
        dropped: (why) =>
          this.fail(why ?? new CausewayError('not-committed', 'a write failed; reconnect to continue')),
      });
      if (this.#isOver) return reader.close();
      this.#reader = reader;
      if (this.#isWritable) await this.#openCanvas(reader);
      else await this.#sendCells();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Awareness of others in the same document. */
  send(payload: Uint8Array): void {
    this.#write(awarenessFrame(payload));
  }

  /** Closes with the code of the error, and lets go of the document at once. */
  fail(cause: unknown): void {
    if (this.#isOver) return;
    const error = asCausewayError(cause);
    this.#hasFailed = true;
    this.#parts.failed(error.code);
    this.#letGo();
    closeWith(this.#parts.socket, error);
  }

  /**
   * To be called every ten seconds or so. Ends what an expired token opened, and clients that
   * vanished without a word. The stock provider reconnects after 30 s without a message, and pings
   * are none to it: whom we had nothing to say is sent a frame that says nothing.
   */
  beat(now: number): void {
    const { socket, expires } = this.#parts;
    if (this.#isOver) return;
    if (now >= expires) return this.fail(new CausewayError('unauthorized', 'the token has expired'));
    // Nothing is heard of a socket that we do not read.
    if (socket.isPaused) this.#silentBeats = 0;
    if (this.#silentBeats++ >= SILENT_BEATS) return socket.terminate();
    socket.ping();
    if (!this.#isTold) this.send(NOBODY);
    this.#isTold = false;
  }

  get #isWritable(): boolean {
    return this.#parts.name.kind === 'canvas';
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#hasFailed;
  }

  /** A canvas takes what the client has and we lack; a segment takes nothing. */
  async #openCanvas(reader: Reader): Promise<void> {
    const { stateVector } = await reader.read();
    if (this.#isOver) return;
    this.#write(step1Frame(stateVector));
    this.#room = this.#parts.rooms.join(this.#parts.document, this);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    // Frames that a socket still held when it closed come even though it is paused.
    if (this.#isOver || this.#reader === undefined) return;
    this.#silentBeats = 0;
    const now = Date.now();
    if (!isBinary) return this.fail(new CausewayError('malformed-frame', 'frames of this door are binary'));
    if (data.length > LIMITS.frameBytes)
      return this.fail(
        new CausewayError('frame-too-large', `a frame holds at most ${LIMITS.frameBytes} bytes`),
      );
    if (!this.#frames.take(1, now) || !this.#bytes.take(data.length, now))
      return this.fail(
        new CausewayError('rate-limited', 'too much at once; reconnect and go on more slowly'),
      );
    try {
      this.#act(readFrame(data));
    } catch (error) {
      this.fail(error);
    }
  }

  #act(frame: Frame): void {
    switch (frame.kind) {
      case 'step1':
        this.#ask(frame.stateVector);
        break;
      case 'update':
        void this.#take(frame.bytes);
        break;
      case 'awareness':
        if (this.#room?.announce(this, frame.payload) === false)
          this.fail(new CausewayError('malformed-frame', 'the awareness message is malformed or too large'));
        break;
      case 'query-awareness':
        // The room tells a socket everything when it joins and every change after that.
        break;
    }
  }

  #ask(stateVector: Uint8Array): void {
    if (this.#asked.length >= ASKED)
      return this.fail(new CausewayError('rate-limited', 'wait for the answer before you ask again'));
    this.#asked.push(stateVector);
    if (!this.#answering) void this.#answer();
  }

  /** One difference after another, the next when the last has left: a frame of three bytes asks for megabytes. */
  async #answer(): Promise<void> {
    this.#answering = true;
    try {
      for (let asked = this.#asked.shift(); asked !== undefined; asked = this.#asked.shift()) {
        const { difference } = await this.#reader!.read(asked);
        await this.#writeWhole(step2Frame(difference));
        if (this.#isOver) return;
      }
    } catch (error) {
      // Yjs throws on bytes that are no state vector; a failed commit is already one of ours.
      this.fail(
        error instanceof CausewayError
          ? error
          : new CausewayError('malformed-frame', 'this is no state vector'),
      );
    } finally {
      this.#answering = false;
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (isEmpty(bytes)) return;
    if (!this.#isWritable) {
      // No y-protocols "permission denied" before it: the stock provider prints its URL, token included.
      const why = 'messages are written by commands: POST /v1/workspaces/…/messages';
      return this.fail(new CausewayError('read-only', why));
    }
    const { socket, replica, document, member } = this.#parts;
    if (++this.#uncommitted > UNCOMMITTED) socket.pause();
    try {
      await replica.writeCanvas(document, bytes, member);
    } catch (error) {
      this.fail(error);
    } finally {
      if (--this.#uncommitted <= UNCOMMITTED && socket.isPaused) socket.resume();
    }
  }

  /** The channel's cells and the reactions of the segment's messages, then every change of them. */
  async #sendCells(): Promise<void> {
    const { replica, name, withCells, document } = this.#parts;
    if (!withCells || name.kind !== 'segment') return;
    const channel = channelScope(name.workspace, name.channel);
    this.#unsubscribe = replica.subscribeCells(channel, (scope, cells) =>
      this.#write(cellsFrame(cells.map((cell) => ({ scope, ...cell })))),
    );
    const live = await replica.documents.open(document);
    const messages = [...live.segment!.ids()].map((id) => messageScope(name.workspace, name.channel, id));
    void this.#writeWhole(cellsFrame(await replica.loadCells([channel, ...messages])));
  }

  #write(data: Uint8Array): void {
    const { socket } = this.#parts;
    if (this.#isOver) return;
    if (socket.bufferedAmount - this.#owed > BACKLOG_BYTES)
      return this.fail(new CausewayError('too-slow', 'the reader fell behind; reconnect to catch up'));
    this.#isTold = true;
    socket.send(data);
  }

  /**
   * Something of any size that the client asked for; resolves when it has left. It does not count
   * as backlog: a reader on a thin line could otherwise never open a large document that others edit.
   */
  async #writeWhole(data: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    this.#isTold = true;
    this.#owed += data.length;
    await new Promise<void>((resolve) => this.#parts.socket.send(data, () => resolve()));
    this.#owed -= data.length;
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#letGo();
    this.#parts.closed();
  }

  #letGo(): void {
    this.#reader?.close();
    this.#unsubscribe();
    this.#asked.length = 0;
    if (this.#room !== undefined) this.#parts.rooms.leave(this.#parts.document, this);
    this.#room = undefined;
  }
}

/** An update without structs and deletes, which providers send when they have nothing new. */
const isEmpty = (bytes: Uint8Array): boolean => bytes.length === 2 && bytes[0] === 0 && bytes[1] === 0;
