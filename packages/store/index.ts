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
export {
  type Base,
  type ConflictKind,
  conflict,
  formatConflict,
  known,
  type Merge,
  type MergeConflict,
  type Optional,
} from './content/merge.ts';
export { Repository, type RepositoryOptions } from './repository.ts';
