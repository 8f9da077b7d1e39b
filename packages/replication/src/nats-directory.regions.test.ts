/* The directory of three real members, 40 ms apart. */
import type { DirectoryRecord } from '@causeway/protocol';
import { BusDown } from '@causeway/replica';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directoryContract, foundingRecord as founding, recordAfter as after } from './contract-directory.ts';
import { MEMBERS, openDirectoryWorld, type DirectoryWorld, type Member } from './directory-test-world.ts';
import type { NatsDirectory } from './nats-directory.ts';

let world: DirectoryWorld;
let directories: Record<Member, NatsDirectory>;

beforeAll(async () => {
  world = await openDirectoryWorld(40);
  directories = { us: world.at('us'), eu: world.at('eu'), ap: world.at('ap') };
});
afterAll(() => world?.close());

const recordOf = async (region: Member, workspace: string): Promise<DirectoryRecord | undefined> =>
  (await directories[region].read([workspace])).get(workspace);

/** Tries until it is done: a cluster that lost its leader, or has just begun, decides nothing for some seconds. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BusDown)) throw error;
      await pause(100);
    }
  }
}

directoryContract('over NATS', async () => {
  // A cluster that has just begun decides nothing for some seconds.
  await eventually(() => directories.us.compareAndSet('begun', undefined, founding('begun')));
  return { regions: MEMBERS.map((member) => directories[member]), close: () => Promise.resolve() };
});

describe('the directory over NATS', () => {
  it('R5 R7 who is cut off is told within seconds and decides nothing; the others go on, and healed it sees what they decided', async () => {
    const first = founding('cut');
    await eventually(() => directories.us.compareAndSet('cut', undefined, first));
    for (const cutOff of MEMBERS) {
      const [other] = MEMBERS.filter((member) => member !== cutOff) as [Member];
      const before = (await recordOf(other, 'cut'))!;
      for (const member of MEMBERS) if (member !== cutOff) world.links.cut(cutOff, member);
      const alone = after(before);
      const started = performance.now();
      await expect(directories[cutOff].compareAndSet('cut', before, alone)).rejects.toBeInstanceOf(BusDown);
      expect(performance.now() - started).toBeLessThan(12_000);
      const decided = after(before);
      // A new leader may have to be found; and what was cut off may be taken after all, never beside another one.
      await eventually(() => directories[other].compareAndSet('cut', before, decided));
      expect(await eventually(() => recordOf(other, 'cut'))).toEqual(decided);
      world.links.heal();
      await expect
        .poll(() => recordOf(cutOff, 'cut').catch(() => undefined), { timeout: 30_000 })
        .toEqual(decided);
    }
  });

  it('R3 R7 what was decided survives kill -9 of each member in turn, and of all at once', async () => {
    const first = founding('killed');
    await eventually(() => directories.us.compareAndSet('killed', undefined, first));
    let held = first;
    for (const member of MEMBERS) {
      await world.kill(member);
      const [other] = MEMBERS.filter((each) => each !== member) as [Member];
      const next = after(held);
      await eventually(async () => {
        if (await directories[other].compareAndSet('killed', held, next)) return;
        // A try that nobody answered was taken.
        expect(await recordOf(other, 'killed')).toEqual(next);
      });
      held = next;
      await world.start(member);
      expect(await eventually(() => recordOf(member, 'killed'))).toEqual(held);
    }
    await Promise.all(MEMBERS.map((member) => world.kill(member)));
    await expect(recordOf('us', 'killed')).rejects.toBeInstanceOf(BusDown);
    await Promise.all(MEMBERS.map((member) => world.start(member)));
    for (const member of MEMBERS) expect(await eventually(() => recordOf(member, 'killed'))).toEqual(held);
  });
});
