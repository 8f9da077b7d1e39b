import { CausewayError } from '@causeway/protocol';
import { Difference, type DocumentListener, type Reader, type Replica } from '@causeway/replica';
import type { Outgoing, Source } from './outgoing.ts';

/** Bytes of one message of a difference, about. */
const PIECE_BYTES = 256 * 1024;
/** Bytes of updates that may wait for the commit before the piece that they build on is sent. */
const HELD_BYTES = 256 * 1024;

export type SubscriptionParts = {
  replica: Replica;
  /** The document's full name, by ids. */
  document: string;
  /** Who reads: rights to a canvas are looked at. */
  member: string;
  outgoing: Outgoing;
  /** How the door sends an update; made once for all who get it. */
  updateMessage(update: Uint8Array): Uint8Array;
  /** The last piece of the difference that a client asked for. */
  answerMessage(update: Uint8Array): Uint8Array;
  /** The copy in memory is gone; see DocumentListener. */
  dropped(why?: CausewayError): void;
};

/**
 * One document on one socket, whatever its door. A client says what it has, gets what it lacks and
 * from then on every committed update. What it lacks goes out piece by piece as the socket takes it,
 * and so does what was left out because the socket was slow; meanwhile updates are not sent but added
 * to what it lacks.
 */
export class DocumentSubscription implements Source {
  readonly #parts: SubscriptionParts;
  readonly #reader: Reader;
  /** What the client lacks; undefined when it has everything that was committed. */
  #lacking: Difference | undefined;
  /** Has it said what it has? Before that there is nothing that could be sent. */
  #isFollowed = false;
  /** Does it wait for an answer that says where the difference ends? */
  #isAsked = false;
  /** Updates that build on the piece which waits for a commit. */
  #held: Uint8Array[] | undefined;
  #isClosed = false;

  private constructor(parts: SubscriptionParts, reader: Reader) {
    this.#parts = parts;
    this.#reader = reader;
  }

  /** Rejects as Replica.join does. */
  static async open(parts: SubscriptionParts): Promise<DocumentSubscription> {
    let subscription: DocumentSubscription | undefined;
    const listener: DocumentListener = {
      update: (bytes) => {
        if (subscription !== undefined) subscription.#update(bytes);
      },
      dropped: (why) => parts.dropped(why),
    };
    const reader = await parts.replica.join(parts.document, listener, parts.member);
    return (subscription = new DocumentSubscription(parts, reader));
  }

  /** What we have, for a client that may write; rejects with `not-committed` when a write failed meanwhile. */
  stateVector(): Promise<Uint8Array> {
    return this.#reader.stateVector();
  }

  /** Is everything that this update says here, and committed? Rejects with `malformed-frame` for bytes that are none. */
  async holds(update: Uint8Array): Promise<boolean> {
    try {
      return await this.#reader.holds(update);
    } catch (error) {
      throw asMalformed(error, 'these bytes are no Yjs update (format V1)');
    }
  }

  /**
   * The client has this, and wants the rest. A later question replaces an earlier one that has not
   * been answered. Throws `malformed-frame` for bytes that are no state vector.
   */
  ask(stateVector: Uint8Array): void {
    try {
      this.#lacking = this.#reader.since(stateVector);
    } catch (error) {
      throw asMalformed(error, 'this is no state vector');
    }
    this.#held = undefined;
    this.#isFollowed = true;
    this.#isAsked = true;
    this.#parts.outgoing.owe(this);
  }

  close(): void {
    this.#isClosed = true;
    this.#reader.close();
    this.#parts.outgoing.forget(this);
  }

  lost(update: Uint8Array): void {
    (this.#lacking ??= new Difference()).add(update);
  }

  async catchUp(write: (data: Uint8Array) => void): Promise<boolean> {
    const lacking = this.#lacking;
    if (lacking === undefined || this.#isClosed) return true;
    const { piece, committed } = this.#reader.take(lacking, PIECE_BYTES);
    const held: Uint8Array[] = [];
    // From here on later updates can follow; they build on the piece, so they leave after it.
    if (lacking.hasStructs) this.#held = held;
    await committed;
    if (this.#isClosed) return true;
    // Asked anew meanwhile: this piece answers a question that is no more.
    if (this.#lacking !== lacking) return false;
    this.#held = undefined;
    if (lacking.isOver) this.#lacking = undefined;
    this.#writePiece(piece, lacking.isOver, write);
    for (const update of held)
      if (lacking.hasStructs) this.#send(update);
      else lacking.add(update);
    return lacking.isOver;
  }

  #writePiece(piece: Uint8Array, isLast: boolean, write: (data: Uint8Array) => void): void {
    if (isLast && this.#isAsked) {
      this.#isAsked = false;
      write(this.#parts.answerMessage(piece));
    } else if (!isEmptyUpdate(piece)) write(this.#parts.updateMessage(piece));
  }

  #update(bytes: Uint8Array): void {
    if (!this.#isFollowed || this.#isClosed) return;
    if (this.#held !== undefined) this.#hold(this.#held, bytes);
    else if (this.#lacking?.hasStructs === false) this.#lacking.add(bytes);
    else this.#send(bytes);
  }

  #hold(held: Uint8Array[], bytes: Uint8Array): void {
    held.push(bytes);
    if (held.reduce((sum, { length }) => sum + length, 0) <= HELD_BYTES) return;
    for (const update of held.splice(0)) this.#lacking?.add(update);
    this.#held = undefined;
  }

  #send(update: Uint8Array): void {
    this.#parts.outgoing.update(this, update, this.#parts.updateMessage(update));
  }
}

/** Yjs throws whatever it stumbles over. */
const asMalformed = (error: unknown, what: string): CausewayError =>
  error instanceof CausewayError ? error : new CausewayError('malformed-frame', what);

/** An update without structs and deletes, which providers send when they have nothing new. */
export const isEmptyUpdate = (bytes: Uint8Array): boolean =>
  bytes.length === 2 && bytes[0] === 0 && bytes[1] === 0;
