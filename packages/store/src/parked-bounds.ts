/**
 * How much one zone keeps parked. At one of the bounds a batch's further messages are dropped, its
 * rows and cursor are not: repair fetches from the peer what they would have brought.
 */
export const PARKED = { rows: 100_000, bytes: 256 * 1024 * 1024 } as const;
