import {
  channelOfCommand,
  LIMITS,
  channelScope,
  commandId,
  messageScope,
  parseName,
  segmentName,
  type Ack,
  type CausewayError,
  type Cell,
  type Command,
  type CommandOf,
  type Message,
  type Token,
} from '@causeway/protocol';
import { Segment, highestTop, mergeCell } from '@causeway/replica';
import * as Y from 'yjs';
import type { ClientClock } from './client-clock.ts';
import type { ConnectionStatus } from './link/link.ts';
import type { LinkedDocument } from './link/linked-document.ts';
import type { Session } from './link/session.ts';
import { Listeners } from './listeners.ts';
import { MessageUnion } from './message-union.ts';
import type { Outbox, OutboxEntry } from './outbox.ts';
import type { ChannelName, RegionApi } from './region-api.ts';
import { asCausewayError, retrying } from './retryable.ts';
import type { Cache } from './storage/cache.ts';
import { shownMessages, type Acknowledged, type ShownMessage } from './shown-messages.ts';
import { ThreadFeed } from './thread-feed.ts';

export type ChannelSnapshot = {
  /** Oldest first, with what this client is about to change. */
  messages: readonly ShownMessage[];
  topic: string;
  purpose: string;
  /** Ids of pinned messages, the newest pin first. */
  pins: readonly string[];
  /** Those of them that are loaded, see `loadPins`. */
  pinned: readonly Message[];
  /** Whether there is more before the oldest one. `full`: no more fits into memory. */
  older: 'more' | 'loading' | 'none' | 'full';
  connection: ConnectionStatus;
  /** Why the connection is not live, or why older messages could not be read. */
  error?: CausewayError;
};

export type FeedParts = {
  workspace: string;
  channel: ChannelName;
  session: Session;
  api: RegionApi;
  outbox: Outbox;
  clock: ClientClock;
  random(): number;
  /** What was seen last, before a region answers. */
  cache?: Cache;
  /** Somebody posted. */
  said?(member: string): void;
  closed(): void;
};

type Follow = { document: LinkedDocument; segment: Segment };

/** What the cache has of a channel. */
type Seen = { page: Message[]; cells: Cell[]; segments: [number, Uint8Array][] };

/** Messages that should be followed as they change, if there are as many. */
const WANTED = 50;
/** Segments that are followed at once. */
const SEGMENTS = 3;
/** Messages of one request for older ones. */
const PAGE = 50;
/** Messages that are kept though no followed segment holds them. */
const PAGED = 5_000;
/** What is seen is kept when nothing has changed for so long, milliseconds. */
const KEEP_MS = 2_000;
/** Own changes that are acknowledged and did not come back yet. */
const ACKNOWLEDGED = 200;

/**
 * A channel as it changes: its newest segments by live documents, reactions and topic by cells,
 * what is older by pages, all united by message id, under what this client has on its way.
 * `getSnapshot` and `subscribe` fit React's `useSyncExternalStore`.
 */
export class ChannelFeed {
  readonly #parts: FeedParts;
  readonly #listeners = new Listeners();
  readonly #closed = new AbortController();
  readonly #follows = new Map<number, Follow>();
  readonly #channelCells = new Map<string, Omit<Cell, 'scope'>>();
  readonly #union: MessageUnion;
  readonly #leaveOutbox: () => void;
  readonly #leaveCells: () => void;
  #acknowledged: (Acknowledged & { token: Token })[] = [];
  #waiting: readonly OutboxEntry[] = [];
  #older: ChannelSnapshot['older'] = 'loading';
  #cursor: string | undefined;
  #startError: CausewayError | undefined;
  #stopped = false;
  #pageError: CausewayError | undefined;
  #topic = '';
  readonly #markersSent = new Map<string, number>();
  /** Messages that only the cache knows. */
  #remembered: readonly string[] = [];
  #keeping: ReturnType<typeof setTimeout> | undefined;
  #snapshot: ChannelSnapshot | undefined;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#union = new MessageUnion(
      () => parts.clock.now(),
      () => this.#changed(),
    );
    this.#leaveOutbox = parts.outbox.subscribe(() => this.#changed());
    this.#leaveCells = parts.session.watchChannel(parts.channel.id, (cells) => this.#takeCells(cells));
    void this.#start();
  }

  get channel(): ChannelName {
    return this.#parts.channel;
  }

  readonly getSnapshot = (): ChannelSnapshot => (this.#snapshot ??= this.#view());
  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  /** Reads pages until at least one message comes that was not there, or the first one is there. */
  async loadOlder(): Promise<void> {
    if (this.#older !== 'more') return;
    this.#older = 'loading';
    this.#pageError = undefined;
    this.#changed();
    const before = this.#union.messages.length;
    try {
      while (this.#older === 'loading') {
        await this.#readPage();
        if (this.#union.messages.length > before && this.#older === 'loading') this.#older = 'more';
      }
    } catch (cause) {
      this.#older = 'more';
      this.#pageError = asCausewayError(cause);
    }
    this.#changed();
  }

  /** The thread below a message, until it or the feed is closed; a message that is nowhere yet may have replies. */
  openThread(root: string): ThreadFeed {
    let cursor: string | undefined;
    return new ThreadFeed({
      look: () => this.#thread(root),
      subscribe: this.subscribe,
      read: async () => {
        const { api, workspace, channel } = this.#parts;
        const where = { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
        try {
          const page = await api.thread(workspace, channel.id, root, where, this.#closed.signal);
          cursor = page.next;
          this.#union.addAside([...page.items, ...(page.root === undefined ? [] : [page.root])]);
          return page.next !== undefined;
        } catch (cause) {
          const error = asCausewayError(cause);
          // Nobody replied, and the message itself is on its way to the region.
          if (error.code === 'not-found') return false;
          throw error;
        }
      },
    });
  }

  /** Reads what is pinned and not loaded, one by one. */
  async loadPins(): Promise<void> {
    const { api, workspace, channel } = this.#parts;
    for (const id of this.#pins()) {
      if (this.#union.get(id) !== undefined) continue;
      const page = await api
        .thread(workspace, channel.id, id, { limit: 1 }, this.#closed.signal)
        .catch(() => undefined);
      if (page?.root !== undefined) this.#union.addAside([page.root]);
    }
  }

  /** What is here now, as read markers: per segment its state vector. */
  markers(): CommandOf<'read'>['markers'] {
    return [...this.#follows].flatMap(([segment, { document }]) =>
      [...document.doc.store.clients.keys()].map((client) => ({
        segment,
        client,
        clock: document.clockOf(client),
      })),
    );
  }

  /** The markers that went up since they were asked for last. */
  newMarkers(): CommandOf<'read'>['markers'] {
    const risen = this.markers().filter(
      (marker) => marker.clock > (this.#markersSent.get(markerKey(marker)) ?? 0),
    );
    for (const marker of risen) this.#markersSent.set(markerKey(marker), marker.clock);
    return risen.slice(0, LIMITS.markersPerCommand);
  }

  /** A command of this client was acknowledged; it is shown until its effect comes back. */
  acknowledged(command: Command, { token }: Ack): void {
    this.#acknowledged = [...this.#acknowledged, { command, token, at: this.#parts.clock.now() }].slice(
      -ACKNOWLEDGED,
    );
    this.#changed();
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    if (this.#keeping !== undefined) this.#keep();
    this.#closed.abort();
    this.#leaveOutbox();
    this.#leaveCells();
    this.#listeners.clear();
    for (const { document } of this.#follows.values()) document.close();
    this.#follows.clear();
    this.#parts.closed();
  }

  /** What was seen last is there at once, then the newest page; the segments follow. */
  async #start(): Promise<void> {
    const { api, workspace, channel, random } = this.#parts;
    const { signal } = this.#closed;
    const retry = {
      signal,
      random,
      failed: (error: CausewayError) => {
        this.#startError = error;
        this.#changed();
      },
    };
    await this.#remember();
    if (signal.aborted) return;
    try {
      const [info] = await Promise.all([
        retrying(() => api.channel(workspace, channel.id, signal), retry),
        retrying(() => this.#readPage(), retry),
      ]);
      if (this.#older === 'loading') this.#older = 'more';
      this.#startError = undefined;
      if (this.#topic === '') this.#topic = textIn(info.topic);
      if (!signal.aborted) {
        if (this.#newest() === undefined) this.#follow(info.newestSegment);
        this.#followNewest();
      }
    } catch (cause) {
      if (signal.aborted) return;
      this.#startError = asCausewayError(cause);
      this.#stopped = true;
    }
    this.#changed();
  }

  /** Segments that are kept go on from where they were: only what is new travels. */
  async #remember(): Promise<void> {
    const seen = (await this.#parts.cache?.get(this.#cacheKey)) as Seen | undefined;
    if (seen === undefined || this.#closed.signal.aborted) return;
    this.#remembered = seen.page.map(({ id }) => id);
    this.#union.addPage(seen.page);
    for (const [number, update] of seen.segments) this.#follow(number, update);
    this.#takeCells(seen.cells);
  }

  async #readPage(): Promise<void> {
    const { api, workspace, channel } = this.#parts;
    const where = { limit: PAGE, ...(this.#cursor === undefined ? {} : { cursor: this.#cursor }) };
    const { items, next } = await api.messages(workspace, channel.id, where, this.#closed.signal);
    const isFirst = this.#cursor === undefined;
    this.#cursor = next;
    if (isFirst) {
      // What was deleted while nobody looked is not in this page, and should not be in the one from before.
      this.#union.forgetPages(this.#remembered);
      this.#remembered = [];
    }
    if (next === undefined) this.#older = 'none';
    else if (this.#union.paged > PAGED) this.#older = 'full';
    this.#union.addPage(items);
  }

  #follow(number: number, update?: Uint8Array): void {
    if (this.#follows.has(number)) return;
    const { session, workspace, channel } = this.#parts;
    const document = session.open({
      name: segmentName(workspace, channel.id, number),
      changed: () => {
        if (document.status === 'live') this.#followMore();
        this.#changed();
      },
    });
    const segment = new Segment(document.doc);
    if (update !== undefined) document.restore(update);
    document.doc.getMap<{ a: string }>('m').observe(({ keysChanged, target }) => {
      for (const key of keysChanged) {
        const author = target.get(key)?.a;
        if (author !== undefined) this.#parts.said?.(author);
      }
      this.#keepSoon();
    });
    this.#follows.set(number, { document, segment });
    this.#union.addSegment(number, segment);
    this.#changed();
  }

  /** Goes down until there is enough to look at. */
  #followMore(): void {
    const live = [...this.#follows.values()].every(({ document }) => document.status === 'live');
    const messages = [...this.#follows.values()].reduce((sum, { segment }) => sum + segment.size, 0);
    const lowest = Math.min(...this.#follows.keys());
    if (live && messages < WANTED && lowest > 1 && this.#follows.size < SEGMENTS) this.#follow(lowest - 1);
  }

  /** Goes up with the channel, and lets the oldest go. */
  #followNewest(): void {
    const top = highestTop(this.#channelCells.values());
    const newest = this.#newest();
    if (newest === undefined || top <= newest) return;
    for (let number = Math.max(newest + 1, top - SEGMENTS + 1); number <= top; number++) this.#follow(number);
    for (const number of [...this.#follows.keys()].sort((a, b) => a - b).slice(0, -SEGMENTS))
      this.#leave(number);
  }

  #leave(number: number): void {
    this.#union.removeSegment(number);
    this.#follows.get(number)?.document.close();
    this.#follows.delete(number);
  }

  #takeCells(cells: readonly Cell[]): void {
    const { workspace, channel } = this.#parts;
    for (const [scope, group] of Map.groupBy(cells, (cell) => cell.scope)) {
      const name = parseName(scope);
      if (name?.kind === 'message' && name.channel === channel.id) this.#union.addCells(name.message, group);
      else if (scope === channelScope(workspace, channel.id))
        for (const cell of group) mergeCell(this.#channelCells, cell);
    }
    const topic = this.#channelCells.get('topic');
    if (topic !== undefined) this.#topic = textIn(topic.value);
    this.#followNewest();
    this.#keepSoon();
    this.#changed();
  }

  #newest(): number | undefined {
    return this.#follows.size === 0 ? undefined : Math.max(...this.#follows.keys());
  }

  /** Whether the effect of an acknowledged command came back, by the token of its ack. */
  #cameBack({ command, token }: { command: Command; token: Token }): boolean {
    if (command.kind === 'post' && this.#union.has(commandId(command))) return true;
    return token.every((entry) => {
      if ('scope' in entry) return this.#cellCameBack(command, entry);
      const follow = [...this.#follows.values()].find(({ document }) => document.name === entry.document);
      return follow !== undefined && follow.document.clockOf(entry.client) >= entry.clock;
    });
  }

  #cellCameBack(command: Command, { scope, key, v }: { scope: string; key: string; v: string }): boolean {
    const { workspace, channel } = this.#parts;
    const held =
      command.kind === 'react' && scope === messageScope(workspace, channel.id, command.message)
        ? this.#union.orderOf(command.message, key)
        : this.#channelCells.get(key)?.v;
    return held !== undefined && held >= v;
  }

  get #cacheKey(): string {
    return `channel|${this.#parts.channel.id}`;
  }

  #keepSoon(): void {
    if (this.#parts.cache === undefined || this.#closed.signal.aborted) return;
    this.#keeping ??= setTimeout(() => this.#keep(), KEEP_MS);
  }

  #keep(): void {
    clearTimeout(this.#keeping);
    this.#keeping = undefined;
    const { cache, workspace, channel } = this.#parts;
    const page = this.#union.messages.slice(-PAGE);
    const about = [...this.#union.cellsOf(page.map(({ id }) => id))].flatMap(([id, cells]) =>
      cells.map((cell) => ({ ...cell, scope: messageScope(workspace, channel.id, id) })),
    );
    const scope = channelScope(workspace, channel.id);
    const cells = [...[...this.#channelCells.values()].map((cell) => ({ ...cell, scope })), ...about];
    const segments = [...this.#follows].map(([number, { document }]): [number, Uint8Array] => [
      number,
      Y.encodeStateAsUpdate(document.doc),
    ]);
    void cache?.put(this.#cacheKey, { page, cells, segments } satisfies Seen);
  }

  #changed(): void {
    if (this.#closed.signal.aborted) return;
    this.#snapshot = undefined;
    this.#listeners.tell();
  }

  #view(): ChannelSnapshot {
    this.#acknowledged = this.#acknowledged.filter((each) => !this.#cameBack(each));
    const mine = (command: Command): boolean => channelOfCommand(command) === this.#parts.channel.id;
    const waiting: OutboxEntry[] = this.#parts.outbox.getSnapshot().filter(({ command }) => mine(command));
    this.#waiting = waiting;
    const { connection, error } = this.#connection();
    const why = error ?? this.#pageError;
    const pins = this.#pins();
    return {
      messages: shownMessages(this.#union.messages, this.#acknowledged, waiting, commandId),
      topic: this.#topic,
      purpose: textIn(this.#channelCells.get('purpose')?.value),
      pins,
      pinned: pins.map((id) => this.#union.get(id)).filter((message) => message !== undefined),
      older: this.#older,
      connection,
      ...(why === undefined ? {} : { error: why }),
    };
  }

  /** The message and its replies, by what the snapshot was made of. */
  #thread(root: string): { root: ShownMessage | undefined; replies: ShownMessage[] } {
    this.getSnapshot();
    const held = [this.#union.get(root), ...this.#union.repliesTo(root)].filter(
      (message) => message !== undefined,
    );
    const shown = shownMessages(held, this.#acknowledged, this.#waiting, commandId);
    return {
      root: shown.find(({ id }) => id === root),
      replies: shown.filter(({ id, thread }) => thread === root && id !== root),
    };
  }

  #pins(): string[] {
    const pins = [...this.#channelCells.values()].filter(
      ({ key, value }) => key.startsWith('pin|') && value !== null,
    );
    const waiting = this.#parts.outbox
      .getSnapshot()
      .filter(({ state }) => state !== 'failed')
      .map(({ command }) => command)
      .filter((command) => command.kind === 'pin' && command.channel === this.#parts.channel.id);
    const ids = new Set(pins.sort((a, b) => (a.v < b.v ? 1 : -1)).map(({ key }) => key.slice('pin|'.length)));
    for (const command of waiting as CommandOf<'pin'>[])
      if (command.on) ids.add(command.message);
      else ids.delete(command.message);
    return [...ids];
  }

  /** New messages come through the newest segment, so its connection is the channel's. */
  #connection(): { connection: ConnectionStatus; error?: CausewayError | undefined } {
    if (this.#stopped) return { connection: 'stopped', error: this.#startError };
    const newest = this.#newest();
    if (newest === undefined)
      return {
        connection: this.#startError === undefined ? 'connecting' : 'reconnecting',
        error: this.#startError,
      };
    const { status, error } = this.#follows.get(newest)!.document;
    return { connection: status, error };
  }
}

const markerKey = ({ segment, client }: { segment: number; client: number }): string =>
  `${segment}|${client}`;

/** A topic or purpose: text, or text and who set it. */
const textIn = (value: unknown): string =>
  typeof value === 'string' ? value : String((value as { text?: unknown } | null | undefined)?.text ?? '');
