import type { World } from '@causeway/local';
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';

type Answer = { status: number; id?: string };

const CHANNELS = ['general', 'random'] as const;
const EMOJI = ['thumbs', 'heart', 'eyes'] as const;
/** Messages that later operations are about; the oldest are forgotten. */
const RECENT = 2_000;
const AGAIN_MS = 200;

/**
 * What a busy workspace does, in the mixture of evidence-crdt.md: posts, a tenth of them edited,
 * a fifth reacted to, some deleted, over all regions.
 */
export class Workload {
  readonly #urls: readonly string[];
  readonly #tokens: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #recent: { channel: string; id: string; member: number; region: number }[] = [];
  #count = 0;

  private constructor(urls: readonly string[], tokens: readonly string[]) {
    this.#urls = urls;
    this.#tokens = tokens;
  }

  static async at(world: World, members = 50): Promise<Workload> {
    const names = Array.from({ length: members }, (_, at) => `member${at}`);
    const urls = Object.values(world.regions).flatMap(({ urls }) => urls);
    return new Workload(urls, await Promise.all(names.map((name) => world.token(name))));
  }

  /** Operations carried out so far. */
  get count(): number {
    return this.#count;
  }

  /** Carries out operations until `count` of them are, `atOnce` under way at a time. */
  async until(count: number, atOnce = 24): Promise<void> {
    const one = async (): Promise<void> => {
      while (this.#count < count) {
        this.#count++;
        await this.#operation();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  }

  close(): void {
    this.#agent.destroy();
  }

  async #operation(): Promise<void> {
    const about = this.#recent[Math.floor(Math.random() * this.#recent.length)];
    const roll = Math.random();
    if (about === undefined || roll < 0.7) return this.#post();
    const path = `/${about.channel}/messages/${about.id}`;
    if (roll < 0.77) await this.#send(about.region, about.member, 'PATCH', path, { body: sentence() });
    else if (roll < 0.97) {
      const emoji = EMOJI[Math.floor(Math.random() * EMOJI.length)]!;
      const member = Math.floor(Math.random() * this.#tokens.length);
      const method = Math.random() < 0.8 ? 'PUT' : 'DELETE';
      await this.#send(about.region, member, method, `${path}/reactions/${emoji}`, {});
    } else {
      this.#recent.splice(this.#recent.indexOf(about), 1);
      await this.#send(about.region, about.member, 'DELETE', path, {});
    }
  }

  async #post(): Promise<void> {
    const region = Math.floor(Math.random() * this.#urls.length);
    const member = Math.floor(Math.random() * this.#tokens.length);
    const channel = CHANNELS[Math.floor(Math.random() * CHANNELS.length)]!;
    const body = { body: sentence(), nonce: randomBytes(16).toString('base64url') };
    const { id } = await this.#send(region, member, 'POST', `/${channel}/messages`, body);
    if (id !== undefined) this.#recent.push({ channel, id, member, region });
    if (this.#recent.length > RECENT) this.#recent.shift();
  }

  /** Sends it until it is answered with anything but "try again". */
  async #send(region: number, member: number, method: string, path: string, body: object): Promise<Answer> {
    for (;;) {
      const answer = await this.#try(region, member, method, path, JSON.stringify(body));
      if (answer.status < 500 && answer.status !== 429) return answer;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  #try(region: number, member: number, method: string, path: string, payload: string): Promise<Answer> {
    const headers = {
      'authorization': `Bearer ${this.#tokens[member]}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(payload),
    };
    const url = `${this.#urls[region]}/v1/workspaces/demo/channels${path}`;
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, agent: this.#agent, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.once('end', () => {
          const { id } = JSON.parse(text || '{}') as { id?: string };
          resolve({ status: answer.statusCode ?? 0, ...(id === undefined ? {} : { id }) });
        });
      });
      sent.once('error', reject);
      sent.end(payload);
    });
  }
}

const WORDS = 'the a of to build server region channel heals cut write read later again because maybe'.split(
  ' ',
);

/** About sixty characters, as chat has them, and not the same each time. */
function sentence(): string {
  let text = '';
  while (text.length < 40 + Math.random() * 40) text += `${WORDS[Math.floor(Math.random() * WORDS.length)]} `;
  return text.trim();
}
