import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { connectDocument } from './documents.ts';
import { Speaker, eventually } from './speaker.ts';

/** Makes a canvas; its document's name. */
export async function createCanvas(regionUrl: string, token: string, workspace = 'demo'): Promise<string> {
  const speaker = new Speaker(regionUrl, token, workspace);
  const answer = await speaker.request('POST', '/../../canvases', { title: 'a canvas' });
  return ((await answer.json()) as { document: string }).document;
}

/** Two honest people with the stock provider on one canvas, each in a region, beside whatever goes on. */
export class HonestPair {
  readonly name: string;
  readonly docs: readonly Y.Doc[];
  readonly providers: readonly WebsocketProvider[];
  /** Close codes that either of them met. */
  readonly disturbances: (number | undefined)[] = [];
  #texts = 0;

  private constructor(urls: readonly string[], name: string, token: string) {
    this.name = name;
    this.docs = urls.map(() => new Y.Doc());
    this.providers = urls.map((url, at) => connectDocument(this.docs[at]!, url, name, token));
  }

  static async open(urls: readonly string[], token: string): Promise<HonestPair> {
    const name = await createCanvas(urls[0]!, token);
    const pair = new HonestPair(urls, name, token);
    await eventually('the pair', async () => pair.providers.every(({ synced }) => synced), Boolean);
    for (const provider of pair.providers)
      provider.on('connection-close', (event) => pair.disturbances.push(event?.code));
    return pair;
  }

  /** Both write, and both have what both wrote. */
  async converge(): Promise<void> {
    const words = this.docs.map(() => randomBytes(6).toString('hex'));
    for (const [at, doc] of this.docs.entries()) doc.getMap('words').set(`${this.#texts++}`, words[at]!);
    await eventually(
      'the pair to converge',
      async () => this.docs.map((doc) => [...doc.getMap('words').values()] as string[]),
      (held) => held.every((all) => words.every((word) => all.includes(word))),
      20_000,
    );
  }

  /** Converges without ever having lost a connection. */
  async isUndisturbed(): Promise<void> {
    await this.converge();
    expect(this.disturbances).toEqual([]);
  }

  close(): void {
    for (const provider of this.providers) provider.destroy();
  }
}
