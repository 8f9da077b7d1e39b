import { compareText, type NameDigest } from '@causeway/protocol';
import { BUCKETS, type Bucket, type StateRow } from '@causeway/replica';
import { entryOf, type StateChange } from './batch.ts';

type State = {
  name: string;
  bucket: number;
  /** Undefined: out of date. */
  digest: bigint | undefined;
  changes: number;
  rows: number;
  bytes: number;
  /** Of the last write: number of the commit, and milliseconds since 1970. */
  commit: number;
  at: number;
};

/** The table of states of one zone: a row per document and per scope. */
export class MemoryStates {
  readonly #states = new Map<string, State>();

  get(name: string): Readonly<State> | undefined {
    return this.#states.get(name);
  }

  written({ name, bucket, rows, bytes }: StateChange, commit: number, now: number): void {
    const state = entryOf(this.#states, name, (): State => ({
      name,
      bucket,
      digest: undefined,
      changes: 0,
      rows: 0,
      bytes: 0,
      commit,
      at: now,
    }));
    state.digest = undefined;
    state.changes++;
    state.rows += rows;
    state.bytes += bytes;
    state.commit = commit;
    state.at = now;
  }

  compacted(name: string, by: { rows: number; bytes: number }): void {
    const state = this.#states.get(name)!;
    state.rows += by.rows;
    state.bytes += by.bytes;
  }

  setDigest({ name, changes, digest }: { name: string; changes: number; digest: bigint }): void {
    const state = this.#states.get(name);
    if (state?.changes === changes) state.digest = BigInt.asUintN(64, digest);
  }

  stale(limit: number, now: number): StateRow[] {
    return [...this.#states.values()]
      .filter(({ digest }) => digest === undefined)
      .sort((a, b) => b.rows - a.rows || a.at - b.at || compareText(a.name, b.name))
      .slice(0, limit)
      .map(({ name, changes, rows, bytes, at }) => ({ name, changes, rows, bytes, quietMs: now - at }));
  }

  buckets(): Bucket[] {
    const buckets = Array.from({ length: BUCKETS }, (): Bucket => ({ digest: 0n, names: 0, stale: 0 }));
    for (const state of this.#states.values()) {
      const bucket = buckets[state.bucket]!;
      bucket.names++;
      if (state.digest === undefined) bucket.stale++;
      else bucket.digest ^= state.digest;
    }
    return buckets;
  }

  names(buckets: readonly number[], after: string, limit: number): NameDigest[] {
    const wanted = new Set(buckets);
    return [...this.#states.values()]
      .filter((state) => wanted.has(state.bucket) && compareText(state.name, after) > 0)
      .sort((a, b) => compareText(a.name, b.name))
      .slice(0, limit)
      .map(({ name, digest }) => (digest === undefined ? { name } : { name, digest }));
  }
}
