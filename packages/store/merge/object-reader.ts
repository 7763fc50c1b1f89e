/**
 * What merging needs of a repository: objects, parsed. Repository implements it with its caches;
 * ObjectDraft (object-draft.ts) lays new objects over one that aren't written yet.
 */

import type { Result } from '#core';
import type { BackendError, ObjectFault, ObjectHash, ObjectId, ObjectKind } from '#git';
import type { CommitObject, TreeTable } from '#git/wire';

/** Why an object that something names can't be read. */
export type ReadFault =
  /** Nobody has it: something names it, so the store isn't whole. */
  | { readonly kind: 'dangling'; readonly id: ObjectId }
  | {
      readonly kind: 'wrong kind';
      readonly id: ObjectId;
      readonly want: ObjectKind;
      readonly have: ObjectKind;
    }
  | { readonly kind: 'malformed'; readonly id: ObjectId; readonly fault: ObjectFault }
  | { readonly kind: 'backend'; readonly error: BackendError };

/** No call rejects. What they give is shared and never changed. */
export interface ObjectReader {
  readonly hash: ObjectHash;
  commit(id: ObjectId): Promise<Result<CommitObject, ReadFault>>;
  /** The empty tree is there without being kept. */
  tree(id: ObjectId): Promise<Result<TreeTable, ReadFault>>;
  blob(id: ObjectId): Promise<Result<Uint8Array, ReadFault>>;
  /** Whether the history ends at this commit, whatever parents it names; absent: at none. */
  isShallow?(commit: ObjectId): boolean;
}
