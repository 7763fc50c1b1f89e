/**
 * Merging two commits: finds their lowest common ancestors, makes one base of them, merges the
 * trees. One ancestor is the base. Several (criss-cross) are merged with each other, oldest first,
 * each on the base of what is merged so far and itself, as Git's "recursive" does: for contents
 * whose merge is exact (a counter) the virtual base then holds exactly what both sides have in
 * common. None: the base is absent, which is no conflict by itself. Read first: tree-merge.ts,
 * history/common-ancestors.ts. Not here: the commit that records it (the store).
 */

import { err, ok, type Result } from '#core';
import type { NamedObject, ObjectId } from '#git';
import type { MergeConflict } from '../content/merge.ts';
import type { CommitGraph, CommitNode, HistoryFault } from '../history/commit-graph.ts';
import { type AncestorLimits, lowestCommonAncestors } from '../history/common-ancestors.ts';
import { VIRTUAL_BASES_MAX } from '../limits.ts';
import type { ObjectDraft } from './object-draft.ts';
import {
  type TreeConflict,
  TreeMerge,
  type TreeMergeFault,
  type TreeMergeOptions,
} from './tree-merge.ts';

export interface MergedTree {
  readonly tree: ObjectId;
  /** Objects of the tree that the draft made: what is to be written. */
  readonly objects: readonly NamedObject[];
  /** What conflicted and was kept both ways (keepBoth), by path; at most CONFLICTS_MAX. */
  readonly kept: readonly TreeConflict[];
}

export type MergeFault =
  | {
      readonly kind: 'conflict';
      /** By path; at most CONFLICTS_MAX. */
      readonly conflicts: readonly TreeConflict[];
      /** All of them. */
      readonly count: number;
    }
  | { readonly kind: 'too many bases'; readonly basesMax: number }
  | HistoryFault
  | TreeMergeFault;

export interface MergeOptions extends TreeMergeOptions {
  readonly limits?: AncestorLimits;
  /** Default: VIRTUAL_BASES_MAX. */
  readonly basesMax?: number;
}

/**
 * The tree of both commits. Nothing is written. Cost: the commits down to the common ancestors,
 * and the trees and contents that both sides changed. `graph` reads through the draft, or through
 * what is below it.
 */
export async function mergeCommits(
  graph: CommitGraph,
  draft: ObjectDraft,
  ours: ObjectId,
  theirs: ObjectId,
  options: MergeOptions,
): Promise<Result<MergedTree, MergeFault>> {
  const sides: CommitNode[] = [];
  for (const id of [ours, theirs]) {
    const node = await graph.read(id);
    if (!node.ok) return node;
    sides.push(node.value);
  }
  const [left, right] = sides as [CommitNode, CommitNode];
  if (left.id === right.id) return ok({ tree: left.tree, objects: [], kept: [] });
  const bases = new VirtualBases(graph, draft, options);
  const base = await bases.of(left, right);
  if (!base.ok) return base;
  const tree = base.value?.tree ?? null;
  return mergeTreesWith(draft, tree, left.tree, right.tree, options, bases.markers);
}

/** The tree of both on a base that the caller has; null: absent. */
export function mergeTrees(
  draft: ObjectDraft,
  base: ObjectId | null,
  ours: ObjectId,
  theirs: ObjectId,
  options: TreeMergeOptions,
): Promise<Result<MergedTree, MergeFault>> {
  return mergeTreesWith(draft, base, ours, theirs, options, new Map());
}

async function mergeTreesWith(
  draft: ObjectDraft,
  base: ObjectId | null,
  ours: ObjectId,
  theirs: ObjectId,
  options: TreeMergeOptions,
  markers: Map<ObjectId, MergeConflict>,
): Promise<Result<MergedTree, MergeFault>> {
  const merge = new TreeMerge(draft, options, markers);
  const merged = await merge.run(base, ours, theirs);
  if (!merged.ok) return merged;
  const { conflictCount: count, conflicts } = merge;
  conflicts.sort(byPath);
  if (count > 0 && options.keepBoth !== true) return err({ kind: 'conflict', conflicts, count });
  return ok({ tree: merged.value, objects: draft.reachable(merged.value), kept: conflicts });
}

function byPath(a: TreeConflict, b: TreeConflict): number {
  const [left, right] = [a.path.join('/'), b.path.join('/')];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Makes one base of several common ancestors. */
class VirtualBases {
  /** What stands for a conflict in a virtual base. */
  readonly markers = new Map<ObjectId, MergeConflict>();
  readonly #graph: CommitGraph;
  readonly #draft: ObjectDraft;
  readonly #options: MergeOptions;
  readonly #known = new Map<string, CommitNode | null>();
  #made = 0;

  constructor(graph: CommitGraph, draft: ObjectDraft, options: MergeOptions) {
    this.#graph = graph;
    this.#draft = draft;
    this.#options = options;
  }

  /** The base of two commits, real or virtual; null when they have nothing in common. */
  async of(left: CommitNode, right: CommitNode): Promise<Result<CommitNode | null, MergeFault>> {
    const key = left.id < right.id ? `${left.id} ${right.id}` : `${right.id} ${left.id}`;
    const known = this.#known.get(key);
    if (known !== undefined) return ok(known);
    const { limits } = this.#options;
    const found = await lowestCommonAncestors(this.#graph, left.id, right.id, limits);
    if (!found.ok) return found;
    // They are newest first; the oldest ones are merged first.
    const nodes = found.value.reverse().map((id) => this.#graph.get(id)!);
    let base: CommitNode | null = null;
    for (const node of nodes) {
      const next: Result<CommitNode, MergeFault> =
        base === null ? ok(node) : await this.#merge(base, node);
      if (!next.ok) return next;
      base = next.value;
    }
    this.#known.set(key, base);
    return ok(base);
  }

  async #merge(left: CommitNode, right: CommitNode): Promise<Result<CommitNode, MergeFault>> {
    const { basesMax = VIRTUAL_BASES_MAX } = this.#options;
    if (this.#made >= basesMax) return err({ kind: 'too many bases', basesMax });
    this.#made++;
    const base = await this.of(left, right);
    if (!base.ok) return base;
    const merge = new TreeMerge(this.#draft, this.#options, this.markers, true);
    const tree = await merge.run(base.value?.tree ?? null, left.tree, right.tree);
    if (!tree.ok) return tree;
    const seconds = Math.max(left.seconds, right.seconds);
    return ok(this.#graph.addVirtual(tree.value, [left.id, right.id], seconds));
  }
}
