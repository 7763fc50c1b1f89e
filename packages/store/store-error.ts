/** Why an operation of a store failed: one closed union, each kind with what it takes to go on. */

import { assertNever } from '#core';
import {
  type BackendError,
  formatBackendError,
  formatRefConflict,
  type ObjectId,
  type RefConflict,
} from '#git';
import type { ContentFault } from './content/content-type.ts';
import { formatConflict } from './content/merge.ts';
import { formatHistoryFault } from './history/commit-graph.ts';
import type { MergeFault } from './merge/commit-merge.ts';
import type { ReadFault } from './merge/object-reader.ts';
import { formatPath, type Path } from './path.ts';

/** Reading failed. */
export type TreeError =
  | ReadFault
  /** The schema has no such path, or it isn't one at all. */
  | { readonly kind: 'bad path'; readonly path: Path; readonly why: string }
  /** Another program or version wrote what is there. */
  | { readonly kind: 'undecodable'; readonly path: Path; readonly fault: ContentFault };

/** Nothing is there. */
export interface AbsentError {
  readonly kind: 'absent';
  readonly path: Path;
}

export type StoreError =
  | TreeError
  | MergeFault
  /** Not the name of a branch or of a tag. */
  | { readonly kind: 'bad name'; readonly name: string }
  /** Others were quicker, each time. */
  | { readonly kind: 'too many retries'; readonly retries: number }
  /** The branch's or tag's name doesn't fit beside another one's, or is taken. */
  | { readonly kind: 'refused'; readonly conflict: RefConflict }
  /** The store has no commit yet, or the branch is gone. */
  | { readonly kind: 'no head' }
  /** Neither comes from the other, so a branch can't just be moved. */
  | { readonly kind: 'not a fast-forward'; readonly from: ObjectId; readonly to: ObjectId };

/** What a backend refused to do with refs, as a store tells it. */
export function refError(error: RefConflict | BackendError): StoreError {
  if (error.kind === 'moved' || error.kind === 'in the way') {
    return { kind: 'refused', conflict: error };
  }
  return { kind: 'backend', error };
}

/** One sentence's end, without a dot. */
export function formatStoreError(error: StoreError | AbsentError): string {
  switch (error.kind) {
    case 'bad path':
      return `"${formatPath(error.path)}" is no path here: ${error.why}`;
    case 'undecodable':
      return `${formatPath(error.path)} isn't ${error.fault.type}: ${error.fault.message}`;
    case 'absent':
      return `nothing is at ${formatPath(error.path)}`;
    case 'bad name':
      return `"${error.name}" can't be a name`;
    case 'too many retries':
      return `others were quicker ${error.retries} times`;
    case 'refused':
      return formatRefConflict(error.conflict);
    case 'no head':
      return 'there is no commit';
    case 'not a fast-forward':
      return `${error.to} doesn't come from ${error.from}`;
    case 'backend':
      return formatBackendError(error.error);
    case 'conflict': {
      const [first] = error.conflicts;
      const where = first === undefined ? '' : `, the first at ${formatPath(first.path)}`;
      const why = first === undefined ? '' : `: ${formatConflict(first.reason)}`;
      return `${error.count} conflicts${where}${why}`;
    }
    case 'too many bases':
      return `the common ancestors take more than ${error.basesMax} merges`;
    case 'dangling':
    case 'wrong kind':
    case 'malformed':
    case 'too many commits':
    case 'too deep':
    case 'too many ancestors':
      return formatHistoryFault(error);
    default:
      return assertNever(error);
  }
}
