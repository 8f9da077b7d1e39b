import { mentionsIn } from '@causeway/protocol';
import type { CopyPlace, MessageRow } from './ports.ts';
import type { Copy, Segment } from './segment.ts';
import { unionOf } from './union.ts';

/** What one segment knows of a message, and where its posts are there. */
export type PlacedCopy = Copy & { places: CopyPlace[] };

export const placedCopy = (segment: Segment, number: number, id: string): PlacedCopy => ({
  ...segment.copy(id),
  places: segment.postPositions(id).map((position) => ({ segment: number, ...position })),
});

/**
 * A message for the view, from its copies in all segments: `undefined` when it is deleted or not
 * here. Its time stays raw: only a reader knows what is the future (R14).
 */
export function rowOf(channel: string, copies: readonly PlacedCopy[]): MessageRow | undefined {
  const message = unionOf(copies, Number.POSITIVE_INFINITY);
  if (message === undefined) return undefined;
  const places = copies.flatMap((copy) => copy.places).sort(byPlace);
  return { channel, message, mentions: mentionsIn(message.body), copies: places };
}

const byPlace = (a: CopyPlace, b: CopyPlace): number =>
  a.segment - b.segment || a.client - b.client || a.clock - b.clock;
