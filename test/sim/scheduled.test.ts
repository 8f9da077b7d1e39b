/* Scheduled posts: one message, whoever sends it, at its time or a minute later. */
import { LIMITS, directChannel, memberScope, type Command, type CommandOf } from '@causeway/protocol';
import { OTHERS_WAIT_MS, Unavailable, type Founding } from '@causeway/replica';
import { afterEach, describe, expect, it } from 'vitest';
import { CHANNEL, WORKSPACE, World, idOf, outcomeOf } from './world.ts';

const OK = expect.objectContaining({ level: 'region' });
const founding: Founding = {
  id: WORKSPACE,
  home: 'eu',
  admins: ['ada'],
  channels: [{ id: CHANNEL, slug: CHANNEL }],
};

let world: World;
const open = (processes = 1): World =>
  (world = new World({ regions: ['eu', 'us'], workspaces: [founding], processes }));
afterEach(() => world.close());

const frame = (member = 'ada') => ({ workspace: WORKSPACE, member, nonce: world.nonce() });
const schedule = (post: CommandOf<'post'>, inMs: number, vAhead = 0): CommandOf<'schedule'> => ({
  kind: 'schedule',
  ...frame(post.member),
  post,
  at: world.time.now() + inMs,
  v: world.v(vAhead),
});
const unschedule = (post: CommandOf<'post'>, vAhead = 1): Command => ({
  kind: 'unschedule',
  ...frame(post.member),
  post: idOf(post),
  v: world.v(vAhead),
});
const at = (region: string, command: Command) => outcomeOf(world.at(region).execute(command));
const cell = async (region: string, post: CommandOf<'post'>): Promise<unknown> =>
  (await world.region(region).store.loadCells([memberScope(WORKSPACE, post.member)])).find(
    ({ key }) => key === `scheduled|${idOf(post)}`,
  )?.value;
const shownIn = async (region: string): Promise<string[]> =>
  (await world.messages(region)).map(({ id }) => id);

describe('a scheduled post', () => {
  it('R4 is sent when it is due, under the id that it had, as one message', async () => {
    open(2);
    const post = world.post('later');
    expect(await at('us', schedule(post, 10_000))).toEqual(OK);
    await world.time.sleep(9_000);
    expect(await world.bodies('us')).toEqual([]);
    await world.until(async () => (await world.bodies('eu')).length === 1, 'sent', 4_000);
    await world.time.sleep(2 * OTHERS_WAIT_MS);
    for (const region of ['us', 'eu']) expect(await shownIn(region)).toEqual([idOf(post)]);
    expect(await cell('eu', post)).toMatchObject({ sent: true });
    expect((await world.messages('eu'))[0]!.region).toBe('us');
  });

  it('R4 R5 of a region that is away is sent by another one a minute later, and is one message when it returns', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 10_000));
    await world.time.sleep(1_000);
    world.cut('us', 'eu');
    await world.time.sleep(20_000);
    expect([await shownIn('us'), await shownIn('eu')]).toEqual([[idOf(post)], []]);
    await world.time.sleep(OTHERS_WAIT_MS);
    expect(await shownIn('eu')).toEqual([idOf(post)]);
    world.heal();
    await world.time.sleep(5_000);
    for (const region of ['us', 'eu']) expect(await shownIn(region)).toEqual([idOf(post)]);
  });

  it('R3 is noted as sent when another region has it, never before (seed 51494 of 2026-11-28)', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 10_000));
    await world.time.sleep(1_000);
    world.cut('us', 'eu');
    await world.time.sleep(30_000);
    expect([await shownIn('us'), await cell('us', post)]).toEqual([
      [idOf(post)],
      expect.objectContaining({ post }),
    ]);
    expect(await at('us', unschedule(post))).toBe('gone');
    world.heal();
    await world.until(async () => JSON.stringify(await cell('eu', post)).includes('sent'), 'noted');
    expect(await shownIn('eu')).toEqual([idOf(post)]);
  });

  it('R4 stays deleted, though another region sends it again', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 5_000));
    await world.time.sleep(1_000);
    world.cut('us', 'eu');
    await world.time.sleep(10_000);
    expect(await at('us', world.remove(idOf(post)))).toEqual(OK);
    await world.time.sleep(OTHERS_WAIT_MS);
    world.heal();
    await world.until(async () => (await shownIn('eu')).length === 0, 'gone in eu');
    expect(await shownIn('us')).toEqual([]);
  });

  it('R4 is one message, though the process dies after sending and before noting it', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 2_000));
    const process = world.region('us').processes[0]!;
    let appends = 0;
    const stop = world.region('us').faults.inject((operation, when) => {
      if (operation === 'append' && when === 'after' && ++appends === 1) process.crash();
      return undefined;
    });
    await world.time.sleep(5_000);
    stop();
    expect([appends, await cell('us', post)]).toEqual([1, expect.objectContaining({ post })]);
    world.start('us');
    await world.until(async () => JSON.stringify(await cell('us', post)).includes('sent'), 'noted');
    expect(await shownIn('us')).toEqual([idOf(post)]);
  });

  it('R2 is tried again while the database is away', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 2_000));
    const stop = world
      .region('us')
      .faults.inject((operation, when) =>
        operation === 'append' && when === 'before' ? Promise.reject(new Unavailable('no')) : undefined,
      );
    await world.time.sleep(10_000);
    expect(await shownIn('us')).toEqual([]);
    stop();
    await world.until(async () => (await shownIn('us')).length === 1, 'sent', 5_000);
    expect(world.region('us').processes[0]!.notices.map(({ what }) => what)).toContain('scheduler-failed');
  });

  it('R4 a cancelled one is not sent; a cancellation that comes too late says so', async () => {
    open();
    const [kept, cancelled] = [world.post('kept'), world.post('cancelled')];
    for (const post of [kept, cancelled]) await at('us', schedule(post, 10_000));
    await world.time.sleep(2_000);
    const cancel = unschedule(cancelled);
    expect(await at('eu', cancel)).toEqual(OK);
    await world.time.sleep(2 * OTHERS_WAIT_MS);
    for (const region of ['us', 'eu']) expect(await shownIn(region)).toEqual([idOf(kept)]);
    expect(await at('us', cancel)).toEqual(OK);
    expect(await at('us', unschedule(kept))).toBe('gone');
    expect(await at('us', unschedule(world.post('never')))).toBe('not-here-yet');
    // What was sent is not scheduled again.
    expect(await at('us', schedule(kept, 10_000, 1))).toBe('gone');
  });

  it('R4 one that is cancelled after it was found due, and before its turn, is not sent', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 5_000));
    await world.time.sleep(4_500);
    const gate = world.region('us').faults.gate('due', 'after');
    await gate.reached;
    await world.time.sleep(2_000);
    gate.open();
    const again = world.region('us').faults.gate('due', 'after');
    await again.reached;
    expect(await at('us', unschedule(post))).toEqual(OK);
    again.open();
    await world.time.sleep(3_000);
    expect(await shownIn('us')).toEqual([]);
  });

  it('R4 that was sent is noted as sent, though its author may not post there any more', async () => {
    open();
    const post = world.post('later', { member: 'ben' });
    await at('us', schedule(post, 5_000));
    await world.time.sleep(1_000);
    // Nothing of it is stored elsewhere, so it is sent again and again.
    const stop = world
      .region('eu')
      .faults.inject((operation) =>
        operation === 'apply' ? Promise.reject(new Unavailable('away')) : undefined,
      );
    await world.until(async () => (await shownIn('us')).length === 1, 'sent', 10_000);
    await world.at('us').strong.request({
      kind: 'change',
      ...frame(),
      deed: { kind: 'remove-member', member: 'ben' },
    });
    await world.time.sleep(30_000);
    expect(await cell('us', post)).not.toHaveProperty('failed');
    stop();
    await world.until(async () => JSON.stringify(await cell('eu', post)).includes('sent'), 'noted');
    for (const region of ['us', 'eu']) expect(await shownIn(region)).toEqual([idOf(post)]);
  });

  it('R4 a cancellation that was not heard of yet does not undo the message', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 5_000));
    await world.time.sleep(1_000);
    world.cut('us', 'eu');
    expect(await at('eu', unschedule(post))).toEqual(OK);
    await world.time.sleep(10_000);
    world.heal();
    await world.until(async () => (await shownIn('eu')).length === 1, 'sent');
    await world.time.sleep(2 * OTHERS_WAIT_MS);
    for (const region of ['us', 'eu'])
      expect([await shownIn(region), await cell(region, post)]).toEqual([[idOf(post)], null]);
  });

  it('R4 another time takes the place of the first one', async () => {
    open();
    const post = world.post('later');
    await at('us', schedule(post, 5_000));
    await at('eu', schedule(post, 60_000, 1));
    await world.time.sleep(30_000);
    expect(await shownIn('us')).toEqual([]);
    await world.time.sleep(40_000);
    expect(await shownIn('us')).toEqual([idOf(post)]);
  });

  it('R7 of a member who was removed meanwhile is not sent, and says why', async () => {
    open();
    const post = world.post('later', { member: 'ben' });
    await at('us', schedule(post, 10_000));
    await world.at('us').strong.request({
      kind: 'change',
      ...frame(),
      deed: { kind: 'remove-member', member: 'ben' },
    });
    await world.time.sleep(2 * OTHERS_WAIT_MS);
    for (const region of ['us', 'eu']) {
      expect(await shownIn(region)).toEqual([]);
      expect(await cell(region, post)).toMatchObject({ post, failed: 'forbidden' });
    }
  });

  for (const [aheadMs, who] of [
    [90_000, 'its own region, early'],
    [-600_000, 'another one, a minute later'],
  ] as const)
    it(`R14 of a region whose clock is ${aheadMs / 1_000} s ahead is sent by ${who}, as one message`, async () => {
      world = new World({ regions: ['eu', 'us'], workspaces: [founding], processes: 0 });
      world.start('eu');
      const { time } = world;
      world.start('us', undefined, {
        now: () => time.now() + aheadMs,
        sleep: (ms, signal) => time.sleep(ms, signal),
      });
      const post = world.post('later');
      const due = time.now() + 300_000;
      // Of a client that goes by the clock of its region.
      expect(await at('us', { ...schedule(post, 0, aheadMs), at: due })).toEqual(OK);
      await world.until(async () => (await shownIn('eu')).length === 1, 'sent', 600_000);
      const [message] = await world.messages('eu');
      expect(message!.region).toBe(aheadMs > 0 ? 'us' : 'eu');
      const lateMs = time.now() - due;
      expect(lateMs).toBeGreaterThan(Math.min(-aheadMs, OTHERS_WAIT_MS) - 5_000);
      expect(lateMs).toBeLessThan(Math.min(-aheadMs, OTHERS_WAIT_MS) + 5_000);
      await time.sleep(900_000);
      for (const region of ['us', 'eu']) expect(await shownIn(region)).toEqual([idOf(post)]);
    });

  it('R10 that cannot be sent yet holds up no other one, and is sent when it can be', async () => {
    open();
    const channel = directChannel(WORKSPACE, ['ada', 'zoe']);
    for (let n = 0; n < 150; n++) await at('us', schedule(world.post(`${n}`, { channel }), 1_000));
    const post = world.post('later');
    await at('us', schedule(post, 2_000));
    await world.until(async () => (await shownIn('us')).length === 1, 'sent', 6_000);
    const { notices } = world.region('us').processes[0]!;
    const told = notices.filter(({ what }) => what === 'scheduler-failed');
    expect(new Set(told.map(({ why }) => why))).toEqual(new Set(['not-here-yet']));
    expect(told.length).toBeLessThan(10);
    await at('us', { kind: 'direct', ...frame(), members: ['ada', 'zoe'], v: world.v() });
    await world.time.sleep(5_000);
    expect((await world.at('us').messages(WORKSPACE, channel, undefined, 200)).items).toHaveLength(150);
  });

  it('R10 R12 R14 bounds: of others, too far ahead, too many', async () => {
    open();
    const foreign = { ...schedule(world.post('x'), 1), member: 'eve' };
    expect(await at('us', foreign)).toBe('forbidden');
    expect(await at('us', schedule(world.post('x'), LIMITS.scheduleAheadMs + 60_000))).toBe(
      'invalid-request',
    );
    expect(await at('us', schedule(world.post('x'), 1, 2 * LIMITS.clockSkewMs))).toBe('clock-ahead');
    const all = Array.from({ length: LIMITS.scheduledPerMember + 5 }, () =>
      schedule(world.post('x'), 600_000),
    );
    const outcomes = await Promise.all(all.map((command) => at('us', command)));
    expect(outcomes.filter((outcome) => outcome === 'too-many')).toHaveLength(5);
    // A repeat finds itself; what is cancelled makes room.
    expect(await at('us', all[0]!)).toEqual(OK);
    await at('us', unschedule(all[0]!.post));
    expect(await at('us', all.at(-1)!)).toEqual(OK);
  });
});
