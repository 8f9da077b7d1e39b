import { channelScope, memberScope, parseName, segmentName, type Badge, type Cell } from '@causeway/protocol';
import type { Cells } from './cells.ts';
import { directMembers } from './commands/direct.ts';
import { numberInOrder } from './hybrid-time.ts';
import type { Before, Store, Time } from './ports.ts';
import { highestTop, lowestTop } from './segment-rule.ts';
import { Tally, type Unread } from './unread.ts';
import type { ViewPosition } from './view-position.ts';

type Parts = {
  store: Pick<Store, 'countables' | 'lastCommit'>;
  cells: Cells;
  view: ViewPosition;
  regions: readonly string[];
  time: Time;
};

/** Messages of one channel that are counted, those of the highest segments first; a badge stops there. */
const COUNTED = 5_000;
/** Channels and messages held in memory; what was asked for longest ago leaves. */
const HELD = { channels: 4_096, messages: 200_000 } as const;
/** How long counting waits for the view to show what is committed. */
const WAIT_MS = 1_000;
/** Segments of one channel whose last commit is awaited: the highest; below them a late message may be counted late. */
const AWAITED_SEGMENTS = 8;
/** Members whose cells are opened at a time. */
const MEMBERS = 1_000;

type Held = {
  tally: Tally;
  isDirect: boolean;
  /** Something of the channel changed since it was read. */
  isStale: boolean;
  loading: Promise<void> | undefined;
};
type MemberCells = ReadonlyMap<string, Pick<Cell, 'v' | 'value'>>;

/**
 * How much of channels is unread, for whoever asks: from the view of messages and the cells of members.
 * What counts of a channel's open segments is kept as a tally until the channel changes, so counting
 * again costs one read of the view, and for each member a walk over numbers.
 */
export class Badges {
  readonly #parts: Parts;
  /** By scope of the channel. */
  readonly #held = new Map<string, Held>();
  readonly #watchers = new Set<(scope: string) => void>();
  #messages = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Something of these documents and scopes is committed. */
  changed(names: ReadonlySet<string>): void {
    const scopes = new Set<string>();
    for (const name of names) {
      const parsed = parseName(name);
      if (parsed?.kind !== 'segment' && parsed?.kind !== 'channel') continue;
      scopes.add(channelScope(parsed.workspace, parsed.channel));
    }
    for (const scope of scopes) {
      const held = this.#held.get(scope);
      if (held !== undefined) held.isStale = true;
      for (const changed of this.#watchers) changed(scope);
    }
  }

  /** Calls `changed` with the scope of every channel that counts anew, until the returned function is called. */
  watch(changed: (scope: string) => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  /** One member's badges of these channels, in their order. */
  async ofMember(workspace: string, member: string, channels: readonly string[]): Promise<Badge[]> {
    const [held, [cells]] = await Promise.all([
      this.#open(workspace, channels),
      this.#parts.cells.openAll([memberScope(workspace, member)]),
    ]);
    return channels.map((channel, at) => badgeOf(channel, held[at]!, member, cells!));
  }

  /** The badges of one channel for these members, in their order. */
  async ofChannel(workspace: string, channel: string, members: readonly string[]): Promise<Badge[]> {
    const [held] = await this.#open(workspace, [channel]);
    const badges: Badge[] = [];
    for (let at = 0; at < members.length; at += MEMBERS) {
      const some = members.slice(at, at + MEMBERS);
      const cells = await this.#parts.cells.openAll(some.map((member) => memberScope(workspace, member)));
      for (const [index, member] of some.entries())
        badges.push(badgeOf(channel, held!, member, cells[index]!));
    }
    return badges;
  }

  async #open(workspace: string, channels: readonly string[]): Promise<Held[]> {
    const scopes = channels.map((channel) => channelScope(workspace, channel));
    // Kept by who asks: others who ask for many may make room meanwhile.
    const found = new Map<string, Held>();
    // A read under way may have begun before the last change: then once more, but not for ever.
    for (let round = 0; round < 2; round++) {
      const awaited = scopes.filter((scope) => {
        const held = this.#held.get(scope) ?? found.get(scope);
        return held === undefined || held.isStale || held.loading !== undefined;
      });
      this.#read(awaited.filter((scope) => this.#held.get(scope)?.loading === undefined));
      for (const scope of scopes) {
        const held = this.#held.get(scope);
        if (held !== undefined) found.set(scope, held);
      }
      if (awaited.length === 0) break;
      await Promise.all(awaited.map((scope) => found.get(scope)!.loading));
    }
    this.#makeRoom(scopes);
    return scopes.map((scope) => found.get(scope)!);
  }

  /** Starts one read for all these channels; whoever waits finds it in their `loading`. */
  #read(scopes: readonly string[]): void {
    if (scopes.length === 0) return;
    const before = new Map<string, Held | undefined>();
    const loading = this.#load(scopes).finally(() => {
      for (const scope of scopes) {
        const held = this.#held.get(scope);
        if (held?.loading === loading) held.loading = undefined;
      }
    });
    for (const scope of scopes) {
      const held = this.#held.get(scope) ?? {
        tally: NOTHING,
        isDirect: false,
        isStale: true,
        loading: undefined,
      };
      before.set(scope, held);
      held.isStale = false;
      held.loading = loading;
      this.#held.set(scope, held);
    }
    loading.catch(() => {
      for (const held of before.values()) held!.isStale = true;
    });
  }

  async #load(scopes: readonly string[]): Promise<void> {
    const { store, cells, view, regions } = this.#parts;
    const states = await cells.openAll(scopes);
    const channels = scopes.map((scope, at) => {
      const state = states[at]!;
      return { scope, closed: lowestTop(state, regions), top: highestTop([...state.values()]), state };
    });
    const commit = await store.lastCommit(channels.flatMap(awaitedNames));
    const reached = await view.reach(commit, WAIT_MS);
    // One segment more than may be unread: a member may have marked a read one unread.
    const asked = channels.map(({ scope, closed }) => ({ channel: scope, from: closed - 1 }));
    const found = Map.groupBy(await store.countables(asked, COUNTED), ({ channel }) => channel);
    for (const { scope, closed, state } of channels) {
      const held = this.#held.get(scope);
      if (held === undefined) continue;
      this.#messages -= held.tally.size;
      held.tally = new Tally(found.get(scope) ?? [], closed);
      this.#messages += held.tally.size;
      const { workspace, channel } = parseName(scope) as { workspace: string; channel: string };
      held.isDirect = directMembers(workspace, channel, state.get('members')?.value) !== undefined;
      // The view is behind: counted as far as it is; who watches asks again.
      if (reached) continue;
      held.isStale = true;
      for (const changed of this.#watchers) changed(scope);
    }
  }

  #makeRoom(inUse: readonly string[]): void {
    for (const scope of inUse) {
      const held = this.#held.get(scope);
      if (held === undefined) continue;
      this.#held.delete(scope);
      this.#held.set(scope, held);
    }
    for (const [scope, { tally, loading }] of this.#held) {
      if (this.#held.size <= HELD.channels && this.#messages <= HELD.messages) return;
      if (loading !== undefined) continue;
      this.#held.delete(scope);
      this.#messages -= tally.size;
    }
  }
}

const NOTHING = new Tally([], 0);

function awaitedNames({ scope, closed, top }: { scope: string; closed: number; top: number }): string[] {
  const { workspace, channel } = parseName(scope) as { workspace: string; channel: string };
  const lowest = Math.max(1, closed, top - AWAITED_SEGMENTS + 1);
  return Array.from({ length: top - lowest + 1 }, (_, at) => segmentName(workspace, channel, lowest + at));
}

function badgeOf(channel: string, { tally, isDirect }: Held, member: string, cells: MemberCells): Badge {
  const from = unreadFrom(cells.get(`unread|${channel}`)?.value);
  const { unread, mentions, first }: Unread = tally.count({
    member,
    marker: (segment, client) => {
      const cell = cells.get(`read|${channel}|${segment}|${client}`);
      return cell === undefined ? 0 : numberInOrder(cell.v);
    },
    isMuted: cells.get(`muted|${channel}`)?.value === true,
    isDirect,
    ...(from === undefined ? {} : { from }),
  });
  return {
    channel,
    unread,
    mentions,
    ...(tally.latest === undefined ? {} : { latest: tally.latest }),
    ...(first === undefined ? {} : { first: first.id }),
  };
}

function unreadFrom(value: unknown): Before | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { message, t } = value as { message?: unknown; t?: unknown };
  return typeof message === 'string' && typeof t === 'string' ? { id: message, t } : undefined;
}
