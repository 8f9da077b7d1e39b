/* Regions of two versions side by side, and the upgrade that ends it. */
import { ENVELOPE_VERSION, canvasName, channelScope, segmentName } from '@causeway/protocol';
import type { Store } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { durable } from './replay.ts';
import { speaking } from './speaking.ts';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf, type Ports, type Process } from './world.ts';

const REGIONS = ['us', 'eu', 'ap'] as const;
const NEWER = ENVELOPE_VERSION + 1;
const CANVASES = ['plan', 'sketch'].map((id) => canvasName(WORKSPACE, id));
const OTHER = segmentName(WORKSPACE, 'other', 1);

let world: World;
afterEach(() => world.close());

/** All regions at this version, with something written everywhere. */
async function begin(processes = 1): Promise<void> {
  world = new World({ regions: REGIONS, processes });
  for (const region of REGIONS) {
    await say(region, `${region} begins`);
    await draw(region, CANVASES[0]!, `${region} begins`);
  }
  await converged();
}

const say = (region: string, body: string, channel = CHANNEL) =>
  world.at(region).execute(world.post(body, { channel }));

let client = 1;
async function draw(region: string, name: string, text: string): Promise<void> {
  const doc = new Y.Doc();
  doc.clientID = client++;
  doc.getText('t').insert(0, text);
  await world.at(region).writeCanvas(name, Y.encodeStateAsUpdate(doc), 'ada');
}

/** Ends the processes of a region and starts as many others. */
function restart(region: string, through?: (ports: Ports) => Ports): Process[] {
  const { processes } = world.region(region);
  for (const process of processes) process.crash();
  return processes.map(() => world.start(region, through));
}

async function alike(regions: readonly string[], documents: readonly string[]): Promise<boolean> {
  const states = await Promise.all(
    regions.map((region) => durable(world.region(region), [channelScope(WORKSPACE, 'other')], documents)),
  );
  const texts = states.map(({ documents, views, cells }) => JSON.stringify([documents, views, cells]));
  return new Set(texts).size === 1;
}

const converged = () =>
  world.until(() => alike(REGIONS, [...CANVASES, OTHER]), 'all regions hold the same', 300_000);

const parkedIn = (region: string) => world.region(region).store.parked(NEWER, 1_000_000);
const notices = (region: string) => world.region(region).processes.flatMap(({ notices }) => notices);
const refusals = (region: string, peer: string) =>
  notices(region).filter(
    ({ what, why, ...detail }) =>
      what === 'repair-failed' && detail['peer'] === peer && String(why).includes('NewerVersion'),
  ).length;

/** The newer region writes everywhere, the others beside it and below it. */
async function write(newer: string, older: readonly string[]): Promise<string[]> {
  const bodies: string[] = [];
  for (let n = 0; n < 5; n++) {
    const post = world.post(`${newer} ${n}`);
    await world.at(newer).execute(post);
    await world.at(newer).execute(world.react(idOf(post), true, world.v()));
    await draw(newer, CANVASES[0]!, `${newer} ${n}`);
    bodies.push(post.body);
    await world.time.sleep(500);
    for (const region of older) {
      // Below what cannot be read here, and beside it.
      await say(region, `${region} ${n}`);
      bodies.push(`${region} ${n}`);
      await say(region, `${region} beside ${n}`, 'other');
      await draw(region, CANVASES[1]!, `${region} ${n}`);
    }
  }
  return bodies;
}

describe('a region of a newer version', () => {
  it.each(REGIONS)(
    'R3 R5 R15 %s goes first: the others keep what they cannot read, serve the rest, and converge when they follow',
    async (newer) => {
      await begin();
      const older = REGIONS.filter((region) => region !== newer);
      restart(newer, speaking(NEWER));
      const bodies = [...REGIONS.map((region) => `${region} begins`), ...(await write(newer, older))];
      for (const region of older) {
        await world.until(async () => world.at(region).parked >= 2, `${region} says what is parked`);
        expect(await world.region(region).store.parkedNames()).toEqual(
          expect.arrayContaining([CANVASES[0], segmentName(WORKSPACE, CHANNEL, 1)]),
        );
        // Heartbeats of a newer version are heard, and not kept.
        expect((await parkedIn(region)).map(({ name }) => name)).not.toContain('-/heartbeat');
        const before = world
          .at(region)
          .peers()
          .find(({ peer }) => peer === newer)!;
        expect(before.connected).toBe(true);
        await world.time.sleep(5_000);
        const after = world
          .at(region)
          .peers()
          .find(({ peer }) => peer === newer)!;
        expect(after.heardAt! - before.heardAt!).toBeGreaterThanOrEqual(4_000);
      }
      // What the newer one did not write is the same in the older ones, and it reads all of theirs.
      await world.until(async () => {
        const [one, other] = await Promise.all(
          older.map((region) => durable(world.region(region), [], [CANVASES[1]!, OTHER])),
        );
        return [CANVASES[1]!, OTHER].every((name) => one!.documents[name] === other!.documents[name]);
      }, 'the older ones agree about everything else');
      await world.until(
        async () => (await world.bodies(newer)).length === bodies.length,
        'the newer one has everything',
      );
      // Comparing is refused, and tried again.
      for (const region of older) {
        const so = refusals(region, newer);
        await world.until(() => refusals(region, newer) > so + 1, 'it is tried again');
      }
      for (const region of older) {
        restart(region, speaking(NEWER));
        await world.until(
          async () => (await parkedIn(region)).length === 0,
          `nothing is parked in ${region}`,
        );
        expect(notices(region).some(({ what }) => what === 'unparked')).toBe(true);
      }
      await converged();
      for (const region of REGIONS) {
        expect([...(await world.bodies(region))].sort(), region).toEqual([...bodies].sort());
        expect(await world.region(region).store.parkedNames()).toEqual([]);
        expect(world.at(region).parked).toBe(0);
      }
    },
  );

  it('R10 R15 what was parked beyond the bound, and has left the stream too, comes by repair after the upgrade', async () => {
    await begin();
    for (const region of ['eu', 'ap']) restart(region, keepingParked(3));
    restart('us', speaking(NEWER));
    const bodies = [...REGIONS.map((region) => `${region} begins`), ...(await write('us', ['eu', 'ap']))];
    await world.time.sleep(10_000);
    expect((await parkedIn('eu')).length).toBe(3);
    world.network.purge('us', world.network.broker('us').stream.lastSequence + 1);
    for (const region of ['eu', 'ap']) restart(region, speaking(NEWER));
    await converged();
    for (const region of REGIONS) {
      expect([...(await world.bodies(region))].sort(), region).toEqual([...bodies].sort());
      expect(await parkedIn(region)).toEqual([]);
    }
  });

  it.each([
    ['kept', 1_000, 'zone'],
    ['dropped for want of room', 0, 'not-replicated'],
  ])('R3 what a peer cannot read yet and has %s counts so for the level zone', async (_, room, answer) => {
    world = new World({ regions: ['us', 'eu'], processes: 0 });
    world.start('us');
    world.start('eu', keepingParked(room));
    await world.at('us').execute(world.post('of this version'), { level: 'zone' });
    restart('us', speaking(NEWER));
    await world.time.sleep(2_000);
    const outcome = await outcomeOf(
      world.at('us').execute(world.post('of the next version'), { level: 'zone' }),
    );
    expect(typeof outcome === 'string' ? outcome : outcome.level).toBe(answer);
    // The disks of who wrote it are lost, and the peer is upgraded.
    world.region('us').processes[0]!.crash();
    world.region('us').store.wipe();
    world.network.wipe('us');
    restart('eu', speaking(NEWER));
    world.start('us', speaking(NEWER));
    await world.until(async () => (await world.bodies('us')).includes('of this version'), 'filled again');
    if (answer === 'zone')
      for (const region of ['us', 'eu'])
        await world.until(async () => (await world.bodies(region)).includes('of the next version'), region);
  });

  it('R3 a region of several servers is upgraded one after the other, in either order', async () => {
    for (const first of [0, 1]) {
      await begin(2);
      restart('us', speaking(NEWER));
      const bodies = [...REGIONS.map((region) => `${region} begins`), ...(await write('us', ['eu', 'ap']))];
      const [one, other] = world.region('eu').processes;
      const [leaves, stays] = first === 0 ? [one!, other!] : [other!, one!];
      leaves.crash();
      world.start('eu', speaking(NEWER));
      for (let n = 0; n < 5; n++) {
        await say('us', `meanwhile ${n}`);
        bodies.push(`meanwhile ${n}`);
        await world.time.sleep(1_000);
      }
      stays.crash();
      world.start('eu', speaking(NEWER));
      restart('ap', speaking(NEWER));
      await converged();
      for (const region of REGIONS)
        expect([...(await world.bodies(region))].sort(), region).toEqual([...bodies].sort());
      for (const region of REGIONS) expect(await parkedIn(region)).toEqual([]);
      world.close();
    }
  });
});

/** A store whose table of parked messages is full when it holds so many. */
const keepingParked =
  (most: number) =>
  ({ store, bus }: Ports): Ports => ({
    bus,
    store: new Proxy(store, {
      get: (target, property) => {
        if (property !== 'apply') return Reflect.get(target, property) as unknown;
        const apply: Store['apply'] = async (batch) => {
          const room = Math.max(0, most - (await target.parked(NEWER, most)).length);
          const result = await target.apply({ ...batch, parked: batch.parked.slice(0, room) });
          return batch.parked.length > room ? { ...result, unkept: true } : result;
        };
        return apply;
      },
    }),
  });
