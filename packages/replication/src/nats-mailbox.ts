import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { BusDown } from '@causeway/replica';
import { TIMINGS } from './timings.ts';

/** Unread messages at most: several times what either side may have on its way. */
const HELD = 64;

/** Nothing came for as long as one waits for a word. */
export class NoWord extends BusDown {
  override name = 'NoWord';
}

/** A subject of one exchange, whose messages are read one after another. */
export class Mailbox {
  readonly subject: string;
  readonly #subscription: Subscription;
  readonly #held: Msg[] = [];
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(connection: NatsConnection, subject: string) {
    this.subject = subject;
    this.#subscription = connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) this.#fail(new BusDown(error.message, { cause: error }));
        else if (this.#held.push(message) > HELD) this.#fail(new BusDown('more came than may'));
        else this.#wake();
      },
    });
    void this.#subscription.closed.then(() => this.#fail(new BusDown('the connection is lost')));
  }

  /** The next message; rejects with NoWord when none comes in time, and with BusDown. */
  async next(patienceMs: number = TIMINGS.askMs): Promise<Msg> {
    const timer = setTimeout(() => this.#fail(new NoWord(`no word for ${patienceMs} ms`)), patienceMs);
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure;
        const message = this.#held.shift();
        if (message !== undefined) return message;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#subscription.unsubscribe();
  }

  #fail(failure: Error): void {
    this.#failure ??= failure;
    this.#wake();
  }
}
