import {
  channelScope,
  directChannel,
  memberScope,
  segmentName,
  type Badge,
  type Command,
} from '@causeway/protocol';
import { Unavailable, countOrder } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { CHANNEL, WORKSPACE, World, idOf } from './world.ts';

let world: World;
afterEach(() => world.close());

const open = (regions: string[] = ['us'], processes = 1): World =>
  (world = new World({ regions, processes }));

async function badge(region = 'us', member = 'ben', channel = CHANNEL): Promise<Badge> {
  const [found] = await world.at(region).badges(WORKSPACE, member, [channel]);
  return found!;
}

/** Everything that this region shows of the channel was on the member's screen. */
async function readAll(region = 'us', member = 'ben', channel = CHANNEL): Promise<void> {
  const markers: { segment: number; client: number; clock: number }[] = [];
  for (const { segment } of await world.region(region).store.segments(channelScope(WORKSPACE, channel))) {
    const live = await world.at(region).documents.open(segmentName(WORKSPACE, channel, segment));
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(live.doc)))
      markers.push({ segment, client, clock });
  }
  await world.at(region).execute({
    kind: 'read',
    workspace: WORKSPACE,
    channel,
    member,
    nonce: world.nonce(),
    markers,
  });
}

/** A cell of a member, as some process of the region wrote it. */
async function setCell(region: string, member: string, key: string, value: unknown, v = 1): Promise<void> {
  const entry = {
    kind: 'cells' as const,
    scope: memberScope(WORKSPACE, member),
    cells: [{ key, v: countOrder(v), value }],
  };
  await world.region(region).store.append([{ entry }]);
  await world.time.sleep(2_000);
}

const post = async (body: string, more: Partial<Command & { kind: 'post' }> = {}, region = 'us') => {
  const command = world.post(body, more);
  await world.at(region).execute(command);
  return command;
};
const caughtUp = (): Promise<void> => world.time.sleep(5_000);

describe('badges', () => {
  it('R9 who asks while a channel is being counted waits for the count', async () => {
    open();
    await post('hello');
    await caughtUp();
    const counts = await Promise.all([badge(), badge('us', 'cleo')]);
    expect(counts.map(({ unread }) => unread)).toEqual([1, 1]);
    await post('again');
    const later = await Promise.all([badge(), badge('us', 'cleo')]);
    expect(later.map(({ unread }) => unread)).toEqual([2, 2]);
  });

  it('R9 unread comes from a marker that only moves forward, and from nothing else (PAINS 23)', async () => {
    open();
    expect(await badge()).toEqual({ channel: CHANNEL, unread: 0, mentions: 0 });
    const first = await post('hello');
    await post('@ben look');
    await post('@channel look', { member: 'cleo' });
    await post('mine', { member: 'ben' });
    expect(await badge()).toMatchObject({ unread: 3, mentions: 2, first: idOf(first) });
    await readAll();
    expect(await badge()).toMatchObject({ unread: 0, mentions: 0 });
    expect(await badge('us', 'ada')).toMatchObject({ unread: 2, mentions: 1 });
    const read: Command = {
      kind: 'read',
      workspace: WORKSPACE,
      channel: CHANNEL,
      member: 'ben',
      nonce: world.nonce(),
      markers: [{ segment: 1, client: 1, clock: 0 }],
    };
    await world.at('us').execute(read);
    expect(await badge()).toMatchObject({ unread: 0 });
    const { latest } = await badge();
    await post('later');
    expect(await badge()).toMatchObject({ unread: 1 });
    expect((await badge()).latest! > latest!).toBe(true);
  });

  it('follow edits that add and remove mentions, and deletes', async () => {
    open();
    const posted = await post('hello');
    expect(await badge()).toMatchObject({ unread: 1, mentions: 0 });
    await world.at('us').execute(world.edit(idOf(posted), 'hello @ben', world.v()));
    expect(await badge()).toMatchObject({ unread: 1, mentions: 1 });
    await world.at('us').execute(world.edit(idOf(posted), 'hello', world.v(1)));
    expect(await badge()).toMatchObject({ unread: 1, mentions: 0 });
    await world.at('us').execute(world.remove(idOf(posted)));
    expect(await badge()).toMatchObject({ unread: 0, mentions: 0 });
  });

  it('count no replies but those that are shown in the channel too', async () => {
    open();
    const root = await post('root');
    await post('@ben reply', { thread: idOf(root) });
    expect(await badge()).toMatchObject({ unread: 1, mentions: 0 });
    await post('@ben reply', { thread: idOf(root), also: true });
    expect(await badge()).toMatchObject({ unread: 2, mentions: 1 });
  });

  it('R1 count what arrives late though newer messages were read, on all devices in all regions', async () => {
    open(['us', 'eu']);
    await post('before', {}, 'us');
    await caughtUp();
    world.cut('us');
    const late = await post('said in eu', {}, 'eu');
    await world.time.sleep(1_000);
    await post('said later in us', {}, 'us');
    await readAll('us');
    expect(await badge('us')).toMatchObject({ unread: 0 });
    // In the other region the member has read nothing yet, and the markers of this one are not there.
    expect(await badge('eu')).toMatchObject({ unread: 2 });
    world.heal();
    await caughtUp();
    for (const region of ['us', 'eu'])
      expect(await badge(region)).toMatchObject({ unread: 1, mentions: 0, first: idOf(late) });
    await readAll('eu');
    await caughtUp();
    for (const region of ['us', 'eu']) expect(await badge(region)).toMatchObject({ unread: 0 });
  });

  it('R4 count a message once that two regions took, and as read when one of its copies was', async () => {
    open(['us', 'eu']);
    await post('first');
    await caughtUp();
    world.cut('us');
    const command = world.post('twice');
    await world.at('us').execute(command);
    await readAll('us');
    await world.at('eu').execute(command);
    expect(await badge('us')).toMatchObject({ unread: 0 });
    expect(await badge('eu')).toMatchObject({ unread: 2 });
    world.heal();
    await caughtUp();
    for (const region of ['us', 'eu']) {
      expect(await badge(region)).toMatchObject({ unread: 0 });
      expect(await badge(region, 'cleo')).toMatchObject({ unread: 2 });
    }
  });

  it('know muted channels, direct ones, and what was marked unread again', async () => {
    open();
    const posted = await post('hello');
    await post('@ben');
    await readAll();
    const { t } = (await world.messages('us')).find(({ id }) => id === idOf(posted))!;
    await setCell('us', 'ben', `unread|${CHANNEL}`, { message: idOf(posted), t });
    expect(await badge()).toMatchObject({ unread: 2, mentions: 1, first: idOf(posted) });
    await setCell('us', 'ben', `muted|${CHANNEL}`, true);
    expect(await badge()).toMatchObject({ unread: 1, mentions: 1 });
    await setCell('us', 'ben', `unread|${CHANNEL}`, null, 2);
    expect(await badge()).toMatchObject({ unread: 0, mentions: 0 });
    const members = ['ada', 'ben'];
    await world.at('us').execute({
      kind: 'direct',
      workspace: WORKSPACE,
      member: 'ada',
      nonce: world.nonce(),
      members,
      v: world.v(),
    });
    const channel = directChannel(WORKSPACE, members);
    await post('psst', { channel });
    expect(await badge('us', 'ben', channel)).toMatchObject({ unread: 1, mentions: 1 });
  });

  it('R10 a thousand members of a channel cost one read of it when it changes, and none of theirs', async () => {
    open(['us'], 0);
    const { store } = world.region('us');
    const asked: string[] = [];
    world.start('us', ({ bus, store: inner }) => ({
      bus,
      store: new Proxy(inner, {
        get: (target, property) => {
          const value: unknown = Reflect.get(target, property, target);
          if (typeof value !== 'function') return value;
          return (...parameters: unknown[]): unknown => {
            asked.push(String(property));
            return Reflect.apply(value, target, parameters);
          };
        },
      }),
    }));
    const members = Array.from({ length: 1_000 }, (_, n) => `m${n}`);
    await store.append(
      members.map((member, n) => ({
        entry: {
          kind: 'cells' as const,
          scope: memberScope(WORKSPACE, member),
          cells: [{ key: `muted|${CHANNEL}`, v: countOrder(1), value: n % 2 === 0 }],
        },
      })),
    );
    const counted = async (): Promise<Badge[]> => {
      asked.length = 0;
      return world.at('us').badgesOfChannel(WORKSPACE, CHANNEL, members);
    };
    await post('hello @m2');
    const first = await counted();
    expect(asked.filter((name) => name === 'loadCells').length).toBeLessThanOrEqual(2);
    expect(first.slice(0, 3).map(({ unread }) => unread)).toEqual([0, 1, 1]);
    await post('again');
    // The tail lists it once more: whoever counts before and after reads twice.
    await world.time.sleep(2_000);
    const second = await counted();
    expect(second.slice(0, 3).map(({ unread }) => unread)).toEqual([0, 2, 1]);
    const count = (name: string): number => asked.filter((each) => each === name).length;
    expect([count('countables'), count('loadCells')]).toEqual([1, 0]);
    await counted();
    expect(count('countables')).toBe(0);
  });

  it('R10 are counted for who asks, though others who ask for more than fits make room meanwhile', async () => {
    open();
    await post('hello');
    await caughtUp();
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((of) => {
        const others = Array.from({ length: 3_000 }, (_, n) => `${of}${n}`);
        return world.at('us').badges(WORKSPACE, 'ben', [CHANNEL, ...others]);
      }),
    );
    for (const [first, ...others] of answers) {
      expect(first).toMatchObject({ unread: 1 });
      expect(others).toHaveLength(3_000);
    }
    expect(await badge()).toMatchObject({ unread: 1 });
  });

  it('R2 are as far behind as the view is, and catch up; a store that fails is tried again', async () => {
    open();
    await post('one');
    expect(await badge()).toMatchObject({ unread: 1 });
    const { faults } = world.region('us');
    faults.failNext('countables', 'before', new Unavailable('gone'));
    await post('two');
    await expect(badge()).rejects.toThrow('gone');
    expect(await badge()).toMatchObject({ unread: 2 });
  });

  it('tell which channel changed, whoever wrote', async () => {
    open(['us', 'eu']);
    const told = new Set<string>();
    const stop = world.at('us').watchBadges((scope) => void told.add(scope));
    await post('hello', {}, 'eu');
    await caughtUp();
    expect([...told]).toEqual([channelScope(WORKSPACE, CHANNEL)]);
    stop();
    told.clear();
    await post('again', {}, 'eu');
    await caughtUp();
    expect(told.size).toBe(0);
  });
});
