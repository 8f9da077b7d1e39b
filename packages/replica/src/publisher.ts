import { encodeEntry, nameOfEntry, type Version } from '@causeway/protocol';
import { BusDown, type Bus, type Hello, type OutboxRow, type Store, type Time } from './ports.ts';

/** Rows kept in memory for publication; beyond it they are read from the outbox again. */
const QUEUED = 20_000;
/** Publishes that may wait for the broker's answer. */
const IN_FLIGHT = 1_000;
const HEARTBEAT_MS = 1_000;
/** Rows this old were left by a crash, or by a process that could not reach the broker. */
const SWEEP = { everyMs: 5_000, olderThanMs: 5_000, limit: 2_000 } as const;
const RETRY_MS = 250;
/** What the outbox may hold while the broker is away, and how often it is counted: a large one less often. */
const OUTBOX = { rows: 1_000_000, countEveryMs: 1_000, large: 10_000, countLargeEveryMs: 10_000 } as const;
/** A row that waits for longer than this is late; and so is, perhaps, what came after a count that is this much older than it should be. */
const LATE_MS = 2_000;
/** About so many messages make the mean size. */
const MEAN_OF = 100;
/** Changes of strong logs that wait to be announced; the oldest are dropped, since the directory shows them too. */
const ANNOUNCED = 1_000;
/** Published rows leave the outbox together, at most this much later. */
const SETTLE_MS = 25;

export type PublisherEvents = {
  /** Rows found in the outbox that this process did not commit itself, or of which it never knew. */
  found(rows: readonly OutboxRow[]): void;
  /** A row is in the stream, under this sequence of this incarnation. */
  placed(seq: number, incarnation: string, sequence: number): void;
  /** A row that the broker can never take: peers get it by comparing states. */
  unpublishable(row: OutboxRow): void;
  /** So many of the oldest rows left the outbox unpublished, since it was full; peers compare states. */
  trimmed(rows: number): void;
  down(error: unknown): void;
  up(incarnation: string): void;
};

/** Rows in the outbox, their bytes and the age of the oldest, as last counted. */
export type OutboxSize = { rows: number; bytes: number; oldestMs: number };

/**
 * Brings committed rows into this region's stream: from memory right after the commit, from the
 * outbox after a crash or an outage. A row leaves the outbox when the broker has it; publishing
 * twice is harmless.
 */
export class Publisher {
  readonly #bus: Bus;
  readonly #store: Store;
  readonly #time: Time;
  readonly #events: PublisherEvents;
  /** By seq, in commit order. */
  #queue: OutboxRow[] = [];
  readonly #known = new Set<number>();
  /** The outbox holds rows that memory does not: nothing is queued before they are read, to keep the order. */
  #overflowed = false;
  #done: number[] = [];
  #meanBytes = 0;
  #size: OutboxSize = { rows: 0, bytes: 0, oldestMs: 0 };
  #countedAt = Number.NEGATIVE_INFINITY;
  /** Published rows that are being taken out of the outbox. */
  #leaving = 0;
  #wakeSettling: () => void = () => undefined;
  #sending = 0;
  #wake: () => void = () => undefined;
  #announced: Version[] = [];
  #wakeAnnouncing: () => void = () => undefined;
  #hello: Hello | undefined;
  /** Rows left the outbox unpublished: what follows them has to be under another incarnation. */
  #isLapsed = false;
  /** Settles when all rows handed to the broker in this session have their places. */
  #placing: Promise<unknown> = Promise.resolve();
  /** The highest sequence that a row got in this session. */
  #placed = 0;
  /** The highest sequence that the stream gave. */
  #given = { incarnation: '', sequence: 0 };

  constructor(bus: Bus, store: Store, time: Time, events: PublisherEvents) {
    this.#bus = bus;
    this.#store = store;
    this.#time = time;
    this.#events = events;
    bus.answerHello(() => this.#hello);
  }

  /** Rows that are committed and not yet in the stream, as far as memory knows. */
  get waiting(): number {
    return this.#queue.length + this.#sending;
  }

  /** Is the broker reachable, as of the last try? */
  get connected(): boolean {
    return this.#hello !== undefined;
  }

  /** What it publishes into, while the broker is reachable. */
  get stream(): Readonly<Hello> | undefined {
    return this.#hello;
  }

  /** Bytes of a message, on average. */
  get meanBytes(): number {
    return this.#meanBytes;
  }

  /** The outbox as last counted. */
  get outbox(): OutboxSize {
    return this.#size;
  }

  /** Rows that were just committed here. */
  add(rows: readonly OutboxRow[]): void {
    for (const row of rows) {
      if (this.#queue.length >= QUEUED) this.#overflowed = true;
      if (this.#overflowed) break;
      if (this.#known.has(row.seq)) continue;
      this.#known.add(row.seq);
      this.#queue.push(row);
    }
    this.#wake();
  }

  /** A version of a strong log that was decided here. Nobody depends on it: it only saves peers a look at the directory. */
  announce(version: Version): void {
    this.#announced.push(version);
    if (this.#announced.length > ANNOUNCED) this.#announced.shift();
    this.#wakeAnnouncing();
  }

  /** Publishes until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const others = Promise.all([this.#settling(signal), this.#counting(signal)]);
    await this.#sessions(signal);
    this.#wakeSettling();
    await others;
  }

  async #sessions(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const session = new AbortController();
      const either = AbortSignal.any([signal, session.signal]);
      try {
        await this.#open();
        await Promise.race([
          this.#publishing(either),
          this.#announcing(either),
          this.#heartbeats(either),
          this.#sweeping(either),
        ]);
      } catch (error) {
        this.#hello = undefined;
        session.abort();
        this.#events.down(error);
        await this.#time.sleep(RETRY_MS, signal);
      } finally {
        session.abort();
        this.#wake();
        this.#wakeAnnouncing();
      }
    }
  }

  /** Resolves when everything known has reached the broker, or the signal fires. */
  async drained(signal: AbortSignal): Promise<void> {
    const isBusy = (): boolean =>
      this.waiting > 0 || this.#overflowed || this.#done.length + this.#leaving > 0;
    while (!signal.aborted && isBusy() && this.connected) await this.#time.sleep(SETTLE_MS, signal);
  }

  async #open(): Promise<void> {
    const known = await this.#store.incarnation();
    // Heartbeats take sequences too, and peers report those: a stream that lost only them is another one as well.
    const isOurs = known?.incarnation === this.#given.incarnation;
    const given = Math.max(known?.sequence ?? 0, isOurs ? this.#given.sequence : 0);
    if (isOurs && given > known.sequence) await this.#store.published([], this.#given);
    await this.#count();
    const { stream, lastSequence } = await this.#bus.open();
    const { incarnation } = await this.#store.adoptIncarnation({ stream, lastSequence, given });
    this.#hello = { incarnation, lastSequence };
    this.#isLapsed = false;
    this.#placing = Promise.resolve();
    this.#placed = 0;
    // Whatever was under way when the last session ended is in the outbox still.
    this.#queue = [];
    this.#known.clear();
    this.#overflowed = true;
    this.#events.up(incarnation);
  }

  async #publishing(signal: AbortSignal): Promise<void> {
    let failure: unknown;
    while (!signal.aborted) {
      if (failure !== undefined) throw failure;
      if (this.#overflowed && this.#queue.length === 0) await this.#refill();
      const row = this.#sending < IN_FLIGHT ? this.#queue.shift() : undefined;
      if (row === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#sending++;
      const sending = this.#send(row, this.#placing);
      // One that can never pass holds up nobody.
      this.#placing = sending.catch((error: unknown) => {
        if (!(error instanceof RangeError)) throw error;
      });
      this.#placing.catch(() => undefined);
      sending
        .catch((error: unknown) => {
          if (!(error instanceof RangeError)) failure = error;
          else {
            // Trying it again and again would hold up all others.
            this.#settle(row.seq);
            this.#events.unpublishable(row);
          }
        })
        .finally(() => {
          this.#sending--;
          this.#wake();
        });
    }
  }

  /**
   * Rows get their places in order, and none a lower one than those before it: a row stands on earlier
   * ones of its document, and a peer that has stored it alone could not show it. One that was repeated,
   * since an earlier one got lost on the way, has its first sequence.
   */
  async #send({ seq, entry }: OutboxRow, before: Promise<unknown>): Promise<void> {
    const { incarnation } = this.#hello!;
    const message = { id: `${incarnation}.${seq}`, name: nameOfEntry(entry), bytes: encodeEntry(entry) };
    this.#meanBytes += (message.bytes.length - this.#meanBytes) / MEAN_OF;
    const hello = this.#hello;
    const sequence = await this.#publish(message);
    await before;
    if (hello !== this.#hello) throw new BusDown('the session is over');
    this.#placed = Math.max(this.#placed, sequence);
    this.#events.placed(seq, incarnation, this.#placed);
    this.#settle(seq);
  }

  /**
   * Publishes under the incarnation in force. A new message that gets a sequence which the stream
   * had given before is in another stream, or in one that lost its end: (incarnation, sequence)
   * must stay unique, so the session ends and the next one adopts a new incarnation (R15).
   */
  async #publish(message: { id: string; name: string; bytes: Uint8Array }): Promise<number> {
    const hello = this.#hello!;
    const given = hello.lastSequence;
    const { sequence, repeat } = await this.#bus.publish(message);
    if (hello !== this.#hello) throw new BusDown('the session is over');
    if (this.#isLapsed) throw new BusDown('rows left the outbox unpublished: peers have to compare');
    if (!repeat && sequence <= given)
      throw new BusDown(`a new message got sequence ${sequence}, after ${given}`);
    hello.lastSequence = Math.max(hello.lastSequence, sequence);
    this.#given = { incarnation: hello.incarnation, sequence: hello.lastSequence };
    return sequence;
  }

  /** Reads what memory has not: after a start, an outage, or an overflow. */
  async #refill(): Promise<void> {
    this.#overflowed = false;
    const rows = await this.#store.unpublished({ olderThanMs: 0, limit: QUEUED });
    // What was committed meanwhile comes behind what was read, and if there is still more, not yet.
    const meanwhile = this.#queue.splice(0);
    this.#overflowed ||= rows.length === QUEUED;
    if (this.#overflowed) for (const { seq } of meanwhile) this.#known.delete(seq);
    const missing = rows.filter(({ seq }) => !this.#known.has(seq));
    for (const { seq } of missing) this.#known.add(seq);
    this.#queue = this.#overflowed ? missing : [...missing, ...meanwhile];
    this.#events.found(missing);
  }

  async #sweeping(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#time.sleep(SWEEP.everyMs, signal);
      await this.#sameIncarnation();
      // What only heartbeats were given: a stream that loses its end while nothing else is published is noticed too.
      await this.#store.published([], this.#given).catch(() => undefined);
      const rows = await this.#store.unpublished({ ...SWEEP }).catch(() => []);
      const missing = rows.filter(({ seq }) => !this.#known.has(seq));
      this.#events.found(missing);
      this.add(missing);
    }
  }

  /** Another process may have adopted another one while this one was paused. */
  async #sameIncarnation(): Promise<void> {
    const inForce = await this.#store.incarnation().catch(() => undefined);
    const ours = this.#hello?.incarnation;
    if (inForce !== undefined && ours !== undefined && inForce.incarnation !== ours)
      throw new BusDown(`this region publishes as ${inForce.incarnation} now, this process did as ${ours}`);
  }

  async #heartbeats(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { incarnation } = this.#hello!;
      const bytes = encodeEntry({ kind: 'heartbeat', sentAt: this.#publishedTo(), incarnation });
      await this.#publish({ id: `${incarnation}.h${this.#time.now()}`, name: '-/heartbeat', bytes });
      await this.#time.sleep(HEARTBEAT_MS, signal);
    }
  }

  async #announcing(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const version = this.#announced[0];
      if (version === undefined) {
        await new Promise<void>((resolve) => {
          this.#wakeAnnouncing = resolve;
        });
        continue;
      }
      const { incarnation } = this.#hello!;
      const entry = { kind: 'change', version } as const;
      const id = `${incarnation}.c${version.workspace}.${version.version}`;
      await this.#publish({ id, name: nameOfEntry(entry), bytes: encodeEntry(entry) }).catch(unlessTooLarge);
      if (this.#announced[0] === version) this.#announced.shift();
    }
  }

  /**
   * A time before which all that this region committed is in the stream, whichever process committed it,
   * but for what is up to 2 s late: now, or since when rows have been waiting for a broker that was away.
   */
  #publishedTo(): number {
    const now = this.#time.now();
    const { oldestMs } = this.#size;
    if (oldestMs > LATE_MS) return this.#countedAt - oldestMs;
    return now - this.#countedAt > OUTBOX.countEveryMs + LATE_MS ? this.#countedAt : now;
  }

  async #count(): Promise<void> {
    // Before the question: what is committed meanwhile is not older than that.
    const at = this.#time.now();
    this.#size = await this.#store.outboxSize();
    this.#countedAt = at;
  }

  /** Counts the outbox now and then, with or without a broker, and keeps it within its bound. */
  async #counting(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#count();
        if (this.#size.rows > OUTBOX.rows) await this.#trim();
      } catch {
        // A database that does not answer is noticed by those who need it.
      }
      const isLarge = this.#size.rows > OUTBOX.large;
      await this.#time.sleep(isLarge ? OUTBOX.countLargeEveryMs : OUTBOX.countEveryMs, signal);
    }
  }

  /**
   * What is published later stands on what peers will never get by the stream: a new incarnation tells
   * them to compare, and to report nothing before they have (R3). Noted first, in case of a crash.
   */
  async #trim(): Promise<void> {
    const inForce = await this.#store.incarnation();
    if (inForce !== undefined)
      await this.#store.published([], {
        incarnation: inForce.incarnation,
        sequence: Number.MAX_SAFE_INTEGER,
      });
    this.#isLapsed = true;
    this.#events.trimmed(await this.#store.trimOutbox(OUTBOX.rows / 2));
  }

  #settle(seq: number): void {
    this.#done.push(seq);
    this.#wakeSettling();
  }

  /** Takes published rows out of the outbox, many at a time; what it has not come to when the signal fires stays there. */
  async #settling(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#done.length === 0)
        await new Promise<void>((resolve) => {
          this.#wakeSettling = resolve;
        });
      await this.#time.sleep(SETTLE_MS, signal);
      const done = this.#done.splice(0);
      try {
        this.#leaving = done.length;
        await this.#store.published(done, this.#given);
        for (const seq of done) this.#known.delete(seq);
      } catch {
        // Otherwise they would stay in the outbox for as long as the broker does not fail too.
        this.#done.unshift(...done);
        await this.#time.sleep(RETRY_MS, signal);
      } finally {
        this.#leaving = 0;
      }
    }
  }
}

/** What the broker can never take is left to the directory. */
function unlessTooLarge(error: unknown): void {
  if (!(error instanceof RangeError)) throw error;
}
