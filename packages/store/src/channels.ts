import type { MessagePlace, SegmentRow, Untidy } from '@causeway/replica';
import { numberArray, textArray } from './array-literal.ts';
import type { Connection } from './connection.ts';

const COPIES = `
  select channel, id, segment, segment = any(deleted) as deleted
  from (select distinct channel, id from unnest($2::text[], $3::text[]) as asked (channel, id)) as asked
  cross join lateral (
    select segments, deleted from causeway.copies c
    where c.zone = $1 and c.channel = asked.channel and c.id = asked.id limit 1
  ) as held
  cross join lateral (select unnest(segments) as segment union select unnest(deleted)) as places
  order by channel collate "C", id collate "C", segment`;

export async function copies(
  connection: Connection,
  zone: string,
  messages: readonly MessagePlace[],
): Promise<(MessagePlace & { segment: number; deleted: boolean })[]> {
  const rows = await connection.query(COPIES, [
    zone,
    textArray(messages.map(({ channel }) => channel)),
    textArray(messages.map(({ id }) => id)),
  ]);
  return rows.map((row) => ({
    channel: row['channel'] as string,
    id: row['id'] as string,
    segment: row['segment'] as number,
    deleted: row['deleted'] as boolean,
  }));
}

const SEGMENTS = `
  select segment, posts, bytes, operations, first, last from causeway.segments
  where zone = $1 and channel = $2 order by segment`;

export async function segments(connection: Connection, zone: string, channel: string): Promise<SegmentRow[]> {
  const rows = await connection.query(SEGMENTS, [zone, channel]);
  return rows.map((row) => ({
    segment: row['segment'] as number,
    posts: Number(row['posts']),
    bytes: Number(row['bytes']),
    operations: Number(row['operations']),
    ...(row['first'] === null ? {} : { first: row['first'] as string }),
    ...(row['last'] === null ? {} : { last: row['last'] as string }),
  }));
}

const UNTIDY = 'select channel, id, mark from causeway.untidy where zone = $1 order by mark limit $2::bigint';

export async function untidy(connection: Connection, zone: string, limit: number): Promise<Untidy[]> {
  const rows = await connection.query(UNTIDY, [zone, String(limit)]);
  return rows.map((row) => ({
    channel: row['channel'] as string,
    id: row['id'] as string,
    mark: Number(row['mark']),
  }));
}

/** Locked in key order, as commits do, and looked at again after the lock. */
const TIDIED = `
  delete from causeway.untidy where zone = $1 and (channel, id) in (
    select channel, id from causeway.untidy
    join unnest($2::text[], $3::text[], $4::bigint[]) as seen(channel, id, mark) using (channel, id, mark)
    where zone = $1 order by channel, id for update of untidy)
  and mark = any($4::bigint[])`;

export async function tidied(connection: Connection, zone: string, rows: readonly Untidy[]): Promise<void> {
  await connection.query(TIDIED, [
    zone,
    textArray(rows.map(({ channel }) => channel)),
    textArray(rows.map(({ id }) => id)),
    numberArray(rows.map(({ mark }) => mark)),
  ]);
}
