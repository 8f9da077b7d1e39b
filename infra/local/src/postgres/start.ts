import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { startChild, type Child } from '../child.ts';
import { WorldError } from '../error.ts';
import { postgresUser } from './account.ts';
import { postgresBinaries } from './binaries.ts';
import { SUPERUSER, postgresDataFolder, prepareDataFolder } from './data-folder.ts';
import { endPredecessor } from './predecessor.ts';
import { noteOrigin, removeStrays } from './strays.ts';

export type PostgresOptions = {
  /** Made when missing, kept otherwise. See postgresDataFolder for where it really is. */
  dataDir: string;
  /** On 127.0.0.1. */
  port: number;
  /** File that the server's messages are appended to. */
  log: string;
  /** More settings, e.g. `{ fsync: 'off' }`. */
  settings?: Readonly<Record<string, string>>;
};

export type RunningPostgres = {
  /** With the password; database `postgres`, a superuser. */
  readonly url: string;
  readonly dataFolder: string;
  readonly child: Child;
  /** Rolls back what is open, writes a checkpoint, ends. */
  stop(): Promise<void>;
  /** SIGKILL to the server and all its backends: what a power cut looks like. */
  kill(): Promise<void>;
};

/** Modest, for four servers on one laptop; durability is left as strict as it comes. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Up to four servers in two zones each.
  max_connections: '160',
  shared_buffers: '32MB',
  max_wal_size: '512MB',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  idle_in_transaction_session_timeout: '30s',
  tcp_keepalives_idle: '10',
  // Details of an error quote the row: message texts do not belong into logs.
  log_error_verbosity: 'terse',
  log_min_messages: 'warning',
};

const READY_MS = 20_000;

/** Starts the bundled Postgres and resolves once it answers; rejects with the end of its log when it does not. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const user = postgresUser();
  const binaries = postgresBinaries(user);
  const dataFolder = postgresDataFolder(options.dataDir, user);
  if (dataFolder !== resolve(options.dataDir)) {
    removeStrays();
    noteOrigin(dataFolder, resolve(options.dataDir));
  }
  const password = prepareDataFolder(dataFolder, binaries, user);
  await endPredecessor(dataFolder);
  // Tells our server from another one that has the port already and would answer in its place.
  const cluster = `causeway-${randomUUID()}`;
  const settings = Object.entries({
    ...SETTINGS,
    ...options.settings,
    port: String(options.port),
    cluster_name: cluster,
  });
  const url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${options.port}/postgres`;
  const until = Date.now() + READY_MS;
  for (;;) {
    const logged = existsSync(options.log) ? statSync(options.log).size : 0;
    const child = await startChild({
      name: 'postgres',
      command: join(binaries.folder, 'bin', 'postgres'),
      args: ['-D', dataFolder, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      cwd: '/',
      env: { LC_ALL: 'C', TZ: 'UTC' },
      log: options.log,
      ...(user === undefined ? {} : { user }),
      onParentDeath: 'SIGINT',
    });
    if (await answers(url, cluster, child, until)) return handle(url, dataFolder, child);
    await child.stop('SIGINT');
    const words = readFileSync(options.log).subarray(logged).toString();
    // The backends of a killed server hold its memory until they notice; then there is room.
    if (!words.includes('pre-existing shared memory block') || Date.now() > until)
      throw new WorldError(`Postgres did not start on port ${options.port}:\n${words.slice(-2_000)}`);
    await sleep(100);
  }
}

/** Waits for a connection that answers; false when the server ended or the time is over. */
async function answers(url: string, cluster: string, child: Child, until: number): Promise<boolean> {
  while (child.running && Date.now() < until) {
    const sql = postgres(url, { max: 1, connect_timeout: 2, fetch_types: false });
    try {
      const [row] = await sql`select current_setting('cluster_name') as cluster`;
      if (row!['cluster'] === cluster) return true;
    } catch {
      // Not yet.
    } finally {
      await sql.end({ timeout: 0 });
    }
    await sleep(15);
  }
  return false;
}

const handle = (url: string, dataFolder: string, child: Child): RunningPostgres => ({
  url,
  dataFolder,
  child,
  stop: () => child.stop('SIGINT'),
  kill: () => child.kill(),
});
