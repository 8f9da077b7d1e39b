import postgres from 'postgres';
import { WorldError } from '../error.ts';

const DUPLICATE_DATABASE = '42P04';

/**
 * The database of a region in a Postgres server that is there already (`DATABASE_URL`), created
 * when it is missing. Its name is `causeway_<region>` with `_` for `-`.
 */
export async function existingDatabase(serverUrl: string, region: string): Promise<string> {
  const name = `causeway_${region.replaceAll('-', '_')}`;
  const sql = postgres(parse(serverUrl).href, { max: 1, onnotice: () => undefined, connect_timeout: 10 });
  try {
    const found = await sql`select 1 from pg_database where datname = ${name}`;
    if (found.length === 0) await sql`create database ${sql(name)}`;
  } catch (error) {
    if (!isDuplicate(error))
      throw new WorldError(
        `Cannot use the Postgres of DATABASE_URL for ${region}: ${(error as Error).message}. ` +
          'Put its address right, or unset DATABASE_URL to have Postgres started here.',
        { cause: error },
      );
  } finally {
    await sql.end({ timeout: 5 });
  }
  const url = parse(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Two worlds that start at once may both find it missing. */
const isDuplicate = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.code === DUPLICATE_DATABASE;

function parse(serverUrl: string): URL {
  try {
    return new URL(serverUrl);
  } catch {
    throw new WorldError(
      'DATABASE_URL is not a URL; it looks like postgres://user:password@host:5432/postgres.',
    );
  }
}
