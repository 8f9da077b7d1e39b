import type { Time } from '@causeway/replica';

type Sleeper = { at: number; order: number; wake: () => void };

/**
 * Time that jumps to the next sleeper as soon as nobody has anything else to do, so that hours of
 * silence take no time at all. Sleepers due at the same moment wake in the order in which they lay down.
 */
export class SimulatedTime implements Time {
  #now = 1_700_000_000_000;
  #order = 0;
  #advancing = false;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { at: this.#now + Math.max(0, ms), order: this.#order++, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', wake);
      this.#advanceWhenIdle();
    });
  }

  #advanceWhenIdle(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    setImmediate(() => {
      this.#advancing = false;
      const next = this.#next();
      if (next === undefined) return;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      this.#advanceWhenIdle();
    });
  }

  #next(): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers)
      if (
        next === undefined ||
        sleeper.at < next.at ||
        (sleeper.at === next.at && sleeper.order < next.order)
      )
        next = sleeper;
    return next;
  }
}
