import { Agent, request } from 'node:http';
import type { SeededRandom } from '../sim/seeded-random.ts';
import { bent, noise, oversized } from './hostile-bytes.ts';
import type { Kind, Targets } from './frames.ts';
import { anything } from './requests.ts';
import type { Tally } from './tally.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'];
const PARTS = [
  'workspaces',
  'demo',
  'demo-eu',
  'channels',
  'general',
  'messages',
  'pins',
  'read',
  'unread',
  'topic',
  'canvases',
  'scheduled',
  'direct',
  'availability',
  'members',
  'archived',
  'thread',
  'versions',
  'restore',
  'A'.repeat(22),
  '%00',
  '%ff',
  '..',
  '%2e%2e',
  '__proto__',
  'x'.repeat(400),
];

/** One who asks the REST door for what it does not have, with bodies that are none. */
export class RestAttacker {
  readonly #region: URL;
  readonly #random: SeededRandom;
  readonly #token: string;
  readonly #tally: Tally;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(region: string, random: SeededRandom, { token }: Targets, tally: Tally) {
    this.#region = new URL(region);
    this.#random = random;
    this.#token = token;
    this.#tally = tally;
  }

  /** One request. Never rejects. */
  async strike(): Promise<void> {
    const { kind, body } = this.#body();
    this.#tally.sent('rest', kind);
    await new Promise<void>((resolve) => {
      const asking = request(
        {
          host: this.#region.hostname,
          port: this.#region.port,
          agent: this.#agent,
          method: this.#random.pick(METHODS),
          path: this.#path(),
          headers: this.#headers(body.length),
        },
        (answer) => {
          this.#tally.closed('rest', answer.statusCode ?? 0);
          answer.resume();
          answer.once('close', resolve);
        },
      );
      asking.once('error', () => {
        this.#tally.closed('rest', 0);
        resolve();
      });
      asking.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #path(): string {
    const random = this.#random;
    const known = [
      '/v1/workspaces/demo',
      ...Array.from({ length: random.below(6) }, () => random.pick(PARTS)),
    ].join('/');
    const query = random.chance(30)
      ? `?cursor=${'~'.repeat(random.below(9))}&limit=${random.below(300) - 50}&after=x`
      : '';
    return `${known}${query}`;
  }

  #headers(length: number): Record<string, string | number> {
    const random = this.#random;
    return {
      'content-length': length,
      'content-type': random.pick([
        'application/json',
        'application/json',
        'text/plain',
        'application/x-bad; charset=x',
      ]),
      ...(random.chance(80) ? { authorization: `Bearer ${random.chance(85) ? this.#token : 'x.y.z'}` } : {}),
      ...(random.chance(10) ? { 'if-match': `"${'9'.repeat(random.below(30))}"` } : {}),
      ...(random.chance(5) ? { 'x-large': 'h'.repeat(random.below(20_000)) } : {}),
    };
  }

  #body(): { kind: Kind; body: Uint8Array } {
    const random = this.#random;
    const text = new TextEncoder().encode(JSON.stringify(anything(random)) ?? '');
    if (random.below(4_000) === 0) return { kind: 'oversized', body: oversized(random) };
    if (random.chance(20)) return { kind: 'noise', body: noise(random) };
    if (random.chance(10)) return { kind: 'bomb', body: new Uint8Array(1 + random.below(20_000)).fill(0x5b) };
    return random.chance(40)
      ? { kind: 'bent', body: bent(random, text) }
      : { kind: 'out-of-state', body: text };
  }
}
