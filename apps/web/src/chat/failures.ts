import type { ChannelSnapshot, OutboxEntry } from '@causeway/client';

/** What failed for a message that is not in sight, or for none. */
export function failuresWithoutMessage(
  outbox: readonly OutboxEntry[],
  snapshot: ChannelSnapshot | undefined,
): OutboxEntry[] {
  const shown = new Set(snapshot?.messages.map(({ pending }) => pending?.id));
  return outbox.filter(({ id, state }) => state === 'failed' && !shown.has(id));
}
