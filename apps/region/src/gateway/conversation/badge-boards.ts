import { memberScope, parseName, type Badge } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import type { Opened } from '../../access.ts';

/** What changes is gathered for this long, and a badge is told at most once in the second one, milliseconds. */
const GATHER_MS = 50;
const EVERY_MS = 1_000;

/** One conversation that shows badges. */
type Reader = {
  member: string;
  /** The channels that the member joined, and the badge that was told last, as JSON. */
  told: Map<string, string>;
  say(badges: Badge[]): void;
};

/** Badges for all conversations of a process: what changes in a channel is counted once for all who joined it. */
export class BadgeBoards {
  readonly #boards = new Map<string, BadgeBoard>();

  /** All badges of the member's channels as they are; `say` gets those that change, until `close` is called. */
  async open(
    { workspace, replica }: Opened,
    member: string,
    say: (badges: Badge[]) => void,
  ): Promise<{ badges: Badge[]; close(): void }> {
    let board = this.#boards.get(workspace.id);
    if (board === undefined) {
      board = new BadgeBoard(workspace.id, replica, () => this.#boards.delete(workspace.id));
      this.#boards.set(workspace.id, board);
    }
    return board.open(member, say);
  }
}

/** The readers of one workspace. */
class BadgeBoard {
  readonly #workspace: string;
  readonly #replica: Replica;
  readonly #abandoned: () => void;
  readonly #stop: () => void;
  readonly #readers = new Map<Reader, () => void>();
  /** Channels to be counted again: for these readers, or for all. */
  readonly #changed = new Map<string, Set<Reader> | 'all'>();
  #timer: NodeJS.Timeout | undefined;
  #toldAt = -Infinity;

  constructor(workspace: string, replica: Replica, abandoned: () => void) {
    this.#workspace = workspace;
    this.#replica = replica;
    this.#abandoned = abandoned;
    this.#stop = replica.watchBadges((scope) => {
      const name = parseName(scope);
      if (name?.kind === 'channel' && name.workspace === workspace) this.#mark(name.channel, 'all');
    });
  }

  async open(member: string, say: Reader['say']): Promise<{ badges: Badge[]; close(): void }> {
    const reader: Reader = { member, told: new Map(), say };
    const stops = [
      this.#replica.subscribeCells(memberScope(this.#workspace, member), (_scope, cells) => {
        for (const { key } of cells) this.#chosen(reader, key);
      }),
      this.#replica.reach.watch(this.#workspace, member, () => void this.#join(reader)),
    ];
    this.#readers.set(reader, () => {
      for (const stop of stops) stop();
    });
    const close = (): void => this.#leave(reader);
    try {
      await this.#joined(reader);
      const channels = [...reader.told.keys()];
      const badges = await this.#replica.badges(this.#workspace, member, channels);
      for (const badge of badges) reader.told.set(badge.channel, JSON.stringify(badge));
      return { badges, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  #leave(reader: Reader): void {
    this.#readers.get(reader)?.();
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    clearTimeout(this.#timer);
    this.#stop();
    this.#abandoned();
  }

  /** The member wrote a cell, on whatever device in whatever region. */
  #chosen(reader: Reader, key: string): void {
    const [what, channel] = key.split('|');
    if (what === 'joined' || what === 'direct') void this.#join(reader);
    else if ((what === 'read' || what === 'muted' || what === 'unread') && channel !== undefined)
      this.#mark(channel, reader);
  }

  /** Looks at which channels the member has joined, and counts those that are new. */
  async #join(reader: Reader): Promise<void> {
    // Without the database there is nothing new to show; the next change of the member comes here again.
    const fresh = await this.#joined(reader).catch(() => []);
    for (const channel of fresh) this.#mark(channel, reader);
  }

  async #joined(reader: Reader): Promise<string[]> {
    const channels = await this.#replica.reach.channels(this.#workspace, reader.member);
    const joined = new Set(channels.filter(({ isJoined }) => isJoined).map(({ id }) => id));
    for (const channel of reader.told.keys()) if (!joined.has(channel)) reader.told.delete(channel);
    const fresh = [...joined].filter((channel) => !reader.told.has(channel));
    for (const channel of fresh) reader.told.set(channel, '');
    return fresh;
  }

  #mark(channel: string, who: Reader | 'all'): void {
    const marked = this.#changed.get(channel);
    if (who === 'all') this.#changed.set(channel, 'all');
    else if (marked === undefined) this.#changed.set(channel, new Set([who]));
    else if (marked !== 'all') marked.add(who);
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#readers.size === 0) return;
    const waitMs = Math.max(GATHER_MS, this.#toldAt + EVERY_MS - performance.now());
    this.#timer = setTimeout(() => void this.#tell(), waitMs);
  }

  async #tell(): Promise<void> {
    const changed = [...this.#changed];
    this.#changed.clear();
    this.#toldAt = performance.now();
    const news = new Map<Reader, Badge[]>();
    for (const [channel, who] of changed) {
      const readers = [...(who === 'all' ? this.#readers.keys() : who)].filter((reader) =>
        this.#shows(reader, channel),
      );
      await this.#count(channel, readers, news).catch(() => {
        // The database does not answer: once more in a second.
        for (const reader of readers) this.#mark(channel, reader);
      });
    }
    for (const [reader, badges] of news) if (this.#readers.has(reader)) reader.say(badges);
    this.#timer = undefined;
    if (this.#changed.size > 0) this.#arm();
  }

  async #count(channel: string, readers: readonly Reader[], news: Map<Reader, Badge[]>): Promise<void> {
    if (readers.length === 0) return;
    const members = readers.map(({ member }) => member);
    const badges = await this.#replica.badgesOfChannel(this.#workspace, channel, members);
    for (const [at, reader] of readers.entries()) {
      const badge = badges[at]!;
      const text = JSON.stringify(badge);
      // Left meanwhile, or nothing that shows has changed.
      if (!this.#shows(reader, channel) || reader.told.get(channel) === text) continue;
      reader.told.set(channel, text);
      news.set(reader, [...(news.get(reader) ?? []), badge]);
    }
  }

  #shows(reader: Reader, channel: string): boolean {
    return this.#readers.has(reader) && reader.told.has(channel);
  }
}
