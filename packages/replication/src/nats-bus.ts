import { AckPolicy, DeliverPolicy, jetstreamManager, ReplayPolicy } from '@nats-io/jetstream';
import { errors, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import {
  nameOfSubject,
  requestSubject,
  streamOfZone,
  tellSubject,
  tellSubjects,
  updateSubject,
  updateSubjects,
} from '@causeway/protocol';
import {
  BusDown,
  type Bus,
  type Delivery,
  type Hello,
  type Operation,
  type PresenceEar,
  type StoredUpTo,
} from '@causeway/replica';
import { Answering, ASK } from './answering.ts';
import { Ear, type Told } from './ear.ts';
import { readHello } from './hello.ts';
import { askerOf, inboxOf } from './nats-inbox.ts';
import { NatsLink, type BusLog, type NatsAddress } from './nats-link.ts';
import { NoWord } from './nats-mailbox.ts';
import { NatsPresence } from './nats-presence.ts';
import { PullReader, Silence } from './nats-pulls.ts';
import { answerQuestions, askQuestion } from './nats-questions.ts';
import { ensureStream } from './nats-stream.ts';
import { Tells } from './nats-tells.ts';
import { readReport } from './report.ts';
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
  readonly #tells: Tells;
  readonly #presence: NatsPresence;
  #telling = false;
  readonly #ear = new Ear(setImmediate);
  /** What peers, or other processes, say to this one: subscribed to on every connection. */
  readonly #heeded = new Set<string>();
  #hello: (() => Hello | undefined) | undefined;
  #hearReport: ((report: StoredUpTo) => void) | undefined;
  #answering: Answering | undefined;
  /** Settles when the last publish has been handed to the connection. */
  #sent: Promise<unknown> = Promise.resolve();

  constructor({ region, zone, nats, peers, log = () => undefined }: NatsBusOptions) {
    this.#region = region;
    this.#stream = streamOfZone(zone);
    this.#tells = new Tells((name) => tellSubject(region, name));
    const name = `causeway ${region} ${zone}`;
    this.#own = new NatsLink({ address: nats, name, inboxPrefix: '_INBOX', log });
    this.#peers = new Map(
      peers.map((peer) => [
        peer.region,
        new NatsLink({ address: peer.nats, name, inboxPrefix: inboxOf(region), log }),
      ]),
    );
    this.#presence = new NatsPresence({ region, own: this.#own, peers: this.#peers });
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

  async publish(message: {
    id: string;
    name: string;
    bytes: Uint8Array;
  }): Promise<{ sequence: number; repeat: boolean }> {
    const deadline = Date.now() + TIMINGS.publishMs;
    // In turn, since the first one may wait for a connection that the second finds ready.
    const sending = this.#sent.then(() => this.#send(message, deadline));
    this.#sent = sending.catch(() => undefined);
    const { ack } = await sending;
    return readAck(await asBusDown(ack), this.#stream);
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

  tell(messages: readonly Told[]): void {
    if (!this.#telling) this.#own.keep();
    this.#telling = true;
    const { current } = this.#own;
    if (current !== undefined) this.#tells.tell(current, messages);
  }

  hear(heard: (messages: readonly Told[]) => void): void {
    this.#ear.listen(heard);
    // What is published into the stream passes here too: a JetStream message is a core message first.
    this.#heed(updateSubjects(this.#region), (message) => this.#overhear(message));
    this.#heed(tellSubjects(this.#region), (message) => this.#overhear(message));
  }

  report(peer: string, report: StoredUpTo): void {
    this.#peers.get(peer)?.current?.publish(requestSubject(peer, 'stored'), JSON.stringify(report));
  }

  hearReports(heard: (report: StoredUpTo) => void): void {
    this.#hearReport = heard;
    this.#heed(requestSubject(this.#region, 'stored'), ({ data }) => {
      const report = readReport(data);
      if (report !== undefined && this.#peers.has(report.region)) this.#hearReport?.(report);
    });
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
    this.#hello = answer;
    this.#heed(requestSubject(this.#region, 'hello'), (request) => {
      if (askerOf(request.reply, [...this.#peers.keys()]) === undefined) return;
      const hello = this.#hello?.();
      if (hello !== undefined) request.respond(JSON.stringify(hello));
    });
  }

  async ask(peer: string, operation: Operation, question: Uint8Array): Promise<Uint8Array> {
    const deadline = Date.now() + TIMINGS.askMs;
    const link = this.#peer(peer);
    if (question.length > ASK.questionBytes) throw new RangeError(`a question of ${question.length} bytes`);
    const connection = await link.connection(TIMINGS.askMs);
    const isAlive = listenFor(connection);
    const patienceMs = Math.max(1, deadline - Date.now());
    const inboxPrefix = inboxOf(this.#region);
    try {
      return await asBusDown(askQuestion({ connection, peer, inboxPrefix, operation, question, patienceMs }));
    } catch (error) {
      if (error instanceof NoWord && !isAlive()) link.drop(connection);
      throw error;
    }
  }

  answer(answer: (operation: Operation, question: Uint8Array) => Promise<Uint8Array>): void {
    if (this.#answering !== undefined) return this.#answering.replace(answer);
    const answering = new Answering(answer);
    this.#answering = answering;
    const answerer = { region: this.#region, peers: [...this.#peers.keys()], answering };
    this.#own.keep((connection) => answerQuestions(connection, answerer));
  }

  hearPresence(ear: PresenceEar): void {
    this.#presence.hear(ear);
  }

  attend(topic: string): () => void {
    return this.#presence.attend(topic);
  }

  announce(topic: string, bytes: Uint8Array): void {
    this.#presence.announce(topic, bytes);
  }

  askPresence(region: string, question: Uint8Array): void {
    this.#presence.ask(region, question);
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

  /** Takes messages of this subject from now on, whatever becomes of the connection. */
  #heed(subject: string, take: (message: Msg) => void): void {
    if (this.#heeded.has(subject)) return;
    this.#heeded.add(subject);
    this.#own.keep((connection) => {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) take(message);
        },
      });
    });
  }

  #overhear({ subject, data }: Msg): void {
    this.#ear.hear({ name: nameOfSubject(subject), bytes: new Uint8Array(data) });
  }
}

/** Room for what goes with a message: `Nats-Msg-Id` and its value. */
const HEADER_BYTES = 512;
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

function readAck(message: Msg, stream: string): { sequence: number; repeat: boolean } {
  type Ack = { seq?: number; stream?: string; duplicate?: boolean; error?: { description?: string } };
  const ack = message.json<Ack>();
  if (ack.error !== undefined || ack.stream !== stream || ack.seq === undefined)
    throw new BusDown(`the broker refused a message: ${ack.error?.description ?? 'no such stream'}`);
  return { sequence: ack.seq, repeat: ack.duplicate === true };
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
    if (error instanceof BusDown) throw error;
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
