import type { Presence } from '@causeway/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { PresenceWorld } from './presence-world.ts';
import { WORKSPACE, World } from './world.ts';

let world: PresenceWorld;
const open = (options: ConstructorParameters<typeof PresenceWorld>[0] = {}): PresenceWorld => {
  world = new PresenceWorld(options);
  return world;
};
/** Every process watches these, and a session of each is in the region named. */
const enterAll = async (members: Readonly<Record<string, string>>): Promise<void> => {
  for (const process of world.processes) process.watch(...Object.keys(members));
  for (const [member, region] of Object.entries(members)) world.in(region).enter(member);
  await world.show(
    Object.keys(members)
      .map(() => 'online')
      .join(' '),
  );
};
/** Makes a change; soon everybody shows this. */
const each = async (change: () => void, state: string): Promise<void> => {
  change();
  await world.time.sleep(300);
  await world.show(state, 0);
};
/** Whom a process hears typing from now on. */
const hear = (region: string, at = 0): string[] => {
  const heard: string[] = [];
  world.in(region, at).presence.watchTyping('acme', 'general', ({ channel, member, thread = '' }) => {
    heard.push([channel, member, thread].join(' ').trim());
  });
  return heard;
};
afterEach(() => world.close());

describe('who is here', () => {
  it('R11 a change in one process is seen by all others of the zone within a second', async () => {
    open({ regions: ['us', 'eu', 'ap'], processes: 2, delayMs: 120 });
    for (const process of world.processes) process.watch('ada', 'ben');
    await world.show('offline offline');
    const ada = world.in('us').enter('ada');
    await world.show('online offline');
    const ben = world.in('eu', 1).presence.enter('acme', 'ben', 'dnd');
    await world.show('online dnd');
    ada.idle(true);
    await world.show('away dnd');
    ada.idle(false);
    ada.mode('away');
    ben.mode('auto');
    await world.show('away online');
    ben.leave();
    ada.leave();
    await world.show('offline offline');
    ada.idle(false);
    ada.mode('dnd');
    await world.time.sleep(500);
    await world.show('offline offline', 0);
  });

  it('R11 the strongest of all sessions in all processes counts', async () => {
    open();
    for (const process of world.processes) process.watch('ada');
    const [one, two, three] = ['us', 'us', 'eu'].map((region) => world.in(region).enter('ada'));
    await each(() => one!.idle(true), 'online');
    await each(() => two!.idle(true), 'online');
    await each(() => three!.idle(true), 'away');
    await each(() => two!.mode('dnd'), 'dnd');
    await each(() => three!.mode('away'), 'dnd');
    await each(() => one!.idle(false), 'dnd');
    await each(() => two!.leave(), 'away');
    await each(() => three!.mode('auto'), 'online');
    await each(() => one!.leave(), 'away');
    await each(() => three!.leave(), 'offline');
  });

  it('R11 what was chosen until a time ends at that time', async () => {
    open();
    for (const process of world.processes) process.watch('ada');
    world.in('us').presence.enter('acme', 'ada', 'dnd', world.time.now() + 60_000);
    await world.show('dnd');
    await world.time.sleep(58_000);
    await world.show('dnd', 0);
    await world.show('online', 4_000);
  });

  it('R11 a watch hears of the members that it names, until it is closed', async () => {
    open();
    const heard: Presence[] = [];
    const watch = world
      .in('eu')
      .presence.watch('acme', ['ada', 'ada', 'ben'], (changes) => heard.push(...changes));
    expect(watch.states).toEqual([
      { member: 'ada', state: 'offline' },
      { member: 'ben', state: 'offline' },
    ]);
    const ada = world.in('us').enter('ada');
    world.in('us').enter('chiara');
    world.in('eu').presence.enter('other', 'ben');
    await world.time.sleep(500);
    expect(heard).toEqual([{ member: 'ada', state: 'online' }]);
    watch.close();
    ada.leave();
    await world.time.sleep(500);
    expect(heard).toHaveLength(1);
  });

  it('R10 a watch names at most 1,000 members', () => {
    open();
    const crowd = Array.from({ length: 1_001 }, (_, n) => `m${n}`);
    expect(() => world.in('us').presence.watch('acme', crowd, () => undefined)).toThrow(/1000/);
  });

  it('R11 through whole replicas, too', async () => {
    open();
    const replicas = new World({ regions: ['us', 'eu'], processes: 2 });
    try {
      let state: string = 'offline';
      const { replica } = replicas.region('eu').processes[1]!;
      replica.presence.watch(WORKSPACE, ['ada'], ([change]) => (state = change!.state));
      replicas.at('us').presence.enter(WORKSPACE, 'ada', 'away');
      await replicas.until(() => state === 'away', 'seen', 1_000);
      replicas.region('us').processes[0]!.crash();
      await replicas.until(() => state === 'offline', 'decayed', 17_000);
    } finally {
      replicas.close();
    }
  });
});

describe('what ends', () => {
  it('R11 a killed process decays within its lease, not before; one that stops says goodbye', async () => {
    open({ processes: 2 });
    await enterAll({ ada: 'us', ben: 'eu' });
    world.in('us', 1).enter('ben');
    await world.time.sleep(5_000);
    world.in('eu').kill();
    // Ben has another session.
    const killed = world.in('us', 0);
    killed.kill();
    await world.time.sleep(9_000);
    await world.show('online online', 0);
    await world.show('offline online', 8_000);
    await world.in('us', 0).stop();
    await world.show('offline offline', 300);
  });

  it('R11 a region that is cut off decays on both sides, and is back within 2 s of the heal', async () => {
    open({ regions: ['us', 'eu', 'ap'], processes: 2, delayMs: 120 });
    await enterAll({ ada: 'us', ben: 'eu', chiara: 'ap' });
    world.cut('us');
    await world.show('online offline offline', 22_000, [world.in('us'), world.in('us', 1)]);
    await world.show('offline online online', 3_000, [world.in('eu'), world.in('ap', 1)]);
    world.in('us').enter('dora');
    world.calm();
    await world.show('online online online', 2_000);
  });

  it('R11 a cut one way shows nothing that is not so: who is heard is here, who is not is gone', async () => {
    open();
    await enterAll({ ada: 'us', ben: 'eu' });
    world.network.cut('us', 'eu');
    world.in('us').sessions[0]!.session.idle(true);
    await world.show('away offline', 25_000, [world.in('us')]);
    await world.show('offline online', 25_000, [world.in('eu')]);
    world.calm();
    await world.show('away online', 2_000);
  });

  it('R11 R5 without its own broker a process shows its own members, others forget them, and all is back with it', async () => {
    open({ processes: 2 });
    await enterAll({ ada: 'us', ben: 'eu' });
    world.network.stop('us');
    world.in('us').enter('ada').mode('dnd');
    await world.show('dnd online', 100, [world.in('us')]);
    await world.show('offline online', 22_000, [world.in('eu'), world.in('us', 1)]);
    world.calm();
    await world.show('dnd online', 2_000);
  });

  it('R11 a process that stood still for a minute is forgotten, and is right within a lease after it goes on', async () => {
    open();
    await enterAll({ ada: 'us', ben: 'eu' });
    const bus = [...world.network.broker('us').processes][0]!;
    bus.pause();
    await world.time.sleep(20_000);
    await world.show('offline online', 0, [world.in('eu')]);
    world.in('eu').sessions[0]!.session.idle(true);
    await world.time.sleep(40_000);
    bus.resume();
    await world.show('online away', 6_000);
  });

  it('R11 after a flapping link everything is right within 2 s, whatever happened meanwhile (PAINS 9)', async () => {
    open({ processes: 2 });
    await enterAll({ ada: 'us', ben: 'eu', chiara: 'us' });
    const ada = world.in('us').sessions[0]!.session;
    for (const flapMs of [100, 1_000, 2_900, 3_500, 9_000, 14_000, 20_000]) {
      world.network.reset('us', 'eu');
      world.cut('us');
      await world.time.sleep(flapMs / 2);
      ada.idle(true);
      const dora = world.in('us', 1).enter('chiara');
      dora.mode('dnd');
      await world.time.sleep(flapMs / 2);
      world.calm();
      await world.show('away online dnd', 2_000);
      ada.idle(false);
      dora.leave();
      await world.show('online online online', 1_000);
    }
  });
});

describe('what is lost, late or repeated', () => {
  it('R11 a lost change is found by the next one, or by the lease', async () => {
    open();
    await enterAll({ ada: 'us', ben: 'us' });
    const [ada, ben] = world.in('us').sessions.map(({ session }) => session);
    world.network.broker('us').announcesToLose = 1;
    ada!.idle(true);
    await world.time.sleep(100);
    ben!.idle(true);
    await world.show('away away', 1_500);
    world.network.broker('us').announcesToLose = 1;
    ada!.idle(false);
    await world.show('online away', 6_000);
  });

  it('R11 a roster that was damaged on the other side is repaired by the next lease', async () => {
    open({ processes: 2 });
    const members = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`m${n}`, 'us']));
    await enterAll(members);
    world.weather = { lost: 100, twice: 0, late: 0, lateMs: 0 };
    for (const { session } of world.in('us').sessions.slice(0, 25)) session.leave();
    for (const { session } of world.in('us').sessions.slice(25, 30)) session.idle(true);
    await world.time.sleep(1_000);
    world.calm();
    const states = ['offline '.repeat(25), 'away '.repeat(5), 'online '.repeat(20)].join('').trim();
    await world.show(states, 6_000);
  });

  it('R11 late and repeated messages of a process that said goodbye bring no ghost', async () => {
    open();
    await enterAll({ ada: 'us', ben: 'eu' });
    world.weather = { lost: 0, twice: 100, late: 50, lateMs: 3_000 };
    for (const { session } of world.in('us').sessions) session.idle(true);
    await world.in('us').stop();
    await world.time.sleep(20_000);
    await world.show('offline online', 0);
    await world.time.sleep(40_000);
    await world.show('offline online', 0);
  });

  const SEEDS = Array.from({ length: 12 }, (_, n) => n + 1);
  it.each(SEEDS)(
    'R11 after a quiet time all processes show what the living sessions are: seed %i',
    async (seed) => {
      open({ regions: ['us', 'eu', 'ap'], processes: 2, seed });
      const { random, network, time } = world;
      const members = Array.from({ length: 20 }, (_, n) => `m${n}`);
      for (const process of world.processes) process.watch(...members);
      const STEPS: (() => unknown)[] = [
        () => random.pick(world.processes).enter(random.pick(members)),
        () => random.pick(world.processes).enter(random.pick(members)),
        () => {
          const { sessions } = random.pick(world.processes);
          sessions.splice(random.below(sessions.length + 1), 1)[0]?.session.leave();
        },
        () => {
          const { sessions } = random.pick(world.processes);
          const one = sessions[random.below(sessions.length + 1)];
          const mode = random.pick(['auto', 'away', 'dnd'] as const);
          one?.session.mode(mode);
          if (one !== undefined) one.state = mode === 'auto' ? 'online' : mode;
        },
        () => {
          const process = random.pick(world.processes);
          const again = (): void => world.start(process.region).watch(...members);
          if (random.chance(30)) void process.stop().then(again);
          else {
            process.kill();
            again();
          }
        },
        () => world.cut(random.pick(world.regions)),
        () => network.reset(random.pick(['us', 'eu']), 'ap'),
        () => network.stop(random.pick(world.regions)),
        () => world.calm(),
        () => (world.weather = { lost: random.below(30), twice: 20, late: 30, lateMs: 8_000 }),
        () => time.sleep(random.below(20_000)),
      ];
      for (let step = 0; step < 150; step++) {
        await random.pick(STEPS)();
        await time.sleep(random.below(400));
      }
      // At last with all connections standing, so that only numbers and leases show what was lost.
      world.calm();
      await time.sleep(5_000);
      world.weather = { lost: random.pick([10, 30]), twice: 20, late: 20, lateMs: 8_000 };
      for (let step = 0; step < 5; step++) {
        STEPS[random.below(4)]!();
        await time.sleep(random.below(400));
      }
      world.calm();
      await time.sleep(30_000);
      const strength = ['offline', 'away', 'online', 'away', 'dnd'];
      const living = world.processes.flatMap(({ sessions }) => sessions);
      const states = members.map((member) =>
        living
          .filter((session) => session.member === member)
          .map(({ state }) => state)
          .reduce(
            (one, other) => (strength.lastIndexOf(one) > strength.lastIndexOf(other) ? one : other),
            'offline',
          ),
      );
      await world.show(states.join(' '), 0);
    },
  );
});

describe('what it costs', () => {
  it('R10 R11 with 1,000 members idle a process says one short lease in 5 s, whatever they are (PAINS 14)', async () => {
    open({ regions: ['us', 'eu'] });
    const members = Array.from({ length: 1_000 }, (_, n) => `member-number-${n}`);
    for (const process of world.processes) process.watch(...members);
    const joining = world.count();
    for (const member of members) world.in('us').enter(member);
    await world.show(members.map(() => 'online').join(' '));
    expect(joining.messages).toBeLessThan(5);
    await world.time.sleep(6_000);
    const idle = world.count();
    const heard = world.in('eu').changes;
    await world.time.sleep(60_000);
    expect(idle.messages).toBeLessThan(14);
    expect(idle.bytes).toBeLessThan(1_000);
    expect(world.in('eu').changes).toBe(heard);
    const one = world.count();
    world.in('us').sessions[500]!.session.idle(true);
    await world.time.sleep(1_000);
    expect(one.bytes).toBeLessThan(200);
  });

  it('R10 a link that flaps with 1,000 members unchanged moves no roster', async () => {
    open();
    const members = Array.from({ length: 1_000 }, (_, n) => `member-number-${n}`);
    for (const member of members) world.in('us').enter(member);
    world.in('eu').watch(...members);
    await world.time.sleep(2_000);
    const counted = world.count();
    world.network.reset('us', 'eu');
    await world.time.sleep(2_000);
    expect(counted.bytes).toBeLessThan(500);
  });

  it('R10 20,000 members of one process are told, and no more; who leaves makes room', async () => {
    open();
    const us = world.in('us');
    for (let n = 0; n < 20_010; n++) us.enter(`m${n}`);
    const late = ['m19999', 'm20005'];
    for (const process of world.processes) process.watch(...late);
    await world.time.sleep(3_000);
    expect(world.in('us').text).toBe('online online');
    expect(world.in('eu').text).toBe('online offline');
    for (const { session } of us.sessions.slice(0, 20)) session.leave();
    await world.show('online online', 6_000);
  });

  it('R10 processes that come and go leave nothing behind', async () => {
    open();
    world.in('eu').watch('ada');
    for (let n = 0; n < 300; n++) {
      const process = world.start('us');
      process.enter('ada');
      await world.time.sleep(100);
      if (n % 2 === 0) process.kill();
      else await process.stop();
    }
    await world.time.sleep(20_000);
    expect(world.in('eu').presence.sizes).toEqual({ processes: 0, topics: 0 });
    expect(world.in('eu').text).toBe('offline');
  });
});

describe('typing', () => {
  it('R11 is heard in the zone by those who watch the channel, again when it is said again, and by whoever comes within 6 s', async () => {
    open({ processes: 2, delayMs: 120 });
    const heard = [hear('us', 1), hear('eu'), hear('us')];
    await world.time.sleep(500);
    const { presence } = world.in('us');
    presence.typing('acme', 'general', 'ada');
    presence.typing('acme', 'general', 'ada');
    presence.typing('acme', 'random', 'ben');
    presence.typing('acme', 'general', 'ben', 'thread1');
    await world.time.sleep(300);
    for (const all of heard) expect(all).toEqual(['general ada', 'general ben thread1']);
    await world.time.sleep(2_000);
    presence.typing('acme', 'general', 'ada');
    await world.time.sleep(3_900);
    expect(hear('eu')).toEqual(['general ada']);
    await world.time.sleep(6_000);
    expect(hear('eu')).toEqual([]);
  });

  it('R10 is announced once a second for one person, and 100 type in a channel at most', async () => {
    open();
    const heard = hear('eu');
    await world.time.sleep(500);
    const counted = world.count();
    for (let n = 0; n < 50; n++) {
      world.in('us').presence.typing('acme', 'general', 'ada');
      await world.time.sleep(100);
    }
    expect(counted.messages).toBeLessThanOrEqual(6);
    for (let n = 0; n < 200; n++) world.in('us').presence.typing('acme', 'general', `m${n}`);
    await world.time.sleep(500);
    expect(new Set(heard).size).toBeLessThanOrEqual(101);
  });
});
