import {
  CausewayError,
  base64url,
  canvasName,
  channelOfCommand,
  type Ack,
  type Canvas,
  type Command,
} from '@causeway/protocol';
import { CanvasText } from './canvas-text.ts';
import { ChannelFeed } from './channel-feed.ts';
import { ClientClock } from './client-clock.ts';
import { CommandMaker } from './command-maker.ts';
import { Outbox } from './outbox.ts';
import type { Storage } from './storage/storage.ts';
import { RegionApi, type ChannelName, type WorkspaceInfo } from './region-api.ts';

export type ConnectOptions = {
  /** The region, e.g. `http://127.0.0.1:4101`. */
  url: string;
  token: string;
  /** Slug or id. */
  workspace: string;
  /** Calls the first request off. */
  signal?: AbortSignal;
  fetch?: typeof fetch;
  webSocket?: typeof WebSocket;
  /** Where commands are kept until a region has them; several clients may share it. Closed by its owner. */
  storage?: Storage;
};

/**
 * Signs in to one region. Rejects with `CausewayError`: retryable when the region does not answer,
 * otherwise with what the region said.
 */
export async function connect({ signal, ...options }: ConnectOptions): Promise<Client> {
  const clock = new ClientClock(Date.now);
  const api = new RegionApi({
    url: options.url,
    token: options.token,
    told: (time) => clock.told(time),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  return new Client(options, await api.workspace(options.workspace, signal), api, clock);
}

/** One member of one workspace at one region. */
export class Client {
  readonly workspace: WorkspaceInfo;
  /** What no region has acknowledged yet. */
  readonly outbox: Outbox;
  readonly #options: ConnectOptions;
  readonly #api: RegionApi;
  readonly #clock: ClientClock;
  readonly #make: CommandMaker;
  readonly #feeds = new Set<ChannelFeed>();
  readonly #canvases = new Set<CanvasText>();

  /** See `connect`. */
  constructor(options: ConnectOptions, workspace: WorkspaceInfo, api: RegionApi, clock: ClientClock) {
    this.workspace = workspace;
    this.#options = options;
    this.#api = api;
    this.#clock = clock;
    this.#make = new CommandMaker({
      workspace: workspace.id,
      member: workspace.member,
      clock,
      randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    });
    this.outbox = new Outbox({
      send: (command, signal) => this.#send(command, signal),
      acknowledged: (command, ack) => this.#acknowledged(command, ack),
      random: Math.random,
      now: () => clock.now(),
      ...(options.storage === undefined ? {} : { keep: this.#keeping(options.storage) }),
    });
  }

  get member(): string {
    return this.workspace.member;
  }

  /** Follows a channel, by slug or id, until the feed or the client is closed. */
  openChannel(channel: string): ChannelFeed {
    const feed = new ChannelFeed({
      ...this.#place(),
      workspace: this.workspace.id,
      channel: this.#channel(channel),
      api: this.#api,
      outbox: this.outbox,
      clock: this.#clock,
      random: Math.random,
      closed: () => this.#feeds.delete(feed),
    });
    this.#feeds.add(feed);
    return feed;
  }

  /** Commands resolve when the region has committed them, and are seen in `outbox` until then. */
  post(channel: string, body: string, { thread }: { thread?: string } = {}): Promise<Ack> {
    return this.outbox.add(this.#make.post(this.#channel(channel).id, body, thread));
  }

  edit(channel: string, message: string, body: string): Promise<Ack> {
    return this.outbox.add(this.#make.edit(this.#channel(channel).id, message, body));
  }

  delete(channel: string, message: string): Promise<Ack> {
    return this.outbox.add(this.#make.delete(this.#channel(channel).id, message));
  }

  /** Sets or takes back this member's reaction. */
  react(channel: string, message: string, emoji: string, on: boolean): Promise<Ack> {
    return this.outbox.add(this.#make.react(this.#channel(channel).id, message, emoji, on));
  }

  setTopic(channel: string, topic: string): Promise<Ack> {
    return this.outbox.add(this.#make.topic(this.#channel(channel).id, topic));
  }

  /** Everything that the feed holds counts as read. */
  async markRead(feed: ChannelFeed): Promise<void> {
    const markers = feed.markers();
    if (markers.length > 0) await this.outbox.add(this.#make.read(feed.channel.id, markers));
  }

  /** Sends a command that was given up again, or a new one like it if that one cannot succeed. */
  retry(id: string): void {
    const entry = this.outbox.getSnapshot().find((each) => each.id === id);
    const isStale = entry?.error?.code === 'clock-ahead';
    void this.outbox.retry(id, isStale ? this.#make.again(entry!.command) : undefined);
  }

  /** The workspace's canvases, newest first. */
  canvases(signal?: AbortSignal): Promise<Canvas[]> {
    return this.#api.canvases(this.workspace.id, signal);
  }

  async createCanvas(title: string): Promise<Canvas> {
    const { id } = await this.outbox.add(this.#make.canvas(title));
    return { id, title, author: this.member, document: canvasName(this.workspace.id, id) };
  }

  /** Opens a canvas as text until it or the client is closed. */
  openCanvas(id: string): CanvasText {
    const canvas = new CanvasText({ ...this.#place(), name: canvasName(this.workspace.id, id) }, this.member);
    this.#canvases.add(canvas);
    return canvas;
  }

  /** Leaves nothing running: no socket, no timer, no request. What is not sent stays in the storage. */
  async close(): Promise<void> {
    for (const feed of this.#feeds) feed.close();
    for (const canvas of this.#canvases) canvas.close();
    await this.outbox.close();
  }

  #keeping(storage: Storage): { storage: Storage; account: string; lane: string } {
    const lane = base64url(crypto.getRandomValues(new Uint8Array(9)));
    return { storage, account: `${this.workspace.id}|${this.member}`, lane };
  }

  #place(): { url: string; token: string; webSocket?: typeof WebSocket } {
    const { url, token, webSocket } = this.#options;
    return { url, token, ...(webSocket === undefined ? {} : { webSocket }) };
  }

  #channel(slugOrId: string): ChannelName {
    const { channels } = this.workspace;
    const found =
      channels.find(({ id }) => id === slugOrId) ?? channels.find(({ slug }) => slug === slugOrId);
    if (found === undefined) throw new CausewayError('not-found', `there is no channel "${slugOrId}" here`);
    return found;
  }

  async #send(command: Command, signal: AbortSignal): Promise<Ack> {
    try {
      return await this.#api.execute(command, signal);
    } catch (error) {
      if (error instanceof CausewayError && error.code === 'clock-ahead') await this.#askTheTime(signal);
      throw error;
    }
  }

  /** Problems carry no clock, every other answer does. */
  async #askTheTime(signal: AbortSignal): Promise<void> {
    const { clock } = await this.#api.workspace(this.workspace.id, signal);
    this.#clock.adopt(clock);
  }

  #acknowledged(command: Command, ack: Ack): void {
    for (const feed of this.#feeds)
      if (channelOfCommand(command) === feed.channel.id) feed.acknowledged(command, ack);
  }
}
