/**
 * Commits as walks see them: where they came from and when. Each is read once. A merge adds
 * virtual commits, which stand for several common ancestors merged into one.
 */

import { assertNever, err, ok, type Result } from '#core';
import { formatBackendError, type ObjectId } from '#git';
import { WALK_COMMITS_MAX } from '../limits.ts';
import type { ObjectReader, ReadFault } from '../merge/object-reader.ts';

export interface CommitNode {
  readonly id: ObjectId;
  readonly tree: ObjectId;
  /** In their order; a commit that names one twice has it twice. */
  readonly parents: readonly ObjectId[];
  /** Of the committer. Clocks of different machines: an order to try first, never a proof. */
  readonly seconds: number;
}

/** Why a walk ended before its time. */
export type HistoryFault =
  | ReadFault
  | { readonly kind: 'too many commits'; readonly commitsMax: number }
  /** What was looked for isn't within so many steps of where the search began. */
  | { readonly kind: 'too deep'; readonly depthMax: number }
  | { readonly kind: 'too many ancestors'; readonly countMax: number };

export class CommitGraph {
  readonly objects: ObjectReader;
  readonly #nodes = new Map<ObjectId, CommitNode>();
  readonly #commitsMax: number;
  #virtual = 0;

  constructor(objects: ObjectReader, commitsMax = WALK_COMMITS_MAX) {
    this.objects = objects;
    this.#commitsMax = commitsMax;
  }

  get(id: ObjectId): CommitNode | undefined {
    return this.#nodes.get(id);
  }

  /** Reads the commit, unless it was read before. */
  async read(id: ObjectId): Promise<Result<CommitNode, HistoryFault>> {
    const known = this.#nodes.get(id);
    if (known !== undefined) return ok(known);
    if (this.#nodes.size >= this.#commitsMax) {
      return err({ kind: 'too many commits', commitsMax: this.#commitsMax });
    }
    const commit = await this.objects.commit(id);
    if (!commit.ok) return commit;
    const { tree, committer } = commit.value;
    const parents = this.objects.isShallow?.(id) === true ? [] : commit.value.parents;
    const node = { id, tree, parents, seconds: committer.seconds };
    this.#nodes.set(id, node);
    return ok(node);
  }

  /** A commit that is in no repository; its id names it in this graph only. */
  addVirtual(tree: ObjectId, parents: readonly ObjectId[], seconds: number): CommitNode {
    const id = `virtual ${this.#virtual++}` as ObjectId;
    const node = { id, tree, parents, seconds };
    this.#nodes.set(id, node);
    return node;
  }
}

/** One sentence's end, without a dot. */
export function formatHistoryFault(fault: HistoryFault): string {
  switch (fault.kind) {
    case 'dangling':
      return `${fault.id} is named but isn't there`;
    case 'wrong kind':
      return `${fault.id} is a ${fault.have} where a ${fault.want} should be`;
    case 'malformed':
      return `${fault.id} is malformed`;
    case 'backend':
      return `the backend failed: ${formatBackendError(fault.error)}`;
    case 'too many commits':
      return `it takes more than ${fault.commitsMax} commits`;
    case 'too deep':
      return `it is more than ${fault.depthMax} commits away`;
    case 'too many ancestors':
      return `there are more than ${fault.countMax} lowest common ancestors`;
    default:
      return assertNever(fault);
  }
}
