/** `morgana/sync`: stores that browsers and others keep the same as ours, over WebSockets. */

export { SyncClient, type SyncClientOptions, type SyncState } from '#store/sync';
export { type SyncOptions, syncClient } from './sync/sync-client.ts';
export { SyncHandler, type SyncHandlerOptions } from './sync/sync-handler.ts';
export { webSocketChannel } from './sync/web-socket-channel.ts';
