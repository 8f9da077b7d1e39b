import { setTimeout as pause } from 'node:timers/promises';
import { createCanvas } from '../regions/door-pair.ts';
import { testWorld } from '../regions/test-world.ts';
import { SeededRandom } from '../sim/seeded-random.ts';
import { growthOf, measureMemory, type MemoryGrowth, type MemorySample } from '../torture/memory.ts';
import { Attacker } from './attacker.ts';
import { Frames, type Door, type Targets } from './frames.ts';
import { Honest } from './honest.ts';
import { RestAttacker } from './rest-attacker.ts';
import { Tally } from './tally.ts';

export type FuzzOptions = {
  frames: number;
  seed: number;
  /** Is told how far it is, once a second. */
  say?(line: string): void;
  signal?: AbortSignal;
};

export type FuzzOutcome = {
  tally: Tally;
  seconds: number;
  /** Is it the same process as before, and ready? */
  lives: boolean;
  memory: MemoryGrowth | undefined;
  honest: Pick<Honest, 'done' | 'failures'>;
};

/** Frames beyond those asked for, before memory is measured: until every path has been taken often, a process grows. */
const WARM_UP = 20_000;
/** Sockets that are attacked with at once. */
const LANES = 24;
const WEIGHTS: readonly Door[] = [
  'sync',
  'sync',
  'sync',
  'collab',
  'collab',
  'collab',
  'events',
  'events',
  'rest',
];

/** Attacks all doors of a region that others use meanwhile. */
export async function fuzz({ frames: asked, seed, say, signal }: FuzzOptions): Promise<FuzzOutcome> {
  const frames = asked + WARM_UP;
  await using opened = await testWorld({ regions: ['us-east'], delayMs: 0 });
  const { world } = opened;
  const { url } = world.regions['us-east']!;
  const [ada, ben, token] = await Promise.all(['ada', 'ben', 'mallory'].map((member) => world.token(member)));
  const honest = await Honest.open(url, ada!, ben!);
  const own = await createCanvas(url, token!);
  const targets: Targets = { own, token: token!, foreign: foreignTo(honest.canvas) };
  const tally = new Tally();
  const samples: MemorySample[] = [];
  const before = await world.status();
  const over = new AbortController();
  const started = performance.now();
  honest.begin();
  const watching = watch(over.signal, async () => {
    const measured = await measureMemory(await world.status());
    if (tally.frames >= WARM_UP) samples.push(...measured);
    const rate = tally.frames / ((performance.now() - started) / 1_000);
    say?.(
      `${tally.frames.toLocaleString('en')} of ${frames.toLocaleString('en')} frames, ${Math.round(rate)}/s, ${Math.round((frames - tally.frames) / rate)} s left; ${Math.round((measured[0]?.bytes ?? 0) / 2 ** 20)} MiB; honest failures ${honest.failures.length}`,
    );
  });
  const isOver = (): boolean => signal?.aborted === true;
  const lane = async (at: number): Promise<void> => {
    const random = new SeededRandom(seed * 1_000 + at);
    const made = new Frames(random, targets);
    const attacker = new Attacker(url, random, made, targets, tally);
    const rest = new RestAttacker(url, random, targets, tally);
    while (tally.frames < frames && !isOver()) {
      const door = random.pick(WEIGHTS);
      await (door === 'rest' ? rest.strike() : attacker.strike(door, frames - tally.frames));
    }
    rest.close();
  };
  await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)));
  const seconds = (performance.now() - started) / 1_000;
  over.abort();
  await watching;
  await honest.end();
  const after = await world.status();
  const lives = after.regions[0]!.ready && serverOf(after) === serverOf(before);
  return { tally, seconds, lives, memory: growthOf(samples), honest };
}

const serverOf = ({
  regions,
}: {
  regions: { parts: Record<string, { pid?: number }> }[];
}): number | undefined => regions[0]!.parts['server']?.pid;

const foreignTo = (canvas: string): string[] => [
  canvas,
  'demo/segment/general/1',
  'demo/session',
  'demo-eu/segment/general/1',
  'demo-eu/canvas/plan',
  'demo/canvas/none',
  'demo/version/none/none',
  'nobody',
  '',
];

async function watch(signal: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await look();
    await pause(1_000, undefined, { signal }).catch(() => undefined);
  }
}
