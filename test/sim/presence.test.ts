import type { Presence } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import { WORKSPACE, World } from './world.ts';

let world: World;
const open = (regions = ['us', 'eu'], more: { seed?: number; processes?: number; delayMs?: number } = {}) =>
  (world = new World({ regions, ...more }));
afterEach(() => world.close());

/** What one process shows of members, from now on. */
class Screen {
  readonly shows = new Map<string, Presence['state']>();
  /** How many changes it was told of. */
  changes = 0;
  readonly close: () => void;

  constructor({ presence }: Replica, ...members: string[]) {
    const take = (changes: readonly Presence[]): void => {
      for (const { member, state } of changes) this.shows.set(member, state);
    };
    const watch = presence.watch(WORKSPACE, members, (changes) => {
      this.changes += changes.length;
      take(changes);
    });
    take(watch.states);
    this.close = watch.close;
  }

  get text(): string {
    return [...this.shows.values()].join(' ');
  }
}

const processOf = (region: string, at = 0) => world.region(region).processes[at]!;
/** Waits until a screen shows these states, in the order of its members; how long it took. */
async function shows(screen: Screen, states: string, ms = 1_000): Promise<number> {
  const since = world.time.now();
  while (screen.text !== states) {
    if (world.time.now() - since > ms) throw new Error(`${screen.text}, not ${states}, after ${ms} ms`);
    await world.time.sleep(10);
  }
  return world.time.now() - since;
}

describe('presence', () => {
  it('R11 a change in one process is seen by all others of the zone within a second', async () => {
    open(['us', 'eu', 'ap'], { processes: 2, delayMs: 120 });
    const screens = world.regions.flatMap(({ processes }) =>
      processes.map(({ replica }) => new Screen(replica, 'ada', 'ben')),
    );
    const all = async (states: string): Promise<void> => {
      for (const screen of screens) await shows(screen, states);
    };
    await all('offline offline');
    const ada = world.at('us').presence.enter(WORKSPACE, 'ada');
    await all('online offline');
    const ben = processOf('eu', 1).replica.presence.enter(WORKSPACE, 'ben', 'dnd');
    await all('online dnd');
    ada.idle(true);
    await all('away dnd');
    ada.idle(false);
    ada.mode('away');
    ben.mode('auto');
    await all('away online');
    ben.leave();
    ada.leave();
    await all('offline offline');
  });

  it('R11 the strongest of all sessions in all processes counts', async () => {
    open();
    const screen = new Screen(world.at('eu'), 'ada');
    const [one, two, three] = [world.at('us'), world.at('us'), world.at('eu')].map(({ presence }) =>
      presence.enter(WORKSPACE, 'ada'),
    );
    const each = async (change: () => void, state: string): Promise<void> => {
      change();
      await shows(screen, state);
    };
    await each(() => one!.idle(true), 'online');
    await each(() => two!.idle(true), 'online');
    await each(() => three!.idle(true), 'away');
    await each(() => two!.mode('dnd'), 'dnd');
    await each(() => three!.mode('away'), 'dnd');
    await each(() => two!.leave(), 'away');
    await each(() => three!.mode('auto'), 'away');
    await each(() => one!.idle(false), 'online');
    await each(() => one!.leave(), 'away');
    await each(() => three!.leave(), 'offline');
  });

  it('R11 what was chosen until a time ends at that time', async () => {
    open();
    const screen = new Screen(world.at('eu'), 'ada');
    world.at('us').presence.enter(WORKSPACE, 'ada', 'dnd', world.time.now() + 60_000);
    await shows(screen, 'dnd');
    await world.time.sleep(58_000);
    expect(screen.text).toBe('dnd');
    await shows(screen, 'online', 4_000);
  });
});
