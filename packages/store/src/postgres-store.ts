import type { Cell, Decision, DirectoryRecord, Message, NameDigest, Version } from '@causeway/protocol';
import {
  Unavailable,
  type ApplyBatch,
  type Awaiting,
  type Before,
  type Bucket,
  type Changes,
  type Countable,
  type Committed,
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
import * as changes from './changes.ts';
import * as channels from './channels.ts';
import { commit, ownRows, peerRows } from './commit.ts';
import * as compaction from './compaction.ts';
import type { Connection } from './connection.ts';
import { cursor } from './cursors.ts';
import * as decisions from './decisions.ts';
import { due } from './due.ts';
import { identity } from './identity.ts';
import { Lanes } from './lanes.ts';
import * as log from './log.ts';
import * as outbox from './outbox.ts';
import * as parked from './parked.ts';
import { adoptIncarnation, incarnation } from './publishing.ts';
import * as role from './role.ts';
import * as states from './states.ts';
import * as strong from './strong.ts';
import * as tail from './tail.ts';
import * as counts from './view-counts.ts';
import * as views from './views.ts';

/** Makes sessions for one purpose; `settings` are of the session. */
export type Connect = (purpose: string, settings?: Readonly<Record<string, string>>) => Promise<Connection>;

const APPEND_LANES = 2;
const APPLY_LANES = 2;

/** The plan joins arrays by key; with their lengths unknown a nested loop looks cheap and is not. */
const COMMIT_SETTINGS = { enable_nestloop: 'off', plan_cache_mode: 'force_generic_plan' };

/**
 * One zone of one region's Postgres. See openPostgres. The statements are in the files named after
 * what they are about; here is which session runs them.
 */
export class PostgresStore implements Store {
  readonly lanes = APPEND_LANES;
  readonly #zone: string;
  readonly #connect: Connect;
  /** For everything but commits; shared by the zones of a database. */
  readonly #queries: Lanes;
  /** Sessions for what is read in the order of an index; shared too. */
  readonly #ordered: Lanes;
  readonly #appends: Lanes;
  readonly #applies: Lanes;
  readonly #leading = new Set<Connection>();
  #closed = false;

  constructor(zone: string, { queries, ordered }: { queries: Lanes; ordered: Lanes }, connect: Connect) {
    this.#zone = zone;
    this.#queries = queries;
    this.#ordered = ordered;
    this.#connect = connect;
    this.#appends = new Lanes(APPEND_LANES, () => connect('append', COMMIT_SETTINGS));
    this.#applies = new Lanes(APPLY_LANES, () => connect('apply', COMMIT_SETTINGS));
  }

  async append(rows: readonly Row[]): Promise<Committed> {
    if (rows.length === 0) return { outbox: [], untidy: [], commit: 0, authored: [] };
    return this.#appends.run((connection) => commit(connection, this.#zone, ownRows(rows)));
  }

  apply({ rows, own, ...receipt }: ApplyBatch): Promise<Committed> {
    return this.#applies.run((connection) =>
      commit(connection, this.#zone, [...peerRows(rows), ...ownRows(own)], receipt),
    );
  }

  loadDocument(name: string): Promise<Uint8Array[]> {
    return this.#query(log.loadDocument, name);
  }

  loadCells(scopes: readonly string[]): Promise<Cell[]> {
    return this.#query(log.loadCells, scopes);
  }

  copies(
    messages: readonly MessagePlace[],
  ): Promise<(MessagePlace & { segment: number; deleted: boolean })[]> {
    return this.#query(channels.copies, messages);
  }

  segments(channel: string): Promise<SegmentRow[]> {
    return this.#query(channels.segments, channel);
  }

  cursor(peer: string): Promise<Cursor | undefined> {
    return this.#query(cursor, peer);
  }

  parkedNames(): Promise<string[]> {
    return this.#query(parked.parkedNames);
  }

  parked(version: number, limit: number): Promise<Parked[]> {
    return this.#query(parked.parked, version, limit);
  }

  horizon(): Promise<number> {
    return this.#queries.run(tail.horizon);
  }

  tail(after: number, limit: number): Promise<Tail> {
    return this.#query(tail.tail, after, limit);
  }

  loadRows(
    rows: readonly { name: string; id: number }[],
  ): Promise<{ id: number; entry: Row['entry'] & { kind: 'update' } }[]> {
    return this.#query(log.loadRows, rows);
  }

  lastCommit(names: readonly string[]): Promise<number> {
    return this.#query(states.lastCommit, names);
  }

  stale(limit: number): Promise<StateRow[]> {
    return this.#query(states.stale, limit);
  }

  loadState(
    name: string,
  ): Promise<{ changes: number; rows: { id: number; bytes: Uint8Array; held: boolean }[] } | undefined> {
    return this.#query(compaction.loadState, name);
  }

  async setDigests(digests: readonly { name: string; changes: number; digest: bigint }[]): Promise<void> {
    if (digests.length > 0) await this.#query(states.setDigests, digests);
  }

  compact(wanted: Parameters<Store['compact']>[0]): Promise<boolean> {
    return this.#query(compaction.compact, wanted);
  }

  buckets(): Promise<Bucket[]> {
    return this.#query(states.buckets);
  }

  names(buckets: readonly number[], after: string, limit: number): Promise<NameDigest[]> {
    return this.#query(states.names, buckets, after, limit);
  }

  viewState(): Promise<ViewState> {
    return this.#query(views.viewState);
  }

  awaiting(): Promise<Awaiting[]> {
    return this.#query(views.awaiting);
  }

  project(projection: Projection): Promise<boolean> {
    return this.#query(views.project, projection);
  }

  rebuildViews(): Promise<void> {
    return this.#query(views.rebuildViews);
  }

  mendViews(): Promise<void> {
    return this.#query(views.mendViews);
  }

  viewMessages(
    channel: string,
    before: Before | undefined,
    limit: number,
    thread?: string,
  ): Promise<Message[]> {
    return this.#ordered.run((connection) =>
      views.viewMessages(connection, this.#zone, channel, before, limit, thread),
    );
  }

  viewMessage(place: MessagePlace): Promise<Message | undefined> {
    return this.#query(views.viewMessage, place);
  }

  async countables(
    channels: readonly { channel: string; from: number }[],
    limit: number,
  ): Promise<(Countable & { channel: string })[]> {
    if (channels.length === 0) return [];
    return this.#ordered.run((connection) => counts.countables(connection, this.#zone, channels, limit));
  }

  async viewThreads(channel: string, roots: readonly string[], participants: number): Promise<ThreadRow[]> {
    if (roots.length === 0) return [];
    return this.#ordered.run((connection) =>
      counts.viewThreads(connection, this.#zone, channel, roots, participants),
    );
  }

  followCells(workspace: string, key: string): Promise<Cell[]> {
    return this.#query(counts.followCells, workspace, key);
  }

  viewMentions(
    workspace: string,
    member: string,
    channels: { named: readonly string[]; joined: readonly string[] },
    before: Before | undefined,
    limit: number,
  ): Promise<(MessagePlace & { message: Message })[]> {
    return this.#query(counts.viewMentions, workspace, member, channels, before, limit);
  }

  changes(workspaces: readonly string[], after: number, limit: number): Promise<Changes> {
    return this.#query(changes.changes, workspaces, after, limit);
  }

  forgetGone(keep: number): Promise<number> {
    return this.#query(changes.forgetGone, keep);
  }

  noteHeard(peer: string, sentAt: number): Promise<void> {
    return this.#query(changes.noteHeard, peer, sentAt);
  }

  marking(): Promise<{ low: number; high: number; heard: Heard[] }> {
    return this.#query(changes.marking);
  }

  mark(mark: Mark, since: number): Promise<void> {
    return this.#query(changes.mark, mark, since);
  }

  wholeAt(commit: number): Promise<number> {
    return this.#query(changes.wholeAt, commit);
  }

  lowAt(at: number): Promise<number | undefined> {
    return this.#query(changes.lowAt, at);
  }

  unpublished(options: { olderThanMs: number; limit: number }): Promise<OutboxRow[]> {
    return this.#query(outbox.unpublished, options);
  }

  published(seqs: readonly number[], stream: { incarnation: string; sequence: number }): Promise<void> {
    return this.#query(outbox.published, seqs, stream);
  }

  outboxSize(): Promise<{ rows: number; bytes: number; oldestMs: number }> {
    return this.#query(outbox.outboxSize);
  }

  trimOutbox(keep: number): Promise<number> {
    return this.#query(outbox.trimOutbox, keep);
  }

  incarnation(): Promise<{ incarnation: string; sequence: number } | undefined> {
    return this.#query(incarnation);
  }

  adoptIncarnation(stream: {
    stream: string;
    lastSequence: number;
    given: number;
  }): Promise<{ incarnation: string; isNew: boolean }> {
    return this.#query(adoptIncarnation, stream);
  }

  due(asked: { region: string; own: number; others: number; limit: number }): Promise<Cell[]> {
    return this.#query(due, asked);
  }

  generations(): Promise<Cell[]> {
    return this.#query(decisions.generations);
  }

  decide(proposal: Decision): Promise<Decision> {
    return this.#query(decisions.decide, proposal);
  }

  decision(document: string, generation: number): Promise<Decision | undefined> {
    return this.#query(decisions.decision, document, generation);
  }

  strongHeads(): Promise<NamedHead[]> {
    return this.#query(strong.strongHeads);
  }

  strongVersions(workspace: string, after: number, limit: number): Promise<Version[]> {
    return this.#query(strong.strongVersions, workspace, after, limit);
  }

  prepare(version: Version): Promise<boolean> {
    return this.#query(strong.prepare, version);
  }

  heldVersion(workspace: string, digest: string): Promise<Version | undefined> {
    return this.#query(strong.heldVersion, workspace, digest);
  }

  applyVersion(version: Version): Promise<boolean> {
    return this.#query(strong.applyVersion, version);
  }

  versionOf(workspace: string, command: string): Promise<number | undefined> {
    return this.#query(strong.versionOf, workspace, command);
  }

  directoryRecords(workspaces: readonly string[]): Promise<Map<string, DirectoryRecord>> {
    return this.#query(strong.directoryRecords, workspaces);
  }

  setDirectoryRecord(
    workspace: string,
    expected: DirectoryRecord | undefined,
    next: DirectoryRecord,
  ): Promise<boolean> {
    return this.#query(strong.setDirectoryRecord, workspace, expected, next);
  }

  untidy(limit: number): Promise<Untidy[]> {
    return this.#query(channels.untidy, limit);
  }

  async tidied(rows: readonly Untidy[]): Promise<void> {
    if (rows.length > 0) await this.#query(channels.tidied, rows);
  }

  identity(): Promise<string> {
    return this.#queries.run(identity);
  }

  async lead(name: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (await this.#query(role.isHeld, name)) return;
    const connection = await this.#connect(`lead ${name}`, role.SETTINGS);
    this.#leading.add(connection);
    try {
      if (this.#closed) throw new Unavailable('the store is closed');
      await role.lead(connection, `${this.#zone}/${name}`, work, signal);
    } finally {
      connection.destroy();
      this.#leading.delete(connection);
    }
  }

  /** Ends this zone's sessions: work under way fails, roles are lost. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#appends.close();
    this.#applies.close();
    for (const connection of this.#leading) connection.destroy();
  }

  #query<P extends unknown[], T>(
    statement: (connection: Connection, zone: string, ...parameters: P) => Promise<T>,
    ...parameters: P
  ): Promise<T> {
    return this.#queries.run((connection) => statement(connection, this.#zone, ...parameters));
  }
}
