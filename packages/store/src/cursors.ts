import type { Cursor } from '@causeway/replica';
import type { Connection } from './connection.ts';

const CURSOR = 'select incarnation, sequence, message_id from causeway.cursors where zone = $1 and peer = $2';

export async function cursor(
  connection: Connection,
  zone: string,
  peer: string,
): Promise<Cursor | undefined> {
  const [row] = await connection.query(CURSOR, [zone, peer]);
  if (row === undefined) return undefined;
  return {
    incarnation: row['incarnation'] as string,
    sequence: Number(row['sequence']),
    messageId: row['message_id'] as string,
  };
}
