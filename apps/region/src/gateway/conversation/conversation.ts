import {
  CausewayError,
  memberScope,
  problemOf,
  type Badge,
  type Cell,
  type Push,
  type Reply,
  type Request,
} from '@causeway/protocol';
import type { Access, Opened } from '../../access.ts';
import type { Metrics } from '../../metrics.ts';
import type { Identity, Tokens } from '../../tokens.ts';
import type { RateLimits } from '../limits.ts';
import { asCausewayError } from '../problems.ts';
import { execute, type Scene } from '../rest/command.ts';
import type { Turns } from '../turns.ts';
import type { BadgeBoards } from './badge-boards.ts';
import type { ChannelCells } from './channel-cells.ts';
import { OwnPresence } from './own-presence.ts';
import { readRequest } from './request.ts';
import { WatchedChannels } from './watched-channels.ts';

/** Requests of one conversation that are not answered yet. */
const UNDER_WAY = 500;

export type ConversationParts = {
  opened: Opened;
  identity: Identity;
  access: Access;
  metrics: Metrics;
  tokens: Tokens;
  limits: RateLimits;
  badges: BadgeBoards;
  cells: ChannelCells;
  turns: Turns;
  /** Sends to the client: replies at once, pushes when it is convenient. */
  say(json: Reply | Push, urgency: 'now' | 'soon'): void;
  /** Of the door of events alone: hears of channels, or no longer; resolves with all that are heard of. */
  subscribe?(channels: readonly string[], on: boolean): Promise<string[]>;
};

/** Answers without content. */
type Answer = { done: true } | Record<string, unknown>;

/**
 * What the member of one socket asks for beside documents: commands, cells, presence, badges. The
 * door owns the socket, bounds its frames and its backlog, and hands over each text that came.
 * What every client reads when it arrives takes turns; commands do not.
 */
export class Conversation {
  readonly #parts: ConversationParts;
  readonly #scene: Scene;
  readonly #channels: WatchedChannels;
  readonly #presence: OwnPresence;
  readonly #bucket;
  readonly #unwatch: () => void;
  #identity: Identity;
  #leaveMine: (() => void) | undefined;
  #leaveBadges: (() => void) | undefined;
  #underWay = 0;
  #isClosed = false;

  constructor(parts: ConversationParts) {
    const { opened, identity, limits } = parts;
    this.#parts = parts;
    this.#identity = identity;
    this.#bucket = limits.session();
    this.#scene = { ...opened, member: identity.member };
    this.#unwatch = parts.access.watch(identity, () => void this.#look());
    this.#channels = new WatchedChannels({
      workspace: opened.workspace.id,
      replica: opened.replica,
      cells: parts.cells,
      changed: (cells) => this.#push({ cells }),
    });
    this.#presence = new OwnPresence({
      workspace: opened.workspace.id,
      member: identity.member,
      replica: opened.replica,
      presence: (changes) => this.#push({ presence: [...changes] }),
      typing: (typing) => this.#push({ typing }),
    });
  }

  /** When the token expires that was shown last, milliseconds since 1970: the door closes the socket then. */
  get expires(): number {
    return this.#identity.expires;
  }

  /** Something that the client said. Never throws: what is wrong with it is answered. */
  take(text: string): void {
    if (this.#isClosed) return;
    const taken = readRequest(text);
    try {
      this.#parts.limits.take(this.#identity, this.#bucket);
      if ('refused' in taken) throw taken.refused;
      if (this.#underWay >= UNDER_WAY)
        throw new CausewayError('rate-limited', `at most ${UNDER_WAY} requests wait for their answers`, {
          retryAfter: 1,
        });
    } catch (error) {
      return this.#problem(taken.ref, error);
    }
    this.#underWay++;
    void this.#answer(taken.request, taken.ref);
  }

  /** Nothing is said from now on; commands under way are carried out. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    this.#channels.close();
    this.#presence.close();
    this.#leaveMine?.();
    this.#leaveBadges?.();
  }

  async #answer(request: Request, ref: number | undefined): Promise<void> {
    try {
      const answer = await this.#carryOut(request);
      if (ref !== undefined) this.#say({ re: ref, ...answer } as Reply);
    } catch (error) {
      this.#problem(ref, error);
    } finally {
      this.#underWay--;
    }
  }

  async #carryOut(request: Request): Promise<Answer> {
    switch (request.do) {
      case 'command': {
        const { command, level = 'region' } = request;
        return { ack: await execute(this.#parts, this.#scene, command, { level }) };
      }
      case 'cells':
        return this.#inTurn(() => this.#cells(request.channel, request.on ?? true));
      case 'mine':
        return this.#inTurn(async () => ({ cells: await this.#mine() }));
      case 'refresh':
        return this.#refresh(request.token);
      case 'presence':
        return { presence: this.#presence.watch(request.members) };
      case 'state':
        this.#presence.idle(request.idle);
        return { done: true };
      case 'typing':
        this.#presence.types(await this.#channel(request.channel), request.thread);
        return { done: true };
      case 'subscribe': {
        const { subscribe } = this.#parts;
        if (subscribe === undefined)
          throw new CausewayError('invalid-request', 'this door has no events; connect to /v1/events');
        return { channels: await subscribe(request.channels, request.on ?? true) };
      }
      case 'badges':
        return this.#inTurn(async () => ({ badges: await this.#readBadges() }));
    }
  }

  /** Nothing is read for who left while he waited. */
  #inTurn(read: () => Promise<Answer>): Promise<Answer> {
    return this.#parts.turns.take('going on', async () => (this.#isClosed ? { done: true } : read()));
  }

  async #cells(slugOrId: string, on: boolean): Promise<{ cells: Cell[] } | { done: true }> {
    const id = await this.#channel(slugOrId);
    if (!on) {
      this.#leave(id);
      return { done: true };
    }
    try {
      const cells = await this.#channels.watch(id);
      this.#presence.listen(id);
      // Once more: what was taken away before it was watched was told to nobody.
      await this.#channel(id);
      return { cells };
    } catch (error) {
      this.#leave(id);
      throw error;
    } finally {
      // Closed meanwhile: nobody else would stop it.
      if (this.#isClosed) this.#channels.close();
    }
  }

  #leave(channel: string): void {
    this.#channels.leave(channel);
    this.#presence.leave(channel);
  }

  /** What the member may reach has changed: hears no more of channels that they do not see any longer. Never rejects. */
  async #look(): Promise<void> {
    for (const channel of this.#channels.list())
      // What cannot be looked up is not theirs to hear.
      await this.#channel(channel).catch(() => this.#leave(channel));
  }

  /** The id of a channel that the member may see. */
  async #channel(slugOrId: string): Promise<string> {
    return (await this.#parts.access.channel(this.#scene, this.#scene.member, slugOrId)).id;
  }

  /** Cells merge by their law, so a change may come before what was asked for. */
  async #mine(): Promise<Cell[]> {
    const { workspace, replica, member } = this.#scene;
    const scope = memberScope(workspace.id, member);
    this.#leaveMine ??= replica.subscribeCells(scope, (of, cells) => {
      const told = cells.filter(isNoMarker).map((cell) => ({ scope: of, ...cell }));
      if (told.length > 0) this.#push({ cells: told });
    });
    // Others of this conversation hold the same scope; read anew it would be a query for each who arrives.
    const cells = await replica.cells.open(scope);
    return [...cells.values()].filter(isNoMarker).map((cell) => ({ scope, ...cell }));
  }

  /** All of them, and from then on those that change; asked for again, they come anew. */
  async #readBadges(): Promise<Badge[]> {
    const { badges: boards, opened, identity } = this.#parts;
    const reading = await boards.open(opened, identity.member, (badges) => this.#push({ badges }));
    this.#leaveBadges?.();
    this.#leaveBadges = reading.close;
    if (this.#isClosed) reading.close();
    return reading.badges;
  }

  /** The same person with a token that lasts longer: everything else stays as it is. */
  async #refresh(token: string): Promise<{ expires: number }> {
    const { tokens, access } = this.#parts;
    const identity = await tokens.verify(token);
    if (identity.member !== this.#identity.member || identity.workspace !== this.#identity.workspace)
      throw new CausewayError('forbidden', 'the token is of another member; connect with it instead');
    await access.workspace(identity, identity.workspace);
    this.#identity = identity;
    return { expires: identity.expires };
  }

  #problem(ref: number | undefined, cause: unknown): void {
    const problem = problemOf(asCausewayError(cause));
    this.#say({ ...(ref === undefined ? {} : { re: ref }), problem } as Reply);
  }

  #say(reply: Reply): void {
    if (!this.#isClosed) this.#parts.say(reply, 'now');
  }

  #push(push: Push): void {
    if (!this.#isClosed) this.#parts.say(push, 'soon');
  }
}

/** There is a marker for each author of each segment, and what they count is told as badges. */
const isNoMarker = ({ key }: { key: string }): boolean => !key.startsWith('read|');
