import type { World } from '@causeway/local';
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';

/** Many members who post to one region over kept connections. */
export class Crowd {
  readonly #url: string;
  readonly #tokens: string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #turn = 0;

  private constructor(url: string, tokens: string[]) {
    this.#url = url;
    this.#tokens = tokens;
  }

  static async at(world: World, region: string, members = 200): Promise<Crowd> {
    const names = Array.from({ length: members }, (_, at) => `member${at}`);
    return new Crowd(world.regions[region]!.url, await Promise.all(names.map((name) => world.token(name))));
  }

  /** Resolves when the region has acknowledged the post. */
  post(channel: string, body: string): Promise<void> {
    const token = this.#tokens[this.#turn++ % this.#tokens.length]!;
    const payload = JSON.stringify({ body, nonce: randomBytes(16).toString('base64url') });
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.#url}/v1/workspaces/demo/channels/${channel}/messages`,
        {
          method: 'POST',
          agent: this.#agent,
          headers: {
            'authorization': `Bearer ${token}`,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(payload),
          },
        },
        (answer) => {
          answer.resume();
          answer.once('end', () =>
            answer.statusCode === 201 ? resolve() : reject(new Error(`answered ${answer.statusCode}`)),
          );
        },
      );
      sent.once('error', reject);
      sent.end(payload);
    });
  }

  /** Posts `count` bodies, `atOnce` under way at a time. */
  async postMany(channel: string, count: number, atOnce: number): Promise<void> {
    let left = count;
    const one = async (): Promise<void> => {
      while (left-- > 0)
        await this.post(channel, `message ${left} of about sixty characters, as chat has them`);
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  }

  close(): void {
    this.#agent.destroy();
  }
}
