import type { World } from '@causeway/local';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { WebsocketProvider } from 'y-websocket';
import { createCanvas } from './door-pair.ts';
import { openDocument } from './documents.ts';
import { eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west'] as const;
const [EAST, WEST] = REGIONS;
/** What is expected in less than two seconds is waited for longer: the machine may be busy. Simulated time is strict. */
const SOON_MS = 20_000;
/** A lease, its last renewal's way, and the beat at which it is found to be over. */
const LEASE_MS = 15_000 + SOON_MS;

type Cursor = { provider: WebsocketProvider; move(at: number): void; kill(): void };

describe('cursors of stock providers in two regions of two servers, 120 ms apart', () => {
  let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
  let world: World;
  let token: string;
  let document: string;
  let all: Cursor[] = [];

  beforeAll(async () => {
    opened = await testWorld({ regions: REGIONS, servers: 2, delayMs: 120 });
    world = opened.world;
    token = await world.token('ada');
    document = await createCanvas(world.regions[EAST]!.url, token);
  });
  afterAll(async () => {
    for (const { kill } of all) kill();
    await opened?.[Symbol.asyncDispose]();
  });

  /** Somebody with a cursor, at one server of a region. */
  async function open(region: string, server = 0): Promise<Cursor> {
    const url = world.regions[region]!.urls[server]!;
    const { provider } = await openDocument(url, document, token);
    const cursor: Cursor = {
      provider,
      move: (at) => provider.awareness.setLocalState({ at }),
      // As a client that is killed: nothing is said, and nobody comes back.
      kill: () => {
        provider.shouldConnect = false;
        (provider.ws as unknown as { terminate?: () => void } | null)?.terminate?.();
        provider.ws?.close();
        all = all.filter((other) => other !== cursor);
      },
    };
    all.push(cursor);
    return cursor;
  }

  const seenBy = ({ provider }: Cursor): number[] =>
    [...provider.awareness.getStates().values()].map(({ at }) => at as number).sort((a, b) => a - b);
  /** All of them see the cursors at these places and no other one, within so long. */
  async function see(places: readonly number[], ms = SOON_MS): Promise<void> {
    await eventually(
      `all at ${places.join()}`,
      async () => all.map(seenBy),
      (seen) => seen.every((one) => one.join() === places.join()),
      ms,
    );
  }

  it('R11 each sees the others, and every move; a killed client is gone', async () => {
    const [one, two, far] = [await open(EAST), await open(EAST, 1), await open(WEST)];
    one.move(1);
    two.move(2);
    far.move(3);
    await see([1, 2, 3]);
    for (let at = 4; at < 9; at++) {
      far.move(at);
      await see([1, 2, at]);
    }
    far.move(3);
    two.kill();
    await see([1, 3]);
    (await open(EAST, 1)).move(2);
    await see([1, 2, 3]);
  });

  it('R11 who was killed with the server process is no ghost after its lease, nor is anybody else lost', async () => {
    // The one of the east's second server, and that server.
    all[2]!.provider.shouldConnect = false;
    await world.kill(EAST, 'server-2');
    all = all.slice(0, 2);
    await see([1, 3], LEASE_MS);
    await world.restart(EAST, 'server-2');
    (await open(EAST, 1)).move(2);
    await see([1, 2, 3]);
  });

  it.each(['black-hole', 'reset'] as const)(
    'R11 after a link flapped (%s) everything is right again (PAINS 9)',
    async (mode) => {
      for (const cutMs of [500, 4_500]) {
        await see([1, 2, 3]);
        world.links.cut(EAST, WEST, { mode });
        await pause(cutMs / 2);
        all[0]!.move(10);
        all[1]!.move(30);
        await pause(cutMs / 2);
        world.links.heal();
        await see([2, 10, 30]);
        all[0]!.move(1);
        all[1]!.move(3);
      }
    },
  );

  it('R11 a region that is killed shows nobody any more after its lease', async () => {
    await see([1, 2, 3]);
    const far = all[1]!;
    far.provider.shouldConnect = false;
    await world.kill(WEST);
    all = all.filter((one) => one !== far);
    await see([1, 2], LEASE_MS);
  });
});
