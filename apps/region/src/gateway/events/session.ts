import {
  CausewayError,
  base64url,
  type ErrorCode,
  type Moment,
  type Push,
  type Reply,
  type Sign,
} from '@causeway/protocol';
import type { FeedCursor } from '@causeway/replica';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Access, Opened } from '../../access.ts';
import type { Metrics } from '../../metrics.ts';
import type { Identity, Tokens } from '../../tokens.ts';
import type { BadgeBoards } from '../conversation/badge-boards.ts';
import type { ChannelCells } from '../conversation/channel-cells.ts';
import { Conversation } from '../conversation/conversation.ts';
import { Incoming } from '../incoming.ts';
import type { RateLimits } from '../limits.ts';
import { Outgoing } from '../outgoing.ts';
import { asCausewayError } from '../problems.ts';
import type { Session } from '../sockets.ts';
import { closeWith } from '../sync/closing.ts';
import type { Turns } from '../turns.ts';
import { HeardChannels } from './heard-channels.ts';
import { EventStream } from './stream.ts';

/** The beat of a door, milliseconds: something is said at least every second one. */
const HEARTBEAT_MS = 20_000;
/** A cursor newer than that of the last event is said at least this often, milliseconds. */
const CURSOR_EVERY_MS = 30_000;

export type EventsSessionParts = {
  socket: WebSocket;
  wire: Duplex;
  region: string;
  identity: Identity;
  opened: Opened;
  access: Access;
  metrics: Metrics;
  tokens: Tokens;
  limits: RateLimits;
  badges: BadgeBoards;
  cells: ChannelCells;
  turns: Turns;
  cursor: FeedCursor | undefined;
  /** Channels to hear of beside the member's own, by id or slug. */
  channels: readonly string[];
  /** We close it, for this reason. */
  failed(code: ErrorCode): void;
  /** It is closed, whoever did it. */
  closed(): void;
};

/**
 * One socket of `/v1/events`: says hello, then events in text frames, and answers requests. The socket
 * is paused until `open` has resolved, so requests that come early wait in the kernel.
 */
export class EventsSession implements Session {
  readonly #parts: EventsSessionParts;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #channels: HeardChannels;
  readonly #stream: EventStream;
  readonly #conversation: Conversation;
  readonly #unwatch: () => void;
  #n = 0;
  #heartbeatAt = Date.now();
  #isOpen = false;
  #hasFailed = false;
  #isClosed = false;

  constructor(parts: EventsSessionParts) {
    this.#parts = parts;
    const { socket, wire, identity, opened, access, region } = parts;
    const failed = (cause: unknown): void => this.fail(cause);
    this.#outgoing = new Outgoing({ wire, failed, counts: parts.metrics.outgoing });
    // Before it is open the socket is paused; what it held when it closed is nobody's.
    const take = (data: Buffer): void =>
      this.#isOpen ? this.#conversation.take(data.toString()) : undefined;
    this.#incoming = new Incoming({ socket, frames: 'text', take, failed });
    this.#channels = new HeardChannels({ opened, access, member: identity.member });
    this.#stream = new EventStream({
      workspace: opened.workspace.id,
      member: identity.member,
      region,
      feed: opened.replica.feed,
      channels: this.#channels,
      rights: opened.replica.rights,
      outgoing: this.#outgoing,
      next: () => ++this.#n,
      failed,
    });
    this.#conversation = new Conversation({
      ...parts,
      say: (json, urgency) => this.#say(json, urgency),
      subscribe: async (channels, on) => {
        await (on ? this.#channels.add(channels) : this.#channels.remove(channels));
        return this.#channels.list();
      },
    });
    this.#unwatch = access.watch(identity, () => void this.#look());
    socket.on('close', () => this.#ended());
  }

  /** Never rejects: a session that cannot be opened is closed with the reason. */
  async open(): Promise<void> {
    const { identity, opened, region, cursor, channels } = this.#parts;
    try {
      await this.#channels.begin(channels);
      const why = await this.#stream.begin(cursor);
      if (this.#isOver) return;
      this.#sign({
        event: 'hello',
        member: identity.member,
        workspace: opened.workspace.id,
        region,
        session: base64url(randomBytes(12)),
        clock: opened.replica.clock.read(),
        heartbeatMs: HEARTBEAT_MS,
        expires: identity.expires,
        channels: this.#channels.list(),
        cursor: this.#stream.cursor,
      });
      if (why !== undefined) this.#sign({ event: 'expired', cursor: this.#stream.cursor, why });
      this.#isOpen = true;
      await this.#stream.start();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Closes with the code of the error, and lets go of everything at once. */
  fail(cause: unknown): void {
    if (this.#isOver) return;
    const error = asCausewayError(cause);
    this.#hasFailed = true;
    this.#parts.failed(error.code);
    this.#letGo();
    closeWith(this.#parts.socket, error);
  }

  /** Ends what an expired token opened, and clients that vanished without a word. */
  beat(now: number): void {
    if (this.#isOver || !this.#isOpen) return;
    if (now >= this.#conversation.expires)
      return this.fail(new CausewayError('unauthorized', 'the token has expired'));
    this.#incoming.beat();
    if (!this.#outgoing.hasWritten || now - this.#heartbeatAt >= CURSOR_EVERY_MS) this.#heartbeat(now);
    this.#outgoing.hasWritten = false;
  }

  #heartbeat(now: number): void {
    this.#heartbeatAt = now;
    const clock = this.#parts.opened.replica.clock.read();
    this.#stream.sayUnlessBehind(() =>
      this.#framed({ event: 'heartbeat', clock, cursor: this.#stream.cursor }),
    );
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#hasFailed;
  }

  /** Replies as they are; what the conversation pushes is an event here. */
  #say(json: Reply | Push, urgency: 'now' | 'soon'): void {
    if (this.#isOver) return;
    if ('re' in json || 'problem' in json || 'cells' in json)
      return this.#outgoing.say(JSON.stringify(json), urgency);
    if ('typing' in json)
      return this.#stream.sayUnlessBehind(() => this.#framed({ event: 'typing', ...json.typing }));
    const moments: Moment[] =
      'presence' in json
        ? json.presence.map((presence) => ({ event: 'presence', ...presence }))
        : json.badges.map((badge) => ({ event: 'badge', ...badge }));
    for (const moment of moments) this.#outgoing.say(JSON.stringify(this.#framed(moment)), 'soon');
  }

  #sign(sign: Sign): void {
    this.#outgoing.say(JSON.stringify(this.#framed(sign)), 'now');
  }

  #framed<T extends object>(frame: T): { n: number } & T {
    return { n: ++this.#n, ...frame };
  }

  /** What the member may reach has changed. */
  async #look(): Promise<void> {
    const { access, identity } = this.#parts;
    try {
      await access.workspace(identity, identity.workspace);
      await this.#channels.look();
    } catch (error) {
      this.fail(error);
    }
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#letGo();
    this.#parts.closed();
  }

  #letGo(): void {
    this.#unwatch();
    this.#incoming.close();
    this.#stream.close();
    this.#conversation.close();
    this.#outgoing.close();
  }
}
