import type { Presence, Typing } from '@causeway/protocol';
import { Store, type Observable } from './store.ts';

export type PresenceStates = ReadonlyMap<string, Presence['state']>;
/** Members whom one connection may hear of. */
const WATCHED = 1_000;

/** Whether the members in view are here. */
export class PresenceWatch implements Observable<PresenceStates> {
  readonly #ask: (members: string[]) => void;
  readonly #wanted = new Map<string, number>();
  readonly #store = new Store<PresenceStates>(new Map());
  #isPlanned = false;
  #isClosed = false;

  /** `ask`: hear of these from now on, and of nobody else. */
  constructor(ask: (members: string[]) => void) {
    this.#ask = ask;
  }

  readonly getSnapshot = (): PresenceStates => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** These members are in view until the returned function is called; of more than 1,000 in all, the last ones wait. */
  watch(members: readonly string[]): () => void {
    const mine = new Set(members);
    for (const member of mine) this.#wanted.set(member, (this.#wanted.get(member) ?? 0) + 1);
    this.#plan();
    return () => {
      for (const member of mine) {
        const left = (this.#wanted.get(member) ?? 1) - 1;
        if (left === 0) this.#wanted.delete(member);
        else this.#wanted.set(member, left);
      }
      mine.clear();
      this.#plan();
    };
  }

  take(states: readonly Presence[]): void {
    const now = new Map(this.getSnapshot());
    for (const { member, state } of states) if (this.#wanted.has(member)) now.set(member, state);
    this.#store.set(now);
  }

  close(): void {
    this.#isClosed = true;
    this.#store.close();
  }

  /** What changes at once is asked for at once. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      if (this.#isClosed) return;
      this.#store.set(new Map([...this.getSnapshot()].filter(([member]) => this.#wanted.has(member))));
      this.#ask([...this.#wanted.keys()].slice(0, WATCHED));
    });
  }
}

export type Typist = { member: string; thread?: string };
export type TypistsByChannel = ReadonlyMap<string, readonly Typist[]>;
/** What somebody types is over when nothing more is heard for so long, milliseconds. */
const TYPING_MS = 6_000;
/** Told again no sooner than this. */
const TELL_MS = 3_000;
const TYPISTS = 1_000;

/** Who types, by channel. */
export class TypingWatch implements Observable<TypistsByChannel> {
  readonly #store = new Store<TypistsByChannel>(new Map());
  readonly #until = new Map<string, { channel: string; typist: Typist; until: number }>();
  readonly #told = new Map<string, number>();
  readonly #say: (channel: string, thread: string | undefined) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(say: (channel: string, thread: string | undefined) => void) {
    this.#say = say;
  }

  readonly getSnapshot = (): TypistsByChannel => this.#store.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** This person types; call it for every key. */
  tell(channel: string, thread?: string): void {
    const key = `${channel}|${thread ?? ''}`;
    const now = performance.now();
    if (now - (this.#told.get(key) ?? -TELL_MS) < TELL_MS) return;
    this.#told.clear();
    this.#told.set(key, now);
    this.#say(channel, thread);
  }

  /** They sent what they typed: the next key is told at once. */
  sent(): void {
    this.#told.clear();
  }

  take({ channel, member, thread }: Typing): void {
    const key = `${channel}|${thread ?? ''}|${member}`;
    if (this.#until.size >= TYPISTS && !this.#until.has(key)) return;
    const typist = thread === undefined ? { member } : { member, thread };
    this.#until.set(key, { channel, typist, until: performance.now() + TYPING_MS });
    this.#changed();
  }

  /** They said it. */
  stopped(channel: string, member: string): void {
    let isChanged = false;
    for (const [key, each] of this.#until)
      if (each.channel === channel && each.typist.member === member) isChanged = this.#until.delete(key);
    if (isChanged) this.#changed();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#store.close();
  }

  #changed(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    for (const [key, { until }] of this.#until) if (until <= now) this.#until.delete(key);
    const groups = Map.groupBy(this.#until.values(), ({ channel }) => channel);
    this.#store.set(new Map([...groups].map(([channel, all]) => [channel, all.map(({ typist }) => typist)])));
    if (this.#until.size === 0) return;
    const next = Math.min(...[...this.#until.values()].map(({ until }) => until));
    this.#timer = setTimeout(() => this.#changed(), next - now);
  }
}
