import {
  CausewayError,
  commandId,
  isDocument,
  parseName,
  type Ack,
  type Cell,
  type Command,
  type Message,
  type Page,
} from '@causeway/protocol';
import * as Y from 'yjs';
import { AppendQueue } from './append-queue.ts';
import { Cells, type CellListener } from './cells.ts';
import { Channels } from './channels.ts';
import { edit, remove } from './commands/change.ts';
import type { Answer, Context } from './commands/context.ts';
import { post } from './commands/post.ts';
import { canvas, react, read, topic } from './commands/set.ts';
import { Comparison } from './comparison.ts';
import { Documents } from './documents.ts';
import { History, type Before } from './history.ts';
import { HybridClock } from './hybrid-time.ts';
import type { ClientUpdate, DocumentListener, LiveDocument } from './live-document.ts';
import { Lookup } from './lookup.ts';
import type { Bus, OutboxRow, Random, Row, Store, Time, Untidy } from './ports.ts';
import { Publisher } from './publisher.ts';
import { Receiver, type PeerState } from './receiver.ts';
import { Tidier } from './tidy.ts';

/** What happened, for logs and metrics. Never holds content, names of members or slugs (R6). */
export type Notice = {
  what:
    | 'started-over'
    | 'parked'
    | 'lost'
    | 'gap'
    | 'commit-failed'
    | 'tidy-failed'
    | 'unpublishable'
    | 'bus-down'
    | 'bus-up';
  [detail: string]: unknown;
};

export type ReplicaOptions = {
  region: string;
  /** The regions of the zone, this one included. */
  regions: readonly string[];
  store: Store;
  bus: Bus;
  time: Time;
  random: Random;
  notice(notice: Notice): void;
};

/** A reader of one document: hears every committed update from the moment it was opened. */
export type Reader = {
  /**
   * What a state vector lacks (all of it without one) and the document's own state vector.
   * Resolves when what it shows is committed; rejects with `not-committed` when that failed.
   */
  read(stateVector?: Uint8Array): Promise<{ difference: Uint8Array; stateVector: Uint8Array }>;
  close(): void;
};

const TIDY_EVERY_MS = 30_000;
/** Commands accepted and not answered yet, those that wait for a look-up or a load included. */
const UNDER_WAY = 20_000;
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
  readonly history: History;
  readonly publisher: Publisher;
  readonly receivers: readonly Receiver[];
  readonly #options: ReplicaOptions;
  readonly #queue: AppendQueue;
  readonly #channels: Channels;
  readonly #tidier: Tidier;
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
    });
    this.documents = new Documents(store, (name) => this.#queue.has(name));
    this.cells = new Cells(store);
    this.#channels = new Channels(store, this.cells, region, regions.length);
    const lookup = new Lookup(store);
    this.#context = {
      region,
      regions,
      clock: this.clock,
      documents: this.documents,
      cells: this.cells,
      channels: this.#channels,
      lookup,
      queue: this.#queue,
      author: () => this.#author,
    };
    this.history = new History({
      documents: this.documents,
      queue: this.#queue,
      store,
      now: () => time.now(),
    });
    this.#tidier = new Tidier({ store, documents: this.documents, lookup, queue: this.#queue }, (error) =>
      options.notice({ what: 'tidy-failed', why: String(error) }),
    );
    this.publisher = new Publisher(bus, store, time, {
      found: (rows) => this.#found(rows),
      unpublishable: ({ seq }) => options.notice({ what: 'unpublishable', seq }),
      down: (error) => options.notice({ what: 'bus-down', why: String(error) }),
      up: (incarnation) => options.notice({ what: 'bus-up', incarnation }),
    });
    const parked = new Set<string>();
    this.receivers = regions
      .filter((peer) => peer !== region)
      .map(
        (peer) =>
          new Receiver(
            peer,
            bus,
            store,
            time,
            {
              applied: (rows, result) => this.#applied(rows, result),
              own: (rows) => this.#channels.raisedBy(rows),
              witness: (hybrid) => this.clock.witness(hybrid),
              notice: (what, detail) => options.notice({ what, ...detail }),
            },
            parked,
          ),
      );
  }

  /** Publishes and receives until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const comparison = new Comparison(this.documents, this.cells, (live) => this.#writeDue(live));
    await Promise.all([
      this.publisher.run(signal),
      this.#receiving(signal),
      this.#tidying(signal),
      comparison.run(this.#options.time, signal),
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
   * needs cannot be read.
   */
  async execute(command: Command): Promise<Ack> {
    const id = commandId(command);
    let answer = this.#underWay.get(id);
    if (answer === undefined) {
      if (this.#underWay.size >= UNDER_WAY)
        throw new CausewayError('not-committed', 'too many commands are under way; try again', {
          retryAfter: 1,
        });
      answer = this.#carryOut(id, command).finally(() => this.#underWay.delete(id));
      this.#underWay.set(id, answer);
    }
    return { ...(await answer), level: 'region', clock: this.clock.read() };
  }

  /** Opens a document for a reader; rejects with the store's error when it cannot be loaded. */
  async join(name: string, listener: DocumentListener): Promise<Reader> {
    let live = await this.documents.open(name);
    while (live.dropped) live = await this.documents.open(name);
    live.listeners.add(listener);
    return {
      read: async (stateVector) => {
        if (live.dropped) throw droppedMeanwhile();
        // The copy may be ahead of the log by the commit in flight: encode first, then share its fate.
        const state = {
          difference: Y.encodeStateAsUpdate(live.doc, stateVector),
          stateVector: Y.encodeStateVector(live.doc),
        };
        await this.#queue.settled(name);
        return state;
      },
      close: () => void live.listeners.delete(listener),
    };
  }

  /** Takes a member's update of a canvas; resolves after the commit. Throws on bytes that are no update. */
  async writeCanvas(name: string, bytes: Uint8Array, member: string): Promise<void> {
    if (parseName(name)?.kind !== 'canvas')
      throw new CausewayError('read-only', `${name} is no canvas: it is written by commands`);
    decodeOrRefuse(bytes);
    await this.#write(name, { what: bytes, size: bytes.length, member });
  }

  /** A page of a channel's messages, newest first. */
  messages(
    workspace: string,
    channel: string,
    before: Before | undefined,
    limit: number,
  ): Promise<Page<Message>> {
    return this.history.page(workspace, channel, before, limit);
  }

  /** The committed cells of scopes. */
  loadCells(scopes: readonly string[]): Promise<Cell[]> {
    return this.#options.store.loadCells(scopes);
  }

  /** Hears committed changes of a scope; a channel's scope stands for its messages too. */
  subscribeCells(scope: string, listener: CellListener): () => void {
    return this.cells.subscribe(scope, listener);
  }

  peers(): PeerState[] {
    return this.receivers.map(({ state }) => state);
  }

  /** Jobs waiting for the database and rows waiting for the broker. */
  get waiting(): { appends: number; publishes: number } {
    return { appends: this.#queue.length, publishes: this.publisher.waiting };
  }

  #carryOut(id: string, command: Command): Promise<Answer> {
    switch (command.kind) {
      case 'post':
        return post(this.#context, id, command);
      case 'edit':
        return edit(this.#context, id, command);
      case 'delete':
        return remove(this.#context, id, command);
      case 'react':
        return react(this.#context, id, command);
      case 'topic':
        return topic(this.#context, id, command);
      case 'read':
        return read(this.#context, id, command);
      case 'canvas':
        return canvas(this.#context, id, command);
    }
  }

  #committed(rows: readonly Row[], { outbox, untidy }: { outbox: OutboxRow[]; untidy: Untidy[] }): void {
    this.#takeCells(rows);
    this.publisher.add(outbox);
    this.#tidier.add(untidy);
  }

  #applied(rows: readonly Row[], { outbox, untidy }: { outbox: OutboxRow[]; untidy: Untidy[] }): void {
    this.#takeCells(rows);
    this.#takeCells(outbox);
    this.#takeUpdates(rows);
    this.publisher.add(outbox);
    this.#tidier.add(untidy);
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
    for (const live of changed) this.#writeDue(live);
  }

  /** Commits a member's update of a canvas, and then what of the waiting ones it was that they lacked. */
  async #write(name: string, update: ClientUpdate): Promise<void> {
    const live = await this.documents.open(name);
    const written = await this.#queue.run<LiveDocument>({
      key: name,
      live,
      member: update.member,
      size: update.size,
      author: (live) => {
        if (live!.acceptClientUpdate(update)) return { answer: live! };
        throw new CausewayError(
          'not-here-yet',
          'too much of this document waits for what it depends on; connect again',
          { retryAfter: 1 },
        );
      },
    });
    this.#writeDue(written);
  }

  /** Client updates that waited for what just arrived are tried again, each as a write of its own. */
  #writeDue(live: LiveDocument): void {
    for (const update of live.takeDue())
      this.#write(live.name, update).catch((error: unknown) => {
        // Its client resynchronises: a failed commit has dropped the document.
        this.#options.notice({ what: 'commit-failed', why: String(error) });
      });
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

  /** One process of a region receives at a time; the others stand by, and take over when it or its lock is gone. */
  async #receiving(signal: AbortSignal): Promise<void> {
    const { store, time } = this.#options;
    const receive = async (leading: AbortSignal): Promise<void> => {
      const either = AbortSignal.any([signal, leading]);
      await Promise.all(this.receivers.map((receiver) => receiver.run(either)));
    };
    while (!signal.aborted) {
      await store.lead('receiver', receive, signal).catch(() => undefined);
      await time.sleep(STAND_BY_MS, signal);
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

const droppedMeanwhile = (): CausewayError =>
  new CausewayError('not-committed', 'a write of this document failed; open it again', { retryAfter: 1 });

function decodeOrRefuse(bytes: Uint8Array): void {
  try {
    Y.decodeUpdate(bytes);
  } catch {
    throw new CausewayError('malformed-frame', 'these bytes are no Yjs update (format V1)');
  }
}
