/**
 * Merging as stores do it: heads into heads, the trees of a transaction, and the undoing of a
 * commit, which is a merge too. Read first: merge/commit-merge.ts, transaction.ts.
 */

import { err, ok, type Result } from '#core';
import type { ObjectId } from '#git';
import type { CommitOptions } from './commit-info.ts';
import { bytes } from './content/stock.ts';
import { CommitGraph } from './history/commit-graph.ts';
import { type AncestorLimits, relationOf } from './history/common-ancestors.ts';
import { type MergedTree, mergeCommits, mergeTrees } from './merge/commit-merge.ts';
import { ObjectDraft } from './merge/object-draft.ts';
import type { TreeMergeOptions } from './merge/tree-merge.ts';
import type { Path } from './path.ts';
import type { Repository } from './repository.ts';
import type { Shape } from './schema.ts';
import type { Store } from './store.ts';
import type { StoreError } from './store-error.ts';
import {
  type Committed,
  commitInTurn,
  type HeadCell,
  inTurn,
  tryCommit,
  untilDone,
} from './transaction.ts';
import type { Tree } from './tree/tree.ts';
import { diffTrees } from './tree/tree-diff.ts';

export interface MergeWithOptions extends CommitOptions {
  /** Make a commit also where the head could just be moved, as `git merge --no-ff`. */
  readonly noFastForward?: boolean;
  readonly limits?: AncestorLimits;
  /** Never conflict: keep both sides, one under a name of its own (TreeMergeOptions). */
  readonly keepBoth?: boolean;
  /** Follow what one side moved, unchanged, to where it is now (TreeMergeOptions). */
  readonly renames?: boolean;
}

export interface RevertOptions extends CommitOptions {
  /** Undo also where the contents were moved since, unchanged, or were moved by the commit. */
  readonly renames?: boolean;
}

/** What merging asks of a schema, about the paths below `prefix`. */
function typesOf<S extends Shape>({ schema }: Repository<S>, prefix: Path = []): TreeMergeOptions {
  const whole = (path: Path): Path => (prefix.length === 0 ? path : [...prefix, ...path]);
  return {
    contentTypeAt: (path) => schema.typeAt(whole(path)) ?? bytes,
    mayAddUp: (path) => schema.at(whole(path))?.mayAddUp ?? false,
  };
}

const draftOf = <S extends Shape>({ core, objects }: Repository<S>): ObjectDraft =>
  new ObjectDraft(core.crypto, core.backend.hash, objects);

/** What a merge has made, as a transaction takes it. */
const made = ({ tree, objects }: MergedTree) => ({
  toWrite: async () => ok({ id: tree, objects: [...objects] }),
});

export async function mergeInto<S extends Shape>(
  repository: Repository<S>,
  cell: HeadCell,
  from: Store<S> | ObjectId,
  options: MergeWithOptions,
): Promise<Result<Committed, StoreError>> {
  const theirs = typeof from === 'string' ? ok(from) : await from.head();
  if (!theirs.ok) return theirs;
  if (theirs.value === null) return ok(null);
  const named = typeof from === 'string' || from.branch === null ? theirs.value : from.branch;
  const merge = new HeadMerge(repository, cell, theirs.value, {
    ...options,
    message: options.message ?? `merge ${named}`,
  });
  return inTurn(repository, cell.branch, () => untilDone(options, () => merge.try()));
}

class HeadMerge<S extends Shape> {
  readonly #repository: Repository<S>;
  readonly #cell: HeadCell;
  readonly #theirs: ObjectId;
  readonly #options: MergeWithOptions;

  constructor(
    repository: Repository<S>,
    cell: HeadCell,
    theirs: ObjectId,
    options: MergeWithOptions,
  ) {
    this.#repository = repository;
    this.#cell = cell;
    this.#theirs = theirs;
    this.#options = options;
  }

  /** Null when somebody else was quicker. */
  async try(): Promise<Result<{ readonly committed: Committed } | null, StoreError>> {
    const head = await this.#cell.read();
    if (!head.ok) return head;
    const theirs = this.#theirs;
    const moves = await this.#relation(head.value);
    if (!moves.ok) return moves;
    if (moves.value === 'merged') return ok({ committed: null });
    const kept = await this.#repository.expectThere(theirs);
    if (!kept.ok) return kept;
    if (moves.value === 'ahead') {
      const moved = await this.#cell.swap(head.value, theirs, `merge ${theirs}: fast-forward`);
      if (!moved.ok) return moved;
      return ok(moved.value ? { committed: theirs } : null);
    }
    const parents = [theirs, ...(this.#options.parents ?? [])];
    return tryCommit(this.#repository, this.#cell, (_, at) => this.#merge(at), {
      ...this.#options,
      parents,
    });
  }

  async #relation(
    head: ObjectId | null,
  ): Promise<Result<'merged' | 'ahead' | 'aside', StoreError>> {
    const graph = new CommitGraph(this.#repository.objects);
    const { noFastForward = false, limits } = this.#options;
    if (head === null) {
      const there = await graph.read(this.#theirs);
      return there.ok ? ok('ahead') : there;
    }
    const relation = await relationOf(graph, head, this.#theirs, limits);
    if (!relation.ok) return relation;
    if (relation.value === 'same' || relation.value === 'behind') return ok('merged');
    return ok(relation.value === 'ahead' && !noFastForward ? 'ahead' : 'aside');
  }

  async #merge(head: ObjectId | null) {
    const repository = this.#repository;
    // Since it was looked at, somebody has removed the branch.
    if (head === null) return err<StoreError>({ kind: 'no head' });
    const graph = new CommitGraph(repository.objects);
    const { limits, keepBoth = false, renames = false } = this.#options;
    const merged = await mergeCommits(graph, draftOf(repository), head, this.#theirs, {
      ...typesOf(repository),
      keepBoth,
      renames,
      ...(limits === undefined ? {} : { limits }),
    });
    return merged.ok ? ok(made(merged.value)) : merged;
  }
}

/** `ours` with what `theirs` made of `base`; all three are what is at `path`. */
export async function mergeSubtrees<S extends Shape, T extends Shape>(
  repository: Repository<S>,
  path: Path,
  { base, ours, theirs }: { base: Tree<T>; ours: Tree<T>; theirs: Tree<T> },
): Promise<Result<Tree<T>, StoreError>> {
  const ids: ObjectId[] = [];
  for (const tree of [base, ours, theirs]) {
    const id = await tree.hash();
    if (!id.ok) return id;
    ids.push(id.value);
  }
  const [baseId, ourId, theirId] = ids as [ObjectId, ObjectId, ObjectId];
  const below = await theirs.reader(base, ours);
  if (!below.ok) return below;
  const draft = new ObjectDraft(repository.core.crypto, repository.core.backend.hash, below.value);
  const merged = await mergeTrees(draft, baseId, ourId, theirId, typesOf(repository, path));
  if (!merged.ok) return merged;
  let tree = ours;
  for await (const change of diffTrees(draft, ourId, merged.value.tree)) {
    if (!change.ok) return change;
    const { path: at, after } = change.value;
    const content = after === null ? ok(null) : await draft.blob(after.id);
    if (!content.ok) return content;
    const patch = content.value === null ? null : { mode: after!.mode, bytes: content.value };
    const patched = await tree.patch(at, patch);
    if (!patched.ok) return patched;
    tree = patched.value;
  }
  return ok(tree);
}

export async function revertCommit<S extends Shape>(
  repository: Repository<S>,
  cell: HeadCell,
  id: ObjectId,
  options: RevertOptions,
): Promise<Result<Committed, StoreError>> {
  const commit = await repository.commit(id);
  if (!commit.ok) return commit;
  const [parent] = commit.value.parents;
  const before = parent === undefined ? null : await repository.commit(parent);
  if (before !== null && !before.ok) return before;
  const theirs = before?.value.tree ?? repository.objects.emptyTree;
  const [subject = ''] = commit.value.message.split('\n', 1);
  const message = options.message ?? `Revert "${subject}"\n\nThis reverts commit ${id}.\n`;
  const next = async (tree: Tree<S>) => {
    const ours = await tree.hash();
    if (!ours.ok) return ours;
    const draft = draftOf(repository);
    const merging = { ...typesOf(repository), renames: options.renames === true };
    const merged = await mergeTrees(draft, commit.value.tree, ours.value, theirs, merging);
    if (!merged.ok) return merged;
    const takenOver = async () =>
      ok(new Set(theirs === repository.objects.emptyTree ? [] : [theirs]));
    return ok({ ...made(merged.value), takenOver });
  };
  return commitInTurn(repository, cell, next, { ...options, message });
}
