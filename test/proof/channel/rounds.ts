import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelHistory } from './channel-history.ts';
import type { CountingRelay } from './counting-relay.ts';
import { openOnce, type Opening } from './opening.ts';
import type { Opened } from './opening-findings.ts';
import type { RegionAtWork } from './region-at-work.ts';

/** What is opened, and where. */
export type Scene = {
  at: RegionAtWork;
  relay: CountingRelay;
  small: ChannelHistory;
  large: ChannelHistory;
  signal: AbortSignal;
};

/** Posts into each channel between two rounds, so that the newest segment is met from empty to full. */
export type Pace = { rounds: number; openings: number; posts: number };

/** Openings of each channel whose figures are not taken: the server's code is compiled by then. */
const WARM_UP = 15;
/** After so long without a reader or a writer no segment is in the server's memory any more (see Documents). */
const COLD_MS = 40_000;

/** Opens the two channels in turn, each time with a fresh client, and adds what it took. */
export async function openInRounds(
  scene: Scene,
  { rounds, openings, posts }: Pace,
  into: Opened,
  say: (line: string) => void,
): Promise<void> {
  const { small, large, signal } = scene;
  await openBoth(scene, WARM_UP, { small: [], large: [] });
  for (let round = 1; round <= rounds; round++) {
    for (const channel of [small, large]) await channel.until(channel.messages + posts, signal);
    await openBoth(scene, openings, into);
    say(`round ${round} of ${rounds}`);
  }
}

/** Opens both channels when their segments have to be read from the database. */
export async function openCold(scene: Scene, times: number): Promise<Opened> {
  const opened: Opened = { small: [], large: [] };
  for (let time = 0; time < times; time++) {
    await pause(COLD_MS, undefined, { signal: scene.signal });
    await openBoth(scene, 1, opened);
  }
  return opened;
}

export async function openLarge(scene: Scene, times: number): Promise<Opening[]> {
  const opened: Opening[] = [];
  for (let time = 0; time < times; time++) opened.push(await open(scene, scene.large, time));
  return opened;
}

/** Now the one comes first, now the other. */
async function openBoth(scene: Scene, times: number, into: Opened): Promise<void> {
  for (let time = 0; time < times; time++) {
    for (const which of time % 2 === 0 ? (['small', 'large'] as const) : (['large', 'small'] as const))
      into[which].push(await open(scene, scene[which], time));
  }
}

async function open(
  { at, relay, signal }: Scene,
  { channel }: ChannelHistory,
  reader: number,
): Promise<Opening> {
  signal.throwIfAborted();
  const token = await at.world.token(`reader${reader}`);
  return openOnce({ relay, token, served: await at.served() }, channel);
}
