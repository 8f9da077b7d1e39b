import type { Cell, Entry } from '@causeway/protocol';

/**
 * The ports of the core: everything that a replica needs of the world. One set per zone: a store
 * and a bus see one zone's data only. Postgres and NATS implement them for servers, packages
 * store and replication hold in-memory twins that pass the same contract suites.
 */

/** Milliseconds, randomness and waiting; injected, so that a simulated world replays from a seed. */
export interface Time {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, or at once when the signal fires; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** Fresh random bytes, `count` of them. */
  bytes(count: number): Uint8Array;
}

/** What one update does to the messages of its segment, read from its bytes (see segment-index.ts). */
export type SegmentIndex = {
  /** `<workspace>/channel/<channel>`. */
  channel: string;
  segment: number;
  /** Messages that get a copy here, with their order time. */
  posts: { id: string; t: string }[];
  /** Messages edited here. */
  edits: string[];
  /** Messages deleted here. */
  deletes: string[];
  /** Map operations in the update. */
  operations: number;
};

/** One row of the log, with its index when it belongs to a segment. */
export type Row = { entry: Exclude<Entry, { kind: 'heartbeat' }>; index?: SegmentIndex };

/** A row that waits for publication under its number in this region's outbox. */
export type OutboxRow = { seq: number; entry: Row['entry'] };

/**
 * A message whose copies may differ or whose deletion may be incomplete, because of what other
 * regions wrote meanwhile. Kept in a table until somebody looked; `mark` grows with every reason.
 */
export type Untidy = { channel: string; id: string; mark: number };

/** How far this region has read a peer's stream. */
export type Cursor = {
  incarnation: string;
  /** Stream sequence of the last message applied. */
  sequence: number;
  /** Its `Nats-Msg-Id`: proves on resume that the stream is still the one that was read. */
  messageId: string;
};

/** A message of a channel; `channel` is its scope, `<workspace>/channel/<channel>`. */
export type MessagePlace = { channel: string; id: string };

/** What this region knows of one segment of a channel. */
export type SegmentRow = {
  segment: number;
  /** Posts, bytes and operations authored by this region. */
  posts: number;
  bytes: number;
  operations: number;
  /** Smallest and largest `t` of any region's posts; absent while it holds none. */
  first?: string;
  last?: string;
};

export type ApplyBatch = {
  peer: string;
  /** Where reading goes on after these rows; absent while more rows of the same delivery follow. */
  cursor?: Cursor;
  /** The peer's rows: logged without an outbox row, so nothing echoes. */
  rows: Row[];
  /** What this region writes because of them (raised tops): logged with an outbox row. */
  own: Row[];
  /** Messages of a newer version, kept as received. */
  parked: { name: string; version: number; bytes: Uint8Array }[];
};

/** Certainly not committed, because of the data itself: the rest of the batch may be tried without it. */
export class Refused extends Error {
  override name = 'Refused';
}

/** Certainly not committed, for a reason that will pass (lock, shutdown, no connection yet). */
export class Unavailable extends Error {
  override name = 'Unavailable';
}

/** Committed or not, nobody can say: the connection broke or the answer did not come in time. */
export class Doubtful extends Error {
  override name = 'Doubtful';
}

/**
 * Durable state of one zone in one region. Every method that writes is one transaction and
 * resolves only after its commit; it rejects with Refused, Unavailable or Doubtful.
 */
export interface Store {
  /** How many appends may be under way at once. */
  readonly lanes: number;
  /**
   * Logs local rows with an outbox row each (in the order given), merges their cells, updates the
   * table id -> segments and this region's counts. `untidy`: messages that now need a look,
   * namely those touched here that have copies in other segments, and those posted or edited
   * here though deleted.
   */
  append(rows: readonly Row[]): Promise<{ outbox: OutboxRow[]; untidy: Untidy[] }>;
  /** A peer's rows and the cursor behind them; also marks untidy every message deleted here. */
  apply(batch: ApplyBatch): Promise<{ outbox: OutboxRow[]; untidy: Untidy[] }>;
  /** Everything committed of a document, in log order; empty when there is nothing. */
  loadDocument(name: string): Promise<Uint8Array[]>;
  /** All cells of these scopes, ordered by scope and key. */
  loadCells(scopes: readonly string[]): Promise<Cell[]>;
  /** The table id -> segments for these messages, ordered by channel, id and segment. */
  copies(
    messages: readonly MessagePlace[],
  ): Promise<(MessagePlace & { segment: number; deleted: boolean })[]>;
  /** All segments of a channel that hold anything, lowest first. */
  segments(channel: string): Promise<SegmentRow[]>;
  cursor(peer: string): Promise<Cursor | undefined>;
  /** Names with messages parked for a newer version (0, what nobody can read, not counted). */
  parkedNames(): Promise<string[]>;
  /**
   * Outbox rows that are at least `olderThanMs` old, lowest first. There is no "from": numbers are
   * drawn before the commit, so a lower one may appear later.
   */
  unpublished(options: { olderThanMs: number; limit: number }): Promise<OutboxRow[]>;
  /** Takes rows out of the outbox. */
  published(seqs: readonly number[]): Promise<void>;
  /**
   * Makes `incarnation` the one under which this region publishes. When another one was in
   * force before, everything that this region wrote goes into the outbox again, since nobody
   * can say what peers received of the old stream. True when it was another one.
   */
  adoptIncarnation(incarnation: string): Promise<boolean>;
  untidy(limit: number): Promise<Untidy[]>;
  /** Forgets those rows whose mark has not grown meanwhile. */
  tidied(rows: readonly Untidy[]): Promise<void>;
  /** Names this database: system identifier and timeline. */
  identity(): Promise<string>;
  /**
   * Runs `work` while this process alone in the region holds `role`; its signal fires when the
   * lock is lost. Resolves without running it when another process holds the role.
   */
  lead(role: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** One message as the bus delivers it. */
export type Delivery = { sequence: number; id: string; name: string; bytes: Uint8Array };

/** What a region answers to `hello`: the stream that it publishes into. */
export type Hello = { incarnation: string; lastSequence: number };

/** The broker does not answer, or the link is cut. */
export class BusDown extends Error {
  override name = 'BusDown';
}

/** Replication of one zone as seen from one region. Nothing of it is truth: the store is. */
export interface Bus {
  /** Connects, makes sure that this region's stream exists, and names it. Rejects with BusDown. */
  open(): Promise<{ stream: string; lastSequence: number }>;
  /**
   * Puts one message into this region's stream, in the order of the calls; resolves when the
   * broker has it. The broker drops repeats of an id of the last two minutes. Rejects with
   * BusDown, and with RangeError when a message of this size can never pass.
   */
  publish(message: { id: string; name: string; bytes: Uint8Array }): Promise<{ sequence: number }>;
  /**
   * Reads a peer's stream in order from sequence `from` on (or the first one still there).
   * `deliver` gets batches of at most 500 messages and 1 MiB, one at a time, and the next one
   * only after it has resolved. Beyond the end it waits for that very sequence. The newest follow
   * of a region takes the place of an older one. Never resolves: rejects, between deliveries, with
   * BusDown when the connection or the consumer is lost, with deliver's error when that throws,
   * and when the signal fires.
   */
  follow(
    peer: string,
    from: number,
    deliver: (batch: Delivery[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never>;
  /** Asks a peer for its hello; rejects with BusDown when no answer comes within 2 s. */
  hello(peer: string): Promise<Hello>;
  /** Answers peers' hellos from now on. */
  answerHello(answer: () => Hello | undefined): void;
  close(): Promise<void>;
}
