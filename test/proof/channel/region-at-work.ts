import { findBasePort, startWorld, type World, type WorldRegion } from '@causeway/local';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { Inside } from '../database.ts';
import type { Finding } from '../finding.ts';
import { WORKSPACE } from './channel-history.ts';
import type { Served } from './opening.ts';
import { WRITER } from './writer.ts';

const REGION = 'us-east';
const REST_WITHIN_MS = 3_600_000;

/** A region with its own Postgres, NATS and server, and a look into its database. */
export class RegionAtWork implements AsyncDisposable {
  readonly world: World;
  readonly inside: Inside;
  readonly #home: string;
  readonly #sql: postgres.Sql;

  private constructor(world: World, home: string) {
    this.world = world;
    this.#home = home;
    this.inside = new Inside(world, REGION);
    this.#sql = postgres(this.region.postgresUrl, { max: 1, onnotice: () => undefined });
  }

  static async start(signal: AbortSignal): Promise<RegionAtWork> {
    const home = await mkdtemp(join(tmpdir(), 'causeway-proof-'));
    const options = { home, basePort: await findBasePort(), regions: [REGION], signal };
    return new RegionAtWork(await startWorld(options), home);
  }

  get region(): WorldRegion {
    return this.world.regions[REGION]!;
  }

  get sql(): postgres.Sql {
    return this.#sql;
  }

  /** The server process and its database sessions, as they are now. */
  async served(): Promise<Served> {
    const { regions } = await this.world.status();
    const sessions = await this.#sql`
      select pid from pg_stat_activity
      where application_name like 'causeway %' and application_name not like ${`causeway ${WRITER} %`}`;
    return { server: [regions[0]!.parts.server.pid!], postgres: sessions.map(({ pid }) => Number(pid)) };
  }

  /** Messages of a channel that the view shows. */
  async shown(channel: string): Promise<number> {
    const [row] = await this.#sql`
      select count(*)::int as shown from causeway.messages
      where zone = 'global' and channel = ${`${WORKSPACE}/channel/${channel}`}`;
    return Number(row!['shown']);
  }

  /** Until the view shows so many messages of each channel, and nothing is stale or waits. */
  async rest(
    expected: Readonly<Record<string, number>>,
    say: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const until = performance.now() + REST_WITHIN_MS;
    for (;;) {
      signal.throwIfAborted();
      const channels = Object.entries(expected);
      const shown = await Promise.all(channels.map(([channel]) => this.shown(channel)));
      const { stale, outbox } = await this.inside.restless();
      if (stale + outbox === 0 && channels.every(([, count], at) => shown[at] === count)) return;
      if (performance.now() > until) throw new Error('the region does not come to rest');
      say(`the view shows ${shown.join(' and ')} messages; ${stale} names are stale, ${outbox} rows wait`);
      await pause(2_000, undefined, { signal });
    }
  }

  /** Bytes on disk for each message, by table. */
  async sizes(): Promise<Finding> {
    const { messages, rowBytes, fileBytes } = await this.inside.held();
    const tables = await this.#sql`
      select c.relname as table, pg_total_relation_size(c.oid)::float8 as bytes
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'causeway' and c.relkind = 'r' order by bytes desc limit 6`;
    const each = (bytes: number): string => `${Math.round(bytes / messages)}`;
    const parts = tables.map((row) => `${String(row['table'])} ${each(Number(row['bytes']))}`);
    return {
      what: 'bytes in Postgres for each message, with indexes',
      value: `${each(fileBytes)} (rows ${each(rowBytes)}): ${parts.join(', ')}`,
      holds: true,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.inside.close(), this.#sql.end()]);
    await this.world.stop();
    await rm(this.#home, { recursive: true, force: true });
  }
}
