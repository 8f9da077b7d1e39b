import type { HocuspocusProvider } from '@hocuspocus/provider';
import type { World } from '@causeway/local';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { TRACE } from './chat-log.ts';
import { connectCollab } from './documents.ts';
import { createCanvas } from './door-pair.ts';
import { eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';
import { reachedIn, readTrace, typeTrace, type Desk } from './typing-trace.ts';

const REGIONS = ['us-east', 'eu-west'] as const;

let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
let world: World;
let urls: string[];
let token: string;

beforeAll(async () => {
  opened = await testWorld({ regions: REGIONS, delayMs: 2 });
  world = opened.world;
  urls = REGIONS.map((region) => world.regions[region]!.url);
  token = await world.token('ada');
});

afterAll(async () => {
  await opened?.[Symbol.asyncDispose]();
});

type Opened = { doc: Y.Doc; provider: HocuspocusProvider };

function open(url: string, name: string, doc = new Y.Doc()): Opened {
  return { doc, provider: connectCollab(doc, url, name, token) };
}

/** Has it all that the region has, and the region all of its own, committed? */
const isSaved = ({ provider }: Opened): Promise<boolean> =>
  eventually('everything saved', async () => provider.isSynced && !provider.hasUnsyncedChanges, Boolean);

describe('stock Hocuspocus providers in two regions', () => {
  it.skipIf(!existsSync(TRACE))(
    'R1 a real two-person typing session, typed concurrently, ends at its text (skipped where the trace is absent)',
    async () => {
      const trace = readTrace(TRACE);
      const name = await createCanvas(urls[0]!, token);
      const typists = urls.map((url) => open(url, name));
      for (const typist of typists) await isSaved(typist);
      const desks = typists.map(({ doc }): Desk => ({ wire: doc, reached: reachedIn(doc) }));
      await typeTrace(trace, desks);
      for (const [at, { doc }] of typists.entries())
        await eventually(
          `the text in ${REGIONS[at]}`,
          async () => doc.getText('text').toString(),
          (text) => text === trace.endContent,
        );
      for (const { provider } of typists) provider.destroy();
      for (const url of urls) {
        const reader = open(url, name);
        await isSaved(reader);
        expect(reader.doc.getText('text').toString()).toBe(trace.endContent);
        reader.provider.destroy();
      }
    },
  );

  it('R2 R3 SIGKILL right after SyncStatus: all of it is there; the provider reconnects, resumes and sends what it wrote meanwhile', async () => {
    const name = await createCanvas(urls[0]!, token);
    const author = open(urls[0]!, name);
    await isSaved(author);
    for (let at = 0; at < 100; at++) author.doc.getMap('saved').set(`${at}`, at);
    await isSaved(author);
    await world.kill('us-east', 'server');
    author.doc.getMap('later').set('offline', true);
    const early = open(urls[1]!, name);
    await world.restart('us-east', 'server');
    await isSaved(author);
    await eventually(
      'everything in the other region',
      async () => [early.doc.getMap('saved').size, early.doc.getMap('later').toJSON()],
      ([saved, later]) => saved === 100 && (later as { offline?: true }).offline === true,
    );
    // The same copy goes on in the other region with what it lacks, which is nothing.
    author.provider.destroy();
    const moved = open(urls[1]!, name, author.doc);
    let received = 0;
    moved.provider.on('message', ({ event }: { event: MessageEvent<ArrayBuffer> }) => {
      received += event.data.byteLength;
    });
    await isSaved(moved);
    expect(received).toBeLessThan(1_000);
    for (const { provider } of [moved, early]) provider.destroy();
  });
});
