import type { Message } from '@causeway/protocol';
import type { Awaiting, Before, MessagePlace, MessageRow, Projection, ViewState } from '@causeway/replica';
import { textArray } from './array-literal.ts';
import type { Connection } from './connection.ts';
import { MENTION_FIELDS, countingText, isCounted, lowestSegment, mentionRows } from './viewed.ts';

const STATE = 'select position::text, rebuild_to::text from causeway.views where zone = $1';

/** The highest number of a finished transaction: no snapshot has a higher one, though the horizon may be lower. */
const FINISHED = `(pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8`;

/** Nothing is compacted before this row is there, so there are no snapshots above its rebuild_to. */
const BEGIN = `
  insert into causeway.views (zone, position, rebuild_to, build) values ($1, '0', ${FINISHED}, 1)
  on conflict do nothing`;

export async function viewState(connection: Connection, zone: string): Promise<ViewState> {
  let [row] = await connection.query(STATE, [zone]);
  if (row === undefined) {
    await connection.query(BEGIN, [zone]);
    [row] = await connection.query(STATE, [zone]);
  }
  return { position: Number(row!['position']), rebuildTo: Number(row!['rebuild_to']) };
}

/**
 * Two statements: the first waits for compactions under way, which hold the row; the second one's
 * snapshot then knows of them. Whatever they replaced is read from their snapshots.
 */
export function rebuildViews(connection: Connection, zone: string): Promise<void> {
  return connection.transaction(async () => {
    await connection.query(
      `insert into causeway.views as held (zone, position, rebuild_to, build) values ($1, '0', '0', 1)
       on conflict (zone) do update set position = '0', build = held.build + 1`,
      [zone],
    );
    await connection.query(`update causeway.views set rebuild_to = ${FINISHED} where zone = $1`, [zone]);
  });
}

export async function awaiting(connection: Connection, zone: string): Promise<Awaiting[]> {
  const rows = await connection.query(
    'select document, ids from causeway.awaiting where zone = $1 order by document',
    [zone],
  );
  return rows.map(({ document, ids }) => ({
    document: document as string,
    ids: JSON.parse(ids as string) as string[],
  }));
}

const AWAIT = `
  insert into causeway.awaiting (zone, document, ids) select $1, * from unnest($2::text[], $3::text[])
  on conflict (zone, document) do update set ids = excluded.ids`;
const ARRIVED = 'delete from causeway.awaiting where zone = $1 and document = any($2::text[])';

const MOVE = `
  update causeway.views set position = $3::xid8 where zone = $1 and position = $2::xid8
  returning build, $2::xid8 < rebuild_to and $3::xid8 >= rebuild_to as rebuilt`;

/** Takes out the mentions of what it changes: MENTION writes them anew. */
const KEEP = `
  with kept as materialized (
    insert into causeway.messages as held
      (zone, channel, id, t, thread, message, author, segment, counted, counting, build, mark)
    select $1, channel, id, t, thread, message, author, segment::int, counted::boolean, counting, $11::int, $12
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
      as given(channel, id, t, thread, message, author, segment, counted, counting)
    on conflict (zone, channel, id) do update set
      t = excluded.t, thread = excluded.thread, message = excluded.message, author = excluded.author,
      segment = excluded.segment, counted = excluded.counted, counting = excluded.counting,
      build = excluded.build, mark = excluded.mark
    where (held.t, held.thread, held.message, held.segment, held.counting, held.build)
      is distinct from (excluded.t, excluded.thread, excluded.message, excluded.segment, excluded.counting, excluded.build)
    returning channel, id, xmax::text <> '0' as changed
  )
  delete from causeway.mentions where ctid = any(array(
    select held.place from kept
    cross join lateral (
      select ctid as place from causeway.mentions m
      where m.zone = $1 and m.channel = kept.channel and m.id = kept.id offset 0
    ) as held
    where kept.changed
  ))`;

const MENTION = `
  insert into causeway.mentions as held (zone, workspace, member, t, id, channel, author, build)
  select $1, *, $8::int from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
  on conflict (zone, workspace, member, t, id, channel) do update set build = excluded.build
  where held.build <> excluded.build`;

/** By their places: nobody else writes messages while this transaction holds the row of the view. */
const remove = (table: string): string => `
  delete from causeway.${table} where ctid = any(array(
    select held.place from unnest($2::text[], $3::text[]) as gone(channel, id)
    cross join lateral (
      select ctid as place from causeway.${table} m
      where m.zone = $1 and m.channel = gone.channel and m.id = gone.id offset 0
    ) as held
  ))`;
const REMOVE = ['messages', 'mentions'].map(remove);

/** Of deleted messages, those that were shown are kept by a trigger; the others so, once. */
const KEEP_GONE = `
  insert into causeway.gone (zone, channel, id)
  select distinct $1, channel, id from unnest($2::text[], $3::text[]) as gone(channel, id)
  on conflict do nothing`;

/** What a finished rebuild has not met is no message any more. */
const SWEEP = ['messages', 'mentions'].map(
  (table) => `delete from causeway.${table} where zone = $1 and build <> $2::int`,
);
/** It reads the whole view. */
const SWEEP_TIMEOUT_MS = 10 * 60_000;

export function project(
  connection: Connection,
  zone: string,
  { from, to, messages, gone, awaiting }: Projection,
): Promise<boolean> {
  return connection.transaction(async () => {
    const [moved] = await connection.query(MOVE, [zone, String(from), String(to)]);
    if (moved === undefined) return false;
    const build = String(moved['build']);
    const rows = [...new Map(messages.map((row) => [`${row.channel}\n${row.message.id}`, row])).values()];
    if (rows.length > 0) await keep(connection, zone, rows, build, `${build}:${to}`);
    if (gone.length > 0)
      for (const statement of REMOVE)
        await connection.query(statement, [
          zone,
          textArray(gone.map(({ channel }) => channel)),
          textArray(gone.map(({ id }) => id)),
        ]);
    const deleted = gone.filter(({ notYet }) => notYet !== true);
    if (deleted.length > 0)
      await connection.query(KEEP_GONE, [
        zone,
        textArray(deleted.map(({ channel }) => channel)),
        textArray(deleted.map(({ id }) => id)),
      ]);
    const [arrived, lacking] = [
      awaiting.filter(({ ids }) => ids.length === 0),
      awaiting.filter(({ ids }) => ids.length > 0),
    ];
    if (arrived.length > 0)
      await connection.query(ARRIVED, [zone, textArray(arrived.map(({ document }) => document))]);
    if (lacking.length > 0)
      await connection.query(AWAIT, [
        zone,
        textArray(lacking.map(({ document }) => document)),
        textArray(lacking.map(({ ids }) => JSON.stringify(ids))),
      ]);
    if (moved['rebuilt'] === true) {
      await connection.query('set local statement_timeout = 0');
      for (const statement of SWEEP) await connection.query(statement, [zone, build], SWEEP_TIMEOUT_MS);
    }
    return true;
  });
}

async function keep(
  connection: Connection,
  zone: string,
  rows: readonly MessageRow[],
  build: string,
  mark: string,
): Promise<void> {
  await connection.query(KEEP, [
    zone,
    textArray(rows.map(({ channel }) => channel)),
    textArray(rows.map(({ message }) => message.id)),
    textArray(rows.map(({ message }) => message.t)),
    textArray(rows.map(({ message }) => message.thread ?? null)),
    textArray(rows.map(({ message }) => JSON.stringify({ ...message, reactions: undefined }))),
    textArray(rows.map(({ message }) => message.author)),
    textArray(rows.map((row) => String(lowestSegment(row)))),
    textArray(rows.map(({ message }) => String(isCounted(message)))),
    textArray(rows.map(countingText)),
    build,
    mark,
  ]);
  const mentions = rows.flatMap((row) => mentionRows(row));
  if (mentions.length === 0) return;
  const columns = MENTION_FIELDS.map((field) => textArray(mentions.map((row) => row[field])));
  await connection.query(MENTION, [zone, ...columns, build]);
}

const page = (which: string): string => `
  select message from causeway.messages where zone = $1 and channel = $2 ${which}
  order by t desc, id desc limit $3::bigint`;
const PAGES = {
  newest: page(''),
  older: page('and (t, id) < ($4, $5)'),
  replies: page('and thread = $4'),
  olderReplies: page('and thread = $4 and (t, id) < ($5, $6)'),
} as const;

export async function viewMessages(
  connection: Connection,
  zone: string,
  channel: string,
  before: Before | undefined,
  limit: number,
  thread?: string,
): Promise<Message[]> {
  const [first, next] =
    thread === undefined ? (['newest', 'older'] as const) : (['replies', 'olderReplies'] as const);
  const parameters = [zone, channel, String(limit), ...(thread === undefined ? [] : [thread])];
  const rows = await (before === undefined
    ? connection.query(PAGES[first], parameters)
    : connection.query(PAGES[next], [...parameters, before.t, before.id]));
  return rows.map((row) => messageIn(row));
}

const ONE = 'select message from causeway.messages where zone = $1 and channel = $2 and id = $3';

export async function viewMessage(
  connection: Connection,
  zone: string,
  { channel, id }: MessagePlace,
): Promise<Message | undefined> {
  const [row] = await connection.query(ONE, [zone, channel, id]);
  return row === undefined ? undefined : messageIn(row);
}

const messageIn = (row: Record<string, unknown>): Message => JSON.parse(row['message'] as string) as Message;

const UNSTATED = 'select exists (select from causeway.messages where zone = $1 and segment is null) as found';

export async function mendViews(connection: Connection, zone: string): Promise<void> {
  const [row] = await connection.query(UNSTATED, [zone]);
  if (row!['found'] !== true) return;
  const { position, rebuildTo } = await viewState(connection, zone);
  if (position >= rebuildTo) await rebuildViews(connection, zone);
}
