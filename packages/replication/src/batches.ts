import type { Delivery } from '@causeway/replica';

/** Bounds of what `deliver` gets at once: what one transaction of a receiver takes well. */
export const BATCH = { messages: 500, bytes: 1024 * 1024 } as const;

/** How many of the first messages make one batch: at least one, so that a large message passes. */
export function batchLength(messages: readonly Pick<Delivery, 'bytes'>[]): number {
  let bytes = 0;
  let count = 0;
  for (const message of messages) {
    bytes += message.bytes.length;
    if (count > 0 && (bytes > BATCH.bytes || count === BATCH.messages)) break;
    count++;
  }
  return count;
}
