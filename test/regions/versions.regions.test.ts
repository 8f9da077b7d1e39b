import type { World } from '@causeway/local';
import { ENVELOPE_VERSION, segmentName } from '@causeway/protocol';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCanvas } from './door-pair.ts';
import { openDocument, reencoded } from './documents.ts';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const [EAST, WEST] = ['us-east', 'eu-west'] as const;
const SERVER = fileURLToPath(new URL('server-of-version.ts', import.meta.url));

describe('two regions, one of them of a newer version', () => {
  let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
  let world: World;
  let token: string;

  beforeAll(async () => {
    opened = await testWorld({ regions: [EAST, WEST], delayMs: 5, serverEntry: SERVER });
    world = opened.world;
    token = await world.token('ada');
  });

  afterAll(async () => {
    await opened?.[Symbol.asyncDispose]();
  });

  const urlOf = (region: string): string => world.regions[region]!.url;
  const speaker = (region: string, channel = 'general') => new Speaker(urlOf(region), token, 'demo', channel);
  const bodies = async (region: string, channel = 'general'): Promise<string[]> =>
    (await speaker(region, channel).everything()).map(({ body }) => body).sort();

  async function upgrade(region: string): Promise<void> {
    writeFileSync(
      join(dirname(world.regions[region]!.manifestFile), 'version'),
      String(ENVELOPE_VERSION + 1),
    );
    await world.restart(region, 'server');
  }

  const waitingIn = async (region: string) =>
    (await world.status()).regions.find((found) => found.region === region)!.waiting;

  async function draw(region: string, name: string, text: string): Promise<void> {
    const { doc, provider } = await openDocument(urlOf(region), name, token);
    doc.getText('text').insert(0, text);
    await eventually(
      `${text} is stored in ${region}`,
      async () => {
        const other = await openDocument(urlOf(region), name, token);
        other.provider.destroy();
        return other.doc.getText('text').toString();
      },
      (found) => found.includes(text),
    );
    provider.destroy();
  }

  it('R3 R5 R15 the old one stays ready, says what it keeps unread, serves the rest, and converges when it is upgraded', async () => {
    await speaker(EAST).post('both of this version');
    const [theirs, ours] = [await createCanvas(urlOf(EAST), token), await createCanvas(urlOf(WEST), token)];
    await draw(EAST, theirs, 'old');
    await eventually(
      'the other region',
      () => bodies(WEST),
      (found) => found.includes('both of this version'),
    );

    await upgrade(EAST);
    await speaker(EAST).post('of the next version');
    await draw(EAST, theirs, 'new ');
    await eventually(
      'what is kept unread is told',
      () => waitingIn(WEST),
      (zones) => zones.some(({ parked = 0 }) => parked >= 2),
    );
    expect((await fetch(`${urlOf(WEST)}/readyz`)).status).toBe(200);
    await speaker(WEST).post('below what it cannot read');
    await speaker(WEST, 'random').post('beside it');
    await draw(WEST, ours, 'here');
    // Old messages are read by the newer region, and the old one shows none of the new ones.
    await eventually(
      'the newer region reads all',
      () => bodies(EAST),
      (found) => found.length === 3,
    );
    expect(await bodies(EAST, 'random')).toEqual(['beside it']);
    expect(await bodies(WEST)).toEqual(['below what it cannot read', 'both of this version']);
    expect(await bodies(WEST, 'random')).toEqual(['beside it']);

    await upgrade(WEST);
    await eventually(
      'everything is here after the upgrade',
      () => bodies(WEST),
      (found) => found.length === 3,
    );
    await eventually(
      'nothing is kept unread',
      () => waitingIn(WEST),
      (zones) => zones.every(({ parked = 0 }) => parked === 0),
    );
    for (const name of [theirs, ours, segmentName('demo', 'general', 1), segmentName('demo', 'random', 1)])
      await eventually(
        `${name} equal byte for byte`,
        () => Promise.all([EAST, WEST].map((region) => reencoded(urlOf(region), name, token))),
        (copies) => new Set(copies).size === 1 && copies[0] !== '',
      );
    await speaker(WEST).post('together again');
    await eventually(
      'writing goes on',
      () => bodies(EAST),
      (found) => found.includes('together again'),
    );
  });
});
