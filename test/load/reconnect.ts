import { findBasePort, startWorld } from '@causeway/local';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { table, type Figure } from './figures.ts';
import { Crowd } from './reconnect/crowd.ts';
import { openHall } from './reconnect/hall.ts';
import { Posters } from './reconnect/posters.ts';
import { cut, isWithinBounds, killed, quiet, type Storm } from './reconnect/storm.ts';

const HELP = `npm run bench:reconnect [-- --sessions N] [-- --short]

One region, its Postgres and its NATS, N sessions of the SDK (10,000) of as many members, a channel
open in each. The server is killed (kill -9) and started again; then, with the server up, every
connection is reset at once. Eight members post all the while. How long sends take until everybody
is back, and what that costs. About three minutes; --short takes a tenth of the sessions: a check that
the bench works, not a figure. Linux only. Exits with 1 when the 99th percentile of the sends is a
second or more, or one of them failed.`;

const REGION = 'us-east';
const POSTERS = 8;
/** Each of them posts once in so many milliseconds. */
const EVERY_MS = 250;
/** Between two scenarios, until the server has nothing left to do. */
const CALM_MS = 5_000;

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    short: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const sessions = Math.ceil(Number(values.sessions) / (values.short ? 10 : 1));
if (values.help) console.log(HELP);
else if (!(sessions >= 1 && sessions <= 15_000)) {
  console.error('--sessions takes 1 to 15000: a process has 20,000 files\n');
  process.exitCode = 2;
} else if (!(await bench(sessions))) process.exitCode = 1;

async function bench(count: number): Promise<boolean> {
  await using opened = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'causeway-reconnect-'));
  opened.defer(() => rm(home, { recursive: true, force: true }));
  console.error('starting a region …');
  const world = await startWorld({
    home,
    basePort: await findBasePort(),
    regions: [REGION],
    supervise: false,
  });
  opened.defer(() => world.stop());
  const { url } = world.regions[REGION]!;
  console.error('making channels …');
  const hall = await openHall(world, REGION, count, POSTERS);
  console.error(`opening ${count} sessions …`);
  const crowd = await Crowd.open(url, 'demo', hall.seats);
  opened.defer(() => crowd.close());
  const posters = await Posters.open(url, 'demo', hall.posters);
  opened.defer(() => posters.close());
  posters.start(EVERY_MS);

  const scene = { world, region: REGION, crowd, posters };
  const storms: Storm[] = [];
  for (const [what, run] of [
    ['nothing happens', quiet],
    ['the server is killed', killed],
    ['all connections are cut', cut],
  ] as const) {
    await pause(CALM_MS);
    console.error(`measuring: ${what} …`);
    storms.push(await run(scene));
  }
  await posters.stop();

  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}`,
  );
  const figures: Figure[] = storms.flatMap(({ figures }) => figures);
  console.log(table(figures));
  return storms.every(isWithinBounds);
}
