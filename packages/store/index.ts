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
export { addItems, counter, countOf, multiset } from './data/counter.ts';
export type { Form, FormFault, FormValue } from './data/form.ts';
export * as form from './data/form.ts';
export { type EntryLog, emptyLog, keepSince, type LogEntry, log } from './data/log.ts';
export { insertAt, type OrderedList, orderedList, removeAt } from './data/ordered-list.ts';
export { isPosition, positionBetween } from './data/position.ts';
export { type Register, register, write } from './data/register.ts';
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
