import type { Time } from '@causeway/replica';

type Sleeper = { at: number; order: number; awake: boolean; wake: () => void };

/**
 * Time that jumps to the next sleeper as soon as nobody has anything else to do, so that hours of
 * silence take no time at all. Sleepers due at the same moment wake in the order in which they lay down.
 */
export class SimulatedTime implements Time {
  #now = 1_700_000_000_000;
  #order = 0;
  #advancing = false;
  /** A binary heap, the next one first. Those woken by their signal stay in it until their time. */
  #heap: Sleeper[] = [];
  #ended = false;

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        sleeper.awake = true;
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { at: this.#now + Math.max(0, ms), order: this.#order++, awake: false, wake };
      this.#push(sleeper);
      signal?.addEventListener('abort', wake);
      this.#advanceWhenIdle();
    });
  }

  /** How many are asleep. */
  get sleepers(): number {
    return this.#heap.filter(({ awake }) => !awake).length;
  }

  /** The world is over: nobody wakes any more, and what still waits is forgotten. */
  end(): void {
    this.#ended = true;
    this.#heap = [];
  }

  #advanceWhenIdle(): void {
    if (this.#advancing || this.#ended) return;
    this.#advancing = true;
    setImmediate(() => {
      this.#advancing = false;
      let next = this.#pop();
      while (next?.awake === true) next = this.#pop();
      if (next === undefined) return;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      this.#advanceWhenIdle();
    });
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(sleeper);
    for (let parent = (at - 1) >> 1; at > 0 && isSooner(sleeper, heap[parent]!); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = sleeper;
  }

  #pop(): Sleeper | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || last === first) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isSooner(heap[child + 1]!, heap[child]!)) child++;
      if (!isSooner(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const isSooner = (a: Sleeper, b: Sleeper): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
