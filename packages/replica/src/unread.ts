import type { Before, Countable } from './ports.ts';

/** What a member brings: all of it cells, so that devices and regions that hold the same count the same. */
export type UnreadReader = {
  member: string;
  /** Up to which clock of an author what stands in a segment was on screen; 0 when nothing was. */
  marker(segment: number, client: number): number;
  /** The first message of those marked unread again: it and all later ones are unread whatever the markers say. */
  from?: Before;
  /** Counts mentions only. */
  isMuted: boolean;
  /** A direct channel: everything is meant for its members. */
  isDirect: boolean;
};

export type Unread = { unread: number; mentions: number; first?: Before };

/** A copy of a message in columns: which segment and author (an index into places), and its clock. */
type Spot = { place: number; clock: number };

/**
 * Counts what is unread in one channel, for as many members as ask. A message is unread when none of
 * its copies was on screen, it is not the member's own, and it is no mere reply (those are not given).
 * What has a copy below `closed`, the lowest of the regions' tops, counts as read.
 *
 * Laid out in columns, because a busy channel is counted for each of its members whenever it changes.
 */
export class Tally {
  /** Order time of the newest message. */
  readonly latest: string | undefined;
  readonly size: number;
  readonly #messages: readonly Countable[];
  readonly #authors: readonly string[];
  readonly #isClosed: Uint8Array;
  /** The first copy of each message; the others, of the few that have any. */
  readonly #place: Uint32Array;
  readonly #clock: Float64Array;
  readonly #others = new Map<number, Spot[]>();
  readonly #places: { segment: number; client: number }[] = [];
  readonly #everybody: Uint8Array;
  readonly #mentioned = new Map<string, Set<number>>();

  constructor(messages: readonly Countable[], closed: number) {
    const ordered = messages.toSorted(oldestFirst);
    const placeOf = new Map<string, number>();
    this.#messages = ordered;
    this.size = ordered.length;
    this.latest = ordered.at(-1)?.t;
    this.#authors = ordered.map(({ author }) => author);
    this.#isClosed = new Uint8Array(ordered.length);
    this.#place = new Uint32Array(ordered.length);
    this.#clock = new Float64Array(ordered.length);
    this.#everybody = new Uint8Array(ordered.length);
    for (const [at, { copies, mentions }] of ordered.entries()) {
      const [first, ...others] = copies.map(({ segment, client, clock }): Spot => {
        const key = `${segment}|${client}`;
        let place = placeOf.get(key);
        if (place === undefined) placeOf.set(key, (place = this.#places.push({ segment, client }) - 1));
        return { place, clock };
      });
      this.#place[at] = first!.place;
      this.#clock[at] = first!.clock;
      if (others.length > 0) this.#others.set(at, others);
      if (copies.some(({ segment }) => segment < closed)) this.#isClosed[at] = 1;
      if (mentions.channel || mentions.here) this.#everybody[at] = 1;
      for (const member of mentions.members) this.#noteMention(member, at);
    }
  }

  count({ member, marker, from, isMuted, isDirect }: UnreadReader): Unread {
    const marks = Float64Array.from(this.#places, ({ segment, client }) => marker(segment, client));
    const again = from === undefined ? this.size : this.#firstAtOrAfter(from);
    const mine = this.#mentioned.get(member);
    let [unread, mentions, first] = [0, 0, -1];
    for (let at = 0; at < this.size; at++) {
      if (this.#authors[at] === member) continue;
      if (at < again && this.#isRead(at, marks)) continue;
      unread++;
      if (this.#everybody[at] === 1 || mine?.has(at) === true) mentions++;
      if (first < 0) first = at;
    }
    const found = first < 0 ? undefined : this.#messages[first]!;
    return {
      unread: isMuted ? mentions : unread,
      mentions: isDirect && !isMuted ? unread : mentions,
      ...(found === undefined ? {} : { first: { t: found.t, id: found.id } }),
    };
  }

  #isRead(at: number, marks: Float64Array): boolean {
    if (this.#isClosed[at] === 1 || marks[this.#place[at]!]! >= this.#clock[at]!) return true;
    if (this.#others.size === 0) return false;
    return this.#others.get(at)?.some(({ place, clock }) => marks[place]! >= clock) ?? false;
  }

  #firstAtOrAfter(from: Before): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (oldestFirst(this.#messages[middle]!, from) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #noteMention(member: string, at: number): void {
    let held = this.#mentioned.get(member);
    if (held === undefined) this.#mentioned.set(member, (held = new Set()));
    held.add(at);
  }
}

const oldestFirst = (a: Before, b: Before): number =>
  a.t === b.t ? (a.id < b.id ? -1 : a.id > b.id ? 1 : 0) : a.t < b.t ? -1 : 1;
