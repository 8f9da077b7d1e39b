import { CausewayError, canvasName, memberScope, messageScope, type Command } from '@causeway/protocol';
import { Doubtful, Unavailable } from '@causeway/replica';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { durable, type Durable } from './replay.ts';
import { CHANNEL, WORKSPACE, World, idOf, type Process } from './world.ts';

const REGIONS = ['us', 'eu', 'ap', 'sa'];
const MEMBERS = ['ada', 'bob'];
const CANVAS = canvasName(WORKSPACE, 'plan');
/** SIM_SEED=7 replays one world, SIM_SEED=1000 SIM_WORLDS=500 runs more of them. */
const { SIM_SEED, SIM_WORLDS } = process.env;
const FIRST = Number(SIM_SEED ?? 1);
const WORLDS = Number(SIM_WORLDS ?? (SIM_SEED === undefined ? 40 : 1));
/** Worlds in one test. */
const GROUP = 5;

/** What the clients of a world know: only what was acknowledged counts. */
class Ledger {
  readonly posts: (Command & { kind: 'post' })[] = [];
  readonly acked = new Set<string>();
  readonly deleted = new Set<string>();
  readonly sent: Command[] = [];
  readonly failures: string[] = [];
}

/** Sends a command, and again to other regions while it is unanswered, as an outbox does. */
async function send(world: World, ledger: Ledger, command: Command): Promise<void> {
  ledger.sent.push(command);
  for (let attempt = 0; attempt < 4; attempt++) {
    const region = world.random.pick(world.regions);
    const process = region.processes[world.random.below(Math.max(1, region.processes.length))];
    if (process !== undefined && (await answered(process, ledger, command))) return;
    await world.time.sleep(50 + world.random.below(400));
  }
}

/** True when the client need not ask again. */
async function answered({ replica, crashed }: Process, ledger: Ledger, command: Command): Promise<boolean> {
  const died = new Promise<'died'>((resolve) => crashed.addEventListener('abort', () => resolve('died')));
  try {
    const ack = await Promise.race([replica.execute(command), died]);
    if (ack === 'died') return false;
    if (command.kind === 'post') ledger.acked.add(idOf(command));
    if (command.kind === 'delete') ledger.deleted.add(command.message);
    return true;
  } catch (error) {
    if (error instanceof Unavailable || error instanceof Doubtful) return false;
    if (!(error instanceof CausewayError)) {
      ledger.failures.push(String(error));
      return true;
    }
    return error.code !== 'not-committed' && error.code !== 'not-here-yet';
  }
}

/** A random command about what has been posted so far, or an old one once more. */
function nextCommand(world: World, ledger: Ledger): Command {
  const { random } = world;
  const known = ledger.posts.length > 0 ? random.pick(ledger.posts) : undefined;
  const roll = random.below(100);
  if (known === undefined || roll < 45) {
    const post = world.post(`post ${ledger.posts.length}`, { member: random.pick(MEMBERS) });
    ledger.posts.push(post);
    return post;
  }
  const v = world.v(random.below(2_000)) + random.below(1_000);
  if (roll < 60) return world.edit(idOf(known), `edit ${ledger.sent.length}`, v, known.member);
  if (roll < 70) return world.remove(idOf(known), known.member);
  if (roll < 85) return world.react(idOf(known), random.chance(60), v, random.pick(MEMBERS));
  return random.pick(ledger.sent);
}

async function typeInto(world: World, clients: Y.Doc[]): Promise<void> {
  const { random } = world;
  const client = random.pick(clients);
  const region = random.pick(world.regions);
  const process = region.processes[0];
  if (process === undefined) return;
  const live = await process.replica.documents.open(CANVAS).catch(() => undefined);
  if (live === undefined) return;
  if (random.chance(50)) Y.applyUpdate(client, Y.encodeStateAsUpdate(live.doc));
  const fragment = client.getXmlFragment('body');
  const before = Y.encodeStateVector(client);
  if (fragment.length > 3 && random.chance(30)) fragment.delete(random.below(fragment.length), 1);
  else fragment.insert(random.below(fragment.length + 1), [new Y.XmlElement('p')]);
  const bytes = Y.encodeStateAsUpdate(client, random.chance(70) ? before : Y.encodeStateVector(live.doc));
  void process.replica.writeCanvas(CANVAS, bytes, 'ada').catch(() => undefined);
}

/** Something goes wrong, or is repaired. */
function disturb(world: World): void {
  const { random, network } = world;
  const [one, other] = [random.pick(world.regions), random.pick(world.regions)];
  const roll = random.below(100);
  if (roll < 25 && one !== other) world.cut(one.name, other.name);
  else if (roll < 45) world.heal();
  else if (roll < 55 && one !== other) network.reset(one.name, other.name);
  else if (roll < 65) one.faults.failNext('append', 'before', new Unavailable('simulated'));
  else if (roll < 72) one.faults.failNext('append', 'after', new Doubtful('simulated'));
  else if (roll < 77)
    one.faults.failNext('apply', random.chance(50) ? 'before' : 'after', new Doubtful('simulated'));
  else if (roll < 80) one.faults.failNext('loadDocument', 'before', new Unavailable('simulated'));
  else if (roll < 88) {
    if (one.processes.length === 0) return;
    random.pick(one.processes).crash();
    void world.time.sleep(random.below(1_500)).then(() => {
      if (!closed.has(world)) world.start(one.name);
    });
  } else if (roll < 93) {
    network.stop(one.name);
    void world.time.sleep(random.below(3_000)).then(() => network.start(one.name));
  } else if (roll < 95) network.recreate(one.name);
  else if (roll < 97) network.broker(one.name).acksToLose = 2;
  else if (one !== other) network.duplicate(one.name, other.name, random.chance(50));
}

const closed = new WeakSet<World>();

async function live(world: World, ledger: Ledger): Promise<void> {
  const clients = [1, 2].map(() => new Y.Doc());
  for (const [at, client] of clients.entries()) client.clientID = 1_000 + at;
  const under: Promise<void>[] = [];
  for (let step = 0; step < 120; step++) {
    if (world.random.chance(12)) disturb(world);
    if (world.random.chance(10)) await typeInto(world, clients);
    under.push(send(world, ledger, nextCommand(world, ledger)));
    if (world.random.chance(40)) await world.time.sleep(world.random.below(150));
  }
  await Promise.all(under);
}

/** Everything works again, and nothing is left to do. */
async function settle(world: World, scopes: readonly string[]): Promise<Durable[]> {
  for (const region of world.regions) {
    region.faults.clear();
    world.network.start(region.name);
    world.network.broker(region.name).acksToLose = 0;
  }
  world.heal();
  await world.time.sleep(4_000);
  for (const region of world.regions) if (region.processes.length === 0) world.start(region.name);
  let states: Durable[] | undefined;
  const converged = async (): Promise<boolean> => {
    for (const { store } of world.regions) {
      if ((await store.unpublished({ olderThanMs: 0, limit: 1 })).length > 0) return false;
      if ((await store.untidy(1)).length > 0) return false;
    }
    await world.time.sleep(1_000);
    states = await Promise.all(world.regions.map((region) => durable(region, scopes, [CANVAS])));
    const texts = states.map(({ documents, cells }) => JSON.stringify([documents, cells]));
    return new Set(texts).size === 1;
  };
  // When it does not, the states that there are say more than the time that has passed.
  const failure = await world.until(converged, 'converged').catch((error: unknown) => error);
  if (states === undefined) throw failure;
  return states;
}

async function run(seed: number): Promise<void> {
  const regions = REGIONS.slice(0, 2 + (seed % 3));
  const world = new World({ regions, seed, processes: seed % 4 === 0 ? 2 : 1 });
  const ledger = new Ledger();
  try {
    await live(world, ledger);
    const scopes = [
      ...ledger.posts.map((post) => messageScope(WORKSPACE, CHANNEL, idOf(post))),
      ...MEMBERS.map((member) => memberScope(WORKSPACE, member)),
    ];
    const why = `seed ${seed}`;
    const states = await settle(world, scopes).catch((cause: unknown) => {
      throw new Error(`${why}: nothing comes to rest`, { cause });
    });
    const [first, ...others] = states;
    for (const [at, state] of others.entries()) {
      expect(state.views, `${why}: views of ${regions[at + 1]}`).toEqual(first!.views);
      expect(state.cells, `${why}: cells of ${regions[at + 1]}`).toEqual(first!.cells);
      expect(state.documents, `${why}: documents of ${regions[at + 1]}`).toEqual(first!.documents);
    }
    expect(ledger.failures, why).toEqual([]);
    for (const { contradictions } of states) expect(contradictions, why).toEqual([]);
    for (const id of ledger.acked)
      expect(first!.views[id] !== undefined || first!.deleted.has(id), `${why}: acked ${id}`).toBe(true);
    for (const id of ledger.deleted) expect(first!.views[id], `${why}: deleted ${id}`).toBeUndefined();
    for (const region of regions) {
      const shown = (await world.messages(region)).map(({ id }) => id).sort();
      const expected = Object.keys(first!.views).filter((id) => first!.views[id] !== undefined);
      expect(shown, `${why}: shown in ${region}`).toEqual(expected.sort());
    }
  } finally {
    closed.add(world);
    world.close();
  }
}

describe('random worlds converge', () => {
  for (let at = 0; at < WORLDS; at += GROUP) {
    const seeds = Array.from({ length: Math.min(GROUP, WORLDS - at) }, (_, n) => FIRST + at + n);
    it(`R1 R3 R4 seeds ${seeds[0]} to ${seeds.at(-1)}`, async () => {
      for (const seed of seeds) await run(seed);
    });
  }
});
