/** Packs. Read first: entry-head.ts (the format), pack-stream.ts (reading). */

export { checkObject } from './check-object.ts';
export { type CommitLinks, commitLinks } from './commit-links.ts';
export { type CompactOptions, type CompactStep, compact, GC_DELTAS } from './compact.ts';
export { crc32 } from './crc32.ts';
export { applyDelta, type DeltaHead, parseDeltaHead } from './delta.ts';
export {
  type DeltaBase,
  ENTRY_HEAD_BYTES_MAX,
  type EntryHead,
  emitEntryHead,
  parseEntryHead,
} from './entry-head.ts';
export type { DeltaOptions } from './find-deltas.ts';
export { type IndexedPack, indexPack, type PackStore } from './index-pack.ts';
export { DeltaBaseIndex, makeDelta } from './make-delta.ts';
export { MemoryPackStore } from './memory-pack-store.ts';
export { formatPackFault, isPackFault, type PackBound, type PackFault } from './pack-fault.ts';
export { PACK_HEAD_BYTES, packHead, parsePackHead } from './pack-head.ts';
export { emitPackIndex, type IndexedEntry, PackIndex } from './pack-index.ts';
export {
  type PackBounds,
  PackStream,
  type PackStreamOptions,
  type PackTools,
  type StreamedEntry,
} from './pack-stream.ts';
export { kindOfRawMode, type RawEntry, readRawEntry } from './raw-tree.ts';
export { type PackRequest, selectObjects, selectSteps, shallowOf } from './select-objects.ts';
export { Selection } from './selection.ts';
export {
  type Unpacked,
  type UnpackOptions,
  type UnpackTarget,
  unpackObjects,
} from './unpack-objects.ts';
export {
  type PackStep,
  PackStopped,
  packPieces,
  packSteps,
  type WriteOptions,
  type WrittenPack,
} from './write-pack.ts';
