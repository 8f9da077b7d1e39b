const never = new Promise<never>(() => undefined);

/**
 * A process as its operating system sees it: running, stopped (SIGSTOP) or dead (SIGKILL).
 * Whatever reaches it from outside, its timers included, passes here: while it is stopped that
 * waits, in order, and once it is dead nothing arrives any more.
 */
export class Lifeline {
  readonly #death = new AbortController();
  #held: (() => void)[] = [];
  #isStopped = false;

  /** Fires when the process dies. */
  get death(): AbortSignal {
    return this.#death.signal;
  }

  get isDead(): boolean {
    return this.#death.signal.aborted;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  stop(): void {
    this.#isStopped = true;
  }

  go(): void {
    this.#isStopped = false;
    for (const event of this.#held.splice(0)) this.deliver(event);
  }

  kill(): void {
    this.#held = [];
    this.#death.abort();
  }

  /** Something happens to the process: now, when it goes on, or never. */
  deliver(event: () => void): void {
    if (this.isDead) return;
    if (this.#isStopped) this.#held.push(event);
    else event();
  }

  /** What the process sees of work that others do for it. */
  through<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.deliver(() => resolve(value)),
        (error: unknown) => this.deliver(() => reject(error)),
      );
    });
  }

  /** Runs work of the process itself that somebody outside calls for. */
  call<T>(work: () => Promise<T>): Promise<T> {
    if (this.isDead) return never;
    return new Promise((resolve, reject) => this.deliver(() => void work().then(resolve, reject)));
  }
}
