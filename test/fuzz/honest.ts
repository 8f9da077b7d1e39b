import { connect, type Client } from '@causeway/client';
import { commandId, parseName, type CommandOf } from '@causeway/protocol';
import type { HocuspocusProvider } from '@hocuspocus/provider';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { HonestPair } from '../regions/door-pair.ts';
import { connectCollab } from '../regions/documents.ts';
import { Speaker, eventually } from '../regions/speaker.ts';

/** Between two things that one of them does, milliseconds. */
const EVERY_MS = 100;
/** What takes longer is a failure, milliseconds. */
const PATIENCE_MS = 20_000;

type Person = { name: string; act(): Promise<void>; close(): void | Promise<void> };

/** Those who use the region beside the attackers, one through each door, and must not notice anything. */
export class Honest {
  /** Things done, and the longest that one took, milliseconds. */
  readonly done = new Map<string, { count: number; longestMs: number }>();
  readonly failures: string[] = [];
  /** A document that they keep to themselves. */
  readonly canvas: string;
  readonly #people: readonly Person[];
  readonly #over = new AbortController();
  #acting: Promise<unknown> = Promise.resolve();

  private constructor(canvas: string, people: readonly Person[]) {
    this.canvas = canvas;
    this.#people = people;
  }

  static async open(url: string, ada: string, ben: string): Promise<Honest> {
    const pair = await HonestPair.open([url, url], ada);
    const { canvas } = parseName(pair.name) as { canvas: string };
    const speaker = new Speaker(url, ada);
    for (const [to, right] of [
      ['ben', 'edit'],
      ['*', 'none'],
    ] as const)
      await speaker.request('PUT', `/../../canvases/${canvas}/rights/${to}`, { right });
    const failed: string[] = [];
    const people: Person[] = [
      { name: 'y-websocket', act: () => pair.isUndisturbed(), close: () => pair.close() },
      collab(url, pair.name, ben, failed),
      await sdk(url, ada),
      await events(url, ben, failed),
    ];
    const honest = new Honest(pair.name, people);
    failed.push = (...what) => honest.failures.push(...what);
    return honest;
  }

  begin(): void {
    this.#acting = Promise.all(this.#people.map((person) => this.#goOn(person)));
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.#acting;
    for (const person of this.#people) await person.close();
  }

  async #goOn({ name, act }: Person): Promise<void> {
    const done = { count: 0, longestMs: 0 };
    this.done.set(name, done);
    while (!this.#over.signal.aborted && this.failures.length < 100) {
      const started = performance.now();
      const late = pause(PATIENCE_MS, 'late', { ref: false });
      const outcome = await Promise.race([act().catch((error: unknown) => String(error)), late]);
      if (outcome !== undefined) this.failures.push(`${name}: ${outcome}`);
      done.count++;
      done.longestMs = Math.max(done.longestMs, performance.now() - started);
      await pause(EVERY_MS);
    }
  }
}

function collab(url: string, name: string, token: string, failed: string[]): Person {
  const doc = new Y.Doc();
  const provider: HocuspocusProvider = connectCollab(doc, url, name, token);
  provider.on('close', ({ event }: { event: { code: number } }) =>
    failed.push(`@hocuspocus/provider: closed with ${event.code}`),
  );
  return {
    name: '@hocuspocus/provider',
    async act() {
      doc.getMap('collab').set('now', randomBytes(6).toString('hex'));
      await eventually('all saved', async () => provider.isSynced && !provider.hasUnsyncedChanges, Boolean);
    },
    close() {
      provider.off('close');
      provider.destroy();
    },
  };
}

async function sdk(url: string, token: string): Promise<Person> {
  const client: Client = await connect({ url, token, workspace: 'demo' });
  const feed = client.openChannel('general');
  await eventually('the SDK', async () => feed.getSnapshot().connection === 'live', Boolean);
  let lost = 0;
  client.connection.subscribe(() => {
    if (client.connection.getSnapshot().status !== 'live') lost++;
  });
  return {
    name: 'the SDK',
    async act() {
      const { id } = await client.post('general', `from the SDK ${randomBytes(4).toString('hex')}`);
      await eventually(
        'it comes back',
        async () => feed.getSnapshot().messages.some((each) => each.id === id),
        Boolean,
      );
      if (lost > 0) throw new Error(`lost its connection ${lost} times`);
    },
    close: () => client.close(),
  };
}

async function events(url: string, token: string, failed: string[]): Promise<Person> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/events?token=${token}&channels=general`);
  const heard = new Map<string, () => void>();
  socket.on('message', (data: Buffer) => {
    const { event, message } = JSON.parse(data.toString()) as { event?: string; message?: { id: string } };
    if (event === 'message-posted' && message !== undefined) heard.get(message.id)?.();
  });
  const closed = (code: number): void => void failed.push(`/v1/events: closed with ${code}`);
  socket.on('close', closed);
  await new Promise((resolve) => socket.once('open', resolve));
  return {
    name: '/v1/events',
    async act() {
      const command: CommandOf<'post'> = {
        kind: 'post',
        workspace: 'demo',
        member: 'ben',
        channel: 'general',
        nonce: randomBytes(16).toString('base64url'),
        body: 'from a bot',
      };
      const id = commandId(command);
      const came = new Promise<void>((resolve) => heard.set(id, resolve));
      socket.send(JSON.stringify({ do: 'command', command }));
      await came;
      heard.delete(id);
    },
    close() {
      socket.off('close', closed);
      socket.close();
    },
  };
}
