import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import type { Storage } from './storage.ts';

/** Of one account, bytes; what was written longest ago leaves. */
const TOTAL_BYTES = 32 * 1024 * 1024;
const VALUE_BYTES = 2 * 1024 * 1024;
const AGE_MS = 30 * 86_400_000;
const INDEX = 'index';

type Index = Record<string, { at: number; bytes: number }>;

/**
 * What an account saw last, to be shown before a region answers. It is never the truth, so whatever
 * is wrong with it, is too large or too old, is left out without a word.
 */
export class Cache {
  readonly #storage: Storage;
  readonly #prefix: string;
  readonly #now: () => number;
  readonly #index: Promise<Index>;

  /** `account`: `<workspace>|<member>`; `now`: milliseconds since 1970. */
  constructor(storage: Storage, account: string, now: () => number) {
    this.#storage = storage;
    this.#prefix = `${account}|`;
    this.#now = now;
    this.#index = this.#readIndex();
  }

  /** What was put last, if it is still there. Everything that JSON knows, and bytes. */
  async get(key: string): Promise<unknown> {
    const index = await this.#index;
    if (index[key] === undefined) return undefined;
    return this.#read(key).catch(() => undefined);
  }

  async put(key: string, value: unknown): Promise<void> {
    const index = await this.#index;
    const bytes = encoding.encode((to) => encoding.writeAny(to, value as never));
    if (bytes.length > VALUE_BYTES) return;
    index[key] = { at: this.#now(), bytes: bytes.length };
    const leaving = this.#tooMuch(index);
    for (const old of leaving) delete index[old];
    await this.#storage
      .write('cache', {
        put: [
          [this.#prefix + key, bytes],
          [this.#prefix + INDEX, encoding.encode((to) => encoding.writeAny(to, index))],
        ],
        remove: leaving.map((old) => this.#prefix + old),
      })
      .catch(() => undefined);
  }

  /** The member may not see it any more. */
  async clear(): Promise<void> {
    const index = await this.#index;
    for (const key of Object.keys(index)) delete index[key];
    const keys = await this.#storage.keys('cache', this.#prefix).catch(() => []);
    await this.#storage.write('cache', { remove: keys }).catch(() => undefined);
  }

  /** What another tab or an older version left and the index does not know goes. */
  async #readIndex(): Promise<Index> {
    try {
      const index = isIndex(await this.#read(INDEX).catch(() => undefined));
      const keys = (await this.#storage.keys('cache', this.#prefix)).map((key) =>
        key.slice(this.#prefix.length),
      );
      const there = new Set(keys);
      for (const key of Object.keys(index)) if (!there.has(key)) delete index[key];
      const leaving = [
        ...keys.filter((key) => key !== INDEX && index[key] === undefined),
        ...this.#tooMuch(index),
      ];
      for (const key of leaving) delete index[key];
      if (leaving.length > 0)
        await this.#storage.write('cache', { remove: leaving.map((key) => this.#prefix + key) });
      return index;
    } catch {
      return {};
    }
  }

  async #read(key: string): Promise<unknown> {
    const [found] = await this.#storage.read('cache', this.#prefix + key);
    if (found === undefined || found[0] !== this.#prefix + key) return undefined;
    return decoding.readAny(decoding.createDecoder(found[1]));
  }

  #tooMuch(index: Index): string[] {
    const oldest = this.#now() - AGE_MS;
    let bytes = 0;
    return Object.entries(index)
      .sort(([, a], [, b]) => b.at - a.at)
      .filter(([, entry]) => {
        bytes += entry.bytes;
        return bytes > TOTAL_BYTES || entry.at < oldest;
      })
      .map(([key]) => key);
  }
}

function isIndex(value: unknown): Index {
  if (typeof value !== 'object' || value === null) return {};
  const whole = Object.entries(value as Record<string, Partial<Index[string]> | null>).filter(
    ([, entry]) => Number.isFinite(entry?.at) && Number.isFinite(entry?.bytes),
  );
  return Object.fromEntries(whole) as Index;
}
