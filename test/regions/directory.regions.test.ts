/* Strong changes over the directory of a real world: three regions, three members. */
import type { World } from '@causeway/local';
import { ERRORS, type Problem } from '@causeway/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west', 'ap-south'] as const;
type Region = (typeof REGIONS)[number];

let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
let world: World;
let people: Record<Region, Speaker>;

beforeAll(async () => {
  opened = await testWorld({ regions: REGIONS, delayMs: 40 });
  world = opened.world;
  const token = await world.token('ada');
  const at = (region: Region): Speaker => new Speaker(world.regions[region]!.url, token);
  people = { 'us-east': at('us-east'), 'eu-west': at('eu-west'), 'ap-south': at('ap-south') };
});
afterAll(() => opened?.[Symbol.asyncDispose]());

/** The status of the answer, and the code of a problem. */
async function create(region: Region, slug: string): Promise<{ status: number; code?: string }> {
  const answer = await people[region].request('POST', '/../../channels', { slug });
  if (answer.status < 400) return { status: answer.status };
  return { status: answer.status, code: ((await answer.json()) as Problem).code };
}
const created = (region: Region, slug: string): ReturnType<typeof create> =>
  eventually(
    `${slug} made in ${region}`,
    () => create(region, slug),
    // What nobody answered may be done.
    ({ status, code }) => status === 201 || code === 'name-taken',
  );
/** The ids of all channels of this name that the region lists. */
async function channelsOf(region: Region, slug: string): Promise<string[]> {
  const answer = await people[region].request('GET', '/../../channels?limit=500');
  const { items } = (await answer.json()) as { items: { id: string; slug: string }[] };
  return items.filter((item) => item.slug === slug).map(({ id }) => id);
}
const seen = (region: Region, slug: string): Promise<unknown> =>
  eventually(
    `${slug} in ${region}`,
    () => channelsOf(region, slug),
    (ids) => ids.length > 0,
  );

describe('the directory of a world', () => {
  it('R7 a name that is claimed in three regions at once is one channel', async () => {
    await created('us-east', 'first');
    for (let round = 0; round < 3; round++) {
      const slug = `claimed-${round}`;
      const answers = await Promise.all(REGIONS.map((region) => create(region, slug)));
      // On a busy machine the directory may not answer in time (503): then nobody knows yet who has won.
      for (const { status, code } of answers) {
        const decided = status === 201 || code === 'name-taken';
        expect(decided || status === 503, `${status} ${code}`).toBe(true);
      }
      const last = await Promise.all(REGIONS.map((region) => created(region, slug)));
      const made = [...answers, ...last].filter(({ status }) => status === 201);
      expect(made.length).toBeLessThanOrEqual(1);
      if (answers.every(({ status }) => status !== 503)) expect(made).toHaveLength(1);
    }
    for (let round = 0; round < 3; round++) {
      const slug = `claimed-${round}`;
      for (const region of REGIONS) await seen(region, slug);
      const channels = await Promise.all(REGIONS.map((region) => channelsOf(region, slug)));
      expect(channels.map((all) => all.length)).toEqual([1, 1, 1]);
      expect(new Set(channels.flat()).size).toBe(1);
    }
  });

  it('R5 R7 a region that is cut off takes messages, and says at channels why it cannot; the others go on', async () => {
    for (const other of ['us-east', 'eu-west'] as const) world.links.cut('ap-south', other);
    const refused = await create('ap-south', 'alone');
    expect(refused.status).toBe(503);
    expect(['no-directory', 'no-peer']).toContain(refused.code);
    expect(ERRORS[refused.code as 'no-peer'].next).toBe('retry');
    await people['ap-south'].post('we go on');
    await created('eu-west', 'together');
    await seen('us-east', 'together');
    world.links.heal();
    await seen('ap-south', 'together');
  });

  it('R3 R7 what was decided survives kill -9 of the home, and of every member of the directory at once', async () => {
    await created('us-east', 'before');
    await Promise.all(REGIONS.map((region) => world.kill(region, 'directory')));
    const refused = await create('us-east', 'without');
    expect(refused).toMatchObject({ status: 503, code: 'no-directory' });
    await people['us-east'].post('messages need no directory');
    await Promise.all(REGIONS.map((region) => world.restart(region, 'directory')));
    await world.kill('us-east', 'server');
    await world.restart('us-east', 'server');
    await created('ap-south', 'after');
    for (const region of REGIONS) for (const slug of ['before', 'after']) await seen(region, slug);
  });

  it('R15 a member whose disk is lost is filled by the others, and one of them may go then', async () => {
    await world.wipe('eu-west');
    await created('us-east', 'filled');
    await seen('eu-west', 'filled');
    // Before it has everything it does not count, and losing another one would stop decisions until that is back.
    await eventually(
      'all members have everything',
      async () => (await world.status()).regions.map(({ parts }) => parts.directory),
      (members) => members.every((member) => member?.ready === true),
    );
    await world.kill('ap-south', 'directory');
    await created('us-east', 'with-two');
    await world.restart('ap-south', 'directory');
  });
});
