import type { Message } from '@causeway/protocol';
import type { Projection, ViewState } from '@causeway/replica';
import { textArray } from './array-literal.ts';
import type { Connection } from './connection.ts';

const STATE = 'select position::text, rebuild_to::text from causeway.views where zone = $1';

/** The highest number of a finished transaction: no snapshot has a higher one, though the horizon may be lower. */
const FINISHED = `(pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8`;

/** Nothing is compacted before this row is there, so there are no snapshots above its rebuild_to. */
const BEGIN = `
  insert into causeway.views (zone, position, rebuild_to, build) values ($1, '0', ${FINISHED}, 1)
  on conflict do nothing`;

export async function viewState(connection: Connection, zone: string): Promise<ViewState> {
  let [row] = await connection.query(STATE, [zone]);
  if (row === undefined) {
    await connection.query(BEGIN, [zone]);
    [row] = await connection.query(STATE, [zone]);
  }
  return { position: Number(row!['position']), rebuildTo: Number(row!['rebuild_to']) };
}

/**
 * Two statements: the first waits for compactions under way, which hold the row; the second one's
 * snapshot then knows of them. Whatever they replaced is read from their snapshots.
 */
export function rebuildViews(connection: Connection, zone: string): Promise<void> {
  return connection.transaction(async () => {
    await connection.query(
      `insert into causeway.views as held (zone, position, rebuild_to, build) values ($1, '0', '0', 1)
       on conflict (zone) do update set position = '0', build = held.build + 1`,
      [zone],
    );
    await connection.query(`update causeway.views set rebuild_to = ${FINISHED} where zone = $1`, [zone]);
  });
}

const MOVE = `
  update causeway.views set position = $3::xid8 where zone = $1 and position = $2::xid8
  returning build, $2::xid8 < rebuild_to and $3::xid8 >= rebuild_to as rebuilt`;

const KEEP = `
  insert into causeway.messages as held (zone, channel, id, t, thread, message, build)
  select $1, *, $7::int from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
  on conflict (zone, channel, id) do update set
    t = excluded.t, thread = excluded.thread, message = excluded.message, build = excluded.build
  where (held.t, held.thread, held.message, held.build)
    is distinct from (excluded.t, excluded.thread, excluded.message, excluded.build)`;

/** By their places: nobody else writes messages while this transaction holds the row of the view. */
const REMOVE = `
  delete from causeway.messages where ctid = any(array(
    select held.place from unnest($2::text[], $3::text[]) as gone(channel, id)
    cross join lateral (
      select ctid as place from causeway.messages m
      where m.zone = $1 and m.channel = gone.channel and m.id = gone.id limit 1
    ) as held
  ))`;

/** Of deleted messages, those that were shown are kept by a trigger; the others so, once. */
const KEEP_GONE = `
  insert into causeway.gone (zone, channel, id)
  select distinct $1, channel, id from unnest($2::text[], $3::text[]) as gone(channel, id)
  on conflict do nothing`;

/** What a finished rebuild has not met is no message any more. */
const SWEEP = 'delete from causeway.messages where zone = $1 and build <> $2::int';
/** It reads the whole view. */
const SWEEP_TIMEOUT_MS = 10 * 60_000;

export function project(
  connection: Connection,
  zone: string,
  { from, to, messages, gone }: Projection,
): Promise<boolean> {
  return connection.transaction(async () => {
    const [moved] = await connection.query(MOVE, [zone, String(from), String(to)]);
    if (moved === undefined) return false;
    const build = String(moved['build']);
    const rows = [...new Map(messages.map((row) => [`${row.channel}\n${row.message.id}`, row])).values()];
    if (rows.length > 0)
      await connection.query(KEEP, [
        zone,
        textArray(rows.map(({ channel }) => channel)),
        textArray(rows.map(({ message }) => message.id)),
        textArray(rows.map(({ message }) => message.t)),
        textArray(rows.map(({ message }) => message.thread ?? null)),
        textArray(rows.map(({ message }) => JSON.stringify({ ...message, reactions: undefined }))),
        build,
      ]);
    if (gone.length > 0)
      await connection.query(REMOVE, [
        zone,
        textArray(gone.map(({ channel }) => channel)),
        textArray(gone.map(({ id }) => id)),
      ]);
    const deleted = gone.filter(({ notYet }) => notYet !== true);
    if (deleted.length > 0)
      await connection.query(KEEP_GONE, [
        zone,
        textArray(deleted.map(({ channel }) => channel)),
        textArray(deleted.map(({ id }) => id)),
      ]);
    if (moved['rebuilt'] === true) {
      await connection.query('set local statement_timeout = 0');
      await connection.query(SWEEP, [zone, build], SWEEP_TIMEOUT_MS);
    }
    return true;
  });
}

const page = (older: string): string => `
  select message from causeway.messages where zone = $1 and channel = $2 ${older}
  order by t desc, id desc limit $3::bigint`;
const NEWEST = page('');
const OLDER = page('and (t, id) < ($4, $5)');

export async function viewMessages(
  connection: Connection,
  zone: string,
  channel: string,
  before: { t: string; id: string } | undefined,
  limit: number,
): Promise<Message[]> {
  const parameters = [zone, channel, String(limit)];
  const rows = await (before === undefined
    ? connection.query(NEWEST, parameters)
    : connection.query(OLDER, [...parameters, before.t, before.id]));
  return rows.map((row) => JSON.parse(row['message'] as string) as Message);
}
