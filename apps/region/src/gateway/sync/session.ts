import { CausewayError, ERRORS, LIMITS, channelScope, messageScope, type Name } from '@causeway/protocol';
import type { Reader, Replica } from '@causeway/replica';
import type { WebSocket } from 'ws';
import { Bucket } from '../../rate-limit.ts';
import { asCausewayError } from '../problems.ts';
import type { AwarenessPeer, AwarenessRoom } from './awareness.ts';
import {
  awarenessFrame,
  cellsFrame,
  deniedFrame,
  readFrame,
  step1Frame,
  step2Frame,
  updateFrame,
  type Frame,
} from './frames.ts';

/** Bytes that may wait in one socket; a reader that falls further behind reconnects and catches up by difference. */
const BACKLOG_BYTES = 1024 * 1024;
/** What one socket may send: frames and bytes, on average a second and at once. */
const FRAMES = { perSecond: 2_000, burst: 40_000 } as const;
const BYTES = { perSecond: 2 * 1024 * 1024, burst: 32 * 1024 * 1024 } as const;
/** Frames taken from a socket whose writes are not committed yet; beyond it we stop reading it. */
const UNCOMMITTED = 256;

export type SessionParts = {
  socket: WebSocket;
  replica: Replica;
  /** The document's full name, by ids. */
  document: string;
  name: Name;
  member: string;
  /** Send the cells of a segment's messages too. */
  withCells: boolean;
  room: AwarenessRoom | undefined;
  closed(code: string | undefined): void;
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
  #reader: Reader | undefined;
  #unsubscribe: () => void = () => undefined;
  #closedWith: string | undefined;
  #closed = false;
  #uncommitted = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { socket } = parts;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('close', () => this.#ended());
    // ws has closed the socket with the right code by itself (1009 for an oversized frame).
    socket.on('error', () => undefined);
  }

  async open(): Promise<void> {
    const { replica, document, room } = this.#parts;
    try {
      const reader = await replica.join(document, {
        update: (bytes) => this.#write(updateFrame(bytes)),
        dropped: () => this.fail(new CausewayError('not-committed', 'a write failed; reconnect to continue')),
      });
      if (this.#closed) return reader.close();
      this.#reader = reader;
      // A canvas takes what the client has and we lack; a segment takes nothing.
      if (this.#writable) this.#write(step1Frame((await reader.read()).stateVector));
      await this.#sendCells();
      room?.join(this);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Awareness of others in the same document. */
  send(payload: Uint8Array): void {
    this.#write(awarenessFrame(payload));
  }

  /** Closes with the code of the error; what the client should do next is in the code's range. */
  fail(cause: unknown): void {
    if (this.#closed || this.#closedWith !== undefined) return;
    const error = asCausewayError(cause);
    this.#closedWith = error.code;
    this.#parts.socket.close(ERRORS[error.code].close, error.message.slice(0, 120));
  }

  get #writable(): boolean {
    return this.#parts.name.kind === 'canvas';
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#closedWith !== undefined) return;
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
        void this.#answer(frame.stateVector);
        break;
      case 'update':
        void this.#take(frame.bytes);
        break;
      case 'awareness':
        if (this.#parts.room?.announce(this, frame.payload) === false)
          this.fail(new CausewayError('malformed-frame', 'the awareness message is malformed or too large'));
        break;
      case 'query-awareness':
        // The room tells a socket everything when it joins and every change after that.
        break;
    }
  }

  async #answer(stateVector: Uint8Array): Promise<void> {
    try {
      this.#write(step2Frame((await this.#reader!.read(stateVector)).difference));
    } catch (error) {
      // Yjs throws on bytes that are no state vector; a failed commit is already one of ours.
      this.fail(
        error instanceof CausewayError
          ? error
          : new CausewayError('malformed-frame', 'this is no state vector'),
      );
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (isEmpty(bytes)) return;
    if (!this.#writable) {
      const why = 'messages are written by commands: POST /v1/workspaces/…/messages';
      this.#write(deniedFrame(why));
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
    this.#write(cellsFrame(await replica.loadCells([channel, ...messages])));
  }

  #write(data: Uint8Array): void {
    const { socket } = this.#parts;
    if (this.#closed || this.#closedWith !== undefined) return;
    if (socket.bufferedAmount > BACKLOG_BYTES)
      return this.fail(new CausewayError('too-slow', 'the reader fell behind; reconnect to catch up'));
    socket.send(data);
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader?.close();
    this.#unsubscribe();
    this.#parts.room?.leave(this);
    this.#parts.closed(this.#closedWith);
  }
}

/** An update without structs and deletes, which providers send when they have nothing new. */
const isEmpty = (bytes: Uint8Array): boolean => bytes.length === 2 && bytes[0] === 0 && bytes[1] === 0;
