import {
  CausewayError,
  base64url,
  canvasName,
  channelOfCommand,
  commandId,
  directChannel,
  type Ack,
  type AvailabilityMode,
  type Canvas,
  type CanvasShares,
  type Command,
  type Deed,
  type ListedVersion,
  type Right,
  type Token,
} from '@causeway/protocol';
import { CanvasDocument } from './canvas-document.ts';
import { pause } from './backoff.ts';
import { ChannelFeed } from './channel-feed.ts';
import { ClientClock } from './client-clock.ts';
import { CommandMaker } from './command-maker.ts';
import type { Pushed } from './link/conversation.ts';
import { Credentials, claimsOf, type TokenSource } from './link/credentials.ts';
import type { Connection } from './link/link.ts';
import { Session } from './link/session.ts';
import { Outbox } from './outbox.ts';
import { RegionApi, type ChannelName, type WorkspaceInfo } from './region-api.ts';
import { retrying } from './retryable.ts';
import { Cache } from './storage/cache.ts';
import type { Storage } from './storage/storage.ts';
import { ChannelList, type ChannelEntry } from './stores/channels.ts';
import { Drafts } from './stores/drafts.ts';
import { OwnCells } from './stores/own-cells.ts';
import { PresenceWatch, TypingWatch } from './stores/presence.ts';
import { ScheduledPosts } from './stores/scheduled.ts';
import type { Observable } from './stores/store.ts';

export type ConnectOptions = {
  /** The region, e.g. `http://127.0.0.1:4101`. */
  url: string;
  token: TokenSource;
  /** Slug or id. */
  workspace: string;
  /** Calls the first request off. */
  signal?: AbortSignal;
  fetch?: typeof fetch;
  webSocket?: typeof WebSocket;
  /**
   * Where commands are kept until a region has them, and what was seen last; several clients may
   * share it. Closed by its owner, after the client.
   */
  storage?: Storage;
};

/** How often the names of the channels are asked for, milliseconds. */
const NAMES_MS = 30_000;
const KEEP_MS = 2_000;
/** After a reconnection the names are asked for within this time, at random: many come back together, milliseconds. */
const NAMES_SPREAD_MS = 10_000;
/** Canvases that were closed and are not saved; one more, and the one opened first is given up. */
const LEAVING_CANVASES = 100;
/** For how long a strong change is tried, milliseconds. */
const CHANGE_MS = 10_000;

/**
 * Signs in to one region. Where a storage remembers the workspace it does not wait for the region.
 * Rejects with `CausewayError`: retryable when the region does not answer, otherwise with what the
 * region, or the source of tokens, said.
 */
export async function connect({ signal, ...options }: ConnectOptions): Promise<Client> {
  const clock = new ClientClock(Date.now);
  const opened: { client?: Client } = {};
  const credentials = new Credentials(options.token, Date.now, (token) => opened.client?.renewed(token));
  const api = new RegionApi({
    url: options.url,
    token: credentials,
    told: (time) => clock.told(time),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  try {
    const { member, workspace: id } = claimsOf(await credentials.current());
    const account = `${id}|${member}`;
    const cache =
      options.storage === undefined || id === undefined || member === undefined
        ? undefined
        : new Cache(options.storage, account, Date.now);
    const seen = (await cache?.get(WORKSPACE)) as WorkspaceInfo | undefined;
    const isSeen = seen !== undefined && [seen.id, seen.slug].includes(options.workspace);
    const workspace = isSeen ? seen : await api.workspace(options.workspace, signal);
    return (opened.client = new Client({ options, workspace, api, clock, credentials, cache }));
  } catch (cause) {
    credentials.close();
    throw cause;
  }
}

const WORKSPACE = 'workspace';
const MINE = 'mine';

type Parts = {
  options: Omit<ConnectOptions, 'signal'>;
  workspace: WorkspaceInfo;
  api: RegionApi;
  clock: ClientClock;
  credentials: Credentials;
  cache: Cache | undefined;
};

/**
 * One member of one workspace at one region, over one socket. Commands resolve when the region has
 * committed them, and are seen in `outbox` until then; their promises may be left alone.
 */
export class Client {
  readonly workspace: WorkspaceInfo;
  /** What no region has acknowledged yet. */
  readonly outbox: Outbox;
  /** The connection to the region; `stopped` says in `error` what to do. */
  readonly connection: Observable<Connection>;
  readonly drafts: Drafts;
  readonly presence: PresenceWatch;
  readonly typing: TypingWatch;
  readonly scheduled: ScheduledPosts;
  readonly #parts: Parts;
  readonly #session: Session;
  readonly #make: CommandMaker;
  readonly #own: OwnCells;
  readonly #channels: ChannelList;
  readonly #feeds = new Set<ChannelFeed>();
  readonly #canvases = new Set<CanvasDocument>();
  readonly #closed = new AbortController();
  readonly #names: ReturnType<typeof setInterval>;
  #keeping: ReturnType<typeof setTimeout> | undefined;
  #hasJoined = false;

  /** See `connect`. */
  constructor(parts: Parts) {
    const { options, workspace, clock, credentials } = parts;
    this.#parts = parts;
    this.workspace = workspace;
    this.#make = new CommandMaker({
      workspace: workspace.id,
      member: workspace.member,
      clock,
      randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    });
    this.#session = new Session({
      url: options.url,
      credentials,
      workspace: workspace.id,
      member: workspace.member,
      random: Math.random,
      isAwaited: () => this.outbox.getSnapshot().some(({ state }) => state !== 'failed'),
      ...(options.webSocket === undefined ? {} : { webSocket: options.webSocket }),
      joined: () => this.#joined(),
      pushed: (push) => this.#pushed(push),
    });
    this.connection = this.#session.link;
    this.outbox = new Outbox({
      send: (command, signal) => this.#send(command, signal),
      acknowledged: (command, ack) => this.#acknowledged(command, ack),
      random: Math.random,
      now: () => clock.now(),
      ...(options.storage === undefined ? {} : { keep: this.#keep(options.storage) }),
    });
    this.#own = new OwnCells(this.outbox);
    this.#channels = new ChannelList(this.#own, workspace.member, workspace.channels);
    this.drafts = new Drafts(this.#own, (channel, thread, body) =>
      this.#add(this.#make.draft(channel, thread, body)),
    );
    this.scheduled = new ScheduledPosts(this.#own);
    this.presence = new PresenceWatch((members) => this.#session.keepAsking({ do: 'presence', members }));
    this.typing = new TypingWatch((channel, thread) =>
      this.#session.tell({ do: 'typing', channel, ...(thread === undefined ? {} : { thread }) }),
    );
    this.#session.watchMine((cells) => {
      this.#own.take(cells);
      this.#keepSoon();
    });
    this.#session.keepAsking({ do: 'badges' });
    this.#names = setInterval(() => void this.#readNames(), NAMES_MS);
    void this.#restore();
    // A browser knows before any timer that there is a network again.
    globalThis.addEventListener?.('online', this.#online, { signal: this.#closed.signal });
  }

  get member(): string {
    return this.workspace.member;
  }

  /** The channels of this member, direct ones included, with what is unread in each, open or not. */
  get channels(): Observable<readonly ChannelEntry[]> {
    return this.#channels;
  }

  /** Follows a channel, by slug or id, until the feed or the client is closed. */
  openChannel(channel: string): ChannelFeed {
    const { workspace } = this;
    const { api, clock, cache } = this.#parts;
    const feed = new ChannelFeed({
      workspace: workspace.id,
      channel: this.channelNamed(channel),
      session: this.#session,
      api,
      outbox: this.outbox,
      clock,
      random: Math.random,
      ...(cache === undefined ? {} : { cache }),
      said: (member) => this.typing.stopped(feed.channel.id, member),
      closed: () => this.#feeds.delete(feed),
    });
    this.#feeds.add(feed);
    return feed;
  }

  post(channel: string, body: string, options: { thread?: string; also?: boolean } = {}): Promise<Ack> {
    this.typing.sent();
    return this.#add(this.#make.post(this.#id(channel), body, options));
  }

  edit(channel: string, message: string, body: string): Promise<Ack> {
    return this.#add(this.#make.edit(this.#id(channel), message, body));
  }

  delete(channel: string, message: string): Promise<Ack> {
    return this.#add(this.#make.delete(this.#id(channel), message));
  }

  /** Sets or takes back this member's reaction. */
  react(channel: string, message: string, emoji: string, on: boolean): Promise<Ack> {
    return this.#add(this.#make.react(this.#id(channel), message, emoji, on));
  }

  pin(channel: string, message: string, on: boolean): Promise<Ack> {
    return this.#add(this.#make.pin(this.#id(channel), message, on));
  }

  setTopic(channel: string, topic: string): Promise<Ack> {
    return this.#add(this.#make.topic(this.#id(channel), topic));
  }

  setPurpose(channel: string, purpose: string): Promise<Ack> {
    return this.#add(this.#make.purpose(this.#id(channel), purpose));
  }

  /** Joins or leaves a public channel: it is this member's own state. */
  join(channel: string, on: boolean): Promise<Ack> {
    return this.#add(this.#make.switch('join', this.#id(channel), on));
  }

  /**
   * Makes a channel and joins it, and resolves with its id. Names of channels are decided at home: `name-taken`
   * when there is one, `no-directory` or `no-peer` when nothing can be decided now. What is decided stays.
   */
  async createChannel(
    slug: string,
    options: { private?: boolean; members?: string[] } = {},
  ): Promise<string> {
    const { private: isPrivate = false, members = [] } = options;
    const { id } = await this.#change({ kind: 'create-channel', slug, private: isPrivate, members });
    if (!isPrivate) void this.#add(this.#make.switch('join', id, true));
    return id;
  }

  async renameChannel(channel: string, slug: string): Promise<void> {
    await this.#change({ kind: 'rename-channel', channel: this.#id(channel), slug });
  }

  /** An archived channel is read, and written no more, until it is brought back. */
  async archiveChannel(channel: string, on: boolean): Promise<void> {
    await this.#change({ kind: 'archive-channel', channel: this.#id(channel), on });
  }

  /** Lets another member into a private channel. */
  async invite(channel: string, member: string): Promise<void> {
    await this.#change({ kind: 'invite', channel: this.#id(channel), members: [member] });
  }

  /** Leaves a private channel; `join` does it for a public one. */
  async leavePrivate(channel: string): Promise<void> {
    await this.#change({ kind: 'leave', channel: this.#id(channel) });
  }

  /** Takes somebody out of a private channel. */
  async removeFrom(channel: string, member: string): Promise<void> {
    await this.#change({ kind: 'remove', channel: this.#id(channel), member });
  }

  mute(channel: string, on: boolean): Promise<Ack> {
    return this.#add(this.#make.switch('mute', this.#id(channel), on));
  }

  star(channel: string, on: boolean): Promise<Ack> {
    return this.#add(this.#make.switch('star', this.#id(channel), on));
  }

  /** Follows the thread below a message, or does not any longer. */
  follow(channel: string, root: string, on: boolean): Promise<Ack> {
    return this.#add(this.#make.follow(this.#id(channel), root, on));
  }

  /** Everything that the feed holds counts as read, and nothing is marked as unread any more. */
  async markRead(feed: ChannelFeed): Promise<void> {
    const { id } = feed.channel;
    if (this.#own.getSnapshot().get(`unread|${id}`)) await this.#add(this.#make.unread(id, undefined));
    const markers = feed.newMarkers();
    if (markers.length > 0) await this.#add(this.#make.read(id, markers));
  }

  /** The channel counts as unread from this message on. */
  markUnread(channel: string, message: string): Promise<Ack> {
    return this.#add(this.#make.unread(this.#id(channel), message));
  }

  /** `until`: milliseconds since 1970; after it the member is `auto` again. */
  setAvailability(mode: AvailabilityMode, until?: number): Promise<Ack> {
    return this.#add(this.#make.availability(mode, until));
  }

  /** The person has left the screen, or is back; for as long as this connection lasts. */
  setIdle(idle: boolean): void {
    this.#session.keepAsking({ do: 'state', idle });
  }

  /** Opens the direct channel with these members, 1 to 8 others, and returns its id at once. */
  openDirect(members: readonly string[]): { id: string; opened: Promise<Ack> } {
    const command = this.#make.direct(members);
    return { id: directChannel(this.workspace.id, command.members), opened: this.#add(command) };
  }

  /** Posts at `at`, milliseconds since 1970; the message will have the id that is returned. */
  schedule(
    channel: string,
    body: string,
    at: number,
    options: { thread?: string; also?: boolean } = {},
  ): { id: string; scheduled: Promise<Ack> } {
    const post = this.#make.post(this.#id(channel), body, options);
    return { id: commandId(post), scheduled: this.#add(this.#make.schedule(post, at)) };
  }

  unschedule(post: string): Promise<Ack> {
    return this.#add(this.#make.unschedule(post));
  }

  /** Sends a command that was given up again, or a new one like it if that one cannot succeed. */
  retry(id: string): void {
    const entry = this.outbox.getSnapshot().find((each) => each.id === id);
    const isStale = entry?.error?.code === 'clock-ahead';
    void this.outbox.retry(id, isStale ? this.#make.again(entry!.command) : undefined);
  }

  /** The workspace's canvases, newest first. */
  canvases(signal?: AbortSignal): Promise<Canvas[]> {
    return this.#parts.api.canvases(this.workspace.id, signal);
  }

  async createCanvas(title: string): Promise<Canvas> {
    const { id } = await this.#add(this.#make.canvas(title));
    return { id, title, author: this.member, document: canvasName(this.workspace.id, id) };
  }

  retitleCanvas(canvas: string, title: string): Promise<Ack> {
    return this.#add(this.#make.retitle(canvas, title));
  }

  /** What a member, or with `*` everybody who is not named, may do with a canvas. */
  shareCanvas(canvas: string, to: string, right: Right): Promise<Ack> {
    return this.#add(this.#make.share(canvas, to, right));
  }

  /** Keeps the canvas as it is now; the id of the acknowledgement is that of the version. */
  keepVersion(canvas: string, title: string): Promise<Ack> {
    return this.#add(this.#make.version(canvas, title));
  }

  restoreVersion(canvas: string, version: string): Promise<Ack> {
    return this.#add(this.#make.restore(canvas, version));
  }

  /** The versions of a canvas, newest first; with `after`, as of that write, or `not-here-yet`. */
  canvasVersions(canvas: string, after?: Token, signal?: AbortSignal): Promise<ListedVersion[]> {
    return this.#parts.api.canvasVersions(this.workspace.id, canvas, after, signal);
  }

  /** Who may do what with a canvas; `after` as above. */
  canvasRights(canvas: string, after?: Token, signal?: AbortSignal): Promise<CanvasShares> {
    return this.#parts.api.canvasRights(this.workspace.id, canvas, after, signal);
  }

  /** Opens a canvas for an editor until it or the client is closed; one that is not saved yet is taken up again. */
  openCanvas(id: string): CanvasDocument {
    const name = canvasName(this.workspace.id, id);
    const leaving = [...this.#canvases].filter(({ isLeaving }) => isLeaving);
    const same = leaving.find((each) => each.name === name);
    if (same !== undefined) return same.reopen();
    if (leaving.length >= LEAVING_CANVASES) leaving[0]!.drop();
    const canvas = new CanvasDocument(this.#session, name, () => this.#canvases.delete(canvas));
    this.#canvases.add(canvas);
    return canvas;
  }

  /** Looks for channels that were created or renamed since; it does so by itself twice a minute. */
  async lookForChannels(): Promise<void> {
    await this.#readNames();
  }

  /** Leaves nothing running: no socket, no timer, no request. What is not sent stays in the storage. */
  async close(): Promise<void> {
    this.drafts.close();
    for (const feed of this.#feeds) feed.close();
    for (const canvas of this.#canvases) canvas.drop();
    this.#closed.abort();
    clearInterval(this.#names);
    clearTimeout(this.#keeping);
    for (const store of [this.#channels, this.scheduled, this.#own, this.presence, this.typing])
      store.close();
    this.#session.close();
    this.#parts.credentials.close();
    await this.outbox.close();
  }

  /** The channel of that slug or id; throws `not-found`. */
  channelNamed(slugOrId: string): ChannelName {
    const channels = this.#channels.getSnapshot();
    const found =
      channels.find(({ id }) => id === slugOrId) ?? channels.find(({ slug }) => slug === slugOrId);
    if (found === undefined) throw new CausewayError('not-found', `there is no channel "${slugOrId}" here`);
    return { id: found.id, slug: found.slug, kind: found.kind };
  }

  /** Another token took the place of the one before; `connect` says so. */
  renewed(token: string): void {
    this.#session.link.renew(token);
    // Refused, the region closes the socket, and the link asks for another one.
    if (this.#session.isJoined) this.#session.ask({ do: 'refresh', token }).catch(() => undefined);
  }

  readonly #online = (): void => this.#session.link.wake();

  #id(slugOrId: string): string {
    return this.channelNamed(slugOrId).id;
  }

  #add(command: Command): Promise<Ack> {
    const acknowledged = this.outbox.add(command);
    if (!this.#session.isJoined) this.#session.link.hurry();
    return acknowledged;
  }

  /** Repeated while nobody answers or decides, and not for long: who asked is waiting. */
  async #change(deed: Deed): Promise<{ id: string; version: number }> {
    const command = this.#make.change(deed);
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(CHANGE_MS)]);
    const changed = await retrying(() => this.#parts.api.change(command, signal), {
      signal,
      random: Math.random,
    });
    await this.#readNames();
    return changed;
  }

  #keep(storage: Storage): { storage: Storage; account: string; lane: string } {
    const lane = base64url(crypto.getRandomValues(new Uint8Array(9)));
    return { storage, account: `${this.workspace.id}|${this.member}`, lane };
  }

  async #send(command: Command, signal: AbortSignal): Promise<Ack> {
    try {
      const ack = await this.#session.execute(command);
      this.#parts.clock.told(ack.clock);
      return ack;
    } catch (error) {
      if (error instanceof CausewayError && error.code === 'clock-ahead') await this.#askTheTime(signal);
      throw error;
    }
  }

  /** Problems carry no clock, every other answer does. */
  async #askTheTime(signal: AbortSignal): Promise<void> {
    const { clock } = await this.#parts.api.workspace(this.workspace.id, signal);
    this.#parts.clock.adopt(clock);
  }

  #acknowledged(command: Command, ack: Ack): void {
    this.#own.acknowledged(command);
    for (const feed of this.#feeds)
      if (channelOfCommand(command) === feed.channel.id) feed.acknowledged(command, ack);
  }

  /** The region listens: what waits is sent at once. */
  #joined(): void {
    this.outbox.wake();
    const waitMs = this.#hasJoined ? NAMES_SPREAD_MS * Math.random() : 0;
    this.#hasJoined = true;
    void pause(waitMs, this.#closed.signal).then(() => this.#readNames());
  }

  #pushed({ badges, presence, typing }: Partial<Pushed>): void {
    if (badges !== undefined) {
      this.#channels.take(badges);
      const known = new Set(this.#channels.getSnapshot().map(({ id }) => id));
      if (badges.some(({ channel }) => !known.has(channel))) void this.#readNames();
      this.#keepSoon();
    }
    if (presence !== undefined) this.presence.take(presence);
    if (typing !== undefined && typing.member !== this.member) this.typing.take(typing);
  }

  /** Names of channels are decided at home, and nobody tells clients of them. */
  async #readNames(): Promise<void> {
    const { signal } = this.#closed;
    const { api, cache } = this.#parts;
    if (!this.#session.isJoined) return;
    try {
      const info = await retrying(() => api.workspace(this.workspace.id, signal), {
        signal: AbortSignal.any([signal, AbortSignal.timeout(NAMES_MS)]),
        random: Math.random,
      });
      this.#channels.name(info.channels);
      await cache?.put(WORKSPACE, info);
    } catch (cause) {
      // Who may not be here any more keeps nothing of it.
      if (cause instanceof CausewayError && cause.code === 'forbidden') await cache?.clear();
    }
  }

  async #restore(): Promise<void> {
    const seen = (await this.#parts.cache?.get(MINE)) as { own: []; badges: [] } | undefined;
    if (seen === undefined || this.#closed.signal.aborted) return;
    this.#own.take(seen.own);
    this.#channels.take(seen.badges);
  }

  #keepSoon(): void {
    const { cache } = this.#parts;
    if (cache === undefined || this.#keeping !== undefined) return;
    this.#keeping = setTimeout(() => {
      this.#keeping = undefined;
      void cache.put(MINE, { own: this.#own.held, badges: this.#channels.badges });
    }, KEEP_MS);
  }
}
