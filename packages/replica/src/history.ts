import {
  CausewayError,
  channelScope,
  compareText,
  isDocument,
  messageScope,
  parseName,
  type Cell,
  type Mention,
  type Message,
  type Page,
  type ThreadPage,
  type Token,
} from '@causeway/protocol';
import type { Cells } from './cells.ts';
import type { Before, Row, Store, Time } from './ports.ts';
import type { Tokens } from './tokens.ts';
import type { ViewPosition } from './view-position.ts';

type Parts = {
  store: Pick<
    Store,
    'viewMessages' | 'viewMessage' | 'viewThreads' | 'viewMentions' | 'followCells' | 'lastCommit'
  >;
  /** Reactions of messages that people look at are in memory. */
  cells: Pick<Cells, 'openAll'>;
  tokens: Tokens;
  view: ViewPosition;
  /** The commit at which this process began: what was written before may be its reader's. */
  began(): Promise<number>;
  time: Time;
};

/** How long a reader waits: for the write of a token, and for what this process wrote itself. */
const WAIT_MS = { token: 5_000, own: 1_000 } as const;
/** Members that are named with a thread, and members who follow one because they replied. */
const PARTICIPANTS = 20;
const FOLLOWERS = 1_000;
/** Channels written by this process that the view may not show yet; beyond it readers of the oldest do not wait. */
const CHANNELS = 4_096;

/** Reads the messages of a channel from the view of messages, and their reactions from the cells. */
export class History {
  readonly #parts: Parts;
  /** The last commit of this process in each channel, as long as the view may be behind it. */
  readonly #own = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** This process committed these rows: its readers will see them. */
  wrote(rows: readonly Row[], commit: number): void {
    for (const { index } of rows) {
      if (index === undefined) continue;
      const before = this.#own.get(index.channel) ?? 0;
      this.#own.delete(index.channel);
      this.#own.set(index.channel, Math.max(before, commit));
    }
    if (this.#own.size > CHANNELS) this.#makeRoom();
  }

  /**
   * Up to `limit` messages, newest first, older than `before`: with `after` at least with the writes
   * of that token, or `not-here-yet`; without it as far as the view has come, what this process
   * wrote included unless the view is slow.
   */
  async page(
    workspace: string,
    channel: string,
    before: Before | undefined,
    limit: number,
    after?: Token,
  ): Promise<Page<Message>> {
    const scope = channelScope(workspace, channel);
    await this.#level([scope], after);
    const found = await this.#parts.store.viewMessages(scope, before, limit + 1);
    const items = found.slice(0, limit).map((message) => this.#shown(message));
    await this.#complete(workspace, channel, items);
    return pageOf(items, found.length > limit);
  }

  /**
   * Up to `limit` replies of a thread, newest first, older than `before`, with its root. The root may be
   * deleted, or not here yet: `undefined` when there are no replies either.
   */
  async thread(
    workspace: string,
    channel: string,
    root: string,
    before: Before | undefined,
    limit: number,
    after?: Token,
  ): Promise<ThreadPage | undefined> {
    const scope = channelScope(workspace, channel);
    await this.#level([scope], after);
    const [first, found] = await Promise.all([
      this.#parts.store.viewMessage({ channel: scope, id: root }),
      this.#parts.store.viewMessages(scope, before, limit + 1, root),
    ]);
    if (first === undefined && before === undefined && found.length === 0) return undefined;
    const all = [...(first === undefined ? [] : [first]), ...found.slice(0, limit)];
    const shown = all.map((message) => this.#shown(message));
    await this.#complete(workspace, channel, shown);
    const page = pageOf(first === undefined ? shown : shown.slice(1), found.length > limit);
    return first === undefined ? page : { ...page, root: shown[0]! };
  }

  /** Up to `limit` messages of others that mention a member in these channels, newest first; see Store.viewMentions. */
  async mentions(
    workspace: string,
    member: string,
    channels: { named: readonly string[]; joined: readonly string[] },
    before: Before | undefined,
    limit: number,
    after?: Token,
  ): Promise<Page<Mention>> {
    const scopes = {
      named: channels.named.map((channel) => channelScope(workspace, channel)),
      joined: channels.joined.map((channel) => channelScope(workspace, channel)),
    };
    await this.#level([...scopes.named, ...scopes.joined], after);
    const found = await this.#parts.store.viewMentions(workspace, member, scopes, before, limit + 1);
    const items = found.slice(0, limit).map(({ channel, message }) => ({
      channel: (parseName(channel) as { channel: string }).channel,
      message: this.#shown(message),
    }));
    for (const [channel, some] of Map.groupBy(items, (item) => item.channel))
      await this.#complete(
        workspace,
        channel,
        some.map(({ message }) => message),
      );
    const { next } = pageOf(
      items.map(({ message }) => message),
      found.length > limit,
    );
    return next === undefined ? { items } : { items, next };
  }

  /**
   * Who is told of replies to a message: its author, those who replied (the newest thousand), and who
   * said so; without those who said that they do not want it. In no order.
   */
  async followers(workspace: string, channel: string, root: string): Promise<string[]> {
    const { store } = this.#parts;
    const scope = channelScope(workspace, channel);
    const [first, threads, cells] = await Promise.all([
      store.viewMessage({ channel: scope, id: root }),
      store.viewThreads(scope, [root], FOLLOWERS),
      store.followCells(workspace, `follow|${channel}|${root}`),
    ]);
    const followers = new Set([
      ...(first === undefined ? [] : [first.author]),
      ...(threads[0]?.participants ?? []),
    ]);
    for (const { scope, value } of cells) {
      const { member } = parseName(scope) as { member: string };
      if (value === true) followers.add(member);
      else followers.delete(member);
    }
    return [...followers];
  }

  /** As far as the reader may expect: a token's writes, or else what this process wrote, unless the view is slow. */
  async #level(scopes: readonly string[], after: Token | undefined): Promise<void> {
    if (after !== undefined) return this.#waitFor(after);
    const began = await this.#parts.began();
    const commits = scopes.map((scope) => this.#own.get(scope) ?? began);
    await this.#parts.view.reach(Math.max(0, ...commits), WAIT_MS.own);
  }

  /** A time from a fast clock is shown as now at most (R14). */
  #shown(message: Message): Message {
    return { ...message, at: Math.min(message.at, this.#parts.time.now()) };
  }

  /** Reactions, and how many replies there are. */
  async #complete(workspace: string, channel: string, messages: Message[]): Promise<void> {
    await Promise.all([
      this.#addReactions(workspace, channel, messages),
      this.#addReplies(channelScope(workspace, channel), messages),
    ]);
  }

  async #addReplies(scope: string, messages: Message[]): Promise<void> {
    const roots = new Map(messages.map((message) => [message.id, message]));
    const threads = await this.#parts.store.viewThreads(scope, [...roots.keys()], PARTICIPANTS);
    for (const { root, replies, last, participants } of threads)
      roots.get(root)!.replies = { count: replies, last, participants };
  }

  async #waitFor(token: Token): Promise<void> {
    const { store, tokens, view, time } = this.#parts;
    const until = time.now() + WAIT_MS.token;
    if (!(await tokens.waitFor(token, WAIT_MS.token))) throw notHere();
    // Reactions are read from the cells themselves; messages come from documents, through the view.
    const documents = token.flatMap((entry) => ('document' in entry ? [entry.document] : []));
    if (documents.length === 0) return;
    const commit = await store.lastCommit([...new Set(documents)].filter(isDocument));
    if (!(await view.reach(commit, Math.max(0, until - time.now())))) throw notShownYet();
  }

  #makeRoom(): void {
    for (const [channel, commit] of this.#own)
      if (commit <= this.#parts.view.known) this.#own.delete(channel);
    for (const channel of this.#own.keys()) {
      if (this.#own.size <= CHANNELS) return;
      this.#own.delete(channel);
    }
  }

  async #addReactions(workspace: string, channel: string, messages: Message[]): Promise<void> {
    const scopes = messages.map(({ id }) => messageScope(workspace, channel, id));
    for (const [at, cells] of (await this.#parts.cells.openAll(scopes)).entries()) {
      const reactions = reactionsIn([...cells.values()].sort((a, b) => compareText(a.key, b.key)));
      if (Object.keys(reactions).length > 0) messages[at]!.reactions = reactions;
    }
  }
}

function pageOf(items: Message[], isMore: boolean): Page<Message> {
  const last = items.at(-1);
  return isMore && last !== undefined ? { items, next: `${last.t}~${last.id}` } : { items };
}

const notHere = (): CausewayError =>
  new CausewayError(
    'not-here-yet',
    'the write of this token has not reached this region; try again in a moment, or read without it',
    { retryAfter: 1 },
  );

const notShownYet = (): CausewayError =>
  new CausewayError(
    'not-here-yet',
    'the write of this token is here, but the list of messages is behind it; try again in a moment, or read without it',
    { retryAfter: 1 },
  );

/** Members by emoji, from the cells of one message. */
export function reactionsIn(cells: readonly Pick<Cell, 'key' | 'value'>[]): Record<string, string[]> {
  const reactions: Record<string, string[]> = {};
  for (const { key, value } of cells) {
    // The emoji may hold a bar, a member id cannot.
    const bar = key.lastIndexOf('|');
    if (value === true) (reactions[key.slice(0, bar)] ??= []).push(key.slice(bar + 1));
  }
  return reactions;
}
