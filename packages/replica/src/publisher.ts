import { contentId, encodeEntry, nameOfEntry } from '@causeway/protocol';
import { BusDown, type Bus, type Hello, type OutboxRow, type Store, type Time } from './ports.ts';

/** Rows kept in memory for publication; beyond it they are read from the outbox again. */
const QUEUED = 20_000;
/** Publishes that may wait for the broker's answer. */
const IN_FLIGHT = 1_000;
const HEARTBEAT_MS = 1_000;
/** Rows this old were left by a crash, or by a process that could not reach the broker. */
const SWEEP = { everyMs: 5_000, olderThanMs: 5_000, limit: 2_000 } as const;
const RETRY_MS = 250;
/** Published rows leave the outbox together, at most this much later. */
const SETTLE_MS = 25;

export type PublisherEvents = {
  /** Rows found in the outbox that this process did not commit itself, or of which it never knew. */
  found(rows: readonly OutboxRow[]): void;
  /** A row that the broker can never take; rows are bounded so that there is none. */
  unpublishable(row: OutboxRow): void;
  down(error: unknown): void;
  up(incarnation: string): void;
};

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
  /** Published rows that are being taken out of the outbox. */
  #leaving = 0;
  #wakeSettling: () => void = () => undefined;
  #sending = 0;
  #wake: () => void = () => undefined;
  #hello: Hello | undefined;
  /** The stream as acknowledgements have shown it, and when it was last caught going back. */
  #seen = { stream: '', lastSequence: 0, wentBackAt: 0 };

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

  get incarnation(): string | undefined {
    return this.#hello?.incarnation;
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

  /** Publishes until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const settling = this.#settling(signal);
    await this.#sessions(signal);
    this.#wakeSettling();
    await settling;
  }

  async #sessions(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const session = new AbortController();
      const either = AbortSignal.any([signal, session.signal]);
      try {
        await this.#open();
        await Promise.race([this.#publishing(either), this.#heartbeats(either), this.#sweeping(either)]);
      } catch (error) {
        this.#hello = undefined;
        session.abort();
        this.#events.down(error);
        await this.#time.sleep(RETRY_MS, signal);
      } finally {
        session.abort();
        this.#wake();
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
    const { stream, lastSequence } = await this.#bus.open();
    this.#look(stream, lastSequence);
    const { wentBackAt } = this.#seen;
    const content = [stream, await this.#store.identity()];
    const incarnation = contentId(wentBackAt === 0 ? content : [...content, wentBackAt]);
    await this.#store.adoptIncarnation(incarnation);
    this.#hello = { incarnation, lastSequence };
    // Whatever was under way when the last session ended is in the outbox still.
    this.#queue = [];
    this.#known.clear();
    this.#overflowed = true;
    this.#events.up(incarnation);
  }

  /**
   * A stream that ends before what it had acknowledged has lost rows that are in the outbox no
   * more. It counts as another one from then on, so that all is published again (R15).
   */
  #look(stream: string, lastSequence: number): void {
    const seen = this.#seen;
    const wentBack = stream === seen.stream && lastSequence < seen.lastSequence;
    const wentBackAt = wentBack ? this.#time.now() : stream === seen.stream ? seen.wentBackAt : 0;
    this.#seen = { stream, lastSequence, wentBackAt };
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
      this.#send(row)
        .then(
          () => this.#settle(row.seq),
          (error: unknown) => {
            // Stays known and in the outbox: trying it again and again would hold up all others.
            if (error instanceof RangeError) this.#events.unpublishable(row);
            else failure = error;
          },
        )
        .finally(() => {
          this.#sending--;
          this.#wake();
        });
    }
  }

  async #send({ seq, entry }: OutboxRow): Promise<void> {
    const { incarnation } = this.#hello!;
    const message = { id: `${incarnation}.${seq}`, name: nameOfEntry(entry), bytes: encodeEntry(entry) };
    this.#stored((await this.#bus.publish(message)).sequence);
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
      const rows = await this.#store.unpublished({ ...SWEEP }).catch(() => []);
      const missing = rows.filter(({ seq }) => !this.#known.has(seq));
      this.#events.found(missing);
      this.add(missing);
    }
  }

  async #heartbeats(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { incarnation, lastSequence } = this.#hello!;
      const sentAt = this.#time.now();
      const bytes = encodeEntry({ kind: 'heartbeat', sentAt, incarnation });
      const message = { id: `${incarnation}.h${sentAt}`, name: '-/heartbeat', bytes };
      const { sequence } = await this.#bus.publish(message);
      if (sequence <= lastSequence)
        throw new BusDown(`a new message got sequence ${sequence}, after ${lastSequence}`);
      this.#stored(sequence);
      await this.#time.sleep(HEARTBEAT_MS, signal);
    }
  }

  #stored(sequence: number): void {
    this.#seen.lastSequence = Math.max(this.#seen.lastSequence, sequence);
    if (this.#hello !== undefined) this.#hello.lastSequence = Math.max(this.#hello.lastSequence, sequence);
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
        await this.#store.published(done);
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
