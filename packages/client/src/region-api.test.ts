import {
  CausewayError,
  Command as Protocol,
  base64url,
  changeId,
  commandId,
  decodeToken,
  type Ack,
  type Command,
  type CommandOf,
  type Deed,
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

const IN = '/channels/general';
const ROUTES: [Command, string, string][] = [
  [make.post('general', 'hi'), 'POST', `${IN}/messages`],
  [make.post('general', 'hi', { thread: MESSAGE, also: true }), 'POST', `${IN}/messages`],
  [make.edit('general', MESSAGE, 'hello'), 'PATCH', `${IN}/messages/${MESSAGE}`],
  [make.delete('general', MESSAGE), 'DELETE', `${IN}/messages/${MESSAGE}`],
  [
    make.react('general', MESSAGE, '👍/?', true),
    'PUT',
    `${IN}/messages/${MESSAGE}/reactions/%F0%9F%91%8D%2F%3F`,
  ],
  [make.react('general', MESSAGE, '+1', false), 'DELETE', `${IN}/messages/${MESSAGE}/reactions/%2B1`],
  [make.pin('general', MESSAGE, true), 'PUT', `${IN}/messages/${MESSAGE}/pin`],
  [make.topic('general', 'plans'), 'PUT', `${IN}/topic`],
  [make.purpose('general', 'plans'), 'PUT', `${IN}/purpose`],
  [make.read('general', [{ segment: 1, client: 2, clock: 3 }]), 'PUT', `${IN}/read`],
  [make.unread('general', MESSAGE), 'PUT', `${IN}/unread`],
  [make.draft('general', MESSAGE, 'so far'), 'PUT', `${IN}/draft`],
  [make.switch('join', 'general', true), 'PUT', `${IN}/joined`],
  [make.switch('mute', 'general', false), 'DELETE', `${IN}/muted`],
  [make.switch('star', 'general', true), 'PUT', `${IN}/starred`],
  [make.follow('general', MESSAGE, false), 'DELETE', `${IN}/messages/${MESSAGE}/follow`],
  [make.availability('dnd', 5_000), 'PUT', '/availability'],
  [make.direct(['ben']), 'POST', '/direct'],
  [make.schedule(make.post('general', 'later'), 5_000), 'POST', '/scheduled'],
  [make.unschedule(MESSAGE), 'DELETE', `/scheduled/${MESSAGE}`],
  [make.canvas('Minutes'), 'POST', '/canvases'],
  [make.retitle('plan', 'Plan'), 'PUT', '/canvases/plan/title'],
  [make.share('plan', '*', 'view'), 'PUT', '/canvases/plan/rights/*'],
  [make.version('plan', 'Kept'), 'POST', '/canvases/plan/versions'],
  [make.restore('plan', MESSAGE), 'POST', `/canvases/plan/versions/${MESSAGE}/restore`],
];

test('every kind of command is among the routes', () => {
  const kinds = Protocol.anyOf.map((schema) => schema.properties.kind.const as string);
  expect([...new Set(ROUTES.map(([{ kind }]) => kind))].sort()).toEqual(kinds.sort());
});

test.each(ROUTES)('%o goes to its route', async (command, method, path) => {
  const { api, sent } = fakeRegion(() => json(ACK));
  await api.execute(command);
  expect(sent[0]).toMatchObject({ method, url: `http://region/v1/workspaces/acme${path}` });
});

const channel = 'general';
test.each<[Deed, string, string]>([
  [{ kind: 'create-channel', slug: 'plans', private: true, members: ['ben'] }, 'POST', '/channels'],
  [{ kind: 'rename-channel', channel, slug: 'plans' }, 'PATCH', IN],
  [{ kind: 'archive-channel', channel, on: true }, 'PUT', `${IN}/archived`],
  [{ kind: 'archive-channel', channel, on: false }, 'DELETE', `${IN}/archived`],
  [{ kind: 'invite', channel, members: ['ben'] }, 'PUT', `${IN}/members/ben`],
  [{ kind: 'leave', channel }, 'DELETE', `${IN}/members/ada`],
  [{ kind: 'remove', channel, member: 'ben' }, 'DELETE', `${IN}/members/ben`],
  [{ kind: 'remove-member', member: 'ben' }, 'DELETE', '/members/ben'],
  [{ kind: 'return-member', member: 'ben' }, 'PUT', '/members/ben'],
])('R4 %o goes to its route, under the id of the change', async (deed, method, path) => {
  const { api, sent } = fakeRegion(() => json({ id: 'x', version: 1 }));
  const command = make.change(deed);
  await api.change(command);
  expect(sent[0]).toMatchObject({
    method,
    url: `http://region/v1/workspaces/acme${path}`,
    body: { nonce: command.nonce, id: changeId(command) },
  });
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
