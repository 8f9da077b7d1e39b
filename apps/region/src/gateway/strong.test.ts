import { ERRORS, type ErrorCode, type Problem } from '@causeway/protocol';
import { BusDown, FirstRegionDirectory } from '@causeway/replica';
import type { FastifyInstance, InjectOptions } from 'fastify';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { regionInMemory, type RegionInMemory } from '../region-in-memory.ts';
import { openDoors } from './doors.ts';
import { closeHttp, openHttp } from './http.ts';

let region: RegionInMemory;
let http: FastifyInstance;

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
});
afterEach(async () => {
  vi.restoreAllMocks();
  region.stop.abort();
  await closeHttp(http, 100);
});

type Sent = { status: number; etag: string; body: Problem & Record<string, unknown> };

async function send(
  member: string,
  method: InjectOptions['method'],
  path: string,
  payload?: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Sent> {
  const answer = await http.inject({
    method: method!,
    url: `/v1/workspaces/acme${path}`,
    ...(payload === undefined ? {} : { payload }),
    headers: { authorization: `Bearer ${await region.token({ sub: member })}`, ...headers },
  });
  const { statusCode, body } = answer;
  return {
    status: statusCode,
    etag: String(answer.headers['etag']),
    body: (body === '' ? {} : JSON.parse(body)) as Sent['body'],
  };
}

const expectProblem = ({ status, body }: Sent, code: ErrorCode): void =>
  expect({ status, code: body.code }).toEqual({ status: ERRORS[code].status, code });

async function create(slug: string, more: Record<string, unknown> = {}, by = 'ada'): Promise<string> {
  const answer = await send(by, 'POST', '/channels', { slug, ...more });
  expect(answer.status).toBe(201);
  return answer.body['id'] as string;
}

const browse = async (member: string, query = ''): Promise<Record<string, unknown>[]> =>
  (await send(member, 'GET', `/channels${query}`)).body['items'] as Record<string, unknown>[];
const slugs = async (member: string, query = ''): Promise<unknown[]> =>
  (await browse(member, query)).map(({ slug }) => slug);

describe('channels over REST', () => {
  it('R7 are made, renamed, archived and brought back; archived ones are read, and written no more', async () => {
    const id = await create('plans');
    const path = `/channels/${id}`;
    const message = (await send('ben', 'POST', `${path}/messages`, { body: 'hello' })).body['id'];
    expect((await send('ben', 'PATCH', path, { slug: 'great-plans' })).status).toBe(200);
    expect(await slugs('ben')).toEqual(['general', 'great-plans']);
    expect((await send('ben', 'PUT', `${path}/archived`)).status).toBe(200);
    for (const [method, to, body] of [
      ['POST', `${path}/messages`, { body: 'late' }],
      ['PATCH', `${path}/messages/${message}`, { body: 'late' }],
      ['DELETE', `${path}/messages/${message}`, {}],
      ['PUT', `${path}/messages/${message}/reactions/x`, {}],
      ['PUT', `${path}/topic`, { topic: 'late' }],
      ['PATCH', path, { slug: 'another' }],
    ] as const)
      expectProblem(await send('ben', method, to, body), 'archived');
    expect((await send('ben', 'GET', `${path}/messages`)).body['items']).toMatchObject([{ body: 'hello' }]);
    expect(await slugs('ben')).toEqual(['general']);
    expect(await slugs('ben', '?archived=true')).toEqual(['general', 'great-plans']);
    expect((await send('ben', 'DELETE', `${path}/archived`)).status).toBe(200);
    expect((await send('ben', 'POST', `${path}/messages`, { body: 'again' })).status).toBe(201);
  });

  it('R12 a private channel is not there for others, by name or id, at any route', async () => {
    const id = await create('secret', { private: true, members: ['ben'] });
    for (const name of ['secret', id]) {
      for (const [method, to, body] of [
        ['GET', ''],
        ['GET', '/messages'],
        ['GET', '/members'],
        ['POST', '/messages', { body: 'x' }],
        ['PUT', '/topic', { topic: 'x' }],
        ['PATCH', '', { slug: 'mine' }],
        ['PUT', '/archived', {}],
        ['PUT', '/members/eve', {}],
        ['DELETE', '/members/eve', {}],
        ['DELETE', '/members/ben', {}],
      ] as const) {
        const answer = await send('eve', method, `/channels/${name}${to}`, body);
        expectProblem(answer, 'not-found');
        const nothing = await send('eve', method, `/channels/nothing${to}`, body);
        expect(
          JSON.stringify(answer.body)
            .replaceAll(name, 'nothing')
            .replace(/"requestId":"[^"]*"/, ''),
        ).toBe(JSON.stringify(nothing.body).replace(/"requestId":"[^"]*"/, ''));
      }
    }
    expect(await slugs('eve')).toEqual(['general']);
    expect((await send('eve', 'GET', '')).body['channels']).toMatchObject([{ slug: 'general' }]);
    expect(await browse('ben')).toMatchObject([
      { slug: 'general', kind: 'public', joined: false },
      { slug: 'secret', kind: 'private', members: 2, joined: false },
    ]);
    expect((await send('ben', 'GET', `/channels/secret/members`)).body['items']).toEqual(['ada', 'ben']);
    expect((await send('ben', 'POST', `/channels/secret/messages`, { body: 'psst' })).status).toBe(201);
  });

  it('R7 who is invited sees a private channel, who left or was removed does not', async () => {
    const path = `/channels/${await create('secret', { private: true })}`;
    expect((await send('ada', 'PUT', `${path}/members/ben`)).status).toBe(200);
    expect((await send('ben', 'PUT', `${path}/members/eve`)).status).toBe(200);
    expect(await slugs('eve')).toEqual(['general', 'secret']);
    const leaving = { nonce: region.nonce() };
    const left = await send('eve', 'DELETE', `${path}/members/eve`, leaving);
    expect(left.status).toBe(200);
    expectProblem(await send('eve', 'GET', `${path}/messages`), 'not-found');
    const again = await send('eve', 'DELETE', `${path}/members/eve`, leaving);
    expect({ ...again, etag: left.etag }).toEqual(left);
    expect((await send('ben', 'DELETE', `${path}/members/ada`)).status).toBe(200);
    expectProblem(await send('ada', 'GET', path), 'not-found');
  });

  it('R4 a change repeated with its nonce is one change, also after it was undone', async () => {
    const request = { slug: 'plans', nonce: region.nonce() };
    const first = await send('ada', 'POST', '/channels', request);
    await send('ada', 'PATCH', `/channels/${first.body['id']}`, { slug: 'other' });
    const second = await send('ada', 'POST', '/channels', request);
    expect(second.body).toEqual(first.body);
    expect(await slugs('ada')).toEqual(['general', 'other']);
    expectProblem(await send('ada', 'POST', '/channels', { ...request, id: 'A'.repeat(22) }), 'id-mismatch');
  });

  it('R7 If-Match carries a change out only while nothing was changed, and every answer has the ETag', async () => {
    const { etag } = await send('ada', 'GET', '/channels');
    expect(etag).toBe('"0"');
    const nonce = region.nonce();
    const first = await send('ada', 'POST', '/channels', { slug: 'one', nonce }, { 'if-match': etag });
    expect(first).toMatchObject({ status: 201, etag: '"1"', body: { version: 1 } });
    expectProblem(
      await send('ben', 'POST', '/channels', { slug: 'two' }, { 'if-match': etag }),
      'version-moved',
    );
    const repeat = await send('ada', 'POST', '/channels', { slug: 'one', nonce }, { 'if-match': etag });
    expect(repeat).toMatchObject({ status: 201, body: first.body });
    const next = await send('ben', 'POST', '/channels', { slug: 'two' }, { 'if-match': first.etag });
    expect(next.etag).toBe('"2"');
    for (const wrong of ['2', '"x"', 'W/"2"', '"1", "2"'])
      expectProblem(
        await send('ben', 'POST', '/channels', { slug: 'three' }, { 'if-match': wrong }),
        'invalid-request',
      );
  });

  it('refuses names that are taken or no names, and says so', async () => {
    await create('plans');
    for (const slug of ['plans', 'general', 'general-id'])
      expectProblem(await send('ben', 'POST', '/channels', { slug }), 'name-taken');
    expectProblem(await send('ben', 'PATCH', '/channels/plans', { slug: 'general' }), 'name-taken');
    for (const slug of ['', 'Plans', 'a b', '-a', 'x'.repeat(65)])
      expectProblem(await send('ben', 'POST', '/channels', { slug }), 'invalid-request');
    const open = { slug: 'open', members: ['ben'] };
    expectProblem(await send('ben', 'POST', '/channels', open), 'invalid-request');
    expectProblem(await send('ben', 'PUT', '/channels/general/members/eve'), 'invalid-request');
    expectProblem(await send('ben', 'GET', '/channels/general/members'), 'invalid-request');
  });

  it('R10 pages of channels add up to all of them', async () => {
    for (let n = 0; n < 7; n++) await create(`c${n}`);
    const all: unknown[] = [];
    for (let query: string | undefined = '?limit=3'; query !== undefined;) {
      const { body } = await send('ben', 'GET', `/channels${query}`);
      all.push(...(body['items'] as { slug: string }[]).map(({ slug }) => slug));
      query = body['next'] === undefined ? undefined : `?limit=3&cursor=${String(body['next'])}`;
    }
    expect(all).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'general']);
  });
});

describe('members over REST', () => {
  it('R7 R12 an admin removes a member, who gets forbidden everywhere, and may return, to public channels', async () => {
    await create('secret', { private: true, members: ['ben'] });
    for (const path of ['/members/ben', '/members/ada'])
      expectProblem(await send('ben', 'DELETE', path), 'forbidden');
    expectProblem(await send('ada', 'DELETE', '/members/ada'), 'forbidden');
    expect((await send('ada', 'DELETE', '/members/ben')).status).toBe(200);
    for (const [method, path, body] of [
      ['GET', ''],
      ['GET', '/channels'],
      ['GET', '/channels/general/messages'],
      ['POST', '/channels/general/messages', { body: 'x' }],
      ['GET', '/canvases'],
      ['POST', '/canvases', { title: 'x' }],
      ['POST', '/channels', { slug: 'x' }],
      ['PUT', '/members/ben', {}],
    ] as const)
      expectProblem(await send('ben', method, path, body), 'forbidden');
    expect((await send('ada', 'GET', '/members')).body).toEqual({ admins: ['ada'], removed: ['ben'] });
    expect((await send('eve', 'GET', '/members')).body).toEqual({ admins: ['ada'] });
    expectProblem(await send('ada', 'PUT', '/channels/secret/members/ben'), 'invalid-request');
    expect((await send('ada', 'PUT', '/members/ben')).status).toBe(200);
    expect(await slugs('ben')).toEqual(['general']);
  });

  it.each([
    ['no-directory', 'read'],
    ['no-directory', 'compareAndSet'],
  ] as const)(
    'R5 answers 503 %s when the directory does not answer a %s, while messages go on',
    async (code, what) => {
      vi.spyOn(FirstRegionDirectory.prototype, what).mockRejectedValue(new BusDown('cut'));
      const answer = await send('ada', 'POST', '/channels', { slug: 'plans' });
      expectProblem(answer, code);
      expect(answer.body).toMatchObject({ next: 'retry', detail: expect.stringContaining('messages go on') });
      expect((await send('ada', 'POST', '/channels/general/messages', { body: 'on' })).status).toBe(201);
      expect(await slugs('ada')).toEqual(['general']);
    },
  );
});

type Opened = { socket: WebSocket; opened: Promise<unknown>; closed: Promise<number> };
async function openSocket(member: string, document: string): Promise<Opened> {
  const { port } = http.server.address() as AddressInfo;
  const token = await region.token({ sub: member });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/sync/acme/${document}?token=${token}`);
  const opened = new Promise((resolve) => socket.once('open', resolve));
  const closed = new Promise<number>((resolve) => socket.once('close', (code) => resolve(code)));
  return { socket, opened, closed };
}

describe('sockets of members who may not any more', () => {
  it('R7 R12 are closed within a second when a member is removed, and stay for others (PAINS 11)', async () => {
    const doors = openDoors(http.server, region);
    await http.listen({ host: '127.0.0.1', port: 0 });
    const secret = await create('secret', { private: true, members: ['ben', 'eve'] });
    const name = `segment/${secret}/1`;
    const [ben, eve, other] = await Promise.all([
      openSocket('ben', name),
      openSocket('eve', name),
      openSocket('ben', 'segment/general/1'),
    ]);
    await Promise.all([ben.opened, eve.opened, other.opened]);
    const began = performance.now();
    await send('ada', 'DELETE', `/channels/${secret}/members/ben`);
    expect(await ben.closed).toBe(ERRORS['not-found'].close);
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await (await openSocket('ben', name)).closed).toBe(ERRORS['not-found'].close);
    await send('ada', 'DELETE', '/members/ben');
    expect(await other.closed).toBe(ERRORS['forbidden'].close);
    expect(eve.socket.readyState).toBe(WebSocket.OPEN);
    await doors.close();
  });
});
