import {
  CausewayError,
  channelScope,
  isDocument,
  messageScope,
  type Cell,
  type Message,
  type Page,
  type Token,
} from '@causeway/protocol';
import type { Before, Row, Store, Time } from './ports.ts';
import type { Tokens } from './tokens.ts';
import type { ViewPosition } from './view-position.ts';

type Parts = {
  store: Pick<Store, 'viewMessages' | 'loadCells' | 'lastCommit'>;
  tokens: Tokens;
  view: ViewPosition;
  /** The commit at which this process began: what was written before may be its reader's. */
  began(): Promise<number>;
  time: Time;
};

/** How long a reader waits: for the write of a token, and for what this process wrote itself. */
const WAIT_MS = { token: 5_000, own: 1_000 } as const;
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
    if (after === undefined)
      await this.#parts.view.reach(this.#own.get(scope) ?? (await this.#parts.began()), WAIT_MS.own);
    else await this.#waitFor(after);
    const found = await this.#parts.store.viewMessages(scope, before, limit + 1);
    const now = this.#parts.time.now();
    // A time from a fast clock is shown as now at most (R14).
    const items = found.slice(0, limit).map((message) => ({ ...message, at: Math.min(message.at, now) }));
    await this.#addReactions(workspace, channel, items);
    const last = items.at(-1);
    return found.length > limit && last !== undefined ? { items, next: `${last.t}~${last.id}` } : { items };
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
    const byScope = new Map(
      messages.map((message) => [messageScope(workspace, channel, message.id), message]),
    );
    const cells = await this.#parts.store.loadCells([...byScope.keys()]);
    for (const [scope, group] of Map.groupBy(cells, (cell) => cell.scope)) {
      const reactions = reactionsIn(group);
      if (Object.keys(reactions).length > 0) byScope.get(scope)!.reactions = reactions;
    }
  }
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
