import type { World } from '@causeway/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHall } from '../load/reconnect/hall.ts';
import { LeanSocket } from '../load/reconnect/lean-socket.ts';
import { LightClient } from '../load/reconnect/light-client.ts';
import { Posters } from '../load/reconnect/posters.ts';
import { RollCall } from '../load/reconnect/roll-call.ts';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGION = 'us-east';
const SESSIONS = 500;
const POSTERS = 4;
const EVERY_MS = 200;

/** How long sends take meanwhile is measured by `npm run bench:reconnect`: here others may use the machine. */
describe(`${SESSIONS} sessions of the SDK, and four members who post all the time`, () => {
  let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
  let world: World;
  let url: string;
  let hands: Awaited<ReturnType<typeof openHall>>['posters'];
  let posters: Posters;
  const clients: LightClient[] = [];
  const call = new RollCall(() => performance.now());

  beforeAll(async () => {
    opened = await testWorld({ regions: [REGION], delayMs: 0 });
    world = opened.world;
    url = world.regions[REGION]!.url;
    const hall = await openHall(world, REGION, SESSIONS, POSTERS);
    hands = hall.posters;
    for (const seat of hall.seats) {
      const number = call.add();
      const said = { back: () => void call.back(number), left: () => call.left(number) };
      clients.push(new LightClient({ ...seat, url, workspace: 'demo', ...said }));
    }
    posters = await Posters.open(url, 'demo', hands);
    await everybody();
    posters.start(EVERY_MS);
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await posters?.close();
    await opened?.[Symbol.asyncDispose]();
  });

  const everybody = (): Promise<number> =>
    eventually(
      'everybody is here',
      async () => call.missing,
      (count) => count === 0,
    );

  /** No send that was posted by now fails, and each of them can be read, once. */
  async function everySend(): Promise<void> {
    const sends = [...posters.sends];
    await posters.settled();
    expect(sends.filter(({ ackedAt }) => ackedAt === undefined)).toEqual([]);
    for (const { token, channel } of hands) {
      const bodies = (await new Speaker(url, token, 'demo', channel).everything()).map(({ body }) => body);
      for (const send of sends.filter((send) => send.channel === channel))
        expect(bodies.filter((body) => body === send.body)).toHaveLength(1);
    }
  }

  it('R10 after a kill -9 of the server all of 500 sessions are back, and no send failed or is missing (PAINS 15)', async () => {
    const before = posters.sends.length;
    call.begin();
    await world.kill(REGION, 'server');
    await world.restart(REGION, 'server');
    await everybody();
    await posters.settled();
    expect(posters.sends.length).toBeGreaterThan(before);
    await everySend();
  });

  it('R10 after all connections were cut at once all of 500 sessions are back, and no send failed or is missing (PAINS 15)', async () => {
    const begun = LeanSocket.begun;
    call.begin();
    LeanSocket.cutAll();
    await everybody();
    // One connection for each would do; on a busy machine some take two.
    expect(LeanSocket.begun - begun).toBeLessThan(2 * SESSIONS);
    await posters.stop();
    await everySend();
  });
});
