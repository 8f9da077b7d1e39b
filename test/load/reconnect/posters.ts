import { connect, type Client } from '@causeway/client';

/** One send: when it was posted and when it was acknowledged, milliseconds of the monotonic clock. */
export type Send = { body: string; channel: string; postedAt: number; ackedAt?: number; error?: string };

export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A member who posts, with the real SDK. */
export type Poster = { token: string; channel: string };

/**
 * A few members who post all the time, each in a channel of its own that is open, every so many
 * milliseconds whether or not the last one is acknowledged: who waits for acks measures only the good moments.
 */
export class Posters {
  readonly sends: Send[] = [];
  readonly #clients: { client: Client; channel: string }[] = [];
  readonly #under = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  static async open(url: string, workspace: string, posters: readonly Poster[]): Promise<Posters> {
    const all = new Posters();
    for (const { token, channel } of posters) {
      const client = await connect({ url, token, workspace });
      client.openChannel(channel);
      all.#clients.push({ client, channel });
    }
    return all;
  }

  /** Each of them posts once in `everyMs`, in turn. */
  start(everyMs: number): void {
    this.#timer = setInterval(() => this.#post(), everyMs / this.#clients.length);
  }

  /** Posts no more; resolves when everything is acknowledged or refused for good. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.settled();
  }

  /** Everything that is posted by now is acknowledged, or refused for good. */
  async settled(): Promise<void> {
    await Promise.all(this.#under);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(({ client }) => client.close()));
  }

  #post(): void {
    const turn = this.#turn++;
    const { client, channel } = this.#clients[turn % this.#clients.length]!;
    const send: Send = { body: `send ${turn} while others come back`, channel, postedAt: now() };
    this.sends.push(send);
    const settled = client
      .post(channel, send.body)
      .then(
        () => void (send.ackedAt = now()),
        (error: unknown) => void (send.error = String(error)),
      )
      .finally(() => this.#under.delete(settled));
    this.#under.add(settled);
  }
}
