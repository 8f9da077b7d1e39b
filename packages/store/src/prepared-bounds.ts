/**
 * Prepared versions of a workspace that are kept; the oldest leave. One that was decided is among the
 * newest, because nobody proposes its number again who has read the record since.
 */
export const PREPARED = 100;
