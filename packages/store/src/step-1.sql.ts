/** The first tables. Released: never changed. */
export const STEP_1 = `
  -- Names this database beyond its server: clusters copied from one template share their system identifier.
  create table causeway.database (id uuid primary key default gen_random_uuid());
  insert into causeway.database default values;

  -- Numbers rows of the log and of the outbox.
  create sequence causeway.seq;
  -- Numbers reasons to look at a message; a number is never used twice.
  create sequence causeway.mark;

  -- Every update of every document, as received. Grows until compaction.
  create table causeway.log (
    zone text collate "C" not null,
    name text collate "C" not null,
    id bigint not null,
    bytes bytea not null,
    member text collate "C",
    own boolean not null,
    primary key (zone, name, id)
  );
  alter table causeway.log alter bytes set storage external;

  -- What waits for publication: a row of the log, or changed cells as JSON. Emptied by publishing.
  create table causeway.outbox (
    zone text collate "C" not null,
    seq bigint not null,
    name text collate "C" not null,
    log_id bigint,
    cells text collate "C",
    at timestamptz not null default now(),
    primary key (zone, seq),
    check ((log_id is null) <> (cells is null))
  ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

  -- The state of every cell; the value is canonical JSON text. Grows with the keys in use.
  create table causeway.cells (
    zone text collate "C" not null,
    scope text collate "C" not null,
    key text collate "C" not null,
    v text collate "C" not null,
    value text collate "C" not null,
    own boolean not null,
    primary key (zone, scope, key)
  ) with (fillfactor = 80);

  -- Message to segments: where its copies are and where it is deleted. One row per message touched,
  -- also per message that is so far only edited: the row serialises those who touch it (commit.ts).
  create table causeway.copies (
    zone text collate "C" not null,
    channel text collate "C" not null,
    id text collate "C" not null,
    segments int[] not null,
    deleted int[] not null,
    primary key (zone, channel, id)
  ) with (fillfactor = 90);

  -- Per segment: counts of this region's rows, range of everybody's posts. One row per segment.
  create table causeway.segments (
    zone text collate "C" not null,
    channel text collate "C" not null,
    segment int not null,
    posts bigint not null,
    bytes bigint not null,
    operations bigint not null,
    first text collate "C",
    last text collate "C",
    primary key (zone, channel, segment)
  ) with (fillfactor = 50);

  -- Messages that somebody has to look at. Emptied by tidying.
  create table causeway.untidy (
    zone text collate "C" not null,
    channel text collate "C" not null,
    id text collate "C" not null,
    mark bigint not null,
    primary key (zone, channel, id)
  );
  create index on causeway.untidy (zone, mark);

  -- How far each peer's stream has been read. One row per peer.
  create table causeway.cursors (
    zone text collate "C" not null,
    peer text collate "C" not null,
    incarnation text not null,
    sequence bigint not null,
    message_id text not null,
    primary key (zone, peer)
  ) with (fillfactor = 50);

  -- Messages of a newer version, once each. Emptied by the upgrade.
  create table causeway.parked (
    zone text collate "C" not null,
    name text collate "C" not null,
    hash bytea not null,
    id bigint not null default nextval('causeway.seq'),
    version int not null,
    bytes bytea not null,
    primary key (zone, name, hash)
  );

  -- The name under which this region publishes. One row per zone.
  create table causeway.incarnation (
    zone text collate "C" primary key,
    incarnation text not null
  );
  `;
