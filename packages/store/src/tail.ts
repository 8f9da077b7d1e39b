import type { Cell } from '@causeway/protocol';
import type { LogRow, Tail } from '@causeway/replica';
import type { Connection, Fields } from './connection.ts';
import { cellOf } from './log.ts';

/*
 * The order of commits. A transaction draws its number (pg_current_xact_id) before it writes the
 * first row that carries it, and Postgres enters it in the list of those under way before anybody
 * can draw the next one. `xmin` of a snapshot is the lowest number under way when it was taken.
 * Hence every number below is finished, what it committed is visible to that snapshot, and
 * whoever commits later has a number of at least xmin. So a reader that has listed all below xmin
 * may go on there and has missed nothing; a slow transaction holds xmin back and delays readers.
 *
 * Horizon and rows come from one statement, hence from one snapshot. With two of them, rows first,
 * a commit between them would be below the horizon and not among the rows.
 */
const HORIZON = `select pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 as horizon`;

/** `cut`: where this portion ends. At the commit of entry number `limit`, where there are more; otherwise at the horizon. */
const TAIL = `
  with snapshot as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin),
  entries as (
    (select commit from causeway.log
      where zone = $1 and commit > $2::xid8 and commit < (select xmin from snapshot)
      order by commit limit $3::int + 1)
    union all
    (select commit from causeway.cells
      where zone = $1 and commit > $2::xid8 and commit < (select xmin from snapshot)
      order by commit limit $3::int + 1)
  ),
  cut as materialized (
    select coalesce(
      case when count(*) > $3::int then (array_agg(commit order by commit))[$3::int] end,
      ((select xmin from snapshot)::text::bigint - 1)::text::xid8) as upto
    from entries
  )
  select cut.upto::text as upto, listed.* from cut left join (
    select commit, id, name, own, snapshot, null as key, null as v, null as value
    from causeway.log where zone = $1 and commit > $2::xid8 and commit <= (select upto from cut)
    union all
    select commit, null, scope, null, null, key, v, value
    from causeway.cells where zone = $1 and commit > $2::xid8 and commit <= (select upto from cut)
  ) as listed on true
  order by commit, id, name, key`;

export async function horizon(connection: Connection): Promise<number> {
  const [row] = await connection.query(HORIZON);
  return Number(row!['horizon']);
}

export async function tail(
  connection: Connection,
  zone: string,
  after: number,
  limit: number,
): Promise<Tail> {
  const found = await connection.query(TAIL, [zone, String(after), String(limit)]);
  const tail = { rows: [] as LogRow[], cells: [] as Cell[], to: Math.max(after, Number(found[0]!['upto'])) };
  for (const row of found)
    if (row['id'] !== null) tail.rows.push(logRow(row));
    else if (row['key'] !== null) tail.cells.push(cellOf(row['name'] as string, row));
  return tail;
}

const logRow = (row: Fields): LogRow => ({
  id: Number(row['id']),
  name: row['name'] as string,
  own: row['own'] as boolean,
  snapshot: row['snapshot'] as boolean,
});
