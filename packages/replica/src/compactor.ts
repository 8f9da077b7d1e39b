import { isDocument, parseName, type Cell } from '@causeway/protocol';
import * as Y from 'yjs';
import { MANY_ROWS, QUIET_MS, compactedOf, paysAfterMs, type StoredRow } from './compaction.ts';
import { scopeDigest } from './digest.ts';
import { LOG_BYTES } from './documents.ts';
import { integrate } from './integrate.ts';
import { Doubtful, Unavailable, type StateRow, type Store, type Time } from './ports.ts';
import { prunableAt } from './prune.ts';
import { Segment } from './segment.ts';

export type CompactorEvents = {
  /** Removes from a segment what newer edits and earlier copies have dominated for long. */
  prune(name: string): Promise<void>;
  /** Something that an operator should hear of. */
  notice(what: 'compaction-failed' | 'quarantined', detail: Record<string, unknown>): void;
};

/** What a compactor did since its process started, for metrics. */
export type CompactorCounts = {
  /** Documents rewritten, and the rows that went. */
  compacted: number;
  rowsRemoved: number;
  /** Digests recorded without rewriting, of documents and scopes. */
  digests: number;
  failed: number;
};

const PAUSE_MS = 1_000;
/** Scopes are digested after this many milliseconds without a write: they cost little. */
const SCOPE_QUIET_MS = 2_000;
/** Names in one look at the table; those passed over the last time are counted on top, up to the second number. */
const PAGE = { fresh: 1_000, waiting: 20_000 } as const;
/** Rows that must be free for each one that waits in the outbox. */
const HELD_SHARE = 5;
const SCOPES_AT_ONCE = 100;
/** Work without a pause, milliseconds; then as long a pause. */
const SLICE_MS = 20;
/** Until a document is tried again that cannot be rewritten yet: doubles from the first to the second. */
const AGAIN_MS = { first: 1_000, most: 60_000 } as const;
/** Until one is tried again that Yjs or the store failed on. */
const BROKEN_MS = 600_000;
/** Segments remembered for later pruning; beyond it they wait for their next compaction. */
const TO_PRUNE = 10_000;

type Wait = { until: number; ms: number };

/**
 * Keeps the table of states up to date and the log small: replays documents whose digest is
 * stale, records it, and where that pays puts a snapshot in the place of exactly the rows that it
 * read. One per region works at a time, and it does not matter when two do: the store refuses
 * rows that are gone.
 *
 * A document that ought to be rewritten and cannot be yet (rows in the outbox, a view behind) stays
 * stale, so that it is not forgotten whatever becomes of this process; peers compare its state
 * vector meanwhile.
 */
export class Compactor {
  readonly #store: Store;
  readonly #time: Time;
  readonly #events: CompactorEvents;
  readonly counts: CompactorCounts = { compacted: 0, rowsRemoved: 0, digests: 0, failed: 0 };
  #waits = new Map<string, Wait>();
  #quarantined = new Set<string>();
  readonly #toPrune = new Map<string, number>();
  /** Stale names of the last look that were not due: being written, waiting, parked, too large. */
  #passedOver = 0;
  #caughtUp = false;
  #isStoreDown = false;
  #sliceBegan = 0;

  constructor(store: Store, time: Time, events: CompactorEvents) {
    this.#store = store;
    this.#time = time;
    this.#events = events;
  }

  /** The last round found nothing stale but what is too young or has to wait. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** Documents left alone because their log is too large. */
  get quarantined(): number {
    return this.#quarantined.size;
  }

  /** Works until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let hasMore = false;
      try {
        hasMore = await this.#round(signal);
        this.#isStoreDown = false;
      } catch (error) {
        // One notice for an outage, not one a second.
        if (!this.#isStoreDown && !signal.aborted) this.#failed(error);
        this.#isStoreDown = true;
      }
      if (!hasMore) await this.#time.sleep(PAUSE_MS, signal);
    }
    this.#caughtUp = false;
  }

  /** True when there was more than fits into one round. */
  async #round(signal: AbortSignal): Promise<boolean> {
    const limit = Math.min(PAGE.fresh + this.#passedOver, PAGE.waiting);
    const stale = await this.#store.stale(limit);
    this.#forgetExcept(stale);
    this.#sliceBegan = this.#time.now();
    const parked = new Set(stale.some(({ name }) => isDocument(name)) ? await this.#store.parkedNames() : []);
    const due = stale.filter((row) => this.#isDue(row) && !(isDocument(row.name) && parked.has(row.name)));
    this.#passedOver = stale.length - due.length;
    this.#caughtUp = due.length === 0;
    for (const row of due) {
      if (signal.aborted) return false;
      if (isDocument(row.name)) await this.#document(row);
      await this.#breathe(signal);
    }
    const scopes = due.filter(({ name }) => !isDocument(name));
    for (let at = 0; at < scopes.length && !signal.aborted; at += SCOPES_AT_ONCE) {
      await this.#scopes(scopes.slice(at, at + SCOPES_AT_ONCE));
      await this.#breathe(signal);
    }
    await this.#prune(signal);
    return stale.length >= limit && due.length > 0;
  }

  #isDue({ name, rows, bytes, quietMs }: StateRow): boolean {
    if ((this.#waits.get(name)?.until ?? 0) > this.#time.now()) return false;
    if (!isDocument(name)) return quietMs >= SCOPE_QUIET_MS;
    if (bytes > LOG_BYTES) return this.#quarantine(name, bytes);
    return rows >= MANY_ROWS || quietMs >= QUIET_MS;
  }

  #quarantine(name: string, bytes: number): false {
    if (!this.#quarantined.has(name))
      this.#events.notice('quarantined', { kind: parseName(name)?.kind, bytes });
    this.#quarantined.add(name);
    return false;
  }

  /** What is no longer stale needs no memory; so what is remembered is bounded by a page. */
  #forgetExcept(stale: readonly StateRow[]): void {
    const names = new Set(stale.map(({ name }) => name));
    this.#waits = new Map([...this.#waits].filter(([name]) => names.has(name)));
    this.#quarantined = new Set([...this.#quarantined].filter((name) => names.has(name)));
  }

  async #document(row: StateRow): Promise<void> {
    try {
      await this.#compact(row);
    } catch (error) {
      if (error instanceof Unavailable || error instanceof Doubtful) {
        // It may be this very document that takes the database too long: next time the others come first.
        this.#waitLonger(row.name);
        throw error;
      }
      this.#failed(error, parseName(row.name)?.kind);
      this.#wait(row.name, BROKEN_MS);
    }
  }

  async #compact({ name, quietMs }: StateRow): Promise<void> {
    const state = await this.#store.loadState(name);
    if (state === undefined) return;
    const { changes, rows } = state;
    const doc = await this.#replay(rows);
    const { snapshot, digest } = compactedOf(name, doc);
    this.#remember(name, doc);
    doc.destroy();
    const payAfterMs = paysAfterMs(rows, snapshot);
    if (payAfterMs === undefined) {
      await this.#store.setDigests([{ name, changes, digest }]);
      this.counts.digests++;
      return;
    }
    const free = rows.filter(({ held }) => !held);
    const isWhole = free.length === rows.length;
    if (payAfterMs > quietMs) return this.#wait(name, payAfterMs - quietMs);
    // Rows in front of the snapshot that they stand on are pending until it is read: a few of them.
    if (!isWhole && free.length < MANY_ROWS + HELD_SHARE * (rows.length - free.length))
      return this.#waitLonger(name);
    const isDone = await this.#store.compact({
      name,
      // What is in the outbox stays beside the snapshot and has to be looked at again: no number, no digest.
      changes: isWhole ? changes : -1,
      rows: free.map(({ id }) => id),
      snapshot,
      digest,
    });
    if (!isDone) return this.#waitLonger(name);
    this.#waits.delete(name);
    this.counts.compacted++;
    this.counts.rowsRemoved += free.length - 1;
  }

  /** Rows into a fresh document, with pauses; the largest step is one row. */
  async #replay(rows: readonly StoredRow[]): Promise<Y.Doc> {
    const doc = new Y.Doc();
    let at = 0;
    while (at < rows.length) {
      doc.transact(() => {
        do integrate(doc, rows[at++]!.bytes, 'peer');
        while (at < rows.length && !this.#isSliceUsed);
      }, 'peer');
      await this.#breathe();
    }
    return doc;
  }

  /** As with documents: what fails waits, and the others go on. */
  async #scopes(rows: readonly StateRow[]): Promise<void> {
    try {
      await this.#digestScopes(rows);
    } catch (error) {
      for (const { name } of rows) this.#waitLonger(name);
      if (error instanceof Unavailable || error instanceof Doubtful) throw error;
      if (rows.length > 1) for (const row of rows) await this.#scopes([row]);
      else {
        this.#failed(error, parseName(rows[0]!.name)?.kind);
        this.#wait(rows[0]!.name, BROKEN_MS);
      }
    }
  }

  async #digestScopes(rows: readonly StateRow[]): Promise<void> {
    // The changes were counted before the cells are read: a write in between voids the digest.
    const cells = await this.#store.loadCells(rows.map(({ name }) => name));
    const held = Map.groupBy(cells, ({ scope }) => scope);
    const digestOf = (name: string): bigint => scopeDigest(name, (held.get(name) ?? []) as Cell[]);
    await this.#store.setDigests(
      rows.map(({ name, changes }) => ({ name, changes, digest: digestOf(name) })),
    );
    this.counts.digests += rows.length;
  }

  /** A segment that holds what will be dominated for long enough some day. */
  #remember(name: string, doc: Y.Doc): void {
    if (parseName(name)?.kind !== 'segment' || this.#toPrune.size >= TO_PRUNE) return;
    const at = prunableAt(new Segment(doc));
    if (at === undefined) this.#toPrune.delete(name);
    else this.#toPrune.set(name, at);
  }

  async #prune(signal: AbortSignal): Promise<void> {
    for (const [name, at] of this.#toPrune) {
      if (at > this.#time.now() || signal.aborted) continue;
      // Looked at again when its own row is compacted.
      this.#toPrune.delete(name);
      await this.#events.prune(name).catch((error: unknown) => this.#failed(error, 'segment'));
      await this.#breathe(signal);
    }
  }

  #wait(name: string, ms: number): void {
    this.#waits.set(name, { until: this.#time.now() + ms, ms });
  }

  #waitLonger(name: string): void {
    const before = this.#waits.get(name)?.ms ?? 0;
    this.#wait(name, Math.min(Math.max(before * 2, AGAIN_MS.first), AGAIN_MS.most));
  }

  #failed(error: unknown, kind?: string): void {
    this.counts.failed++;
    this.#events.notice('compaction-failed', { kind, why: String(error) });
  }

  get #isSliceUsed(): boolean {
    return this.#time.now() - this.#sliceBegan >= SLICE_MS;
  }

  /** Leaves at least every other slice to those who serve people. */
  async #breathe(signal?: AbortSignal): Promise<void> {
    if (!this.#isSliceUsed) return;
    await this.#time.sleep(this.#time.now() - this.#sliceBegan, signal);
    this.#sliceBegan = this.#time.now();
  }
}
