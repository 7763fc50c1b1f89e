export { BlockBackend, type BlockStoreStats } from './block-backend.ts';
export { formatOpenError, type OpenError, type StoreParts } from './open-store.ts';
