export { CanvasText, type CanvasSnapshot, type TextChange } from './canvas-text.ts';
export { ChannelFeed, type ChannelSnapshot } from './channel-feed.ts';
export { ClientClock } from './client-clock.ts';
export { Client, connect, type ConnectOptions } from './client.ts';
export type { ConnectionStatus } from './connected-document.ts';
export { Outbox, type OutboxEntry } from './outbox.ts';
export { RegionApi, type ChannelInfo, type ChannelName, type WorkspaceInfo } from './region-api.ts';
export { asCausewayError, isRetryable, retrying } from './retryable.ts';
export type { ShownMessage } from './shown-messages.ts';
