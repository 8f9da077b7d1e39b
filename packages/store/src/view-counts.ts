import type { Cell, Message } from '@causeway/protocol';
import type { Before, Countable, MessagePlace, Store, ThreadRow } from '@causeway/replica';
import { textArray } from './array-literal.ts';
import type { Connection } from './connection.ts';
import { cellOf } from './log.ts';
import { countingIn, EVERYBODY, REPLIES_COUNTED } from './viewed.ts';

/** What the view of messages answers beside pages of a channel. */

const COUNTABLES = `
  select given.channel, m.id, m.t, m.counting
  from unnest($2::text[], $3::text[]) as given(channel, lowest)
  cross join lateral (
    select id, t, counting, segment from causeway.messages
    where zone = $1 and channel = given.channel and counted and segment >= given.lowest::int
    order by segment desc, t desc, id desc limit $4::bigint
  ) as m
  order by given.channel, m.segment desc, m.t desc, m.id desc`;

export async function countables(
  connection: Connection,
  zone: string,
  channels: readonly { channel: string; from: number }[],
  limit: number,
): Promise<(Countable & { channel: string })[]> {
  const rows = await connection.query(COUNTABLES, [
    zone,
    textArray(channels.map(({ channel }) => channel)),
    textArray(channels.map(({ from }) => String(from))),
    String(limit),
  ]);
  return rows.map((row) => ({
    channel: row['channel'] as string,
    id: row['id'] as string,
    t: row['t'] as string,
    ...countingIn(row['counting'] as string),
  }));
}

/** The index holds all that it reads, and a thread costs at most so many entries of it. */
const THREADS = `
  select given.root, thread.* from unnest($3::text[]) as given(root)
  cross join lateral (
    with newest as materialized (
      select author, t from causeway.messages
      where zone = $1 and channel = $2 and thread = given.root
      order by t desc, id desc limit ${REPLIES_COUNTED}
    )
    select count(*)::text as replies, max(t) as last,
      (select json_agg(author order by at desc, author)::text from (
        select author, max(t) as at from newest where author is not null
        group by author order by at desc, author limit $4::bigint
      ) as authors) as participants
    from newest
  ) as thread where thread.last is not null`;

export async function viewThreads(
  connection: Connection,
  zone: string,
  channel: string,
  roots: readonly string[],
  participants: number,
): Promise<ThreadRow[]> {
  const rows = await connection.query(THREADS, [
    zone,
    channel,
    textArray([...new Set(roots)]),
    String(participants),
  ]);
  return rows.map((row) => ({
    root: row['root'] as string,
    replies: Number(row['replies']),
    last: row['last'] as string,
    participants: JSON.parse((row['participants'] as string | null) ?? '[]') as string[],
  }));
}

/** The second condition is that of the index. */
const FOLLOWERS = `
  select scope, key, v, value from causeway.cells
  where zone = $1 and key = $2 and key like 'follow|%' and scope like $3 order by scope`;

export async function followCells(
  connection: Connection,
  zone: string,
  workspace: string,
  key: string,
): Promise<Cell[]> {
  // Of the characters of an id \`_\` alone means something to \`like\`.
  const scopes = `${workspace.replaceAll('_', '\\_')}/member/%`;
  const rows = await connection.query(FOLLOWERS, [zone, key, scopes]);
  return rows.map((row) => cellOf(row['scope'] as string, row));
}

const mentions = (older: string): string => `
  select found.channel, found.id, m.message from (
    (select channel, t, id from causeway.mentions
      where zone = $1 and workspace = $2 and member = $3 and channel = any($4::text[])
        and author <> $3 ${older}
      order by t desc, id desc, channel limit $6::bigint)
    union
    (select channel, t, id from causeway.mentions
      where zone = $1 and workspace = $2 and member = '${EVERYBODY}' and channel = any($5::text[])
        and author <> $3 ${older}
      order by t desc, id desc, channel limit $6::bigint)
  ) as found
  join causeway.messages m on m.zone = $1 and m.channel = found.channel and m.id = found.id
  order by found.t desc, found.id desc, found.channel limit $6::bigint`;
const NEWEST_MENTIONS = mentions('');
const OLDER_MENTIONS = mentions('and (t, id) < ($7, $8)');

export async function viewMentions(
  connection: Connection,
  zone: string,
  workspace: string,
  member: string,
  { named, joined }: Parameters<Store['viewMentions']>[2],
  before: Before | undefined,
  limit: number,
): Promise<(MessagePlace & { message: Message })[]> {
  const parameters = [zone, workspace, member, textArray(named), textArray(joined), String(limit)];
  const rows = await (before === undefined
    ? connection.query(NEWEST_MENTIONS, parameters)
    : connection.query(OLDER_MENTIONS, [...parameters, before.t, before.id]));
  return rows.map((row) => ({
    channel: row['channel'] as string,
    id: row['id'] as string,
    message: JSON.parse(row['message'] as string) as Message,
  }));
}
