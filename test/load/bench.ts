import { findBasePort, startWorld } from '@causeway/local';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureDelay } from './delay.ts';
import { measureDurable } from './durable.ts';
import { table, type Figure } from './figures.ts';
import { measureHeal } from './heal.ts';

const HELP = `npm run bench [-- --short]

Measures a two-region world with 40 ms between its regions, on this machine, and prints a table:
delay between the regions, durable posts per second beside bare Postgres, time to heal.
--short takes a twentieth of the samples: a check that the bench works, not a figure.`;

const DELAY_MS = 40;

const { values } = parseArgs({ options: { short: { type: 'boolean' }, help: { type: 'boolean' } } });
if (values.help === true) console.log(HELP);
else await bench(values.short === true ? 20 : 1);

async function bench(divisor: number): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'causeway-bench-'));
  const regions = ['us-east', 'eu-west'];
  console.error('starting two regions …');
  const world = await startWorld({ home, basePort: await findBasePort(), regions, delays: () => DELAY_MS });
  try {
    const figures: Figure[] = [];
    const run = async (what: string, measure: () => Promise<Figure[]>): Promise<void> => {
      console.error(`measuring ${what} …`);
      figures.push(...(await measure()));
    };
    await run('delay', () => measureDelay(world, DELAY_MS, 1_000 / divisor));
    await run('durable posts', () => measureDurable(world, 100_000 / divisor));
    await run('heal', () => measureHeal(world, 10_000 / divisor));
    console.log(
      `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}`,
    );
    console.log(table(figures));
  } finally {
    await world.stop();
    await rm(home, { recursive: true, force: true });
  }
}
