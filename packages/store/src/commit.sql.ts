import { PARKED } from './parked-bounds.ts';

/**
 * The transaction of append and apply as one statement: one round trip, and autocommit makes it
 * one transaction. Arrays of one group of parameters have equal length; cells, segments and
 * touched messages come folded and in key order (batch.ts).
 *
 * What holds when two of them run at once, as two lanes and the receivers do:
 * - All of them visit the tables in one order, that of the plan (copies, untidy and segments first,
 *   since the answer needs them; cells before states, see there), and the rows of a table in key
 *   order. So they wait for each other and do not deadlock; where two versions of this statement
 *   do, Postgres rolls one back (Unavailable). The others that lock rows of these tables keep to
 *   it: setDigests locks states in name order and nothing else; compact locks rows of the log, for
 *   which no commit ever waits, and then one row of states.
 * - What a commit wrote carries its number (column commit), and whatever it wrote marks its name's
 *   state stale in the same transaction: each document with a new row, and each scope of which a
 *   cell won. Two commits on one name wait for each other there, as those on one segment do.
 * - Whoever touches a message (posts, edits or deletes it) upserts its row of `copies`, even where
 *   nothing in it changes. ON CONFLICT DO UPDATE waits for a transaction that holds the row and then
 *   works on what that one committed, although this statement's snapshot is older. Hence of two
 *   transactions that touch one message the later one sees the copies of both and marks it untidy;
 *   both may, none of them can miss it.
 * - A mark is drawn after the row of `copies` is locked and is never reused, so a look that was
 *   taken before a new reason committed cannot forget it (tidied compares for equality). It is
 *   set, never maximised.
 * - A reader that sees a mark sees the rows of the log that were its reason: they are one commit.
 * What does not hold: numbers from `seq` are drawn before the commit, so a reader can see number 8
 * before number 7. `unpublished` therefore asks for rows of a certain age, and from the beginning.
 */
export const COMMIT = `
with numbered as materialized (
  select ord, name, bytes, member, cells, own, nextval('causeway.seq') as id
  from unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::boolean[])
    with ordinality as r(name, bytes, member, cells, own, ord)
),
touched as materialized (
  select channel, id, posted::int[], written::int[], deleted::int[], by_peer
  from unnest($7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[])
    as r(channel, id, posted, written, deleted, by_peer)
),
copied as (
  insert into causeway.copies as held (zone, channel, id, segments, deleted)
  select $1, channel, id, posted, deleted from touched
  on conflict (zone, channel, id) do update set
    segments = array(select unnest(held.segments) union select unnest(excluded.segments)),
    deleted = array(select unnest(held.deleted) union select unnest(excluded.deleted))
  returning held.channel, held.id, held.segments || held.deleted as places, held.deleted
),
flagged as (
  insert into causeway.untidy (zone, channel, id, mark)
  select $1, channel, id, nextval('causeway.mark') from (
    select c.channel, c.id from copied c join touched t on t.channel = c.channel and t.id = c.id
    where t.by_peer
      or t.written && c.deleted
      or (c.places <> '{}' and array_remove(t.written || t.deleted || c.places, (t.written || t.deleted)[1]) <> '{}')
    order by c.channel, c.id
  ) as reasons
  on conflict (zone, channel, id) do update set mark = excluded.mark
  returning channel, id, mark
),
logged as (
  insert into causeway.log (zone, name, id, bytes, member, own, stated)
  select $1, name, id, bytes, member, own, true from numbered where bytes is not null
),
enqueued as (
  insert into causeway.outbox (zone, seq, name, log_id, cells, bytes)
  select $1, id, name, case when bytes is not null then id end, cells, coalesce(octet_length(bytes), octet_length(cells))
  from numbered where own
),
merged as (
  insert into causeway.cells as held (zone, scope, key, v, value, own, stated)
  select $1, *, true from unnest($13::text[], $14::text[], $15::text[], $16::text[], $17::boolean[])
  on conflict (zone, scope, key) do update set v = excluded.v, value = excluded.value, own = excluded.own,
      commit = excluded.commit
    where (excluded.v, excluded.value) > (held.v, held.value)
  returning scope
),
-- What won among the cells is asked first, for every name: the question merges all of them, and so
-- locks them before the first state. Asked second, it came after some states or none, by what a batch held.
stated as (
  insert into causeway.states as held (zone, name, bucket, changes, rows, bytes, commit, at)
  select $1, name, bucket, 1, rows, bytes, pg_current_xact_id(), now()
  from unnest($32::text[], $33::int[], $34::bigint[], $35::bigint[]) as s(name, bucket, rows, bytes)
  where name in (select scope from merged) or rows > 0
  on conflict (zone, name) do update set
    digest = null,
    changes = held.changes + 1,
    rows = held.rows + excluded.rows,
    bytes = held.bytes + excluded.bytes,
    commit = excluded.commit,
    at = excluded.at
),
counted as (
  insert into causeway.segments as held (zone, channel, segment, posts, bytes, operations, first, last)
  select $1, * from unnest($18::text[], $19::int[], $20::bigint[], $21::bigint[], $22::bigint[], $23::text[], $24::text[])
  on conflict (zone, channel, segment) do update set
    posts = held.posts + excluded.posts,
    bytes = held.bytes + excluded.bytes,
    operations = held.operations + excluded.operations,
    first = least(held.first, excluded.first),
    last = greatest(held.last, excluded.last)
  returning channel, segment, posts, bytes, operations
),
moved as (
  insert into causeway.cursors (zone, peer, incarnation, sequence, message_id)
  select $1, $25, $26, $27::bigint, $28 where $26::text is not null
  on conflict (zone, peer) do update set
    incarnation = excluded.incarnation, sequence = excluded.sequence, message_id = excluded.message_id
),
unparked as (
  delete from causeway.parked where zone = $1 and id = any($36::bigint[])
),
arrived as materialized (
  select name, sha256(bytes) as hash, nextval('causeway.seq') as id, version, bytes
  from unnest($29::text[], $30::int[], $31::bytea[]) as r(name, version, bytes)
),
room as materialized (
  select count(*) < ${PARKED.rows} and coalesce(sum(octet_length(bytes)), 0) < ${PARKED.bytes} as is_there
  from causeway.parked where zone = $1 and exists (select from arrived)
),
parked as (
  insert into causeway.parked (zone, peer, name, hash, id, version, bytes)
  select $1, $25, name, hash, id, version, bytes from arrived
  where (select is_there from room)
  order by name collate "C", hash, id
  on conflict do nothing
)
select
  (select string_agg(id::text, ',' order by ord) from numbered where own) as seqs,
  (select json_agg(json_build_array(channel, id, mark)) from flagged) as untidy,
  (select json_agg(json_build_array(channel, segment, posts, bytes, operations)) from counted) as counted,
  case when exists (select from arrived) then not (select is_there from room) end as unkept,
  pg_current_xact_id()::text as commit`;
