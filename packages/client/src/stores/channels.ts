import type { Badge } from '@causeway/protocol';
import type { ChannelName } from '../region-api.ts';
import type { Own, OwnCells } from './own-cells.ts';
import { Store, type Observable } from './store.ts';

/** A channel as the member's list shows it. */
export type ChannelEntry = ChannelName & {
  kind: 'public' | 'private' | 'direct';
  /** Of a direct channel: everybody else in it, or the member alone. */
  others?: readonly string[];
  /** Joined, or of a kind that has no joining. */
  isJoined: boolean;
  isMuted: boolean;
  isStarred: boolean;
  unread: number;
  mentions: number;
  /** Order time of the newest message. */
  latest?: string;
};

/** The channels of a member: those of the workspace, and direct ones, with what is unread in each. */
export class ChannelList implements Observable<readonly ChannelEntry[]> {
  readonly #own: OwnCells;
  readonly #member: string;
  readonly #badges = new Map<string, Badge>();
  readonly #store = new Store<readonly ChannelEntry[]>([]);
  readonly #leave: () => void;
  #named: readonly ChannelName[];

  constructor(own: OwnCells, member: string, named: readonly ChannelName[]) {
    this.#own = own;
    this.#member = member;
    this.#named = named;
    this.#leave = own.subscribe(() => this.#changed());
    this.#changed();
  }

  readonly getSnapshot = (): readonly ChannelEntry[] => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** The channels that the workspace has now. */
  name(channels: readonly ChannelName[]): void {
    this.#named = channels;
    this.#changed();
  }

  take(badges: readonly Badge[]): void {
    for (const badge of badges) this.#badges.set(badge.channel, badge);
    this.#changed();
  }

  /** As they are kept over reloads. */
  get badges(): readonly Badge[] {
    return [...this.#badges.values()];
  }

  close(): void {
    this.#leave();
    this.#store.close();
  }

  #changed(): void {
    const own = this.#own.getSnapshot();
    const named = this.#named.map((channel) => this.#entry(channel, own));
    const known = new Set(this.#named.map(({ id }) => id));
    const direct = [...own]
      .filter(([key, value]) => key.startsWith('direct|') && Array.isArray(value))
      .map(([key, value]) => ({ id: key.slice('direct|'.length), members: value as string[] }))
      .filter(({ id }) => !known.has(id))
      .map(({ id, members }) => {
        const others = members.filter((each) => each !== this.#member);
        return {
          ...this.#entry({ id, slug: id, kind: 'direct' }, own),
          others: others.length === 0 ? members : others,
        };
      });
    const before = new Map(this.getSnapshot().map((entry) => [entry.id, entry]));
    // One that did not change stays the same object.
    const after = [...named, ...direct].map((entry) => {
      const old = before.get(entry.id);
      return old !== undefined && JSON.stringify(old) === JSON.stringify(entry) ? old : entry;
    });
    const isSame = after.length === before.size && after.every((entry) => before.get(entry.id) === entry);
    if (!isSame) this.#store.set(after);
  }

  #entry({ kind = 'public', ...name }: ChannelName, own: Own): ChannelEntry {
    const badge = this.#badges.get(name.id);
    return {
      ...name,
      kind,
      isJoined: kind !== 'public' || own.get(`joined|${name.id}`) === true,
      isMuted: own.get(`muted|${name.id}`) === true,
      isStarred: own.get(`starred|${name.id}`) === true,
      unread: badge?.unread ?? 0,
      mentions: badge?.mentions ?? 0,
      ...(badge?.latest === undefined ? {} : { latest: badge.latest }),
    };
  }
}
