import { setTimeout as sleep } from 'node:timers/promises';
import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import { BusDown } from '@causeway/replica';
import { staggered } from './staggered.ts';

/** A broker, and who we are there. */
export type NatsAddress = { url: string; user: string; password: string };

/** Is told of what happens to connections: an event, and what belongs to it. */
export type BusLog = (event: string, details: Readonly<Record<string, unknown>>) => void;

export type NatsLinkOptions = {
  address: NatsAddress;
  /** As it shows in the broker's monitoring. */
  name: string;
  /** Prefix of the subjects that answers come to; a peer's user may hear no other. */
  inboxPrefix: string;
  log: BusLog;
};

/** One attempt to connect, greeting included: long enough for 400 ms of round trip. */
const DIAL_MS = 2_000;
/** Attempts under way together while a link is silent, and how soon another one begins. */
const STAGGER = { most: 4, everyMs: 500 } as const;
/** Between attempts, plus as much again by chance: short, since a heal should be noticed soon. */
const RETRY_MS = 100;
const RETRY_JITTER_MS = 150;
/** How long a broker may take to say goodbye. */
const DRAIN_MS = 1_000;
/** The longest that a timer of Node can wait: 24 days. */
const FOREVER_MS = 2 ** 31 - 1;

/**
 * A connection that is made when it is needed and made anew when it is lost. The client's own
 * reconnecting is not used: a connection that breaks fails what is under way on it at once, and
 * one that went silent is given up for a new one, instead of waiting for TCP to retransmit.
 */
export class NatsLink {
  readonly #options: NatsLinkOptions;
  readonly #closed = new AbortController();
  #connection: NatsConnection | undefined;
  #dialing: Promise<NatsConnection> | undefined;
  readonly #whenConnected: ((connection: NatsConnection) => void)[] = [];

  constructor(options: NatsLinkOptions) {
    this.#options = options;
  }

  /**
   * A living connection. While there is none, dials again and again for `patienceMs`, then
   * rejects with BusDown; wrong credentials and a closed link reject at once.
   */
  async connection(patienceMs: number, signal?: AbortSignal): Promise<NatsConnection> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      this.#assertOpen();
      signal?.throwIfAborted();
      if (this.#connection !== undefined) return this.#connection;
      const leftMs = deadline - Date.now();
      const { url } = this.#options.address;
      if (leftMs <= 0) throw new BusDown(`${url} does not answer`);
      this.#dialing ??= this.#dial();
      const given = await this.#before(this.#dialing, leftMs, signal);
      if (given instanceof errors.AuthorizationError) throw new BusDown(`${url}: ${given.message}`);
    }
  }

  /** The connection, if there is one right now. */
  get current(): NatsConnection | undefined {
    return this.#connection?.isClosed() === true ? undefined : this.#connection;
  }

  /** Gives a connection up, unless another one has replaced it already. */
  drop(connection: NatsConnection): void {
    if (this.#connection === connection) this.#connection = undefined;
    void connection.close();
  }

  /** From now on stays connected, and calls `whenConnected` with this connection and each new one. */
  keep(whenConnected: (connection: NatsConnection) => void = () => undefined): void {
    this.#whenConnected.push(whenConnected);
    const { current } = this;
    if (current === undefined) this.#redial();
    else whenConnected(current);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    const connection = this.#connection;
    if (connection === undefined) return;
    // Until the broker knows that we are gone it would hand questions on to us, which nobody answers.
    if (this.#whenConnected.length > 0)
      await Promise.race([
        connection.drain().catch(() => undefined),
        sleep(DRAIN_MS, undefined, { ref: false }),
      ]);
    await connection.close();
  }

  #assertOpen(): void {
    if (this.#closed.signal.aborted) throw new BusDown('the bus is closed');
  }

  /** The outcome of `dialing`, or undefined when time is up or a signal fires first. */
  async #before(
    dialing: Promise<NatsConnection>,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const settled = new AbortController();
    const signals = [settled.signal, this.#closed.signal, ...(signal === undefined ? [] : [signal])];
    const outcome = dialing.catch((error: unknown) => error);
    const timeout = sleep(leftMs, undefined, { signal: AbortSignal.any(signals) }).catch(() => undefined);
    const first = await Promise.race([outcome, timeout]);
    settled.abort();
    return first;
  }

  #attempt(): Promise<NatsConnection> {
    const { address, name, inboxPrefix } = this.#options;
    return connect({
      servers: address.url,
      user: address.user,
      pass: address.password,
      name,
      inboxPrefix,
      timeout: DIAL_MS,
      reconnect: false,
      ignoreClusterUpdates: true,
      pingInterval: 5_000,
      maxPingOut: 2,
      // A process does not hear what it said itself; answers and acknowledgements are the broker's or others'.
      noEcho: true,
      // A stack trace per request costs more than the request.
      noAsyncTraces: true,
    });
  }

  /** A few attempts. When they fail, the pause before the next ones is part of it. */
  async #dial(): Promise<NatsConnection> {
    const { address, log } = this.#options;
    try {
      const connection = await staggered(() => this.#attempt(), {
        ...STAGGER,
        late: (unused) => void unused.close(),
      });
      if (this.#closed.signal.aborted) await connection.close();
      this.#assertOpen();
      log('connected', { url: address.url, user: address.user });
      this.#connection = connection;
      void connection.closed().then((error) => this.#lost(connection, error));
      for (const whenConnected of this.#whenConnected) whenConnected(connection);
      return connection;
    } catch (error) {
      const pauseMs = RETRY_MS + Math.random() * RETRY_JITTER_MS;
      await sleep(pauseMs, undefined, { signal: this.#closed.signal }).catch(() => undefined);
      throw error;
    } finally {
      this.#dialing = undefined;
    }
  }

  #lost(connection: NatsConnection, error: unknown): void {
    const { address, log } = this.#options;
    log('disconnected', { url: address.url, user: address.user, error });
    if (this.#connection === connection) this.#connection = undefined;
    if (this.#whenConnected.length > 0) this.#redial();
  }

  #redial(): void {
    void this.connection(FOREVER_MS).catch(() => {
      // Closed, or refused for its credentials: whoever uses the link next is told, and dials again.
    });
  }
}
