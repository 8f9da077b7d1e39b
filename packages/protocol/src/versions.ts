/**
 * The version of the envelope between regions. A region reads every version up to its own and
 * keeps what is newer unread until it is upgraded, so regions are upgraded one after another. A kind
 * is written in the version that brought it, so that regions of the version before read all the rest.
 *
 * 1  2026-11-22  updates, cells, heartbeats; questions and answers of repair
 * 2  2026-11-26  changes of the strong log; questions and answers about it; what is about a canvas, and its versions. Kinds of version 1 go on as they were
 *
 * A new kind of change (Deed in strong.ts) is a new version too: who cannot read it must not go past it.
 */
export const ENVELOPE_VERSION = 2;
/** What the first kinds are written in. */
export const FIRST_VERSION = 1;
/** What changes of the strong log are written in. */
export const CHANGE_VERSION = 2;

/**
 * The version of what processes say to each other about presence. What is newer is not heard: members of
 * an upgraded process look offline to older ones until these are upgraded too.
 *
 * 1  2026-11-26  rosters, leases, shared topics, typing
 */
export const PRESENCE_VERSION = 1;

/** A question or an answer that this version cannot read. */
export class NewerVersion extends Error {
  override name = 'NewerVersion';
}
