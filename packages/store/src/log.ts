import type { Cell } from '@causeway/protocol';
import type { Row } from '@causeway/replica';
import { numberArray, textArray } from './array-literal.ts';
import type { Connection, Fields } from './connection.ts';

const DOCUMENT = 'select bytes from causeway.log where zone = $1 and name = $2 order by id';

export async function loadDocument(
  connection: Connection,
  zone: string,
  name: string,
): Promise<Uint8Array[]> {
  const rows = await connection.query(DOCUMENT, [zone, name]);
  return rows.map((row) => new Uint8Array(row['bytes'] as Buffer));
}

/** One look-up per scope, in the order of the key, whatever is known of the table: see openPostgres. */
const CELLS = `
  select held.* from unnest($2::text[]) as asked(scope)
  cross join lateral (
    select c.scope, c.key, c.v, c.value from causeway.cells c
    where c.zone = $1 and c.scope = asked.scope order by c.key
  ) as held
  order by held.scope, held.key`;

export async function loadCells(
  connection: Connection,
  zone: string,
  scopes: readonly string[],
): Promise<Cell[]> {
  const rows = await connection.query(CELLS, [zone, textArray([...new Set(scopes)])]);
  return rows.map((row) => cellOf(row['scope'] as string, row));
}

const ROWS = `
  select held.* from unnest($2::text[], $3::bigint[]) as asked(name, id)
  cross join lateral (
    select l.id, l.name, l.bytes, l.member from causeway.log l
    where l.zone = $1 and l.name = asked.name and l.id = asked.id limit 1
  ) as held
  order by id`;

export async function loadRows(
  connection: Connection,
  zone: string,
  rows: readonly { name: string; id: number }[],
): Promise<{ id: number; entry: Row['entry'] & { kind: 'update' } }[]> {
  const found = await connection.query(ROWS, [
    zone,
    textArray(rows.map(({ name }) => name)),
    numberArray(rows.map(({ id }) => id)),
  ]);
  return found.map((row) => ({ id: Number(row['id']), entry: updateOf(row) }));
}

export function updateOf(row: Fields): Row['entry'] & { kind: 'update' } {
  const bytes = new Uint8Array(row['bytes'] as Buffer);
  const update = { kind: 'update', name: row['name'] as string, bytes } as const;
  return row['member'] === null ? update : { ...update, member: row['member'] as string };
}

export const cellOf = (scope: string, row: Fields): Cell => ({
  scope,
  key: row['key'] as string,
  v: row['v'] as string,
  value: JSON.parse(row['value'] as string) as unknown,
});
