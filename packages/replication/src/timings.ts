/** How long the buses wait, in milliseconds; both keep the same, so that simulations mean something. */
export const TIMINGS = {
  /** A peer's stream that is silent for this long is lost: three missed heartbeats. */
  silenceMs: 3_000,
  /** A publish that the broker has not acknowledged by then is in doubt. */
  publishMs: 5_000,
  /** A peer's answer to hello. */
  helloMs: 2_000,
  /** Between two words of who answers a question, or of who asks it. */
  askMs: 5_000,
} as const;
