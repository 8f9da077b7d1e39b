import { CausewayError } from '@causeway/protocol';
import { LiveDocument } from './live-document.ts';

/** Bytes of updates that documents in memory may hold before idle ones leave. */
const BUDGET_BYTES = 128 * 1024 * 1024;
/** A document that nobody has asked for, or told of a write, for this long leaves whatever the budget says. */
const IDLE_MS = 30_000;
/** Every document costs something, however small. */
const DOCUMENT_BYTES = 8 * 1024;

/** Bytes of a log beyond which a document is not loaded: only a peer's nonsense can make it so large (LIMITS.canvasBytes). */
export const LOG_BYTES = 64 * 1024 * 1024;
/** Documents remembered as too large; beyond it the one found first is looked at again. */
const QUARANTINED = 1_000;

type Slot = {
  loading: Promise<LiveDocument>;
  live: LiveDocument | undefined;
  usedAt: number;
  /** Committed elsewhere while the log was being read: applied when it has been. */
  missed: Uint8Array[];
};

export type DocumentsParts = {
  /** Everything committed of a document, in log order. */
  load(name: string): Promise<Uint8Array[]>;
  /** Is a write of it waiting or under way? */
  isBusy(name: string): boolean;
  /** Hears of a document that was found too large to be loaded. */
  quarantine(name: string, bytes: number): void;
  now(): number;
};

/**
 * The documents in memory. One load however many ask; what is committed while a load runs is not
 * missed. Those that nobody needs leave when they are idle, or when the budget is exceeded, the
 * ones used longest ago first.
 */
export class Documents {
  readonly #parts: DocumentsParts;
  readonly #quarantined = new Set<string>();
  /** Least recently used first: a Map keeps the order in which keys were set. */
  readonly #slots = new Map<string, Slot>();

  constructor(parts: DocumentsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#slots.size;
  }

  /**
   * The document, read from the log if it is not in memory; rejects with the store's error, and
   * with `document-too-large` when its log is larger than LOG_BYTES.
   */
  open(name: string): Promise<LiveDocument> {
    if (this.#quarantined.has(name)) return Promise.reject(tooLarge());
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      slot = { loading: undefined as never, live: undefined, usedAt: 0, missed: [] };
      slot.loading = this.#load(name, slot);
    }
    slot.usedAt = this.#parts.now();
    this.#slots.delete(name);
    this.#slots.set(name, slot);
    return slot.loading;
  }

  /** An update that was committed by a peer region or another process; returns the copy that took it. */
  committedElsewhere(name: string, bytes: Uint8Array): LiveDocument | undefined {
    const slot = this.#slots.get(name);
    if (slot?.live === undefined) {
      slot?.missed.push(bytes);
      return undefined;
    }
    try {
      slot.live.committedElsewhere([bytes]);
      if (slot.live.bytes <= LOG_BYTES) return slot.live;
      // Peers wrote so much; opening it again says whether that is what it holds.
      this.drop(name);
      return undefined;
    } catch {
      // Bytes that break Yjs leave half of themselves behind. The others go on; opening this one says why.
      this.drop(name);
      return undefined;
    }
  }

  /** The names of the documents in memory, least recently used first. */
  names(): string[] {
    return [...this.#slots.keys()];
  }

  has(name: string): boolean {
    return this.#slots.has(name);
  }

  /** Is the document in memory, made without this row of the log? Asked once for each row, by the tail. */
  lacks(name: string, row: number): boolean {
    const slot = this.#slots.get(name);
    return slot !== undefined && slot.live?.made(row) !== true;
  }

  /** Lets go of what has been idle for long. */
  leaveIdle(): void {
    const until = this.#parts.now() - IDLE_MS;
    for (const [name, { live, usedAt }] of this.#slots) {
      if (usedAt > until) return;
      if (live !== undefined && !this.#isNeeded(name, live)) this.drop(name);
    }
  }

  /** Forgets a document whose copy may differ from the log; those who watch it are told. */
  drop(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    this.#slots.delete(name);
    slot.live?.drop();
  }

  async #load(name: string, slot: Slot): Promise<LiveDocument> {
    try {
      const rows = await this.#parts.load(name);
      this.#checkSize(name, rows);
      const live = new LiveDocument(name, rows);
      // Dropped meanwhile: this copy may already be stale, and nobody would tell it what comes.
      if (this.#slots.get(name) !== slot) return this.open(name);
      slot.live = live;
      live.committedElsewhere(slot.missed.splice(0));
      this.#makeRoom(name);
      return live;
    } catch (error) {
      if (this.#slots.get(name) === slot) this.#slots.delete(name);
      throw error;
    }
  }

  #checkSize(name: string, rows: readonly Uint8Array[]): void {
    const bytes = rows.reduce((sum, row) => sum + row.length, 0);
    if (bytes <= LOG_BYTES) return;
    if (this.#quarantined.size >= QUARANTINED)
      this.#quarantined.delete(this.#quarantined.values().next().value!);
    this.#quarantined.add(name);
    this.#parts.quarantine(name, bytes);
    throw tooLarge();
  }

  #makeRoom(keep: string): void {
    let bytes = 0;
    for (const { live } of this.#slots.values()) bytes += (live?.bytes ?? 0) + DOCUMENT_BYTES;
    for (const [name, { live }] of this.#slots) {
      if (bytes <= BUDGET_BYTES) return;
      if (name === keep || live === undefined || this.#isNeeded(name, live)) continue;
      bytes -= live.bytes + DOCUMENT_BYTES;
      this.drop(name);
    }
  }

  #isNeeded(name: string, live: LiveDocument): boolean {
    return live.listeners.size > 0 || this.#parts.isBusy(name);
  }
}

const tooLarge = (): CausewayError =>
  new CausewayError(
    'document-too-large',
    'the document is too large to be served; an operator has to look at it',
  );
