/* Direct channels: they certify themselves, and what else the caps of commands keep. */
import { LIMITS, directChannel, memberScope, messageScope, type Command } from '@causeway/protocol';
import { directMembers, reactionsIn, type Founding } from '@causeway/replica';
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
const open = (): World => (world = new World({ regions: ['eu', 'us'], workspaces: [founding] }));
afterEach(() => world.close());

const frame = (member = 'ada') => ({ workspace: WORKSPACE, member, nonce: world.nonce() });
const at = (region: string, command: Command) => outcomeOf(world.at(region).execute(command));
const direct = (members: string[], member = 'ada'): Command => ({
  kind: 'direct',
  ...frame(member),
  members,
  v: world.v(),
});
const pin = (post: Command, on = true, ahead = 0): Command => ({
  kind: 'pin',
  ...frame(),
  channel: CHANNEL,
  message: idOf(post),
  on,
  v: world.v(ahead),
});
const draft = (channel: string, body: string, ahead = 0): Command => ({
  kind: 'draft',
  ...frame(),
  channel,
  body,
  v: world.v(ahead),
});
const reached = (region: string, member: string, channel: string) =>
  world
    .at(region)
    .reach.channel(WORKSPACE, member, channel)
    .then(({ kind, members }) => ({ kind, members }))
    .catch((error: { code: string }) => error.code);

describe('a direct channel', () => {
  it('R5 can be opened and written by a region that is cut off, and is the same channel everywhere', async () => {
    open();
    world.cut('us', 'eu');
    const channel = directChannel(WORKSPACE, ['ben', 'ada']);
    expect(await at('us', direct(['ben', 'ada']))).toEqual(OK);
    expect(await at('eu', direct(['ada', 'ben', 'ada'], 'ben'))).toEqual(OK);
    for (const [region, member] of [
      ['us', 'ada'],
      ['eu', 'ben'],
    ] as const)
      expect(await at(region, world.post(`from ${member}`, { channel, member }))).toEqual(OK);
    world.heal();
    await world.time.sleep(5_000);
    for (const region of ['us', 'eu']) {
      expect(await reached(region, 'ada', channel)).toEqual({ kind: 'direct', members: ['ada', 'ben'] });
      const { items } = await world.at(region).messages(WORKSPACE, channel, undefined, 10);
      expect(items.map(({ body }) => body).sort()).toEqual(['from ada', 'from ben']);
      for (const member of ['ada', 'ben'])
        expect(await world.region(region).store.loadCells([memberScope(WORKSPACE, member)])).toMatchObject([
          { key: `direct|${channel}`, value: ['ada', 'ben'] },
        ]);
    }
  });

  it('R12 is reached by its members alone; where nobody opened it yet it is not here yet', async () => {
    open();
    const channel = directChannel(WORKSPACE, ['ada', 'ben']);
    expect(await reached('us', 'ada', channel)).toBe('not-here-yet');
    await at('eu', direct(['ada', 'ben']));
    await world.time.sleep(1_000);
    expect(await reached('us', 'eve', channel)).toBe('not-found');
    expect(await at('us', direct(['ben', 'cem'], 'ada'))).toBe('invalid-request');
    expect(await at('us', direct(['ada', 'ada'], 'ada'))).toBe('invalid-request');
  });

  it('R12 believes no list of members that its id is not the hash of', () => {
    const members = ['ada', 'ben'];
    const channel = directChannel(WORKSPACE, members);
    expect(directMembers(WORKSPACE, channel, members)).toEqual(members);
    expect(directMembers(WORKSPACE, channel, ['ben', 'ada', 'ben'])).toEqual(members);
    for (const lie of [
      ['ada', 'eve'],
      ['ada', 'ben', 'eve'],
      ['ada'],
      [],
      null,
      undefined,
      'ada',
      { 0: 'ada' },
      [1, 2],
    ])
      expect(directMembers(WORKSPACE, channel, lie)).toBeUndefined();
    expect(directMembers('other', channel, members)).toBeUndefined();
  });

  it('R12 a message scheduled for one is sent, and that of a stranger never is', async () => {
    open();
    const channel = directChannel(WORKSPACE, ['ada', 'ben']);
    await at('us', direct(['ada', 'ben']));
    const posts = ['ada', 'eve'].map((member) => world.post(member, { channel, member }));
    for (const post of posts)
      await at('us', {
        kind: 'schedule',
        ...frame(post.member),
        post,
        at: world.time.now() + 5_000,
        v: world.v(),
      });
    await world.time.sleep(70_000);
    const { items } = await world.at('eu').messages(WORKSPACE, channel, undefined, 10);
    expect(items.map(({ body }) => body)).toEqual(['ada']);
    const [cell] = (await world.region('eu').store.loadCells([memberScope(WORKSPACE, 'eve')])).map(
      ({ value }) => value,
    );
    expect(cell).toMatchObject({ failed: 'not-found' });
  });
});

describe('caps', () => {
  it('R10 of direct channels of a member, whoever opens them, also when many are opened at once', async () => {
    open();
    const cells = Array.from({ length: LIMITS.directPerMember - 1 }, (_, n) => ({
      key: `direct|d${n}`,
      v: '1',
      value: [],
    }));
    const { store } = world.region('us');
    await store.append([{ entry: { kind: 'cells', scope: memberScope(WORKSPACE, 'ben'), cells } }]);
    const opening = ['ada', 'cem', 'dan'].map((member) => direct([member, 'ben'], member));
    const outcomes = await Promise.all(opening.map((command) => at('us', command)));
    expect(outcomes.filter((outcome) => outcome === 'too-many')).toHaveLength(2);
    // One that is open can be opened again, and others can be opened.
    expect(await at('us', opening[outcomes.findIndex((outcome) => outcome !== 'too-many')]!)).toEqual(OK);
    expect(await at('us', direct(['ada', 'cem']))).toEqual(OK);
  });

  it('R10 of reactions: so many emoji on a message and of a member, also when all come at once', async () => {
    open();
    const post = world.post('text');
    await at('us', post);
    const react = (emoji: string, member: string, on = true, ahead = 0): Command => ({
      ...world.react(idOf(post), on, world.v(ahead), member),
      emoji,
    });
    const own = await Promise.all(
      Array.from({ length: LIMITS.emojiPerMember + 3 }, (_, n) => at('us', react(`a${n}`, 'ada'))),
    );
    expect(own.filter((outcome) => outcome === 'too-many')).toHaveLength(3);
    for (const member of ['ben', 'cem'])
      for (let n = 0; n < LIMITS.emojiPerMember; n++) await at('us', react(`${member}${n}`, member));
    const reactions = async () =>
      reactionsIn(await world.region('us').store.loadCells([messageScope(WORKSPACE, CHANNEL, idOf(post))]));
    expect(Object.keys(await reactions())).toHaveLength(LIMITS.emojiPerMessage);
    expect(await at('us', react('new', 'dan'))).toBe('too-many');
    expect(await at('us', react('a0', 'dan'))).toEqual(OK);
    expect(await at('us', react('a0', 'ada'))).toEqual(OK);
    // Who takes one back may put another one on; who goes on for ever may not.
    const outcomes: unknown[] = [];
    for (let n = 0; n < LIMITS.emojiEverPerMember; n++) {
      await at('us', react(`a${n}`, 'ada', false, 1));
      outcomes.push(await at('us', react(`b${n}`, 'ada')));
    }
    expect(outcomes.filter((outcome) => outcome === 'too-many').length).toBeGreaterThan(0);
    const ever = await world.region('us').store.loadCells([messageScope(WORKSPACE, CHANNEL, idOf(post))]);
    expect(ever.filter(({ key }) => key.endsWith('|ada')).length).toBe(LIMITS.emojiEverPerMember);
  });

  it('R10 of pins, drafts and their text, also when all come at once; what is in use may always change', async () => {
    open();
    const posts = Array.from({ length: LIMITS.pinsPerChannel + 2 }, (_, n) => world.post(`${n}`));
    await Promise.all(posts.map((post) => at('us', post)));
    const pinned = await Promise.all(posts.map((post) => at('us', pin(post))));
    expect(pinned.filter((outcome) => outcome === 'too-many')).toHaveLength(2);
    expect(await at('us', pin(posts[0]!, true, 1))).toEqual(OK);
    expect(await at('us', pin(posts[0]!, false, 2))).toEqual(OK);
    expect(await at('us', pin(posts.at(-1)!))).toEqual(OK);
    const drafts = Array.from({ length: LIMITS.draftsPerMember + 2 }, (_, n) =>
      at('us', draft(`c${n}`, 'x')),
    );
    expect((await Promise.all(drafts)).filter((outcome) => outcome === 'too-many')).toHaveLength(2);
    expect(await at('us', draft('c0', '', 1))).toEqual(OK);
    expect(await at('us', draft('new', 'y'))).toEqual(OK);
    const long = Array.from({ length: 30 }, (_, n) =>
      at('us', draft(`c${n + 1}`, 'x'.repeat(LIMITS.bodyChars), 1)),
    );
    const written = (await Promise.all(long)).filter((outcome) => outcome !== 'too-many').length;
    expect(written).toBe(Math.floor((LIMITS.draftChars - LIMITS.draftsPerMember) / LIMITS.bodyChars));
  });

  it('R4 what is about a message that is deleted, or is not here yet', async () => {
    open();
    const post = world.post('text');
    world.cut('us', 'eu');
    await at('us', post);
    const place = { channel: CHANNEL, message: idOf(post) };
    const all = (on: boolean): Command[] => [
      { kind: 'pin', ...frame(), ...place, on, v: world.v(1) },
      { kind: 'follow', ...frame(), ...place, on, v: world.v(1) },
    ];
    const unread: Command = { kind: 'unread', ...frame(), ...place, v: world.v() };
    for (const command of [...all(true), unread]) {
      expect(await at('eu', command)).toBe('not-here-yet');
      expect(await at('us', command)).toEqual(OK);
    }
    await at('us', world.remove(idOf(post)));
    for (const command of [...all(true), { ...unread, nonce: world.nonce() }])
      expect(await at('us', command)).toBe('gone');
    // Who has had enough may say so.
    for (const command of all(false)) expect(await at('us', command)).toEqual(OK);
  });

  it('R1 a reply that is sent to the channel too says so', async () => {
    open();
    const root = world.post('root');
    await at('us', root);
    await at('us', world.post('reply', { thread: idOf(root), also: true }));
    await world.until(async () => (await world.bodies('eu')).length === 2, 'in eu');
    expect((await world.messages('eu')).map(({ thread, also }) => ({ thread, also }))).toEqual([
      { thread: idOf(root), also: true },
      { thread: undefined, also: undefined },
    ]);
  });
});
