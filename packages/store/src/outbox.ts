import type { OutboxRow } from '@causeway/replica';
import { numberArray } from './array-literal.ts';
import type { Connection, Fields } from './connection.ts';
import { cellsFromText } from './outbox-text.ts';

const UNPUBLISHED = `
  select o.seq, o.name, o.cells, l.bytes, l.member
  from causeway.outbox o
  left join causeway.log l on l.zone = o.zone and l.name = o.name and l.id = o.log_id
  where o.zone = $1 and o.at <= now() - $2::float8 * interval '1 millisecond'
  order by o.seq limit $3::bigint`;

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
  const update = { kind: 'update', name, bytes: new Uint8Array(row['bytes'] as Buffer) } as const;
  return row['member'] === null ? update : { ...update, member: row['member'] as string };
}

export async function published(
  connection: Connection,
  zone: string,
  seqs: readonly number[],
): Promise<void> {
  if (seqs.length === 0) return;
  await connection.query('delete from causeway.outbox where zone = $1 and seq = any($2::bigint[])', [
    zone,
    numberArray(seqs),
  ]);
}

/** Bytes of one outbox row that holds cells again, roughly: far below what a message may carry. */
const CELLS_BYTES = 65_536;

/**
 * Cells go first: a peer that then sees a segment knows already that it is the newest. All get new
 * numbers, so that a report about the old stream which comes late takes none of them out.
 */
const ENQUEUE_CELLS = `
  insert into causeway.outbox (zone, seq, name, cells)
  select $1, nextval('causeway.seq'), scope, cells from (
    select scope, chunk,
      json_agg(json_build_object('key', key, 'v', v, 'value', value) order by key)::text as cells
    from (
      select scope, key, v, value,
        sum(octet_length(key) + octet_length(v) + octet_length(value))
          over (partition by scope order by key) / ${CELLS_BYTES} as chunk
      from causeway.cells where zone = $1 and own
    ) as chunked
    group by scope, chunk order by scope, chunk
  ) as ordered`;

const ENQUEUE_UPDATES = `
  insert into causeway.outbox (zone, seq, name, log_id)
  select $1, nextval('causeway.seq'), name, id
  from (select name, id from causeway.log where zone = $1 and own order by id) as ordered`;

/** Reading the whole log of a zone takes as long as it takes. */
const ADOPT_TIMEOUT_MS = 10 * 60_000;

/** In one transaction. The outbox is emptied first: what commits between the two statements stays in it. */
export function adoptIncarnation(
  connection: Connection,
  zone: string,
  incarnation: string,
): Promise<boolean> {
  const run = (text: string, ...parameters: string[]) => connection.query(text, parameters, ADOPT_TIMEOUT_MS);
  return connection.transaction(async () => {
    await run('set local statement_timeout = 0');
    await run(`select pg_advisory_xact_lock(hashtextextended('causeway/incarnation/' || $1, 0))`, zone);
    const [before] = await run('select incarnation from causeway.incarnation where zone = $1', zone);
    if (before?.['incarnation'] === incarnation) return false;
    await run(
      `insert into causeway.incarnation (zone, incarnation) values ($1, $2)
       on conflict (zone) do update set incarnation = excluded.incarnation`,
      zone,
      incarnation,
    );
    if (before === undefined) return false;
    await run('delete from causeway.outbox where zone = $1', zone);
    await run(ENQUEUE_CELLS, zone);
    await run(ENQUEUE_UPDATES, zone);
    return true;
  });
}
