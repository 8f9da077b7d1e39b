import { workspaceOf } from '@causeway/protocol';
import { Nudges } from './nudges.ts';
import type { Change, Store, Time } from './ports.ts';

/** A quiet feed looks this often; after news it looks again at once, then every few milliseconds for a moment. */
const EVERY_MS = { quiet: 1_000, busy: 25 } as const;
/** The view follows the log within milliseconds; whoever heard of a write looks for it this long. */
const BUSY_MS = 500;
const RETRY_MS = 250;
/** Changes read at a time, all workspaces together, and of one that catches up. */
const PAGE = 500;
/** How often it is asked what is whole. */
const WHOLE_EVERY_MS = 5_000;
/**
 * How far a reader from another region goes back: the clocks of two regions may differ by a minute (R14), and
 * what was being published when its region was heard of last may have come a little later.
 */
const BACK_MS = 70_000;

/** Up to where a reader has everything; see docs/decisions/2026-11-26-workspace.md. */
export type FeedCursor = {
  region: string;
  /** Names the database that the number of the commit is of. */
  database: string;
  commit: number;
  /** Whatever any region of the zone had committed before this time, milliseconds since 1970, the reader has; 0: nobody knows. */
  whole: number;
};

/** What changed in one workspace between two commits; `expired`: deletions among it may have been forgotten. */
export type FeedPage = {
  from: number;
  to: number;
  changes: readonly Change[];
  /** See FeedCursor; it is so at `from`. */
  whole: number;
  expired: boolean;
};

export type FeedListener = (page: FeedPage) => void;

type Parts = {
  store: Pick<Store, 'changes' | 'horizon' | 'identity' | 'wholeAt' | 'lowAt'>;
  region: string;
  time: Time;
};

/**
 * What changes in the workspaces that somebody listens to: read once for all of them, in the order of
 * commits, from where the feed began; and read again from any cursor for one who was away.
 */
export class Feed {
  readonly #parts: Parts;
  readonly #listeners = new Map<string, Set<FeedListener>>();
  readonly #nudges = new Nudges();
  #position = 0;
  #starting: Promise<void> | undefined;
  #whole = { whole: 0, askedAt: Number.NEGATIVE_INFINITY };
  #database: Promise<string> | undefined;
  #busyUntil = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All up to this commit was told to those who listen. */
  get position(): number {
    return this.#position;
  }

  /** Something of these names was committed: looks at once, and again for a moment, until the view may show it. */
  changed(names: Iterable<string>): void {
    if (this.#listeners.size === 0 || !isAny(names, (name) => this.#listeners.has(workspaceOf(name)))) return;
    this.#busyUntil = this.#parts.time.now() + BUSY_MS;
    this.#nudges.nudge();
  }

  /**
   * Hears of every later change in a workspace, until the returned function is called. Resolves once
   * the feed follows; rejects with the store's error.
   */
  async listen(workspace: string, listener: FeedListener): Promise<() => void> {
    const listeners = this.#listeners.get(workspace) ?? new Set();
    this.#listeners.set(workspace, listeners.add(listener));
    const stop = (): void => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(workspace) === listeners)
        this.#listeners.delete(workspace);
      // Nobody is told of what happens until somebody listens again.
      if (this.#listeners.size === 0) this.#starting = undefined;
    };
    try {
      await this.#start();
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  /** One portion of what changed in a workspace above a commit. */
  async read(workspace: string, after: number): Promise<FeedPage> {
    const { store } = this.#parts;
    // Asked before: a mark that is written meanwhile may stand above what is read.
    const whole = await store.wholeAt(after);
    const { changes, to, forgotten } = await store.changes([workspace], after, PAGE);
    return { from: after, to, changes, whole, expired: forgotten > after };
  }

  /** Where a cursor goes on: a commit of this region, or undefined where nobody can say. */
  async resume(cursor: FeedCursor): Promise<number | undefined> {
    const { store, region, time } = this.#parts;
    if (cursor.region === region && cursor.database === (await this.database()))
      // Above the horizon it is of a database that went back.
      return cursor.commit <= (await store.horizon()) ? cursor.commit : undefined;
    if (cursor.whole === 0) return undefined;
    return store.lowAt(Math.min(cursor.whole, time.now()) - BACK_MS);
  }

  /** The commit at which reading begins for who has seen nothing. */
  head(): Promise<number> {
    return this.#parts.store.horizon();
  }

  /** Names the database. */
  database(): Promise<string> {
    this.#database ??= this.#parts.store.identity().catch((error: unknown) => {
      this.#database = undefined;
      throw error;
    });
    return this.#database;
  }

  /** Follows for those who listen, until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { time } = this.#parts;
    signal.addEventListener('abort', () => this.#nudges.nudge(), { once: true });
    while (!signal.aborted) {
      if (this.#listeners.size > 0 && this.#starting !== undefined) {
        try {
          await this.#starting;
          while (!signal.aborted && (await this.#page()));
        } catch {
          // A database that does not answer is noticed by those who need it; the next look goes on here.
          await time.sleep(RETRY_MS, signal);
        }
      }
      if (signal.aborted) return;
      const isBusy = time.now() < this.#busyUntil;
      if (isBusy) await time.sleep(EVERY_MS.busy, signal);
      else await this.#nudges.wait(time, EVERY_MS.quiet);
    }
  }

  /** Begins at the horizon; who listened before anybody else did so is told of what comes after it. */
  #start(): Promise<void> {
    this.#starting ??= this.#parts.store.horizon().then(
      (horizon) => {
        this.#position = Math.max(this.#position, horizon);
        this.#nudges.nudge();
      },
      (error: unknown) => {
        this.#starting = undefined;
        throw error;
      },
    );
    return this.#starting;
  }

  /** True when there may be more. */
  async #page(): Promise<boolean> {
    const { store, time } = this.#parts;
    const workspaces = [...this.#listeners.keys()];
    if (time.now() - this.#whole.askedAt >= WHOLE_EVERY_MS) {
      const askedAt = time.now();
      this.#whole = { whole: await store.wholeAt(this.#position), askedAt };
    }
    const from = this.#position;
    const { changes, to, forgotten } = await store.changes(workspaces, from, PAGE);
    this.#position = to;
    const { whole } = this.#whole;
    const expired = forgotten > from;
    const byWorkspace = Map.groupBy(changes, (change) => workspaceOf(nameOf(change)));
    // Who began to listen meanwhile is not among them: it may lack something of this page, and reads on from where it is.
    for (const workspace of workspaces)
      for (const listener of this.#listeners.get(workspace) ?? [])
        listener({ from, to, changes: byWorkspace.get(workspace) ?? [], whole, expired });
    return changes.length >= PAGE;
  }
}

const nameOf = (change: Change): string =>
  change.kind === 'cell'
    ? change.cell.scope
    : change.kind === 'gone'
      ? change.place.channel
      : change.row.channel;

function isAny(names: Iterable<string>, is: (name: string) => boolean): boolean {
  for (const name of names) if (is(name)) return true;
  return false;
}
