import type { Database } from './database.ts';
import { Clients } from './clients.ts';
import { brokenRule, difference, durableOf, scopesOf, type Durable } from './checks.ts';
import { Ledger } from './ledger.ts';
import { Nemesis } from './nemesis.ts';
import { Broken } from './trace.ts';
import { Watchers } from './watchers.ts';
import { World, type WorldOptions } from './world.ts';

export type Report = {
  seed: number;
  /** Events in the world, and their hash: two runs of one seed have the same. */
  steps: number;
  hash: string;
  /** `operation/…`, `ack/…`, `refused/…`, `fault/…`, `notice/…`: how often. */
  counts: Record<string, number>;
  /** Simulated milliseconds from the last repair until all regions were equal. */
  healMs: number;
  failure?: { step: number; reason: string };
};

const STEPS = 64;
/** Within this simulated time after the last repair everything must be equal everywhere. */
const HEAL_MS = 240_000;

/** Lives one world to its end and looks whether every rule held. Never rejects. */
export async function simulate(options: WorldOptions): Promise<Report> {
  const world = new World(options);
  const { trace } = world;
  let healMs = 0;
  const stray = (error: unknown): void =>
    trace.breach(`unhandled: ${error instanceof Error ? error.stack : String(error)}`);
  process.on('unhandledRejection', stray);
  try {
    healMs = await live(world);
    trace.check();
  } catch (error) {
    if (!(error instanceof Broken)) trace.breach(error instanceof Error ? error.stack! : String(error));
  } finally {
    process.off('unhandledRejection', stray);
    world.end();
  }
  const { seed } = options;
  const { steps, hash, counts, broken } = trace;
  const report = { seed, steps, hash, counts: Object.fromEntries(counts), healMs };
  if (broken === undefined) return report;
  return { ...report, failure: { step: broken.step, reason: broken.message } };
}

async function live(world: World): Promise<number> {
  const { random, time, trace } = world;
  const ledger = new Ledger();
  const clients = new Clients(world, ledger);
  const nemesis = new Nemesis(world, ledger);
  const watchers = new Watchers(world, ledger);
  world.started = (process) => watchers.listen(process);
  for (const process of world.processes()) watchers.listen(process);
  const stormy = world.regions.length > 2 && random.chance(5);
  if (stormy) {
    await clients.storm();
    for (let second = 0; second < 20; second++) {
      await time.sleep(1_000);
      await watchers.lookEverywhere();
    }
  }
  // Where peers answer about states they bring both.
  if (!stormy && world.regions.length > 2 && world.weather.withoutRepair && random.chance(12))
    await clients.strand();
  const calm = stormy || random.chance(10);
  const under: Promise<unknown>[] = [];
  for (let step = 0; step < STEPS; step++) {
    trace.check();
    if (!calm && random.chance(22)) nemesis.strike();
    if (random.chance(20)) under.push(clients.type());
    if (random.chance(8)) under.push(watchers.watch());
    if (random.chance(12)) under.push(watchers.look());
    under.push(clients.send(clients.next()));
    if (random.chance(55)) await time.sleep(random.below(random.chance(8) ? 4_000 : 200));
  }
  await time.sleep(random.below(3_000));
  nemesis.over = true;
  world.heal();
  const healedAt = time.now();
  await Promise.all(under);
  await clients.resynchronise();
  const equal = await converged(world, ledger);
  const healMs = time.now() - healedAt;
  watchers.compare(await checked(world, ledger, equal));
  return healMs;
}

/** Waits until all regions hold the same, and returns what that is. */
async function converged(world: World, ledger: Ledger): Promise<Durable[]> {
  const { time, trace } = world;
  const deadline = time.now() + HEAL_MS;
  let why = '';
  for (let waitMs = 500; time.now() < deadline; waitMs = Math.min(waitMs * 1.5, 5_000)) {
    await time.sleep(waitMs);
    trace.check();
    why = (await unrest(world)) ?? '';
    if (why !== '') continue;
    const states = await statesOf(world, ledger);
    why = states.map((state) => difference(states[0]!, state)).find((name) => name !== undefined) ?? '';
    if (why === '') return states;
  }
  trace.breach(`R1 regions are not equal ${HEAL_MS / 1000} s after everything was healed: ${why}`);
  throw trace.broken;
}

/**
 * Looks at everything else, some time later if need be: processes follow the log once a second, and a
 * commit that was slow may land after the states were read. Returns the states that it believed.
 */
async function checked(world: World, ledger: Ledger, equal: readonly Durable[]): Promise<readonly Durable[]> {
  const { time, trace } = world;
  let states = equal;
  for (let tries = 1; ; tries++) {
    const broken = await brokenRule(world, ledger, states);
    trace.check();
    if (broken === undefined) return states;
    if (tries === 6) trace.breach(broken);
    trace.check();
    await time.sleep(2_500);
    states = await converged(world, ledger);
  }
}

/** What is still under way, cheaply. */
async function unrest(world: World): Promise<string | undefined> {
  // A step that was to be a process' last one may have begun before everything was healed.
  for (const region of world.regions) world.fill(region);
  const [first, ...others] = world.regions.map(({ database }) => database.witness.text());
  if (others.some((text) => text !== first)) return 'commits are missing somewhere';
  for (const { name, database } of world.regions) {
    const why = await leftovers(database);
    if (why !== undefined) return `${name}: ${why}`;
  }
  const waiting = world.regions.flatMap(({ database }) => database.witness.waitingPosts());
  if (waiting.length > 0) return `${waiting[0]} waits for its time`;
  const commits = world.regions.map(({ database }) => database.commits);
  await world.time.sleep(1_200);
  if (world.regions.some(({ database }, at) => database.commits !== commits[at]))
    return 'commits go on and on';
  return undefined;
}

async function leftovers({ store }: Database): Promise<string | undefined> {
  if ((await store.unpublished({ olderThanMs: 0, limit: 1 })).length > 0) return 'something is unpublished';
  if ((await store.untidy(1)).length > 0) return 'something is untidy';
  return undefined;
}

async function statesOf(world: World, ledger: Ledger): Promise<Durable[]> {
  const names = [...new Set(world.regions.flatMap(({ database }) => database.witness.documents()))].sort();
  const scopes = scopesOf(ledger);
  const states: Durable[] = [];
  for (const region of world.regions) states.push(await durableOf(region, names, scopes));
  return states;
}
