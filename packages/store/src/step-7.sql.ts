/** The strong log of each workspace, what may become its next version, and the directory where this region keeps it. */
export const STEP_7 = `
  -- Versions in force, each written once and for ever; the body is JSON.
  create table causeway.changes (
    zone text collate "C" not null,
    workspace text collate "C" not null,
    version bigint not null,
    digest text collate "C" not null,
    body text collate "C" not null,
    at timestamptz not null default now(),
    primary key (zone, workspace, version)
  );
  create index changes_digest on causeway.changes (zone, workspace, digest);

  -- The commands that they carried out: a repeat is recognised by it.
  create table causeway.change_ids (
    zone text collate "C" not null,
    workspace text collate "C" not null,
    id text collate "C" not null,
    version bigint not null,
    primary key (zone, workspace, id)
  );

  -- Side by side, until their number is applied.
  create table causeway.prepared (
    zone text collate "C" not null,
    workspace text collate "C" not null,
    digest text collate "C" not null,
    version bigint not null,
    body text collate "C" not null,
    id bigint generated always as identity,
    primary key (zone, workspace, digest)
  );

  create table causeway.directory (
    zone text collate "C" not null,
    workspace text collate "C" not null,
    version bigint not null,
    digest text collate "C" not null,
    epoch bigint not null,
    home text collate "C" not null,
    primary key (zone, workspace)
  );
  `;
