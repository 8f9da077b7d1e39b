import type { Ack, Message, Page, Problem } from '@causeway/protocol';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

/** A member at one region who does what a client does: keeps a command until it is acknowledged. */
export class Speaker {
  readonly #url: string;
  readonly #token: string;
  /** Answers that were not an acknowledgement, by code; for reports. */
  readonly refusals = new Map<string, number>();

  constructor(regionUrl: string, token: string, workspace = 'demo', channel = 'general') {
    this.#url = `${regionUrl}/v1/workspaces/${workspace}/channels/${channel}`;
    this.#token = token;
  }

  /** Posts, and tries again with the same nonce for as long as the region says retry or nothing. */
  async post(body: string, thread?: string): Promise<Ack> {
    const nonce = randomBytes(16).toString('base64url');
    for (;;) {
      const answer = await this.request('POST', '/messages', { body, nonce, thread }).catch(() => undefined);
      if (answer?.status === 201) return (await answer.json()) as Ack;
      const problem = (await answer?.json().catch(() => undefined)) as Problem | undefined;
      const code = problem?.code ?? 'unreachable';
      this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
      if (problem !== undefined && problem.next !== 'retry' && problem.next !== 'elsewhere')
        throw new Error(`${problem.code}: ${problem.detail}`);
      await pause(50);
    }
  }

  async page(cursor?: string): Promise<Page<Message>> {
    const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await this.request('GET', `/messages?limit=200${query}`);
    if (answer.status !== 200) throw new Error(`reading answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Page<Message>;
  }

  /** Every message of the channel, newest first, page by page. */
  async everything(): Promise<Message[]> {
    const messages: Message[] = [];
    for (let cursor: string | undefined; ;) {
      const { items, next } = await this.page(cursor);
      messages.push(...items);
      if (next === undefined) return messages;
      cursor = next;
    }
  }

  request(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(this.#url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
  }
}

/** Asks until `condition` holds; its last answer is in the error when it never does. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  condition: (answer: T) => boolean,
  ms = 60_000,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (let answer: T | string = 'nothing'; ;) {
    try {
      const got = await ask();
      if (condition(got)) return got;
      answer = got;
    } catch (error) {
      answer = String(error);
    }
    if (performance.now() > deadline)
      throw new Error(
        `${what} did not happen within ${ms} ms; last: ${Array.isArray(answer) ? `${answer.length} items, ` : ''}${JSON.stringify(answer)?.slice(0, 2000)}`,
      );
    await pause(50);
  }
}
