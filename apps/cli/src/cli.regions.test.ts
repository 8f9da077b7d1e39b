import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBasePort, runningWorld, type WorldStatus } from '@causeway/local';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const BIN = fileURLToPath(new URL('../bin/causeway.mjs', import.meta.url));
const PATIENCE_MS = 60_000;
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const until = (holds: () => void | Promise<void>): Promise<unknown> =>
  vi.waitFor(holds, { timeout: PATIENCE_MS, interval: 50 });

type Running = { child: ChildProcess; text(): string; ended: Promise<number | null> };

let home: string;
let basePort: number;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'causeway-cli-'));
  // Postgres runs under another account when we are root.
  chmodSync(home, 0o755);
  basePort = await findBasePort();
});
afterEach(async () => {
  await causeway('down').ended;
  rmSync(home, { recursive: true, force: true });
});

/** Runs the command line as a person does, with its output in a pipe. */
const causeway = (...args: string[]): Running => causewayIn({}, ...args);

function causewayIn(more: Record<string, string>, ...args: string[]): Running {
  const { DATABASE_URL: _, NATS_URL: __, ...env } = process.env;
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...env, CAUSEWAY_HOME: home, CAUSEWAY_BASE_PORT: String(basePort), ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
  });
  return { child, text: () => text, ended };
}

async function done(...args: string[]): Promise<{ code: number | null; text: string }> {
  const running = causeway(...args);
  return { code: await running.ended, text: running.text() };
}

async function isUp(running: Running): Promise<WorldStatus> {
  await until(() => expect(running.text()).toContain('Ctrl-C stops everything'));
  return (await (await fetch(`http://127.0.0.1:${basePort}/world/status`)).json()) as WorldStatus;
}

const pidsOf = ({ pid, regions }: WorldStatus): number[] => [
  pid,
  ...regions.flatMap(({ parts }) => Object.values(parts).flatMap(({ pid }) => pid ?? [])),
];

/** Gone, or a zombie that only waits to be counted by its parent. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform === 'linux' && / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

test('a world is brought up, steered and taken down from the command line', async () => {
  expect(await done('status')).toEqual({ code: 1, text: `No world runs on ${home}. Start one: npm start\n` });
  const up = causeway('up', '--regions', 'us-east,eu-west', '--delay', '5ms');
  const pids = pidsOf(await isUp(up));
  expect(pids).toHaveLength(8);
  expect(up.text()).toMatch(/us-east {2}http:\/\/127\.0\.0\.1:\d+ {2}global {6}ready/);

  expect((await done('partition', 'us-east', 'eu-west')).code).toBe(0);
  expect((await done('status')).text).toMatch(
    /us-east - eu-west {2}cut \(black hole\) {2}cut \(black hole\)/,
  );
  expect((await done('heal')).code).toBe(0);
  expect((await done('slow', 'us-east', 'eu-west', '120ms')).code).toBe(0);
  expect((await done('status')).text).toMatch(/us-east - eu-west {2}120 ms {2}120 ms/);
  expect(await done('partition', 'us-east', 'mars')).toMatchObject({
    code: 2,
    text: expect.stringContaining('Regions: us-east, eu-west'),
  });
  expect((await done('token', 'ada')).text).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);

  expect((await done('down')).code).toBe(0);
  expect(await up.ended).toBe(0);
  await until(() => expect(pids.filter((pid) => !isGone(pid))).toEqual([]));
});

test('a region of two servers loses one, then its disk, and comes back with everything', async () => {
  const up = causeway('up', '--regions', 'us-east,eu-west', '--servers', '2', '--delay', '5ms');
  const { regions } = await isUp(up);
  const { urls } = regions[0]!;
  const inEast = ['--region', 'us-east'];
  const said = async (url: string): Promise<string[]> => {
    const headers = { authorization: `Bearer ${(await done('token', 'ada')).text.trim()}` };
    const answer = await fetch(`${url}/v1/workspaces/demo/channels/general/messages`, { headers });
    return ((await answer.json()) as { items: { body: string }[] }).items.map(({ body }) => body);
  };
  expect((await done('post', 'by both', ...inEast)).code).toBe(0);
  expect((await done('kill', 'us-east', 'server')).code).toBe(0);
  expect((await done('post', 'by the second', ...inEast)).code).toBe(0);
  expect((await done('pause', 'us-east', 'server-2')).text).toContain(
    'Undo: causeway resume us-east server-2',
  );
  expect((await done('status')).text).toMatch(
    /us-east +not ready +ready 0\/2 \(server dead, server-2 paused\)/,
  );
  expect((await done('resume', 'us-east', 'server-2')).code).toBe(0);

  const everything = ['by the second', 'by both'];
  await until(async () => expect(await said(regions[1]!.url)).toEqual(everything));
  expect((await done('wipe', 'us-east')).code).toBe(2);
  expect(await done('wipe', 'us-east', '--yes')).toMatchObject({ code: 0 });
  expect((await done('status')).text).toMatch(/us-east +ready +ready 2\/2/);
  for (const url of urls) await until(async () => expect(await said(url)).toEqual(everything));
  const rebuilt = await done('rebuild', 'us-east');
  expect(rebuilt.text).toMatch(/global: .* commits\n[^]*The views of us-east are rebuilt/);
  expect(await said(urls[1]!)).toEqual(everything);
}, 240_000);

test('an old nats-server is refused in a line, not with a stack trace', async () => {
  const old = join(home, 'old-nats-server');
  writeFileSync(old, '#!/bin/sh\necho nats-server: v2.9.10\n', { mode: 0o755 });
  const up = causewayIn({ NATS_SERVER: old }, 'up', '--regions', 'ap-south');
  expect(await up.ended).toBe(1);
  expect(up.text()).toContain(`NATS_SERVER is ${old}, which is nats-server 2.9.10, older than`);
  expect(up.text()).not.toContain('\n    at ');
});

test('a broker elsewhere that does not answer is told of, and a region goes on', async () => {
  const nobody = `nats://somebody:secret@127.0.0.1:${basePort + 1_000}`;
  const up = causewayIn({ NATS_URL: nobody }, 'up', '--regions', 'ap-south');
  const { regions } = await isUp(up);
  expect(regions[0]).toMatchObject({ ready: true, broker: 'down' });
  await until(() =>
    expect(up.text()).toContain(`NATS at nats://127.0.0.1:${basePort + 1_000} does not answer yet`),
  );
  expect((await done('status')).text).toMatch(/ap-south +ready +ready +no answer +ready/);
  expect(await done('tail', '--channel', 'nope')).toEqual({
    code: 1,
    text: 'there is no channel "nope" here\n',
  });
  expect((await done('down')).code).toBe(0);
  expect(await up.ended).toBe(0);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s stops everything', async (signal) => {
  const up = causeway('up', '--regions', 'ap-south');
  const pids = pidsOf(await isUp(up));
  up.child.kill(signal);
  expect(await up.ended).toBe(0);
  expect(up.text()).toContain('Everything is stopped.');
  await until(() => expect(pids.filter((pid) => !isGone(pid))).toEqual([]));
  expect(runningWorld(home)).toBeUndefined();
});

test('a start can be called off', async () => {
  const up = causeway('up', '--regions', 'ap-south');
  await until(() => expect(runningWorld(home)).toBeDefined());
  up.child.kill('SIGINT');
  expect(await up.ended).toBe(1);
  expect(up.text()).toContain('Stopped before the world was up.');
  expect(runningWorld(home)).toBeUndefined();
});

test.runIf(process.platform === 'linux')(
  'nothing stays when the program that started it is killed',
  async () => {
    const up = causeway('up', '--regions', 'ap-south');
    const pids = pidsOf(await isUp(up));
    up.child.kill('SIGKILL');
    await until(() => expect(pids.filter((pid) => !isGone(pid))).toEqual([]));
  },
);
