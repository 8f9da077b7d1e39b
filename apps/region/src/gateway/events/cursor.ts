import { CausewayError, base64url, fromBase64url } from '@causeway/protocol';
import type { FeedCursor } from '@causeway/replica';
import { createHash } from 'node:crypto';

const VERSION = 1;
const MOST_CHARS = 512;

/** A cursor as text: base64url of JSON. Clients treat it as opaque; nobody is harmed by one that is made up. */
export function encodeCursor({ region, database, commit, whole }: FeedCursor): string {
  return base64url(
    new TextEncoder().encode(JSON.stringify([VERSION, region, nameOf(database), commit, whole])),
  );
}

/** Reads what `encodeCursor` wrote, by whatever region; `database` must be given its name to be compared. */
export function decodeCursor(text: string): FeedCursor {
  if (text.length > MOST_CHARS) throw notACursor();
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64url(text)));
  } catch {
    throw notACursor();
  }
  const [version, region, database, commit, whole] = Array.isArray(fields) ? (fields as unknown[]) : [];
  if (
    version !== VERSION ||
    typeof region !== 'string' ||
    typeof database !== 'string' ||
    !isCount(commit) ||
    !isCount(whole)
  )
    throw notACursor();
  return { region, database, commit, whole };
}

/** Short, and says nothing about the server that it comes from. */
export const nameOf = (database: string): string =>
  createHash('sha256').update(database).digest('base64url').slice(0, 10);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const notACursor = (): CausewayError =>
  new CausewayError('invalid-request', 'this is not a cursor that an event gave; connect without one');
