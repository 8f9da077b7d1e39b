import type { Cell, Decision } from '@causeway/protocol';
import { bytesArray } from './array-literal.ts';
import type { Connection } from './connection.ts';
import { cellOf } from './log.ts';

const GENERATIONS = `
  select scope, key, v, value from causeway.cells
  where zone = $1 and key like 'generation|%' and scope like '%/workspace/canvases' order by scope, key`;

export async function generations(connection: Connection, zone: string): Promise<Cell[]> {
  const rows = await connection.query(GENERATIONS, [zone]);
  return rows.map((row) => cellOf(row['scope'] as string, row));
}

const DECIDE = `
  insert into causeway.decisions (zone, document, generation, keep, equivocators, state)
  values ($1, $2, $3::int, $4, $5, ($6::bytea[])[1]) on conflict do nothing`;

/** Two statements: the second one sees whichever of two concurrent proposals was first. */
export async function decide(connection: Connection, zone: string, proposal: Decision): Promise<Decision> {
  const { document, generation, keep, equivocators, state } = proposal;
  await connection.query(DECIDE, [
    zone,
    document,
    String(generation),
    keep,
    JSON.stringify(equivocators),
    bytesArray([state]),
  ]);
  return (await decision(connection, zone, document, generation))!;
}

const DECISION = `
  select keep, equivocators, state from causeway.decisions
  where zone = $1 and document = $2 and generation = $3::int`;

export async function decision(
  connection: Connection,
  zone: string,
  document: string,
  generation: number,
): Promise<Decision | undefined> {
  const [row] = await connection.query(DECISION, [zone, document, String(generation)]);
  if (row === undefined) return undefined;
  return {
    document,
    generation,
    keep: row['keep'] as string,
    equivocators: JSON.parse(row['equivocators'] as string) as Decision['equivocators'],
    state: new Uint8Array(row['state'] as Buffer),
  };
}
