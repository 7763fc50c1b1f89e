/**
 * The tries of one transaction: what its callback saw, what it made of it, and what becomes of
 * that when others were quicker. Read first: transaction.ts.
 */

import { ok, type Result } from '#core';
import type { Repository } from './repository.ts';
import type { Shape, ShapeAt, TreePathOf } from './schema.ts';
import type { StoreError } from './store-error.ts';
import { mergeSubtrees } from './store-merge.ts';
import type { Tree } from './tree/tree.ts';

/** What a transaction does when others have changed what it saw. */
export type Strategy =
  /** What was made replaces what is there now. */
  | 'set'
  /** The callback runs again, on what is there now. */
  | 'test-and-set'
  /** What was made and what is there now are merged, on what was seen. */
  | 'merge';

/** What a transaction's callback gives: a tree, null for "as it was", or its own reason to stop. */
export type Edited<S extends Shape, E> = Result<Tree<S> | null, E>;

/** The tree at a path. */
export type Sub<S extends Shape, P extends readonly unknown[]> = Tree<
  Extract<ShapeAt<S, P>, Shape>
>;

/** A transaction's callback. */
export type EditTree<S extends Shape, P extends readonly unknown[], E> = (
  tree: Sub<S, P>,
) => Edited<Extract<ShapeAt<S, P>, Shape>, E> | Promise<Edited<Extract<ShapeAt<S, P>, Shape>, E>>;

/** The tries of one `withTree`. */
export class TreeAttempt<S extends Shape, P extends TreePathOf<S>, E> {
  readonly #repository: Repository<S>;
  readonly #path: P;
  readonly #edit: EditTree<S, P, E>;
  readonly #strategy: Strategy;
  #seen: Sub<S, P> | null = null;
  #made: Sub<S, P> | null = null;

  constructor(repository: Repository<S>, path: P, edit: EditTree<S, P, E>, strategy: Strategy) {
    this.#repository = repository;
    this.#path = path;
    this.#edit = edit;
    this.#strategy = strategy;
  }

  async next(tree: Tree<S>): Promise<Result<Tree<S> | null, StoreError | E>> {
    const found = await tree.findTree(this.#path);
    if (!found.ok) return found;
    const schema = this.#repository.schema.at(this.#path)!;
    const here = found.value ?? (this.#repository.emptyTreeAs(schema) as unknown as Sub<S, P>);
    const isAsSeen = await this.#isAsSeen(here);
    if (!isAsSeen.ok) return isAsSeen;
    const keeps = isAsSeen.value || (this.#seen !== null && this.#strategy === 'set');
    if (keeps) {
      return this.#made === null ? ok(null) : tree.setTree(this.#path, this.#made);
    }
    if (this.#seen === null || this.#strategy === 'test-and-set') {
      const made = await this.#edit(here);
      if (!made.ok) return made;
      this.#seen = here;
      this.#made = made.value;
      return made.value === null ? ok(null) : tree.setTree(this.#path, made.value);
    }
    if (this.#made === null) return ok(null);
    const sides = { base: this.#seen, ours: here, theirs: this.#made };
    const merged = await mergeSubtrees(this.#repository, this.#path, sides);
    return merged.ok ? tree.setTree(this.#path, merged.value as Sub<S, P>) : merged;
  }

  /** Whether the callback ran on this very tree. */
  async #isAsSeen(here: Sub<S, P>): Promise<Result<boolean, StoreError>> {
    if (this.#seen === null) return ok(false);
    const [before, now] = await Promise.all([this.#seen.hash(), here.hash()]);
    if (!before.ok) return before;
    return now.ok ? ok(before.value === now.value) : now;
  }
}
