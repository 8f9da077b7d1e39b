import { parseName } from '@causeway/protocol';
import * as Y from 'yjs';
import {
  integrate,
  integrateLeftover,
  integrateOrReturn,
  leftoverBytes,
  type Leftover,
} from './integrate.ts';
import { Segment } from './segment.ts';

/** What subscribers of a document hear: committed updates, then perhaps that the copy is gone. */
export type DocumentListener = {
  update(bytes: Uint8Array): void;
  /** The copy in memory is no longer the truth: connect again. */
  dropped(): void;
};

/** Bytes of client updates that may wait outside a document for what they depend on. */
const WAITING_BYTES = 1024 * 1024;

/**
 * A document in memory. Between commits it equals the log; while one is in flight it is ahead of
 * it by exactly that commit. Whoever shows its state to others therefore first encodes it and then
 * waits for the commit in flight (see AppendQueue.settled).
 */
export class LiveDocument {
  readonly name: string;
  readonly doc = new Y.Doc();
  readonly listeners = new Set<DocumentListener>();
  /** Present for segments. */
  readonly segment: Segment | undefined;
  /** Bytes of the updates it was made of; a measure for what it holds. */
  bytes: number;
  dropped = false;
  #waiting: Leftover[] = [];
  #waitingBytes = 0;
  #emitted: Uint8Array | undefined;

  constructor(name: string, rows: readonly Uint8Array[]) {
    this.name = name;
    this.doc.transact(() => {
      for (const row of rows) this.#apply(row);
    }, 'local');
    this.bytes = rows.reduce((sum, row) => sum + row.length, 0);
    if (parseName(name)?.kind === 'segment') this.segment = new Segment(this.doc);
    this.doc.on('update', (bytes: Uint8Array) => {
      this.bytes += bytes.length;
      this.#emitted = bytes;
    });
  }

  /** Updates of clients wait here for what they depend on. */
  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  /** Applies what another region or process committed, and tells subscribers what it brought. */
  committedElsewhere(bytes: Uint8Array): void {
    // One transaction, so that a retry of what was pending is part of the same emitted update.
    const emitted = this.#capture(() => this.doc.transact(() => this.#apply(bytes), 'peer'));
    if (emitted !== undefined) this.tell(emitted);
  }

  /**
   * Runs `write` in one transaction under the given author clientID and returns the update that
   * it made; nobody hears of it before `tell`, which is to come after the commit.
   */
  author(client: number, write: () => void): Uint8Array | undefined {
    this.doc.clientID = client;
    return this.#capture(() => this.doc.transact(write, 'local'));
  }

  /** Applies an update of a client, inside `author`. False when too much would wait outside. */
  acceptClientUpdate(bytes: Uint8Array): boolean {
    return this.#keep(integrateOrReturn(this.doc, bytes, 'session')) && this.retryWaiting();
  }

  /** Tries once more what waits outside, inside `author`. */
  retryWaiting(): boolean {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting.every((leftover) => this.#keep(integrateLeftover(this.doc, leftover, 'session')));
  }

  tell(bytes: Uint8Array): void {
    for (const listener of this.listeners) listener.update(bytes);
  }

  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    for (const listener of this.listeners) listener.dropped();
    this.listeners.clear();
    this.doc.destroy();
  }

  #apply(bytes: Uint8Array): void {
    integrate(this.doc, bytes, 'peer');
  }

  #capture(run: () => void): Uint8Array | undefined {
    this.#emitted = undefined;
    run();
    return this.#emitted;
  }

  #keep(leftover: Leftover | undefined): boolean {
    if (leftover === undefined) return true;
    this.#waitingBytes += leftoverBytes(leftover);
    if (this.#waitingBytes > WAITING_BYTES) return false;
    this.#waiting.push(leftover);
    return true;
  }
}
