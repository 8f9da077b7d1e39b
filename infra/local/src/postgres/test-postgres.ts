import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { startPostgres, type RunningPostgres } from './start.ts';

export type TestPostgres = {
  /** The server as it runs now. */
  readonly server: RunningPostgres;
  readonly port: number;
  /** A new empty database; its url. */
  createDatabase(): Promise<string>;
  /** Starts it again on the same data and port, after server.kill() or server.stop(). */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
};

/** A Postgres of its own for one test file, on a free port, in a folder that stop() removes. */
export async function startTestPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-postgres-'));
  chmodSync(folder, 0o711);
  const port = await freePort();
  const start = (more: Readonly<Record<string, string>>): Promise<RunningPostgres> =>
    startPostgres({ dataDir: join(folder, 'data'), port, log: join(folder, 'log'), settings: more });
  let server = await start(settings);
  let databases = 0;
  return {
    get server() {
      return server;
    },
    port,
    createDatabase: async () => {
      const name = `test_${++databases}`;
      const sql = postgres(server.url, { max: 1, fetch_types: false });
      try {
        await sql.unsafe(`create database ${name}`);
      } finally {
        await sql.end({ timeout: 0 });
      }
      return Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
    },
    restart: async (more = settings) => {
      server = await start(more);
    },
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
      if (server.dataFolder !== join(folder, 'data'))
        rmSync(server.dataFolder, { recursive: true, force: true });
    },
  };
}

/** A port below the range that outgoing connections take theirs from. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
