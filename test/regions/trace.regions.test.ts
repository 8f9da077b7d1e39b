import type { World } from '@causeway/local';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { TRACE } from './chat-log.ts';
import { connectDocument, openDocument } from './documents.ts';
import { createCanvas } from './door-pair.ts';
import { eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';
import { reachedIn, readTrace, typeTrace, type Desk } from './typing-trace.ts';

const REGIONS = ['us-east', 'eu-west'] as const;

describe.skipIf(!existsSync(TRACE))(
  'a real two-person typing session (skipped where the trace is absent)',
  () => {
    let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
    let world: World;

    beforeAll(async () => {
      opened = await testWorld({ regions: REGIONS, delayMs: 2 });
      world = opened.world;
    });

    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]();
    });

    it('R1 two stock y-websocket providers in two regions type it concurrently and both end at its text', async () => {
      const trace = readTrace(TRACE);
      const token = await world.token('ada');
      const name = await createCanvas(world.regions['us-east']!.url, token);
      const desks = await Promise.all(
        REGIONS.map((region) => openDesk(world.regions[region]!.url, name, token)),
      );
      await typeTrace(trace, desks);
      for (const [at, desk] of desks.entries())
        await eventually(
          `the text in ${REGIONS[at]}`,
          async () => desk.wire.getText('text').toString(),
          (text) => text === trace.endContent,
        );
      for (const { provider } of desks) provider.destroy();
      for (const region of REGIONS) {
        const { doc, provider } = await openDocument(world.regions[region]!.url, name, token);
        expect(doc.getText('text').toString()).toBe(trace.endContent);
        provider.destroy();
      }
    });
  },
);

/** A desk on the stock provider; the region may not have heard of the canvas yet, the provider tries again. */
async function openDesk(
  regionUrl: string,
  name: string,
  token: string,
): Promise<Desk & { provider: WebsocketProvider }> {
  const wire = new Y.Doc();
  const provider = connectDocument(wire, regionUrl, name, token);
  await new Promise<void>((resolve) => provider.once('sync', () => resolve()));
  return { wire, provider, reached: reachedIn(wire) };
}
