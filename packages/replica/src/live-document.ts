import { LIMITS, parseName, type CausewayError } from '@causeway/protocol';
import * as Y from 'yjs';
import { hasPending } from './comparable.ts';
import {
  integrate,
  integrateLeftover,
  integrateOrReturn,
  integratePending,
  isDue,
  type Leftover,
} from './integrate.ts';
import { Refused } from './ports.ts';
import { Segment } from './segment.ts';

/** What subscribers of a document hear: committed updates, then perhaps that the copy is gone. */
export type DocumentListener = {
  update(bytes: Uint8Array): void;
  /** The copy in memory is no longer the truth: connect again, unless the reason says otherwise. */
  dropped(why?: CausewayError): void;
};

/** An update of a client, or what is left of it, while it waits for what it depends on. */
export type ClientUpdate<What = Uint8Array | Leftover> = {
  what: What;
  /** Bytes as received. */
  size: number;
  /** Whom it is attributed to. */
  member: string;
};

/** Bytes of client updates, as received, that may wait outside a document for what they depend on. */
const WAITING_BYTES = 1024 * 1024;
/** Every waiting update costs something, however small. */
const WAITING_COST = 256;
/** Bytes of updates that wait beside a segment; what does not fit is applied as it is. */
const AHEAD_BYTES = 1024 * 1024;
/** Rows of the log that the tail need not bring; beyond it they are read again. */
const OWN_ROWS = 10_000;

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
  dropped = false;
  readonly #isSegment: boolean;
  #bytes: number;
  /** At least the bytes of its state; exactly those when nothing came since it was measured. */
  #stateBytes: number;
  #isMeasured = false;
  #waiting: ClientUpdate<Leftover>[] = [];
  #waitingBytes = 0;
  /** Updates of a segment that delete and whose beginning is missing. */
  #ahead: Uint8Array[] = [];
  #aheadBytes = 0;
  /** Rows that this copy made, by their id in the log, until the tail has listed them. */
  readonly #own = new Set<number>();
  #emitted: Uint8Array | undefined;

  constructor(name: string, rows: readonly Uint8Array[]) {
    this.name = name;
    this.#isSegment = parseName(name)?.kind === 'segment';
    this.doc.transact(() => {
      for (const row of rows) this.#apply(row);
    }, 'local');
    this.#bytes = rows.reduce((sum, row) => sum + row.length, 0);
    this.#stateBytes = this.#bytes;
    if (this.#isSegment) this.segment = new Segment(this.doc);
    this.doc.on('update', (bytes: Uint8Array) => {
      this.#bytes += bytes.length;
      this.#stateBytes += bytes.length;
      this.#isMeasured = false;
      this.#emitted = bytes;
    });
  }

  /** Bytes of the updates it was made of and of those that wait; a measure for what it holds. */
  get bytes(): number {
    return this.#bytes + this.#waitingBytes + this.#aheadBytes;
  }

  /** Does what came wait for something that is missing? What it says is not shown, then. */
  get isLacking(): boolean {
    return this.#ahead.length > 0 || hasPending(this.doc);
  }

  /** Applies what another region or process committed, and tells subscribers what it brought. */
  committedElsewhere(updates: readonly Uint8Array[]): void {
    // One transaction, so that a retry of what was pending is part of the same emitted update.
    const apply = (): void => {
      for (const bytes of updates) this.#apply(bytes);
    };
    const emitted = this.#capture(() => this.doc.transact(apply, 'peer'));
    if (emitted !== undefined) this.tell(emitted);
  }

  /**
   * Runs `write` in one transaction under the given author clientID and returns the update that
   * it made; nobody hears of it before `committed`.
   */
  author(client: number, write: () => void): Uint8Array | undefined {
    this.doc.clientID = client;
    return this.#capture(() => this.doc.transact(write, 'local'));
  }

  /** What `author` returned is committed now, as these rows of the log: tells subscribers. */
  committed(updates: readonly Uint8Array[], rows: readonly number[]): void {
    for (const id of rows) if (this.#own.size < OWN_ROWS) this.#own.add(id);
    for (const bytes of updates) this.tell(bytes);
    const unblocked = this.#capture(() =>
      this.doc.transact(() => integratePending(this.doc, 'peer'), 'peer'),
    );
    if (unblocked !== undefined) this.tell(unblocked);
  }

  /** Is it a row that this copy made itself? Asked once, by the tail. */
  made(row: number): boolean {
    return this.#own.delete(row);
  }

  /**
   * Applies an update of a client, inside `author`; what lacks something waits outside. False when
   * too much would wait. Throws Refused when Yjs fails on it: the copy is broken then.
   */
  acceptClientUpdate(update: ClientUpdate): boolean {
    const leftover = this.#integrateUpdate(update);
    if (leftover === undefined) return true;
    const cost = update.size + WAITING_COST;
    if (this.#waitingBytes + cost > WAITING_BYTES) return false;
    this.#waitingBytes += cost;
    this.#waiting.push({ ...update, what: leftover });
    return true;
  }

  /** Would a client's update make a canvas larger than it may be? What only deletes or repeats may always come. */
  isTooLargeWith({ what, size }: ClientUpdate): boolean {
    const isTooLarge = (): boolean => this.#stateBytes + size > LIMITS.canvasBytes;
    if (!isTooLarge() || !bringsStructs(this.doc, what)) return false;
    if (!this.#isMeasured) this.#stateBytes = Y.encodeStateAsUpdate(this.doc).length;
    this.#isMeasured = true;
    return isTooLarge();
  }

  /** Takes out those waiting updates of which something has arrived meanwhile. */
  takeDue(): ClientUpdate<Leftover>[] {
    const due = this.#waiting.filter(({ what }) => isDue(this.doc, what));
    if (due.length === 0) return due;
    this.#waiting = this.#waiting.filter(({ what }) => !isDue(this.doc, what));
    this.#waitingBytes = this.#waiting.reduce((sum, { size }) => sum + size + WAITING_COST, 0);
    return due;
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

  /**
   * Yjs carries out the deletes of an update at once, and lets its structs wait while something before them is missing:
   * the edits of a message would be gone before the mark of its deletion has come, and its first text show again.
   * In a segment such an update waits as a whole.
   */
  #apply(bytes: Uint8Array): void {
    if (this.#isAhead(bytes) && this.#aheadBytes + bytes.length <= AHEAD_BYTES) {
      this.#ahead.push(bytes);
      this.#aheadBytes += bytes.length;
      return;
    }
    integrate(this.doc, bytes, 'peer');
    if (this.#ahead.length === 0) return;
    const due = this.#ahead.find((waiting) => !this.#isAhead(waiting));
    if (due === undefined) return;
    this.#ahead = this.#ahead.filter((waiting) => waiting !== due);
    this.#aheadBytes -= due.length;
    this.#apply(due);
  }

  /** Only rows of one author begin somewhere; what holds more is a whole state or a difference. */
  #isAhead(bytes: Uint8Array): boolean {
    // The delete set stands last, and only an empty one ends with 0.
    if (!this.#isSegment || bytes.at(-1) === 0) return false;
    const { structs } = Y.decodeUpdate(bytes);
    const first = structs[0];
    if (first === undefined || structs.some(({ id }) => id.client !== first.id.client)) return false;
    return first.id.clock > Y.getState(this.doc.store, first.id.client);
  }

  #integrateUpdate({ what }: ClientUpdate): Leftover | undefined {
    try {
      return what instanceof Uint8Array
        ? integrateOrReturn(this.doc, what, 'session')
        : integrateLeftover(this.doc, what, 'session');
    } catch (error) {
      throw new Refused('Yjs cannot integrate this update', { cause: error });
    }
  }

  #capture(run: () => void): Uint8Array | undefined {
    this.#emitted = undefined;
    run();
    return this.#emitted;
  }
}

function bringsStructs(doc: Y.Doc, what: Uint8Array | Leftover): boolean {
  if (!(what instanceof Uint8Array)) return what.structs !== null;
  const { structs } = Y.decodeUpdate(Y.diffUpdate(what, Y.encodeStateVector(doc)));
  return structs.length > 0;
}
