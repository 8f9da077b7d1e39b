import {
  basePortOf,
  chooseRegions,
  homeOf,
  MAX_SERVERS,
  startWorld,
  type World,
  type WorldOptions,
} from '@causeway/local';
import { InvalidArgumentError, type Command } from 'commander';
import { say, type Context } from '../context.ts';
import { count } from '../counts.ts';
import { delay } from '../durations.ts';
import { Failure } from '../failure.ts';
import { paintFor } from '../paint.ts';
import { watchLauncher } from '../parent.ts';
import { progressFor } from '../progress.ts';
import { onSignals } from '../signals.ts';
import { silentBroker } from '../silent-broker.ts';
import { welcome } from '../welcome.ts';

type Options = { regions?: string[]; servers: number; delay?: number };

const KILLED = 130;

export function addUp(program: Command, context: Context): void {
  program
    .command('up')
    .description('start a world and keep it until Ctrl-C')
    .option('--regions <a,b>', 'a smaller world: us-east, eu-west, eu-central, ap-south', (text) =>
      text.split(',').map((name) => name.trim()),
    )
    .option(
      '--servers <count>',
      `server processes of each region, 1 to ${MAX_SERVERS}; clients may use any of them`,
      servers,
      1,
    )
    .option('--delay <time>', 'one-way delay of all links, e.g. 40ms, instead of those of a map', delay)
    .addHelpText(
      'after',
      `
Examples:
  npm start
  npm start -- --regions us-east,eu-west
  npm start -- --servers 2
Environment:
  CAUSEWAY_HOME       where the state lives (.causeway)
  CAUSEWAY_BASE_PORT  the page's port; regions follow, everything else is above +10 (4100)
  DATABASE_URL        a Postgres to use instead of starting some: databases causeway_<region>
  NATS_URL            a NATS to use, for a world of one region
  NATS_SERVER         the nats-server program to run`,
    )
    .action((options: Options) => up(context, options));
}

async function up(context: Context, { regions: asked, servers, delay: all }: Options): Promise<void> {
  const regions = chooseRegions(asked);
  const ended = new AbortController();
  const end = (): void => ended.abort(new Failure('Stopped before the world was up.'));
  const ignoreSignals = onSignals(end, () => {
    context.err.write('Killed.\n');
    // Whatever still runs cannot outlive us.
    process.exit(KILLED);
  });
  const unwatch = watchLauncher(end);
  try {
    const world = await start(context, regions, {
      home: homeOf(context.env),
      basePort: basePortOf(context.env),
      regions,
      servers,
      ...(all === undefined ? {} : { delays: () => all }),
      page: true,
      env: context.env,
      signal: ended.signal,
      onDown: end,
      onEvent: (line) => void context.err.write(`${line}\n`),
    });
    if (!ended.signal.aborted) await greet(context, world, ended.signal);
    await aborted(ended.signal);
    context.err.write('Stopping …\n');
    await world.stop();
    context.err.write('Everything is stopped.\n');
  } finally {
    ignoreSignals();
    unwatch();
  }
}

async function greet(context: Context, world: World, signal: AbortSignal): Promise<void> {
  say(context, `\n${welcome(await world.status(), paintFor(context.out))}\n`);
  const silent = await silentBroker(world, { signal });
  if (silent !== undefined) context.err.write(`${silent}\n`);
}

async function start(context: Context, regions: readonly string[], options: WorldOptions): Promise<World> {
  const progress = progressFor(context.out, ['nats-server', ...regions, 'page']);
  try {
    const world = await startWorld({ ...options, onProgress: (step) => progress.show(step) });
    await progress.done();
    return world;
  } catch (error) {
    await progress.failed();
    throw error;
  }
}

function servers(text: string): number {
  const number = count(text);
  if (number <= MAX_SERVERS) return number;
  throw new InvalidArgumentError(`A region has ${MAX_SERVERS} servers at most.`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
