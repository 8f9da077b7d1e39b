import type { NameDigest } from '@causeway/protocol';
import { BUCKETS, type Bucket, type StateRow } from '@causeway/replica';
import { numberArray, textArray } from './array-literal.ts';
import type { Connection } from './connection.ts';

/** A digest as Postgres keeps it: bigint has a sign. */
export const signed = (digest: bigint): string => BigInt.asIntN(64, digest).toString();
const unsigned = (digest: string): bigint => BigInt.asUintN(64, BigInt(digest));

const LAST_COMMIT = `
  select coalesce(max(held.commit::text::bigint), 0) as last from unnest($2::text[]) as asked(name)
  cross join lateral (
    select s.commit from causeway.states s where s.zone = $1 and s.name = asked.name limit 1
  ) as held`;

export async function lastCommit(
  connection: Connection,
  zone: string,
  names: readonly string[],
): Promise<number> {
  const [row] = await connection.query(LAST_COMMIT, [zone, textArray(names)]);
  return Number(row!['last']);
}

const STALE = `
  select name, changes, rows, bytes, 1000 * extract(epoch from now() - at) as quiet_ms
  from causeway.states where zone = $1 and digest is null
  order by rows desc, at, name limit $2::bigint`;

export async function stale(connection: Connection, zone: string, limit: number): Promise<StateRow[]> {
  const rows = await connection.query(STALE, [zone, String(limit)]);
  return rows.map((row) => ({
    name: row['name'] as string,
    changes: Number(row['changes']),
    rows: Number(row['rows']),
    bytes: Number(row['bytes']),
    quietMs: Number(row['quiet_ms']),
  }));
}

/**
 * Locks in name order, as commits do; a row that has changed meanwhile is looked at again after its lock.
 * Materialized, and told the names twice: planned while the table was small, the locking part was carried
 * out anew for every row of the table, and held up writers for seconds.
 */
const SET_DIGESTS = `
  with ready as materialized (
    select held.name, held.changes, computed.digest
    from unnest($2::text[], $3::bigint[], $4::bigint[]) as computed(name, changes, digest)
    join causeway.states held on held.zone = $1 and held.name = computed.name and held.changes = computed.changes
    where held.name = any($2::text[])
    order by held.name for update of held
  )
  update causeway.states s set digest = ready.digest from ready
  where s.zone = $1 and s.name = any($2::text[]) and s.name = ready.name and s.changes = ready.changes`;

export async function setDigests(
  connection: Connection,
  zone: string,
  digests: readonly { name: string; changes: number; digest: bigint }[],
): Promise<void> {
  await connection.query(SET_DIGESTS, [
    zone,
    textArray(digests.map(({ name }) => name)),
    numberArray(digests.map(({ changes }) => changes)),
    `{${digests.map(({ digest }) => signed(digest)).join(',')}}`,
  ]);
}

/** From the index alone: it holds the digests. */
const ALL_BUCKETS = `
  select bucket, coalesce(bit_xor(digest), 0) as digest, count(*) as names, count(*) - count(digest) as stale
  from causeway.states where zone = $1 group by bucket`;

export async function buckets(connection: Connection, zone: string): Promise<Bucket[]> {
  const all = Array.from({ length: BUCKETS }, (): Bucket => ({ digest: 0n, names: 0, stale: 0 }));
  for (const row of await connection.query(ALL_BUCKETS, [zone]))
    all[row['bucket'] as number] = {
      digest: unsigned(row['digest'] as string),
      names: Number(row['names']),
      stale: Number(row['stale']),
    };
  return all;
}

const NAMES = `
  select name, digest from causeway.states
  where zone = $1 and bucket = any($2::int[]) and name > $3 order by name limit $4::bigint`;

export async function names(
  connection: Connection,
  zone: string,
  buckets: readonly number[],
  after: string,
  limit: number,
): Promise<NameDigest[]> {
  const rows = await connection.query(NAMES, [zone, numberArray(buckets), after, String(limit)]);
  return rows.map((row) => {
    const name = row['name'] as string;
    return row['digest'] === null ? { name } : { name, digest: unsigned(row['digest'] as string) };
  });
}
