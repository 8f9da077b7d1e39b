import { first64 } from '../digest.ts';
import { STATE, type State } from './state.ts';

export type Standing = { key: string; state: State };

/**
 * Who is present in one process: the last writer wins by the process' own counter, so that what is
 * repeated or out of order changes nothing. Who left is remembered until the whole is confirmed.
 */
export class Roster {
  readonly #entries = new Map<string, { state: State; n: number }>();
  /** Of those who left. */
  readonly #gone = new Map<string, number>();
  /** Everything up to this number is settled: what comes with a lower one is late. */
  #settled = 0;
  #latest = 0;
  #digest = 0n;

  /** Members that are not offline. */
  get count(): number {
    return this.#entries.size;
  }

  /** The same for two rosters that show the same, whatever their history. */
  get digest(): bigint {
    return this.#digest;
  }

  /** The highest number heard of. */
  get latest(): number {
    return this.#latest;
  }

  get keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  state(key: string): State {
    return this.#entries.get(key)?.state ?? STATE.offline;
  }

  standings(): Standing[] {
    return [...this.#entries].map(([key, { state }]) => ({ key, state }));
  }

  /** True when the member's state is another one now. */
  set({ key, state }: Standing, n: number): boolean {
    this.#latest = Math.max(this.#latest, n);
    const before = Math.max(this.#settled, this.#entries.get(key)?.n ?? 0, this.#gone.get(key) ?? 0);
    return n > before && this.#write(key, state, n);
  }

  /** Takes everybody as of number `n`; the keys whose state changed. */
  replace(standings: readonly Standing[], n: number): string[] {
    if (n < this.#settled) return [];
    const given = new Map(standings.map(({ key, state }) => [key, state]));
    const changed: string[] = [];
    for (const key of new Set([...this.#entries.keys(), ...given.keys()])) {
      const newer = Math.max(this.#entries.get(key)?.n ?? 0, this.#gone.get(key) ?? 0) > n;
      if (!newer && this.#write(key, given.get(key) ?? STATE.offline, n)) changed.push(key);
    }
    this.#latest = Math.max(this.#latest, n);
    this.settle(n);
    return changed;
  }

  /** What was written up to `n` is known to be right and whole. */
  settle(n: number): void {
    if (n <= this.#settled) return;
    this.#settled = n;
    for (const [key, left] of this.#gone) if (left <= n) this.#gone.delete(key);
  }

  #write(key: string, state: State, n: number): boolean {
    const before = this.state(key);
    this.#digest ^= digestOf(key, before) ^ digestOf(key, state);
    if (state === STATE.offline) {
      this.#entries.delete(key);
      this.#gone.set(key, n);
    } else {
      this.#entries.set(key, { state, n });
      this.#gone.delete(key);
    }
    return before !== state;
  }
}

const NOTHING = new Uint8Array();
const digestOf = (key: string, state: State): bigint =>
  state === STATE.offline ? 0n : first64(`${key} ${state}`, NOTHING);
