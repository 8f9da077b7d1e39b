/**
 * The version of the envelope between regions. A region reads every version up to its own and
 * keeps what is newer unread until it is upgraded, so regions are upgraded one after another.
 *
 * 1  2026-11-22  updates, cells, heartbeats
 */
export const ENVELOPE_VERSION = 1;
