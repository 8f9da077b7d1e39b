import {
  BusDown,
  type Bus,
  type Delivery,
  type Hello,
  type Operation,
  type PresenceEar,
  type StoredUpTo,
} from '@causeway/replica';
import { Answering, ASK, nameOfError } from './answering.ts';
import { BATCH, batchLength } from './batches.ts';
import { Ear, type Told } from './ear.ts';
import type { MemoryBroker, MemoryLink, MemoryNetwork } from './memory-network.ts';
import { MemoryPresence } from './memory-presence.ts';
import { TIMINGS } from './timings.ts';

/** What a connection over a link lives by: when one of them changes, it has broken. */
type Epochs = { broker: number; link: number };
type Road = { link: MemoryLink; back: MemoryLink; broker: MemoryBroker };
type Outcome = { bytes: Uint8Array } | { failure: string };

/** The bus of one process in a simulated network. */
export class MemoryBus implements Bus {
  readonly #network: MemoryNetwork;
  readonly #own: MemoryBroker;
  readonly #closed = new AbortController();
  readonly #ear: Ear;
  readonly #presence: MemoryPresence;
  #hello: (() => Hello | undefined) | undefined;
  #hearReport: ((report: StoredUpTo) => void) | undefined;
  #answering: Answering | undefined;
  #paused = false;

  constructor(network: MemoryNetwork, own: MemoryBroker) {
    this.#network = network;
    this.#own = own;
    this.#ear = new Ear((flush) => void this.#hearSoon(flush));
    this.#presence = new MemoryPresence(network, own, this.#closed.signal);
    own.processes.add(this);
  }

  /** SIGSTOP: nothing is sent or received until `resume`, and what others say meanwhile is missed. */
  pause(): void {
    this.#paused = true;
    this.#ear.clear();
    this.#presence.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#network.changed();
    this.#presence.resume();
  }

  async open(): Promise<{ stream: string; lastSequence: number }> {
    if (this.#paused) await this.#resumed();
    this.#assertUp(this.#own);
    return { stream: this.#own.stream.identity, lastSequence: this.#own.stream.lastSequence };
  }

  async publish(message: {
    id: string;
    name: string;
    bytes: Uint8Array;
  }): Promise<{ sequence: number; repeat: boolean }> {
    const { time } = this.#network;
    const own = this.#own;
    if (this.#paused) await this.#resumed();
    this.#assertUp(own);
    const epoch = own.epoch;
    const taken = own.stream.append({ ...message, at: time.now() });
    this.#network.changed();
    this.#say([message]);
    if (own.acksToLose > 0) {
      own.acksToLose--;
      await time.sleep(TIMINGS.publishMs, this.#closed.signal);
      throw new BusDown(`${own.region} did not acknowledge`);
    }
    if (own.ackMs > 0) await time.sleep(own.ackMs, this.#closed.signal);
    if (this.#paused) await this.#resumed();
    this.#assertUp(own);
    if (own.epoch !== epoch) throw new BusDown(`the broker of ${own.region} restarted`);
    return taken;
  }

  async follow(
    peer: string,
    from: number,
    deliver: (batch: Delivery[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never> {
    const { back: link, broker } = this.#road(peer);
    const { time } = this.#network;
    signal.throwIfAborted();
    const startedAt = time.now();
    const epochs = { broker: broker.epoch, link: link.epoch };
    const reader = Symbol(this.#own.region);
    broker.readers.set(this.#own.region, reader);
    this.#network.changed();
    const ended = AbortSignal.any([signal, this.#closed.signal]);
    let next = from;
    for (;;) {
      signal.throwIfAborted();
      if (this.#paused) await this.#resumed(ended);
      signal.throwIfAborted();
      this.#assertUp(broker);
      this.#assertSame(epochs, link, broker);
      if (broker.readers.get(this.#own.region) !== reader)
        throw new BusDown(`another process of ${this.#own.region} reads ${peer} now`);
      const arrivals = this.#arrivals(link, broker, next, startedAt);
      if (arrivals.batch.length > 0) {
        next = arrivals.batch.at(-1)!.sequence + 1;
        await deliver(arrivals.batch);
        if (link.twice) await deliver(arrivals.batch);
      } else if (link.open) {
        await this.#network.wait(arrivals.afterMs, ended);
      } else {
        const leftMs = Math.max(link.since, startedAt) + TIMINGS.silenceMs - time.now();
        if (leftMs <= 0) throw new BusDown(`${peer} has been silent for ${TIMINGS.silenceMs} ms`);
        await this.#network.wait(leftMs, ended);
      }
    }
  }

  tell(messages: readonly Told[]): void {
    if (this.#paused) void this.#resumed().then(() => this.#say(messages));
    else this.#say(messages);
  }

  hear(heard: (messages: readonly Told[]) => void): void {
    this.#ear.listen(heard);
  }

  report(peer: string, report: StoredUpTo): void {
    void this.#report(peer, { ...report }).catch((error: unknown) => {
      if (!(error instanceof BusDown)) throw error;
    });
  }

  hearReports(heard: (report: StoredUpTo) => void): void {
    this.#hearReport = heard;
  }

  async hello(peer: string): Promise<Hello> {
    const road = this.#road(peer);
    const deadline = this.#network.time.now() + TIMINGS.helloMs;
    const epochs = await this.#travel(road.link, road.broker, deadline);
    const listening = [...road.broker.processes].filter((process) => process.#hello !== undefined);
    if (listening.length === 0) throw new BusDown(`nobody answers for ${peer}`);
    const answer = (): Hello | undefined =>
      listening.map((process) => process.#sayHello()).find((hello) => hello !== undefined);
    const hello = await this.#until(answer, deadline, road, epochs);
    await this.#travel(road.back, road.broker, deadline);
    return hello;
  }

  answerHello(answer: () => Hello | undefined): void {
    this.#hello = answer;
    this.#network.changed();
  }

  async ask(peer: string, operation: Operation, question: Uint8Array): Promise<Uint8Array> {
    const road = this.#road(peer);
    const { broker } = road;
    if (question.length > ASK.questionBytes) throw new RangeError(`a question of ${question.length} bytes`);
    const deadline = this.#network.time.now() + TIMINGS.askMs;
    const asked = question.slice();
    const epochs = await this.#travel(road.link, broker, deadline);
    const listening = [...broker.processes].filter((process) => process.#answering !== undefined);
    const answerer = listening[broker.questions++ % listening.length];
    if (answerer === undefined) throw new BusDown(`nobody answers for ${peer}`);
    let outcome: Outcome | undefined;
    void answerer.#take(operation, asked).then((taken) => {
      outcome = taken;
      this.#network.changed();
    });
    const known = await this.#until(() => outcome, deadline, road, epochs);
    await this.#travel(road.back, broker, deadline);
    if ('failure' in known) throw new BusDown(`${peer} does not answer: ${known.failure}`);
    return known.bytes;
  }

  answer(answer: (operation: Operation, question: Uint8Array) => Promise<Uint8Array>): void {
    if (this.#answering === undefined) this.#answering = new Answering(answer);
    else this.#answering.replace(answer);
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
    this.#own.processes.delete(this);
    this.#presence.close();
    this.#ear.clear();
    this.#closed.abort();
  }

  #assertOpen(): void {
    if (this.#closed.signal.aborted) throw new BusDown('the bus is closed');
  }

  #assertUp(broker: MemoryBroker): void {
    this.#assertOpen();
    if (!broker.running) throw new BusDown(`the broker of ${broker.region} does not answer`);
  }

  #assertSame(epochs: Epochs, link: MemoryLink, broker: MemoryBroker): void {
    if (broker.epoch !== epochs.broker || link.epoch !== epochs.link)
      throw new BusDown(`the connection to ${broker.region} is lost`);
  }

  #road(peer: string): Road {
    const link = this.#network.findLink(this.#own.region, peer);
    const back = this.#network.findLink(peer, this.#own.region);
    if (link === undefined || back === undefined)
      throw new BusDown(`${this.#own.region} has no credentials for ${peer}`);
    return { link, back, broker: this.#network.broker(peer) };
  }

  /** Resolves when the process runs, or its bus is closed, or the signal fires. */
  async #resumed(signal = this.#closed.signal): Promise<void> {
    while (this.#paused && !signal.aborted) await this.#network.wait(Infinity, signal);
  }

  /** To the other processes of this region. */
  #say(messages: readonly Told[]): void {
    const own = this.#own;
    if (this.#closed.signal.aborted || !own.running) return;
    if (own.tellsToLose > 0) own.tellsToLose--;
    else for (const process of own.processes) if (process !== this) process.#overhear(messages);
  }

  #overhear(messages: readonly Told[]): void {
    if (this.#paused) return;
    for (const { name, bytes } of messages) this.#ear.hear({ name, bytes: bytes.slice() });
  }

  async #hearSoon(flush: () => void): Promise<void> {
    const { epoch, hearMs } = this.#own;
    await this.#network.time.sleep(hearMs, this.#closed.signal);
    if (this.#own.epoch !== epoch) this.#ear.clear();
    flush();
  }

  async #report(peer: string, report: StoredUpTo): Promise<void> {
    const { link, broker } = this.#road(peer);
    await this.#travel(link, broker, this.#network.time.now() + TIMINGS.silenceMs);
    for (const process of broker.processes) if (!process.#paused) process.#hearReport?.({ ...report });
  }

  #sayHello(): Hello | undefined {
    return this.#paused ? undefined : this.#hello?.();
  }

  /** What comes of a peer's question; undefined when nobody hears of it. */
  async #take(operation: Operation, question: Uint8Array): Promise<Outcome | undefined> {
    const { time } = this.#network;
    const answering = this.#answering!;
    const takenAt = time.now();
    if (this.#paused) await this.#resumed();
    let outcome: Outcome | undefined;
    try {
      outcome = await answering.inTurn(async () => {
        // Whoever asked has given up.
        if (this.#closed.signal.aborted || time.now() - takenAt >= TIMINGS.askMs) return undefined;
        return { bytes: (await answering.answer(operation, question)).slice() };
      });
    } catch (error) {
      outcome = { failure: nameOfError(error) };
    }
    if (this.#paused) await this.#resumed();
    if (this.#closed.signal.aborted || !this.#own.running) return undefined;
    if (outcome === undefined || this.#own.answersToLose === 0) return outcome;
    this.#own.answersToLose--;
    return undefined;
  }

  /** Waits for somebody at the other end; rejects at the deadline, or when the connection breaks. */
  async #until<T>(
    find: () => T | undefined,
    deadline: number,
    { link, broker }: Road,
    epochs: Epochs,
  ): Promise<T> {
    const { time } = this.#network;
    for (;;) {
      this.#assertUp(broker);
      this.#assertSame(epochs, link, broker);
      const found = find();
      if (found !== undefined) return found;
      if (time.now() >= deadline) throw new BusDown(`${broker.region} did not answer in time`);
      await this.#network.wait(deadline - time.now(), this.#closed.signal);
    }
  }

  /** What has arrived by now, or after how long the first message will. */
  #arrivals(
    link: MemoryLink,
    broker: MemoryBroker,
    next: number,
    startedAt: number,
  ): { batch: Delivery[]; afterMs: number } {
    if (!link.open) return { batch: [], afterMs: Infinity };
    const now = this.#network.time.now();
    const waiting = broker.stream.read(next, BATCH.messages);
    const arrivesAt = (at: number): number => Math.max(at, link.since, startedAt) + link.delayMs;
    const here = waiting.filter((message) => arrivesAt(message.at) <= now);
    const batch = here.slice(0, batchLength(here));
    return {
      batch: batch.map(({ sequence, id, name, bytes }) => ({ sequence, id, name, bytes: bytes.slice() })),
      afterMs: waiting.length === 0 ? Infinity : arrivesAt(waiting[0]!.at) - now,
    };
  }

  /**
   * Resolves when something has passed the link, which may be healed meanwhile, with what the
   * connection lives by. Rejects with BusDown at the deadline and when the connection breaks.
   */
  async #travel(link: MemoryLink, broker: MemoryBroker, deadline: number): Promise<Epochs> {
    const { time } = this.#network;
    if (this.#paused) await this.#resumed();
    const sentAt = time.now();
    const epochs = { broker: broker.epoch, link: link.epoch };
    for (;;) {
      this.#assertUp(broker);
      this.#assertSame(epochs, link, broker);
      const now = time.now();
      if (now >= deadline) throw new BusDown(`no answer of ${broker.region} in time`);
      const arrivesAt = Math.max(sentAt, link.since) + link.delayMs;
      if (link.open && arrivesAt <= now) break;
      const wakeAt = link.open ? Math.min(arrivesAt, deadline) : deadline;
      await this.#network.wait(wakeAt - now, this.#closed.signal);
    }
    if (this.#paused) await this.#resumed();
    this.#assertOpen();
    return epochs;
  }
}
