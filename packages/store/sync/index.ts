/** Stores that are kept the same over a channel of messages. Read first: README.md. */

export { type Later, SyncClient, type SyncClientOptions, type SyncState } from './sync-client.ts';
export type { SyncChannel, SyncChannelHandler } from './sync-link.ts';
export {
  formatSyncMessage,
  parseSyncMessage,
  SYNC_PROTOCOL,
  type SyncMessage,
} from './sync-message.ts';
export { SyncServer, type SyncServerOptions } from './sync-server.ts';
