/**
 * A store: contents at paths, as a view on a branch, on a commit, or on nothing. Reads see the
 * head as it is when they begin; each write is one commit, or none when it changes nothing. Read
 * first: repository.ts, transaction.ts, tree/tree.ts.
 *
 * No call rejects, as long as what an application passes in doesn't throw.
 */

import { assert, err, ok, type Result } from '#core';
import { HEADS, isBranchName, type ObjectId } from '#git';
import type { Commit, CommitOptions } from './commit-info.ts';
import type { AnyContentType } from './content/content-type.ts';
import { equalBytes } from './content/equal.ts';
import { known, type MergeConflict, type Optional } from './content/merge.ts';
import { CommitGraph } from './history/commit-graph.ts';
import {
  type AncestorLimits,
  lowestCommonAncestors,
  relationOf,
} from './history/common-ancestors.ts';
import { type WalkOptions, walkHistory } from './history/walk.ts';
import { type LastModifiedOptions, lastModified } from './last-modified.ts';
import { formatPath, type Path } from './path.ts';
import type { Repository } from './repository.ts';
import type { ContentAt, PathOf, Shape, TreePathOf } from './schema.ts';
import type { AbsentError, StoreError, TreeError } from './store-error.ts';
import {
  type MergeWithOptions,
  mergeInto,
  type RevertOptions,
  revertCommit,
} from './store-merge.ts';
import {
  branchCell,
  type Committed,
  commitInTurn,
  commitUntilDone,
  type HeadCell,
  type NextTree,
  ownCell,
  treeAt,
} from './transaction.ts';
import { peekBytes } from './tree/peek.ts';
import { absent, badPath, decodeAt, type Listed, type Tree } from './tree/tree.ts';
import type { EntryKind } from './tree/tree-walk.ts';
import { type EditTree, type Strategy, type Sub, TreeAttempt } from './tree-attempt.ts';
import type { StopWatch, Watch, WatchOptions } from './watches.ts';

export type StoreView =
  | { readonly branch: string }
  /** Null: nothing yet. */
  | { readonly commit: ObjectId | null };

export interface TransactionOptions extends CommitOptions {
  /** Default: 'test-and-set'. */
  readonly strategy?: Strategy;
}

/** Somebody has set something else: its value, or undefined. */
export interface TestWas<T> {
  readonly kind: 'test was';
  readonly value: T | undefined;
}

/** A branch, a commit or nothing, as contents at paths. No call rejects: results say why not. */
export class Store<S extends Shape = Shape> {
  readonly repository: Repository<S>;
  /** Null for a view that no branch names. */
  readonly branch: string | null;
  readonly #head: HeadCell;

  /** Not for applications: a repository gives stores. */
  constructor(repository: Repository<S>, view: StoreView) {
    this.repository = repository;
    this.branch = 'branch' in view ? view.branch : null;
    this.#head = 'branch' in view ? branchCell(repository, view.branch) : ownCell(view.commit);
  }

  /** Null when there is no commit yet. */
  head(): Promise<Result<ObjectId | null, StoreError>> {
    return this.#head.read();
  }

  async headCommit(): Promise<Result<Commit | null, StoreError>> {
    const head = await this.head();
    if (!head.ok) return head;
    return head.value === null ? ok(null) : this.repository.commit(head.value);
  }

  /** Everything, as it is now; without a commit, nothing. */
  async tree(): Promise<Result<Tree<S>, StoreError>> {
    const head = await this.head();
    return head.ok ? treeAt(this.repository, head.value) : head;
  }

  async find<const P extends PathOf<S>>(
    path: P,
  ): Promise<Result<ContentAt<S, P> | undefined, StoreError>> {
    const head = await this.#head.read();
    if (!head.ok) return head;
    const { objects, schema } = this.repository;
    const commit = head.value === null ? undefined : objects.peekCommit(head.value);
    if (commit !== undefined) {
      // Warm, as most reads are: nothing more to wait for.
      const type = schema.typeAt(path);
      if (type === null) return badPath(path);
      const bytes = peekBytes(objects, commit.tree, path);
      if (bytes !== undefined) return bytes === null ? ok(undefined) : decodeAt(type, path, bytes);
    }
    const tree = await treeAt(this.repository, head.value);
    return tree.ok ? tree.value.find(path) : tree;
  }

  async get<const P extends PathOf<S>>(
    path: P,
  ): Promise<Result<ContentAt<S, P>, StoreError | AbsentError>> {
    const found = await this.find(path);
    return found.ok && found.value === undefined
      ? absent(path)
      : (found as Result<ContentAt<S, P>, StoreError>);
  }

  async mem<const P extends PathOf<S>>(path: P): Promise<Result<boolean, StoreError>> {
    const tree = await this.tree();
    return tree.ok ? tree.value.mem(path) : tree;
  }

  async memTree<const P extends TreePathOf<S>>(path: P): Promise<Result<boolean, StoreError>> {
    const tree = await this.tree();
    return tree.ok ? tree.value.memTree(path) : tree;
  }

  async kind(path: Path): Promise<Result<EntryKind | undefined, StoreError>> {
    const tree = await this.tree();
    return tree.ok ? tree.value.kind(path) : tree;
  }

  async list<const P extends TreePathOf<S>>(
    path: P,
    page: { readonly offset?: number; readonly length?: number } = {},
  ): Promise<Result<readonly Listed[], StoreError>> {
    const tree = await this.tree();
    return tree.ok ? tree.value.list(path, page) : tree;
  }

  async findTree<const P extends TreePathOf<S>>(
    path: P,
  ): Promise<Result<Sub<S, P> | undefined, StoreError>> {
    const tree = await this.tree();
    return tree.ok ? tree.value.findTree(path) : tree;
  }

  async getTree<const P extends TreePathOf<S>>(
    path: P,
  ): Promise<Result<Sub<S, P>, StoreError | AbsentError>> {
    const tree = await this.tree();
    return tree.ok ? tree.value.getTree(path) : tree;
  }

  /** The name of the tree that is there; of the empty one, when nothing is. */
  async hash(): Promise<Result<ObjectId, StoreError>> {
    const tree = await this.tree();
    return tree.ok ? tree.value.hash() : tree;
  }

  /** Default message: "set PATH". */
  set<const P extends PathOf<S>>(
    path: P,
    value: ContentAt<S, P>,
    options: CommitOptions = {},
  ): Promise<Result<Committed, StoreError>> {
    return this.#commit((tree) => tree.set(path, value), 'set', path, options);
  }

  /**
   * Sets what `change` makes of the value at `path`; undefined stands for nothing, also as a
   * result. It runs again when others were quicker.
   */
  update<const P extends PathOf<S>>(
    path: P,
    change: (value: ContentAt<S, P> | undefined) => ContentAt<S, P> | undefined,
    options: CommitOptions = {},
  ): Promise<Result<Committed, StoreError>> {
    const next: NextTree<S, TreeError> = async (tree) => {
      const found = await tree.find(path);
      if (!found.ok) return found;
      const value = change(found.value as ContentAt<S, P> | undefined);
      return value === undefined ? tree.remove(path) : tree.set(path, value);
    };
    return this.#commit(next, 'set', path, options);
  }

  setTree<const P extends TreePathOf<S>>(
    path: P,
    tree: Sub<S, P>,
    options: CommitOptions = {},
  ): Promise<Result<Committed, StoreError>> {
    return this.#commit((whole) => whole.setTree(path, tree), 'set', path, options);
  }

  remove(
    path: PathOf<S> | TreePathOf<S>,
    options: CommitOptions = {},
  ): Promise<Result<Committed, StoreError>> {
    return this.#commit((tree) => tree.remove(path), 'remove', path, options);
  }

  /** Sets `value` where `test` is, undefined being nothing; else tells what is there. */
  testAndSet<const P extends PathOf<S>>(
    path: P,
    test: ContentAt<S, P> | undefined,
    value: ContentAt<S, P> | undefined,
    options: CommitOptions = {},
  ): Promise<Result<Committed, StoreError | TestWas<ContentAt<S, P>>>> {
    type Value = ContentAt<S, P>;
    const next: NextTree<S, TreeError | TestWas<Value>> = async (tree) => {
      const type = this.repository.schema.typeAt(path);
      const found = await tree.find(path);
      if (!found.ok || type === null) return found as Result<never, TreeError>;
      if (!isSameValue(type, found.value, test)) return testWas(found.value);
      if (value !== undefined) return tree.set(path, value);
      return test === undefined ? ok(null) : tree.remove(path);
    };
    return this.#commit(next, 'test and set', path, options);
  }

  /**
   * Merges `value` into what is at `path` by its type, on `base`, from which `value` was made:
   * undefined stands for nothing, also as a result.
   */
  merge<const P extends PathOf<S>>(
    path: P,
    base: ContentAt<S, P> | undefined,
    value: ContentAt<S, P> | undefined,
    options: CommitOptions = {},
  ): Promise<Result<Committed, StoreError>> {
    type Value = ContentAt<S, P>;
    const next: NextTree<S, StoreError> = async (tree) => {
      const type = this.repository.schema.typeAt(path);
      const found = await tree.find(path);
      if (!found.ok || type === null) return found as Result<never, StoreError>;
      const merged = type.merge(known<unknown>(base), found.value, value);
      if (merged.ok) {
        const made = merged.value as Optional<Value>;
        return made === undefined ? tree.remove(path) : tree.set(path, made);
      }
      return conflictAt(path, merged.error);
    };
    return this.#commit(next, 'merge', path, options);
  }

  /**
   * Changes the tree at `path` as `edit` says, in one commit. `edit` gets the tree as it is (an
   * empty one where there is none), may take its time, and may run again when others were quicker:
   * options.strategy. An error of its own ends the transaction.
   */
  withTree<const P extends TreePathOf<S>, E>(
    path: P,
    edit: EditTree<S, P, E>,
    options: TransactionOptions = {},
  ): Promise<Result<Committed, StoreError | E>> {
    const { strategy = 'test-and-set' } = options;
    const named = withMessage(options, 'set', path);
    const attempt = new TreeAttempt<S, P, E>(this.repository, path, edit, strategy);
    const next: NextTree<S, StoreError | E> = (tree) => attempt.next(tree);
    return commitUntilDone(this.repository, this.#head, next, named);
  }

  /** As `git reset --hard`: wherever the branch was. Null removes it. */
  async setHead(commit: ObjectId | null): Promise<Result<void, StoreError>> {
    if (commit !== null) {
      const there = await this.repository.commit(commit);
      if (!there.ok) return there;
    }
    const { branch } = this;
    if (branch !== null) {
      const reason = commit === null ? 'branch: removed' : `reset: to ${commit}`;
      return this.repository.moveRef(HEADS + branch, 'any', commit, reason);
    }
    const head = await this.#head.read();
    if (!head.ok) return head;
    const moved = await this.#head.swap(head.value, commit, 'reset');
    return moved.ok ? ok(undefined) : moved;
  }

  /**
   * Moves the head to `commit`, which must come from it. False when it is there, or further,
   * already.
   */
  async fastForward(
    commit: ObjectId,
    limits: AncestorLimits = {},
  ): Promise<Result<boolean, StoreError>> {
    const head = await this.head();
    if (!head.ok) return head;
    const from = head.value;
    if (from !== null) {
      const graph = new CommitGraph(this.repository.objects);
      const relation = await relationOf(graph, from, commit, limits);
      if (!relation.ok) return relation;
      if (relation.value === 'same' || relation.value === 'behind') return ok(false);
      if (relation.value !== 'ahead') return err({ kind: 'not a fast-forward', from, to: commit });
    } else {
      const there = await this.repository.commit(commit);
      if (!there.ok) return there;
    }
    const kept = await this.repository.expectThere(commit);
    if (!kept.ok) return kept;
    const moved = await this.#head.swap(from, commit, 'fast-forward');
    if (!moved.ok) return moved;
    return moved.value ? ok(true) : this.fastForward(commit, limits);
  }

  /** The commits that this head and another both come from, and none of which is behind another. */
  async commonAncestors(
    theirs: Store<S> | ObjectId,
    limits: AncestorLimits = {},
  ): Promise<Result<readonly ObjectId[], StoreError>> {
    const ours = await this.head();
    if (!ours.ok) return ours;
    const other = typeof theirs === 'string' ? ok(theirs) : await theirs.head();
    if (!other.ok) return other;
    if (ours.value === null || other.value === null) return ok([]);
    const graph = new CommitGraph(this.repository.objects);
    return lowestCommonAncestors(graph, ours.value, other.value, limits);
  }

  /**
   * Merges the head of another store of the same repository, or a commit, into this one: moves
   * there when that loses nothing, else makes a commit with two parents. Null: nothing to merge.
   */
  mergeWith(
    theirs: Store<S> | ObjectId,
    options: MergeWithOptions = {},
  ): Promise<Result<Committed, StoreError>> {
    return mergeInto(this.repository, this.#head, theirs, options);
  }

  /** The head, and what it comes from; nothing without a head. A fault is the last that comes. */
  async *history(options: WalkOptions = {}): AsyncGenerator<Result<Commit, StoreError>> {
    const head = await this.head();
    if (!head.ok) return yield head;
    if (head.value === null) return;
    const graph = new CommitGraph(this.repository.objects);
    for await (const node of walkHistory(graph, [head.value], options)) {
      const commit = node.ok ? await this.repository.commit(node.value.id) : node;
      yield commit;
      if (!commit.ok) return;
    }
  }

  /** The newest commits that changed what is at `path`, contents or tree. */
  async lastModified(
    path: Path,
    options: LastModifiedOptions = {},
  ): Promise<Result<readonly Commit[], StoreError>> {
    const head = await this.head();
    if (!head.ok) return head;
    return head.value === null ? ok([]) : lastModified(this.repository, head.value, path, options);
  }

  /** Makes a branch of where this view is, wherever that branch was; removes it, when nowhere. */
  async cloneTo(branch: string): Promise<Result<Store<S>, StoreError>> {
    if (!isBranchName(branch)) return err({ kind: 'bad name', name: branch });
    const head = await this.head();
    if (!head.ok) return head;
    const name = HEADS + branch;
    const moved = await this.repository.moveRef(name, 'any', head.value, 'branch: cloned');
    return moved.ok ? ok(this.repository.branch(branch)) : moved;
  }

  /** Moves the head back to a commit that it comes from. */
  async revertTo(commit: ObjectId): Promise<Result<void, StoreError>> {
    const head = await this.head();
    if (!head.ok) return head;
    if (head.value === null) return err({ kind: 'no head' });
    const graph = new CommitGraph(this.repository.objects);
    const relation = await relationOf(graph, commit, head.value);
    if (!relation.ok) return relation;
    if (relation.value !== 'ahead' && relation.value !== 'same') {
      return err({ kind: 'not a fast-forward', from: commit, to: head.value });
    }
    const kept = await this.repository.expectThere(commit);
    if (!kept.ok) return kept;
    const moved = await this.#head.swap(head.value, commit, `revert: to ${commit}`);
    if (!moved.ok) return moved;
    return moved.value ? ok(undefined) : this.revertTo(commit);
  }

  /** Makes a commit that undoes what another one did to its first parent, as `git revert`. */
  revert(commit: ObjectId, options: RevertOptions = {}): Promise<Result<Committed, StoreError>> {
    return revertCommit(this.repository, this.#head, commit, options);
  }

  /** Tells `watch` when the head moves: see watches.ts. Asserts that a branch names it. */
  watch(watch: Watch, options: WatchOptions = {}): Promise<Result<StopWatch, StoreError>> {
    return this.watchPath([], watch, options);
  }

  /**
   * Tells `watch` when what is at `path`, contents or a tree, is added, removed or another one;
   * also when the branch is gone.
   */
  watchPath(
    path: Path,
    watch: Watch,
    options: WatchOptions = {},
  ): Promise<Result<StopWatch, StoreError>> {
    assert(this.branch !== null, 'a branch to watch');
    return this.repository.core.watches.onPath(this.branch, path, watch, options);
  }

  #commit<E>(
    next: NextTree<S, E>,
    verb: string,
    path: Path,
    options: CommitOptions,
  ): Promise<Result<Committed, StoreError | E>> {
    return commitInTurn(this.repository, this.#head, next, withMessage(options, verb, path));
  }
}

const withMessage = (options: CommitOptions, verb: string, path: Path): CommitOptions =>
  options.message === undefined
    ? { ...options, message: `${verb} ${formatPath(path)}`.trimEnd() }
    : options;

const testWas = <T>(value: T | undefined): Result<never, TestWas<T>> =>
  err({ kind: 'test was', value });

function conflictAt(path: Path, reason: MergeConflict): Result<never, StoreError> {
  const conflicts = [{ path, base: null, ours: null, theirs: null, reason }];
  return err({ kind: 'conflict', conflicts, count: 1 });
}

function isSameValue(type: AnyContentType, a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equalBytes(type.encode(a), type.encode(b));
}
