import {
  commandId,
  type Badge,
  type Command,
  type Deed,
  type Problem,
  type Push,
  type Reply,
} from '@causeway/protocol';
import { SEGMENT } from '@causeway/replica';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { Turns } from '../turns.ts';
import { BadgeBoards } from './badge-boards.ts';
import { ChannelCells } from './channel-cells.ts';
import { Conversation } from './conversation.ts';

type Said = Partial<{
  re: number;
  ack: { id: string; readToken: string; level: string };
  cells: { scope: string; key: string; value: unknown }[];
  badges: Badge[];
  problem: Problem;
  expires: number;
  done: true;
}>;

let region: RegionInMemory;
let badges: BadgeBoards;
let turns: Turns;
let cells: ChannelCells;
const open: Conversation[] = [];

beforeEach(async () => {
  region = await regionInMemory();
  badges = new BadgeBoards();
  turns = new Turns();
  cells = new ChannelCells();
});
afterEach(() => {
  for (const conversation of open.splice(0)) conversation.close();
  region.stop.abort();
});

async function conversation(member = 'ada'): Promise<{ talk: Conversation; said: Said[] }> {
  const identity = await region.tokens.verify(await region.token({ sub: member }));
  const said: Said[] = [];
  const say = (json: Reply | Push): void => void said.push(structuredClone(json) as Said);
  const opened = await region.access.workspace(identity, 'acme');
  const talk = new Conversation({ ...region, badges, turns, cells, opened, identity, say });
  open.push(talk);
  return { talk, said };
}

/** Ada has something changed in the workspace; the id of the change. */
async function change(deed: Deed): Promise<string> {
  const asked = { kind: 'change', workspace: 'acme-id', member: 'ada', nonce: region.nonce(), deed } as const;
  return (await region.replica.strong.request(asked)).id;
}

const post = (more: Partial<Command> = {}): Command =>
  ({
    kind: 'post',
    workspace: 'acme-id',
    channel: 'general-id',
    member: 'ada',
    nonce: region.nonce(),
    body: 'Hello',
    ...more,
  }) as Command;

const join = (member: string, on = true): Promise<unknown> =>
  region.replica.execute({
    kind: 'join',
    workspace: 'acme-id',
    channel: 'general-id',
    member,
    nonce: region.nonce(),
    on,
    v: region.replica.clock.tick(),
  });

const answered = (said: readonly Said[], re: number): Promise<Said> =>
  vi.waitFor(() => {
    const found = said.find((each) => each.re === re);
    expect(found).toBeDefined();
    return found!;
  });

describe('the conversation', () => {
  it('R4 carries a command out once, however often it is sent', async () => {
    const { talk, said } = await conversation();
    const command = post();
    for (const ref of [1, 2]) talk.take(JSON.stringify({ do: 'command', ref, command }));
    const [first, second] = [await answered(said, 1), await answered(said, 2)];
    expect(first.ack).toMatchObject({ id: commandId(command), level: 'region' });
    expect(second.ack!.id).toBe(first.ack!.id);
    expect(first.ack!.readToken).toMatch(/^[\w-]+$/);
    const page = await region.replica.messages('acme-id', 'general-id', undefined, 10);
    expect(page.items).toHaveLength(1);
  });

  it('R12 refuses commands of another member or workspace, and channels that are not there', async () => {
    const { talk, said } = await conversation('ada');
    const sent = [
      post({ member: 'ben' }),
      post({ workspace: 'acme-eu-id' }),
      post({ channel: 'nowhere' }),
      post({ channel: 'general' }),
    ];
    for (const [ref, command] of sent.entries()) talk.take(JSON.stringify({ do: 'command', ref, command }));
    const codes = await Promise.all(sent.map(async (_, ref) => (await answered(said, ref)).problem?.code));
    expect(codes).toEqual(['forbidden', 'forbidden', 'not-found', 'not-found']);
  });

  it('R10 answers everything that is no request with a problem that names what is wrong', async () => {
    const { talk, said } = await conversation();
    for (const text of [
      '',
      '[]',
      'null',
      '{"ref":1}',
      '{"do":"__proto__"}',
      '{"do":"command","ref":2,"command":{"kind":"post","body":1}}',
      '{"do":"command","ref":3,"command":{"kind":"explode"}}',
      '{"do":"cells","ref":4}',
      'x'.repeat(300_000),
      `${'['.repeat(100_000)}`,
    ])
      talk.take(text);
    expect(said).toHaveLength(10);
    expect(said.map(({ problem }) => problem!.status)).toEqual([
      400, 400, 400, 400, 400, 400, 400, 400, 413, 400,
    ]);
    expect(said[5]!.problem!.detail).toContain('/command');
    expect(said[6]!.problem!.detail).toContain('post');
    expect(said.map(({ re }) => re).filter((re) => re !== undefined)).toEqual([1, 2, 3, 4]);
  });

  it('sends the cells of a channel and its reactions, and then what changes, until it is left', async () => {
    const { talk, said } = await conversation();
    const command = post();
    const id = commandId(command);
    talk.take(JSON.stringify({ do: 'command', ref: 1, command }));
    await answered(said, 1);
    const react = (emoji: string): void => {
      const { body: _, ...rest } = post() as Command & { body?: string };
      const reaction = {
        ...rest,
        kind: 'react',
        message: id,
        emoji,
        on: true,
        v: region.replica.clock.tick(),
      };
      talk.take(JSON.stringify({ do: 'command', ref: 2, command: reaction }));
    };
    react('👍');
    await answered(said, 2);
    talk.take(JSON.stringify({ do: 'cells', ref: 3, channel: 'general' }));
    const { cells } = await answered(said, 3);
    expect(cells!.map(({ key }) => key).sort()).toEqual(['top|us-east', '👍|ada']);
    react('🎉');
    await vi.waitFor(() =>
      expect(said.some(({ re, cells }) => re === undefined && cells?.[0]?.key === '🎉|ada')).toBe(true),
    );
    talk.take(JSON.stringify({ do: 'cells', ref: 4, channel: 'general-id', on: false }));
    expect((await answered(said, 4)).done).toBe(true);
    const before = said.length;
    react('👎');
    await vi.waitFor(() => expect(said).toHaveLength(before + 1));
    expect(said.at(-1)!.ack).toBeDefined();
  });

  it('R10 sends reactions of the newest segment alone when it fills a screen, however long the channel', async () => {
    const { talk, said } = await conversation();
    const commands = Array.from({ length: SEGMENT.posts + 60 }, () => post());
    await Promise.all(commands.map((command) => region.replica.execute(command)));
    for (const command of [commands.at(0)!, commands.at(-1)!])
      await region.replica.execute({
        kind: 'react',
        workspace: 'acme-id',
        channel: 'general-id',
        member: 'ada',
        nonce: region.nonce(),
        message: commandId(command),
        emoji: 'eyes',
        on: true,
        v: region.replica.clock.tick(),
      });
    talk.take(JSON.stringify({ do: 'cells', ref: 1, channel: 'general' }));
    const { cells } = await answered(said, 1);
    const reacted = cells!.filter(({ key }) => key === 'eyes|ada').map(({ scope }) => scope);
    expect(reacted).toEqual([`acme-id/message/general-id/${commandId(commands.at(-1)!)}`]);
  });

  it('R12 sends a member their own cells but markers, and then what changes, and those of nobody else', async () => {
    const { talk, said } = await conversation();
    const { token } = await region.replica.execute(post());
    const { client, clock } = token.find((entry) => 'document' in entry)!;
    const reads = (member: string) =>
      region.replica.execute({
        kind: 'read',
        workspace: 'acme-id',
        channel: 'general-id',
        member,
        nonce: region.nonce(),
        markers: [{ segment: 1, client, clock }],
      });
    talk.take(JSON.stringify({ do: 'mine', ref: 1 }));
    expect((await answered(said, 1)).cells).toEqual([]);
    await reads('ben');
    await reads('ada');
    expect(said).toHaveLength(1);
    talk.take(JSON.stringify({ do: 'mine', ref: 2 }));
    expect((await answered(said, 2)).cells).toEqual([]);
  });

  it('R9 says what is unread, and then what changes in channels, by markers and by mutes of any device', async () => {
    await join('ben');
    const { talk, said } = await conversation('ben');
    talk.take(JSON.stringify({ do: 'badges', ref: 1 }));
    expect((await answered(said, 1)).badges).toEqual([{ channel: 'general-id', unread: 0, mentions: 0 }]);
    const latest = (): Badge | undefined =>
      said.findLast((each) => each.badges !== undefined)?.badges?.at(-1);
    const shows = (badge: Partial<Badge>): Promise<void> =>
      vi.waitFor(() => expect(latest()).toMatchObject(badge), { timeout: 10_000 });
    const { token } = await region.replica.execute(post({ body: '@ben look' }));
    await shows({ channel: 'general-id', unread: 1, mentions: 1 });
    const own = {
      workspace: 'acme-id',
      channel: 'general-id',
      member: 'ben',
      nonce: region.nonce(),
    };
    const { client, clock } = token.find((entry) => 'document' in entry)!;
    await region.replica.execute({ ...own, kind: 'read', markers: [{ segment: 1, client, clock }] });
    await shows({ unread: 0, mentions: 0 });
    await region.replica.execute({ ...own, kind: 'mute', on: true, v: region.replica.clock.tick() });
    await region.replica.execute(post({ body: 'muted' }));
    await region.replica.execute(post({ body: '@ben not muted' }));
    await shows({ mentions: 1 });
  });

  it('R10 badges of a thousand conversations are counted once a change, and none is told of what does not show', async () => {
    const all: Said[][] = [];
    for (let n = 0; n < 1_000; n++) {
      await join(`member-${n}`);
      const { talk, said } = await conversation(`member-${n}`);
      talk.take(JSON.stringify({ do: 'badges', ref: 1 }));
      all.push(said);
    }
    for (const said of all) await answered(said, 1);
    const counted = vi.spyOn(region.replica, 'badgesOfChannel');
    const reads = vi.spyOn(region.store, 'countables');
    await region.replica.execute(post());
    await vi.waitFor(() => expect(all.every((said) => said.at(-1)!.badges?.[0]?.unread === 1)).toBe(true), {
      timeout: 10_000,
    });
    expect(counted.mock.calls.length).toBeLessThan(10);
    expect(reads.mock.calls.length).toBeLessThan(10);
    expect(all.every((said) => said.length === 2)).toBe(true);
  });

  it('R12 says no badges of a channel that its member left', async () => {
    await Promise.all([join('ada'), join('ben')]);
    const { talk, said } = await conversation('ben');
    talk.take(JSON.stringify({ do: 'badges', ref: 1 }));
    await answered(said, 1);
    await join('ben', false);
    const ada = await conversation('ada');
    ada.talk.take(JSON.stringify({ do: 'badges', ref: 1 }));
    await region.replica.execute(post({ member: 'cleo' }));
    await vi.waitFor(() => expect(ada.said.at(-1)!.badges?.[0]?.unread).toBe(1), { timeout: 10_000 });
    expect(said).toHaveLength(1);
    await join('ben');
    await vi.waitFor(() => expect(said.at(-1)!.badges?.[0]?.unread).toBe(1), { timeout: 10_000 });
  });

  it('R12 says nothing more of a private channel to whom it was taken away, and goes on saying it to others', async () => {
    const channel = await change({ kind: 'create-channel', slug: 'secret', private: true, members: ['ben'] });
    const [ada, ben] = [await conversation('ada'), await conversation('ben')];
    for (const { talk } of [ada, ben]) talk.take(JSON.stringify({ do: 'cells', ref: 1, channel }));
    for (const { said } of [ada, ben]) expect(await answered(said, 1)).toHaveProperty('cells');
    const topics = ({ said }: typeof ada) =>
      said.flatMap(({ cells = [] }) => cells).filter(({ key }) => key === 'topic');
    const describe = async (topic: string): Promise<void> => {
      const frame = { workspace: 'acme-id', member: 'ada', nonce: region.nonce(), v: Date.now() * 1_024 };
      await region.replica.execute({ kind: 'topic', ...frame, channel, topic });
    };
    await describe('for both');
    await vi.waitFor(() => expect([ada, ben].map((each) => topics(each).length)).toEqual([1, 1]));
    await change({ kind: 'remove', channel, member: 'ben' });
    ben.talk.take(JSON.stringify({ do: 'cells', ref: 2, channel }));
    expect((await answered(ben.said, 2)).problem?.code).toBe('not-found');
    await describe('for ada alone');
    await vi.waitFor(() => expect(topics(ada)).toHaveLength(2));
    expect(topics(ben)).toHaveLength(1);
  });

  it('goes on with another token of the same member, and of nobody else', async () => {
    const { talk, said } = await conversation();
    const exp = Math.floor(Date.now() / 1000) + 5_000;
    talk.take(JSON.stringify({ do: 'refresh', ref: 1, token: await region.token({ exp }) }));
    expect((await answered(said, 1)).expires).toBe(exp * 1000);
    expect(talk.expires).toBe(exp * 1000);
    talk.take(JSON.stringify({ do: 'refresh', ref: 2, token: await region.token({ sub: 'ben', exp }) }));
    expect((await answered(said, 2)).problem!.code).toBe('forbidden');
    talk.take(JSON.stringify({ do: 'refresh', ref: 3, token: 'nonsense' }));
    expect((await answered(said, 3)).problem!.code).toBe('unauthorized');
  });

  it('R10 says when to come back to who asks too much', async () => {
    const { talk, said } = await conversation();
    for (let ref = 0; ref < 1_200; ref++) talk.take(JSON.stringify({ do: 'refresh', ref, token: 'x' }));
    const refused = said.filter(({ problem }) => problem?.code === 'rate-limited');
    expect(refused.length).toBeGreaterThan(500);
    expect(refused[0]!.problem!.retryAfter).toBeGreaterThanOrEqual(1);
    await vi.waitFor(() => expect(said).toHaveLength(1_200));
  });

  it('R2 says nothing once it is closed', async () => {
    const { talk, said } = await conversation();
    talk.take(JSON.stringify({ do: 'command', ref: 1, command: post() }));
    talk.close();
    talk.take('{}');
    await vi.waitFor(async () =>
      expect((await region.replica.messages('acme-id', 'general-id', undefined, 10)).items).toHaveLength(1),
    );
    expect(said).toEqual([]);
  });
});
