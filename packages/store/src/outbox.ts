import type { OutboxRow } from '@causeway/replica';
import { numberArray } from './array-literal.ts';
import type { Connection, Fields } from './connection.ts';
import { updateOf } from './log.ts';
import { cellsFromText } from './outbox-text.ts';

const UNPUBLISHED = `
  select o.seq, o.name, o.cells, l.bytes, l.member
  from (
    select seq, name, log_id, cells from causeway.outbox
    where zone = $1 and at <= now() - $2::float8 * interval '1 millisecond'
    order by seq limit $3::bigint
  ) as o
  left join lateral (
    select bytes, member from causeway.log where zone = $1 and name = o.name and id = o.log_id limit 1
  ) as l on true
  order by o.seq`;

export async function unpublished(
  connection: Connection,
  zone: string,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
): Promise<OutboxRow[]> {
  const rows = await connection.query(UNPUBLISHED, [zone, String(olderThanMs), String(limit)]);
  return rows.map((row) => ({ seq: Number(row['seq']), entry: entryOf(row) }));
}

function entryOf(row: Fields): OutboxRow['entry'] {
  const name = row['name'] as string;
  if (row['cells'] !== null)
    return { kind: 'cells', scope: name, cells: cellsFromText(row['cells'] as string) };
  if (row['bytes'] === null) throw new Error(`outbox row ${String(row['seq'])} lost its row of the log`);
  return updateOf(row);
}

/** Both in one statement: one round trip, one transaction. */
const PUBLISHED = `
  with gone as (delete from causeway.outbox where zone = $1 and seq = any($2::bigint[]))
  update causeway.publishing set sequence = $4::bigint
  where zone = $1 and incarnation = $3 and sequence < $4::bigint`;

export async function published(
  connection: Connection,
  zone: string,
  seqs: readonly number[],
  { incarnation, sequence }: { incarnation: string; sequence: number },
): Promise<void> {
  await connection.query(PUBLISHED, [zone, numberArray(seqs), incarnation, String(sequence)]);
}

const SIZE = `
  select count(*) as rows, coalesce(sum(bytes), 0) as bytes,
    coalesce(1000 * extract(epoch from now() - min(at)), 0) as oldest_ms
  from causeway.outbox where zone = $1`;

export async function outboxSize(
  connection: Connection,
  zone: string,
): Promise<{ rows: number; bytes: number; oldestMs: number }> {
  const [row] = await connection.query(SIZE, [zone]);
  return {
    rows: Number(row!['rows']),
    bytes: Number(row!['bytes']),
    oldestMs: Number(row!['oldest_ms']),
  };
}

/** Rows of commits under way are not counted and stay, whatever their numbers. */
const TRIM = `
  with gone as (
    delete from causeway.outbox where zone = $1 and seq <= (
      select seq from causeway.outbox where zone = $1 order by seq desc offset $2::bigint limit 1
    ) returning 1
  )
  select count(*) as gone from gone`;

export async function trimOutbox(connection: Connection, zone: string, keep: number): Promise<number> {
  const [row] = await connection.query(TRIM, [zone, String(keep)]);
  return Number(row!['gone']);
}
