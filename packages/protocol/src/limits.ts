/** Every bound that a client can meet, with its unit. Bounds of servers stand beside what they bound. */
export const LIMITS = {
  /** Characters (UTF-16 units) in the body of a message. */
  bodyChars: 40_000,
  /** Characters in a channel's topic or purpose, or in the title of a canvas or of a version. */
  titleChars: 250,
  /** Characters in the name of a reaction. */
  emojiChars: 64,
  /** Different emoji on one message, and those of one member on it. Cut regions may exceed it together; what is there stays. */
  emojiPerMessage: 50,
  emojiPerMember: 20,
  /** Different emoji that one member may ever have put on one message, those taken back included. */
  emojiEverPerMember: 100,
  pinsPerChannel: 100,
  /** Members of a direct channel, the one who opens it included. */
  directMembers: 9,
  /** Direct channels of one member, whoever opened them. */
  directPerMember: 4_000,
  draftsPerMember: 500,
  /** Characters of all drafts of a member. */
  draftChars: 1_000_000,
  /** Messages of a member that wait for their time. */
  scheduledPerMember: 200,
  /** How far ahead a message may be scheduled, milliseconds: a year. */
  scheduleAheadMs: 366 * 86_400_000,
  /** Private cells of a member of each kind, in use or not: channels joined, threads followed, drafts, messages once scheduled. */
  cellsPerMember: 20_000,
  /** Rights that are given for one canvas. */
  rightsPerCanvas: 1_000,
  versionsPerCanvas: 100,
  /** Restores of one canvas, ever: each leaves a cell. */
  restoresPerCanvas: 10_000,
  canvasesPerWorkspace: 20_000,
  /** New versions of one canvas, and restores of it, in a minute. */
  versionsPerMinute: 10,
  /** Edits of one message; the next is refused. */
  editsPerMessage: 200,
  /** Bytes of one HTTP request body. */
  requestBytes: 256 * 1024,
  /** Bytes of one WebSocket frame from a client. */
  frameBytes: 512 * 1024,
  /** Bytes of a canvas' state, encoded; an update that would exceed it is refused, deleting is not. */
  canvasBytes: 8 * 1024 * 1024,
  /** Members that one message mentions; further names are text. */
  mentionsPerMessage: 200,
  /** Read markers in one command. */
  markersPerCommand: 500,
  /** Entries of a token: those of one command, or of several together. */
  tokenEntries: 1_000,
  /** Channels of a workspace, archived ones included. */
  channelsPerWorkspace: 10_000,
  /** Members of a private channel. */
  membersPerChannel: 5_000,
  /** Members named in one change: invited, or in a new channel from the start. */
  membersPerChange: 100,
  /** Changes that one version of the strong log decides. */
  changesPerVersion: 50,
  /** A client's timestamp may be ahead of the server's clock by this many milliseconds. */
  clockSkewMs: 60_000,
} as const;
