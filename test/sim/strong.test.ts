/* The strong half: numbered versions, decided by one compare-and-set each. One list. */
import {
  changeId,
  digestOf,
  type ChangeCommand,
  type Deed,
  type Done,
  type Version,
} from '@causeway/protocol';
import type { Founding } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import { WORKSPACE, World, type Region } from './world.ts';

/** `ap`, the first by name, keeps the directory; `us` is home. */
const REGIONS = ['us', 'eu', 'ap'];
const HOME = 'us';
const founding: Founding = {
  id: WORKSPACE,
  home: HOME,
  admins: ['ada'],
  channels: [{ id: 'general', slug: 'general' }],
};

let world: World;
afterEach(() => world.close());
function open(more: { regions?: string[]; processes?: number; seed?: number } = {}): World {
  const { regions = REGIONS, ...rest } = more;
  return (world = new World({ regions, workspaces: [founding], ...rest }));
}

const wish = (deed: Deed, member = 'ada'): ChangeCommand => ({
  kind: 'change',
  workspace: WORKSPACE,
  member,
  nonce: world.nonce(),
  deed,
});
const creation = (slug: string, more: { private?: boolean; members?: string[]; by?: string } = {}) =>
  wish(
    { kind: 'create-channel', slug, private: more.private ?? false, members: more.members ?? [] },
    more.by ?? 'ada',
  );
const request = (region: string, command: ChangeCommand, ifVersion?: number): Promise<Done> =>
  world.at(region).strong.request(command, ifVersion);
const stateIn = (region: string) => world.at(region).strong.state(WORKSPACE);
const slugsIn = async (region: string, member = 'ada'): Promise<string[]> =>
  (await stateIn(region)).channelsOf(member).map(({ slug }) => slug);
const logOf = ({ store }: Region): Promise<Version[]> => store.strongVersions(WORKSPACE, 0, 100_000);
const idsIn = async (region: Region): Promise<string[]> =>
  (await logOf(region)).flatMap(({ changes }) => changes.map(({ id }) => id));

/** All regions have one log, each change in it once, and all of these. */
async function agree(ids: readonly string[] = []): Promise<void> {
  await world.until(async () => {
    const logs = await Promise.all(world.regions.map(logOf));
    const heads = logs.map((log) => (log.length === 0 ? '' : digestOf(log.at(-1)!)));
    return (
      new Set(heads).size === 1 && ids.every((id) => logs[0]!.some((v) => v.changes.some((c) => c.id === id)))
    );
  }, 'all regions have one log');
  const [first, ...others] = await Promise.all(world.regions.map(logOf));
  for (const other of others) expect(other).toEqual(first);
  const all = await idsIn(world.regions[0]!);
  expect(new Set(all).size).toBe(all.length);
  const states = await Promise.all(world.regions.map(({ name }) => stateIn(name)));
  const shown = states.map((state) => [
    state.head,
    state.removed,
    ['ada', 'ben', 'eve'].map((m) => state.channelsOf(m)),
  ]);
  for (const one of shown) expect(one).toEqual(shown[0]);
}

describe('a change', () => {
  it.each(REGIONS)('R7 asked in %s is decided once and is the same everywhere', async (region) => {
    open();
    const command = creation('plans');
    expect(await request(region, command)).toMatchObject({ id: changeId(command), version: 1 });
    expect(await slugsIn(region)).toEqual(['general', 'plans']);
    await agree([changeId(command)]);
  });

  it('R7 is in force everywhere within a second, in all processes', async () => {
    open({ processes: 2 });
    await world.time.sleep(3_000);
    await request('eu', creation('plans'));
    await world.time.sleep(1_000);
    for (const { processes } of world.regions)
      for (const { replica } of processes) expect((await replica.strong.state(WORKSPACE)).version).toBe(1);
  });
});
