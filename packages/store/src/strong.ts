import { digestOf, type DirectoryRecord, type Version } from '@causeway/protocol';
import type { NamedHead } from '@causeway/replica';
import { textArray } from './array-literal.ts';
import type { Connection, Fields } from './connection.ts';
import { PREPARED } from './prepared-bounds.ts';

/** From one workspace to the next by the primary key: every process asks once a second, whatever the logs hold. */
const HEADS = `
  with recursive named as (
    (select workspace from causeway.changes where zone = $1 order by workspace limit 1)
    union all
    select (
      select next.workspace from causeway.changes next
      where next.zone = $1 and next.workspace > named.workspace order by next.workspace limit 1)
    from named where named.workspace is not null
  )
  select named.workspace, head.version, head.digest from named
  cross join lateral (
    select version, digest from causeway.changes
    where zone = $1 and workspace = named.workspace order by version desc limit 1
  ) as head
  order by named.workspace`;

export async function strongHeads(connection: Connection, zone: string): Promise<NamedHead[]> {
  const rows = await connection.query(HEADS, [zone]);
  return rows.map((row) => ({
    workspace: row['workspace'] as string,
    version: Number(row['version']),
    digest: row['digest'] as string,
  }));
}

const VERSIONS = `
  select body from causeway.changes
  where zone = $1 and workspace = $2 and version > $3::bigint order by version limit $4::int`;

export async function strongVersions(
  connection: Connection,
  zone: string,
  workspace: string,
  after: number,
  limit: number,
): Promise<Version[]> {
  const rows = await connection.query(VERSIONS, [zone, workspace, String(after), String(limit)]);
  return rows.map(versionIn);
}

/**
 * The row is written only while its number is not applied. One that is applied at the same moment may
 * leave it behind: it can never be decided, and goes when the next number is applied. Nothing makes room for
 * one that is kept already: the oldest to go could be that one.
 */
const PREPARE = `
  with open as (
    select 1 where not exists (
      select from causeway.changes where zone = $1 and workspace = $2 and version >= $4::bigint)
  ),
  crowd as (
    delete from causeway.prepared where zone = $1 and workspace = $2 and digest in (
      select digest from causeway.prepared where zone = $1 and workspace = $2
      order by id desc offset ${PREPARED - 1})
    and not exists (
      select from causeway.prepared where zone = $1 and workspace = $2 and digest = $3)
  ),
  kept as (
    insert into causeway.prepared (zone, workspace, digest, version, body)
    select $1, $2, $3, $4::bigint, $5 from open on conflict do nothing
  )
  select exists (select from open) as open`;

export async function prepare(connection: Connection, zone: string, version: Version): Promise<boolean> {
  const [row] = await connection.query(PREPARE, [
    zone,
    version.workspace,
    digestOf(version),
    String(version.version),
    JSON.stringify(version),
  ]);
  return row!['open'] === true;
}

const HELD = `
  select body from causeway.prepared where zone = $1 and workspace = $2 and digest = $3
  union all
  select body from causeway.changes where zone = $1 and workspace = $2 and digest = $3
  limit 1`;

export async function heldVersion(
  connection: Connection,
  zone: string,
  workspace: string,
  digest: string,
): Promise<Version | undefined> {
  const [row] = await connection.query(HELD, [zone, workspace, digest]);
  return row === undefined ? undefined : versionIn(row);
}

/** Of two at once the primary key lets one through; the other one writes nothing. */
const APPLY = `
  with head as (
    select version, digest from causeway.changes where zone = $1 and workspace = $2
    order by version desc limit 1
  ),
  applied as (
    insert into causeway.changes (zone, workspace, version, digest, body)
    select $1, $2, $3::bigint, $4, $6
    where coalesce((select version from head), 0) = $3::bigint - 1
      and coalesce((select digest from head), $5) = $5
    on conflict do nothing returning version
  ),
  named as (
    insert into causeway.change_ids (zone, workspace, id, version)
    select $1, $2, id, version from applied, unnest($7::text[]) as id on conflict do nothing
  ),
  settled as (
    delete from causeway.prepared where zone = $1 and workspace = $2
      and version <= (select version from applied)
  )
  select exists (select from applied) as applied`;

export async function applyVersion(connection: Connection, zone: string, version: Version): Promise<boolean> {
  const [row] = await connection.query(APPLY, [
    zone,
    version.workspace,
    String(version.version),
    digestOf(version),
    version.before,
    JSON.stringify(version),
    textArray(version.changes.map(({ id }) => id)),
  ]);
  return row!['applied'] === true;
}

const VERSION_OF = `select version from causeway.change_ids where zone = $1 and workspace = $2 and id = $3`;

export async function versionOf(
  connection: Connection,
  zone: string,
  workspace: string,
  command: string,
): Promise<number | undefined> {
  const [row] = await connection.query(VERSION_OF, [zone, workspace, command]);
  return row === undefined ? undefined : Number(row['version']);
}

const RECORDS = `
  select workspace, version, digest, epoch, home from causeway.directory
  where zone = $1 and workspace = any($2::text[]) order by workspace`;

export async function directoryRecords(
  connection: Connection,
  zone: string,
  workspaces: readonly string[],
): Promise<Map<string, DirectoryRecord>> {
  const rows = await connection.query(RECORDS, [zone, textArray(workspaces)]);
  return new Map(
    rows.map((row) => [
      row['workspace'] as string,
      {
        version: Number(row['version']),
        digest: row['digest'] as string,
        epoch: Number(row['epoch']),
        home: row['home'] as string,
      },
    ]),
  );
}

/** Under read committed an update that waited for another one looks at the row again: it was there once. */
const COMPARE_AND_SET = `
  with moved as (
    update causeway.directory set version = $7::bigint, digest = $8, epoch = $9::bigint, home = $10
    where zone = $1 and workspace = $2
      and version = $3::bigint and digest = $4 and epoch = $5::bigint and home = $6
    returning 1
  )
  select exists (select from moved) as taken`;

const CREATE = `
  with made as (
    insert into causeway.directory (zone, workspace, version, digest, epoch, home)
    values ($1, $2, $3::bigint, $4, $5::bigint, $6) on conflict do nothing returning 1
  )
  select exists (select from made) as taken`;

export async function setDirectoryRecord(
  connection: Connection,
  zone: string,
  workspace: string,
  expected: DirectoryRecord | undefined,
  next: DirectoryRecord,
): Promise<boolean> {
  const [row] =
    expected === undefined
      ? await connection.query(CREATE, [zone, workspace, ...fieldsOf(next)])
      : await connection.query(COMPARE_AND_SET, [zone, workspace, ...fieldsOf(expected), ...fieldsOf(next)]);
  return row!['taken'] === true;
}

const fieldsOf = ({ version, digest, epoch, home }: DirectoryRecord): string[] => [
  String(version),
  digest,
  String(epoch),
  home,
];

const versionIn = (row: Fields): Version => JSON.parse(row['body'] as string) as Version;
