import { CausewayError, ERRORS } from '@causeway/protocol';
import { backoffMs, pause } from './backoff.ts';

/**
 * Whether the same request may succeed at the same region later. A region that shuts down comes
 * back under its address; a workspace that lives elsewhere does not come here.
 */
export const isRetryable = ({ code }: CausewayError): boolean =>
  ERRORS[code].next === 'retry' || code === 'shutting-down';

/** Any failure as one of the closed set; what we do not know may go away by itself. */
export const asCausewayError = (cause: unknown): CausewayError =>
  cause instanceof CausewayError
    ? cause
    : new CausewayError('internal', cause instanceof Error ? cause.message : 'something broke in the client');

/** Milliseconds until the next attempt: never before the server said, and spread out. */
export function waitMs(error: CausewayError, attempts: number, random: () => number): number {
  return Math.max((error.retryAfter ?? 0) * 1_000, backoffMs(attempts, random));
}

/**
 * Repeats `work` until it succeeds. Rejects with the first error that a repeat cannot mend, or with
 * the last one when the signal fires.
 */
export async function retrying<T>(
  work: () => Promise<T>,
  {
    signal,
    random,
    failed,
  }: { signal: AbortSignal; random: () => number; failed?(error: CausewayError): void },
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await work();
    } catch (cause) {
      const error = asCausewayError(cause);
      if (signal.aborted || !isRetryable(error)) throw error;
      failed?.(error);
      await pause(waitMs(error, attempts, random), signal);
      if (signal.aborted) throw error;
    }
  }
}
