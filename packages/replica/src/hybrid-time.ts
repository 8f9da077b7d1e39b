import { CausewayError, LIMITS } from '@causeway/protocol';

/**
 * Hybrid time is one integer: milliseconds since 1970 x 1024 + a counter that carries into the
 * milliseconds. It fits a double until the year 2248 and compares as a number; as text it is 11
 * base-36 digits, so that it compares as text as well. (Kulkarni et al., "Logical Physical
 * Clocks", 2014, with the counter packed into the low bits.)
 */
const COUNTS_PER_MS = 1024;
const DIGITS = 11;

export const hybridOf = (ms: number): number => ms * COUNTS_PER_MS;
export const millisOf = (hybrid: number): number => Math.floor(hybrid / COUNTS_PER_MS);
export const hybridText = (hybrid: number): string => hybrid.toString(36).padStart(DIGITS, '0');
/** 0 for what is no such text: a peer's nonsense must not become a clock's NaN. */
export const hybridFromText = (text: string): number =>
  /^[0-9a-z]{11}/.test(text) ? Number.parseInt(text.slice(0, DIGITS), 36) : 0;

/** The `v` of a cell set by a command: later wins, ties go by command id. */
export const orderOf = (v: number, commandId: string): string => `${hybridText(v)}.${commandId}`;
/** The `v` of a cell whose value only grows. */
export const countOrder = (count: number): string => hybridText(count);
/** The number inside either of them. */
export const numberInOrder = hybridFromText;

/** `t` of a message: the accepting server's hybrid time and the author clientID of its process. */
export const timeOfPost = (hybrid: number, client: number): string =>
  `${hybridText(hybrid)}.${client.toString(36)}`;

export class HybridClock {
  readonly #now: () => number;
  #last = 0;
  /** Timestamps from the future that peers sent: applied, but not believed (R14). */
  fromFuture = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A time larger than every one that this clock gave or believed. */
  tick(): number {
    this.#last = Math.max(hybridOf(this.#now()), this.#last + 1);
    return this.#last;
  }

  /** The time now, without advancing. */
  read(): number {
    return Math.max(hybridOf(this.#now()), this.#last);
  }

  /** Learns from a peer's timestamp; one beyond the skew bound never advances us (R14). */
  witness(hybrid: number): void {
    if (hybrid > this.#bound()) this.fromFuture++;
    else this.#last = Math.max(this.#last, hybrid);
  }

  /**
   * Refuses a client's `v` beyond max(now + skew bound, held + 1); throws `clock-ahead`. The
   * second arm lets an honest client answer a value that came from a peer's fast clock.
   */
  admit(v: number, held: number): void {
    if (v <= Math.max(this.#bound(), held + 1)) return;
    const aheadMs = millisOf(v) - this.#now();
    throw new CausewayError(
      'clock-ahead',
      `v is ${aheadMs} ms ahead of this server; mint it from the clock that servers report (now ${this.read()})`,
    );
  }

  #bound(): number {
    return hybridOf(this.#now() + LIMITS.clockSkewMs);
  }
}
