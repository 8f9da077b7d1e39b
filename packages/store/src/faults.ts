import { Doubtful, Refused, Unavailable } from '@causeway/replica';
import postgres from 'postgres';

/** A database that acknowledges what it may lose, or that this program must not use as it is. */
export class UnfitDatabase extends Unavailable {
  override name = 'UnfitDatabase';
  readonly reason: 'fsync' | 'synchronous_commit' | 'encoding' | 'access';

  constructor(reason: UnfitDatabase['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** SQLSTATE classes of statements that were rolled back for their data: value, constraint, size. */
const DATA = new Set(['22', '23', '54']);
/** Classes of statements that were rolled back for other reasons (conflicts, resources, locks, operators, rights). */
const ROLLED_BACK = new Set(['0A', '25', '26', '28', '3D', '3F', '40', '42', '53', '55', '57']);
const COMPLETION_UNKNOWN = '40003';

/**
 * What became of a statement that was sent. An error that Postgres reports and survives has rolled
 * back; a broken connection, an error that ended the session (the client reports that as a broken
 * connection), I/O and internal errors say nothing about the commit.
 *
 * Only the code is passed on: Postgres' messages and details quote rows, and logs must not.
 */
export function faultOf(error: unknown): Refused | Unavailable | Doubtful {
  if (error instanceof Refused || error instanceof Unavailable || error instanceof Doubtful) return error;
  if (!(error instanceof postgres.PostgresError))
    return new Doubtful(`the connection to Postgres broke (${codeOf(error)})`);
  const { code, routine } = error;
  const what = `${code} ${routine ?? ''}`.trim();
  const kind = code.slice(0, 2);
  if (DATA.has(kind)) return new Refused(`Postgres refuses the data (${what})`);
  if (ROLLED_BACK.has(kind) && code !== COMPLETION_UNKNOWN)
    return new Unavailable(`Postgres rolled back (${what})`);
  return new Doubtful(`Postgres failed (${what})`);
}

/** Why no connection came about; the messages are about servers and roles, not about rows. */
export function connectFaultOf(error: unknown): Unavailable {
  if (error instanceof Unavailable) return error;
  const message = error instanceof Error && error.message !== '' ? error.message : codeOf(error);
  if (error instanceof postgres.PostgresError && ['28', '3D'].includes(error.code.slice(0, 2)))
    return new UnfitDatabase('access', message);
  return new Unavailable(`no connection to Postgres: ${message}`);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);
