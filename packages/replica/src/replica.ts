import {
  CausewayError,
  channelScope,
  commandId,
  encodeEntry,
  isDocument,
  nameOfEntry,
  parseName,
  type Ack,
  type Badge,
  type Cell,
  type Command,
  type CommandOf,
  type Message,
  type Page,
  type Token,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { AppendQueue } from './append-queue.ts';
import { Badges } from './badges.ts';
import { CanvasWrites } from './canvas-writes.ts';
import { Cells, type CellListener } from './cells.ts';
import { Channels } from './channels.ts';
import { CanvasRights } from './canvas-rights.ts';
import { canvas, retitle, share } from './commands/canvas.ts';
import { edit, remove } from './commands/change.ts';
import type { Answer, Context } from './commands/context.ts';
import { direct } from './commands/direct.ts';
import { post } from './commands/post.ts';
import { describe, read } from './commands/in-channel.ts';
import { pin, react } from './commands/on-message.ts';
import { isPersonal, personal } from './commands/personal.ts';
import { schedule, unschedule } from './commands/scheduled.ts';
import { Ahead } from './commands/set.ts';
import { mustBeCopied, version } from './commands/version.ts';
import { Compactor } from './compactor.ts';
import { Difference } from './difference.ts';
import { Documents } from './documents.ts';
import { Feed } from './feed.ts';
import { Generations } from './generations.ts';
import { History } from './history.ts';
import { holds } from './holds.ts';
import { HybridClock, hybridFromText } from './hybrid-time.ts';
import type { DocumentListener, LiveDocument } from './live-document.ts';
import { Lookup } from './lookup.ts';
import { Marks } from './marks.ts';
import type { Before, Bus, Committed, OutboxRow, Random, Row, Store, Time } from './ports.ts';
import type { Notice } from './notice.ts';
import { Peers, type Pipe } from './peers.ts';
import { ZonePresence } from './presence/presence.ts';
import { prune } from './prune.ts';
import { Projector } from './projector.ts';
import { Publisher } from './publisher.ts';
import type { Directory, Founding } from './strong/ports.ts';
import { Reach } from './strong/reach.ts';
import { Strong } from './strong/strong.ts';
import { Restores } from './restores.ts';
import { Scheduler } from './scheduler.ts';
import { Tail } from './tail.ts';
import { Tidier } from './tidy.ts';
import { Tokens } from './tokens.ts';
import { ViewPosition } from './view-position.ts';

export type ReplicaOptions = {
  region: string;
  /** The regions of the zone, this one included. */
  regions: readonly string[];
  store: Store;
  bus: Bus;
  time: Time;
  random: Random;
  /** What the manifest says of the zone's workspaces; a replica without any has no strong half. */
  workspaces?: readonly Founding[];
  /** What decides about strong changes; the first region of the zone does when there is none. */
  directory?: Directory;
  notice(notice: Notice): void;
};

/** A reader of one document: hears every committed update from the moment it was opened. */
export type Reader = {
  /**
   * What a state vector lacks (all of it without one) and the document's own state vector.
   * Resolves when what it shows is committed; rejects with `not-committed` when that failed.
   */
  read(stateVector?: Uint8Array): Promise<{ difference: Uint8Array; stateVector: Uint8Array }>;
  /** The document's own state vector; resolves and rejects like `read`. */
  stateVector(): Promise<Uint8Array>;
  /** What somebody lacks who has what a state vector says, to be had in pieces; throws on bytes that are none. */
  since(stateVector: Uint8Array): Difference;
  /** The next piece of it, of about so many bytes. It may be shown when `committed` has resolved. */
  take(difference: Difference, bytes: number): { piece: Uint8Array; committed: Promise<void> };
  /** Does the document hold all that an update says? Throws on bytes that are none; resolves and rejects like `read`. */
  holds(update: Uint8Array): Promise<boolean>;
  close(): void;
};

const TIDY_EVERY_MS = 30_000;
/** How often idle documents leave. */
const LEAVE_EVERY_MS = 5_000;
/** Commands accepted and not answered yet, those that wait for a look-up or a load included. */
const UNDER_WAY = 20_000;
/** How long a command waits for the level `zone`. */
const ZONE_MS = 10_000;
/** Between two tries to become the one that receives. */
const STAND_BY_MS = 500;

/**
 * One zone in one server process: takes commands and canvas updates, keeps the documents in use
 * in memory, appends, publishes, and receives from the peer regions.
 */
export class Replica {
  readonly clock: HybridClock;
  readonly documents: Documents;
  readonly cells: Cells;
  readonly generations: Generations;
  readonly rights: CanvasRights;
  readonly history: History;
  readonly feed: Feed;
  readonly publisher: Publisher;
  readonly compactor: Compactor;
  readonly #badges: Badges;
  readonly presence: ZonePresence;
  /** Members, channels and private membership: decided, not merged. */
  readonly strong: Strong;
  /** What members may reach; `execute` does not ask it, doors do. */
  readonly reach: Reach;
  readonly #options: ReplicaOptions;
  readonly #queue: AppendQueue;
  readonly #channels: Channels;
  readonly #tidier: Tidier;
  readonly #tail: Tail;
  readonly #tokens: Tokens;
  readonly #projector: Projector;
  readonly #marks: Marks;
  readonly #canvases: CanvasWrites;
  readonly #restores: Restores;
  readonly #scheduler: Scheduler;
  readonly #peers: Peers;
  readonly #context: Context;
  readonly #underWay = new Map<string, Promise<Answer>>();
  #author: number;

  constructor(options: ReplicaOptions) {
    const { region, regions, store, bus, time } = options;
    this.#options = options;
    this.#author = this.#newAuthor();
    this.clock = new HybridClock(() => time.now());
    this.#queue = new AppendQueue(store, {
      author: () => this.#author,
      committed: (rows, result) => this.#committed(rows, result),
      failed: (keys) => this.#failed(keys),
      reload: (key) => (isDocument(key) ? this.documents.open(key) : Promise.resolve(undefined)),
      orphaned: (key, updates) => {
        for (const bytes of updates) this.documents.committedElsewhere(key, bytes);
      },
    });
    // The tail begins before anything is loaded, so that nothing which commits later is missed.
    this.documents = new Documents({
      load: async (name) => {
        await this.#tail.started();
        return store.loadDocument(name);
      },
      isBusy: (name) => this.#queue.has(name),
      quarantine: (name, bytes) =>
        options.notice({ what: 'quarantined', kind: parseName(name)?.kind, bytes }),
      now: () => time.now(),
    });
    this.cells = new Cells({
      loadCells: async (scopes) => {
        await this.#tail.started();
        return store.loadCells(scopes);
      },
    });
    this.rights = new CanvasRights(this.cells);
    this.generations = new Generations(this.cells);
    this.#tail = new Tail(
      { store, documents: this.documents, cells: this.cells, time },
      { brought: (live) => this.#canvases.brought(live), changed: (names) => this.#changed(names) },
    );
    bus.hear((messages) => {
      this.#tail.hear(messages);
      this.strong.hear(messages);
    });
    this.#channels = new Channels(store, this.cells, region, regions.length);
    const lookup = new Lookup(store);
    this.#context = {
      region,
      regions,
      clock: this.clock,
      documents: this.documents,
      cells: this.cells,
      ahead: new Ahead(),
      rights: this.rights,
      generations: this.generations,
      channels: this.#channels,
      lookup,
      queue: this.#queue,
      author: () => this.#author,
    };
    this.#tokens = new Tokens({
      documents: this.documents,
      cells: this.cells,
      queue: this.#queue,
      time,
      nudge: () => this.#tail.nudge(),
    });
    const view = new ViewPosition(store, time, () => this.#projector.nudge());
    this.history = new History({
      store,
      cells: this.cells,
      tokens: this.#tokens,
      view,
      time,
      began: () => this.#tail.started(),
    });
    this.#badges = new Badges({ store, cells: this.cells, view, regions, time });
    this.feed = new Feed({ store, region, time });
    this.#marks = new Marks({ store, time, view, peers: regions.filter((peer) => peer !== region) });
    this.#projector = new Projector(
      {
        store,
        documents: this.documents,
        time,
        settled: (name) => this.#queue.settled(name),
        reach: (commit) => this.#tail.reach(commit),
      },
      {
        passed: (position) => view.passed(position),
        failed: (error) => options.notice({ what: 'projector-failed', why: String(error) }),
      },
    );
    this.#tidier = new Tidier({ store, documents: this.documents, lookup, queue: this.#queue }, (error) =>
      options.notice({ what: 'tidy-failed', why: String(error) }),
    );
    this.compactor = new Compactor(store, time, {
      prune: async (name) => {
        await prune({ documents: this.documents, queue: this.#queue, now: () => time.now() }, name);
      },
      notice: (what, detail) => options.notice({ what, ...detail }),
    });
    this.publisher = new Publisher(bus, store, time, {
      found: (rows) => this.#found(rows),
      placed: (seq, incarnation, sequence) => this.#peers.zone.placed(seq, incarnation, sequence),
      unpublishable: ({ seq }) => options.notice({ what: 'unpublishable', seq }),
      trimmed: (rows) => options.notice({ what: 'outbox-trimmed', rows }),
      down: (error) => options.notice({ what: 'bus-down', why: String(error) }),
      up: (incarnation) => options.notice({ what: 'bus-up', incarnation }),
    });
    this.presence = new ZonePresence(options);
    this.strong = new Strong(
      { ...options, workspaces: options.workspaces ?? [] },
      { decided: (version) => this.publisher.announce(version), notice: options.notice },
    );
    this.reach = new Reach(this.strong, this.cells);
    const { documents, cells, generations, rights } = this;
    const mayDo = async (command: Command): Promise<void> => {
      // A replica without a strong half knows no members.
      if (options.workspaces !== undefined && options.workspaces.length > 0)
        await this.reach.command(command);
    };
    this.#restores = new Restores({
      ...options,
      mayDo,
      context: this.#context,
      home: (workspace) => this.strong.home(workspace),
      reach: (commit) => this.#tail.reach(commit),
    });
    this.#scheduler = new Scheduler({
      ...options,
      cells,
      queue: this.#queue,
      mayPost: mayDo,
      isHere: async (post) =>
        (await lookup.segmentsOf(channelScope(post.workspace, post.channel), commandId(post))).length > 0,
      post: (post) => this.#sent(post),
      failed: (error) =>
        // The words of a refusal may name a channel.
        options.notice({
          what: 'scheduler-failed',
          why: error instanceof CausewayError ? error.code : String(error),
        }),
    });
    this.#canvases = new CanvasWrites({ documents, generations, rights, queue: this.#queue }, (error) =>
      options.notice({ what: 'commit-failed', why: String(error) }),
    );
    this.#peers = new Peers(
      {
        ...options,
        documents,
        cells,
        generations,
        queue: this.#queue,
        strong: this.strong,
        restore: (question) => this.#restores.answer(question),
        holds: (token) => this.#tokens.holds(token),
      },
      {
        applied: (rows, result) => this.#applied(rows, result),
        own: (rows) => this.#channels.raisedBy(rows),
        notice: options.notice,
      },
    );
  }

  /** Publishes and receives until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.publisher.run(signal),
      this.#inRole('receiver', (leading) => this.#peers.run(leading), signal),
      this.#inRole('scheduler', (leading) => this.#scheduler.run(leading), signal),
      this.#inRole('compactor', (leading) => this.compactor.run(leading), signal),
      this.#tidying(signal),
      this.#leaving(signal),
      this.#tail.run(signal),
      this.presence.run(signal),
      this.strong.follow(signal),
      this.#inRole('projector', (leading) => this.#projecting(leading), signal),
      this.feed.run(signal),
    ]);
  }

  /** Waits until what was accepted is committed and, if the broker is there, published. */
  async drained(signal: AbortSignal): Promise<void> {
    await this.#queue.drained();
    await this.#tidier.idle();
    await this.publisher.drained(signal);
  }

  /**
   * Carries out a command, once, however often and wherever it is repeated. The promise resolves
   * after the commit (R2); it rejects with a CausewayError, or with the store's error when what it
   * needs cannot be read. At level `zone` it waits until another region has stored it too, and
   * rejects with `not-replicated` when none says so in time: the write is made all the same.
   */
  async execute(command: Command, { level = 'region' }: { level?: Ack['level'] } = {}): Promise<Ack> {
    const answer = level === 'zone' ? await this.#confirmed(command) : await this.#once(command);
    return { ...answer, level, clock: this.clock.read() };
  }

  async #confirmed(command: Command): Promise<Answer> {
    const { answer, reached } = await this.#peers.zone.confirm(() => this.#once(command), ZONE_MS);
    if (reached) return answer;
    throw new CausewayError(
      'not-replicated',
      `written in this region, but no other one confirmed it within ${ZONE_MS / 1000} s; send it again to wait on`,
      { retryAfter: 1 },
    );
  }

  #sent(post: CommandOf<'post'>): { posted: Promise<Answer>; stored: Promise<boolean> } {
    const posted = this.#once(post);
    const stored = this.#peers.zone.confirm(() => posted, ZONE_MS).then(({ reached }) => reached);
    return { posted, stored };
  }

  /** However often it is asked for while it is under way. */
  #once(command: Command): Promise<Answer> {
    const id = commandId(command);
    let answer = this.#underWay.get(id);
    if (answer === undefined) {
      if (this.#underWay.size >= UNDER_WAY)
        return Promise.reject(
          new CausewayError('not-committed', 'too many commands are under way; try again', { retryAfter: 1 }),
        );
      answer = this.#carryOut(id, command).finally(() => this.#underWay.delete(id));
      this.#underWay.set(id, answer);
    }
    return answer;
  }

  /**
   * Opens a document for a reader. Rejects with the store's error when it cannot be loaded, and as
   * Generations.guard says; a canvas that is superseded later is dropped with that error. With
   * `member` it is `forbidden` to who may not see the canvas, and dropped when that right is taken away.
   */
  async join(name: string, listener: DocumentListener, member?: string): Promise<Reader> {
    const unguard =
      member === undefined
        ? (): void => undefined
        : await this.rights.guard(name, member, (why) => listener.dropped(why));
    let live: LiveDocument;
    try {
      let check: Awaited<ReturnType<Generations['guard']>>;
      do {
        live = await this.documents.open(name);
        check = await this.generations.guard(name);
        await mustBeCopied(this.cells, name, live.doc);
      } while (live.dropped);
      // Nothing is awaited from here until it listens: who joins is told of every drop and every successor.
      check(live.doc);
    } catch (error) {
      unguard();
      throw error;
    }
    live.listeners.add(listener);
    const unwatch = this.generations.watch(name, (superseded) => listener.dropped(superseded));
    // The copy may be ahead of the log by the commit in flight: encode first, then share its fate.
    const current = (): Y.Doc => {
      if (live.dropped) throw droppedMeanwhile();
      return live.doc;
    };
    return {
      read: async (stateVector) => {
        const doc = current();
        const state = {
          difference: Y.encodeStateAsUpdate(doc, stateVector),
          stateVector: Y.encodeStateVector(doc),
        };
        await this.#queue.settled(name);
        return state;
      },
      stateVector: async () => {
        const vector = Y.encodeStateVector(current());
        await this.#queue.settled(name);
        return vector;
      },
      since: (stateVector) => Difference.since(current(), stateVector),
      take: (difference, bytes) => ({
        piece: difference.take(current(), bytes),
        committed: this.#queue.settled(name),
      }),
      holds: async (update) => {
        const isHeld = holds(current(), update);
        await this.#queue.settled(name);
        return isHeld;
      },
      close: () => {
        live.listeners.delete(listener);
        unwatch();
        unguard();
      },
    };
  }

  /** Takes a member's update of a canvas; resolves after the commit. Throws on bytes that are no update. */
  writeCanvas(name: string, bytes: Uint8Array, member: string): Promise<void> {
    return this.#canvases.write(name, bytes, member);
  }

  /** A page of a channel's messages, newest first; with `after` one that shows the writes of that token, or `not-here-yet`. */
  messages(
    workspace: string,
    channel: string,
    before: Before | undefined,
    limit: number,
    after?: Token,
  ): Promise<Page<Message>> {
    return this.history.page(workspace, channel, before, limit, after);
  }

  /** What a member has not read in these channels, in their order, as far as the view has come. */
  badges(workspace: string, member: string, channels: readonly string[]): Promise<Badge[]> {
    return this.#badges.ofMember(workspace, member, channels);
  }

  /** What these members have not read in one channel, in their order. */
  badgesOfChannel(workspace: string, channel: string, members: readonly string[]): Promise<Badge[]> {
    return this.#badges.ofChannel(workspace, channel, members);
  }

  /**
   * Calls `changed` with the scope of a channel when its messages changed, whoever wrote them, until the
   * returned function is called. Markers are cells of their member, and are watched there.
   */
  watchBadges(changed: (scope: string) => void): () => void {
    return this.#badges.watch(changed);
  }

  /** Does this region have the writes of a token, committed? Throws `invalid-request` for what is no token. */
  holds(token: Token): Promise<boolean> {
    return this.#tokens.holds(token);
  }

  /** True as soon as this region has the writes of a token; false when it does not within `ms`. */
  waitFor(token: Token, ms: number): Promise<boolean> {
    return this.#tokens.waitFor(token, ms);
  }

  /** The committed cells of scopes. */
  loadCells(scopes: readonly string[]): Promise<Cell[]> {
    return this.#options.store.loadCells(scopes);
  }

  /** Hears committed changes of a scope; a channel's scope stands for its messages too. */
  subscribeCells(scope: string, listener: CellListener): () => void {
    return this.cells.subscribe(scope, listener);
  }

  /** Documents that this process knows to differ from a peer's for ever, as they are; one process of a region looks. */
  get diverged(): number {
    return this.#peers.diverged;
  }

  /** Documents that wait for an upgrade of this region, as far as this process knows; the one that receives does. */
  get parked(): number {
    return this.#peers.parked;
  }

  /** How the pipes from and to each peer are, as far as this process knows. */
  peers(): Pipe[] {
    return this.#peers.pipes(this.publisher);
  }

  /** Jobs waiting for the database; rows waiting for the broker, theirs and the outbox' bytes and age as last counted. */
  get waiting(): { appends: number; publishes: number; publishBytes: number; oldestMs: number } {
    const { rows, bytes, oldestMs } = this.publisher.outbox;
    // Without a broker memory may hold only the newest of them.
    const publishes = this.publisher.connected
      ? this.publisher.waiting
      : Math.max(this.publisher.waiting, rows);
    return { appends: this.#queue.length, publishes, publishBytes: bytes, oldestMs };
  }

  #carryOut(id: string, command: Command): Promise<Answer> {
    if (isPersonal(command)) return personal(this.#context, id, command);
    switch (command.kind) {
      case 'post':
        return post(this.#context, id, command);
      case 'edit':
        return edit(this.#context, id, command);
      case 'delete':
        return remove(this.#context, id, command);
      case 'react':
        return react(this.#context, id, command);
      case 'pin':
        return pin(this.#context, id, command);
      case 'topic':
      case 'purpose':
        return describe(this.#context, id, command);
      case 'read':
        return read(this.#context, id, command);
      case 'direct':
        return direct(this.#context, id, command);
      case 'canvas':
        return canvas(this.#context, id, command);
      case 'retitle':
        return retitle(this.#context, id, command);
      case 'share':
        return share(this.#context, id, command);
      case 'version':
        return version(this.#context, id, command);
      case 'restore':
        return this.#restores.execute(id, command);
      case 'schedule':
        return schedule(this.#context, id, command);
      case 'unschedule':
        return unschedule(this.#context, id, command);
    }
  }

  #committed(rows: readonly Row[], { outbox, untidy, authored, commit }: Committed): void {
    this.#peers.zone.committed(outbox);
    this.#channels.counted(authored);
    this.history.wrote(rows, commit);
    this.#takeCells(rows);
    this.publisher.add(outbox);
    this.#tidier.add(untidy);
    this.#changed(namesOf(rows));
  }

  #applied(rows: readonly Row[], { outbox, untidy, commit }: Committed): void {
    for (const row of rows) this.#witness(row);
    this.history.wrote(rows, commit);
    this.#takeCells(rows);
    this.#takeCells(outbox);
    this.#takeUpdates(rows);
    // Own rows reach the other processes by the stream, a peer's only so.
    this.#options.bus.tell(
      rows.map(({ entry }) => ({ name: nameOfEntry(entry), bytes: encodeEntry(entry) })),
    );
    this.publisher.add(outbox);
    this.#tidier.add(untidy);
    this.#changed(namesOf(rows));
  }

  /** Something of these names is committed, by whomever: those who wait for it look, and so does the projector. */
  #changed(names: ReadonlySet<string>): void {
    this.#tokens.changed(names);
    this.#badges.changed(names);
    this.#projector.nudge();
    this.feed.changed(names);
    this.#peers.changed(names);
  }

  /** Learns from the times that a peer gave (R14). */
  #witness({ entry, index }: Row): void {
    for (const { t } of index?.posts ?? []) this.clock.witness(hybridFromText(t));
    if (entry.kind === 'cells')
      for (const { v } of entry.cells) if (v.includes('.')) this.clock.witness(hybridFromText(v));
  }

  /** Rows of another process of this region, or of a commit that was doubtful and landed after all. */
  #found(rows: readonly OutboxRow[]): void {
    this.#takeCells(rows);
    this.#takeUpdates(rows);
  }

  #takeCells(rows: readonly { entry: Row['entry'] }[]): void {
    for (const { entry } of rows) if (entry.kind === 'cells') this.cells.committed(entry);
  }

  #takeUpdates(rows: readonly { entry: Row['entry'] }[]): void {
    const changed = new Set<LiveDocument>();
    for (const { entry } of rows) {
      if (entry.kind !== 'update') continue;
      const live = this.documents.committedElsewhere(entry.name, entry.bytes);
      if (live !== undefined) changed.add(live);
    }
    for (const live of changed) this.#canvases.brought(live);
  }

  /** After a failed or doubtful commit the copies in memory are not the truth, and the clientID dies (R8). */
  #failed(keys: readonly string[]): void {
    this.#author = this.#newAuthor();
    for (const key of keys) {
      this.documents.drop(key);
      this.cells.drop(key);
      this.#channels.drop(key);
    }
    this.#options.notice({ what: 'commit-failed', documents: keys.length });
  }

  /** Works while this process alone in the region holds the role; stands by while another one does. */
  async #inRole(
    role: string,
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, time } = this.#options;
    const lead = (leading: AbortSignal): Promise<void> => work(AbortSignal.any([signal, leading]));
    while (!signal.aborted) {
      await store.lead(role, lead, signal).catch(() => undefined);
      await time.sleep(STAND_BY_MS, signal);
    }
  }

  async #projecting(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#projector.run(signal), this.#marks.run(signal)]);
  }

  async #leaving(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.time.sleep(LEAVE_EVERY_MS, signal);
      this.documents.leaveIdle();
    }
  }

  async #tidying(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tidier
        .resume()
        .catch((error: unknown) => this.#options.notice({ what: 'tidy-failed', why: String(error) }));
      await this.#options.time.sleep(TIDY_EVERY_MS, signal);
    }
  }

  /** 53 random bits, never used again. */
  #newAuthor(): number {
    const bytes = this.#options.random.bytes(7);
    return bytes.reduce((number, byte, at) => (at === 0 ? byte & 31 : number * 256 + byte), 0);
  }
}

const namesOf = (rows: readonly Row[]): ReadonlySet<string> =>
  new Set(rows.map(({ entry }) => nameOfEntry(entry)));

const droppedMeanwhile = (): CausewayError =>
  new CausewayError('not-committed', 'a write of this document failed; open it again', { retryAfter: 1 });
