import { Holds } from './holds.ts';
import { SHELVES, type Change, type Shelf, type Storage } from './storage.ts';

/** Keeps until the end of the process; the twin of the others in tests, and their stand-in where nothing can be kept. */
export class MemoryStorage implements Storage {
  readonly #shelves = new Map(SHELVES.map((shelf) => [shelf, new Map<string, Uint8Array>()]));
  readonly #holds = new Holds();
  readonly hold = this.#holds.hold.bind(this.#holds);

  async keys(shelf: Shelf, prefix: string): Promise<string[]> {
    return [...this.#shelves.get(shelf)!.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  async read(shelf: Shelf, prefix: string): Promise<[string, Uint8Array][]> {
    const keys = await this.keys(shelf, prefix);
    return keys.map((key) => [key, this.#shelves.get(shelf)!.get(key)!]);
  }

  async write(shelf: Shelf, { put = [], remove = [] }: Change): Promise<void> {
    const held = this.#shelves.get(shelf)!;
    for (const [key, value] of put) held.set(key, value.slice());
    for (const key of remove) held.delete(key);
  }

  /** What is kept stays: a storage outlives those who use it. */
  async close(): Promise<void> {}
}
