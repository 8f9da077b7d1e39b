import type { World } from '@causeway/local';
import { setTimeout as pause } from 'node:timers/promises';
import { ms, percentile, type Figure } from '../figures.ts';
import type { Crowd, Return } from './crowd.ts';
import { now, type Posters, type Send } from './posters.ts';
import { serverFigures, type ServerFigures } from './server-figures.ts';

export type Scene = { world: World; region: string; crowd: Crowd; posters: Posters };
export type Storm = { figures: Figure[]; sends: readonly Send[]; p99: number };

/** A send is acknowledged within so many milliseconds, 99 times of 100. */
const BOUND_MS = 1_000;
/** Of sends without a storm, to compare with. */
const QUIET_MS = 10_000;
/** Sends are measured for at least so long, however soon everybody is back. */
const LEAST_MS = 10_000;

export const isWithinBounds = ({ sends, p99 }: Storm): boolean =>
  p99 < BOUND_MS && sends.every(({ ackedAt }) => ackedAt !== undefined);

/** Everybody is connected and stays so. */
export async function quiet(scene: Scene): Promise<Storm> {
  const { world, region } = scene;
  const before = await serverFigures(world, region);
  const from = now();
  await pause(QUIET_MS);
  const after = await serverFigures(world, region);
  return described('quiet', { ...(await sendsSince(scene, from)), before, after, tookMs: now() - from });
}

/** kill -9, and started again at once; measured from the moment when it says that it is ready. */
export async function killed(scene: Scene): Promise<Storm> {
  const { world, region, crowd } = scene;
  const { back } = await crowd.expect();
  const killedAt = now();
  await world.kill(region, 'server');
  await world.restart(region, 'server');
  const from = now();
  const before = await serverFigures(world, region);
  const figures = [{ what: 'killed: until the server is ready', value: ms(from - killedAt) }];
  return storm('killed', scene, { back, from, before, figures, downFrom: killedAt });
}

/** Every connection of the crowd is reset; the server stays up, and so do the connections of those who post. */
export async function cut(scene: Scene): Promise<Storm> {
  const { world, region, crowd } = scene;
  const { back } = await crowd.expect();
  const before = await serverFigures(world, region);
  const from = now();
  crowd.cut();
  return storm('cut', scene, { back, from, before, figures: [] });
}

type Begun = {
  back: Promise<Return>;
  from: number;
  before: ServerFigures;
  figures: Figure[];
  /** When the server went down, if it did: sends from then on until it was ready are told apart. */
  downFrom?: number;
};

async function storm(name: string, scene: Scene, begun: Begun): Promise<Storm> {
  const { world, region } = scene;
  const { back, from, before, figures, downFrom } = begun;
  const { at, connections, cpuMs } = await back;
  const tookMs = now() - from;
  const after = await serverFigures(world, region);
  if (tookMs < LEAST_MS) await pause(LEAST_MS - tookMs);
  const took = at.map((each) => each - from);
  const more: Figure[] = [
    ...figures,
    { what: `${name}: half are back`, value: ms(percentile(took, 0.5)) },
    {
      what: `${name}: all are back`,
      value: ms(Math.max(...took)),
      note: `${at.length} sessions, ${connections} connections`,
    },
    ...(downFrom === undefined ? [] : [sentWhileDown(await sendsSince(scene, downFrom, from), from)]),
  ];
  const measured = { ...(await sendsSince(scene, from)), before, after, tookMs };
  const described_ = described(name, measured);
  const crowdCpu = {
    what: `${name}: CPU of the sessions`,
    value: percentOf(cpuMs, tookMs),
    note: 'of one core',
  };
  return { ...described_, figures: [...more, ...described_.figures, crowdCpu] };
}

/** The sends that were posted in a span of time, when all of them are acknowledged or refused. */
async function sendsSince({ posters }: Scene, from: number, to = now()): Promise<{ sends: Send[] }> {
  const sends = posters.sends.filter(({ postedAt }) => postedAt >= from && postedAt < to);
  await posters.settled();
  return { sends };
}

type Measured = { sends: Send[]; before: ServerFigures; after: ServerFigures; tookMs: number };

function described(name: string, { sends, before, after, tookMs }: Measured): Storm {
  const took = sends.map(({ postedAt, ackedAt = Number.POSITIVE_INFINITY }) => ackedAt - postedAt);
  const p99 = percentile(took, 0.99);
  const failed = sends.filter(({ ackedAt }) => ackedAt === undefined).length;
  const figures: Figure[] = [
    {
      what: `${name}: post to ack, p50`,
      value: ms(percentile(took, 0.5)),
      note: `${sends.length} sends, ${failed} failed`,
    },
    { what: `${name}: post to ack, p99`, value: ms(p99) },
    { what: `${name}: post to ack, slowest`, value: ms(Math.max(...took)) },
    {
      what: `${name}: CPU of the server`,
      value: percentOf(after.cpuMs - before.cpuMs, tookMs),
      note: `of one core; event loop late by ${ms(after.loopMaxMs)} at most`,
    },
    {
      what: `${name}: memory of the server`,
      value: `${Math.round(after.rssMiB)} MiB`,
      note: `${Math.round(after.peakMiB)} MiB at most`,
    },
  ];
  return { figures, sends, p99 };
}

function sentWhileDown({ sends }: { sends: Send[] }, readyAt: number): Figure {
  const waited = sends.map(({ ackedAt = Number.POSITIVE_INFINITY }) => ackedAt - readyAt);
  return {
    what: 'killed: sent while it was down, acknowledged after',
    value: ms(Math.max(0, ...waited)),
    note: `the slowest of ${sends.length}, from the moment when it was ready`,
  };
}

const percentOf = (cpuMs: number, ofMs: number): string => `${Math.round((100 * cpuMs) / ofMs)} %`;
