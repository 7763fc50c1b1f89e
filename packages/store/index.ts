export * from './content/combinators.ts';
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
export {
  CommitGraph,
  type CommitNode,
  formatHistoryFault,
  type HistoryFault,
} from './history/commit-graph.ts';
export {
  type AncestorLimits,
  lowestCommonAncestors,
  type Relation,
  relationOf,
} from './history/common-ancestors.ts';
export { type WalkOptions, walkHistory } from './history/walk.ts';
export {
  type MergedTree,
  type MergeFault,
  type MergeOptions,
  mergeCommits,
  mergeTrees,
} from './merge/commit-merge.ts';
export { ObjectDraft } from './merge/object-draft.ts';
export type { ObjectReader, ReadFault } from './merge/object-reader.ts';
export type { ContentTypeAt, Side, TreeConflict, TreeMergeFault } from './merge/tree-merge.ts';
export { Repository, type RepositoryOptions } from './repository.ts';
