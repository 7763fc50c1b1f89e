export {
  CONTENT_FILES_MAX,
  CommitContent,
  type ContentError,
  type ContentOptions,
  formatContentError,
} from './commit-content.ts';
export type { Commit, CommitInfo, CommitOptions, Person } from './commit-info.ts';
export * as combinators from './content/combinators.ts';
export {
  type AnyContentType,
  type Codec,
  type ContentFault,
  type ContentType,
  contentFault,
  type ValueOf,
} from './content/content-type.ts';
export { type Equal, equalPlain } from './content/equal.ts';
export { emitJson, type Json, type JsonObject, jsonMerge, parseJson } from './content/json.ts';
export {
  type Base,
  type ConflictKind,
  conflict,
  formatConflict,
  known,
  type Merge,
  type MergeConflict,
  type Optional,
  partBase,
} from './content/merge.ts';
export * as stock from './content/stock.ts';
export { addItems, counter, countOf, multiset } from './data/counter.ts';
export type { Form, FormFault, FormValue } from './data/form.ts';
export * as form from './data/form.ts';
export {
  type LinkedEntry,
  LinkedLog,
  type LinkedLogFault,
  type LinkedLogShape,
  type LogPage,
  linkedLog,
} from './data/linked-log.ts';
export { type EntryLog, emptyLog, keepSince, type LogEntry, log } from './data/log.ts';
export { type Note, type Noted, noted, notedContent } from './data/noted.ts';
export { notedJson } from './data/noted-json.ts';
export { insertAt, type OrderedList, orderedList, removeAt } from './data/ordered-list.ts';
export { isPosition, positionBetween } from './data/position.ts';
export { type Register, register, write } from './data/register.ts';
export {
  emptyJson,
  type JsonConflict,
  jsonConflicts,
  jsonOf,
  type SharedJson,
  settleJson,
  sharedJson,
  withJson,
} from './data/shared-json.ts';
export { type SharedText, sharedText, textOf, withText } from './data/shared-text.ts';
export { type Table, table } from './data/table.ts';
export { newTag } from './data/tag.ts';
export {
  addElement,
  put,
  removeElement,
  removeKey,
  type TaggedMap,
  type TaggedSet,
  taggedMap,
  taggedSet,
  valueAt,
  versions,
} from './data/tagged-map.ts';
export {
  characters,
  characterText,
  hasMarks,
  lines,
  lineText,
  markedLines,
  mergeItems,
} from './data/text.ts';
export {
  formatPullError,
  type PullError,
  type Pulled,
  type PullOptions,
  type PullStrategy,
  pull,
  push,
  type StorePushOptions,
} from './exchange.ts';
export { formatHistoryFault, type HistoryFault } from './history/commit-graph.ts';
export type { AncestorLimits } from './history/common-ancestors.ts';
export type { WalkOptions } from './history/walk.ts';
export type { LastModifiedOptions } from './last-modified.ts';
export type { MergeFault } from './merge/commit-merge.ts';
export type { ReadFault } from './merge/object-reader.ts';
export type { Side, TreeConflict, TreeMergeFault } from './merge/tree-merge.ts';
export { checkPath, formatPath, isStep, type Path, parsePath } from './path.ts';
export {
  formatProofFault,
  type Outcome,
  type ProduceError,
  type ProofFault,
  type ProofLimits,
  type Provable,
  produceProof,
  verifyProof,
} from './proof/prove.ts';
export type { RawShape } from './raw-schema.ts';
export { Repository, type RepositoryOptions, type Tag } from './repository.ts';
export {
  type ContentAt,
  defineSchema,
  type PathOf,
  Schema,
  type Shape,
  type ShapeAt,
  type Steps,
  type TreePathOf,
} from './schema.ts';
export {
  exportSlice,
  importObjects,
  type Slice,
  type SliceError,
  type SliceOptions,
} from './slice.ts';
export { Store, type StoreView, type TestWas, type TransactionOptions } from './store.ts';
export {
  type AbsentError,
  formatStoreError,
  type StoreError,
  type TreeError,
} from './store-error.ts';
export { StoreKv, type StoreKvOptions } from './store-kv.ts';
export type { MergeWithOptions, RevertOptions } from './store-merge.ts';
export type { Committed } from './transaction.ts';
export { type Listed, Tree } from './tree/tree.ts';
export type { DiffSide, TreeChange } from './tree/tree-diff.ts';
export type { EntryKind, TreeItem, TreeStats, WalkTreeOptions } from './tree/tree-walk.ts';
export type { Edited, EditTree, Strategy } from './tree-attempt.ts';
export type { HeadChange, StopWatch, Watch, WatchFault, WatchOptions } from './watches.ts';
export {
  emitProof,
  formatProof,
  type Proof,
  parseProof,
  proofBytes,
  proofSize,
} from './wire/proof.ts';
