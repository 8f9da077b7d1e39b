import { CausewayError, channelScope, messageScope, type ErrorCode, type Name } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { AwarenessSubscription } from '../awareness-subscription.ts';
import { DocumentSubscription, isEmptyUpdate } from '../document-subscription.ts';
import { Incoming } from '../incoming.ts';
import { Outgoing } from '../outgoing.ts';
import type { OutgoingCounts } from '../../metrics.ts';
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
  counts: OutgoingCounts;
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
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  #subscription: DocumentSubscription | undefined;
  #awareness: AwarenessSubscription | undefined;
  #unsubscribe: () => void = () => undefined;
  #hasFailed = false;
  #isClosed = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { socket, wire } = parts;
    const failed = (cause: unknown): void => this.fail(cause);
    this.#outgoing = new Outgoing({ wire, failed, counts: parts.counts });
    this.#incoming = new Incoming({
      socket,
      frames: 'binary',
      take: (data) => this.#act(readFrame(data)),
      failed,
    });
    socket.on('close', () => this.#ended());
  }

  /** Never rejects: a session that cannot be opened is closed with the reason. */
  async open(): Promise<void> {
    const { replica, document, member } = this.#parts;
    try {
      const subscription = await DocumentSubscription.open({
        replica,
        document,
        member,
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
   * See Session.beat. The stock provider reconnects after 30 s without a message, and pings are none
   * to it: whom we had nothing to say is sent a frame that says nothing.
   */
  beat(now: number): void {
    if (this.#isOver) return;
    if (now >= this.#parts.expires)
      return this.fail(new CausewayError('unauthorized', 'the token has expired'));
    this.#incoming.beat();
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

  #act(frame: Frame): void {
    // The socket is not read before the document is open; see Incoming.close for what comes all the same.
    if (this.#subscription === undefined) return;
    switch (frame.kind) {
      case 'step1':
        this.#subscription.ask(frame.stateVector);
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

  async #take(bytes: Uint8Array): Promise<void> {
    if (isEmptyUpdate(bytes)) return;
    if (!this.#isWritable) {
      // No y-protocols "permission denied" before it: the stock provider prints its URL, token included.
      const why = 'messages are written by commands: POST /v1/workspaces/…/messages';
      return this.fail(new CausewayError('read-only', why));
    }
    const { replica, document, member } = this.#parts;
    const done = this.#incoming.hold(bytes.length);
    try {
      await replica.writeCanvas(document, bytes, member);
    } catch (error) {
      this.fail(error);
    } finally {
      done();
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
    this.#incoming.close();
  }
}
