import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { BusDown, type Delivery } from '@causeway/replica';
import { nameOfSubject } from '@causeway/protocol';
import { BATCH, batchLength } from './batches.ts';
import { readPosition, type Position } from './nats-position.ts';
import { TIMINGS } from './timings.ts';

/**
 * Requests ("pulls") that the broker answers with messages as they come. Two are always out, so
 * that one is being answered while the other is renewed over a long road; with a backlog four,
 * which is 2,000 messages per round trip. They bound what can be on its way to us: with what is
 * held for delivery, 12 MiB per peer.
 */
const PULLS = { idle: 2, backlog: 4 } as const;
/** Twice the largest message, since a pull that the next message does not fit into ends unused. */
const PULL_BYTES = 2 * BATCH.bytes;
/** Renewed at different times, so that there is never a moment without one. */
const EXPIRES_MS = 30_000;
const EXPIRES_APART_MS = 7_000;
const HEARTBEAT_MS = 1_000;
/** Silence is counted in ticks, so that a pause of our own process is not taken for the peer's. */
const TICK_MS = 250;

const nanoseconds = (ms: number): number => ms * 1_000_000;

/** One slot for a pull: its subscription lives as long as the reading, its number tells pulls apart. */
type Slot = { subscription: Subscription; inbox: string; number: number; left: number };

export type PullOptions = {
  connection: NatsConnection;
  stream: string;
  consumer: string;
  inboxPrefix: string;
  /** The first sequence that may come. */
  from: number;
};

/**
 * Nothing came for three heartbeats though something was asked for. The client counts whole
 * messages: a road on which one takes that long (1 MiB at less than 350 KB/s) counts as cut.
 */
export class Silence extends BusDown {
  override name = 'Silence';
}

/**
 * Reads an ack-none consumer by pulls of our own making, because they say exactly how much may be
 * on its way; the client's `consume` bounds either messages or bytes, not both. Nobody sends a
 * lost message again, so whatever could have lost one ends the reading: the next one starts after
 * what was delivered.
 */
export class PullReader {
  readonly #options: PullOptions;
  readonly #slots: Slot[] = [];
  #held: Delivery[] = [];
  #heldBytes = 0;
  #wanted: number = PULLS.idle;
  #delivered = 0;
  #silentTicks = 0;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(options: PullOptions) {
    this.#options = options;
  }

  /** See `Bus.follow`; rejects with Silence when the peer has gone quiet. */
  async run(deliver: (batch: Delivery[]) => Promise<void>, signal: AbortSignal): Promise<never> {
    const { connection } = this.#options;
    const aborted = (): void => this.#fail(signal.reason);
    const ticks = setInterval(() => this.#tick(), TICK_MS);
    signal.addEventListener('abort', aborted, { once: true });
    void connection.closed().then(() => this.#fail(new BusDown('the connection is lost')));
    try {
      signal.throwIfAborted();
      for (;;) {
        this.#refill();
        const batch = this.#take();
        if (batch.length > 0) await deliver(batch);
        else await new Promise<void>((resolve) => (this.#wake = resolve));
        if (this.#failure !== undefined) throw this.#failure;
      }
    } finally {
      clearInterval(ticks);
      signal.removeEventListener('abort', aborted);
      for (const { subscription } of this.#slots) if (!connection.isClosed()) subscription.unsubscribe();
    }
  }

  #fail(reason: unknown): void {
    this.#failure ??= reason;
    this.#wake();
  }

  #take(): Delivery[] {
    const batch = this.#held.splice(0, batchLength(this.#held));
    for (const { bytes } of batch) this.#heldBytes -= bytes.length;
    return batch;
  }

  get #waitingPulls(): number {
    return this.#slots.filter((slot) => slot.left > 0).length;
  }

  #refill(): void {
    while (this.#slots.length < this.#wanted) this.#addSlot();
    for (const slot of this.#slots.slice(0, this.#wanted)) {
      if (this.#held.length >= BATCH.messages || this.#heldBytes >= PULL_BYTES) return;
      if (slot.left === 0) this.#pull(slot);
    }
  }

  #addSlot(): void {
    const { connection, inboxPrefix } = this.#options;
    const inbox = createInbox(inboxPrefix);
    const slot: Slot = {
      inbox,
      number: 0,
      left: 0,
      subscription: connection.subscribe(`${inbox}.*`, {
        callback: (error, message) => {
          if (error === null) this.#receive(slot, message);
          else this.#fail(new BusDown(error.message));
        },
      }),
    };
    this.#slots.push(slot);
  }

  #pull(slot: Slot): void {
    const { connection, stream, consumer } = this.#options;
    if (this.#waitingPulls === 0) this.#silentTicks = 0;
    slot.number++;
    slot.left = BATCH.messages;
    const request = {
      batch: BATCH.messages,
      max_bytes: PULL_BYTES,
      expires: nanoseconds(EXPIRES_MS + EXPIRES_APART_MS * this.#slots.indexOf(slot)),
      idle_heartbeat: nanoseconds(HEARTBEAT_MS),
    };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    try {
      connection.publish(subject, JSON.stringify(request), { reply: `${slot.inbox}.${slot.number}` });
    } catch (error) {
      this.#fail(new BusDown('the connection is lost', { cause: error }));
    }
  }

  #receive(slot: Slot, message: Msg): void {
    this.#silentTicks = 0;
    const position = readPosition(message.reply);
    if (position !== undefined) this.#hold(slot, message, position);
    // A word about a pull that has been renewed meanwhile says nothing of the present one.
    else if (message.subject === `${slot.inbox}.${slot.number}`) this.#hear(slot, message);
    this.#wake();
  }

  #hold(slot: Slot, message: Msg, { sequence, delivery, pending }: Position): void {
    if (delivery !== ++this.#delivered) return this.#fail(new BusDown('a message is missing'));
    if (sequence < this.#options.from)
      return this.#fail(new BusDown(`the stream ends before sequence ${this.#options.from}`));
    slot.left--;
    this.#wanted = pending > 0 ? PULLS.backlog : PULLS.idle;
    this.#heldBytes += message.data.length;
    this.#held.push({
      sequence,
      id: message.headers?.get('Nats-Msg-Id') ?? '',
      name: nameOfSubject(message.subject),
      // Not the client's Buffer: its `slice` shares memory, and it holds on to all that arrived with it.
      bytes: new Uint8Array(message.data),
    });
  }

  /** A status of the broker about the slot's pull. */
  #hear(slot: Slot, message: Msg): void {
    const { code = 0, description = '' } = message.headers ?? {};
    if (code === 100) return;
    const over = code === 404 || code === 408 || /batch completed|maxbytes/i.test(description);
    if (over) slot.left = 0;
    else this.#fail(new BusDown(`the consumer is lost: ${code} ${description}`));
  }

  #tick(): void {
    if (this.#waitingPulls === 0) return;
    this.#silentTicks++;
    if (this.#silentTicks * TICK_MS > TIMINGS.silenceMs)
      this.#fail(new Silence(`nothing was heard for ${TIMINGS.silenceMs} ms`));
  }
}
