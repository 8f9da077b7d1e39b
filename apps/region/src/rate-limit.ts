/** A token bucket: `perSecond` on average, `burst` at once. */
export class Bucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #level: number;
  #at: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#level = burst;
    this.#at = nowMs;
  }

  /** Takes `amount`; false when there is not enough, and nothing is taken then. */
  take(amount: number, nowMs: number): boolean {
    // The wall clock may be set back; nobody owes us for that.
    const passedMs = Math.max(0, nowMs - this.#at);
    this.#level = Math.min(this.#burst, this.#level + (passedMs / 1000) * this.#perSecond);
    this.#at = nowMs;
    if (amount > this.#level) return false;
    this.#level -= amount;
    return true;
  }

  /** Seconds until `amount` will be there. */
  wait(amount: number): number {
    return Math.max(0, Math.ceil((amount - this.#level) / this.#perSecond));
  }
}

/** Buckets by key, a bounded number: the ones used longest ago start afresh. */
export class Buckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  of(key: string, nowMs: number): Bucket {
    const bucket = this.#buckets.get(key) ?? new Bucket(this.#perSecond, this.#burst, nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > 20_000) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket;
  }
}
