import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import postgres from 'postgres';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runningWorld } from './claim.ts';
import { findBasePort } from './free-ports.ts';
import type { WorldOptions } from './options.ts';
import { startWorld } from './start.ts';
import type { WorldStatus } from './status.ts';
import type { World } from './world.ts';

const PATIENCE_MS = 30_000;
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const until = (holds: () => void | Promise<void>): Promise<unknown> =>
  vi.waitFor(holds, { timeout: PATIENCE_MS, interval: 50 });

/** What a test started; all of it is gone after the test, however that ends. */
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'causeway-world-'));
  // Postgres runs under another account when we are root.
  chmodSync(home, 0o755);
  cleanups.push(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

async function start(options: Partial<WorldOptions> = {}): Promise<World> {
  const world = await startWorld({
    home: options.home ?? newHome(),
    basePort: options.basePort ?? (await findBasePort()),
    env: { NATS_SERVER: process.env['NATS_SERVER'] },
    delays: () => 2,
    servers: false,
    supervise: false,
    ...options,
  });
  cleanups.push(() => world.stop());
  return world;
}

/** A region server for tests that are not about region servers. */
function standIn(home: string, code = ''): string {
  const file = join(home, 'stand-in.mjs');
  writeFileSync(
    file,
    `import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
const { listen } = JSON.parse(readFileSync(process.env.CAUSEWAY_CONFIG, 'utf8'));
${code}
const server = createServer((_, answer) => answer.end('{}')).listen(listen.port, listen.host);
process.on('SIGTERM', () => { server.close(); server.closeAllConnections(); });`,
  );
  return file;
}

const pidsOf = ({ regions }: WorldStatus): number[] =>
  regions.flatMap(({ parts }) => Object.values(parts).flatMap(({ pid }) => pid ?? []));

/** Gone, or a zombie that only waits to be counted by its parent. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform === 'linux' && / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

const statesOf = async (world: World, region: string): Promise<string[]> => {
  const { parts } = (await world.status()).regions.find((each) => each.region === region)!;
  return [parts.server.state, parts.nats.state, parts.postgres.state];
};

test('four regions start, can be cut, and leave no process; a second start has the same state', async () => {
  const home = newHome();
  const options = { home, basePort: await findBasePort(), servers: true, serverEntry: standIn(home) };
  const world = await start(options);
  const status = await world.status();
  expect(status.regions.map(({ region, ready }) => [region, ready])).toEqual([
    ['us-east', true],
    ['eu-west', true],
    ['eu-central', true],
    ['ap-south', true],
  ]);
  expect(pidsOf(status)).toHaveLength(12);
  expect(runningWorld(home)).toMatchObject({ pid: process.pid, url: world.url });

  await world.links.assertHealed('us-east', 'eu-west');
  world.links.cut('us-east', 'eu-west');
  await world.links.assertCut('us-east', 'eu-west');
  await world.links.assertHealed('us-east', 'ap-south');
  await expect(startWorld(options)).rejects.toThrow(`runs already on ${home}: ${world.url}`);

  const east = world.regions['us-east']!;
  const sql = postgres(east.postgresUrl, { max: 1 });
  await sql`create table kept (n int)`;
  await sql.end();
  await world.stop();
  await until(() => expect(pidsOf(status).filter((pid) => !isGone(pid))).toEqual([]));
  expect(runningWorld(home)).toBeUndefined();

  const again = await start({ ...options, regions: ['us-east'] });
  expect(again.regions['us-east']).toEqual(east);
  const same = postgres(again.regions['us-east']!.postgresUrl, { max: 1 });
  expect(await same`select * from kept`).toEqual([]);
  await same.end();
  expect(statSync(join(home, 'secrets.json')).mode & 0o077).toBe(0);
});

test('parts are killed and stay dead until they are restarted', async () => {
  const world = await start({ regions: ['us-east', 'eu-west'], supervise: true });
  const before = pidsOf(await world.status());
  await Promise.all([world.kill('us-east', 'nats'), world.kill('us-east', 'postgres')]);
  expect(await statesOf(world, 'us-east')).toEqual(['off', 'dead', 'dead']);
  expect(await statesOf(world, 'eu-west')).toEqual(['off', 'ready', 'ready']);
  await Promise.all([world.restart('us-east', 'nats'), world.restart('us-east', 'postgres')]);
  expect(await statesOf(world, 'us-east')).toEqual(['off', 'ready', 'ready']);
  const sql = postgres(world.regions['us-east']!.postgresUrl, { max: 1 });
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  await sql.end();
  await world.links.assertHealed('us-east', 'eu-west');
  expect(pidsOf(await world.status())).not.toEqual(before);

  await expect(world.kill('us-east', 'server')).rejects.toThrow('does not run the server of us-east');
  await expect(world.kill('mars', 'nats')).rejects.toThrow('Regions: us-east, eu-west');
});

test('a part that dies by itself is started again, and that is said', async () => {
  const events: string[] = [];
  const world = await start({
    regions: ['ap-south'],
    supervise: true,
    onEvent: (line) => events.push(line),
  });
  const { pid } = (await world.status()).regions[0]!.parts.nats;
  process.kill(pid!, 'SIGKILL');
  await until(() => expect(events).toContain('NATS of ap-south runs again'));
  expect(events[0]).toBe(`NATS of ap-south (pid ${pid}) ended by itself`);
  expect(await statesOf(world, 'ap-south')).toEqual(['off', 'ready', 'ready']);
});

const ask = async (
  world: World,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; json: Record<string, unknown> }> => {
  const answer = await fetch(`${world.url}${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
};

test('the control API steers links, hands out tokens, and is for this machine alone', async () => {
  const world = await start({ regions: ['us-east', 'eu-west'] });
  const cut = await ask(world, '/world/links', {
    action: 'cut',
    a: 'us-east',
    b: 'eu-west',
    mode: 'reset',
  });
  expect(cut.json['links']).toEqual(world.links.state());
  expect(world.links.state().map(({ cut }) => cut)).toEqual(['reset', 'reset']);
  await ask(world, '/world/links', { action: 'slow', a: 'us-east', b: 'eu-west', delayMs: 120 });
  expect(world.links.state()[0]!.delayMs).toBe(120);
  await ask(world, '/world/links', { action: 'heal' });
  expect(world.links.state()[0]).toMatchObject({ delayMs: 2 });
  const wrong = await ask(world, '/world/links', { action: 'cut', a: 'us-east', b: 'mars' });
  expect(wrong).toMatchObject({
    status: 400,
    json: { error: expect.stringContaining('us-east, eu-west') },
  });
  const nameless = await ask(world, '/world/links', { action: 'cut', a: '', b: 'us-east' });
  expect(nameless).toMatchObject({
    status: 400,
    json: { error: expect.stringContaining('There is no region ""') },
  });
  expect((await ask(world, '/world/links', { action: 'burn' })).status).toBe(400);
  expect((await ask(world, '/world/status', undefined, { origin: 'http://evil.example' })).status).toBe(403);

  const { json } = await ask(world, '/world/token?member=ada&workspace=demo-eu&ttl=60');
  const token = json['token'] as string;
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', kid: 'eu-west' });
  const claims = decodeJwt(token);
  expect(claims).toMatchObject({ iss: 'eu-west', sub: 'ada', ws: 'demo-eu', aud: 'causeway' });
  expect(claims.exp! - claims.iat!).toBe(60);
  for (const query of [
    'member=a%20b',
    'member=ada&workspace=x',
    'member=ada&workspace=demo-eu&region=us-east',
  ])
    expect((await ask(world, `/world/token?${query}`)).status).toBe(400);

  const page = await fetch(world.url);
  expect(await page.text()).toContain('Causeway');
  await ask(world, '/world/down', {});
  await until(() => expect(runningWorld(world.home)).toBeUndefined());
});

describe('a start that comes to nothing leaves nothing', () => {
  test('when a port is taken', async () => {
    const [home, basePort] = [newHome(), await findBasePort()];
    const blocker: Server = createServer();
    await new Promise<void>((resolve) => blocker.listen(basePort + 12, '127.0.0.1', resolve));
    cleanups.push(() => blocker.close());
    await expect(start({ home, basePort, regions: ['eu-west'] })).rejects.toThrow(
      `Port ${basePort + 12} (Postgres of eu-west) is taken by another process`,
    );
    expect(runningWorld(home)).toBeUndefined();
  });

  test('when a server ends at once: its last words are shown', async () => {
    const home = newHome();
    const serverEntry = standIn(home, `console.error('no good'); process.exit(1);`);
    const regions = ['us-east', 'ap-south'];
    await expect(start({ home, regions, servers: true, serverEntry })).rejects.toThrow('no good');
    expect(runningWorld(home)).toBeUndefined();
    await start({ home, regions });
  });

  test.each(['starting Postgres and NATS', 'starting the server'])(
    'when it is called off at "%s"',
    async (at) => {
      const home = newHome();
      const entry = standIn(home, `await new Promise((resolve) => setTimeout(resolve, 60_000));`);
      const off = new AbortController();
      const seen: string[] = [];
      const starting = start({
        home,
        regions: ['us-east'],
        servers: true,
        serverEntry: entry,
        signal: off.signal,
        onProgress: ({ step, text }) => {
          if (step === 'us-east') seen.push(text);
          if (text === at) off.abort(new Error('never mind'));
        },
      });
      await expect(starting).rejects.toThrow('never mind');
      expect(seen.at(-1)).toBe(at);
      expect(runningWorld(home)).toBeUndefined();
    },
  );
});

test('servers that run already are used: DATABASE_URL and NATS_URL', async () => {
  const host = await start({ regions: ['us-east'] });
  const { postgresUrl, natsUrl } = host.regions['us-east']!;
  const env = { DATABASE_URL: postgresUrl, NATS_URL: natsUrl };
  const guest = await start({ regions: ['us-east'], env });
  expect(await statesOf(guest, 'us-east')).toEqual(['off', 'external', 'external']);
  const region = guest.regions['us-east']!;
  expect(region.natsUrl).toBe(natsUrl);
  const sql = postgres(region.postgresUrl, { max: 1 });
  expect(await sql`select current_database() as name`).toEqual([{ name: 'causeway_us_east' }]);
  await sql.end();
  await expect(guest.kill('us-east', 'postgres')).rejects.toThrow('does not run Postgres of us-east itself');
  await guest.stop();
  await expect(start({ regions: ['us-east', 'ap-south'], env })).rejects.toThrow('one region');
  await start({ regions: ['us-east'], env, home: guest.home });
});

test('nothing outlives a launcher that is killed, and its home can be used again', async () => {
  const home = newHome();
  const basePort = await findBasePort();
  const options = { home, basePort, regions: ['us-east', 'eu-west'], serverEntry: standIn(home) };
  const code = `const { startWorld } = await import(${JSON.stringify(new URL('start.ts', import.meta.url).href)});
await startWorld(${JSON.stringify(options)});`;
  const launcher = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: 'ignore' });
  cleanups.push(() => launcher.kill('SIGKILL'));
  let status: WorldStatus | undefined;
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${basePort}/world/status`);
    status = (await answer.json()) as WorldStatus;
  });
  const pids = pidsOf(status!);
  expect(pids).toHaveLength(6);
  expect(pids.filter(isGone)).toEqual([]);
  launcher.kill('SIGKILL');
  await until(() => expect(pids.filter((pid) => !isGone(pid))).toEqual([]));
  expect(existsSync(join(home, 'world.json'))).toBe(true);
  expect(runningWorld(home)).toBeUndefined();

  const again = await start({ home, basePort, regions: ['us-east', 'eu-west'] });
  await again.links.assertHealed('us-east', 'eu-west');
});
