import { CausewayError, checkToken, type Token } from '@causeway/protocol';
import * as Y from 'yjs';
import type { AppendQueue } from './append-queue.ts';
import type { Cells } from './cells.ts';
import type { Documents } from './documents.ts';
import type { Time } from './ports.ts';

/** Waits under way at once. */
const WAITERS = 10_000;
/** Times that a look starts again because a commit in flight failed. */
const LOOKS = 3;

type Entry = Token[number];
type Waiter = { lacks: Set<Entry>; looking: boolean; again: boolean; done(held: boolean | Error): void };
type Parts = {
  documents: Documents;
  cells: Cells;
  queue: Pick<AppendQueue, 'settled'>;
  time: Time;
  /** Asks for the news of the log at once. */
  nudge(): void;
};

/** Ends the wait of a clock; making the default reason, an exception, would cost more than the wait. */
const OVER = 'over';

const nameOf = (entry: Entry): string => ('document' in entry ? entry.document : entry.scope);

/** Says whether this region has the writes of a token, committed, and waits for them. */
export class Tokens {
  readonly #parts: Parts;
  /** By the name of what is awaited. */
  readonly #waiting = new Map<string, Set<Waiter>>();
  #waiters = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Rejects with `invalid-request` for what is no token, and with the store's error. */
  async holds(token: Token): Promise<boolean> {
    for (const entry of checkToken(token)) if (!(await this.#holdsEntry(entry))) return false;
    return true;
  }

  /** True once all of the token is here; false when it is not within `ms`, or before the signal fires. */
  async waitFor(token: Token, ms: number, signal?: AbortSignal): Promise<boolean> {
    checkToken(token);
    if (this.#waiters >= WAITERS)
      throw new CausewayError(
        'not-ready',
        'too many readers wait for writes; try again, or read without a token',
        {
          retryAfter: 1,
        },
      );
    this.#waiters++;
    const over = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const done = (held: boolean | Error): void => (held instanceof Error ? reject(held) : resolve(held));
    const waiter: Waiter = { lacks: new Set(token), looking: false, again: false, done };
    const stop = (): void => over.abort(OVER);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) stop();
    // In line before the first look: what is committed while it looks makes it look again.
    for (const name of new Set(token.map(nameOf))) this.#enlist(name, waiter);
    try {
      void this.#look(waiter);
      this.#parts.nudge();
      void this.#parts.time.sleep(ms, over.signal).then(() => resolve(false));
      return await promise;
    } finally {
      over.abort(OVER);
      signal?.removeEventListener('abort', stop);
      for (const name of new Set(token.map(nameOf))) this.#discharge(name, waiter);
      this.#waiters--;
    }
  }

  /** Something of these documents and scopes is committed. */
  changed(names: Iterable<string>): void {
    if (this.#waiters === 0) return;
    for (const name of names) for (const waiter of this.#waiting.get(name) ?? []) void this.#look(waiter);
  }

  async #look(waiter: Waiter): Promise<void> {
    waiter.again = true;
    if (waiter.looking) return;
    waiter.looking = true;
    try {
      while (waiter.again) {
        waiter.again = false;
        for (const entry of waiter.lacks) if (await this.#holdsEntry(entry)) waiter.lacks.delete(entry);
        if (waiter.lacks.size === 0) return waiter.done(true);
      }
    } catch (error) {
      waiter.done(error instanceof Error ? error : new Error(String(error)));
    } finally {
      waiter.looking = false;
    }
  }

  async #holdsEntry(entry: Entry): Promise<boolean> {
    if ('scope' in entry) {
      const held = (await this.#parts.cells.open(entry.scope)).get(entry.key);
      return held !== undefined && held.v >= entry.v;
    }
    for (let look = 1; ; look++) {
      const live = await this.#parts.documents.open(entry.document);
      if (live.dropped) continue;
      const isThere = Y.getState(live.doc.store, entry.client) >= entry.clock;
      if (!isThere) return false;
      try {
        // The copy may be ahead of the log by the commit in flight: seen first, then shared its fate.
        await this.#parts.queue.settled(entry.document);
        return true;
      } catch (error) {
        if (look === LOOKS) throw error;
      }
    }
  }

  #enlist(name: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiters.add(waiter));
  }

  #discharge(name: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(name);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiting.delete(name);
  }
}
