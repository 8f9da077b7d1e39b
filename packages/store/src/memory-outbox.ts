import type { OutboxRow, Row } from '@causeway/replica';
import { adopted, type Publishing } from './incarnation.ts';
import { cellsToText } from './outbox-text.ts';

/** What waits for publication in one zone, and into what it is published. */
export class MemoryOutbox {
  /** By number; numbers only grow, so the order is theirs. */
  readonly #rows = new Map<number, OutboxRow & { at: number }>();
  #publishing: Publishing | undefined;

  add(row: OutboxRow & { at: number }): void {
    this.#rows.set(row.seq, row);
  }

  has(seq: number): boolean {
    return this.#rows.has(seq);
  }

  unpublished(until: number, limit: number): OutboxRow[] {
    return [...this.#rows.values()]
      .filter(({ at }) => at <= until)
      .slice(0, limit)
      .map(({ seq, entry }) => ({ seq, entry: copyOf(entry) }));
  }

  published(seqs: readonly number[], stream: { incarnation: string; sequence: number }): void {
    for (const seq of seqs) this.#rows.delete(seq);
    if (this.#publishing?.incarnation === stream.incarnation)
      this.#publishing.sequence = Math.max(this.#publishing.sequence, stream.sequence);
  }

  size(now: number): { rows: number; bytes: number; oldestMs: number } {
    const rows = [...this.#rows.values()];
    return {
      rows: rows.length,
      bytes: rows.reduce((sum, { entry }) => sum + sizeOf(entry), 0),
      oldestMs: rows.length === 0 ? 0 : now - rows[0]!.at,
    };
  }

  trim(keep: number): number {
    const oldest = [...this.#rows.keys()].slice(0, Math.max(0, this.#rows.size - keep));
    for (const seq of oldest) this.#rows.delete(seq);
    return oldest.length;
  }

  incarnation(): { incarnation: string; sequence: number } | undefined {
    if (this.#publishing === undefined) return undefined;
    const { incarnation, sequence } = this.#publishing;
    return { incarnation, sequence };
  }

  adopt(stream: { stream: string; identity: string; lastSequence: number; given: number }): {
    incarnation: string;
    isNew: boolean;
  } {
    const before = this.#publishing;
    this.#publishing = adopted(before, stream);
    return {
      incarnation: this.#publishing.incarnation,
      isNew: before !== undefined && this.#publishing !== before,
    };
  }
}

const sizeOf = (entry: Row['entry']): number =>
  entry.kind === 'update' ? entry.bytes.length : Buffer.byteLength(cellsToText(entry.cells));

/** What is kept must not change when the caller's objects do. */
export function copyOf(entry: Row['entry']): Row['entry'] {
  if (entry.kind === 'update') return { ...entry, bytes: entry.bytes.slice() };
  return { ...entry, cells: entry.cells.map((cell) => ({ ...cell, value: structuredClone(cell.value) })) };
}
