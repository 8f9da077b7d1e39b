import { connect, type CanvasDocument, type Client } from '@causeway/client';
import { ERRORS, canvasName, parseName } from '@causeway/protocol';
import type { World } from '@causeway/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { createCanvas } from './door-pair.ts';
import { connectDocument, openDocument, reencoded } from './documents.ts';
import { eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west'] as const;
const LIAR = 7;

/** A stock provider and the code that closed it for good. */
type Desk = { doc: Y.Doc; provider: WebsocketProvider; closed: number | undefined };

let opened: Awaited<ReturnType<typeof testWorld>>;
let world: World;
let token: string;
const clients: Client[] = [];
const desks: Desk[] = [];

const url = (region: string): string => world.regions[region]!.url;

function desk(region: string, name: string, client?: number): Desk {
  const doc = new Y.Doc();
  if (client !== undefined) doc.clientID = client;
  const provider = connectDocument(doc, url(region), name, token);
  const made: Desk = { doc, provider, closed: undefined };
  provider.once('closed', ({ code }) => {
    made.closed = code;
  });
  desks.push(made);
  return made;
}

async function canvasAt(region: string, id: string): Promise<CanvasDocument> {
  const client = await connect({ url: url(region), token, workspace: 'demo' });
  clients.push(client);
  return client.openCanvas(id);
}

const textOf = (canvas: CanvasDocument): string => canvas.getSnapshot().doc.getText('text').toJSON();
const write = (canvas: CanvasDocument, text: string): void =>
  canvas.getSnapshot().doc.getText('text').insert(0, text);

beforeAll(async () => {
  opened = await testWorld({ regions: REGIONS, delayMs: 100 });
  world = opened.world;
  token = await world.token('ada');
});
afterAll(async () => {
  for (const client of clients) client.close();
  for (const { provider } of desks) provider.destroy();
  await opened?.[Symbol.asyncDispose]();
});

describe('a client that equivocates', () => {
  it('R1 stock providers are stopped, a fresh document on the new name converges, and the SDK follows by itself', async () => {
    const name = await createCanvas(url('us-east'), token);
    const { workspace, canvas } = parseName(name) as { workspace: string; canvas: string };
    const honest = [desk('us-east', name), desk('eu-west', name)] as const;
    const sdk = await Promise.all(REGIONS.map((region) => canvasAt(region, canvas)));
    for (const each of sdk)
      await eventually(
        'the SDK',
        async () => each.getSnapshot().connection,
        (state) => state === 'live',
      );
    write(sdk[0]!, 'honest ');
    for (const { doc } of honest)
      await eventually(
        'honest work',
        async () => doc.getText('text').toJSON(),
        (text) => text === 'honest ',
      );

    // The same clocks with two contents, at once: the ocean is wider than that.
    const liars = ['aaa', 'bbb'].map((lie, at) => {
      const { doc, provider } = desk(REGIONS[at]!, name, LIAR);
      return new Promise<void>((resolve) => {
        provider.once('sync', () => {
          doc.getText('text').insert(7, lie);
          resolve();
        });
      });
    });
    await Promise.all(liars);
    await eventually(
      'a difference',
      async () => honest.map(({ doc }) => doc.getText('text').toJSON()),
      ([us, eu]) => us === 'honest aaa' && eu === 'honest bbb',
    );
    // A process that begins compares at once; otherwise it takes a minute.
    await world.restart('eu-west', 'server');

    await eventually(
      'stock providers are stopped',
      async () => ({
        closed: honest.map(({ closed }) => closed),
        regions: await Promise.all(
          REGIONS.map(async (region) => (await fetch(`${url(region)}/readyz`)).json() as Promise<unknown>),
        ),
      }),
      ({ closed }) => closed.every((code) => code === ERRORS['superseded'].close),
      100_000,
    );
    const next = canvasName(workspace, canvas, 2);
    for (const each of sdk)
      await eventually(
        'the SDK on the new name',
        async () => ({ connection: each.getSnapshot().connection, text: textOf(each) }),
        ({ connection, text }) => connection === 'live' && /^honest (aaa|bbb)$/.test(text),
      );
    write(sdk[1]!, 'still ');
    await eventually(
      'what the other one wrote',
      async () => sdk.map(textOf),
      ([us, eu]) => us === eu && us!.startsWith('still honest '),
    );
    const fresh = await openDocument(url('us-east'), next, token);
    expect(fresh.doc.getText('text').toJSON()).toBe(textOf(sdk[0]!));
    fresh.provider.destroy();
    await eventually(
      'the same bytes',
      () => Promise.all(REGIONS.map((region) => reencoded(url(region), next, token))),
      ([us, eu]) => us === eu,
    );
    const list = await clients[1]!.canvases();
    expect(list).toMatchObject([{ id: canvas, document: next }]);
  });
});
