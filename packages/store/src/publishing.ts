import type { Connection, Fields } from './connection.ts';
import { identity } from './identity.ts';
import { adopted, type Publishing } from './incarnation.ts';

const PUBLISHING = `
  select incarnation, stream, identity, generation, sequence from causeway.publishing where zone = $1`;

const PUBLISH_INTO = `
  insert into causeway.publishing (zone, incarnation, stream, identity, generation, sequence)
  values ($1, $2, $3, $4, $5::int, $6::bigint)
  on conflict (zone) do update set
    incarnation = excluded.incarnation, stream = excluded.stream, identity = excluded.identity,
    generation = excluded.generation, sequence = excluded.sequence`;

export async function incarnation(
  connection: Connection,
  zone: string,
): Promise<{ incarnation: string; sequence: number } | undefined> {
  const [row] = await connection.query(PUBLISHING, [zone]);
  if (row === undefined) return undefined;
  return { incarnation: row['incarnation'] as string, sequence: Number(row['sequence']) };
}

/** One process of a zone at a time, so that all of them come to the same incarnation. */
export function adoptIncarnation(
  connection: Connection,
  zone: string,
  stream: { stream: string; lastSequence: number; given: number },
): Promise<{ incarnation: string; isNew: boolean }> {
  return connection.transaction(async () => {
    await connection.query(
      `select pg_advisory_xact_lock(hashtextextended('causeway/incarnation/' || $1, 0))`,
      [zone],
    );
    const [row] = await connection.query(PUBLISHING, [zone]);
    const before = row === undefined ? undefined : publishingOf(row);
    const after = adopted(before, { ...stream, identity: await identity(connection) });
    if (after !== before)
      await connection.query(PUBLISH_INTO, [
        zone,
        after.incarnation,
        after.stream,
        after.identity,
        String(after.generation),
        String(after.sequence),
      ]);
    return { incarnation: after.incarnation, isNew: before !== undefined && after !== before };
  });
}

const publishingOf = (row: Fields): Publishing => ({
  incarnation: row['incarnation'] as string,
  stream: row['stream'] as string,
  identity: row['identity'] as string,
  generation: Number(row['generation']),
  sequence: Number(row['sequence']),
});
