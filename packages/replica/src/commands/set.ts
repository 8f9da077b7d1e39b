import { CausewayError, LIMITS, type Cell, type Token } from '@causeway/protocol';
import { cellsEntry, mergeCell, wins } from '../cells.ts';
import { numberInOrder } from '../hybrid-time.ts';
import type { Answer, Context } from './context.ts';
import { checkText } from './post.ts';

export type Change = Omit<Cell, 'scope'>;
/** The cells of a scope by key: what is committed, and on top what the batch under way writes. */
export type Seen = Pick<ReadonlyMap<string, Change>, 'get' | 'has' | typeof Symbol.iterator>;

/**
 * Changes cells of one scope. `v` is the client's hybrid time, checked against the clock and what
 * is held, or absent for cells that count. What loses against the held value is not written, and
 * only what is written is asked of `check`, which throws when it may not be.
 */
export async function set(
  context: Context,
  id: string,
  scope: string,
  v: number | undefined,
  changes: readonly Change[],
  check: (change: Change, seen: Seen) => void = () => undefined,
): Promise<Answer> {
  const held = await context.cells.open(scope);
  const token: Token = changes.map(({ key, v }) => ({ scope, key, v }));
  return context.queue.run<Answer>({
    key: scope,
    size: changes.reduce((sum, { value }) => sum + 128 + sizeOf(value), 0),
    author: () => {
      const seen = context.ahead.over(scope, held);
      const newer = changes.filter((change) => wins(change, seen.get(change.key)));
      for (const change of newer) {
        if (v !== undefined) context.clock.admit(v, numberInOrder(seen.get(change.key)?.v ?? '0'));
        check(change, seen);
      }
      const answer = { id, token };
      if (newer.length === 0) return { answer };
      return { answer, cells: [cellsEntry(scope, ...newer)], over: context.ahead.add(scope, newer) };
    },
  });
}

/**
 * Cells written in the batch that is being formed. Work on one scope is one commit at a time, so
 * all that a job can miss of what is held is what others of its batch wrote before it: a hundred
 * pins at once would each find room for one.
 */
export class Ahead {
  readonly #written = new Map<string, Writers>();

  /**
   * Until the returned function is called, that is until the commit is over. Each writer counts for itself: others
   * may write cells of the scope under another key, in a commit of another fate.
   */
  add(scope: string, changes: readonly Change[]): () => void {
    const written = this.#written.get(scope) ?? { of: new Set<readonly Change[]>(), merged: undefined };
    this.#written.set(scope, written);
    const own = [...changes];
    written.of.add(own);
    if (written.merged !== undefined) for (const change of own) mergeCell(written.merged, change);
    return () => {
      if (!written.of.delete(own)) return;
      written.merged = undefined;
      if (written.of.size === 0 && this.#written.get(scope) === written) this.#written.delete(scope);
    };
  }

  over(scope: string, held: ReadonlyMap<string, Change>): Seen {
    const written = this.#written.get(scope);
    if (written === undefined) return held;
    written.merged ??= merged(written.of);
    return new Overlay(held, written.merged);
  }
}

type Writers = {
  of: Set<readonly Change[]>;
  /** All that they write; made again when it is asked for after one of them has left. */
  merged: Map<string, Change> | undefined;
};

function merged(writers: Iterable<readonly Change[]>): Map<string, Change> {
  const cells = new Map<string, Change>();
  for (const changes of writers) for (const change of changes) mergeCell(cells, change);
  return cells;
}

/** Held cells under a few newer ones. Not a copy: a member may have many thousands, and a batch hundreds of jobs. */
class Overlay implements Seen {
  readonly #held: ReadonlyMap<string, Change>;
  readonly #newer: ReadonlyMap<string, Change>;

  constructor(held: ReadonlyMap<string, Change>, newer: ReadonlyMap<string, Change>) {
    this.#held = held;
    this.#newer = newer;
  }

  get(key: string): Change | undefined {
    const [held, newer] = [this.#held.get(key), this.#newer.get(key)];
    return newer !== undefined && wins(newer, held) ? newer : held;
  }

  has(key: string): boolean {
    return this.#held.has(key) || this.#newer.has(key);
  }

  *[Symbol.iterator](): MapIterator<[string, Change]> {
    for (const key of this.#held.keys()) yield [key, this.get(key)!];
    for (const [key, change] of this.#newer) if (!this.#held.has(key)) yield [key, change];
  }
}

/** What is switched off, cleared or done stays as a cell, and is no longer in use. */
export const isInUse = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && !(typeof value === 'object' && 'sent' in value);

/** How many cells there may be whose key begins with `prefix`; `what` names them to the person who asks for one more. */
export type Room = { prefix: string; inUse?: number; ever?: number; what: string };

/** Throws `too-many` for one more cell than there is room for. What is in use may always change. */
export function checkRoom({ key, value }: Change, seen: Seen, { prefix, inUse, ever, what }: Room): void {
  const before = seen.get(key);
  if (isInUse(before?.value)) return;
  let [used, known] = [0, 0];
  for (const [other, cell] of seen)
    if (other.startsWith(prefix)) {
      known++;
      if (isInUse(cell.value)) used++;
    }
  if (inUse !== undefined && isInUse(value) && used >= inUse)
    throw new CausewayError('too-many', `there can be ${inUse} ${what}; remove one first`);
  if (ever !== undefined && before === undefined && known >= ever)
    throw new CausewayError('too-many', `there can be ${ever} ${what}, those removed included`);
}

export function checkTitle(text: string, what: string): string {
  checkText(text, what);
  if (text.length <= LIMITS.titleChars) return text;
  throw new CausewayError('body-too-large', `${what} holds at most ${LIMITS.titleChars} characters`);
}

/** About what a value costs; most are a few words. */
const sizeOf = (value: unknown): number =>
  typeof value === 'string' ? value.length : typeof value === 'object' ? JSON.stringify(value).length : 8;
