export * from './hybrid-time.ts';
export * from './ports.ts';
export { OTHERS_WAIT_MS } from './scheduler.ts';
export { bucketOf, canonicalState, documentDigest, scopeDigest } from './digest.ts';
export { CanvasRights, rightIn } from './canvas-rights.ts';
export { directMembers } from './commands/direct.ts';
export { Compactor, type CompactorCounts } from './compactor.ts';
export { Difference } from './difference.ts';
export { Feed, type FeedCursor, type FeedListener, type FeedPage } from './feed.ts';
export { generationOf } from './generations.ts';
export { integrate } from './integrate.ts';
export { mergeCell, wins, type CellListener } from './cells.ts';
export { reactionsIn } from './history.ts';
export type { DocumentListener, LiveDocument } from './live-document.ts';
export { ZonePresence } from './presence/presence.ts';
export type { PresenceSession } from './presence/sessions.ts';
export type { Share, ShareListener } from './presence/shares.ts';
export type { TypingListener } from './presence/typing.ts';
export type { PresenceListener, PresenceWatch } from './presence/watches.ts';
export { rebuildViews, type RebuildEvents } from './rebuild.ts';
export type { Notice } from './notice.ts';
export type { Pipe } from './peers.ts';
export {
  sameRecord,
  type Directory,
  type Founding,
  type NamedHead,
  type StrongStore,
} from './strong/ports.ts';
export { FirstRegionDirectory } from './strong/first-region-directory.ts';
export type { ReachedChannel } from './strong/reach.ts';
export { WorkspaceState, type Applied, type Audience, type ChannelState } from './strong/state.ts';
export { Strong } from './strong/strong.ts';
export { Replica, type Reader, type ReplicaOptions } from './replica.ts';
export { Segment, type Copy } from './segment.ts';
export { Tally, type Unread, type UnreadReader } from './unread.ts';
export { indexUpdate } from './segment-index.ts';
export { SEGMENT, highestTop, topKey } from './segment-rule.ts';
export { newestFirst, unionOf } from './union.ts';
