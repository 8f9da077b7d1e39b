/**
 * Numbers of commits, states with their digests, views, and what publishing knows of its stream.
 *
 * What is there already has no number of a commit. It gets numbers spread over those given so far,
 * in order of ids, so that a reader from the beginning meets portions of about the size in which
 * it was written and not everything at once; a column with this default would give all of it one.
 */
export const STEP_2 = `
  -- Which transaction wrote the row; the order of commits is read from it (tail.ts).
  alter table causeway.log
    add column commit xid8 not null default '1',
    add column snapshot boolean not null default false;
  alter table causeway.cells add column commit xid8 not null default '1';
  do $$
  declare
    before numeric := greatest(pg_current_xact_id()::text::numeric - 1, 1);
    highest numeric := (select greatest(max(id), 1) from causeway.log);
  begin
    if exists (select from causeway.log) then
      execute format(
        'alter table causeway.log alter commit drop default, alter commit type xid8
           using greatest(ceil(id * %s::numeric / %s), 1)::text::xid8', before, highest);
    end if;
    if exists (select from causeway.cells) then
      execute format(
        'alter table causeway.cells alter commit drop default, alter commit type xid8
           using (1 + abs(hashtextextended(scope || key, 0)::numeric %% %s))::text::xid8', before);
    end if;
  end $$;
  alter table causeway.log alter commit set default pg_current_xact_id();
  alter table causeway.cells alter commit set default pg_current_xact_id();
  create index log_commit on causeway.log (zone, commit);
  create index cells_commit on causeway.cells (zone, commit);

  -- bucketOf of the replica: FNV-1a over the bytes of a name, which is ASCII. For this step and the triggers of step 4.
  create function causeway.bucket_of(name text) returns int language plpgsql immutable as $$
  declare
    units bytea := convert_to(name, 'UTF8');
    hash bigint := 2166136261;
  begin
    for at in 0 .. length(units) - 1 loop
      hash := ((hash # get_byte(units, at)) * 16777619) & 4294967295;
    end loop;
    return hash % 1024;
  end $$;

  -- One row per document and per scope of cells. Without a digest it is out of date.
  create table causeway.states (
    zone text collate "C" not null,
    name text collate "C" not null,
    bucket int not null,
    digest bigint,
    changes bigint not null,
    rows int not null,
    bytes bigint not null,
    commit xid8 not null,
    at timestamptz not null,
    primary key (zone, name)
  ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
  insert into causeway.states (zone, name, bucket, changes, rows, bytes, commit, at)
  select zone, name, causeway.bucket_of(name), 1, sum(rows), sum(bytes), max(commit::text::bigint)::text::xid8, now()
  from (
    select zone, name, count(*) as rows, sum(octet_length(bytes)) as bytes, max(commit::text::bigint) as commit
    from causeway.log group by zone, name
    union all
    select zone, scope, 0, 0, max(commit::text::bigint) from causeway.cells group by zone, scope
  ) as held
  group by zone, name;
  -- What the compactor sorts. An index in its order would hold what every write changes, and cost every write an entry.
  create index states_stale on causeway.states (zone, name) where digest is null;
  -- Everything that comparing buckets reads, so that it reads no table.
  create index states_bucket on causeway.states (zone, bucket, name) include (digest);

  -- How far the view of messages has come; build numbers its rebuilds. One row per zone.
  create table causeway.views (
    zone text collate "C" primary key,
    position xid8 not null,
    rebuild_to xid8 not null,
    build int not null
  ) with (fillfactor = 50);

  -- Messages as readers see them, without reactions, as JSON. One row per message.
  create table causeway.messages (
    zone text collate "C" not null,
    channel text collate "C" not null,
    id text collate "C" not null,
    t text collate "C" not null,
    thread text collate "C",
    message text not null,
    build int not null,
    primary key (zone, channel, id)
  ) with (fillfactor = 90);
  create index messages_page on causeway.messages (zone, channel, t desc, id desc);

  -- Into what this region publishes, and how far the stream has come. One row per zone; takes the
  -- place of incarnation, which only the version before writes.
  create table causeway.publishing (
    zone text collate "C" primary key,
    incarnation text not null,
    stream text not null,
    identity text not null,
    generation int not null,
    sequence bigint not null
  ) with (fillfactor = 50);

  alter table causeway.outbox add column bytes int;
  update causeway.outbox o set bytes = coalesce(octet_length(o.cells),
    (select octet_length(l.bytes) from causeway.log l where l.zone = o.zone and l.name = o.name and l.id = o.log_id));
  -- The number of a row is that of its row of the log, but for those that the version before has
  -- put into the outbox again. Compaction looks for both.
  create index outbox_again on causeway.outbox (zone, log_id) where log_id <> seq;

  alter table causeway.parked add column peer text collate "C" not null default '';
  create index parked_id on causeway.parked (zone, id);
  `;
