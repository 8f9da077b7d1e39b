import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { postgresUser } from './account.ts';
import { packageFolder, postgresBinaries } from './binaries.ts';
import { copyTree } from './copy-tree.ts';
import { postgresDataFolder } from './data-folder.ts';
import { startPostgres, type RunningPostgres } from './start.ts';
import { removeStrays } from './strays.ts';
import { freePort } from './test-postgres.ts';

let folder: string;
let log: string;
let dataDir: string;
const running: RunningPostgres[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-postgres-'));
  chmodSync(folder, 0o711);
  log = join(folder, 'log');
  dataDir = join(folder, 'data');
});
afterEach(async () => {
  for (const server of running.splice(0)) {
    await server.stop();
    rmSync(server.dataFolder, { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
});

async function start(
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningPostgres> {
  const server = await startPostgres({ dataDir, port, log, settings });
  running.push(server);
  return server;
}

async function ask(server: RunningPostgres, text: string): Promise<Record<string, unknown>> {
  const sql = postgres(server.url, { max: 1, fetch_types: false });
  try {
    const [row] = await sql.unsafe(text);
    return { ...row };
  } finally {
    await sql.end({ timeout: 0 });
  }
}

describe('the local Postgres', () => {
  it('R2 is as durable as Postgres comes, speaks UTF8 and compares by bytes', async () => {
    const server = await start(await freePort());
    const row = await ask(
      server,
      `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
         current_setting('full_page_writes') as pages, current_setting('server_encoding') as encoding,
         U&'\\+01F600' > U&'\\FF5E' as by_bytes`,
    );
    expect(row).toEqual({ fsync: 'on', commit: 'on', pages: 'on', encoding: 'UTF8', by_bytes: true });
  });

  it('wants its password', async () => {
    const server = await start(await freePort());
    const url = Object.assign(new URL(server.url), { password: 'guess' }).href;
    await expect(ask({ ...server, url }, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('R3 keeps its data over a stop, a kill and the lock file of a process that is another now', async () => {
    const port = await freePort();
    const first = await start(port);
    await ask(first, 'create table kept as select 1 as n');
    await first.stop();
    const second = await start(port);
    await second.kill();
    const lock = join(second.dataFolder, 'postmaster.pid');
    expect(existsSync(lock)).toBe(true);
    // What a reused process number looks like; Postgres alone would refuse to start.
    const stranger = spawn('sleep', ['600'], postgresUser() ?? {});
    try {
      writeFileSync(lock, readFileSync(lock, 'utf8').replace(/^\d+/, String(stranger.pid)));
      const third = await start(port);
      expect(await ask(third, 'select n from kept')).toEqual({ n: 1 });
    } finally {
      stranger.kill();
    }
  });

  it('takes the place of one that still runs on the data', async () => {
    const first = await start(await freePort());
    const second = await start(await freePort());
    expect(first.child.running).toBe(false);
    expect(await ask(second, 'select 1 as n')).toEqual({ n: 1 });
  });

  it('says why it does not start', async () => {
    const port = await freePort();
    const first = await start(port);
    const other = startPostgres({ dataDir: join(folder, 'other'), port, log: join(folder, 'other-log') });
    await expect(other).rejects.toThrow(/Address already in use/);
    expect(first.child.running).toBe(true);
    mkdirSync(join(folder, 'letters'));
    writeFileSync(join(folder, 'letters', 'dear-ada'), '');
    const foreign = startPostgres({ dataDir: join(folder, 'letters'), port, log });
    await expect(foreign).rejects.toThrow(/neither empty nor a Postgres data folder/);
  });

  it('ends when its launcher is killed', async () => {
    const script = join(folder, 'launch.ts');
    writeFileSync(
      script,
      `import { startPostgres } from ${JSON.stringify(new URL('./start.ts', import.meta.url).href)};
       const server = await startPostgres(${JSON.stringify({ dataDir, port: await freePort(), log })});
       console.log(JSON.stringify([server.child.pid, server.dataFolder]));
       setInterval(() => undefined, 1_000);`,
    );
    const launcher = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) => {
      launcher.stdout.once('data', (data: Buffer) => resolve(data.toString()));
    });
    const [pid, dataFolder] = JSON.parse(line) as [number, string];
    launcher.kill('SIGKILL');
    await vi.waitFor(() => expect(existsSync(join(dataFolder, 'postmaster.pid'))).toBe(false), 10_000);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 10_000);
    rmSync(dataFolder, { recursive: true, force: true });
  });
});

describe.runIf(process.getuid?.() === 0)('as root, under a folder that is closed to others', () => {
  beforeEach(() => chmodSync(folder, 0o700));

  it('keeps data where its account can reach it, always at the same place', async () => {
    const server = await start(await freePort());
    expect(server.dataFolder.startsWith(folder)).toBe(false);
    expect(postgresDataFolder(dataDir)).toBe(server.dataFolder);
    expect(await ask(server, 'select 1 as n')).toEqual({ n: 1 });
  });

  it('R10 removes data whose own place is gone', async () => {
    const server = await start(await freePort());
    await server.stop();
    removeStrays();
    expect(existsSync(server.dataFolder)).toBe(true);
    rmSync(folder, { recursive: true });
    removeStrays();
    expect(existsSync(server.dataFolder)).toBe(false);
  });

  it('copies its programs, with the links that npm did not make', async () => {
    const root = join(folder, 'package');
    copyTree(packageFolder(), root);
    rmSync(join(root, 'native', 'lib', 'libpq.so.5'), { force: true });
    writeFileSync(join(root, 'package.json'), JSON.stringify({ version: `test-${process.pid}` }));
    const binaries = postgresBinaries(postgresUser(), root);
    try {
      expect(binaries.folder.startsWith(folder)).toBe(false);
      expect(readlinkSync(join(binaries.folder, 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18');
      expect(postgresBinaries(postgresUser(), root)).toEqual(binaries);
    } finally {
      rmSync(dirname(binaries.folder), { recursive: true });
    }
  });
});
