import type { Cell, Decision, Entry, Mentions, Message, NameDigest, Talk } from '@causeway/protocol';
import type { StrongStore } from './strong/ports.ts';

/** How many buckets the names of a zone are spread over, see bucketOf. */
export const BUCKETS = 1_024;

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
export type Row = { entry: Extract<Entry, { kind: 'update' | 'cells' }>; index?: SegmentIndex };

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

/** This region's own counts of one segment, whichever of its processes wrote. */
export type AuthoredIn = {
  channel: string;
  segment: number;
  posts: number;
  bytes: number;
  operations: number;
};

/** What a commit did besides what it was asked to. */
export type Committed = {
  /** The own rows, numbered, in the order given. */
  outbox: OutboxRow[];
  untidy: Untidy[];
  /** Number of the transaction, see `Store.tail`. */
  commit: number;
  /** Totals of the segments that own rows of this commit wrote into. */
  authored: AuthoredIn[];
  /** There was no room for the messages that were to be parked: what they hold is not here. */
  unkept?: true;
};

/** A row of the log as the tail lists it, without its bytes. */
export type LogRow = {
  id: number;
  name: string;
  /** Written by this region; not so what came from peers, and what compaction wrote. */
  own: boolean;
  /** The whole document up to then, written by compaction in place of the rows that it read. */
  snapshot: boolean;
};

/** What was committed after one point of the log, in the order of commits. */
export type Tail = {
  rows: LogRow[];
  /** Cells that changed, as they are now. */
  cells: Cell[];
  /** All up to this commit is listed: where to go on. */
  to: number;
};

/** A document or scope as the table of states has it. */
export type StateRow = {
  name: string;
  /** Grows with every write of it: a digest counts only for the number that it was computed at. */
  changes: number;
  /** Rows and bytes in the log; 0 for a scope of cells. */
  rows: number;
  bytes: number;
  /** Since the last write, milliseconds. */
  quietMs: number;
};

/** One bucket of the table of states: names are spread over BUCKETS of them by their hash. */
export type Bucket = {
  /** The digests of its names, exclusive-ored: 64 bits, unsigned. Stale ones count as 0. */
  digest: bigint;
  names: number;
  /** How many of its names have no digest that is up to date. */
  stale: number;
};

/** Where one copy of a message is: the state vector of that segment reaches it at `clock`. */
export type CopyPlace = { segment: number; client: number; clock: number };

/** A message as the view of messages keeps it: reactions are cells and come from there. */
export type MessageRow = {
  channel: string;
  message: Message;
  mentions: Mentions;
  /** Of all its posts, ordered by segment, client and clock; one at least. */
  copies: readonly CopyPlace[];
};

/** What counts of a message that may be unread: of all that are shown in a channel, so no mere replies. */
export type Countable = Pick<MessageRow, 'mentions' | 'copies'> & Pick<Message, 'id' | 't' | 'author'>;

/** A thread, as its newest 10,000 replies make it. */
export type ThreadRow = {
  root: string;
  replies: number;
  /** Order time of the last reply. */
  last: string;
  /** Who replied, whoever did so last first. */
  participants: string[];
};

/** A place in a list of messages, newest first: those after it are older, or as old with a smaller id. */
export type Before = { t: string; id: string };

/** How far a projector has come. */
export type ViewState = {
  /** Everything up to this commit is in the view. */
  position: number;
  /** A rebuild runs until this commit is reached; below it snapshots are read too. */
  rebuildTo: number;
};

/**
 * A segment that lacked something when rows of it were projected, and the messages that they touched: Yjs may not
 * have shown them yet, and the row that makes it show them need not name them.
 */
export type Awaiting = { document: string; ids: string[] };

/** What a projector writes in one transaction. */
export type Projection = {
  /** The position that it started from: when it is another one by now, nothing is written. */
  from: number;
  to: number;
  messages: MessageRow[];
  /** What is not shown: deleted messages, and with `notYet` those of which only edits are here. */
  gone: (MessagePlace & { notYet?: true })[];
  /** Takes the place of what was kept for these documents; without ids nothing is kept any more. */
  awaiting: Awaiting[];
};

/** Something as it is now, and the commit that changed it last. A cell's commit wrote it; a message's is that of its projection. */
export type Change = { commit: number } & (
  | { kind: 'message'; row: Pick<MessageRow, 'channel' | 'message'> }
  | { kind: 'gone'; place: MessagePlace }
  | { kind: 'cell'; cell: Cell }
);

/** What changed after one commit, for events. */
export type Changes = {
  /** Lowest commit first. */
  changes: Change[];
  /** All up to this commit is listed: where to go on. */
  to: number;
  /** Deletions up to this commit may have been forgotten: they are not listed. */
  forgotten: number;
};

/** How far a peer's stream is applied here: all that it committed before `sentAt` (its clock) is at or below `commit`. */
export type Heard = { peer: string; sentAt: number; commit: number };

/**
 * Ties our numbers of commits to times, so that a reader may go on in another region: what commits
 * after `at` (our clock) is above `low`, and what any region of the zone had committed before `whole`
 * is at or below the commit that the mark was written behind, and in the view.
 */
export type Mark = { at: number; low: number; whole: number };

/** A message kept as received. */
export type Parked = { id: number; peer: string; name: string; version: number; bytes: Uint8Array };

export type ApplyBatch = {
  peer: string;
  /** Where reading goes on after these rows; absent while more rows of the same delivery follow, and for repairs. */
  cursor?: Cursor;
  /** Parked rows that are among `rows` now: taken out. */
  unparked?: readonly number[];
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
export interface Store extends StrongStore {
  /** How many appends may be under way at once. */
  readonly lanes: number;
  /**
   * Logs local rows with an outbox row each (in the order given), merges their cells, updates the
   * table id -> segments and this region's counts. `untidy`: messages that now need a look,
   * namely those touched here that have copies in other segments, and those posted or edited
   * here though deleted.
   */
  append(rows: readonly Row[]): Promise<Committed>;
  /** A peer's rows and the cursor behind them; also marks untidy every message deleted here. */
  apply(batch: ApplyBatch): Promise<Committed>;
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
  /** Parked rows of versions 1 to `version` under names that have nothing newer parked, oldest first. */
  parked(version: number, limit: number): Promise<Parked[]>;

  /**
   * The number of a commit at or below which nothing is under way: whatever commits later has a
   * larger one. (Postgres: one less than `pg_snapshot_xmin`, so a slow transaction holds it back.)
   */
  horizon(): Promise<number>;
  /**
   * What commits above `after` wrote, up to the horizon. Commits are listed whole, lowest first,
   * until about `limit` rows and cells are; a cell stands where it was last changed.
   */
  tail(after: number, limit: number): Promise<Tail>;
  /** The bytes of rows of the log, and who is named as their author; those compacted away meanwhile are left out. */
  loadRows(
    rows: readonly { name: string; id: number }[],
  ): Promise<{ id: number; entry: Row['entry'] & { kind: 'update' } }[]>;
  /** The highest commit that wrote any of these documents or scopes; 0 for none. */
  lastCommit(names: readonly string[]): Promise<number>;

  /**
   * Documents and scopes whose digest is out of date: those with most rows first, then those
   * quiet for longest.
   */
  stale(limit: number): Promise<StateRow[]>;
  /** A document's log and the number of its changes, read together. `held`: in the outbox still. */
  loadState(
    name: string,
  ): Promise<{ changes: number; rows: { id: number; bytes: Uint8Array; held: boolean }[] } | undefined>;
  /** Records digests for those names that still have that number of changes. */
  setDigests(digests: readonly { name: string; changes: number; digest: bigint }[]): Promise<void>;
  /**
   * Puts a snapshot in the place of the rows that it was made of, all in one transaction, and
   * records the digest if nothing was written since. False, and nothing happens, when one of
   * `rows` is gone, waits in the outbox, or lies above the position of a view.
   */
  compact(compaction: {
    name: string;
    changes: number;
    rows: readonly number[];
    snapshot: Uint8Array;
    digest: bigint;
  }): Promise<boolean>;
  /** All BUCKETS of them, in order. */
  buckets(): Promise<Bucket[]>;
  /** The names in these buckets after `after`, in order, with their digest unless it is stale. */
  names(buckets: readonly number[], after: string, limit: number): Promise<NameDigest[]>;

  viewState(): Promise<ViewState>;
  /** What projectors kept of segments that lack something, ordered by document. */
  awaiting(): Promise<Awaiting[]>;
  /** False when another projector came first. */
  project(projection: Projection): Promise<boolean>;
  /** Makes the projector read everything again from the beginning; readers see the old rows until they are replaced. */
  rebuildViews(): Promise<void>;
  /** Begins a rebuild when the view holds rows of the version before, which kept less of a message; cheap when it holds none. */
  mendViews(): Promise<void>;
  /** Messages of a channel from the view, newest first, older than `before`; with `thread` the replies in it only. */
  viewMessages(
    channel: string,
    before: Before | undefined,
    limit: number,
    thread?: string,
  ): Promise<Message[]>;
  /** One message from the view. */
  viewMessage(place: MessagePlace): Promise<Message | undefined>;
  /**
   * What may be unread in these channels: messages whose copies all lie in segment `from` or above,
   * at most `limit` of each channel, those of the highest segments first, then the newest.
   */
  countables(
    channels: readonly { channel: string; from: number }[],
    limit: number,
  ): Promise<(Countable & { channel: string })[]>;
  /** Those of these threads that have replies, in no order; at most `participants` of each are named. */
  viewThreads(channel: string, roots: readonly string[], participants: number): Promise<ThreadRow[]>;
  /** The members who have a cell of this key, with its value, ordered by scope; keys `follow|…` only. */
  followCells(workspace: string, key: string): Promise<Cell[]>;
  /**
   * Messages of others that mention a member, newest first: by name in the channels `named`, by
   * `@channel` or `@here` in the channels `joined`.
   */
  viewMentions(
    workspace: string,
    member: string,
    channels: { named: readonly string[]; joined: readonly string[] },
    before: Before | undefined,
    limit: number,
  ): Promise<(MessagePlace & { message: Message })[]>;

  /**
   * What changed above `after` in these workspaces, up to the horizon: messages in the view and those
   * deleted from it, and cells, of members' own ones only `joined` and `direct`. Commits are listed whole,
   * lowest first, until about `limit` changes are; a thing stands where it last changed. Within a commit
   * the order is that of names and keys, and of messages that of their `t` and id.
   */
  changes(workspaces: readonly string[], after: number, limit: number): Promise<Changes>;
  /** Forgets the oldest deletions until `keep` of the zone's are left; how many. */
  forgetGone(keep: number): Promise<number>;
  /** Keeps how far a peer's stream is applied as of now; a peer that has no cursor yet is left out. */
  noteHeard(peer: string, sentAt: number): Promise<void>;
  /** `low` of a mark that is at this moment, the highest number of a finished commit, and what is heard of each peer. */
  marking(): Promise<{ low: number; high: number; heard: Heard[] }>;
  /** Writes a mark, as of now, and forgets those from before `since`. */
  mark(mark: Mark, since: number): Promise<void>;
  /** `whole` of the last mark at or below a commit; 0 when there is none. */
  wholeAt(commit: number): Promise<number>;
  /** `low` of the last mark at or before a time. */
  lowAt(at: number): Promise<number | undefined>;

  /**
   * Outbox rows that are at least `olderThanMs` old, lowest first. There is no "from": numbers are
   * drawn before the commit, so a lower one may appear later.
   */
  unpublished(options: { olderThanMs: number; limit: number }): Promise<OutboxRow[]>;
  /** Takes rows out of the outbox, and keeps the highest sequence that the stream gave for this incarnation. */
  published(seqs: readonly number[], stream: { incarnation: string; sequence: number }): Promise<void>;
  /** Rows in the outbox, their bytes, and the age of the oldest. */
  outboxSize(): Promise<{ rows: number; bytes: number; oldestMs: number }>;
  /** Takes the oldest rows out of the outbox without publishing them until `keep` are left; how many. Peers repair. */
  trimOutbox(keep: number): Promise<number>;
  /** The incarnation in force, and the highest sequence that the stream is known to have given. */
  incarnation(): Promise<{ incarnation: string; sequence: number } | undefined>;
  /**
   * The incarnation under which this region publishes into this stream, the same for all its
   * processes. Another one than before (`isNew`) when the stream or this database is another
   * one, or when the stream ends below `given`: then nobody can say what peers received of it,
   * and they compare states with us. `given` is what `incarnation()` said before the stream was
   * looked at; what other processes were given since proves nothing.
   */
  adoptIncarnation(stream: {
    stream: string;
    lastSequence: number;
    given: number;
  }): Promise<{ incarnation: string; isNew: boolean }>;
  /**
   * Scheduled posts that are due and have neither been sent nor failed: those of `region` up to the
   * time `own`, all others up to `others` (milliseconds since 1970); the earliest first.
   */
  due(asked: { region: string; own: number; others: number; limit: number }): Promise<Cell[]>;
  /** The cells that say which generation of a canvas is the current one, ordered by scope and key. */
  generations(): Promise<Cell[]>;
  /** Keeps a decision unless there is one for that document and generation; returns the one that is kept. */
  decide(proposal: Decision): Promise<Decision>;
  decision(document: string, generation: number): Promise<Decision | undefined>;
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

/** What a region answers to `hello`: the stream that it publishes into, and what it holds. */
export type Hello = {
  incarnation: string;
  lastSequence: number;
};

/**
 * How far a region has stored a peer's stream: told to that peer after each commit of the receiver, but
 * not while it lacks what messages depend on that it never got (they expired, or were in another stream).
 */
export type StoredUpTo = { region: string; incarnation: string; sequence: number; messageId: string };

/** What can be asked of a region, besides hello. Bodies are the asker's business. */
export type Operation = 'buckets' | 'names' | 'state' | 'cells' | 'holds' | 'decide' | 'restore' | Talk;

/** Hears what is said of presence. Nothing of it is stored, and all of it may be missed, repeated or late. */
export type PresenceEar = {
  /** Another process of this region, or one of a peer, announced this about a topic that is attended. */
  announced(region: string, topic: string, bytes: Uint8Array): void;
  /** Another process of this region, or one of a peer, wants something of this region's processes. */
  asked(question: Uint8Array): void;
  /** What this region (the own one, or a peer) announces from now on is heard; what it did before may have been missed. */
  opened(region: string): void;
};

/** The broker does not answer, or the link is cut. */
export class BusDown extends Error {
  override name = 'BusDown';
}

/** Replication of one zone as seen from one process of one region. Nothing of it is truth: the store is. */
export interface Bus {
  /** Connects, makes sure that this region's stream exists, and names it. Rejects with BusDown. */
  open(): Promise<{ stream: string; lastSequence: number }>;
  /**
   * Puts one message into this region's stream, in the order of the calls; resolves when the
   * broker has it. The broker drops repeats of an id of the last two minutes, and `repeat` says
   * so: the sequence is then the first one's. Rejects with BusDown, and with RangeError when a
   * message of this size can never pass.
   */
  publish(message: {
    id: string;
    name: string;
    bytes: Uint8Array;
  }): Promise<{ sequence: number; repeat: boolean }>;
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
  /**
   * Tells the other processes of this region, through its own broker, of entries (encoded) that
   * are committed. Best effort, at most once, nobody waits: the tail of the log is the proof.
   */
  tell(messages: readonly { name: string; bytes: Uint8Array }[]): void;
  /** Hears what other processes of this region published or told; never what this one did. */
  hear(heard: (messages: readonly { name: string; bytes: Uint8Array }[]) => void): void;
  /** Tells a peer how far its stream is stored here; best effort. */
  report(peer: string, report: StoredUpTo): void;
  /** Hears the peers' reports; every process of a region does. */
  hearReports(heard: (report: StoredUpTo) => void): void;
  /** Asks a peer for its hello; rejects with BusDown when no answer comes within 2 s. */
  hello(peer: string): Promise<Hello>;
  /** Answers peers' hellos from now on. */
  answerHello(answer: () => Hello | undefined): void;
  /**
   * Asks a peer, one of whose processes answers. Question and answer travel in chunks that fit a
   * message, and arrive whole or not at all. Rejects with BusDown when nothing of the answer
   * comes for 5 s, when a part is missing, and with RangeError when the question exceeds 16 MiB.
   */
  ask(peer: string, operation: Operation, question: Uint8Array): Promise<Uint8Array>;
  /**
   * Answers peers' questions from now on, a few at a time. When `answer` throws, or returns more
   * than 64 MiB, the asker gets BusDown with the error's name.
   */
  answer(answer: (operation: Operation, question: Uint8Array) => Promise<Uint8Array>): void;
  /** Connects to the own broker and every peer's for presence, and stays so; called once. */
  hearPresence(ear: PresenceEar): void;
  /** From now on hears what is announced about a topic; returns how to end it. A topic is attended once at a time. */
  attend(topic: string): () => void;
  /**
   * Tells every process that attends this topic, of this region and of the peers, but never this
   * one. At most once, in the order of the calls over one connection, nobody waits. A topic is
   * `<workspace>/<words…>`, `-/<words…>` when it is about no workspace; a message has at most
   * 512 KiB, what is larger is dropped.
   */
  announce(topic: string, bytes: Uint8Array): void;
  /**
   * Asks every process of a region; their answers are announcements. It travels on the connection
   * over which they come, so where one is heard the other is, even when a link is cut one way.
   */
  askPresence(region: string, question: Uint8Array): void;
  close(): Promise<void>;
}

/**
 * Decisions about documents of a zone: one for each document and generation, whoever proposed
 * first. Rejects with BusDown while nobody can decide.
 */
export interface Decisions {
  /** The decision in force, which may be another one than proposed. */
  decide(proposal: Decision): Promise<Decision>;
  inForce(document: string, generation: number): Promise<Decision | undefined>;
}
