import {
  Doubtful,
  Unavailable,
  type ApplyBatch,
  type Committed,
  type Row,
  type Store,
  type Tail,
} from '@causeway/replica';
import { MemoryStore, type StoreOperation } from '@causeway/store';
import type { SeededRandom } from '../seeded-random.ts';
import type { SimulatedTime } from '../simulated-time.ts';
import type { Lifeline } from './lifeline.ts';
import type { Trace } from './trace.ts';
import { Witness, type WriteOnce } from './witness.ts';

/**
 * What happens to one operation: it fails before it did anything, its answer is lost after it
 * did everything, it takes effect long after its caller was told that nobody knows, or the process
 * dies right before or right after it.
 */
export type FaultKind = 'before' | 'after' | 'late' | 'crash-before' | 'crash-after';
type Fault = { operation: StoreOperation; kind: FaultKind };

const WRITES: ReadonlySet<StoreOperation> = new Set<StoreOperation>([
  'append',
  'apply',
  'published',
  'trimOutbox',
  'adoptIncarnation',
  'tidied',
  'compact',
  'setDigests',
  'project',
  'rebuildViews',
  'prepare',
  'applyVersion',
  'setDirectoryRecord',
]);
const NAMES = Object.getOwnPropertyNames(MemoryStore.prototype).filter(
  (name) => name !== 'constructor' && name !== 'lead' && name !== 'close',
) as StoreOperation[];

/** An idle session that held a role is ended after this long, milliseconds (see role.ts in store). */
const IDLE_SESSION_MS = 6_000;
const never = new Promise<never>(() => undefined);

type Role = { holder: Lifeline; lost: AbortController };

/**
 * The database of one region: a MemoryStore that outlives processes, and everything that can go
 * wrong on the way to it. Notes what is durable, and looks at what is written.
 */
export class Database {
  readonly region: string;
  readonly #time: SimulatedTime;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #writeOnce: WriteOnce;
  readonly #roles = new Map<string, Role>();
  readonly #faults: Fault[] = [];
  #disk = 0;
  store: MemoryStore;
  witness = new Witness();
  /** What was on disks that are gone. */
  readonly lost: Witness[] = [];
  /** Ids of messages of peers' streams that were handed to a receiver of this region. */
  read = new Set<string>();
  /** Commits that wrote any row. */
  commits = 0;
  /** A transaction that began long ago holds the horizon back: what is committed above it is not listed yet. */
  #horizon: number | undefined;
  /** Nothing answers; what is under way is in doubt. */
  isDown = false;
  /** Every commit takes this much longer, milliseconds. */
  slowMs = 0;
  /** Posts that were committed while nobody heard of it: their process was dead, or was told nothing. */
  landedUnheard = 0;

  constructor(region: string, time: SimulatedTime, random: SeededRandom, trace: Trace, writeOnce: WriteOnce) {
    this.region = region;
    this.#time = time;
    this.#random = random;
    this.#trace = trace;
    this.#writeOnce = writeOnce;
    this.store = this.#newStore();
  }

  /** Changes when the disk was lost. */
  get disk(): number {
    return this.#disk;
  }

  /** The store as one process sees it. */
  connect(life: Lifeline): Store {
    const store: Record<string, unknown> = {
      lanes: this.store.lanes,
      close: async () => undefined,
      lead: (role: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) =>
        this.#lead(life, role, work, signal),
    };
    for (const name of NAMES)
      store[name] = (...parameters: unknown[]): Promise<unknown> =>
        life.isDead ? never : life.through(this.#perform(life, name, parameters));
    return store as unknown as Store;
  }

  /** The next operation of that name meets this fault. */
  fail(operation: StoreOperation, kind: FaultKind): void {
    this.#faults.push({ operation, kind });
  }

  heal(): void {
    this.#faults.length = 0;
    this.isDown = false;
    this.slowMs = 0;
    this.letHorizonGo();
  }

  /** The disk is gone: another, empty database comes in its place. */
  wipe(): void {
    this.loseRoles();
    this.#disk++;
    this.store = this.#newStore();
    this.lost.push(this.witness);
    this.witness = new Witness();
    this.read = new Set();
    this.#horizon = undefined;
  }

  /** The horizon stays where it is now until it is let go. */
  async holdHorizon(): Promise<void> {
    this.#horizon ??= await this.store.horizon();
  }

  letHorizonGo(): void {
    this.#horizon = undefined;
  }

  /** Sessions break: every role is free at once, and its holder hears of it when it can. */
  loseRoles(of?: Lifeline): void {
    for (const [name, { holder, lost }] of this.#roles) {
      if (of !== undefined && holder !== of) continue;
      this.#roles.delete(name);
      holder.deliver(() => lost.abort(new Error('the role was lost')));
    }
  }

  /** A stopped process holds its roles until the server ends its idle sessions. */
  async endIdleSessions(of: Lifeline): Promise<void> {
    await this.#time.sleep(IDLE_SESSION_MS);
    if (of.isStopped) this.loseRoles(of);
  }

  #newStore(): MemoryStore {
    const identity = `${this.region}'s database ${this.#disk}`;
    return new MemoryStore({ region: this.region, now: () => this.#time.now(), identity });
  }

  async #lead(
    life: Lifeline,
    name: string,
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.isDown) throw new Unavailable('simulated: the database is down');
    if (signal.aborted || life.isDead || this.#roles.has(name)) return;
    const role: Role = { holder: life, lost: new AbortController() };
    this.#roles.set(name, role);
    this.#trace.event(`${this.region} ${name} taken`);
    try {
      await work(AbortSignal.any([role.lost.signal, signal]));
    } finally {
      if (this.#roles.get(name) === role) this.#roles.delete(name);
    }
  }

  async #perform(life: Lifeline, operation: StoreOperation, parameters: unknown[]): Promise<unknown> {
    const { store } = this;
    const writes = WRITES.has(operation);
    const fault = this.#takeFault(operation);
    if (writes || this.#random.chance(20))
      await this.#time.sleep(1 + this.#random.below(4) + (writes ? this.slowMs : 0));
    if (this.isDown && (!writes || this.#random.chance(50)))
      throw new Unavailable('simulated: the database is down');
    if (fault?.kind === 'crash-before') this.#crash(life, `before ${operation}`);
    // What a dying process sent may or may not have left it.
    if (this.store !== store || (life.isDead && (!writes || this.#random.chance(50)))) return never;
    if (fault?.kind === 'before') throw new Unavailable(`simulated: ${operation} failed`);
    if (fault?.kind === 'late') {
      void this.#land(store, operation, parameters);
      throw new Doubtful(`simulated: nobody knows what became of ${operation}`);
    }
    const answer = await this.#run(
      store,
      operation,
      parameters,
      life.isDead || fault?.kind === 'after' || this.isDown,
    );
    if (fault?.kind === 'crash-after') this.#crash(life, `after ${operation}`);
    if (writes && this.#random.chance(50)) await this.#time.sleep(1 + this.#random.below(3));
    if (fault?.kind === 'after' || (this.isDown && writes))
      throw new Doubtful(`simulated: the answer to ${operation} is lost`);
    return answer;
  }

  /** The connection broke, and the transaction commits all the same. */
  async #land(store: MemoryStore, operation: StoreOperation, parameters: unknown[]): Promise<void> {
    await this.#time.sleep(200 + this.#random.below(4_000));
    if (this.store !== store) return;
    await this.#run(store, operation, parameters, true).catch(() => undefined);
  }

  async #run(
    store: MemoryStore,
    operation: StoreOperation,
    parameters: unknown[],
    isUnheard: boolean,
  ): Promise<unknown> {
    if (isUnheard && operation === 'append') this.landedUnheard += postsIn(parameters[0] as Row[]);
    if (this.#horizon !== undefined && operation === 'horizon') return this.#horizon;
    if (this.#horizon !== undefined && operation === 'tail')
      return { rows: [], cells: [], to: parameters[0] as number } satisfies Tail;
    const method = store[operation] as (...parameters: unknown[]) => Promise<unknown>;
    const answer = await method.apply(store, parameters);
    this.#note(operation, parameters);
    if (operation === 'apply') this.#mustNotEcho(parameters[0] as ApplyBatch, answer as Committed);
    return answer;
  }

  #note(operation: StoreOperation, parameters: unknown[]): void {
    let own: readonly Row[] = [];
    if (operation === 'append') {
      own = parameters[0] as Row[];
      this.witness.note(own);
    } else if (operation === 'apply') {
      const batch = parameters[0] as { rows: Row[]; own: Row[]; peer: string };
      own = batch.own;
      this.witness.note(batch.rows);
      this.witness.note(own);
      if (batch.rows.length > 0) this.commits++;
      this.#trace.event(`${this.region} apply ${batch.rows.length} of ${batch.peer}`);
    } else if (WRITES.has(operation)) this.#trace.event(`${this.region} ${operation}`);
    if (own.length === 0) return;
    this.commits++;
    this.#trace.event(`${this.region} commit ${own.length}`);
    const contradiction = this.#writeOnce.note(own);
    if (contradiction !== undefined) this.#trace.breach(`R8 a key is written twice: ${contradiction}`);
  }

  /** What came from a peer does not go out again. */
  #mustNotEcho({ peer, own }: ApplyBatch, { outbox }: Committed): void {
    if (outbox.length > own.length)
      this.#trace.breach(`R3 ${this.region} publishes ${outbox.length - own.length} rows of ${peer}`);
  }

  #takeFault(operation: StoreOperation): Fault | undefined {
    const at = this.#faults.findIndex((fault) => fault.operation === operation);
    return at < 0 ? undefined : this.#faults.splice(at, 1)[0];
  }

  #crash(life: Lifeline, when: string): void {
    if (life.isDead) return;
    this.#trace.fault('crash-at-step', `${this.region} ${when}`);
    life.kill();
  }
}

const postsIn = (rows: readonly Row[]): number =>
  rows.reduce((sum, { index }) => sum + (index?.posts.length ?? 0), 0);
