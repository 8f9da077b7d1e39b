import {
  CausewayError,
  ERRORS,
  commandId,
  parseName,
  type Cell,
  type CommandOf,
  type Scheduled,
} from '@causeway/protocol';
import { cellsEntry, wins, type Cells } from './cells.ts';
import type { AppendQueue } from './append-queue.ts';
import { numberInOrder, orderOf } from './hybrid-time.ts';
import type { Store, Time } from './ports.ts';

/** How often is looked for what is due, how many are sent at a time, and how many that cannot be sent now are passed over. */
const EVERY_MS = 1_000;
const PAGE = 100;
const PASSED_OVER = 10_000;
/** How long other regions leave a post to the one where it was scheduled. */
export const OTHERS_WAIT_MS = 60_000;

export type SchedulerParts = {
  region: string;
  store: Pick<Store, 'due'>;
  cells: Cells;
  queue: AppendQueue;
  time: Time;
  /** Rejects when the author may not post there now. */
  mayPost(post: CommandOf<'post'>): Promise<void>;
  /** Is it in this region already? */
  isHere(post: CommandOf<'post'>): Promise<boolean>;
  /** `posted` when it is committed here; `stored` says whether another region has it too, after some seconds at the latest. */
  post(post: CommandOf<'post'>): { posted: Promise<unknown>; stored: Promise<boolean> };
  failed(error: unknown): void;
};

/**
 * Sends scheduled posts when they are due: those of its own region at once, those of others a
 * minute later, in case their region is away. Two that send one are no harm, nor is a crash between
 * sending and noting it: the id is the post's own, so it is one message (R4). It is noted when
 * another region has the message: a note that outlives the disk on which alone the message was
 * would keep everybody from sending it (R3). One process of a region does this.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  /** Posts of the last round that could not be sent for a reason that will pass: they hold up no other one. */
  #waiting = 0;
  /** Sent, and not known to be in another region yet; by scope and key. */
  readonly #unconfirmed = new Set<string>();

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Works until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { time, failed } = this.#parts;
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        if (!signal.aborted) failed(error);
      }
      await time.sleep(EVERY_MS, signal);
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { store, time, region } = this.#parts;
    const now = time.now();
    const limit = PAGE + Math.min(this.#waiting + this.#unconfirmed.size, PASSED_OVER);
    const all = await store.due({ region, own: now, others: now - OTHERS_WAIT_MS, limit });
    const due = all.filter((cell) => !this.#unconfirmed.has(placeOf(cell)));
    const failures: unknown[] = [];
    for (let at = 0; at < due.length && !signal.aborted; at += PAGE) {
      const sent = await Promise.allSettled(due.slice(at, at + PAGE).map((cell) => this.#send(cell)));
      failures.push(...sent.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : [])));
    }
    this.#waiting = failures.length;
    if (failures.length > 0) this.#parts.failed(failures[0]);
  }

  /** Rejects for a reason that will pass. */
  async #send(cell: Cell): Promise<void> {
    const scheduled = cell.value as Scheduled;
    const scope = parseName(cell.scope);
    // Cancelled or moved since it was found due: many may have been before it.
    const now = (await this.#parts.cells.open(cell.scope)).get(cell.key);
    if (now !== undefined && now.v > cell.v) return;
    if (scope?.kind !== 'member' || 'sent' in scheduled) return;
    const { post, at } = scheduled;
    // A peer's cell is believed only where it speaks of its own member's post, under that post's id.
    const isTheirs =
      post.workspace === scope.workspace &&
      post.member === scope.member &&
      cell.key === `scheduled|${commandId(post)}`;
    if (!isTheirs) return this.#note(cell, { ...scheduled, failed: 'id-mismatch' });
    try {
      await this.#mustBePostable(post);
      const { posted, stored } = this.#parts.post(post);
      stored.catch(() => undefined);
      await posted;
      void this.#noteWhenStored(cell, stored, { sent: true, at });
    } catch (error) {
      if (!(error instanceof CausewayError) || ERRORS[error.code].next === 'retry') throw error;
      return this.#note(cell, { ...scheduled, failed: error.code });
    }
  }

  /** What was sent already is only to be noted, whatever became of its author and channel since. */
  async #mustBePostable(post: CommandOf<'post'>): Promise<void> {
    try {
      await this.#parts.mayPost(post);
    } catch (error) {
      if (!(await this.#parts.isHere(post))) throw error;
    }
  }

  /** Otherwise it is sent again in a later round, which finds it there and asks again. Never rejects. */
  async #noteWhenStored(cell: Cell, stored: Promise<boolean>, value: Scheduled): Promise<void> {
    const place = placeOf(cell);
    this.#unconfirmed.add(place);
    try {
      if (await stored) await this.#note(cell, value);
    } catch (error) {
      this.#parts.failed(error);
    } finally {
      this.#unconfirmed.delete(place);
    }
  }

  /**
   * Writes what became of it. Its `v` follows the one that was read, the same in every region; a
   * cancellation or another time that came meanwhile has a later one and stays.
   */
  async #note({ scope, key, v }: Cell, value: Scheduled): Promise<void> {
    const { cells, queue } = this.#parts;
    const held = await cells.open(scope);
    const change = { key, v: orderOf(numberInOrder(v) + 1, key.slice('scheduled|'.length)), value };
    await queue.run({
      key: scope,
      size: 256,
      author: () => ({
        answer: undefined,
        cells: wins(change, held.get(key)) ? [cellsEntry(scope, change)] : [],
      }),
    });
  }
}

const placeOf = ({ scope, key }: Cell): string => `${scope} ${key}`;
