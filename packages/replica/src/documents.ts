import { LiveDocument } from './live-document.ts';
import type { Store } from './ports.ts';

/** Bytes of updates that documents in memory may hold before idle ones leave. */
const BUDGET_BYTES = 128 * 1024 * 1024;
/** Every document costs something, however small. */
const DOCUMENT_BYTES = 8 * 1024;

type Slot = {
  loading: Promise<LiveDocument>;
  live: LiveDocument | undefined;
  /** Committed elsewhere while the log was being read: applied when it has been. */
  missed: Uint8Array[];
  /** Rows and bytes of the log when it was last compared. */
  compared?: string;
};

/**
 * The documents in memory. One load however many ask; what is committed while a load runs is not
 * missed; the ones used longest ago leave when the budget is exceeded and nobody needs them.
 */
export class Documents {
  readonly #store: Store;
  readonly #isBusy: (name: string) => boolean;
  /** Least recently used first: a Map keeps the order in which keys were set. */
  readonly #slots = new Map<string, Slot>();

  constructor(store: Store, isBusy: (name: string) => boolean) {
    this.#store = store;
    this.#isBusy = isBusy;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The document, read from the log if it is not in memory; rejects with the store's error. */
  open(name: string): Promise<LiveDocument> {
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      slot = { loading: undefined as never, live: undefined, missed: [] };
      slot.loading = this.#load(name, slot);
    }
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
      return slot.live;
    } catch {
      // Bytes that break Yjs leave half of themselves behind. The others go on; opening this one says why.
      this.drop(name);
      return undefined;
    }
  }

  /** The names of the documents in memory. */
  names(): string[] {
    return [...this.#slots.keys()];
  }

  /** Reads the log of a document in memory again, and brings its copy what nobody told it (R15); `undefined` when there was nothing to look at. */
  async compare(name: string): Promise<LiveDocument | undefined> {
    const slot = this.#slots.get(name);
    if (slot?.live === undefined) return undefined;
    const rows = await this.#store.loadDocument(name);
    // The log only grows, so one of the same size holds nothing new.
    const size = `${rows.length} ${rows.reduce((sum, row) => sum + row.length, 0)}`;
    if (slot.live.dropped || slot.compared === size) return undefined;
    slot.compared = size;
    slot.live.committedElsewhere(rows);
    return slot.live;
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
      const rows = await this.#store.loadDocument(name);
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

  #makeRoom(keep: string): void {
    let bytes = 0;
    for (const { live } of this.#slots.values()) bytes += (live?.bytes ?? 0) + DOCUMENT_BYTES;
    for (const [name, { live }] of this.#slots) {
      if (bytes <= BUDGET_BYTES) return;
      if (name === keep || live === undefined || live.listeners.size > 0 || this.#isBusy(name)) continue;
      bytes -= live.bytes + DOCUMENT_BYTES;
      this.drop(name);
    }
  }
}
