import { AckPolicy, DeliverPolicy, jetstreamManager, ReplayPolicy } from '@nats-io/jetstream';
import { errors, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { requestSubject, streamOfZone, updateSubject, updateSubjects } from '@causeway/protocol';
import { BusDown, type Bus, type Delivery, type Hello } from '@causeway/replica';
import { readHello } from './hello.ts';
import { NatsLink, type BusLog, type NatsAddress } from './nats-link.ts';
import { PullReader, Silence } from './nats-pulls.ts';
import { ensureStream } from './nats-stream.ts';
import { TIMINGS } from './timings.ts';

export type NatsBusOptions = {
  region: string;
  zone: string;
  /** This region's own broker, as the user that may do everything in the zone's account. */
  nats: NatsAddress;
  /** The other regions of the zone, each with our credentials there. */
  peers: readonly { region: string; nats: NatsAddress }[];
  log?: BusLog;
};

/** Replication of a zone over NATS. Connects when it is first used, and again whenever it must. */
export const openNatsBus = (options: NatsBusOptions): Bus => new NatsBus(options);

class NatsBus implements Bus {
  readonly #region: string;
  readonly #stream: string;
  readonly #own: NatsLink;
  readonly #peers: ReadonlyMap<string, NatsLink>;
  #answer: (() => Hello | undefined) | undefined;
  /** Settles when the last publish has been handed to the connection. */
  #sent: Promise<unknown> = Promise.resolve();

  constructor({ region, zone, nats, peers, log = () => undefined }: NatsBusOptions) {
    this.#region = region;
    this.#stream = streamOfZone(zone);
    const name = `causeway ${region} ${zone}`;
    this.#own = new NatsLink({ address: nats, name, inboxPrefix: '_INBOX', log });
    this.#peers = new Map(
      peers.map((peer) => [
        peer.region,
        new NatsLink({ address: peer.nats, name, inboxPrefix: inboxOf(region), log }),
      ]),
    );
  }

  async open(): Promise<{ stream: string; lastSequence: number }> {
    const connection = await this.#own.connection(TIMINGS.publishMs);
    const info = await asBusDown(ensureStream(connection, this.#stream, this.#region, TIMINGS.publishMs));
    // Nanoseconds: made anew it has another one, purged or restarted it keeps it.
    return {
      stream: `${this.#stream}@${info.created as unknown as string}`,
      lastSequence: info.state.last_seq,
    };
  }

  async publish(message: { id: string; name: string; bytes: Uint8Array }): Promise<{ sequence: number }> {
    const deadline = Date.now() + TIMINGS.publishMs;
    // In turn, since the first one may wait for a connection that the second finds ready.
    const sending = this.#sent.then(() => this.#send(message, deadline));
    this.#sent = sending.catch(() => undefined);
    const { ack } = await sending;
    return sequenceOf(await asBusDown(ack), this.#stream);
  }

  async follow(
    peer: string,
    from: number,
    deliver: (batch: Delivery[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never> {
    const link = this.#peer(peer);
    const connection = await link.connection(TIMINGS.silenceMs, signal);
    const consumer = consumerOf(this.#region);
    const place = { stream: this.#stream, consumer };
    try {
      await unlessAborted(asBusDown(addConsumer(connection, place, updateSubjects(peer), from)), signal);
      const reader = new PullReader({ connection, ...place, inboxPrefix: inboxOf(this.#region), from });
      return await reader.run(deliver, signal);
    } catch (error) {
      // TCP would carry on after a heal, but only when its next retransmission is due.
      if (error instanceof Silence || isTimeout(error)) link.drop(connection);
      throw error;
    }
  }

  async hello(peer: string): Promise<Hello> {
    const deadline = Date.now() + TIMINGS.helloMs;
    const link = this.#peer(peer);
    const connection = await link.connection(TIMINGS.helloMs);
    const timeout = Math.max(1, deadline - Date.now());
    const isAlive = listenFor(connection);
    try {
      const reply = await asBusDown(connection.request(requestSubject(peer, 'hello'), '', { timeout }));
      return readHello(reply.data);
    } catch (error) {
      if (isTimeout(error) && !isAlive()) link.drop(connection);
      throw error;
    }
  }

  answerHello(answer: () => Hello | undefined): void {
    const first = this.#answer === undefined;
    this.#answer = answer;
    if (first) this.#own.keep((connection) => this.#respond(connection));
  }

  async close(): Promise<void> {
    await Promise.all([this.#own, ...this.#peers.values()].map((link) => link.close()));
  }

  #peer(region: string): NatsLink {
    const link = this.#peers.get(region);
    if (link === undefined) throw new BusDown(`${this.#region} has no credentials for ${region}`);
    return link;
  }

  /** Hands a message to the connection; the acknowledgement is awaited outside of the turn. */
  async #send(
    { id, name, bytes }: { id: string; name: string; bytes: Uint8Array },
    deadline: number,
  ): Promise<{ ack: Promise<Msg> }> {
    const connection = await this.#own.connection(deadline - Date.now());
    const limit = connection.info?.max_payload ?? Infinity;
    if (bytes.length + HEADER_BYTES > limit)
      throw new RangeError(`a message of ${bytes.length} bytes does not fit into ${limit}`);
    const marked = headers();
    marked.set('Nats-Msg-Id', id);
    const ack = connection.request(updateSubject(this.#region, name), bytes, {
      timeout: TIMINGS.publishMs,
      headers: marked,
    });
    return { ack };
  }

  #respond(connection: NatsConnection): void {
    connection.subscribe(requestSubject(this.#region, 'hello'), {
      callback: (error, request) => {
        const hello = error === null ? this.#answer?.() : undefined;
        if (hello !== undefined) request.respond(JSON.stringify(hello));
      },
    });
  }
}

/** Room for what goes with a message: `Nats-Msg-Id` and its value. */
const HEADER_BYTES = 512;
const inboxOf = (region: string): string => `_INBOX_${region}`;
const consumerOf = (region: string): string => `peer_${region}`;

/**
 * A consumer of ours from sequence `from` on. There is one per region and peer; it is deleted
 * first, which also ends the reading of an older process of this region.
 */
async function addConsumer(
  connection: NatsConnection,
  { stream, consumer }: { stream: string; consumer: string },
  subjects: string,
  from: number,
): Promise<void> {
  const { consumers } = await jetstreamManager(connection, { checkAPI: false, timeout: TIMINGS.helloMs });
  await consumers.delete(stream, consumer).catch((error: unknown) => {
    if (isTimeout(error)) throw error;
  });
  await consumers.add(stream, {
    name: consumer,
    filter_subject: subjects,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: Math.max(1, from),
    ack_policy: AckPolicy.None,
    replay_policy: ReplayPolicy.Instant,
    mem_storage: true,
    inactive_threshold: 60_000_000_000,
  });
}

function sequenceOf(message: Msg, stream: string): { sequence: number } {
  const ack = message.json<{ seq?: number; stream?: string; error?: { description?: string } }>();
  if (ack.error !== undefined || ack.stream !== stream || ack.seq === undefined)
    throw new BusDown(`the broker refused a message: ${ack.error?.description ?? 'no such stream'}`);
  return { sequence: ack.seq };
}

/**
 * Whether anything has come over the connection since the call: a pong, or messages that it may
 * be queueing behind. If not even that, it is the connection that is silent, not a peer's process.
 */
function listenFor(connection: NatsConnection): () => boolean {
  const before = connection.stats().inMsgs;
  let pong = false;
  void connection.flush().then(
    () => (pong = true),
    () => undefined,
  );
  return () => pong || connection.stats().inMsgs > before;
}

/** Whatever the client says went wrong means to the caller: not now. */
async function asBusDown<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new BusDown(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Rejects with the signal's reason as soon as it fires; the work goes on, unheard. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const isTimeout = (error: unknown): boolean =>
  error instanceof errors.TimeoutError ||
  (error instanceof Error && error.cause instanceof errors.TimeoutError);
