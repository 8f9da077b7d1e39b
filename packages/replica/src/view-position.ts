import { Nudges } from './nudges.ts';
import type { Store, Time } from './ports.ts';

/** How often the database is asked while somebody waits. */
const ASK_EVERY_MS = 25;
/** Waits under way at once. */
const WAITERS = 10_000;

type Waiter = { commit: number; reached(reached: boolean): void };

/**
 * How far the view of messages has come, for those who wait for it: told by the projector of this
 * process, else read from the database, by one reader for all who wait.
 */
export class ViewPosition {
  readonly #store: Pick<Store, 'viewState'>;
  readonly #time: Time;
  /** Somebody waits: the projector of this process may look at once. */
  readonly #awaited: () => void;
  /** Rebuilding in place takes nothing away: what was in the view once stays there. */
  #known = 0;
  readonly #waiters = new Set<Waiter>();
  readonly #news = new Nudges();
  #asking = false;

  constructor(store: Pick<Store, 'viewState'>, time: Time, awaited: () => void) {
    this.#store = store;
    this.#time = time;
    this.#awaited = awaited;
  }

  /** Everything up to this commit has been in the view. */
  get known(): number {
    return this.#known;
  }

  /** Everything up to this commit is in the view. */
  passed(position: number): void {
    if (position <= this.#known) return;
    this.#known = position;
    for (const waiter of this.#waiters) if (waiter.commit <= position) waiter.reached(true);
  }

  /** True once the view holds that commit; false when it does not within `ms`, or when too many wait. */
  async reach(commit: number, ms: number): Promise<boolean> {
    if (commit <= this.#known) return true;
    if (this.#waiters.size >= WAITERS) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter: Waiter = { commit, reached: resolve };
    this.#waiters.add(waiter);
    const over = new AbortController();
    void this.#time.sleep(ms, over.signal).then(() => resolve(false));
    void this.#ask();
    try {
      return await promise;
    } finally {
      over.abort('over');
      this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) this.#news.nudge();
    }
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    while (this.#waiters.size > 0) {
      this.#awaited();
      // A database that does not answer is noticed by the reader, who asks it for the messages next.
      await this.#store.viewState().then(
        ({ position }) => this.passed(position),
        () => undefined,
      );
      if (this.#waiters.size > 0) await this.#news.wait(this.#time, ASK_EVERY_MS);
    }
    this.#asking = false;
  }
}
