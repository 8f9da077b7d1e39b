import type { Connection } from './connection.ts';

// Not pg_control_checkpoint(): after a promotion it names the old timeline until the next checkpoint.
const IDENTITY = `
  select system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || id as identity
  from pg_control_system(), causeway.database`;

/**
 * System identifier, timeline and the id that the first migration drew: a cluster copied from a
 * template has its sibling's system identifier, and a database can be dropped and made anew.
 */
export async function identity(connection: Connection): Promise<string> {
  const [row] = await connection.query(IDENTITY);
  return row!['identity'] as string;
}
