import type { MessagePlace, Store } from './ports.ts';

type Held = { segment: number; deleted: boolean };
type Asked = MessagePlace & { resolve(held: Held[]): void; reject(error: unknown): void };

/** Messages in one look-up. */
const BATCH = 1_000;

const keyOf = ({ channel, id }: MessagePlace): string => `${channel}/${id}`;

/**
 * The table id -> segments. Questions that come while one is under way go together into the
 * next, whatever their channel, so that a busy zone pays one query for hundreds of posts.
 */
export class Lookup {
  readonly #store: Store;
  readonly #waiting: Asked[] = [];
  #asking = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The segments of the channel that hold the message; none: it is not here (yet). */
  segmentsOf(channel: string, id: string): Promise<Held[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ channel, id, resolve, reject });
      if (this.#asking) return;
      this.#asking = true;
      queueMicrotask(() => void this.#ask());
    });
  }

  async #ask(): Promise<void> {
    for (let asked = this.#take(); asked.length > 0; asked = this.#take()) {
      try {
        const places = new Map(asked.map(({ channel, id }) => [keyOf({ channel, id }), { channel, id }]));
        const held = Map.groupBy(await this.#store.copies([...places.values()]), keyOf);
        for (const { resolve, ...place } of asked) resolve(held.get(keyOf(place)) ?? []);
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#asking = false;
  }

  #take(): Asked[] {
    return this.#waiting.splice(0, BATCH);
  }
}
