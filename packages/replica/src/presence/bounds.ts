/** Bounds of presence in one process, and its times in milliseconds. */
export const BOUNDS = {
  /** Members whose state this process announces; of another process as many are believed. */
  members: 20_000,
  /** Members of all other processes of the zone together. Of a process that does not fit nothing is shown. */
  membersElsewhere: 200_000,
  /** Other processes remembered at once, and those that said goodbye, whose late words are not believed. */
  processes: 256,
  departed: 1_000,
  /** Members that one watch names. */
  watched: 1_000,
  /** Entries in one message. */
  entries: 1_000,
  /** How often in a beat all of a roster, or of a part of a topic, is told to those who asked. */
  wholesInBeat: 3,
  /** Topics that this process shares with others. */
  topics: 20_000,
  /** People who type in one channel, and those remembered so that they are not announced too often. */
  typing: 100,
  typists: 10_000,
} as const;

export const TIMES = {
  /** Transitions are gathered for so long. */
  batchMs: 50,
  beatMs: 1_000,
  /** Beats between two renewals of a lease, and after which an unrenewed one is over. */
  leaseBeats: 5,
  lapseBeats: 15,
  /** Beats until an unanswered question is asked again. */
  askBeats: 2,
  /** Beats of silence after which what another process said about a topic is asked for again. */
  silentBeats: 30,
  /** How long somebody types without saying so again, and how often that is announced at most. */
  typingMs: 6_000,
  typingEveryMs: 1_000,
} as const;
