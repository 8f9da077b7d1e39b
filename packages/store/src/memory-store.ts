import {
  compareText,
  type Cell,
  type Decision,
  type DirectoryRecord,
  type Message,
  type NameDigest,
  type Version,
} from '@causeway/protocol';
import {
  Refused,
  type ApplyBatch,
  type Awaiting,
  type Before,
  type Bucket,
  type Changes,
  type Committed,
  type Countable,
  type Cursor,
  type Heard,
  type Mark,
  type MessagePlace,
  type NamedHead,
  type OutboxRow,
  type Parked,
  type Projection,
  type Row,
  type SegmentRow,
  type StateRow,
  type Store,
  type Tail,
  type ThreadRow,
  type Untidy,
  type ViewState,
} from '@causeway/replica';
import { effectsOf, type Authored } from './batch.ts';
import { MemoryChanges } from './memory-changes.ts';
import { MemoryChannels } from './memory-channels.ts';
import { MemoryDecisions } from './memory-decisions.ts';
import { Leads } from './memory-leads.ts';
import { MemoryLog } from './memory-log.ts';
import { copyOf, MemoryOutbox } from './memory-outbox.ts';
import { MemoryParked } from './memory-parked.ts';
import { MemoryStates } from './memory-states.ts';
import { MemoryStrong } from './memory-strong.ts';
import { MemoryViews } from './memory-views.ts';

/** Operations of a store that can be made to fail. */
export type StoreOperation = Exclude<keyof Store, 'lanes' | 'close'>;

export type MemoryStoreOptions = {
  region: string;
  /**
   * Called before and after each operation takes effect; what it throws (Refused, Unavailable,
   * Doubtful) is what the caller sees. Thrown `before`, nothing has happened; `after`,
   * everything has and only the answer is lost. May wait, which stretches the commit.
   */
  fail?: (operation: StoreOperation, when: 'before' | 'after') => Promise<void>;
  /** Milliseconds since 1970, for the age of rows: the simulated clock in a simulation. */
  now?: () => number;
  /** What identity() answers; another one stands for another database. */
  identity?: string;
};

/** What a disk holds. */
class Disk {
  readonly log = new MemoryLog();
  readonly outbox = new MemoryOutbox();
  readonly channels = new MemoryChannels();
  readonly states = new MemoryStates();
  readonly views = new MemoryViews();
  readonly changes = new MemoryChanges();
  readonly parked = new MemoryParked();
  readonly decisions = new MemoryDecisions();
  readonly strong = new MemoryStrong();
  readonly cursors = new Map<string, Cursor>();
  seq = 0;
  /** Number of the last commit. None is ever under way, so it is the horizon. */
  commit = 0;
}

/**
 * Long because the port is: each method hands over to what keeps its part (memory-*.ts).
 *
 * A store in memory for simulations and tests: the semantic of PostgresStore, no timers, no
 * randomness. One object stands for one region's database of one zone and outlives the
 * processes that use it: close() keeps the data and takes the roles away.
 */
export class MemoryStore implements Store {
  readonly lanes = 2;
  readonly region: string;
  readonly #options: MemoryStoreOptions;
  readonly #leads = new Leads();
  #disk = new Disk();
  #wiped = 0;

  constructor(options: MemoryStoreOptions) {
    this.region = options.region;
    this.#options = options;
  }

  append(rows: readonly Row[]): Promise<Committed> {
    return this.#operation('append', () =>
      rows.length === 0
        ? { outbox: [], untidy: [], commit: 0, authored: [] }
        : this.#commit(rows.map((row) => ({ row, own: true }))),
    );
  }

  apply(batch: ApplyBatch): Promise<Committed> {
    return this.#operation('apply', () => {
      refuseNul([batch.peer, batch.cursor, batch.parked.map(({ name }) => name)]);
      const committed = this.#commit([
        ...batch.rows.map((row) => ({ row, own: false })),
        ...batch.own.map((row) => ({ row, own: true })),
      ]);
      const { cursors, parked } = this.#disk;
      if (batch.cursor !== undefined) cursors.set(batch.peer, { ...batch.cursor });
      parked.remove(new Set(batch.unparked));
      const isKept = parked.add(batch.peer, batch.parked, () => ++this.#disk.seq);
      return isKept ? committed : { ...committed, unkept: true };
    });
  }

  loadDocument(name: string): Promise<Uint8Array[]> {
    return this.#operation('loadDocument', () =>
      this.#disk.log.rows(name).map(({ entry }) => entry.bytes.slice()),
    );
  }

  loadCells(scopes: readonly string[]): Promise<Cell[]> {
    return this.#operation('loadCells', () =>
      [...new Set(scopes)].sort(compareText).flatMap((scope) => this.#disk.log.cells(scope)),
    );
  }

  copies(
    messages: readonly MessagePlace[],
  ): Promise<(MessagePlace & { segment: number; deleted: boolean })[]> {
    return this.#operation('copies', () => this.#disk.channels.copies(messages));
  }

  segments(channel: string): Promise<SegmentRow[]> {
    return this.#operation('segments', () => this.#disk.channels.segments(channel));
  }

  cursor(peer: string): Promise<Cursor | undefined> {
    return this.#operation('cursor', () => {
      const held = this.#disk.cursors.get(peer);
      return held === undefined ? undefined : { ...held };
    });
  }

  parkedNames(): Promise<string[]> {
    return this.#operation('parkedNames', () => this.#disk.parked.names());
  }

  parked(version: number, limit: number): Promise<Parked[]> {
    return this.#operation('parked', () => this.#disk.parked.readable(version, limit));
  }

  horizon(): Promise<number> {
    return this.#operation('horizon', () => this.#disk.commit);
  }

  tail(after: number, limit: number): Promise<Tail> {
    return this.#operation('tail', () => this.#disk.log.tail(after, limit, this.#disk.commit));
  }

  loadRows(
    rows: readonly { name: string; id: number }[],
  ): Promise<{ id: number; entry: Row['entry'] & { kind: 'update' } }[]> {
    return this.#operation('loadRows', () => {
      const asked = Map.groupBy(rows, ({ name }) => name);
      return [...asked]
        .flatMap(([name, of]) => {
          const ids = new Set(of.map(({ id }) => id));
          return this.#disk.log.rows(name).filter(({ id }) => ids.has(id));
        })
        .sort((a, b) => a.id - b.id)
        .map(({ id, entry }) => ({ id, entry: { ...entry, bytes: entry.bytes.slice() } }));
    });
  }

  lastCommit(names: readonly string[]): Promise<number> {
    return this.#operation('lastCommit', () =>
      names.reduce((last, name) => Math.max(last, this.#disk.states.get(name)?.commit ?? 0), 0),
    );
  }

  stale(limit: number): Promise<StateRow[]> {
    return this.#operation('stale', () => this.#disk.states.stale(limit, this.#now()));
  }

  loadState(
    name: string,
  ): Promise<{ changes: number; rows: { id: number; bytes: Uint8Array; held: boolean }[] } | undefined> {
    return this.#operation('loadState', () => {
      const { states, log, outbox } = this.#disk;
      const state = states.get(name);
      if (state === undefined) return undefined;
      const rows = log.rows(name);
      return {
        changes: state.changes,
        rows: rows.map(({ id, entry }) => ({ id, bytes: entry.bytes.slice(), held: outbox.has(id) })),
      };
    });
  }

  setDigests(digests: readonly { name: string; changes: number; digest: bigint }[]): Promise<void> {
    return this.#operation('setDigests', () => {
      for (const digest of digests) this.#disk.states.setDigest(digest);
    });
  }

  compact(compaction: Parameters<Store['compact']>[0]): Promise<boolean> {
    return this.#operation('compact', () => {
      const { log, outbox, states, views } = this.#disk;
      const { name, snapshot } = compaction;
      const ids = new Set(compaction.rows);
      const rows = log.rows(name).filter(({ id }) => ids.has(id));
      const isFit = rows.every(({ id, commit }) => !outbox.has(id) && commit <= views.position);
      if (rows.length === 0 || rows.length < ids.size || !isFit) return false;
      log.remove(name, ids);
      const entry = { kind: 'update', name, bytes: snapshot.slice() } as const;
      log.add({ id: ++this.#disk.seq, commit: ++this.#disk.commit, own: false, snapshot: true, entry });
      const bytes = rows.reduce((sum, row) => sum + row.entry.bytes.length, 0);
      states.compacted(name, { rows: 1 - rows.length, bytes: snapshot.length - bytes });
      states.setDigest(compaction);
      return true;
    });
  }

  buckets(): Promise<Bucket[]> {
    return this.#operation('buckets', () => this.#disk.states.buckets());
  }

  names(buckets: readonly number[], after: string, limit: number): Promise<NameDigest[]> {
    return this.#operation('names', () => this.#disk.states.names(buckets, after, limit));
  }

  viewState(): Promise<ViewState> {
    return this.#operation('viewState', () => this.#disk.views.state(this.#disk.commit));
  }

  awaiting(): Promise<Awaiting[]> {
    return this.#operation('awaiting', () => this.#disk.views.awaiting());
  }

  project(projection: Projection): Promise<boolean> {
    return this.#operation('project', () => {
      for (const { channel, message } of projection.messages)
        refuseNul([channel, message.id, message.t, message.thread]);
      const { views, changes } = this.#disk;
      // Its own number, as every transaction that writes has one.
      const commit = this.#disk.commit + 1;
      let hasChanged = false;
      const isWritten = views.project(projection, {
        message: (row) => {
          hasChanged = true;
          changes.message(row, commit);
        },
        gone: (place, wasShown) => {
          hasChanged = true;
          changes.gone(place, commit, wasShown);
        },
      });
      if (hasChanged) this.#disk.commit = commit;
      return isWritten;
    });
  }

  rebuildViews(): Promise<void> {
    return this.#operation('rebuildViews', () => this.#disk.views.rebuild(this.#disk.commit));
  }

  /** There is no version before. */
  mendViews(): Promise<void> {
    return this.#operation('mendViews', () => undefined);
  }

  viewMessages(
    channel: string,
    before: Before | undefined,
    limit: number,
    thread?: string,
  ): Promise<Message[]> {
    return this.#operation('viewMessages', () => this.#disk.views.messages(channel, before, limit, thread));
  }

  viewMessage(place: MessagePlace): Promise<Message | undefined> {
    return this.#operation('viewMessage', () => this.#disk.views.message(place));
  }

  countables(
    channels: readonly { channel: string; from: number }[],
    limit: number,
  ): Promise<(Countable & { channel: string })[]> {
    return this.#operation('countables', () => this.#disk.views.countables(channels, limit));
  }

  viewThreads(channel: string, roots: readonly string[], participants: number): Promise<ThreadRow[]> {
    return this.#operation('viewThreads', () => this.#disk.views.threads(channel, roots, participants));
  }

  followCells(workspace: string, key: string): Promise<Cell[]> {
    return this.#operation('followCells', () => this.#disk.log.followCells(workspace, key));
  }

  viewMentions(
    workspace: string,
    member: string,
    channels: { named: readonly string[]; joined: readonly string[] },
    before: Before | undefined,
    limit: number,
  ): Promise<(MessagePlace & { message: Message })[]> {
    return this.#operation('viewMentions', () =>
      this.#disk.views.mentions(workspace, member, channels, before, limit),
    );
  }

  changes(workspaces: readonly string[], after: number, limit: number): Promise<Changes> {
    return this.#operation('changes', () =>
      this.#disk.changes.changes(workspaces, after, limit, this.#disk.commit),
    );
  }

  forgetGone(keep: number): Promise<number> {
    return this.#operation('forgetGone', () => this.#disk.changes.forgetGone(keep));
  }

  noteHeard(peer: string, sentAt: number): Promise<void> {
    return this.#operation('noteHeard', () => {
      const { cursors, changes, commit } = this.#disk;
      if (cursors.has(peer)) changes.heard.set(peer, { sentAt, commit });
    });
  }

  marking(): Promise<{ low: number; high: number; heard: Heard[] }> {
    return this.#operation('marking', () => {
      const { changes, commit } = this.#disk;
      const heard = [...changes.heard].map(([peer, of]) => ({ peer, ...of }));
      return { low: commit, high: commit, heard: heard.sort((a, b) => compareText(a.peer, b.peer)) };
    });
  }

  mark(mark: Mark, since: number): Promise<void> {
    return this.#operation('mark', () =>
      this.#disk.changes.mark({ ...mark, high: this.#disk.commit }, since),
    );
  }

  wholeAt(commit: number): Promise<number> {
    return this.#operation('wholeAt', () => this.#disk.changes.wholeAt(commit));
  }

  lowAt(at: number): Promise<number | undefined> {
    return this.#operation('lowAt', () => this.#disk.changes.lowAt(at));
  }

  unpublished({ olderThanMs, limit }: { olderThanMs: number; limit: number }): Promise<OutboxRow[]> {
    return this.#operation('unpublished', () =>
      this.#disk.outbox.unpublished(this.#now() - olderThanMs, limit),
    );
  }

  published(seqs: readonly number[], stream: { incarnation: string; sequence: number }): Promise<void> {
    return this.#operation('published', () => this.#disk.outbox.published(seqs, stream));
  }

  outboxSize(): Promise<{ rows: number; bytes: number; oldestMs: number }> {
    return this.#operation('outboxSize', () => this.#disk.outbox.size(this.#now()));
  }

  trimOutbox(keep: number): Promise<number> {
    return this.#operation('trimOutbox', () => this.#disk.outbox.trim(keep));
  }

  incarnation(): Promise<{ incarnation: string; sequence: number } | undefined> {
    return this.#operation('incarnation', () => this.#disk.outbox.incarnation());
  }

  adoptIncarnation(stream: {
    stream: string;
    lastSequence: number;
    given: number;
  }): Promise<{ incarnation: string; isNew: boolean }> {
    return this.#operation('adoptIncarnation', () =>
      this.#disk.outbox.adopt({ ...stream, identity: this.#identity() }),
    );
  }

  due(asked: { region: string; own: number; others: number; limit: number }): Promise<Cell[]> {
    return this.#operation('due', () => this.#disk.log.due(asked));
  }

  generations(): Promise<Cell[]> {
    return this.#operation('generations', () => this.#disk.log.generations());
  }

  decide(proposal: Decision): Promise<Decision> {
    return this.#operation('decide', () => this.#disk.decisions.decide(proposal));
  }

  decision(document: string, generation: number): Promise<Decision | undefined> {
    return this.#operation('decision', () => this.#disk.decisions.decision(document, generation));
  }

  strongHeads(): Promise<NamedHead[]> {
    return this.#operation('strongHeads', () => this.#disk.strong.heads());
  }

  strongVersions(workspace: string, after: number, limit: number): Promise<Version[]> {
    return this.#operation('strongVersions', () => this.#disk.strong.versions(workspace, after, limit));
  }

  prepare(version: Version): Promise<boolean> {
    return this.#operation('prepare', () => this.#disk.strong.prepare(version));
  }

  heldVersion(workspace: string, digest: string): Promise<Version | undefined> {
    return this.#operation('heldVersion', () => this.#disk.strong.held(workspace, digest));
  }

  applyVersion(version: Version): Promise<boolean> {
    return this.#operation('applyVersion', () => this.#disk.strong.apply(version));
  }

  versionOf(workspace: string, command: string): Promise<number | undefined> {
    return this.#operation('versionOf', () => this.#disk.strong.versionOf(workspace, command));
  }

  directoryRecords(workspaces: readonly string[]): Promise<Map<string, DirectoryRecord>> {
    return this.#operation('directoryRecords', () => this.#disk.strong.records(workspaces));
  }

  setDirectoryRecord(
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean> {
    return this.#operation('setDirectoryRecord', () =>
      this.#disk.strong.setRecord(workspace, expected, next),
    );
  }

  untidy(limit: number): Promise<Untidy[]> {
    return this.#operation('untidy', () => this.#disk.channels.untidy(limit));
  }

  tidied(rows: readonly Untidy[]): Promise<void> {
    return this.#operation('tidied', () => this.#disk.channels.tidied(rows));
  }

  identity(): Promise<string> {
    return this.#operation('identity', () => this.#identity());
  }

  async lead(role: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#options.fail?.('lead', 'before');
    await this.#leads.run(role, work, signal);
    await this.#options.fail?.('lead', 'after');
  }

  /** What a broken connection does: every role is free again and its holder's signal fires. */
  loseLeads(): void {
    this.#leads.lose();
  }

  /** The disk is gone: an empty database of another identity takes its place, and every role is lost. */
  wipe(): void {
    // Numbers go on: who read the old disk must not take rows of the new one for those.
    const { seq, commit } = this.#disk;
    this.#disk = Object.assign(new Disk(), { seq, commit });
    this.#wiped++;
    this.#leads.lose();
  }

  async close(): Promise<void> {
    this.#leads.lose();
  }

  async #operation<T>(operation: StoreOperation, effect: () => T): Promise<T> {
    await this.#options.fail?.(operation, 'before');
    const result = effect();
    await this.#options.fail?.(operation, 'after');
    return result;
  }

  /** All of a batch or, when it throws, nothing: it checks first and then changes without waiting. */
  #commit(batch: readonly Authored[]): Committed {
    refuseNul(batch.map(({ row }) => row));
    const { cells, segments, touched, states } = effectsOf(batch);
    const { log, channels, ...disk } = this.#disk;
    const commit = ++this.#disk.commit;
    const outbox: OutboxRow[] = [];
    for (const { row, own } of batch) {
      const entry = copyOf(row.entry);
      const id = ++this.#disk.seq;
      if (entry.kind === 'update') log.add({ id, commit, own, snapshot: false, entry });
      if (!own) continue;
      disk.outbox.add({ seq: id, entry, at: this.#now() });
      outbox.push({ seq: id, entry: row.entry });
    }
    const won = cells.filter((cell) => log.merge(cell, commit));
    for (const { scope, key, v, text } of won)
      this.#disk.changes.cell({ scope, key, v, value: JSON.parse(text) as unknown }, commit);
    const changed = new Set(won.map(({ scope }) => scope));
    for (const state of states)
      if (state.rows > 0 || changed.has(state.name)) disk.states.written(state, commit, this.#now());
    const authored = segments.flatMap((change) => {
      const totals = channels.count(change);
      return change.own ? [totals] : [];
    });
    const untidy = touched.flatMap((message) => channels.touch(message));
    return { outbox, untidy, commit, authored };
  }

  #identity(): string {
    const name = this.#options.identity ?? 'memory';
    return this.#wiped === 0 ? name : `${name}/${this.#wiped}`;
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

/** Postgres' text holds no NUL; refusing it here too lets simulations meet what servers meet. */
function refuseNul(content: unknown): void {
  if (typeof content === 'string') {
    if (content.includes('\0')) throw new Refused('text with a NUL character');
  } else if (Array.isArray(content)) for (const item of content) refuseNul(item);
  else if (content instanceof Uint8Array) return;
  else if (content !== null && typeof content === 'object')
    for (const [field, item] of Object.entries(content)) if (field !== 'value') refuseNul(item);
}
