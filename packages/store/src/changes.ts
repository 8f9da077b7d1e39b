import type { Message } from '@causeway/protocol';
import type { Change, Changes, Heard, Mark } from '@causeway/replica';
import { textArray } from './array-literal.ts';
import type { Connection, Fields } from './connection.ts';
import { cellOf } from './log.ts';

/** Of the private cells of members, these are for others too; the index cells_changed_in says the same. */
const CELLS = `(split_part(scope, '/', 2) <> 'member' or split_part(key, '|', 1) in ('joined', 'direct'))`;

/**
 * As the tail of the log (tail.ts): horizon and rows from one snapshot, portions of whole commits; messages of
 * one commit in their order on screen.
 * One workspace is found by an index of its own, several by that of the zone.
 */
const changesOf = (condition: (name: string) => string): string => {
  const among = (table: string, name: string, upto: string, more = ''): string =>
    `causeway.${table} where zone = $1 and commit > $2::xid8 and commit ${upto} and ${condition(name)} ${more}`;
  const first = (table: string, name: string, more = ''): string =>
    `(select commit from ${among(table, name, '< (select xmin from snapshot)', more)}
      order by commit limit $3::int + 1)`;
  const upto = '<= (select upto from cut)';
  return `
  with snapshot as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin),
  entries as (
    ${first('messages', 'channel')} union all ${first('gone', 'channel')}
    union all ${first('cells', 'scope', `and ${CELLS}`)}
  ),
  cut as materialized (
    select coalesce(
      case when count(*) > $3::int then (array_agg(commit order by commit))[$3::int] end,
      ((select xmin from snapshot)::text::bigint - 1)::text::xid8) as upto
    from entries
  )
  select cut.upto::text as upto, (select forgotten::text from causeway.views where zone = $1) as forgotten,
    listed.commit::text as commit, name, key, v, value, message
  from cut left join (
    select commit, channel as name, t || id as key, null as v, null as value, message
    from ${among('messages', 'channel', upto)}
    union all
    select commit, channel, id, null, null, null from ${among('gone', 'channel', upto)}
    union all
    select commit, scope, key, v, value, null from ${among('cells', 'scope', upto, `and ${CELLS}`)}
  ) as listed on true
  order by listed.commit, name, key, v`;
};
const OF_ONE = changesOf((name) => `split_part(${name}, '/', 1) = $4`);
const OF_SEVERAL = changesOf((name) => `split_part(${name}, '/', 1) = any($4::text[])`);

export async function changes(
  connection: Connection,
  zone: string,
  workspaces: readonly string[],
  after: number,
  limit: number,
): Promise<Changes> {
  const parameters = [zone, String(after), String(limit)];
  const [only] = workspaces;
  const found = await (only !== undefined && workspaces.length === 1
    ? connection.query(OF_ONE, [...parameters, only])
    : connection.query(OF_SEVERAL, [...parameters, textArray(workspaces)]));
  return {
    changes: found.filter((row) => row['commit'] !== null).map(changeOf),
    to: Math.max(after, Number(found[0]!['upto'])),
    forgotten: Number(found[0]!['forgotten'] ?? 0),
  };
}

function changeOf(row: Fields): Change {
  const commit = Number(row['commit']);
  const name = row['name'] as string;
  if (row['v'] !== null) return { commit, kind: 'cell', cell: cellOf(name, row) };
  if (row['message'] === null)
    return { commit, kind: 'gone', place: { channel: name, id: row['key'] as string } };
  const message = JSON.parse(row['message'] as string) as Message;
  return { commit, kind: 'message', row: { channel: name, message } };
}

/** The floor moves in the statement that forgets: whoever finds rows missing finds it moved. */
const FORGET = `
  with cut as (
    select commit from causeway.gone where zone = $1 order by commit desc offset $2::bigint limit 1
  ),
  removed as (delete from causeway.gone where zone = $1 and commit <= (select commit from cut) returning 1),
  moved as (
    update causeway.views set forgotten = (select commit from cut)
    where zone = $1 and forgotten < (select commit from cut)
  )
  select count(*) as removed from removed`;

export async function forgetGone(connection: Connection, zone: string, keep: number): Promise<number> {
  const [row] = await connection.query(FORGET, [zone, String(keep)]);
  return Number(row!['removed']);
}

const FINISHED = `(pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8`;

export async function noteHeard(
  connection: Connection,
  zone: string,
  peer: string,
  sentAt: number,
): Promise<void> {
  await connection.query(
    `update causeway.cursors set heard_at = $3::bigint, heard_commit = ${FINISHED} where zone = $1 and peer = $2`,
    [zone, peer, String(sentAt)],
  );
}

const MARKING = `
  select pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 as low, ${FINISHED}::text as high,
    heard.peer, heard_at, heard_commit::text
  from (select 1) as now left join causeway.cursors as heard on zone = $1 and heard_at is not null
  order by heard.peer`;

export async function marking(
  connection: Connection,
  zone: string,
): Promise<{ low: number; high: number; heard: Heard[] }> {
  const rows = await connection.query(MARKING, [zone]);
  const heard = rows
    .filter((row) => row['peer'] !== null)
    .map((row) => ({
      peer: row['peer'] as string,
      sentAt: Number(row['heard_at']),
      commit: Number(row['heard_commit']),
    }));
  return { low: Number(rows[0]!['low']), high: Number(rows[0]!['high']), heard };
}

const MARK = `
  with forgotten as (delete from causeway.marks where zone = $1 and at < $5::bigint)
  insert into causeway.marks (zone, high, at, low, whole)
  values ($1, ${FINISHED}, $2::bigint, $3::xid8, $4::bigint) on conflict do nothing`;

export async function mark(
  connection: Connection,
  zone: string,
  { at, low, whole }: Mark,
  since: number,
): Promise<void> {
  await connection.query(MARK, [zone, ...[at, low, whole, since].map(String)]);
}

export async function wholeAt(connection: Connection, zone: string, commit: number): Promise<number> {
  const [row] = await connection.query(
    'select whole from causeway.marks where zone = $1 and high <= $2::xid8 order by high desc, at desc limit 1',
    [zone, String(commit)],
  );
  return Number(row?.['whole'] ?? 0);
}

export async function lowAt(connection: Connection, zone: string, at: number): Promise<number | undefined> {
  const [row] = await connection.query(
    'select low::text from causeway.marks where zone = $1 and at <= $2::bigint order by at desc, high limit 1',
    [zone, String(at)],
  );
  return row === undefined ? undefined : Number(row['low']);
}
