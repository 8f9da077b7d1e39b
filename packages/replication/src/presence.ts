/** Bounds of what is said about presence; both buses keep the same. */
export const PRESENCE = {
  /** One announcement or question; well below what a broker takes. */
  messageBytes: 512 * 1024,
} as const;
