import { hybridOf, millisOf } from '@causeway/replica';

/**
 * Mints the `v` of commands. Servers say what time it is in every answer; the wall clock of this
 * machine only tells how much has passed since, so one that is wrong does no harm.
 */
export class ClientClock {
  readonly #wall: () => number;
  #aheadMs = 0;
  #last = 0;

  /** `wall`: milliseconds since 1970. */
  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** The time as servers see it, milliseconds since 1970. */
  now(): number {
    return this.#wall() + this.#aheadMs;
  }

  /** A hybrid time larger than every one that was minted or heard of. */
  mint(): number {
    this.#last = Math.max(hybridOf(Math.floor(this.now())), this.#last + 1);
    return this.#last;
  }

  /** A server's hybrid time, from an answer. */
  told(hybrid: number): void {
    this.#aheadMs = millisOf(hybrid) - this.#wall();
    this.#last = Math.max(this.#last, hybrid);
  }

  /** Goes back to the server's time: what was minted ahead of it was refused with `clock-ahead`. */
  adopt(hybrid: number): void {
    this.#last = 0;
    this.told(hybrid);
  }
}
