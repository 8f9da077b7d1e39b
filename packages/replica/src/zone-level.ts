import type { Token } from '@causeway/protocol';
import * as Y from 'yjs';
import type { OutboxRow, StoredUpTo, Time } from './ports.ts';

type Place = { incarnation: string; sequence: number };
type Kept = OutboxRow & { place?: Place };
type Waiter = { seqs: readonly number[]; resolve(reached: boolean): void };

/** Rows remembered while somebody waits for the level `zone`; beyond it the oldest are asked about instead. */
const KEPT = { rows: 8_192, bytes: 16 * 1024 * 1024 } as const;
/** Before peers are asked, and between two rounds of asking. */
const ASK_EVERY_MS = 1_000;

export type ZoneLevelParts = {
  time: Time;
  peers: readonly string[];
  /** Does the peer hold what the token names? Rejects when it does not answer. */
  holds(peer: string, token: Token): Promise<boolean>;
};

/**
 * The level `zone`: a write is stored in another region too. Peers report how far they have stored
 * our stream, and a row counts as stored when a report of the same incarnation reaches the
 * sequence that the row was given. What this process did not write itself, or does not remember,
 * it asks a peer about by its token.
 */
export class ZoneLevel {
  readonly #parts: ZoneLevelParts;
  /** In the order of their commits. */
  readonly #kept = new Map<number, Kept>();
  #keptBytes = 0;
  /** Commands under way that want this level: rows are remembered for them. */
  #wanted = 0;
  readonly #reports = new Map<string, StoredUpTo>();
  readonly #waiters = new Set<Waiter>();

  constructor(parts: ZoneLevelParts) {
    this.#parts = parts;
  }

  /** Carries out a command at this level: `false` when no peer has confirmed it within `ms`. */
  async confirm<T extends { token: Token }>(
    command: () => Promise<T>,
    ms: number,
  ): Promise<{ answer: T; reached: boolean }> {
    this.#wanted++;
    try {
      const answer = await command();
      // A zone of one region has nowhere else to be stored.
      const reached = this.#parts.peers.length === 0 || (await this.#reached(answer.token, ms));
      return { answer, reached };
    } finally {
      this.#wanted--;
      if (this.#wanted === 0) this.#forget(this.#kept.size);
    }
  }

  /** Rows that this process just committed. */
  committed(rows: readonly OutboxRow[]): void {
    if (this.#wanted === 0) return;
    for (const row of rows) {
      this.#kept.set(row.seq, { ...row });
      this.#keptBytes += sizeOf(row);
    }
    while (this.#kept.size > KEPT.rows || this.#keptBytes > KEPT.bytes) this.#forget(1);
  }

  /** The stream gave a row its place. */
  placed(seq: number, incarnation: string, sequence: number): void {
    const row = this.#kept.get(seq);
    if (row === undefined) return;
    row.place = { incarnation, sequence };
    this.#look();
  }

  /** A peer says how far it has stored our stream. */
  report(report: StoredUpTo): void {
    this.#reports.set(report.region, report);
    this.#look();
  }

  /** The last report of a peer. */
  reported(peer: string): StoredUpTo | undefined {
    return this.#reports.get(peer);
  }

  /** A report may be lost, or speak of an incarnation that is over: after a while peers are asked anyway. */
  async #reached(token: Token, ms: number): Promise<boolean> {
    const seqs = this.#rowsOf(token);
    if (seqs !== undefined && this.#isStored(seqs)) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { seqs: seqs ?? [], resolve };
    if (seqs !== undefined) this.#waiters.add(waiter);
    const over = new AbortController();
    void this.#parts.time.sleep(ms, over.signal).then(() => resolve(false));
    void this.#asked(token, seqs === undefined ? 0 : ASK_EVERY_MS, over.signal).then(() => resolve(true));
    const reached = await promise;
    over.abort();
    this.#waiters.delete(waiter);
    return reached;
  }

  /** Resolves when a peer says that it holds what the token names, or the signal fires. */
  async #asked(token: Token, afterMs: number, signal: AbortSignal): Promise<void> {
    await this.#parts.time.sleep(afterMs, signal);
    while (!signal.aborted) {
      const answers = await Promise.all(
        this.#parts.peers.map((peer) => this.#parts.holds(peer, token).catch(() => false)),
      );
      if (answers.includes(true)) return;
      await this.#parts.time.sleep(ASK_EVERY_MS, signal);
    }
  }

  #look(): void {
    for (const { seqs, resolve } of this.#waiters) if (this.#isStored(seqs)) resolve(true);
  }

  #isStored(seqs: readonly number[]): boolean {
    return seqs.every((seq) => {
      const place = this.#kept.get(seq)?.place;
      if (place === undefined) return false;
      return [...this.#reports.values()].some(
        ({ incarnation, sequence }) => incarnation === place.incarnation && sequence >= place.sequence,
      );
    });
  }

  /** The rows of ours that hold what the token names; undefined when one is not among those remembered. */
  #rowsOf(token: Token): number[] | undefined {
    const rows = [...this.#kept.values()];
    const seqs = token.map((position) => rows.findLast((row) => isIn(row, position))?.seq);
    return seqs.every((seq) => seq !== undefined) ? seqs : undefined;
  }

  #forget(count: number): void {
    let left = count;
    for (const [seq, row] of this.#kept) {
      if (left-- <= 0) return;
      this.#kept.delete(seq);
      this.#keptBytes -= sizeOf(row);
    }
  }
}

function isIn({ entry }: OutboxRow, position: Token[number]): boolean {
  if ('scope' in position)
    return (
      entry.kind === 'cells' &&
      entry.scope === position.scope &&
      entry.cells.some(({ key, v }) => key === position.key && v >= position.v)
    );
  if (entry.kind !== 'update' || entry.name !== position.document) return false;
  const { from, to } = Y.parseUpdateMeta(entry.bytes);
  const { client, clock } = position;
  return (from.get(client) ?? Infinity) < clock && (to.get(client) ?? 0) >= clock;
}

const sizeOf = ({ entry }: OutboxRow): number => (entry.kind === 'update' ? entry.bytes.length : 256);
