import { contentId } from '@causeway/protocol';

/** Into what this region publishes, and how far the stream has come. One per zone. */
export type Publishing = {
  incarnation: string;
  stream: string;
  /** Of the database. */
  identity: string;
  generation: number;
  /** The highest that the stream gave, or had when it was adopted. */
  sequence: number;
};

/**
 * The same incarnation while stream and database are the same and the stream ends where it did or
 * later; otherwise one that never was.
 */
export function adopted(
  before: Publishing | undefined,
  {
    stream,
    identity,
    lastSequence,
    given,
  }: { stream: string; identity: string; lastSequence: number; given: number },
): Publishing {
  const isSame = before?.stream === stream && before.identity === identity;
  // What another process was given since the stream was looked at is no sign of a loss.
  if (isSame && lastSequence >= Math.min(before.sequence, given)) return before;
  const generation = (before?.generation ?? 0) + 1;
  return {
    incarnation: contentId([stream, identity, generation]),
    stream,
    identity,
    generation,
    sequence: lastSequence,
  };
}
