/**
 * `black-hole`: nothing passes and nobody is told; what was sent waits, as TCP would send it again.
 * `reset`: connections are torn down, and new ones at once.
 */
export type CutMode = 'black-hole' | 'reset';

export type RoadState = {
  from: string;
  to: string;
  /** One way, in milliseconds. */
  delayMs: number;
  /** Shared by all connections; absent when unlimited. */
  bytesPerSecond?: number;
  /** Absent when the road is open. */
  cut?: CutMode;
};

/**
 * The way from one region to another, in one direction. Every connection between the two, whoever
 * opened it, sends over it what goes that way.
 */
export class Road {
  readonly from: string;
  readonly to: string;
  readonly #initially: { delayMs: number; bytesPerSecond: number | undefined };
  #delayMs: number;
  #bytesPerSecond: number | undefined;
  #cut: CutMode | undefined;
  #openSince = Number.NEGATIVE_INFINITY;
  #busyUntil = 0;
  readonly #watchers = new Set<() => void>();

  constructor(from: string, to: string, delayMs: number, bytesPerSecond?: number) {
    this.from = from;
    this.to = to;
    this.#initially = { delayMs, bytesPerSecond };
    this.#delayMs = delayMs;
    this.#bytesPerSecond = bytesPerSecond;
  }

  get delayMs(): number {
    return this.#delayMs;
  }

  get cutMode(): CutMode | undefined {
    return this.#cut;
  }

  /** When `bytes` that set out at `now` (of `performance.now()`) arrive on an open road. */
  arrival(bytes: number, now: number): number {
    if (this.#bytesPerSecond === undefined) return now + this.#delayMs;
    this.#busyUntil = Math.max(this.#busyUntil, now) + (bytes / this.#bytesPerSecond) * 1000;
    return this.#busyUntil + this.#delayMs;
  }

  /**
   * When bytes that were to arrive at `due` may: those that a cut held back are sent again when it
   * heals and take the whole way.
   */
  notBefore(due: number): number {
    return Math.max(due, this.#openSince + this.#delayMs);
  }

  cut(mode: CutMode): void {
    this.#cut = mode;
    this.#changed();
  }

  slow(delayMs: number): void {
    this.#delayMs = delayMs;
    this.#changed();
  }

  limit(bytesPerSecond: number | undefined): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** As it was in the beginning: open, with its first delay and width. What is under way arrives when it would have. */
  heal(): void {
    if (this.#cut !== undefined) this.#openSince = performance.now();
    this.#cut = undefined;
    this.#delayMs = this.#initially.delayMs;
    this.#bytesPerSecond = this.#initially.bytesPerSecond;
    this.#busyUntil = 0;
    this.#changed();
  }

  /** Calls back after every change, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  state(): RoadState {
    return {
      from: this.from,
      to: this.to,
      delayMs: this.#delayMs,
      ...(this.#bytesPerSecond === undefined ? {} : { bytesPerSecond: this.#bytesPerSecond }),
      ...(this.#cut === undefined ? {} : { cut: this.#cut }),
    };
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
