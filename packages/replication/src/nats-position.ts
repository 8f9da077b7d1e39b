/** Where a delivered message stands, as the broker writes it into the subject for its acknowledgement. */
export type Position = {
  /** In the stream. */
  sequence: number;
  /** Counted by the consumer from 1: a gap means that a message was lost on the way. */
  delivery: number;
  /** How many more messages the consumer has for us. */
  pending: number;
};

/**
 * Reads both forms (ADR-15 of NATS); the longer one is sent from version 2.15 on.
 *
 *   $JS.ACK.<stream>.<consumer>.<times>.<sequence>.<delivery>.<time>.<pending>
 *   $JS.ACK.<domain>.<account>.<stream>.<consumer>.<times>.<sequence>.<delivery>.<time>.<pending>[.<more>]
 */
export function readPosition(reply: string | undefined): Position | undefined {
  if (reply?.startsWith('$JS.ACK.') !== true) return undefined;
  const tokens = reply.split('.');
  const at = tokens.length === 9 ? 5 : 7;
  const [sequence, delivery, , pending] = tokens.slice(at, at + 4).map(Number);
  if (sequence === undefined || delivery === undefined || pending === undefined) return undefined;
  return Number.isSafeInteger(sequence + delivery + pending) ? { sequence, delivery, pending } : undefined;
}
