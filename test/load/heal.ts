import type { World } from '@causeway/local';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { ms, type Figure } from './figures.ts';
import { Crowd } from './posting.ts';

/** From the heal of a cut link until both regions hold everything, with `queued` posts on each side. */
export async function measureHeal(world: World, queued: number): Promise<Figure[]> {
  const sides = ['us-east', 'eu-west'] as const;
  const databases = sides.map((region) => postgres(world.regions[region]!.postgresUrl, { max: 1 }));
  const held = (): Promise<number[]> =>
    Promise.all(
      databases.map(async (sql) =>
        Number((await sql`select count(*) from causeway.copies where zone = 'global'`)[0]!['count']),
      ),
    );
  await until(async () => new Set(await held()).size === 1);
  const [before] = await held();
  world.links.cut('us-east', 'eu-west');
  await world.links.assertCut('us-east', 'eu-west');
  const crowds = await Promise.all(sides.map((region) => Crowd.at(world, region)));
  await Promise.all(crowds.map((crowd) => crowd.postMany('random', queued, 32)));
  const during = await held();
  if (during.some((count) => count !== before! + queued)) throw new Error('the cut let something through');
  const healedAt = performance.now();
  world.links.heal();
  await until(async () => (await held()).every((count) => count === before! + 2 * queued));
  const healed = performance.now() - healedAt;
  for (const crowd of crowds) crowd.close();
  await Promise.all(databases.map((sql) => sql.end()));
  return [
    {
      what: `heal, ${queued.toLocaleString('en')} posts queued on each side`,
      value: ms(healed),
      note: 'until both databases hold all of them',
    },
  ];
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error('the regions did not come to hold the same within 120 s');
    await pause(20);
  }
}
