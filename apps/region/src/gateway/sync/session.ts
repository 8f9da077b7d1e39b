import {
  CausewayError,
  LIMITS,
  channelScope,
  messageScope,
  type ErrorCode,
  type Name,
} from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { Bucket } from '../../rate-limit.ts';
import { AwarenessSubscription } from '../awareness-subscription.ts';
import { DocumentSubscription, isEmptyUpdate } from '../document-subscription.ts';
import { Outgoing } from '../outgoing.ts';
import { asCausewayError } from '../problems.ts';
import { NOBODY, type AwarenessRooms } from '../awareness.ts';
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

/** What one socket may send: frames and bytes, on average a second and at once. */
const FRAMES = { perSecond: 2_000, burst: 40_000 } as const;
const BYTES = { perSecond: 2 * 1024 * 1024, burst: 32 * 1024 * 1024 } as const;
/** Frames taken from a socket whose writes are not committed yet; beyond it we stop reading it. */
const UNCOMMITTED = 256;
/** Beats without a sign of life after which a client is given up. */
const SILENT_BEATS = 2;

export type SessionParts = {
  socket: WebSocket;
  /** The socket below it. */
  wire: Duplex;
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
export class SyncSession {
  readonly #parts: SessionParts;
  readonly #frames = new Bucket(FRAMES.perSecond, FRAMES.burst, Date.now());
  readonly #bytes = new Bucket(BYTES.perSecond, BYTES.burst, Date.now());
  readonly #outgoing: Outgoing;
  #subscription: DocumentSubscription | undefined;
  #awareness: AwarenessSubscription | undefined;
  #unsubscribe: () => void = () => undefined;
  #hasFailed = false;
  #isClosed = false;
  #uncommitted = 0;
  #silentBeats = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { socket, wire } = parts;
    this.#outgoing = new Outgoing({ wire, failed: (cause) => this.fail(cause) });
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('pong', () => (this.#silentBeats = 0));
    socket.on('close', () => this.#ended());
  }

  /** Never rejects: a session that cannot be opened is closed with the reason. */
  async open(): Promise<void> {
    const { replica, document } = this.#parts;
    try {
      const subscription = await DocumentSubscription.open({
        replica,
        document,
        outgoing: this.#outgoing,
        updateMessage: updateFrame,
        answerMessage: step2Frame,
        dropped: (why) =>
          this.fail(why ?? new CausewayError('not-committed', 'a write failed; reconnect to continue')),
      });
      if (this.#isOver) return subscription.close();
      this.#subscription = subscription;
      if (this.#isWritable) await this.#openCanvas(subscription);
      else await this.#sendCells();
    } catch (error) {
      this.fail(error);
    }
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
    if (!this.#outgoing.hasWritten) this.#outgoing.say(awarenessFrame(NOBODY));
    this.#outgoing.hasWritten = false;
  }

  get #isWritable(): boolean {
    return this.#parts.name.kind === 'canvas';
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#hasFailed;
  }

  /** A canvas takes what the client has and we lack; a segment takes nothing. */
  async #openCanvas(subscription: DocumentSubscription): Promise<void> {
    const stateVector = await subscription.stateVector();
    if (this.#isOver) return;
    const { rooms, document, member } = this.#parts;
    const outgoing = this.#outgoing;
    outgoing.say(step1Frame(stateVector));
    this.#awareness = new AwarenessSubscription({
      rooms,
      document,
      member,
      outgoing,
      message: awarenessFrame,
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    // Frames that a socket still held when it closed come even though it is paused.
    if (this.#isOver || this.#subscription === undefined) return;
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
        if (this.#awareness?.announce(frame.payload) === false)
          this.fail(new CausewayError('malformed-frame', 'the awareness message is malformed or too large'));
        break;
      case 'query-awareness':
        // The room tells a socket everything when it joins and every change after that.
        break;
    }
  }

  #ask(stateVector: Uint8Array): void {
    try {
      this.#subscription!.ask(stateVector);
    } catch (error) {
      if (error instanceof CausewayError) throw error;
      throw new CausewayError('malformed-frame', 'this is no state vector');
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (isEmptyUpdate(bytes)) return;
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
      this.#outgoing.say(cellsFrame(cells.map((cell) => ({ scope, ...cell }))), 'soon'),
    );
    const live = await replica.documents.open(document);
    const messages = [...live.segment!.ids()].map((id) => messageScope(name.workspace, name.channel, id));
    this.#outgoing.say(cellsFrame(await replica.loadCells([channel, ...messages])));
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#letGo();
    this.#parts.closed();
  }

  #letGo(): void {
    this.#subscription?.close();
    this.#awareness?.close();
    this.#awareness = undefined;
    this.#unsubscribe();
    this.#outgoing.close();
  }
}
