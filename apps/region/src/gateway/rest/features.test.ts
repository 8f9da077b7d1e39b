/* Every command through its route: what it answers, what reads show of it, and whom it refuses. */
import { Command, directChannel } from '@causeway/protocol';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as Y from 'yjs';
import { regionInMemory, type RegionInMemory } from '../../region-in-memory.ts';
import { openHttp } from '../http.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Answer = { status: number; body: Record<string, unknown> };

let region: RegionInMemory;
let http: FastifyInstance;
let message: string;
let canvas: string;
let version: string;
let scheduled: string;

async function send(method: Method, path: string, payload?: object, claims: object = {}): Promise<Answer> {
  const { statusCode, body } = await http.inject({
    method,
    url: `/v1/workspaces/acme${path}`,
    headers: { authorization: `Bearer ${await region.token(claims as never)}` },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: statusCode, body: body === '' ? {} : (JSON.parse(body) as Record<string, unknown>) };
}
const CHANNEL = '/channels/general';
const at = (): number => Date.now() + 600_000;

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
  message = (await send('POST', `${CHANNEL}/messages`, { body: 'text' })).body['id'] as string;
  canvas = (await send('POST', '/canvases', { title: 'Plan' })).body['id'] as string;
  version = (await send('POST', `/canvases/${canvas}/versions`, { title: 'Empty' })).body['id'] as string;
  scheduled = (await send('POST', '/scheduled', { channel: 'general', body: 'later', at: at() })).body[
    'post'
  ] as string;
});
afterEach(async () => {
  region.stop.abort();
  await http.close();
});

/** Every command, as a request of a member. */
const requests = (): [Method, string, object?][] => [
  ['POST', `${CHANNEL}/messages`, { body: 'reply', thread: message, also: true }],
  ['PATCH', `${CHANNEL}/messages/${message}`, { body: 'edited' }],
  ['PUT', `${CHANNEL}/messages/${message}/reactions/ok`],
  ['PUT', `${CHANNEL}/messages/${message}/pin`],
  ['DELETE', `${CHANNEL}/messages/${message}/pin`],
  ['PUT', `${CHANNEL}/messages/${message}/follow`],
  ['DELETE', `${CHANNEL}/messages/${message}/follow`],
  ['PUT', `${CHANNEL}/topic`, { topic: 'Topic' }],
  ['PUT', `${CHANNEL}/purpose`, { purpose: 'Purpose' }],
  ['PUT', `${CHANNEL}/read`, { markers: [{ segment: 1, client: 1, clock: 0 }] }],
  ['PUT', `${CHANNEL}/unread`, { message }],
  ['PUT', `${CHANNEL}/unread`],
  ['PUT', `${CHANNEL}/draft`, { body: 'draft' }],
  ...['joined', 'muted', 'starred'].flatMap((path): [Method, string][] => [
    ['PUT', `${CHANNEL}/${path}`],
    ['DELETE', `${CHANNEL}/${path}`],
  ]),
  ['PUT', '/availability', { mode: 'dnd', until: at() }],
  ['POST', '/direct', { members: ['ada', 'ben'] }],
  ['POST', '/scheduled', { channel: 'general', body: 'later', at: at() }],
  ['DELETE', `/scheduled/${scheduled}`],
  ['POST', '/canvases', { title: 'Another' }],
  ['PUT', `/canvases/${canvas}/title`, { title: 'Renamed' }],
  ['PUT', `/canvases/${canvas}/rights/*`, { right: 'view' }],
  ['PUT', `/canvases/${canvas}/rights/ben`, { right: 'edit' }],
  ['POST', `/canvases/${canvas}/versions`, { title: 'Kept' }],
  ['POST', `/canvases/${canvas}/versions/${version}/restore`],
  ['DELETE', `${CHANNEL}/messages/${message}`],
];
const reads = (): string[] => [
  `${CHANNEL}/pins`,
  '/me',
  '/drafts',
  '/scheduled',
  '/canvases',
  `/canvases/${canvas}/rights`,
  `/canvases/${canvas}/versions`,
];

describe('every command by REST', () => {
  it('R4 is acknowledged with its id and a token that reads can wait for', async () => {
    const execute = vi.spyOn(region.replica, 'execute');
    for (const [method, path, body] of requests()) {
      const answer = await send(method, path, body);
      expect([method, path, answer.status, answer.body['detail']]).toEqual([
        method,
        path,
        method === 'POST' && !path.endsWith('/restore') ? 201 : 200,
        undefined,
      ]);
      expect(answer.body).toMatchObject({ id: expect.stringMatching(/^[\w-]{22}$/), level: 'region' });
      const token = answer.body['readToken'] as string;
      expect((await send('GET', `/me?after=${token}`)).status, path).toBe(200);
    }
    for (const path of reads()) expect((await send('GET', path)).status, path).toBe(200);
    const kinds = Command.anyOf.map(({ properties }) => properties.kind.const);
    expect(new Set(execute.mock.calls.map(([{ kind }]) => kind))).toEqual(new Set(kinds));
  });

  it('R12 is refused to a stranger and to a removed member, and so is every read', async () => {
    await region.replica.strong.request({
      kind: 'change',
      workspace: 'acme-id',
      member: 'ada',
      nonce: region.nonce(),
      deed: { kind: 'remove-member', member: 'ben' },
    });
    const everything = [...requests(), ...reads().map((path): [Method, string] => ['GET', path])];
    for (const [method, path, body] of everything)
      for (const claims of [{ sub: 'ben' }, { sub: 'ada', ws: 'acme-eu-id' }]) {
        const { status, body: problem } = await send(method, path, body, claims);
        expect([method, path, status, problem['code']]).toEqual([method, path, 403, 'forbidden']);
      }
  });

  it('R4 is one, sent again with its nonce and time', async () => {
    const again = { nonce: region.nonce(), v: region.replica.clock.tick() };
    for (const [method, path, body] of [
      ['PUT', `${CHANNEL}/draft`, { body: 'draft', ...again }],
      [
        'POST',
        '/scheduled',
        { channel: 'general', body: 'x', at: 4e12, postNonce: region.nonce(), ...again },
      ],
      ['POST', `/canvases/${canvas}/versions`, { title: 'Kept', ...again }],
    ] as const) {
      const [first, second] = [await send(method, path, body), await send(method, path, body)];
      expect(second.body['id'], path).toBe(first.body['id']);
      expect(second.body['code'], path).toBe(first.body['code']);
    }
    expect((await send('GET', `/canvases/${canvas}/versions`)).body['items']).toHaveLength(2);
  });
});

describe('reads', () => {
  it('show pins, what a member alone sees, drafts and what is scheduled, to that member', async () => {
    await send('PUT', `${CHANNEL}/messages/${message}/pin`);
    await send('PUT', `${CHANNEL}/joined`);
    await send('PUT', `${CHANNEL}/messages/${message}/follow`);
    await send('PUT', `${CHANNEL}/unread`, { message });
    await send('PUT', `${CHANNEL}/draft`, { body: 'later', thread: message });
    await send('PUT', '/availability', { mode: 'away' });
    const direct = await send('POST', '/direct', { members: ['ben', 'ada'] });
    const channel = directChannel('acme-id', ['ada', 'ben']);
    expect(direct.body['channel']).toBe(channel);
    const t = expect.stringMatching(/^[0-9a-z]{11}\./) as string;
    expect((await send('GET', `${CHANNEL}/pins`)).body).toEqual({ items: [{ message, by: 'ada', t }] });
    expect((await send('GET', '/me')).body).toEqual({
      member: 'ada',
      joined: ['general-id'],
      muted: [],
      starred: [],
      follows: [{ channel: 'general-id', message }],
      unread: { 'general-id': { message, t } },
      direct: [{ channel, members: ['ada', 'ben'] }],
      availability: { mode: 'away' },
    });
    expect((await send('GET', '/drafts')).body['items']).toEqual([
      { channel: 'general-id', thread: message, body: 'later' },
    ]);
    expect((await send('GET', '/scheduled')).body['items']).toMatchObject([{ id: scheduled, body: 'later' }]);
    const ben = { sub: 'ben' };
    expect((await send('GET', '/me', undefined, ben)).body).toMatchObject({
      joined: [],
      direct: [{ channel }],
    });
    for (const path of ['/drafts', '/scheduled'])
      expect((await send('GET', path, undefined, ben)).body).toEqual({ items: [] });
    expect((await send('POST', `/channels/${channel}/messages`, { body: 'to ada' }, ben)).status).toBe(201);
    expect((await send('GET', `/channels/${channel}/messages`)).body['items']).toMatchObject([
      { body: 'to ada' },
    ]);
    const eve = await send('GET', `/channels/${channel}/messages`, undefined, { sub: 'eve' });
    expect([eve.status, eve.body['code']]).toEqual([404, 'not-found']);
  });

  it('R12 show a canvas and its versions to who may see it', async () => {
    const doc = new Y.Doc();
    doc.getText('t').insert(0, 'text');
    await region.replica.writeCanvas(`acme-id/canvas/${canvas}`, Y.encodeStateAsUpdate(doc), 'ada');
    await send('POST', `/canvases/${canvas}/versions`, { title: 'Kept' });
    await send('PUT', `/canvases/${canvas}/title`, { title: 'Renamed' });
    const list = (await send('GET', `/canvases/${canvas}/versions`)).body['items'] as object[];
    expect(list).toMatchObject([
      { title: 'Kept', by: 'ada' },
      { title: 'Empty', bytes: 0, id: version },
    ]);
    const ben = { sub: 'ben' };
    const seen = async () => (await send('GET', '/canvases', undefined, ben)).body['items'] as object[];
    expect(await seen()).toMatchObject([{ id: canvas, title: 'Renamed', author: 'ada', right: 'edit' }]);
    expect((await send('PUT', `/canvases/${canvas}/rights/ben`, { right: 'none' }, ben)).status).toBe(403);
    await send('PUT', `/canvases/${canvas}/rights/ben`, { right: 'none' });
    expect(await seen()).toEqual([]);
    for (const path of ['rights', 'versions'])
      expect((await send('GET', `/canvases/${canvas}/${path}`, undefined, ben)).status).toBe(403);
    expect((await send('GET', `/canvases/${canvas}/rights`)).body).toEqual({
      author: 'ada',
      yours: 'edit',
      items: [{ to: 'ben', right: 'none' }],
    });
  });

  it('every route is described', async () => {
    const answer = await http.inject({ method: 'GET', url: '/v1/openapi.json' });
    const { paths } = JSON.parse(answer.body) as {
      paths: Record<string, Record<string, { summary?: string }>>;
    };
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { summary }] of Object.entries(methods))
        expect(summary, `${method} ${path}`).toBeDefined();
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/v1/workspaces/{workspace}/channels/{channel}/pins',
        '/v1/workspaces/{workspace}/scheduled/{post}',
        '/v1/workspaces/{workspace}/canvases/{canvas}/versions/{version}/restore',
      ]),
    );
  });
});
