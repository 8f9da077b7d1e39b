/* Every feature in every situation, from the table in at-once.ts; docs/at-once.md is that table in words. */
import type { Command } from '@causeway/protocol';
import type { Founding } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import { FEATURES, HOME, OTHER, expectText, page, type Feature } from './at-once.ts';
import { WORKSPACE, World, outcomeOf } from './world.ts';

const founding: Founding = {
  id: WORKSPACE,
  home: HOME,
  admins: ['ada'],
  channels: [{ id: 'general', slug: 'general' }],
};

let world: World;
afterEach(() => world?.close());

/** The feature in a fresh world, with what was there before in both regions. */
async function begin(feature: Feature): Promise<(n: 1 | 2) => Command> {
  world = new World({ regions: [HOME, OTHER], workspaces: [founding] });
  const made = (await feature.before?.(world)) ?? {};
  await world.time.sleep(2_000);
  const commands = new Map<1 | 2, Command>();
  return (n) => {
    const command = commands.get(n) ?? feature.make(world, n, made);
    commands.set(n, command);
    return command;
  };
}

/** Waits until both regions show it; fails with what they show instead. */
async function shows(feature: Feature, state: unknown): Promise<void> {
  const seen = async (region: string): Promise<unknown> =>
    asExpected(await feature.state(world, region), state);
  const wanted = JSON.stringify(state);
  const isSo = async (): Promise<boolean> =>
    JSON.stringify(await seen(HOME)) === wanted && JSON.stringify(await seen(OTHER)) === wanted;
  await world.until(isSo, feature.what, 20_000).catch(() => undefined);
  // A copy that is still on its way would change it.
  await world.time.sleep(2_000);
  expect([await seen(HOME), await seen(OTHER)]).toEqual([state, state]);
}

/** Puts `expectText` where the expectation has it. */
function asExpected(seen: unknown, state: unknown): unknown {
  if (state === expectText) return typeof seen === 'string' ? expectText : seen;
  if (Array.isArray(state) && Array.isArray(seen)) return seen.map((item, at) => asExpected(item, state[at]));
  if (typeof state === 'object' && state !== null && typeof seen === 'object' && seen !== null)
    return Object.fromEntries(
      Object.entries(seen).map(([key, item]) => [
        key,
        asExpected(item, (state as Record<string, unknown>)[key]),
      ]),
    );
  return seen;
}

const OK = expect.objectContaining({ level: 'region' });
const at = (region: string, command: Command) => outcomeOf(world.at(region).execute(command));

for (const feature of FEATURES)
  describe(feature.what, () => {
    it(`R1 ${feature.kind}: by two people in two regions at once`, async () => {
      const command = await begin(feature);
      expect(await Promise.all([at(HOME, command(1)), at(OTHER, command(2))])).toEqual([OK, OK]);
      await shows(feature, feature.both);
    });

    it(`R5 ${feature.kind}: in two regions that are cut off from each other, and heal`, async () => {
      const command = await begin(feature);
      world.cut(HOME, OTHER);
      const outcomes = await Promise.all([at(HOME, command(1)), at(OTHER, command(2))]);
      expect(outcomes).toEqual([OK, feature.elsewhere ?? OK]);
      await world.time.sleep(5_000);
      world.heal();
      await shows(feature, feature.elsewhere === undefined ? feature.both : feature.one);
    });

    it(`R4 ${feature.kind}: sent again through another region, and to both at once`, async () => {
      const command = await begin(feature);
      expect(await at(OTHER, command(1))).toEqual(OK);
      await world.time.sleep(1_000);
      expect(await Promise.all([at(HOME, command(1)), at(OTHER, command(1))])).toEqual([OK, OK]);
      await shows(feature, feature.one);
    });

    it(`R4 ${feature.kind}: a delayed copy after a newer one`, async () => {
      const command = await begin(feature);
      expect(await at(HOME, command(1))).toEqual(OK);
      expect(await at(HOME, command(2))).toEqual(OK);
      await world.time.sleep(1_000);
      expect(await Promise.all([at(OTHER, command(1)), at(HOME, command(1))])).toEqual([OK, OK]);
      await shows(feature, feature.both);
    });

    it(`R4 ${feature.kind}: the process dies after the commit, before it answers`, async () => {
      const command = await begin(feature);
      const process = world.region(HOME).processes[0]!;
      const { promise: died, resolve } = Promise.withResolvers<void>();
      const stop = world.region(HOME).faults.inject((operation, when) => {
        if (operation !== 'append' || when !== 'after') return undefined;
        process.crash();
        resolve();
        return undefined;
      });
      void process.replica.execute(command(1)).catch(() => undefined);
      await died;
      stop();
      world.start(HOME);
      expect(await at(HOME, command(1))).toEqual(OK);
      await shows(feature, feature.one);
    });
  });

it('docs/at-once.md is the table', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/at-once.md');
});
