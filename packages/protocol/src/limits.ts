/** Every bound that a client can meet, with its unit. Bounds of servers stand beside what they bound. */
export const LIMITS = {
  /** Characters (UTF-16 units) in the body of a message. */
  bodyChars: 40_000,
  /** Characters in a channel's topic or a canvas' title. */
  titleChars: 250,
  /** Characters in the name of a reaction. */
  emojiChars: 64,
  /** Edits of one message; the next is refused. */
  editsPerMessage: 200,
  /** Bytes of one HTTP request body. */
  requestBytes: 256 * 1024,
  /** Bytes of one WebSocket frame from a client. */
  frameBytes: 512 * 1024,
  /** Bytes of a canvas' state, encoded; an update that would exceed it is refused, deleting is not. */
  canvasBytes: 8 * 1024 * 1024,
  /** Read markers in one command. */
  markersPerCommand: 500,
  /** Entries of a token: those of one command, or of several together. */
  tokenEntries: 1_000,
  /** A client's timestamp may be ahead of the server's clock by this many milliseconds. */
  clockSkewMs: 60_000,
} as const;
