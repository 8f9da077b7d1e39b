import { ERRORS, channelScope, commandId, memberScope, messageScope, type Command } from '@causeway/protocol';
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { openDoors } from '../doors.ts';
import { closeHttp, openHttp } from '../http.ts';
import type { Sockets } from '../sockets.ts';
import { asyncApi } from './asyncapi.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { EventsClient, type Frame } from './events-client.ts';

let region: RegionInMemory;
let http: FastifyInstance;
let door: Sockets;
let base: string;
const clients: EventsClient[] = [];

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
  door = openDoors(http.server, region);
  await http.listen({ host: '127.0.0.1', port: 0 });
  base = `ws://127.0.0.1:${(http.server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const { unknown } of clients) expect(unknown, 'frames that AsyncAPI does not describe').toEqual([]);
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await door.close();
  await closeHttp(http, 100);
  region.stop.abort();
});

async function client(query: Record<string, string> = {}, member = 'ada'): Promise<EventsClient> {
  const opened = new EventsClient(base, { token: await region.token({ sub: member }), ...query });
  clients.push(opened);
  return opened;
}

async function following(query: Record<string, string> = {}, member = 'ada'): Promise<EventsClient> {
  const opened = await client({ channels: 'general', ...query }, member);
  await opened.event('hello');
  return opened;
}

const make = (kind: Command['kind'], more: Record<string, unknown> = {}): Command =>
  ({
    kind,
    workspace: 'acme-id',
    channel: 'general-id',
    member: 'ada',
    nonce: region.nonce(),
    ...more,
  }) as unknown as Command;
const post = (body: string): Command => make('post', { body });
const timed = (kind: Command['kind'], more: Record<string, unknown> = {}): Command =>
  make(kind, { ...more, v: region.replica.clock.tick() });
const about = (kind: Command['kind'], more: Record<string, unknown>): Command => {
  const { channel: _channel, ...command } = timed(kind, more) as Command & { channel: string };
  return command as Command;
};
const posted = (client: EventsClient, body: string): Promise<Frame> =>
  client.frame(({ message }) => typeof message === 'object' && message.body === body);
const bodies = (client: EventsClient): string[] =>
  client.events.flatMap(({ message }) => (typeof message === 'object' ? [message.body] : []));

/** Cells as another process would commit them. */
const cells = (scope: string, list: Record<string, unknown>, v = '1'): Promise<unknown> =>
  region.store.append([
    {
      entry: {
        kind: 'cells',
        scope,
        cells: Object.entries(list).map(([key, value]) => ({ key, v, value })),
      },
    },
  ]);

const ids = (client: EventsClient): string[] =>
  client.events.flatMap(({ id }) => (id === undefined ? [] : [id]));
const codes = async (query: Record<string, string>): Promise<number> => (await client(query)).closed;

describe('the door of events', () => {
  it('says hello, then what happens, and answers commands', async () => {
    const ada = await following();
    const hello = await ada.event('hello');
    expect(hello).toMatchObject({
      n: 1,
      member: 'ada',
      workspace: 'acme-id',
      region: 'us-east',
      heartbeatMs: 20_000,
      channels: ['general-id'],
    });
    const command = post('Hello');
    const { ack } = await ada.request({ do: 'command', ref: 7, command });
    expect(ack!.id).toBe(commandId(command));
    const frame = await ada.event('message-posted');
    expect(frame).toMatchObject({ n: 2, channel: 'general-id', message: { id: ack!.id, author: 'ada' } });

    const message = ack!.id;
    await region.replica.execute(timed('edit', { message, body: 'Hello!' }));
    await region.replica.execute(timed('react', { message, emoji: '👍|x', on: true }));
    await region.replica.execute(timed('topic', { topic: 'Weather' }));
    const edited = await ada.event('message-edited');
    expect(edited.message).toMatchObject({ id: message, body: 'Hello!' });
    expect(edited.message).not.toHaveProperty('history');
    expect(await ada.event('reaction')).toMatchObject({ message, emoji: '👍|x', member: 'ada', on: true });
    expect(await ada.event('topic')).toMatchObject({ topic: 'Weather' });
    await region.replica.execute(make('delete', { message }));
    expect((await ada.event('message-deleted')).message).toBe(message);
    expect(ada.events.map(({ n }) => n)).toEqual(ada.events.map((_, at) => at + 1));
  });

  it('R3 R15 a client that was away gets what changed meanwhile, as it is now, and is told when that is all', async () => {
    const ada = await following();
    const [kept, gone] = [post('one'), post('two')];
    for (const command of [kept, gone]) await region.replica.execute(command);
    await posted(ada, 'two');
    const { cursor } = ada;
    await ada.close();

    await region.replica.execute(timed('edit', { message: commandId(kept), body: 'one, edited' }));
    await region.replica.execute(make('delete', { message: commandId(gone) }));
    for (const body of ['three', 'four']) await region.replica.execute(post(body));
    await region.replica.execute(timed('react', { message: commandId(kept), emoji: 'x', on: true }));
    await vi.waitFor(async () =>
      expect((await region.replica.messages('acme-id', 'general-id', undefined, 10)).items).toHaveLength(3),
    );

    const again = await following({ cursor });
    const end = await again.event('caught-up');
    const between = again.events.slice(1, -1).map(({ event }) => event);
    expect(between.toSorted()).toEqual([
      'message-deleted',
      'message-edited',
      'message-posted',
      'message-posted',
      'reaction',
    ]);
    expect(bodies(again)).toEqual(expect.arrayContaining(['one, edited', 'three', 'four']));
    await region.replica.execute(post('five'));
    await posted(again, 'five');

    const level = await following({ cursor: end.cursor! });
    await posted(level, 'five');
    await level.event('caught-up');
    expect(bodies(level)).toEqual(['five']);
  });

  it('R4 what comes twice has the same id, so that a client drops it (PAINS 18)', async () => {
    const ada = await following();
    const start = ada.cursor;
    for (const body of ['one', 'two']) await region.replica.execute(post(body));
    await posted(ada, 'two');
    const again = await following({ cursor: start });
    await again.event('caught-up');
    expect(ids(again)).toEqual(ids(ada));
    expect(new Set(ids(ada)).size).toBe(2);
  });

  it('R12 says nothing of channels that were not asked for, and of private cells of others', async () => {
    const [ada, ben] = [await client(), await following({}, 'ben')];
    await ada.event('hello');
    await region.replica.execute(post('one'));
    await posted(ben, 'one');
    await cells(memberScope('acme-id', 'ben'), { 'draft|general-id': 'secret', 'direct|d1': ['ben', 'eve'] });
    await ben.event('direct-opened');
    const { channels } = await ada.request({ do: 'subscribe', ref: 1, channels: ['general'] });
    expect(channels).toEqual(['general-id']);
    await region.replica.execute(post('two'));
    await posted(ada, 'two');
    await ada.request({ do: 'subscribe', ref: 2, channels: ['general'], on: false });
    await region.replica.execute(post('three'));
    await posted(ben, 'three');
    await ada.request({ do: 'subscribe', ref: 3, channels: ['general-id'] });
    await region.replica.execute(post('four'));
    await posted(ada, 'four');
    expect(bodies(ada)).toEqual(['two', 'four']);
    expect(ada.events.map(({ event }) => event)).not.toContain('direct-opened');
    const refused = await ada.request({ do: 'subscribe', ref: 4, channels: ['nowhere'] });
    expect(refused.problem!.code).toBe('not-found');
    expect(JSON.stringify([...ada.frames, ...ben.frames])).not.toContain('secret');
  });

  it('R12 says nothing of a canvas that its member may not see', async () => {
    const [ada, ben, cem] = [await following(), await following({}, 'ben'), await following({}, 'cem')];
    const create = about('canvas', { title: 'Plan' });
    const canvas = commandId(create);
    await region.replica.execute(create);
    for (const each of [ada, ben, cem]) await each.frame(({ title }) => title === 'Plan');
    const { cursor } = cem;
    await cem.close();
    for (const to of ['ben', 'cem'])
      await region.replica.execute(about('share', { canvas, to, right: 'none' }));
    await region.replica.execute(about('retitle', { canvas, title: 'Secret' }));
    await ada.frame(({ title }) => title === 'Secret');
    await region.replica.execute(post('after'));
    const again = await following({ cursor }, 'cem');
    for (const each of [ben, again]) {
      await posted(each, 'after');
      expect(JSON.stringify(each.frames)).not.toContain('Secret');
    }
    await region.replica.execute(about('share', { canvas, to: 'ben', right: 'view' }));
    await region.replica.execute(about('retitle', { canvas, title: 'Open' }));
    await ben.frame(({ title }) => title === 'Open');
  });

  it('a channel that its member joins is heard of from the very next change on, and one that is left no longer', async () => {
    const ada = await client();
    await ada.event('hello');
    await cells(memberScope('acme-id', 'ada'), { 'joined|general-id': true }, '1');
    await cells(channelScope('acme-id', 'general-id'), { topic: { text: 'heard' } }, '1');
    await ada.event('topic');
    await cells(memberScope('acme-id', 'ada'), { 'joined|general-id': false }, '2');
    await cells(channelScope('acme-id', 'general-id'), { topic: { text: 'unheard' } }, '2');
    await cells(memberScope('acme-id', 'ada'), { 'joined|general-id': true }, '3');
    await cells(channelScope('acme-id', 'general-id'), { topic: { text: 'heard again' } }, '3');
    await ada.frame(({ topic }) => topic === 'heard again');
    const topics = ada.events.flatMap(({ topic }) => (topic === undefined ? [] : [topic]));
    expect(topics).not.toContain('unheard');
    const again = await client();
    expect((await again.event('hello')).channels).toEqual(['general-id']);
  });

  it('R10 after more than 10,000 changes it says so, and goes on from now (PAINS 16)', async () => {
    const ada = await following();
    const { cursor } = ada;
    await ada.close();
    const message = commandId(post('x'));
    for (let at = 0; at < 11; at++) {
      const list = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`e${at}-${n}|ada`, true]));
      await cells(messageScope('acme-id', 'general-id', message), list);
    }
    const again = await following({ cursor });
    const expired = await again.event('expired');
    expect(again.events.filter(({ event }) => event === 'reaction').length).toBeLessThanOrEqual(11_000);
    await region.replica.execute(post('after'));
    await posted(again, 'after');
    expect(again.events.map(({ event }) => event)).not.toContain('caught-up');
    const third = await following({ cursor: expired.cursor! });
    await third.event('caught-up');
    expect(bodies(third)).toEqual(['after']);
  });

  it('R10 R15 a cursor that this region cannot place is expired, never passed over in silence', async () => {
    const ada = await following();
    const place = decodeCursor(ada.cursor);
    const cursors = {
      'a database that went back': { ...place, commit: place.commit + 1_000_000 },
      'another database, nothing known of times': { ...place, database: 'another', whole: 0 },
      'another region, from before the first mark': { ...place, region: 'eu-west', whole: 1 },
    };
    for (const [why, cursor] of Object.entries(cursors)) {
      const again = await following({ cursor: encodeCursor(cursor) });
      expect((await again.event('expired')).cursor, why).toBeDefined();
      await again.close();
    }
    // Of deletions only the newest are remembered.
    const commands = [post('a'), post('b')];
    for (const command of commands) await region.replica.execute(command);
    await posted(ada, 'b');
    const before = ada.cursor;
    for (const command of commands)
      await region.replica.execute(make('delete', { message: commandId(command) }));
    await ada.frame(({ message }) => message === commandId(commands[1]!));
    await region.store.forgetGone(1);
    const again = await following({ cursor: before });
    await again.event('expired');
  });

  it('R15 a cursor of another region goes on above the last mark before its time', async () => {
    const ada = await following();
    const database = 'another';
    const now = Date.now();
    await region.replica.execute(post('seen there'));
    await posted(ada, 'seen there');
    const { low } = await region.store.marking();
    await region.store.mark({ at: now - 80_000, low, whole: 0 }, 0);
    await region.replica.execute(post('not seen there'));
    await posted(ada, 'not seen there');
    const cursor = encodeCursor({ region: 'eu-west', database, commit: 5, whole: now });
    const again = await following({ cursor });
    await again.event('caught-up');
    expect(bodies(again)).toEqual(['not seen there']);
    // A time from the future is ours at most, so the mark of 80 s ago stands for it too.
    const ahead = await following({
      cursor: encodeCursor({ region: 'eu-west', database, commit: 5, whole: now + 3_600_000 }),
    });
    await ahead.event('caught-up');
    expect(bodies(ahead)).toEqual(['not seen there']);
  });

  it('R10 a reader that does not read costs its bound, and gets everything when it reads again (PAINS 16)', async () => {
    const [slow, fast] = [await following(), await following({}, 'ben')];
    slow.socket.pause();
    const body = 'x'.repeat(30_000);
    const before = process.memoryUsage();
    for (let n = 0; n < 200; n++) await region.replica.execute(post(`${n} ${body}`));
    await fast.frame(({ message }) => typeof message === 'object' && message.body.startsWith('199 '));
    expect(process.memoryUsage().external - before.external).toBeLessThan(64 * 1024 * 1024);
    slow.socket.resume();
    await slow.frame(({ message }) => typeof message === 'object' && message.body.startsWith('199 '));
    const numbers = bodies(slow).map((text) => Number(text.split(' ')[0]));
    expect(numbers).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(slow.events.map(({ n }) => n)).toEqual(slow.events.map((_, at) => at + 1));
  });

  it('R11 presence and typing come as events', async () => {
    const [ada, ben] = [await following(), await following({}, 'ben')];
    const { presence } = await ada.request({ do: 'presence', ref: 1, members: ['ben'] });
    expect(presence).toEqual([{ member: 'ben', state: 'online' }]);
    await ben.request({ do: 'state', ref: 1, idle: true });
    expect(await ada.event('presence')).toMatchObject({ member: 'ben', state: 'away' });
    await ben.close();
    await ada.frame(({ event, state }) => event === 'presence' && state === 'offline');
  });

  it('says when a token, a cursor or a channel is of no use, and what to do', async () => {
    expect(await codes({ token: 'nonsense' })).toBe(ERRORS.unauthorized.close);
    expect(await codes({ cursor: 'nonsense' })).toBe(ERRORS['invalid-request'].close);
    expect(await codes({ channels: 'nowhere' })).toBe(ERRORS['not-found'].close);
    expect(await codes({ token: await region.token({ ws: 'acme-eu-id' }) })).toBe(ERRORS.forbidden.close);
    region.broken = true;
    expect(await codes({})).toBe(ERRORS['not-ready'].close);
    region.broken = false;
  });

  it('R10 frames that are no requests end the connection or are answered, and harm nobody', async () => {
    const [ada, other] = [await following(), await following({}, 'ben')];
    ada.socket.send('nonsense');
    expect((await ada.frame(({ problem }) => problem !== undefined)).problem!.code).toBe('invalid-json');
    ada.socket.send(Uint8Array.of(1, 2, 3));
    expect(await ada.closed).toBe(ERRORS['malformed-frame'].close);
    const large = await following();
    large.socket.send('x'.repeat(600_000));
    expect(await large.closed).toBe(ERRORS['frame-too-large'].close);
    const huge = await following();
    huge.socket.send('x'.repeat(1_100_000));
    expect(await huge.closed).toBe(1009);
    await region.replica.execute(post('unharmed'));
    await posted(other, 'unharmed');
  });

  it('sends its clients elsewhere when it closes', async () => {
    const ada = await following();
    await door.close();
    expect(await ada.closed).toBe(ERRORS['shutting-down'].close);
  });

  it('is described by an AsyncAPI document whose references all lead somewhere', async () => {
    const { port } = http.server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/v1/asyncapi.json`);
    const described = (await answer.json()) as ReturnType<typeof asyncApi>;
    expect(described).toEqual(asyncApi());
    const at = (ref: string): unknown =>
      ref
        .slice(2)
        .split('/')
        .reduce<unknown>((part, key) => (part as Record<string, unknown> | undefined)?.[key], described);
    const refs = JSON.stringify(described).match(/"\$ref":"([^"]+)"/g)!;
    expect(refs.length).toBeGreaterThan(60);
    for (const ref of refs) expect(at(ref.slice(8, -1)), ref).toBeDefined();
    const told = Object.values(described.operations).flatMap(({ messages }) => messages);
    expect(new Set(told.map(({ $ref }) => $ref)).size).toBe(
      Object.keys(described.components.messages).length,
    );
  });
});

it('R10 a door that is closed leaves nothing behind', async () => {
  const ada = await following();
  await ada.close();
  await vi.waitFor(async () => expect(await region.metrics.text()).toMatch(/causeway_sockets\{[^}]*\} 0/));
});
