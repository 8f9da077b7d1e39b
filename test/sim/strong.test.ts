/* The strong half: numbered versions, decided by one compare-and-set each. One list. */
import {
  CausewayError,
  ENVELOPE_VERSION,
  TALK,
  changeId,
  changesName,
  digestOf,
  encodeTalk,
  firstHead,
  type ChangeCommand,
  type Deed,
  type Done,
  type Version,
} from '@causeway/protocol';
import {
  BusDown,
  Doubtful,
  Unavailable,
  type Bus,
  type Founding,
  type Operation,
  type Store,
} from '@causeway/replica';
import type { StoreOperation } from '@causeway/store';
import { afterEach, describe, expect, it } from 'vitest';
import { SeededRandom } from './seeded-random.ts';
import { WORKSPACE, World, type Ports, type Region } from './world.ts';

/** `ap`, the first by name, keeps the directory; `us` is home. */
const REGIONS = ['us', 'eu', 'ap'];
const HOME = 'us';
const DIRECTORY = 'ap';
const founding: Founding = {
  id: WORKSPACE,
  home: HOME,
  admins: ['ada'],
  channels: [{ id: 'general', slug: 'general' }],
};

let world: World;
afterEach(() => world.close());
function open(more: { regions?: string[]; home?: string; processes?: number; seed?: number } = {}): World {
  const { regions = REGIONS, home = HOME, ...rest } = more;
  return (world = new World({ regions, workspaces: [{ ...founding, home }], ...rest }));
}

const wish = (deed: Deed, member = 'ada'): ChangeCommand => ({
  kind: 'change',
  workspace: WORKSPACE,
  member,
  nonce: world.nonce(),
  deed,
});
const creation = (slug: string, more: { private?: boolean; members?: string[]; by?: string } = {}) =>
  wish(
    { kind: 'create-channel', slug, private: more.private ?? false, members: more.members ?? [] },
    more.by ?? 'ada',
  );
const request = (region: string, command: ChangeCommand, ifVersion?: number): Promise<Done> =>
  world.at(region).strong.request(command, ifVersion);
/** What became of it: its version, or the code of its refusal. */
const outcome = (asking: Promise<Done>): Promise<number | string> =>
  asking.then(
    ({ version }) => version,
    (error: unknown) => (error instanceof CausewayError ? error.code : String(error)),
  );
const stateIn = (region: string) => world.at(region).strong.state(WORKSPACE);
const slugsIn = async (region: string, member = 'ada'): Promise<string[]> =>
  (await stateIn(region)).channelsOf(member).map(({ slug }) => slug);
const logOf = ({ store }: Region): Promise<Version[]> => store.strongVersions(WORKSPACE, 0, 100_000);
const idsIn = async (region: Region): Promise<string[]> =>
  (await logOf(region)).flatMap(({ changes }) => changes.map(({ id }) => id));

/** All regions have one log, each change in it once, and all of these. */
async function agree(ids: readonly string[] = []): Promise<void> {
  await world.until(async () => {
    const logs = await Promise.all(world.regions.map(logOf));
    const heads = logs.map((log) => (log.length === 0 ? '' : digestOf(log.at(-1)!)));
    return (
      new Set(heads).size === 1 && ids.every((id) => logs[0]!.some((v) => v.changes.some((c) => c.id === id)))
    );
  }, 'all regions have one log');
  const [first, ...others] = await Promise.all(world.regions.map(logOf));
  for (const other of others) expect(other).toEqual(first);
  const all = await idsIn(world.regions[0]!);
  expect(new Set(all).size).toBe(all.length);
  const states = await Promise.all(world.regions.map(({ name }) => stateIn(name)));
  const shown = states.map((state) => [
    state.head,
    state.removed,
    ['ada', 'ben', 'eve'].map((m) => state.channelsOf(m)),
  ]);
  for (const one of shown) expect(one).toEqual(shown[0]);
}

describe('a change', () => {
  it.each(REGIONS)('R7 asked in %s is decided once and is the same everywhere', async (region) => {
    open();
    const command = creation('plans');
    expect(await request(region, command)).toMatchObject({ id: changeId(command), version: 1 });
    expect(await slugsIn(region)).toEqual(['general', 'plans']);
    await agree([changeId(command)]);
  });

  it('R7 is in force everywhere within a second, in all processes', async () => {
    open({ processes: 2 });
    await world.time.sleep(3_000);
    await request('eu', creation('plans'));
    await world.time.sleep(1_000);
    for (const { processes } of world.regions)
      for (const { replica } of processes) expect((await replica.strong.state(WORKSPACE)).version).toBe(1);
  });

  it('R7 of many asked in all regions at once each is made once, in one order, and several share a version', async () => {
    open({ processes: 2 });
    const commands = REGIONS.flatMap((region) =>
      Array.from({ length: 12 }, (_, n) => ({ region, command: creation(`${region}-${n}`) })),
    );
    await Promise.all(
      commands.map(({ region, command }, n) =>
        world.region(region).processes[n % 2]!.replica.strong.request(command),
      ),
    );
    await agree(commands.map(({ command }) => changeId(command)));
    expect((await stateIn('eu')).version).toBeLessThan(commands.length);
  });

  it('R4 repeated in all regions, at once and later, is one change with one answer', async () => {
    open();
    const command = creation('plans');
    const asked = [...REGIONS, ...REGIONS, ...REGIONS];
    const answers = await Promise.all(asked.map((region) => request(region, command)));
    await request('eu', creation('others'));
    for (const region of REGIONS) answers.push(await request(region, command));
    for (const { id, version } of answers)
      expect({ id, version }).toEqual({ id: changeId(command), version: 1 });
    await agree();
  });

  it('R7 of two that take one name at once in two regions one is made, the other one is told', async () => {
    open();
    const asked = ['us', 'eu'].map((region) => outcome(request(region, creation('plans'))));
    expect((await Promise.all(asked)).sort()).toEqual([1, 'name-taken']);
    await agree();
    expect(await slugsIn('ap')).toEqual(['general', 'plans']);
  });

  it('R7 made only while the workspace is as its asker saw it', async () => {
    open();
    await request('eu', creation('plans'), 0);
    expect(await outcome(request('eu', creation('late'), 0))).toBe('version-moved');
    const [first, second] = await Promise.all(
      ['x', 'y'].map((slug) => outcome(request('eu', creation(slug), 1))),
    );
    expect([first, second].sort()).toEqual([2, 'version-moved']);
    await agree();
  });

  it('R4 that changes nothing changes nothing when it is repeated after newer ones either', async () => {
    open();
    const creating = creation('plans', { private: true, members: ['ben'] });
    await request('eu', creating);
    const channel = changeId(creating);
    const idle = [
      wish({ kind: 'invite', channel, members: ['ben'] }),
      wish({ kind: 'archive-channel', channel, on: false }),
      wish({ kind: 'rename-channel', channel, slug: 'plans' }),
      wish({ kind: 'remove', channel, member: 'eve' }),
      wish({ kind: 'return-member', member: 'cem' }),
      wish({ kind: 'remove-member', member: 'dan' }),
    ];
    await request('us', wish({ kind: 'remove-member', member: 'dan' }));
    const before = (await stateIn('us')).channelsOf('ada');
    for (const command of idle) await request('us', command);
    expect((await stateIn('us')).channelsOf('ada')).toEqual(before);
    for (const deed of [
      { kind: 'remove', channel, member: 'ben' },
      { kind: 'rename-channel', channel, slug: 'other' },
      { kind: 'invite', channel, members: ['eve'] },
      { kind: 'archive-channel', channel, on: true },
      { kind: 'remove-member', member: 'cem' },
      { kind: 'return-member', member: 'dan' },
    ] satisfies Deed[])
      await request('us', wish(deed));
    for (const region of REGIONS) for (const command of idle) await request(region, command);
    await agree(idle.map(changeId));
    const state = await stateIn('eu');
    expect(state.removed).toEqual(['cem']);
    expect(state.channel(channel)).toMatchObject({ slug: 'other', archived: true });
    expect([...state.channel(channel)!.members].sort()).toEqual(['ada', 'eve']);
  });

  it('R6 leaves nothing in the directory that tells of it', async () => {
    open();
    await request('us', creation('secret', { private: true, members: ['eve'] }));
    const records = await world.region(DIRECTORY).store.directoryRecords([WORKSPACE]);
    const [version] = await logOf(world.region('us'));
    expect([...records]).toEqual([
      [WORKSPACE, { version: 1, digest: digestOf(version!), epoch: 1, home: HOME }],
    ]);
    expect(digestOf({ ...version!, salt: world.nonce() })).not.toBe(digestOf(version!));
  });

  it('R12 a version of a workspace of another zone is neither kept nor applied', async () => {
    open();
    const foreign: Version = {
      workspace: 'foreign',
      version: 1,
      before: firstHead('foreign').digest,
      salt: world.nonce(),
      changes: [{ id: world.nonce(), by: 'eve', at: 0, deed: { kind: 'leave', channel: 'x' } }],
    };
    const bus = world.network.bus('eu');
    await expect(bus.ask('us', 'prepare', encodeTalk({ version: foreign }))).rejects.toBeInstanceOf(BusDown);
    world.at('us').strong.learn(foreign);
    await world.time.sleep(3_000);
    expect(await world.region('us').store.heldVersion('foreign', digestOf(foreign))).toBeUndefined();
    expect(await world.region('us').store.strongHeads()).toEqual([]);
    await bus.close();
  });
});

/** What stops the home region in the middle of a change; resolves when it has. */
const STEPS: [string, { region: string; operation: StoreOperation; when: 'before' | 'after' }, boolean][] = [
  ['before it is prepared', { region: HOME, operation: 'prepare', when: 'before' }, false],
  ['after it is prepared here', { region: HOME, operation: 'prepare', when: 'after' }, false],
  [
    'after it is prepared at a peer',
    { region: DIRECTORY, operation: 'setDirectoryRecord', when: 'before' },
    false,
  ],
  [
    'after the decision, its answer lost',
    { region: DIRECTORY, operation: 'setDirectoryRecord', when: 'after' },
    true,
  ],
  [
    'after the decision, before it is applied',
    { region: HOME, operation: 'applyVersion', when: 'before' },
    true,
  ],
  [
    'after it is applied, before it is published',
    { region: HOME, operation: 'applyVersion', when: 'after' },
    true,
  ],
];

describe('home dies', () => {
  it.each(STEPS)(
    'R7 R4 %s: nothing, or all of it, and a repeat is the same change',
    async (_, step, isDecided) => {
      open();
      await world.time.sleep(3_000);
      const { faults } = world.region(step.region);
      const gate = faults.gate(step.operation, step.when);
      const command = creation('plans');
      void outcome(request(HOME, command));
      await gate.reached;
      world.region(HOME).processes[0]!.crash();
      gate.open(isDecided ? undefined : new Unavailable('it never came to it'));
      if (isDecided)
        // Any region completes it.
        await world.until(
          async () => (await slugsIn('eu')).includes('plans'),
          'in force without home',
          5_000,
        );
      else {
        await world.time.sleep(5_000);
        expect(await slugsIn('eu')).toEqual(['general']);
        expect(await outcome(request('eu', command))).toBe('no-peer');
      }
      world.start(HOME);
      await world.until(async () => (await outcome(request('eu', command))) === 1, 'the repeat is answered');
      await request('ap', creation('more'));
      await agree([changeId(command)]);
      expect(await slugsIn(HOME)).toEqual(['general', 'more', 'plans']);
    },
  );
});

describe('a compare-and-set', () => {
  it('R7 that lands after its proposer was told that nobody knows is one decision, and the next change follows it', async () => {
    open();
    await world.time.sleep(3_000);
    const gate = world.region(DIRECTORY).faults.gate('setDirectoryRecord');
    const [first, second] = [creation('first'), creation('second')];
    expect(await outcome(request('us', first))).toBe('no-directory');
    const later = outcome(request('us', second));
    await world.time.sleep(1_000);
    gate.open();
    await later;
    for (const command of [first, second])
      await world.until(async () => typeof (await outcome(request('eu', command))) === 'number', 'made');
    await agree([changeId(first), changeId(second)]);
    expect(await slugsIn('eu')).toEqual(['first', 'general', 'second']);
  });

  it('R7 whose answers are lost is settled by the record', async () => {
    open();
    await world.time.sleep(3_000);
    const { faults } = world.region(DIRECTORY);
    for (const kind of ['before', 'after'] as const) {
      faults.failNext('setDirectoryRecord', kind, new Doubtful('the answer is lost'));
      await request('eu', creation(`answer-lost-${kind}`));
    }
    await agree();
    expect((await stateIn('us')).version).toBe(2);
  });

  it('R7 of a home that slept while another one became home fails: what it had prepared is never in force', async () => {
    open();
    await world.time.sleep(3_000);
    const gate = world.region('us').faults.gate('prepare', 'after');
    const old = outcome(request('us', creation('by-the-old-home')));
    await gate.reached;
    await world.at('eu').strong.moveHome(WORKSPACE, 'eu');
    await request('eu', creation('by-the-new-home'));
    const prepared = await request('eu', creation('another'));
    expect(prepared.version).toBe(2);
    gate.open();
    // Its asker is sent on to the new home.
    expect(await old).toBe(3);
    await agree();
    const records = await world.region(DIRECTORY).store.directoryRecords([WORKSPACE]);
    expect(records.get(WORKSPACE)).toMatchObject({ version: 3, epoch: 2, home: 'eu' });
  });

  it('R7 of a paused process of home, against the other one of it, commits nothing twice', async () => {
    open({ processes: 2 });
    await world.time.sleep(3_000);
    const [paused, awake] = world.region('us').processes;
    const gate = world.region('us').faults.gate('prepare', 'before');
    const command = creation('plans');
    const slow = outcome(paused!.replica.strong.request(command));
    await gate.reached;
    gate.open();
    const answers = await Promise.all([slow, outcome(awake!.replica.strong.request(command))]);
    expect(answers).toEqual([1, 1]);
    await agree();
  });
});

describe('without what decides', () => {
  it('R5 R7 cut off from the directory a change is refused with no-directory, messages go on, and it is made afterwards', async () => {
    open();
    await world.time.sleep(3_000);
    world.cut('us', DIRECTORY);
    const command = creation('plans');
    expect(await outcome(request('us', command))).toBe('no-directory');
    expect(await outcome(request('eu', creation('others')))).toMatch(/^no-/);
    for (const region of ['us', 'eu']) await world.at(region).execute(world.post(`from ${region}`));
    expect(await slugsIn('us')).toEqual(['general']);
    world.heal();
    await world.until(async () => (await outcome(request('us', command))) !== 'no-directory', 'healed');
    await agree([changeId(command)]);
  });

  it('R5 R7 without a peer that keeps a copy it is refused with no-peer and not decided', async () => {
    open({ regions: ['eu', 'us'], home: 'eu' });
    await world.time.sleep(3_000);
    world.cut('eu');
    const command = creation('plans');
    expect(await outcome(request('eu', command))).toBe('no-peer');
    await world.at('eu').execute(world.post('goes on'));
    const records = await world.region('eu').store.directoryRecords([WORKSPACE]);
    expect(records.get(WORKSPACE)!.version).toBe(0);
    world.heal();
    await world.until(async () => (await outcome(request('us', command))) === 1, 'healed');
    await agree([changeId(command)]);
  });

  it('R7 a zone of one region decides by itself', async () => {
    open({ regions: ['us'] });
    expect(await outcome(request('us', creation('plans')))).toBe(1);
  });
});

describe('what was missed', () => {
  it('R15 comes by the stream to a region that is cut off from the directory', async () => {
    open();
    await world.time.sleep(3_000);
    world.cut('eu', DIRECTORY);
    await request('us', creation('plans'));
    await world.time.sleep(1_000);
    expect(await slugsIn('eu')).toEqual(['general', 'plans']);
  });

  it('R15 is asked of a peer, when neither stream nor directory has it', async () => {
    open();
    await world.time.sleep(3_000);
    world.cut('eu');
    for (let n = 0; n < 5; n++) await request('us', creation(`plans-${n}`));
    world.network.purge('us', world.network.broker('us').stream.lastSequence + 1);
    for (const [from, to] of [
      ['us', 'eu'],
      ['eu', 'us'],
    ] as const)
      world.network.heal(from, to);
    await world.until(async () => (await stateIn('eu')).version >= 5, 'asked of a peer', 60_000);
    world.heal();
    await agree();
  });

  it('R3 R15 a region that lost its disk takes its log up again from the first version, through the chain', async () => {
    open({ processes: 0 });
    // More than one answer holds.
    for (let last = firstHead(WORKSPACE); last.version < 405;) {
      const change = { id: world.nonce(), by: 'ada', at: 0, deed: creation(`plans-${last.version}`).deed };
      const version = {
        workspace: WORKSPACE,
        version: last.version + 1,
        before: last.digest,
        salt: world.nonce(),
        changes: [change],
      };
      for (const { store } of world.regions) await store.applyVersion(version);
      last = { version: version.version, digest: digestOf(version) };
    }
    for (const region of REGIONS) world.start(region);
    for (const lost of ['eu', DIRECTORY]) {
      world.region(lost).processes[0]!.crash();
      world.region(lost).store.wipe();
      world.network.wipe(lost);
      world.start(lost);
      await world.until(
        async () => (await stateIn(lost)).version === (await stateIn('us')).version,
        `${lost} is filled again`,
      );
      await request('eu', creation(`after-${lost}`));
      await agree();
    }
  });

  it('R3 a decision that its home could not apply any more, disk lost, is kept by the peer', async () => {
    open();
    await world.time.sleep(3_000);
    await request('us', creation('before'));
    const gate = world.region('us').faults.gate('applyVersion', 'before');
    const command = creation('plans');
    void outcome(request('us', command));
    await gate.reached;
    world.region('us').processes[0]!.crash();
    world.region('us').store.wipe();
    world.network.wipe('us');
    gate.open(new Unavailable('gone'));
    await world.until(async () => (await slugsIn('eu')).includes('plans'), 'kept by the peer');
    world.start('us');
    await agree([changeId(command)]);
  });

  it('R15 a region of the version before parks it, and has it in force after the upgrade', async () => {
    open();
    await request('us', creation('before'));
    await agree();
    world.region('eu').processes[0]!.crash();
    const old = world.start('eu', versionBefore);
    await world.time.sleep(3_000);
    await request('us', creation('plans'));
    await old.replica.execute(world.post('goes on'));
    const { store } = world.region('eu');
    await world.until(async () => (await store.parkedNames()).includes(changesName(WORKSPACE)), 'parked');
    old.crash();
    world.start('eu');
    await agree();
    expect(await store.parkedNames()).toEqual([]);
    expect(await slugsIn('eu')).toEqual(['before', 'general', 'plans']);
  });
});

const isUnknown = (operation: Operation): boolean => Object.hasOwn(TALK, operation);

/** A process of a version that knows nothing of strong logs. */
function versionBefore({ store, bus }: Ports): Ports {
  const old: Bus = Object.create(bus, {
    follow: {
      value: (peer, from, deliver, signal) =>
        bus.follow(
          peer,
          from,
          (batch) =>
            deliver(
              batch.map((message) =>
                message.bytes[0] === 2
                  ? { ...message, bytes: Uint8Array.of(ENVELOPE_VERSION + 1, ...message.bytes.subarray(1)) }
                  : message,
              ),
            ),
          signal,
        ),
    } satisfies { value: Bus['follow'] },
    ask: {
      value: async (peer, operation, question) => {
        if (isUnknown(operation)) throw new BusDown('not of this version');
        return bus.ask(peer, operation, question);
      },
    } satisfies { value: Bus['ask'] },
    answer: {
      value: (answer) =>
        bus.answer(async (operation, question) => {
          if (isUnknown(operation)) throw new RangeError(operation);
          return answer(operation, question);
        }),
    } satisfies { value: Bus['answer'] },
  }) as Bus;
  const before = new Proxy(store, {
    get: (target, property) => {
      if (property === 'strongHeads') return async () => [];
      if (property !== 'apply') return Reflect.get(target, property) as unknown;
      const apply: Store['apply'] = (batch) =>
        target.apply({
          ...batch,
          parked: batch.parked.map((message) => ({
            ...message,
            version: 2,
            bytes: Uint8Array.of(2, ...message.bytes.subarray(1)),
          })),
        });
      return apply;
    },
  });
  return { store: before, bus: bound(old, bus) };
}

/** Methods of a class with private fields need the object that they are of. */
function bound(over: Bus, own: Bus): Bus {
  return new Proxy(over, {
    get: (target, property) => {
      if (Object.hasOwn(target, property)) return Reflect.get(target, property) as unknown;
      const member: unknown = Reflect.get(own, property);
      return typeof member === 'function' ? (member.bind(own) as unknown) : member;
    },
  });
}

describe('random worlds', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'R7 R4 R3 R5 seed %i: whatever is cut, lost and killed, what was answered is in force everywhere, once',
    async (seed) => {
      open({ seed, processes: 2 });
      const random = new SeededRandom(seed);
      const pick = <T>(items: readonly T[]): T => items[random.below(items.length)]!;
      const answered = new Map<string, number | string>();
      const asked: ChangeCommand[] = [];
      const waiting: Promise<void>[] = [];
      for (let step = 0; step < 60; step++) {
        const region = pick(REGIONS);
        const { processes, faults } = world.region(region);
        switch (random.below(8)) {
          case 0:
            world.cut(region, pick(REGIONS.filter((other) => other !== region)));
            break;
          case 1:
            world.heal();
            break;
          case 2:
            pick(processes).crash();
            world.start(region);
            break;
          case 3: {
            const operation = pick<StoreOperation>(['prepare', 'applyVersion', 'setDirectoryRecord']);
            const [when, error] = pick([
              ['before', new Unavailable('down')],
              ['after', new Doubtful('lost')],
            ] as const);
            faults.failNext(operation, when, error);
            break;
          }
          case 4:
            await world
              .at(pick(REGIONS))
              .strong.moveHome(WORKSPACE, pick(REGIONS))
              .catch(() => undefined);
            break;
          default: {
            const command = asked.length > 0 && random.chance(30) ? pick(asked) : creation(`c-${step}`);
            asked.push(command);
            const { replica, crashed } = pick(processes);
            const dead = new Promise<string>((resolve) =>
              crashed.addEventListener('abort', () => resolve('crashed'), { once: true }),
            );
            waiting.push(
              Promise.race([outcome(replica.strong.request(command)), dead]).then((said) => {
                if (typeof said === 'number') answered.set(changeId(command), said);
              }),
            );
          }
        }
        await world.time.sleep(random.below(3_000));
      }
      world.heal();
      for (const { faults } of world.regions) faults.clear();
      await Promise.all(waiting);
      await agree([...answered.keys()]);
      const log = await logOf(world.regions[0]!);
      for (const [id, version] of answered)
        expect(log.find(({ changes }) => changes.some((change) => change.id === id))?.version).toBe(version);
      expect(answered.size).toBeGreaterThan(5);
    },
  );
});
