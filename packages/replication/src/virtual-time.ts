import type { Time } from '@causeway/replica';

type Sleeper = { at: number; wake: () => void };

/**
 * Time for tests that jumps to the next sleeper as soon as nobody has anything else to do, so
 * that three seconds of silence take no time at all.
 */
export class VirtualTime implements Time {
  #now = 1_700_000_000_000;
  #sleepers: Sleeper[] = [];
  #advancing = false;

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.#now + ms,
        wake: () => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          resolve();
        },
      };
      this.#sleepers.push(sleeper);
      this.#sleepers.sort((a, b) => a.at - b.at);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      this.#advanceWhenIdle();
    });
  }

  #advanceWhenIdle(): void {
    if (this.#advancing || this.#sleepers.length === 0) return;
    this.#advancing = true;
    setImmediate(() => {
      this.#advancing = false;
      const [first] = this.#sleepers;
      if (first === undefined) return;
      this.#now = first.at;
      first.wake();
      this.#advanceWhenIdle();
    });
  }
}
