/**
 * Which commits changed what is at a path: those where it isn't what it is in any of their
 * parents, newest first. Read first: history/walk.ts.
 */

import { ok, type Result } from '#core';
import type { ObjectId } from '#git';
import type { Commit } from './commit-info.ts';
import { CommitGraph } from './history/commit-graph.ts';
import { walkHistory } from './history/walk.ts';
import type { ReadFault } from './merge/object-reader.ts';
import type { Path } from './path.ts';
import type { Repository } from './repository.ts';
import type { Shape } from './schema.ts';
import type { StoreError } from './store-error.ts';
import { entryAt } from './tree/entry-at.ts';

export interface LastModifiedOptions {
  /** Commits to find. Default: 1. */
  readonly count?: number;
  /** Commits with more steps to the head, the shortest way, aren't looked at. */
  readonly depthMax?: number;
}

export async function lastModified<S extends Shape>(
  repository: Repository<S>,
  head: ObjectId,
  path: Path,
  { count = 1, depthMax }: LastModifiedOptions,
): Promise<Result<readonly Commit[], StoreError>> {
  const graph = new CommitGraph(repository.objects);
  const entries = new EntriesAt(repository, graph, path);
  const found: Commit[] = [];
  const walk = walkHistory(graph, [head], depthMax === undefined ? {} : { depthMax });
  for await (const node of walk) {
    if (found.length >= count) break;
    if (!node.ok) return node;
    const isChanged = await entries.isChangedBy(node.value.id);
    if (!isChanged.ok) return isChanged;
    if (!isChanged.value) continue;
    const commit = await repository.commit(node.value.id);
    if (!commit.ok) return commit;
    found.push(commit.value);
  }
  return ok(found);
}

/** What commits have at one path, each asked once. */
class EntriesAt<S extends Shape> {
  readonly #repository: Repository<S>;
  readonly #graph: CommitGraph;
  readonly #path: Path;
  /** By the tree of the commit: many commits in a row have the same. */
  readonly #known = new Map<ObjectId, string>();

  constructor(repository: Repository<S>, graph: CommitGraph, path: Path) {
    this.#repository = repository;
    this.#graph = graph;
    this.#path = path;
  }

  async isChangedBy(id: ObjectId): Promise<Result<boolean, StoreError>> {
    const commit = await this.#graph.read(id);
    if (!commit.ok) return commit;
    const now = await this.#entry(commit.value.tree);
    if (!now.ok) return now;
    if (commit.value.parents.length === 0) return ok(now.value !== '');
    for (const parent of commit.value.parents) {
      const before = await this.#graph.read(parent);
      if (!before.ok) return before;
      const there = await this.#entry(before.value.tree);
      if (!there.ok) return there;
      if (there.value === now.value) return ok(false);
    }
    return ok(true);
  }

  /** Mode and id as a text; '' for nothing. */
  async #entry(root: ObjectId): Promise<Result<string, ReadFault>> {
    const known = this.#known.get(root);
    if (known !== undefined) return ok(known);
    const read = await entryAt(this.#repository.objects, root, this.#path);
    if (!read.ok) return read;
    const text = read.value === null ? '' : `${read.value.mode} ${read.value.id}`;
    this.#known.set(root, text);
    return ok(text);
  }
}
