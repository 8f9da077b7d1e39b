/**
 * The version of the envelope between regions. A region reads every version up to its own and
 * keeps what is newer unread until it is upgraded, so regions are upgraded one after another.
 *
 * 1  2026-11-22  updates, cells, heartbeats
 */
export const ENVELOPE_VERSION = 1;

/**
 * The version of what processes say to each other about presence. What is newer is not heard: members of
 * an upgraded process look offline to older ones until these are upgraded too.
 *
 * 1  2026-11-26  rosters, leases, shared topics, typing
 */
export const PRESENCE_VERSION = 1;
