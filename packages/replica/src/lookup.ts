import type { Store } from './ports.ts';

type Held = { segment: number; deleted: boolean };
type Asked = { id: string; resolve(held: Held[]): void; reject(error: unknown): void };

/** Ids in one look-up. */
const BATCH = 1_000;

/**
 * The table id -> segments. Questions that come while one is under way go together into the
 * next, so that a busy channel pays one query for hundreds of posts.
 */
export class Lookup {
  readonly #store: Store;
  readonly #waiting = new Map<string, Asked[]>();
  readonly #asking = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The segments of the channel that hold the message; none: it is not here (yet). */
  segmentsOf(channel: string, id: string): Promise<Held[]> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(channel);
      const asked = { id, resolve, reject };
      if (waiting === undefined) this.#waiting.set(channel, [asked]);
      else waiting.push(asked);
      if (!this.#asking.has(channel)) queueMicrotask(() => void this.#ask(channel));
    });
  }

  async #ask(channel: string): Promise<void> {
    if (this.#asking.has(channel)) return;
    this.#asking.add(channel);
    for (let asked = this.#take(channel); asked.length > 0; asked = this.#take(channel)) {
      try {
        const held = Map.groupBy(
          await this.#store.copies(channel, [...new Set(asked.map(({ id }) => id))]),
          ({ id }) => id,
        );
        for (const { id, resolve } of asked) resolve(held.get(id) ?? []);
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#asking.delete(channel);
  }

  #take(channel: string): Asked[] {
    const waiting = this.#waiting.get(channel) ?? [];
    const taken = waiting.splice(0, BATCH);
    if (waiting.length === 0) this.#waiting.delete(channel);
    return taken;
  }
}
