import type { Store } from '@causeway/replica';
import { bytesArray, numberArray } from './array-literal.ts';
import type { Connection } from './connection.ts';
import { signed } from './states.ts';

/** Rows that the version before has put into the outbox again have another number there. */
const LOAD_STATE = `
  select s.changes, l.id, l.bytes,
    exists (select from causeway.outbox o where o.zone = $1 and o.seq = l.id)
      or exists (select from causeway.outbox o where o.zone = $1 and o.log_id <> o.seq and o.log_id = l.id) as held
  from causeway.states s left join causeway.log l on l.zone = s.zone and l.name = s.name
  where s.zone = $1 and s.name = $2 order by l.id`;

export async function loadState(
  connection: Connection,
  zone: string,
  name: string,
): ReturnType<Store['loadState']> {
  const found = await connection.query(LOAD_STATE, [zone, name]);
  if (found.length === 0) return undefined;
  const rows = found.filter((row) => row['id'] !== null);
  return {
    changes: Number(found[0]!['changes']),
    rows: rows.map((row) => ({
      id: Number(row['id']),
      bytes: new Uint8Array(row['bytes'] as Buffer),
      held: row['held'] as boolean,
    })),
  };
}

/**
 * One statement, so one transaction. It locks the view's row first: a rebuild that begins waits
 * for it and then knows of the snapshot. Then it locks the rows to be replaced, so that of two
 * compactors one finds them gone. Nothing gets into the outbox after its commit, so whatever is
 * not there in this snapshot never will be.
 */
const COMPACT = `
  with view as materialized (
    select position from causeway.views where zone = $1 for share
  ),
  read as materialized (
    select id, octet_length(bytes) as size from causeway.log
    where zone = $1 and name = $2 and id = any($3::bigint[]) and commit <= (select position from view)
    order by id for update
  ),
  fit as materialized (
    select count(*) as rows, sum(size) as bytes from read
    having count(*) > 0 and count(*) = cardinality($3::bigint[])
      and not exists (select from causeway.outbox where zone = $1 and seq = any($3::bigint[]))
      and not exists (
        select from causeway.outbox where zone = $1 and log_id <> seq and log_id = any($3::bigint[]))
  ),
  removed as (
    delete from causeway.log
    where zone = $1 and name = $2 and id = any($3::bigint[]) and exists (select from fit)
  ),
  added as (
    insert into causeway.log (zone, name, id, bytes, own, snapshot, stated)
    select $1, $2, nextval('causeway.seq'), ($4::bytea[])[1], false, true, true from fit
  ),
  stated as (
    update causeway.states s set
      rows = s.rows - fit.rows + 1,
      bytes = s.bytes - fit.bytes + octet_length(($4::bytea[])[1]),
      digest = case when s.changes = $5::bigint then $6::bigint else s.digest end
    from fit where s.zone = $1 and s.name = $2
  )
  select exists (select from fit) as done`;

export async function compact(
  connection: Connection,
  zone: string,
  { name, changes, rows, snapshot, digest }: Parameters<Store['compact']>[0],
): Promise<boolean> {
  const [row] = await connection.query(COMPACT, [
    zone,
    name,
    numberArray([...new Set(rows)]),
    bytesArray([snapshot]),
    String(changes),
    signed(digest),
  ]);
  return row!['done'] as boolean;
}
