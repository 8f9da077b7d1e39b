import { afterEach, describe, expect, it } from 'vitest';
import { World, outcomeOf } from './world.ts';

/** What random worlds found (docs/simulation.md), told as short as it can be. */
let world: World;
const open = (regions: readonly string[] = ['us', 'eu']): World => (world = new World({ regions }));
afterEach(() => world.close());

/** Nobody hears answers to questions: no repair, no `holds`. */
const refuseAnswers = (count: number): void => {
  for (const { name } of world.regions) world.network.broker(name).answersToLose = count;
};

describe('found by random worlds', () => {
  it('R3 level zone is not given for what a peer stored behind a gap and cannot read', async () => {
    open();
    await world.at('us').execute(world.post('before'));
    await world.until(async () => (await world.bodies('eu')).length === 1, 'in eu');
    // One post expires before it is read, and the next one depends on it.
    world.cut('us', 'eu');
    await world.at('us').execute(world.post('expired'));
    await world.time.sleep(500);
    world.network.purge('us', world.network.broker('us').stream.lastSequence + 1);
    const behind = world.post('behind it');
    await world.at('us').execute(behind);
    refuseAnswers(1_000);
    world.heal();
    await world.time.sleep(2_000);
    expect(await world.bodies('eu')).toEqual(['before']);
    expect(await outcomeOf(world.at('us').execute(behind, { level: 'zone' }))).toBe('not-replicated');
    expect(await outcomeOf(world.at('us').execute(world.post('new'), { level: 'zone' }))).toBe(
      'not-replicated',
    );
    refuseAnswers(0);
    await world.until(async () => (await world.bodies('eu')).length === 4, 'repaired');
    expect(await world.at('us').execute(behind, { level: 'zone' })).toMatchObject({ level: 'zone' });
  });

  it('R15 a stream that was lost with its machine is noticed though nobody answers hello at first', async () => {
    open();
    for (let n = 0; n < 50; n++) await world.at('us').execute(world.post(`${n}`));
    await world.until(async () => (await world.bodies('eu')).length === 50, 'in eu');
    refuseAnswers(1_000);
    world.region('us').processes[0]!.crash();
    world.network.recreate('us');
    await world.time.sleep(5_000);
    world.start('us');
    await world.at('us').execute(world.post('new'));
    // The new stream ends far before the cursor of the old one.
    await world.until(async () => (await world.bodies('eu')).includes('new'), 'in eu', 10_000);
    expect(world.network.broker('us').stream.lastSequence).toBeLessThan(40);
  });
});
