import { CausewayError, type Entry } from '@causeway/protocol';
import * as Y from 'yjs';
import type { LiveDocument } from './live-document.ts';
import { Refused, type Committed, type Row, type Store } from './ports.ts';
import { indexUpdate } from './segment-index.ts';

type CellsEntry = Extract<Entry, { kind: 'cells' }>;

/**
 * What a job wrote when its turn came: an answer to give after the commit, and changed cells. `over` is called
 * when the commit is made or failed, before anything else is authored.
 */
export type Written<T> = { answer: T; cells?: CellsEntry[]; over?: () => void };

/**
 * One piece of work on one document or scope. `author` runs synchronously when a batch is formed;
 * then everything written before it is committed or part of the same batch, so an answer that
 * depends on state that is not committed yet (a repeat, a no-op, a refusal) shares the fate of
 * that state by construction. It may throw a CausewayError: a refusal, given after the commit too.
 */
export type Job<T> = {
  /** Name of the document or scope; work on one key is one at a time, in order. */
  key: string;
  /** The document in memory, when the key is one. */
  live?: LiveDocument;
  /** Whom the written bytes are attributed to (canvases). */
  member?: string;
  /** Bytes that this job will write at most, for the bounds. */
  size: number;
  /** Its row carries the document's whole state, see `prune`. */
  whole?: boolean;
  /** Gets the document as it is when the turn comes: it may have been reloaded since `run`. */
  author(live: LiveDocument | undefined): Written<T>;
};

type Waiting = {
  job: Job<unknown>;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
  /** Tried in a batch that the store refused: goes alone now. */
  alone: boolean;
};

type Outcome = { of: Waiting; answer: unknown; over?: () => void } | { of: Waiting; error: unknown };

/** A key's share of a batch: what it wrote and what its jobs are to be told. */
type Share = {
  key: string;
  live: LiveDocument | undefined;
  jobs: Waiting[];
  rows: Row[];
  told: Uint8Array[];
  outcomes: Outcome[];
  /** What a job threw that is no refusal of its own: the document may be half written. */
  broken?: unknown;
};

export type QueueEvents = {
  author(): number;
  committed(rows: readonly Row[], result: Committed): void;
  /** These documents and scopes may differ from the log now: forget them, and the clientID. */
  failed(keys: readonly string[]): void;
  reload(key: string): Promise<LiveDocument | undefined>;
  /** These updates are committed, but the copy that they were made in was dropped meanwhile. */
  orphaned(key: string, updates: readonly Uint8Array[]): void;
};

const BATCH = { jobs: 500, bytes: 1024 * 1024 } as const;
/** Bytes of one logged row: small enough for one NATS message with its headers. */
export const ROW_BYTES = 512 * 1024;
/** What may wait; beyond it the store is the bottleneck and callers are told so. */
const WAITING = { jobs: 20_000, bytes: 64 * 1024 * 1024 } as const;

/**
 * Group commit: what waits while a commit is in flight goes into the next one. As many commits
 * are under way as the store has lanes, but a document is on one of them at a time.
 */
export class AppendQueue {
  readonly #store: Store;
  readonly #events: QueueEvents;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #inFlight = new Map<string, Promise<void>>();
  #free: number;
  #count = 0;
  #bytes = 0;
  #pumping = false;
  readonly #idle: (() => void)[] = [];

  constructor(store: Store, events: QueueEvents) {
    this.#store = store;
    this.#events = events;
    this.#free = store.lanes;
  }

  /** Jobs that wait for a commit to start. */
  get length(): number {
    return this.#count;
  }

  /** Is there work on this key, waiting or under way? */
  has(key: string): boolean {
    return this.#waiting.has(key) || this.#inFlight.has(key);
  }

  /** Resolves once everything that was authored on this key so far is committed; rejects if it failed. */
  settled(key: string): Promise<void> {
    return this.#inFlight.get(key) ?? Promise.resolve();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    while (this.#busy) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /**
   * The answer of the job, after the commit that it took part in. Rejects with the job's own
   * error, or `not-committed` when the commit failed or nobody can say.
   */
  run<T>(job: Job<T>): Promise<T> {
    if (this.#count >= WAITING.jobs || this.#bytes >= WAITING.bytes)
      return Promise.reject(
        new CausewayError('not-committed', 'too many writes are waiting for the database; try again', {
          retryAfter: 1,
        }),
      );
    return new Promise<T>((resolve, reject) => {
      const waiting = { job, resolve: resolve as (answer: unknown) => void, reject, alone: false };
      this.#count++;
      this.#bytes += job.size;
      this.#push(waiting);
    });
  }

  get #busy(): boolean {
    return this.#inFlight.size > 0 || this.#count > 0;
  }

  #push(waiting: Waiting): void {
    const { key } = waiting.job;
    const others = this.#waiting.get(key);
    if (others === undefined) this.#waiting.set(key, [waiting]);
    else others.push(waiting);
    this.#pump();
  }

  #uncount(jobs: readonly Waiting[]): void {
    this.#count -= jobs.length;
    for (const { job } of jobs) this.#bytes -= job.size;
  }

  /** Starts commits at the end of this turn of the event loop, so that what arrives together goes together. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      while (this.#free > 0) {
        const batch = this.#take();
        if (batch.length === 0) return;
        this.#free--;
        void this.#commit(batch).finally(() => {
          this.#free++;
          this.#pump();
          this.#wakeIdle();
        });
      }
    });
  }

  /** The longest-waiting keys that are not under way, up to the bounds of a batch. */
  #take(): Waiting[][] {
    const batch: Waiting[][] = [];
    let jobs = 0;
    let bytes = 0;
    for (const [key, waiting] of this.#waiting) {
      if (jobs >= BATCH.jobs || bytes >= BATCH.bytes) break;
      if (this.#inFlight.has(key)) continue;
      const mustBeAlone = waiting[0]!.alone;
      if (mustBeAlone && jobs > 0) continue;
      let count = 0;
      while (count < waiting.length && jobs < BATCH.jobs && bytes < BATCH.bytes) {
        if (waiting[count]!.alone && jobs > 0) break;
        bytes += waiting[count]!.job.size;
        jobs++;
        count++;
        if (mustBeAlone) break;
      }
      const taken = waiting.splice(0, count);
      batch.push(taken);
      this.#uncount(taken);
      // What is left of it goes behind the others, so that busy documents do not starve them.
      this.#waiting.delete(key);
      if (waiting.length > 0) this.#waiting.set(key, waiting);
      if (mustBeAlone) break;
    }
    return batch;
  }

  async #commit(batch: Waiting[][]): Promise<void> {
    const shares = batch.map((jobs) => this.#authorShare(jobs));
    const whole = shares.filter((share) => share.broken === undefined);
    for (const share of shares) if (share.broken !== undefined) this.#fail([share], share.broken);
    // What wrote nothing depends on committed state only: its key is on no other lane.
    for (const share of whole) if (share.rows.length === 0) answer(share.outcomes);
    const writing = whole.filter((share) => share.rows.length > 0);
    const rows = writing.flatMap((share) => share.rows);
    if (rows.length === 0) return;
    const commit = this.#store.append(rows);
    const fate = commit.then(
      () => undefined,
      (error: unknown) => {
        throw notCommitted(error);
      },
    );
    fate.catch(() => undefined);
    for (const { key } of writing) this.#inFlight.set(key, fate);
    let result: Awaited<typeof commit>;
    try {
      result = await commit;
    } catch (error) {
      for (const { key } of writing) this.#inFlight.delete(key);
      this.#fail(writing, error);
      return;
    }
    for (const { key } of writing) this.#inFlight.delete(key);
    this.#events.committed(rows, result);
    for (const share of writing) end(share.outcomes);
    for (const share of writing) answer(share.outcomes);
    let at = 0;
    for (const { key, live, told, rows } of writing) {
      // Before anybody writes into the copy that took its place: the same clocks would be used again (R8).
      if (live?.dropped === true) this.#events.orphaned(key, told);
      const made = result.outbox
        .slice(at, (at += rows.length))
        .filter(({ entry }) => entry.kind === 'update');
      live?.committed(
        told,
        made.map(({ seq }) => seq),
      );
    }
  }

  /** Lets the jobs of one key write, each document update in one transaction per member. */
  #authorShare(taken: Waiting[]): Share {
    const jobs = taken.filter((waiting) => !isStale(waiting));
    const { key } = taken[0]!.job;
    const live = jobs[0]?.job.live;
    const share: Share = { key, live, jobs, rows: [], told: [], outcomes: [] };
    if (jobs.length < taken.length) void this.#again(key, taken.filter(isStale));
    for (const run of runsOf(jobs)) {
      const cells: CellsEntry[] = [];
      const write = (): void => {
        for (const of of run) {
          if (share.broken !== undefined) return;
          try {
            const written = of.job.author(live);
            cells.push(...(written.cells ?? []));
            const { over } = written;
            share.outcomes.push({ of, answer: written.answer, ...(over === undefined ? {} : { over }) });
          } catch (error) {
            if (error instanceof CausewayError) share.outcomes.push({ of, error });
            else share.broken = error;
          }
        }
      };
      let bytes: Uint8Array | undefined;
      try {
        bytes = live === undefined ? void write() : live.author(this.#events.author(), write);
      } catch (error) {
        // Yjs does much at the end of a transaction, outside of every job.
        share.broken = error;
      }
      if (share.broken !== undefined) return share;
      // Cells first: a peer that sees a segment then knows already that it is the newest.
      for (const entry of cells) share.rows.push({ entry });
      if (bytes === undefined) continue;
      share.told.push(bytes);
      const row = updateRow(key, bytes, run[0]!.job.member);
      share.rows.push(run[0]!.job.whole === true ? wholeRow(row, live!) : row);
    }
    return share;
  }

  /**
   * Nothing of these shares is committed as far as we know. What waits behind a failed or doubtful
   * commit fails with it. When it was the data itself, the others need not suffer: they are tried
   * again, those of the batch one by one.
   */
  #fail(shares: readonly Share[], error: unknown): void {
    this.#events.failed(shares.map(({ key }) => key));
    for (const { outcomes } of shares) end(outcomes);
    const tried = shares.flatMap(({ jobs }) => jobs);
    const behind = shares.flatMap(({ key }) => this.#takeAll(key));
    if (!(error instanceof Refused) && shares.every(({ broken }) => broken === undefined)) {
      for (const { reject } of [...tried, ...behind]) reject(notCommitted(error));
      return;
    }
    if (tried.length === 1) tried[0]!.reject(unfit(error));
    else behind.unshift(...tried.map((waiting) => ({ ...waiting, alone: true })));
    for (const [key, waiting] of Map.groupBy(behind, ({ job }) => job.key)) void this.#again(key, waiting);
  }

  #takeAll(key: string): Waiting[] {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    this.#uncount(waiting);
    return waiting;
  }

  /** Puts work in line again, in its order, on the document as the log has it. */
  async #again(key: string, waiting: readonly Waiting[]): Promise<void> {
    // Counted all the while: it is bounded, and drained waits for it.
    this.#count += waiting.length;
    for (const { job } of waiting) this.#bytes += job.size;
    try {
      const live = await this.#events.reload(key);
      for (const one of waiting) this.#push(live === undefined ? one : { ...one, job: { ...one.job, live } });
    } catch (error) {
      this.#uncount(waiting);
      for (const { reject } of waiting) reject(notCommitted(error));
      this.#wakeIdle();
    }
  }

  #wakeIdle(): void {
    if (!this.#busy) for (const wake of this.#idle.splice(0)) wake();
  }
}

/** Came with a copy of the document that is gone. */
const isStale = ({ job }: Waiting): boolean => job.live?.dropped === true;

/** Neighbouring jobs of one member, so that a row has one author; bounded by the size of a row. A whole one goes alone. */
function runsOf(jobs: readonly Waiting[]): Waiting[][] {
  const runs: Waiting[][] = [];
  let bytes = 0;
  for (const waiting of jobs) {
    const run = runs.at(-1);
    bytes += waiting.job.size;
    const isAlone = waiting.job.whole === true || run?.[0]!.job.whole === true;
    if (run === undefined || run[0]!.job.member !== waiting.job.member || isAlone || bytes > ROW_BYTES) {
      runs.push([waiting]);
      bytes = waiting.job.size;
    } else run.push(waiting);
  }
  return runs;
}

export function updateRow(name: string, bytes: Uint8Array, member?: string): Row {
  const index = indexUpdate(name, bytes);
  return {
    entry: { kind: 'update', name, bytes, ...(member === undefined ? {} : { member }) },
    ...(index === undefined ? {} : { index }),
  };
}

/** Says what the update says, and everything that it stands on. Its index counts what is new. */
const wholeRow = ({ index, entry }: Row, { name, doc }: LiveDocument): Row => ({
  entry: { ...entry, kind: 'update', name, bytes: Y.encodeStateAsUpdate(doc) },
  ...(index === undefined ? {} : { index }),
});

function end(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) if ('over' in outcome) outcome.over?.();
}

function answer(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes)
    if ('error' in outcome) outcome.of.reject(outcome.error);
    else outcome.of.resolve(outcome.answer);
}

function notCommitted(cause: unknown): CausewayError {
  if (cause instanceof CausewayError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  const error = new CausewayError('not-committed', `not confirmed by the database (${why}); send it again`, {
    retryAfter: 1,
  });
  error.cause = cause;
  return error;
}

/** What a single job is told whose data cannot be stored. */
function unfit(error: unknown): unknown {
  if (!(error instanceof Refused)) return error;
  return new CausewayError('invalid-request', `this cannot be stored: ${error.message}`);
}
