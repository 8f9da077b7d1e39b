import type { Badge, Mention, Message, Page, ThreadPage } from '@causeway/protocol';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { openHttp } from '../http.ts';

let region: RegionInMemory;
let http: FastifyInstance;
beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
});
afterEach(async () => {
  region.stop.abort();
  await http.close();
});

async function send<T>(
  method: InjectOptions['method'],
  url: string,
  { body, as = 'ada' }: { body?: object; as?: string } = {},
): Promise<T & { status: number; readToken: string; id: string }> {
  const answer = await http.inject({
    method: method!,
    url: `/v1/workspaces/acme${url}`,
    ...(body === undefined ? {} : { payload: body }),
    headers: { authorization: `Bearer ${await region.token({ sub: as })}` },
  });
  return { ...(answer.json() as T & { readToken: string; id: string }), status: answer.statusCode };
}

const MESSAGES = '/channels/general/messages';
const post = async (body: string, more: object = {}, as = 'ada') =>
  send('POST', MESSAGES, { body: { body, ...more }, as });

describe('threads', () => {
  it('come in pages, with their root; lists of messages say how many replies there are', async () => {
    const { id: thread } = await post('root');
    for (let n = 0; n < 5; n++) await post(`reply ${n}`, { thread }, n % 2 === 0 ? 'ben' : 'cleo');
    const page = await send<ThreadPage>('GET', `${MESSAGES}/${thread}/thread?limit=3`);
    expect(page.items.map(({ body }) => body)).toEqual(['reply 4', 'reply 3', 'reply 2']);
    const replies = { count: 5, last: page.items[0]!.t, participants: ['ben', 'cleo'] };
    expect(page.root).toMatchObject({ id: thread, replies });
    const next = await send<ThreadPage>('GET', `${MESSAGES}/${thread}/thread?limit=3&cursor=${page.next}`);
    expect(next.items.map(({ body }) => body)).toEqual(['reply 1', 'reply 0']);
    expect(next.next).toBeUndefined();
    const { items } = await send<Page<Message>>('GET', MESSAGES);
    expect(items.find(({ id }) => id === thread)).toMatchObject({ replies });
    expect(items.filter((message) => 'replies' in message)).toHaveLength(1);
  });

  it('outlive their root, and are not found where there is neither', async () => {
    const { id: thread } = await post('root');
    const { id } = await post('reply', { thread });
    await send('DELETE', `${MESSAGES}/${thread}`);
    const page = await send<ThreadPage>('GET', `${MESSAGES}/${thread}/thread`);
    expect([page.root, page.items.map((message) => message.id)]).toEqual([undefined, [id]]);
    expect((await send('GET', `${MESSAGES}/${'x'.repeat(22)}/thread`)).status).toBe(404);
    expect((await send('GET', `${MESSAGES}/${thread}/thread?cursor=x`)).status).toBe(400);
  });

  it('are followed by who wrote, replied or said so, and by nobody who said no', async () => {
    const { id: thread } = await post('root');
    await post('reply', { thread }, 'ben');
    await post('reply', { thread }, 'cleo');
    const follow = (member: string, value: boolean) =>
      region.store.append([
        {
          entry: {
            kind: 'cells',
            scope: `acme-id/member/${member}`,
            cells: [{ key: `follow|general-id|${thread}`, v: '1', value }],
          },
        },
      ]);
    await follow('dan', true);
    await follow('ben', false);
    await send('GET', MESSAGES);
    const followers = await region.replica.history.followers('acme-id', 'general-id', thread);
    expect(followers.toSorted()).toEqual(['ada', 'cleo', 'dan']);
  });
});

const join = (as: string) => send('PUT', '/channels/general/joined', { body: {}, as });
const unread = async (as: string, after = ''): Promise<Badge[]> =>
  (await send<{ channels: Badge[] }>('GET', `/unread${after}`, { as })).channels;
const mentions = (query: string, as = 'ben') =>
  send<Page<Mention>>('GET', `/mentions?limit=3${query}`, { as });
const bodies = ({ items }: Page<Mention>): string[] =>
  items.map(({ channel, message }) => `${channel} ${message.body}`);

describe('what waits for the asker', () => {
  it('R9 unread counts of the channels that one joined, as a token says', async () => {
    expect(await unread('ben')).toEqual([]);
    for (const member of ['ada', 'ben']) await join(member);
    await post('hello');
    const { readToken } = await post('@ben', {});
    expect(await unread('ben', `?after=${readToken}`)).toMatchObject([
      { channel: 'general-id', unread: 2, mentions: 1 },
    ]);
    expect(await unread('ada')).toMatchObject([{ unread: 0, mentions: 0 }]);
  });

  it('R12 mentions in pages, newest first, of this workspace only', async () => {
    for (const member of ['ben', 'cleo']) await join(member);
    for (let n = 0; n < 3; n++) await post(`@ben ${n}`);
    const { readToken } = await post('@here too');
    const page = await mentions(`&after=${readToken}`);
    expect(bodies(page)).toEqual(['general-id @here too', 'general-id @ben 2', 'general-id @ben 1']);
    const next = await mentions(`&cursor=${page.next}`);
    expect(bodies(next)).toEqual(['general-id @ben 0']);
    expect(next.next).toBeUndefined();
    expect(bodies(await mentions('', 'ada'))).toEqual([]);
    expect(bodies(await mentions('', 'cleo'))).toEqual(['general-id @here too']);
  });
});
