import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { World } from '@causeway/local';
import { decodeToken } from '@causeway/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Speaker, eventually } from './speaker.ts';
import { testWorld } from './test-world.ts';

const REGIONS = ['us-east', 'eu-west'] as const;
const PAGE = new URL('../../docs/events.md', import.meta.url);
const PYTHON = ['/usr/bin/python3', 'python3'].find(
  (python) => spawnSync(python, ['-c', 'import websocket']).status === 0,
);

type Frame = {
  event?: string;
  id?: string;
  cursor?: string;
  message?: { body: string };
  why?: string;
  re?: number;
  mentions?: number;
};

let opened: Awaited<ReturnType<typeof testWorld>> | undefined;
let world: World;
let token: string;
const running: ChildProcess[] = [];
const sockets: WebSocket[] = [];

beforeAll(async () => {
  opened = await testWorld({ regions: REGIONS, servers: 2, delayMs: 20 });
  world = opened.world;
  token = await world.token('ada');
});
afterEach(() => {
  for (const client of running.splice(0)) client.kill('SIGKILL');
  for (const socket of sockets.splice(0)) socket.terminate();
});
afterAll(async () => {
  await opened?.[Symbol.asyncDispose]();
});

const urlsOf = (region: string): readonly string[] => world.regions[region]!.urls;
const wsOf = (url: string): string => url.replace('http', 'ws');
const say = async (url: string, body: string): Promise<void> => {
  const answer = await new Speaker(url, token).request('POST', '/messages', { body });
  expect(answer.status).toBe(201);
};

/** Hears the channel `general`, from a cursor on. */
function hear(url: string, cursor?: string, as = token): { frames: Frame[]; socket: WebSocket } {
  const query = new URLSearchParams({
    token: as,
    channels: 'general',
    ...(cursor === undefined ? {} : { cursor }),
  });
  const socket = new WebSocket(`${wsOf(url)}/v1/events?${query.toString()}`);
  const frames: Frame[] = [];
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  sockets.push(socket);
  return { frames, socket };
}
const bodiesOf = (frames: readonly Frame[]): string[] => [
  ...new Map(
    frames.flatMap(({ id, message }) => (message?.body === undefined ? [] : [[id, message.body]])),
  ).values(),
];
const said = (frames: readonly Frame[], event: string): Promise<boolean> =>
  eventually(event, async () => frames.some((frame) => frame.event === event), Boolean);

describe('/v1/events of two regions of two servers', () => {
  it('R3 R15 a cursor goes on at the other server of its region, and in the other region, and nothing is skipped in silence (PAINS 18)', async () => {
    const [first, second] = urlsOf('us-east') as [string, string];
    const before = hear(first);
    await said(before.frames, 'hello');
    await say(first, 'one');
    await eventually(
      'one',
      async () => bodiesOf(before.frames),
      (bodies) => bodies.includes('one'),
    );
    before.socket.close();
    const cursor = before.frames.findLast((frame) => frame.cursor !== undefined)!.cursor!;
    for (const [at, url] of [...urlsOf('us-east'), ...urlsOf('eu-west')].entries())
      await say(url, `away ${at}`);
    const away = ['away 0', 'away 1', 'away 2', 'away 3'];

    const beside = hear(second, cursor);
    await eventually(
      'all at the other server',
      async () => bodiesOf(beside.frames).toSorted(),
      (bodies) => away.every((body) => bodies.includes(body)),
    );
    await said(beside.frames, 'caught-up');
    expect(beside.frames.some(({ event }) => event === 'expired')).toBe(false);

    // What a region can say of a time before it was there itself is that it cannot.
    const elsewhere = hear(urlsOf('eu-west')[0]!, cursor);
    const sign = await eventually(
      'a sign in the other region',
      async () => elsewhere.frames.find(({ event }) => event === 'caught-up' || event === 'expired')?.event,
      (event) => event !== undefined,
    );
    const shown = async (): Promise<string[]> =>
      sign === 'caught-up'
        ? bodiesOf(elsewhere.frames)
        : (await new Speaker(urlsOf('eu-west')[0]!, token).everything()).map(({ body }) => body);
    await eventually('all in the other region', shown, (bodies) =>
      away.every((body) => bodies.includes(body)),
    );
    await say(first, 'afterwards');
    for (const { frames } of [beside, elsewhere])
      await eventually(
        'afterwards',
        async () => bodiesOf(frames),
        (bodies) => bodies.includes('afterwards'),
      );
  });

  it('R9 a badge is the same on devices in both regions, and reading on one of them clears it on the other', async () => {
    const ben = await world.token('ben');
    await new Speaker(urlsOf('us-east')[0]!, ben).request('PUT', '/joined', {});
    const devices = REGIONS.map((region) => hear(urlsOf(region)[0]!, undefined, ben));
    for (const { socket, frames } of devices) {
      await said(frames, 'hello');
      socket.send(JSON.stringify({ do: 'badges', ref: 1 }));
      await eventually('an answer', async () => frames.some(({ re }) => re === 1), Boolean);
    }
    const mentions = async (): Promise<unknown[]> =>
      devices.map(({ frames }) => frames.findLast(({ event }) => event === 'badge')?.mentions);
    const bob = new Speaker(urlsOf('us-east')[1]!, token);
    const answer = await bob.request('POST', '/messages', { body: '@ben look' });
    const { readToken } = (await answer.json()) as { readToken: string };
    await eventually('one mention on both', mentions, (all) => all.every((count) => count === 1));
    const { client, clock, document } = decodeToken(readToken).find((entry) => 'document' in entry)!;
    const segment = Number(document.split('/').at(-1));
    const read = await new Speaker(urlsOf('eu-west')[1]!, ben).request('PUT', '/read', {
      markers: [{ segment, client, clock }],
    });
    expect(read.status).toBe(200);
    await eventually('none on both', mentions, (all) => all.every((count) => count === 0));
  });

  it.skipIf(PYTHON === undefined)(
    "R4 the docs' Python client posts once though its region dies, and hears the other one (skipped without Python's websocket library)",
    async () => {
      const [, source] = /```python\n(.*?)```/s.exec(readFileSync(PAGE, 'utf8'))!;
      const folder = await mkdtemp(join(tmpdir(), 'causeway-python-'));
      try {
        const file = join(folder, 'client.py');
        await writeFile(file, source!);
        const regions = REGIONS.map((region) => wsOf(urlsOf(region)[0]!)).join(',');
        const client = spawn(PYTHON!, [file, regions, token, 'from Python'], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        running.push(client);
        let lines = '';
        for (const stream of [client.stdout, client.stderr])
          stream.on('data', (data: Buffer) => (lines += data.toString()));
        const prints = (text: string): Promise<string> =>
          eventually(
            text,
            async () => lines,
            (all) => all.includes(text),
          );
        await prints('ada: from Python');
        await world.kill('us-east', 'server');
        await prints('-- hello eu-west');
        await say(urlsOf('eu-west')[0]!, 'after the kill');
        await prints('ada: after the kill');
        await world.restart('us-east', 'server');
        const all = await new Speaker(urlsOf('eu-west')[0]!, token).everything();
        expect(all.filter(({ body }) => body === 'from Python')).toHaveLength(1);
        expect(lines.match(/ada: from Python/g)).toHaveLength(1);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});
