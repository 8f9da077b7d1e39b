import {
  CausewayError,
  LIMITS,
  commandId,
  encodeToken,
  type ErrorCode,
  type Problem,
} from '@causeway/protocol';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { regionInMemory, type RegionInMemory } from '../region-in-memory.ts';
import { openHttp } from './http.ts';

let region: RegionInMemory;
let http: FastifyInstance;
let token: string;

beforeEach(async () => {
  region = await regionInMemory();
  http = await openHttp(region);
  token = await region.token();
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  region.stop.abort();
  await http.close();
});

type Sent = { status: number; type: string; body: Problem & Record<string, unknown>; headers: object };

async function send(
  method: InjectOptions['method'],
  url: string,
  payload?: InjectOptions['payload'],
  headers: Record<string, string> = {},
): Promise<Sent> {
  const answer = await http.inject({
    method: method!,
    url,
    ...(payload === undefined ? {} : { payload }),
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  const { statusCode, body } = answer;
  return {
    status: statusCode,
    type: String(answer.headers['content-type']),
    body: body === '' ? {} : JSON.parse(body),
    headers: answer.headers,
  };
}

function expectProblem({ status, type, body }: Sent, code: ErrorCode, expected: number): void {
  expect({ status, code: body.code, type }).toMatchObject({ status: expected, code });
  expect(type).toContain('application/problem+json');
  expect(body).toMatchObject({ type: `urn:causeway:error:${code}`, status: expected });
  expect(body.requestId).toMatch(/^[\w-]{16}$/);
}

const CHANNEL = '/v1/workspaces/acme/channels/general';
const MESSAGES = `${CHANNEL}/messages`;
const post = async (body = 'hello'): Promise<string> =>
  (await send('POST', MESSAGES, { body })).body['id'] as string;

describe('the REST door', () => {
  it('takes slugs and ids for workspaces and channels, and answers with ids', async () => {
    const id = await post('by slug');
    for (const [workspace, channel] of [
      ['acme', 'general'],
      ['acme-id', 'general-id'],
      ['acme', 'general-id'],
    ]) {
      const page = await send('GET', `/v1/workspaces/${workspace}/channels/${channel}/messages`);
      expect(page.body['items']).toMatchObject([{ id, body: 'by slug', author: 'ada' }]);
    }
    expect((await send('GET', '/v1/workspaces/acme')).body).toMatchObject({ id: 'acme-id', member: 'ada' });
  });

  it('R9 reads after a write show it, when they carry its token', async () => {
    const first = await send('POST', MESSAGES, { body: 'first' });
    const page = await send('GET', `${MESSAGES}?after=${first.body['readToken']}`);
    expect(page.body['items']).toMatchObject([{ id: first.body['id'] }]);
    const topic = await send('PUT', `${CHANNEL}/topic`, { topic: 'plans' });
    const channel = await send('GET', `${CHANNEL}?after=${topic.body['readToken']}`);
    expect(channel.body).toMatchObject({ topic: { text: 'plans' } });
    const canvas = await send('POST', '/v1/workspaces/acme/canvases', { title: 'Plan' });
    const canvases = await send('GET', `/v1/workspaces/acme/canvases?after=${canvas.body['readToken']}`);
    expect(canvases.body['items']).toMatchObject([{ id: canvas.body['id'] }]);
  });

  it('R9 says that a write is not here yet, and what to do', async () => {
    const never = encodeToken([{ document: 'acme-id/canvas/none', client: 1, clock: 1 }]);
    vi.spyOn(region.replica, 'waitFor').mockResolvedValue(false);
    const answer = await send('GET', `/v1/workspaces/acme/canvases?after=${never}`);
    expectProblem(answer, 'not-here-yet', 409);
    expect(answer.headers).toMatchObject({ 'retry-after': '1' });
    expect(answer.body).toMatchObject({ next: 'retry', detail: expect.stringContaining('try again') });
  });

  it.each([
    ['of no token', 'nonsense'],
    ['of another workspace', encodeToken([{ document: 'other/canvas/x', client: 1, clock: 1 }])],
    ['of another member', encodeToken([{ scope: 'acme-id/member/bob', key: 'read|x', v: '1' }])],
  ])('R12 refuses `after` %s at every read', async (_, after) => {
    for (const path of [MESSAGES, CHANNEL, '/v1/workspaces/acme/canvases'])
      expectProblem(await send('GET', `${path}?after=${after}`), 'invalid-request', 400);
  });

  it('passes the level of a write on, and refuses another one', async () => {
    const execute = vi.spyOn(region.replica, 'execute');
    await send('POST', MESSAGES, { body: 'default' });
    await send('POST', `${MESSAGES}?level=region`, { body: 'said' });
    expect(execute.mock.calls.map(([, asked]) => asked)).toEqual([{ level: 'region' }, { level: 'region' }]);
    execute.mockRejectedValueOnce(new CausewayError('not-replicated', 'nobody', { retryAfter: 1 }));
    expectProblem(await send('POST', `${MESSAGES}?level=zone`, { body: 'far' }), 'not-replicated', 503);
    expect(execute.mock.calls.at(-1)![1]).toEqual({ level: 'zone' });
    expectProblem(await send('POST', `${MESSAGES}?level=world`, { body: 'no' }), 'invalid-request', 400);
    for (const [method, path] of [
      ['PUT', `${CHANNEL}/topic`],
      ['PUT', `${CHANNEL}/read`],
      ['POST', '/v1/workspaces/acme/canvases'],
      ['DELETE', `${MESSAGES}/${'A'.repeat(22)}`],
    ] as const)
      expectProblem(await send(method, `${path}?level=world`, {}), 'invalid-request', 400);
  });

  it('R4 a request repeated with its nonce is the same message', async () => {
    const request = { body: 'once', nonce: region.nonce() };
    const [first, second] = [await send('POST', MESSAGES, request), await send('POST', MESSAGES, request)];
    expect(second.body['id']).toBe(first.body['id']);
    expect((await send('GET', MESSAGES)).body['items']).toHaveLength(1);
  });

  it('takes the id of the command that the client made, and refuses another', async () => {
    const command = {
      kind: 'post',
      workspace: 'acme-id',
      channel: 'general-id',
      member: 'ada',
      nonce: region.nonce(),
      body: 'mine',
    } as const;
    const { nonce, body } = command;
    const right = await send('POST', MESSAGES, { body, nonce, id: commandId(command) });
    expect(right).toMatchObject({ status: 201, body: { id: commandId(command) } });
    expectProblem(
      await send('POST', MESSAGES, { body: 'other', nonce, id: commandId(command) }),
      'id-mismatch',
      422,
    );
  });

  it('takes DELETE and PUT with an empty body, with and without a content type', async () => {
    const id = await post();
    const json = { 'content-type': 'application/json' };
    expect((await send('PUT', `${MESSAGES}/${id}/reactions/%F0%9F%91%8D`, '', json)).status).toBe(200);
    expect((await send('DELETE', `${MESSAGES}/${id}/reactions/%F0%9F%91%8D`)).status).toBe(200);
    expect((await send('DELETE', `${MESSAGES}/${id}`, '', json)).status).toBe(200);
    expectProblem(await send('PATCH', `${MESSAGES}/${id}`, { body: 'late' }), 'gone', 410);
  });

  it('R12 answers for a workspace that there is as for one that there is not: the token is for another', async () => {
    const [there, absent] = [
      await send('GET', '/v1/workspaces/acme-eu'),
      await send('GET', '/v1/workspaces/nothing'),
    ];
    expectProblem(there, 'forbidden', 403);
    expect({ ...absent.body, requestId: '' }).toEqual({ ...there.body, requestId: '' });
  });

  it('R6 sends a member of a workspace of another zone there', async () => {
    token = await region.token({ ws: 'acme-eu-id' }, 'eu-west');
    const answer = await send('GET', '/v1/workspaces/acme-eu');
    expectProblem(answer, 'elsewhere', 421);
    expect(answer.body.regions).toEqual(['http://eu-west.test']);
  });

  it('answers 429 with Retry-After to a member who asks too much, and serves the others', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    const answers = await Promise.all(
      Array.from({ length: 2_001 }, () => send('GET', '/v1/workspaces/acme')),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(1);
    expectProblem(refused[0]!, 'rate-limited', 429);
    expect(refused[0]!.headers).toMatchObject({ 'retry-after': expect.stringMatching(/^[1-9]\d*$/) });
    token = await region.token({ sub: 'ben' });
    expect((await send('GET', '/v1/workspaces/acme')).status).toBe(200);
  });

  it('lets only the page of this world read its answers from a browser', async () => {
    const preflight = (origin: string): Promise<Sent> =>
      send('OPTIONS', MESSAGES, undefined, {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      });
    expect((await preflight('http://page.test')).headers).toMatchObject({
      'access-control-allow-origin': 'http://page.test',
    });
    expect((await preflight('http://evil.test')).headers).not.toHaveProperty('access-control-allow-origin');
    const answer = await send('GET', '/v1/workspaces/acme', undefined, { origin: 'http://evil.test' });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('sends who comes while it stops elsewhere, with a problem', async () => {
    region.stop.abort();
    const answer = await send('GET', '/v1/workspaces/acme');
    expectProblem(answer, 'shutting-down', 503);
    expect(answer.headers).toMatchObject({ connection: 'close' });
  });

  it('R6 neither logs nor counts by token, path, slug, body or member', async () => {
    await post('a secret text');
    await send('GET', '/v1/workspaces/acme/channels/nowhere/messages?cursor=secretcursor');
    await send('POST', MESSAGES, '{"secret json', { 'content-type': 'application/json' });
    const said = `${region.logged()}${await region.metrics.text()}`;
    expect(said).toContain('/v1/workspaces/:workspace/channels/:channel/messages');
    for (const secret of [token, 'secret', 'acme', 'general', 'nowhere', '"ada"'])
      expect(said).not.toContain(secret);
  });
});

describe('bad input at the REST door', () => {
  const NONCE = 'A'.repeat(22);
  const BODIES: [what: string, body: unknown, code: ErrorCode, status: number][] = [
    ['an unknown field', { body: 'x', colour: 'red' }, 'invalid-request', 400],
    ['a number for a text, which is not coerced', { body: 5 }, 'invalid-request', 400],
    ['null for a text', { body: null }, 'invalid-request', 400],
    ['a list for the whole', ['x'], 'invalid-request', 400],
    ['no body', {}, 'invalid-request', 400],
    ['an empty text', { body: '' }, 'invalid-request', 400],
    ['a text of 40,001 characters', { body: 'x'.repeat(LIMITS.bodyChars + 1) }, 'body-too-large', 413],
    ['a NUL', { body: 'a\0b' }, 'invalid-request', 400],
    ['half a surrogate pair', { body: 'a\ud800b' }, 'invalid-request', 400],
    ['a nonce of the wrong length', { body: 'x', nonce: 'short' }, 'invalid-request', 400],
    ['a thread that is no id', { body: 'x', thread: '../..' }, 'invalid-request', 400],
    ['an id that is not its hash', { body: 'x', nonce: NONCE, id: NONCE }, 'id-mismatch', 422],
  ];
  it.each(BODIES)('%s in a post is refused, and stores nothing', async (_, body, code, status) => {
    expectProblem(await send('POST', MESSAGES, body as object), code, status);
    expect((await send('GET', MESSAGES)).body['items']).toEqual([]);
  });

  it('a text of exactly 40,000 characters is taken, however it is escaped', async () => {
    const escaped = `{"body":"${'\\u00e9'.repeat(LIMITS.bodyChars)}"}`;
    const json = { 'content-type': 'application/json' };
    expect((await send('POST', MESSAGES, escaped, json)).status).toBe(201);
  });

  const RAW: [what: string, payload: string, type: string, code: ErrorCode, status: number][] = [
    ['broken JSON', '{"body": "x"', 'application/json', 'invalid-json', 400],
    ['JSON that would poison a prototype', '{"__proto__":{"x":1}}', 'application/json', 'invalid-json', 400],
    ['text', 'hello', 'text/plain', 'invalid-request', 400],
    ['a form', 'body=x', 'application/x-www-form-urlencoded', 'invalid-request', 400],
    ['nothing', '', 'application/json', 'invalid-request', 400],
    [
      'a quarter of a megabyte',
      `{"body":"${'x'.repeat(LIMITS.requestBytes)}"}`,
      'application/json',
      'body-too-large',
      413,
    ],
  ];
  it.each(RAW)('%s as a post is refused', async (_, payload, type, code, status) => {
    expectProblem(await send('POST', MESSAGES, payload, { 'content-type': type }), code, status);
  });

  it('R14 a timestamp from the future is refused', async () => {
    const id = await post();
    const v = (Date.now() + LIMITS.clockSkewMs + 60_000) * 1024;
    for (const [method, url, fields] of [
      ['PATCH', `${MESSAGES}/${id}`, { body: 'x' }],
      ['PUT', `${MESSAGES}/${id}/reactions/x`, {}],
      ['PUT', '/v1/workspaces/acme/channels/general/topic', { topic: 'x' }],
      ['POST', '/v1/workspaces/acme/canvases', { title: 'x' }],
    ] as const)
      expectProblem(await send(method, url, { ...fields, nonce: region.nonce(), v }), 'clock-ahead', 422);
  });

  it('a nonce without v, and v without a nonce, are refused where both make the command', async () => {
    const id = await post();
    for (const half of [{ nonce: NONCE }, { v: Date.now() * 1024 }])
      expectProblem(await send('PATCH', `${MESSAGES}/${id}`, { body: 'x', ...half }), 'invalid-request', 400);
  });

  it('a large answer is compressed for who accepts it, and for nobody else', async () => {
    await post();
    const plain = await send('GET', '/v1/openapi.json');
    expect(plain.headers).not.toHaveProperty('content-encoding');
    const asked = (accepted: string) =>
      http.inject({ method: 'GET', url: '/v1/openapi.json', headers: { 'accept-encoding': accepted } });
    const answer = await asked('gzip, deflate;q=0.5');
    expect(answer.headers).toMatchObject({ 'content-encoding': 'gzip' });
    expect(String(answer.headers['vary'])).toContain('accept-encoding');
    expect(JSON.parse(gunzipSync(answer.rawPayload).toString())).toEqual(plain.body);
    for (const accepted of ['', 'br', 'gzip;q=0', 'gzip; q=0.0'])
      expect((await asked(accepted)).headers, accepted).not.toHaveProperty('content-encoding');
    const small = await http.inject({ url: '/healthz', headers: { 'accept-encoding': 'gzip' } });
    expect(small.headers).not.toHaveProperty('content-encoding');
  });

  const CURSORS = ['', 'x', 'a~b', '~', 'a~b~c', '%00~AAAAAAAAAAAAAAAAAAAAAA', '0123456789a.b~short'];
  it.each(CURSORS)('the cursor "%s" is refused', async (cursor) => {
    expectProblem(await send('GET', `${MESSAGES}?cursor=${cursor}`), 'invalid-request', 400);
  });

  const QUERIES = ['limit=many', 'limit=-1', 'limit=1000', 'limit=1&limit=2', 'colour=red'];
  it.each(QUERIES)('the query "%s" is refused', async (query) => {
    expectProblem(await send('GET', `${MESSAGES}?${query}`), 'invalid-request', 400);
  });

  const PLACES: [method: string, path: string, code: ErrorCode, status: number][] = [
    ['GET', '/v1/nothing', 'not-found', 404],
    ['GET', '/', 'not-found', 404],
    ['PUT', MESSAGES, 'not-found', 404],
    ['GET', '/v1/workspaces/acme/channels/nowhere', 'not-found', 404],
    ['GET', '/v1/workspaces/%zz', 'invalid-request', 400],
    ['GET', `/v1/workspaces/${'x'.repeat(301)}`, 'invalid-request', 400],
    ['PATCH', `${MESSAGES}/short`, 'invalid-request', 400],
    ['DELETE', `${MESSAGES}/${NONCE}`, 'not-here-yet', 409],
    ['PUT', `${MESSAGES}/${NONCE}/reactions/${'x'.repeat(65)}`, 'invalid-request', 400],
    ['PUT', `${MESSAGES}/${NONCE}/reactions/%00`, 'invalid-request', 400],
  ];
  it.each(PLACES)('%s %s is a typed problem', async (method, path, code, status) => {
    const body = method === 'PATCH' ? { body: 'x' } : undefined;
    expectProblem(await send(method as 'GET', path, body), code, status);
  });

  it('another member may neither edit nor delete a message', async () => {
    const id = await post();
    token = await region.token({ sub: 'ben' });
    expectProblem(await send('PATCH', `${MESSAGES}/${id}`, { body: 'x' }), 'forbidden', 403);
    expectProblem(await send('DELETE', `${MESSAGES}/${id}`), 'forbidden', 403);
  });
});
