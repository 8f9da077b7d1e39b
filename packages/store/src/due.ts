import type { Cell } from '@causeway/protocol';
import type { Connection } from './connection.ts';
import { cellOf } from './log.ts';

/** As the index has it, to the letter. */
const AT = `substring(value from '^\\{"at":([0-9]{1,16}),"post":')`;

/** The region stands last in the value, so its end says it, whatever the text of the post. */
const DUE = `
  select scope, key, v, value from causeway.cells
  where zone = $1 and key like 'scheduled|%' and ${AT} is not null
    and ${AT}::bigint <= greatest($2::bigint, $3::bigint)
    and (${AT}::bigint <= $3::bigint or right(value, length($4)) = $4)
    and (${AT}::bigint <= $2::bigint or right(value, length($4)) <> $4)
  order by ${AT}::bigint, scope, key limit $5::bigint`;

export async function due(
  connection: Connection,
  zone: string,
  { region, own, others, limit }: { region: string; own: number; others: number; limit: number },
): Promise<Cell[]> {
  const end = `,"region":${JSON.stringify(region)}}`;
  const rows = await connection.query(DUE, [zone, String(own), String(others), end, String(limit)]);
  return rows.map((row) => cellOf(row['scope'] as string, row));
}
