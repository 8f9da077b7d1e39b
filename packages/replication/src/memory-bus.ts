import { BusDown, type Bus, type Delivery, type Hello } from '@causeway/replica';
import { BATCH, batchLength } from './batches.ts';
import type { MemoryBroker, MemoryLink, MemoryNetwork } from './memory-network.ts';
import { TIMINGS } from './timings.ts';

/** The bus of one process in a simulated network. */
export class MemoryBus implements Bus {
  readonly #network: MemoryNetwork;
  readonly #own: MemoryBroker;
  readonly #closed = new AbortController();
  #answer: (() => Hello | undefined) | undefined;

  constructor(network: MemoryNetwork, own: MemoryBroker) {
    this.#network = network;
    this.#own = own;
  }

  async open(): Promise<{ stream: string; lastSequence: number }> {
    this.#assertUp(this.#own);
    return { stream: this.#own.stream.identity, lastSequence: this.#own.stream.lastSequence };
  }

  async publish(message: { id: string; name: string; bytes: Uint8Array }): Promise<{ sequence: number }> {
    const { time } = this.#network;
    const own = this.#own;
    this.#assertUp(own);
    const epoch = own.epoch;
    const sequence = own.stream.append({ ...message, at: time.now() });
    this.#network.changed();
    if (own.acksToLose > 0) {
      own.acksToLose--;
      await time.sleep(TIMINGS.publishMs, this.#closed.signal);
      throw new BusDown(`${own.region} did not acknowledge`);
    }
    if (own.ackMs > 0) await time.sleep(own.ackMs, this.#closed.signal);
    this.#assertUp(own);
    if (own.epoch !== epoch) throw new BusDown(`the broker of ${own.region} restarted`);
    return { sequence };
  }

  async follow(
    peer: string,
    from: number,
    deliver: (batch: Delivery[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never> {
    const { link, broker } = this.#road(peer);
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
      this.#assertUp(broker);
      if (broker.epoch !== epochs.broker || link.epoch !== epochs.link)
        throw new BusDown(`the connection to ${peer} is lost`);
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

  async hello(peer: string): Promise<Hello> {
    const { link, broker } = this.#road(peer);
    const there = this.#network.findLink(this.#own.region, peer)!;
    const { time } = this.#network;
    const deadline = time.now() + TIMINGS.helloMs;
    await this.#travel(there, deadline);
    this.#assertUp(broker);
    if (broker.answers.size === 0) throw new BusDown(`nobody answers for ${peer}`);
    const answer = [...broker.answers].map((answer) => answer()).find((answer) => answer !== undefined);
    if (answer === undefined) await time.sleep(deadline - time.now(), this.#closed.signal);
    else await this.#travel(link, deadline);
    this.#assertUp(broker);
    if (answer === undefined) throw new BusDown(`${peer} did not answer within ${TIMINGS.helloMs} ms`);
    return answer;
  }

  answerHello(answer: () => Hello | undefined): void {
    if (this.#answer !== undefined) this.#own.answers.delete(this.#answer);
    this.#answer = answer;
    if (!this.#closed.signal.aborted) this.#own.answers.add(answer);
  }

  async close(): Promise<void> {
    if (this.#answer !== undefined) this.#own.answers.delete(this.#answer);
    this.#closed.abort();
  }

  #assertUp(broker: MemoryBroker): void {
    if (this.#closed.signal.aborted) throw new BusDown('the bus is closed');
    if (!broker.running) throw new BusDown(`the broker of ${broker.region} does not answer`);
  }

  #road(peer: string): { link: MemoryLink; broker: MemoryBroker } {
    const link = this.#network.findLink(peer, this.#own.region);
    if (link === undefined) throw new BusDown(`${this.#own.region} has no credentials for ${peer}`);
    return { link, broker: this.#network.broker(peer) };
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

  /** Resolves when a request or its answer has passed the link, which may be healed meanwhile. */
  async #travel(link: MemoryLink, deadline: number): Promise<void> {
    const { time } = this.#network;
    const sentAt = time.now();
    for (;;) {
      this.#assertUp(this.#own);
      const now = time.now();
      if (now >= deadline) throw new BusDown(`no answer within ${TIMINGS.helloMs} ms`);
      const arrivesAt = Math.max(sentAt, link.since) + link.delayMs;
      if (link.open && arrivesAt <= now) return;
      const wakeAt = link.open ? Math.min(arrivesAt, deadline) : deadline;
      await this.#network.wait(wakeAt - now, this.#closed.signal);
    }
  }
}
