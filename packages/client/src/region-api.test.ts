import {
  CausewayError,
  base64url,
  commandId,
  decodeToken,
  type Ack,
  type CommandOf,
} from '@causeway/protocol';
import { expect, test } from 'vitest';
import { ClientClock } from './client-clock.ts';
import { CommandMaker } from './command-maker.ts';
import { RegionApi } from './region-api.ts';

const TOKEN = 'secret-token';
const ACK: Ack = { id: 'x', level: 'region', token: [], clock: 42 };

type Sent = { url: string; method: string; headers: Headers; body: unknown };

/** A region that answers every request with `answer`, and what it was asked. */
function fakeRegion(answer: () => Response): { api: RegionApi; sent: Sent[]; clocks: number[] } {
  const sent: Sent[] = [];
  const clocks: number[] = [];
  const fetch = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const body = typeof init.body === 'string' ? (JSON.parse(init.body) as unknown) : undefined;
    sent.push({ url: String(input), method: init.method!, headers: new Headers(init.headers), body });
    return answer();
  };
  const told = (clock: number): void => void clocks.push(clock);
  return { api: new RegionApi({ url: 'http://region', token: TOKEN, fetch, told }), sent, clocks };
}

const json = (body: unknown, init: ResponseInit = {}): Response => Response.json(body, init);

let drawn = 0;
const make = new CommandMaker({
  workspace: 'acme',
  member: 'ada',
  clock: new ClientClock(() => 1_000),
  randomBytes: (count) => new Uint8Array(count).fill(drawn++),
});
const MESSAGE = base64url(new Uint8Array(16));

const failure = async (work: Promise<unknown>): Promise<CausewayError> =>
  work.then(
    () => expect.unreachable(),
    (error: unknown) => error as CausewayError,
  );

test('R4 a repeat of a command is the same request to the letter', async () => {
  const { api, sent } = fakeRegion(() => json(ACK));
  const command = make.edit('general', MESSAGE, 'better words');
  await api.execute(command);
  await api.execute(command);
  expect(sent[0]).toEqual(sent[1]);
  expect(sent[0]).toMatchObject({
    url: `http://region/v1/workspaces/acme/channels/general/messages/${MESSAGE}`,
    method: 'PATCH',
    body: { body: 'better words', v: command.v, nonce: command.nonce, id: commandId(command) },
  });
});

test('R4 the same words said twice are two commands', () => {
  const [first, second] = [make.post('general', 'yes'), make.post('general', 'yes')];
  expect(commandId(first)).not.toBe(commandId(second));
});

test.each([
  [make.post('general', 'hi'), 'POST', '/channels/general/messages'],
  [make.post('general', 'hi', { thread: MESSAGE }), 'POST', '/channels/general/messages'],
  [make.delete('general', MESSAGE), 'DELETE', `/channels/general/messages/${MESSAGE}`],
  [
    make.react('general', MESSAGE, '👍/?', true),
    'PUT',
    `/channels/general/messages/${MESSAGE}/reactions/%F0%9F%91%8D%2F%3F`,
  ],
  [
    make.react('general', MESSAGE, '+1', false),
    'DELETE',
    `/channels/general/messages/${MESSAGE}/reactions/%2B1`,
  ],
  [make.topic('general', 'plans'), 'PUT', '/channels/general/topic'],
  [make.read('general', [{ segment: 1, client: 2, clock: 3 }]), 'PUT', '/channels/general/read'],
  [make.canvas('Minutes'), 'POST', '/canvases'],
])('%o goes to its route', async (command, method, path) => {
  const { api, sent } = fakeRegion(() => json(ACK));
  await api.execute(command);
  expect(sent[0]).toMatchObject({ method, url: `http://region/v1/workspaces/acme${path}` });
});

test('the body of a post carries its thread, and nothing that is not in the command', async () => {
  const { api, sent } = fakeRegion(() => json(ACK));
  const command: CommandOf<'post'> = make.post('general', 'hi', { thread: MESSAGE });
  await api.execute(command);
  const { nonce } = command;
  expect(sent[0]?.body).toEqual({ body: 'hi', thread: MESSAGE, nonce, id: commandId(command) });
});

test('every answer tells the time of the server', async () => {
  const { api, clocks } = fakeRegion(() => json(ACK));
  await api.execute(make.post('general', 'hi'));
  expect(clocks).toEqual([42]);
});

test('a problem becomes its error, with what to do about it', async () => {
  const problem = { code: 'elsewhere', detail: 'kept in zone eu', regions: ['http://eu-west'] };
  const { api } = fakeRegion(() => json(problem, { status: 421, headers: { 'retry-after': '3' } }));
  const error = await failure(api.workspace('acme'));
  expect(error).toBeInstanceOf(CausewayError);
  expect(error).toMatchObject({
    code: 'elsewhere',
    message: 'kept in zone eu',
    regions: ['http://eu-west'],
    retryAfter: 3,
  });
});

test.each([
  ['a proxy that is unwell', () => json({}, { status: 502 }), 'not-ready'],
  ['a page instead of JSON', () => new Response('<html>'), 'not-ready'],
  ['a code of tomorrow', () => json({ code: 'new-code' }, { status: 400 }), 'invalid-request'],
])('%s is an error of the closed set', async (_, answer, code) => {
  const { api } = fakeRegion(answer);
  expect(await failure(api.workspace('acme'))).toMatchObject({ code });
});

test('no answer is retryable, and the token stands in no error', async () => {
  const { api } = fakeRegion(() => {
    throw new TypeError(`cannot fetch with ${TOKEN}`);
  });
  const errors = [
    await failure(api.workspace('acme')),
    await failure(api.execute(make.post('general', 'hi'))),
  ];
  expect(errors.map(({ code }) => code)).toEqual(['not-ready', 'not-committed']);
  expect(errors.map((error) => `${error.message} ${error.stack}`).join()).not.toContain(TOKEN);
});

test('the token goes into a header and not into the address', async () => {
  const { api, sent } = fakeRegion(() => json({ items: [] }));
  await api.messages('acme', 'general', { limit: 50, cursor: 'a~b' });
  expect(sent[0]?.url).toBe(
    'http://region/v1/workspaces/acme/channels/general/messages?limit=50&cursor=a%7Eb',
  );
  expect(sent[0]?.headers.get('authorization')).toBe(`Bearer ${TOKEN}`);
});

test('a page after a write carries the token of its acknowledgement', async () => {
  const { api, sent } = fakeRegion(() => json({ items: [] }));
  const after = [{ document: 'acme/segment/general/1', client: 1, clock: 2 }];
  await api.messages('acme', 'general', { limit: 10, after });
  expect(decodeToken(new URL(sent[0]!.url).searchParams.get('after')!)).toEqual(after);
});
