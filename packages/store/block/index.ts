export { BlockBackend, type BlockStoreStats, type RunningCollection } from './block-backend.ts';
export { type CheckProblem, type CheckReport, formatCheckProblem } from './check.ts';
export type { Collected, CollectOptions } from './collect/collector.ts';
export { formatOpenError, type OpenError, type StoreParts } from './open-store.ts';
export type { Rebuilt } from './repair.ts';
