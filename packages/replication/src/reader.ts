import type { Bus, Delivery } from '@causeway/replica';

/** What a test reads of a peer's stream, and how the reading ended. */
export class Reader {
  readonly batches: Delivery[][] = [];
  readonly failure: Promise<unknown>;
  /** How many calls of `deliver` were under way at once, at most. */
  overlap = 0;
  ended = false;
  readonly #stop = new AbortController();
  #under = 0;

  constructor(bus: Bus, peer: string, from: number, deliver?: (batch: Delivery[]) => Promise<void>) {
    const take = async (batch: Delivery[]): Promise<void> => {
      this.overlap = Math.max(this.overlap, ++this.#under);
      this.batches.push(batch);
      await deliver?.(batch);
      this.#under--;
    };
    this.failure = bus.follow(peer, from, take, this.#stop.signal).catch((error: unknown) => {
      this.ended = true;
      return error;
    });
  }

  get messages(): Delivery[] {
    return this.batches.flat();
  }

  get ids(): string[] {
    return this.messages.map((message) => message.id);
  }

  async stop(reason?: Error): Promise<void> {
    this.#stop.abort(reason);
    await this.failure;
  }
}
