import type { Cell } from '@causeway/protocol';
import {
  Unavailable,
  type ApplyBatch,
  type Cursor,
  type MessagePlace,
  type OutboxRow,
  type Row,
  type SegmentRow,
  type Store,
  type Untidy,
} from '@causeway/replica';
import { numberArray, textArray } from './array-literal.ts';
import { commit, ownRows, peerRows } from './commit.ts';
import type { Connection, Fields } from './connection.ts';
import { Lanes } from './lanes.ts';
import * as outbox from './outbox.ts';
import * as role from './role.ts';

/** Makes sessions for one purpose; `settings` are of the session. */
export type Connect = (purpose: string, settings?: Readonly<Record<string, string>>) => Promise<Connection>;

const APPEND_LANES = 2;
const APPLY_LANES = 2;

/** The plan joins arrays by key; with their lengths unknown a nested loop looks cheap and is not. */
const COMMIT_SETTINGS = { enable_nestloop: 'off', plan_cache_mode: 'force_generic_plan' };

// Not pg_control_checkpoint(): after a promotion it names the old timeline until the next checkpoint.
const IDENTITY = `
  select system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || id as identity
  from pg_control_system(), causeway.database`;

/** One zone of one region's Postgres. See openPostgres. */
export class PostgresStore implements Store {
  readonly lanes = APPEND_LANES;
  readonly #zone: string;
  readonly #connect: Connect;
  /** For everything but commits; shared by the zones of a database. */
  readonly #queries: Lanes;
  readonly #appends: Lanes;
  readonly #applies: Lanes;
  readonly #leading = new Set<Connection>();
  #closed = false;

  constructor(zone: string, queries: Lanes, connect: Connect) {
    this.#zone = zone;
    this.#queries = queries;
    this.#connect = connect;
    this.#appends = new Lanes(APPEND_LANES, () => connect('append', COMMIT_SETTINGS));
    this.#applies = new Lanes(APPLY_LANES, () => connect('apply', COMMIT_SETTINGS));
  }

  async append(rows: readonly Row[]): Promise<{ outbox: OutboxRow[]; untidy: Untidy[] }> {
    if (rows.length === 0) return { outbox: [], untidy: [] };
    return this.#appends.run((connection) => commit(connection, this.#zone, ownRows(rows)));
  }

  apply({ peer, cursor, rows, own, parked }: ApplyBatch): Promise<{ outbox: OutboxRow[]; untidy: Untidy[] }> {
    return this.#applies.run((connection) =>
      commit(connection, this.#zone, [...peerRows(rows), ...ownRows(own)], { peer, cursor, parked }),
    );
  }

  async loadDocument(name: string): Promise<Uint8Array[]> {
    const rows = await this.#query(
      'select bytes from causeway.log where zone = $1 and name = $2 order by id',
      name,
    );
    return rows.map((row) => new Uint8Array(row['bytes'] as Buffer));
  }

  async loadCells(scopes: readonly string[]): Promise<Cell[]> {
    const rows = await this.#query(
      `select scope, key, v, value from causeway.cells
       where zone = $1 and scope = any($2::text[]) order by scope, key`,
      textArray(scopes),
    );
    return rows.map((row) => ({
      scope: row['scope'] as string,
      key: row['key'] as string,
      v: row['v'] as string,
      value: JSON.parse(row['value'] as string) as unknown,
    }));
  }

  async copies(
    messages: readonly MessagePlace[],
  ): Promise<(MessagePlace & { segment: number; deleted: boolean })[]> {
    const rows = await this.#query(
      `select channel, id, segment, segment = any(deleted) as deleted
       from (select distinct channel, id from unnest($2::text[], $3::text[]) as asked (channel, id)) as asked
       join causeway.copies using (channel, id),
         lateral (select unnest(segments) as segment union select unnest(deleted)) as places
       where zone = $1 order by channel collate "C", id collate "C", segment`,
      textArray(messages.map(({ channel }) => channel)),
      textArray(messages.map(({ id }) => id)),
    );
    return rows.map((row) => ({
      channel: row['channel'] as string,
      id: row['id'] as string,
      segment: row['segment'] as number,
      deleted: row['deleted'] as boolean,
    }));
  }

  async segments(channel: string): Promise<SegmentRow[]> {
    const rows = await this.#query(
      `select segment, posts, bytes, operations, first, last from causeway.segments
       where zone = $1 and channel = $2 order by segment`,
      channel,
    );
    return rows.map((row) => ({
      segment: row['segment'] as number,
      posts: Number(row['posts']),
      bytes: Number(row['bytes']),
      operations: Number(row['operations']),
      ...(row['first'] === null ? {} : { first: row['first'] as string }),
      ...(row['last'] === null ? {} : { last: row['last'] as string }),
    }));
  }

  async cursor(peer: string): Promise<Cursor | undefined> {
    const [row] = await this.#query(
      'select incarnation, sequence, message_id from causeway.cursors where zone = $1 and peer = $2',
      peer,
    );
    if (row === undefined) return undefined;
    return {
      incarnation: row['incarnation'] as string,
      sequence: Number(row['sequence']),
      messageId: row['message_id'] as string,
    };
  }

  async parkedNames(): Promise<string[]> {
    const rows = await this.#query(
      'select distinct name from causeway.parked where zone = $1 and version > 0 order by name',
    );
    return rows.map((row) => row['name'] as string);
  }

  unpublished(options: { olderThanMs: number; limit: number }): Promise<OutboxRow[]> {
    return this.#queries.run((connection) => outbox.unpublished(connection, this.#zone, options));
  }

  published(seqs: readonly number[]): Promise<void> {
    return this.#queries.run((connection) => outbox.published(connection, this.#zone, seqs));
  }

  adoptIncarnation(incarnation: string): Promise<boolean> {
    return this.#queries.run((connection) => outbox.adoptIncarnation(connection, this.#zone, incarnation));
  }

  async untidy(limit: number): Promise<Untidy[]> {
    const rows = await this.#query(
      'select channel, id, mark from causeway.untidy where zone = $1 order by mark limit $2::bigint',
      String(limit),
    );
    return rows.map((row) => ({
      channel: row['channel'] as string,
      id: row['id'] as string,
      mark: Number(row['mark']),
    }));
  }

  async tidied(rows: readonly Untidy[]): Promise<void> {
    if (rows.length === 0) return;
    // Locked in key order, as commits do, and looked at again after the lock.
    await this.#query(
      `delete from causeway.untidy where zone = $1 and (channel, id) in (
         select channel, id from causeway.untidy
         join unnest($2::text[], $3::text[], $4::bigint[]) as seen(channel, id, mark) using (channel, id, mark)
         where zone = $1 order by channel, id for update of untidy)
       and mark = any($4::bigint[])`,
      textArray(rows.map(({ channel }) => channel)),
      textArray(rows.map(({ id }) => id)),
      numberArray(rows.map(({ mark }) => mark)),
    );
  }

  /**
   * System identifier, timeline and the id that the first migration drew: a cluster copied from a
   * template has its sibling's system identifier, and a database can be dropped and made anew.
   */
  async identity(): Promise<string> {
    const [row] = await this.#queries.run((connection) => connection.query(IDENTITY));
    return row!['identity'] as string;
  }

  async lead(name: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const connection = await this.#connect(`lead ${name}`);
    this.#leading.add(connection);
    try {
      if (this.#closed) throw new Unavailable('the store is closed');
      await role.lead(connection, `${this.#zone}/${name}`, work, signal);
    } finally {
      connection.destroy();
      this.#leading.delete(connection);
    }
  }

  /** Ends this zone's sessions: work under way fails, roles are lost. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#appends.close();
    this.#applies.close();
    for (const connection of this.#leading) connection.destroy();
  }

  #query(text: string, ...parameters: string[]): Promise<readonly Fields[]> {
    return this.#queries.run((connection) => connection.query(text, [this.#zone, ...parameters]));
  }
}
