import type { Parked } from '@causeway/replica';
import type { Connection } from './connection.ts';

const NAMES = 'select distinct name from causeway.parked where zone = $1 and version > 0 order by name';

export async function parkedNames(connection: Connection, zone: string): Promise<string[]> {
  const rows = await connection.query(NAMES, [zone]);
  return rows.map((row) => row['name'] as string);
}

/**
 * One pass in the order of names, whatever is known of the table: a lookup per row has taken more
 * than seconds for 100,000 of them.
 */
const READABLE = `
  select id, peer, name, version, bytes from causeway.parked where zone = $1 and id = any(array(
    select id from (
      select id, version, max(version) over (partition by name) as newest
      from causeway.parked where zone = $1
    ) as held
    where version >= 1 and newest <= $2::int order by id limit $3::bigint
  )) order by id`;

export async function parked(
  connection: Connection,
  zone: string,
  version: number,
  limit: number,
): Promise<Parked[]> {
  const rows = await connection.query(READABLE, [zone, String(version), String(limit)]);
  return rows.map((row) => ({
    id: Number(row['id']),
    peer: row['peer'] as string,
    name: row['name'] as string,
    version: row['version'] as number,
    bytes: new Uint8Array(row['bytes'] as Buffer),
  }));
}
