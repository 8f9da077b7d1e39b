import type { Time } from './ports.ts';

/** Given as the reason of a wake-up: making the default one, an exception, costs more than the wait. */
const NUDGED = 'nudged';

/** A wait that a nudge cuts short, also one that came before the wait began. */
export class Nudges {
  #pending = false;
  #wake: () => void = () => undefined;

  nudge(): void {
    this.#pending = true;
    this.#wake();
  }

  /** Waits for a nudge, at most `ms`; true when there was one. */
  async wait(time: Time, ms: number): Promise<boolean> {
    if (!this.#pending) {
      const nudged = new AbortController();
      this.#wake = () => nudged.abort(NUDGED);
      await time.sleep(ms, nudged.signal);
      this.#wake = () => undefined;
    }
    const wasNudged = this.#pending;
    this.#pending = false;
    return wasNudged;
  }
}
