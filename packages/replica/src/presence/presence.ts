import { base64url, type AvailabilityMode } from '@causeway/protocol';
import type { Bus, PresenceEar, Random, Time } from '../ports.ts';
import { BOUNDS, TIMES } from './bounds.ts';
import { Elsewhere } from './elsewhere.ts';
import { Sessions, type PresenceSession } from './sessions.ts';
import { Shares, type Share, type ShareListener } from './shares.ts';
import { shown, type State } from './state.ts';
import { TypingPeople, type TypingListener } from './typing.ts';
import { Watches, type PresenceListener, type PresenceWatch } from './watches.ts';
import {
  decodeAnnouncement,
  decodeQuestion,
  encodeAnnouncement,
  encodeQuestion,
  ROSTERS,
  type Announcement,
  type Question,
} from './wire.ts';

type Parts = { region: string; regions: readonly string[]; bus: Bus; time: Time; random: Random };

/**
 * Who is here in one zone, as one process knows and tells it. What its sessions do is told at once,
 * gathered for 50 ms; every 5 s a lease says what all of it comes to, so that whoever missed
 * something asks. Nothing is stored. What a process said is gone 15 s after it was last heard (R11).
 * A process neither says nor hears anything before its first session, watch or share.
 */
export class ZonePresence {
  readonly #bus: Bus;
  readonly #time: Time;
  readonly #random: Random;
  readonly #own: string;
  readonly #regions: readonly string[];
  readonly #sessions = new Sessions((key) => {
    this.#watches.look([key]);
    this.#later();
  });
  readonly #watches = new Watches((key) => shown(this.#strongest(key)));
  readonly #elsewhere: Elsewhere;
  readonly #typing: TypingPeople;
  #shares: Shares | undefined;
  #process = '';
  readonly #begun = Promise.withResolvers<void>();
  #isGathering = false;
  #isOver = false;
  /** Somebody doubts that we live on as they know us. */
  #isDoubted = false;
  /** A roster is wanted, and how often one was told in this beat. */
  #isAsked = false;
  #wholes = 0;
  #beat = 0;

  constructor({ region, regions, bus, time, random }: Parts) {
    this.#own = region;
    this.#regions = regions;
    this.#bus = bus;
    this.#time = time;
    this.#random = random;
    this.#elsewhere = new Elsewhere({
      ask: (of, question) => this.#ask(of, question),
      changed: (keys) => this.#watches.look(keys),
      gone: (process) => this.#shares?.gone(process),
    });
    this.#typing = new TypingPeople({
      now: () => time.now(),
      attend: (topic) => bus.attend(topic),
      announce: (topic, said) => this.#announce(topic, said),
    });
  }

  /** A client of this member is here, until it leaves. */
  enter(workspace: string, member: string, mode: AvailabilityMode = 'auto', until?: number): PresenceSession {
    this.#begin();
    return this.#sessions.enter(workspace, member, mode, until);
  }

  /** Hears of members of a workspace: `dnd`, `away`, `online` or `offline`, the strongest of all their sessions in the zone. */
  watch(workspace: string, members: readonly string[], listener: PresenceListener): PresenceWatch {
    this.#begin();
    return this.#watches.add(workspace, members, listener);
  }

  /** A member types, for 6 s unless this is said again; to be said every few seconds. */
  typing(workspace: string, channel: string, member: string, thread?: string): void {
    this.#begin();
    this.#typing.type(workspace, channel, member, thread);
  }

  /** Hears who types in a channel (threads included), oneself too, beginning with those who do now; returns how to end it. */
  watchTyping(workspace: string, channel: string, listener: TypingListener): () => void {
    this.#begin();
    return this.#typing.watch(workspace, channel, listener);
  }

  /**
   * Says a part of a topic (`<workspace>/<words…>`) and hears those of other processes, leased with
   * them. Undefined when the topic is shared already, or too many are.
   */
  share(topic: string, listener: ShareListener): Share | undefined {
    return this.#begin().open(topic, listener);
  }

  /** Other processes of the zone that are remembered, and topics shared: for tests of bounds. */
  get sizes(): { processes: number; topics: number } {
    return { processes: this.#elsewhere.size, topics: this.#shares?.size ?? 0 };
  }

  /** Beats until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    signal.addEventListener('abort', () => this.#begun.resolve(), { once: true });
    await this.#begun.promise;
    while (!signal.aborted) {
      await this.#time.sleep(TIMES.beatMs, signal);
      if (!signal.aborted && !this.#isOver) this.#onBeat();
    }
    this.#isOver = true;
  }

  /** The process stops: what it said is gone at once, instead of after its lease. Nothing is said after that. */
  goodbye(): void {
    if (this.#hasSpoken) this.#announce(ROSTERS, { kind: 'goodbye', process: this.#process });
    this.#isOver = true;
  }

  get #hasSpoken(): boolean {
    return this.#sessions.roster.latest > 0 || this.#shares?.hasSpoken === true;
  }

  #strongest(key: string): State {
    return Math.max(this.#sessions.state(key), this.#elsewhere.strongest(key)) as State;
  }

  #begin(): Shares {
    if (this.#shares !== undefined) return this.#shares;
    this.#process = base64url(this.#random.bytes(8));
    this.#shares = new Shares({
      process: this.#process,
      regions: this.#regions,
      attend: (topic) => this.#bus.attend(topic),
      announce: (topic, said) => this.#announce(topic, said),
      ask: (region, question) => this.#ask(region, question),
      hears: (region, process) => this.#elsewhere.hears(region, process),
      later: () => this.#later(),
    });
    this.#bus.attend(ROSTERS);
    this.#bus.hearPresence(this.#ear());
    this.#begun.resolve();
    return this.#shares;
  }

  #ear(): PresenceEar {
    return {
      announced: (region, topic, bytes) => {
        const said = decodeAnnouncement(bytes);
        if (said === undefined) return;
        if (said.kind === 'typing') this.#typing.heard(topic, said);
        else if (said.kind === 'part' || said.kind === 'whole') this.#shares!.take(region, topic, said);
        else if (topic === ROSTERS) this.#elsewhere.take(region, said);
      },
      asked: (bytes) => {
        const question = decodeQuestion(bytes);
        if (question?.kind === 'rosters') this.#onAsked(question);
        else if (question !== undefined) this.#shares!.asked(question);
      },
      opened: (region) => {
        this.#elsewhere.opened(region);
        this.#shares!.opened(region);
        // Others may have missed what we said while our own broker was away: the lease shows it.
        if (region === this.#own) this.#tellLease();
      },
    };
  }

  #onAsked({ others, held }: Question & { kind: 'rosters' }): void {
    const us = held.find(({ process }) => process === this.#process);
    if (!this.#hasSpoken || (us === undefined && !others)) return;
    if (us?.digest === this.#sessions.roster.digest) this.#isDoubted = true;
    else this.#isAsked = true;
    this.#later();
  }

  #onBeat(): void {
    this.#beat++;
    this.#wholes = 0;
    this.#sessions.look(this.#time.now());
    this.#elsewhere.beat();
    this.#shares!.beat();
    if (this.#beat % TIMES.leaseBeats === 0) this.#tellLease();
    if (this.#isAsked) this.#later();
  }

  /** Tells what waits, a moment from now. */
  #later(): void {
    if (this.#isGathering || this.#isOver) return;
    this.#isGathering = true;
    void this.#time.sleep(TIMES.batchMs).then(() => {
      this.#isGathering = false;
      if (this.#isOver) return;
      this.#tellChanges();
      if (this.#isDoubted) this.#tellLease();
      if (this.#isAsked && this.#wholes < BOUNDS.wholesInBeat) this.#tellRoster();
      this.#shares!.tell();
    });
  }

  #tellChanges(): void {
    for (const changes of this.#sessions.tell())
      this.#announce(ROSTERS, { kind: 'changes', process: this.#process, ...changes });
  }

  #tellLease(): void {
    this.#isDoubted = false;
    if (!this.#hasSpoken) return;
    this.#tellChanges();
    const { latest: n, count, digest } = this.#sessions.roster;
    this.#announce(ROSTERS, { kind: 'lease', process: this.#process, n, count, digest });
  }

  #tellRoster(): void {
    this.#isAsked = false;
    this.#wholes++;
    const { roster } = this.#sessions;
    const standings = roster.standings();
    const total = Math.max(1, Math.ceil(standings.length / BOUNDS.entries));
    for (let index = 0; index < total; index++)
      this.#announce(ROSTERS, {
        kind: 'roster',
        process: this.#process,
        n: roster.latest,
        index,
        total,
        standings: standings.slice(index * BOUNDS.entries, (index + 1) * BOUNDS.entries),
      });
  }

  #announce(topic: string, said: Announcement): void {
    if (!this.#isOver) this.#bus.announce(topic, encodeAnnouncement(said));
  }

  #ask(region: string, question: Question): void {
    if (!this.#isOver) this.#bus.askPresence(region, encodeQuestion(question));
  }
}
