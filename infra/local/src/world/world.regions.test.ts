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
import type { PartName, PartStatus, WorldStatus } from './status.ts';
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
const server = createServer((_, answer) => answer.end(typeof words === 'function' ? words() : '{}')).listen(listen.port, listen.host);
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
  const options = { home, basePort: await findBasePort(), servers: 1, serverEntry: standIn(home) };
  const world = await start(options);
  const status = await world.status();
  expect(status.regions.map(({ region, ready }) => [region, ready])).toEqual([
    ['us-east', true],
    ['eu-west', true],
    ['eu-central', true],
    ['ap-south', true],
  ]);
  expect(pidsOf(status)).toHaveLength(15);
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

const partOf = async (world: World, region: string, part: PartName): Promise<PartStatus | undefined> =>
  (await world.status()).regions.find((each) => each.region === region)!.parts[part];

/** Answers when asked for the time, its place and how it was called. */
const TELLS = `const { url } = JSON.parse(readFileSync(process.env.CAUSEWAY_CONFIG, 'utf8'));
if (process.argv[2] === 'rebuild') {
  console.log('half of it');
  console.log('all of it');
  process.exit(url.endsWith('2') ? 1 : 0);
}
const words = () => JSON.stringify({ url, now: Date.now() });`;

const tells = async (url: string): Promise<{ url: string; now: number }> =>
  (await (await fetch(url, { signal: AbortSignal.timeout(1_000) })).json()) as { url: string; now: number };

test('a region has several servers, each its own part; one that is lost or paused does not take it away', async () => {
  const home = newHome();
  const options = { home, regions: ['us-east', 'eu-west'], servers: 2, serverEntry: standIn(home, TELLS) };
  const world = await start(options);
  const east = world.regions['us-east']!;
  const status = await world.status();
  expect(pidsOf(status)).toHaveLength(9);
  expect(status.regions[0]).toMatchObject({
    url: east.url,
    urls: east.urls,
    parts: { 'server': { ready: true }, 'server-2': { ready: true } },
  });
  expect(east.urls).toHaveLength(2);
  for (const url of east.urls) expect((await tells(url)).url).toBe(url);

  await world.kill('us-east', 'server');
  await expect(tells(east.urls[0]!)).rejects.toThrow('fetch failed');
  expect((await world.status()).regions[0]).toMatchObject({
    ready: true,
    parts: { 'server': { state: 'dead' }, 'server-2': { state: 'ready', ready: true } },
  });
  await world.pause('us-east', 'server-2');
  await expect(tells(east.urls[1]!)).rejects.toThrow('timeout');
  expect((await world.status()).regions[0]).toMatchObject({
    ready: false,
    parts: { 'server-2': { state: 'paused' } },
  });
  await world.resume('us-east', 'server-2');
  expect((await tells(east.urls[1]!)).url).toBe(east.urls[1]);

  const skewMs = -3_600_000;
  await world.restart('us-east', 'server', { skewMs });
  expect(Math.abs((await tells(east.urls[0]!)).now - Date.now() - skewMs)).toBeLessThan(60_000);
  await world.restart('us-east', 'server');
  expect(Math.abs((await tells(east.urls[0]!)).now - Date.now())).toBeLessThan(60_000);

  await world.pause('us-east', 'server-2');
  await world.stopPart('us-east', 'server-2');
  expect(await partOf(world, 'us-east', 'server-2')).toMatchObject({ state: 'stopped' });
  await expect(world.pause('us-east', 'server-2')).rejects.toThrow('server-2 of us-east is stopped');
  await expect(world.kill('us-east', 'server-3')).rejects.toThrow(
    'Parts: server, server-2, nats, postgres, directory',
  );
  await expect(world.restart('us-east', 'nats', { skewMs })).rejects.toThrow('Only a server');
});

test('a paused Postgres answers nobody, and loses nothing; paused parts end with the world', async () => {
  const world = await start({ regions: ['us-east'] });
  const sql = postgres(world.regions['us-east']!.postgresUrl, { max: 1 });
  cleanups.push(() => sql.end({ timeout: 0 }));
  await sql`create table kept (n int)`;
  await world.pause('us-east', 'postgres');
  let answered = false;
  const insert = sql`insert into kept values (1)`.then(() => (answered = true));
  const other = postgres(world.regions['us-east']!.postgresUrl, { max: 1, connect_timeout: 1 });
  // A second session is not let in, and by then the open one would have been answered.
  await expect(other`select 1`).rejects.toThrow('CONNECT_TIMEOUT');
  expect(answered).toBe(false);
  await world.resume('us-east', 'postgres');
  await insert;
  expect(await sql`select n from kept`).toEqual([{ n: 1 }]);

  const status = await world.status();
  await world.pause('us-east');
  expect(await statesOf(world, 'us-east')).toEqual(['off', 'paused', 'paused']);
  await world.kill('us-east', 'nats');
  await world.stop();
  await until(() => expect(pidsOf(status).filter((pid) => !isGone(pid))).toEqual([]));
});

test('a region that is wiped comes back empty, and the others keep what they have', async () => {
  const home = newHome();
  const regions = ['us-east', 'eu-west'];
  const world = await start({ home, regions, servers: 2, serverEntry: standIn(home) });
  const tables = async (region: string): Promise<number> => {
    const sql = postgres(world.regions[region]!.postgresUrl, { max: 1 });
    const rows = await sql`select 1 from pg_tables where tablename = 'kept'`;
    await sql.end();
    return rows.length;
  };
  const stored = join(home, 'regions/us-east/nats/stored');
  for (const region of regions) {
    const sql = postgres(world.regions[region]!.postgresUrl, { max: 1 });
    await sql`create table kept (n int)`;
    await sql.end();
  }
  writeFileSync(stored, '');
  await world.pause('us-east', 'postgres');
  await world.kill('us-east', 'server-2');
  const before = pidsOf(await world.status());
  await Promise.all([world.wipe('us-east'), world.wipe('us-east')]);
  expect([await tables('us-east'), await tables('eu-west')]).toEqual([0, 1]);
  expect(existsSync(stored)).toBe(false);
  const [east] = (await world.status()).regions;
  expect(new Set(Object.values(east!.parts).map(({ state }) => state))).toEqual(new Set(['ready']));
  expect(Object.values(east!.parts).filter(({ pid }) => before.includes(pid!))).toEqual([]);
  await world.links.assertHealed('us-east', 'eu-west');
});

test('the control API kills, pauses, wipes and rebuilds', async () => {
  const home = newHome();
  const world = await start({
    home,
    regions: ['us-east', 'eu-west'],
    servers: 1,
    serverEntry: standIn(home, TELLS),
  });
  const parts = (action: string, part?: string): ReturnType<typeof ask> =>
    ask(world, '/world/parts', { action, region: 'us-east', ...(part === undefined ? {} : { part }) });
  await parts('pause', 'server');
  expect(await statesOf(world, 'us-east')).toEqual(['paused', 'ready', 'ready']);
  await parts('resume');
  expect(await statesOf(world, 'us-east')).toEqual(['ready', 'ready', 'ready']);
  await parts('kill');
  expect(await statesOf(world, 'us-east')).toEqual(['dead', 'dead', 'dead']);
  expect(await parts('pause')).toMatchObject({ status: 400, json: { error: 'Nothing of us-east runs.' } });
  expect((await parts('restart')).status).toBe(200);
  expect(await statesOf(world, 'us-east')).toEqual(['ready', 'ready', 'ready']);
  expect(await parts('resume')).toMatchObject({
    status: 400,
    json: { error: 'Nothing of us-east is paused.' },
  });
  expect((await parts('burn', 'server')).status).toBe(400);
  expect((await parts('kill', 'moon')).json['error']).toContain('Parts: server, nats, postgres, directory');

  expect(await ask(world, '/world/wipe', { region: 'us-east' })).toMatchObject({ json: { done: true } });
  expect((await ask(world, '/world/wipe', { region: 'mars' })).status).toBe(400);
  const rebuild = async (region: string): Promise<unknown[]> => {
    const answer = await fetch(`${world.url}/world/rebuild`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ region }),
    });
    return (await answer.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  };
  const said = [{ line: 'half of it' }, { line: 'all of it' }];
  expect(await rebuild('us-east')).toEqual([...said, { done: true }]);
  expect(await rebuild('eu-west')).toEqual([
    ...said,
    { error: expect.stringContaining('eu-west were not rebuilt') },
  ]);
  expect(await rebuild('mars')).toEqual([{ error: expect.stringContaining('Regions: us-east, eu-west') }]);
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
    await expect(start({ home, regions, servers: 1, serverEntry })).rejects.toThrow('no good');
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
        servers: 1,
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
  expect(pids).toHaveLength(7);
  expect(pids.filter(isGone)).toEqual([]);
  // What the kernel tells a paused process it hears only when it goes on.
  await fetch(`http://127.0.0.1:${basePort}/world/parts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'pause', region: 'us-east' }),
  });
  launcher.kill('SIGKILL');
  await until(() => expect(pids.filter((pid) => !isGone(pid))).toEqual([]));
  expect(existsSync(join(home, 'world.json'))).toBe(true);
  expect(runningWorld(home)).toBeUndefined();

  const again = await start({ home, basePort, regions: ['us-east', 'eu-west'] });
  await again.links.assertHealed('us-east', 'eu-west');
});
