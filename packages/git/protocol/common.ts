/**
 * What a client and a server have in common, as the server learns it: when it may stop asking. Read
 * first: gitprotocol-pack(5), "Packfile Negotiation".
 */

import { BinaryHeap } from '#core';
import type { ObjectBackend } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { type CommitGraph, type CommitNode, isNewer } from './commit-graph.ts';
import { WALK_COMMITS_MAX } from './limits.ts';
import { got } from './stop.ts';

export class CommonObjects {
  readonly #backend: ObjectBackend;
  readonly #graph: CommitGraph;
  readonly #common = new Set<ObjectId>();
  /** The oldest of them: what is older reaches none. */
  #oldestSeconds = Number.POSITIVE_INFINITY;
  #lastId: ObjectId | null = null;
  /** Whether it was ready when there were so many common objects. */
  #readiness: { readonly count: number; readonly isReady: boolean } | null = null;
  /** Commits that may still be looked at to find out: one conversation can't cost more. */
  #walkLeft = WALK_COMMITS_MAX;

  constructor(backend: ObjectBackend, graph: CommitGraph) {
    this.#backend = backend;
    this.#graph = graph;
  }

  /** What both have, of what the client said. */
  get ids(): readonly ObjectId[] {
    return [...this.#common];
  }

  get last(): ObjectId | null {
    return this.#lastId;
  }

  /** Whether we have what the client has. Throws Stop. */
  async take(have: ObjectId): Promise<boolean> {
    if (!this.#common.has(have)) {
      if (!got(await this.#backend.hasObject(have))) return false;
      const node = await this.#graph.commit(have);
      if (node !== null) this.#oldestSeconds = Math.min(this.#oldestSeconds, node.seconds);
      this.#common.add(have);
    }
    this.#lastId = have;
    return true;
  }

  /**
   * Whether every want that is a commit reaches something common: more haves would save little.
   * False as well when that would take too long to find out.
   */
  async isReady(wants: readonly ObjectId[]): Promise<boolean> {
    const count = this.#common.size;
    if (count === 0) return false;
    if (this.#readiness?.count !== count) {
      this.#readiness = { count, isReady: await this.#findReady(wants) };
    }
    return this.#readiness.isReady;
  }

  async #findReady(wants: readonly ObjectId[]): Promise<boolean> {
    for (const want of wants) {
      const peeled = await this.#graph.peel(want);
      if (peeled?.kind === 'commit' && !(await this.#reaches(peeled.id))) return false;
    }
    return true;
  }

  async #reaches(from: ObjectId): Promise<boolean> {
    const seen = new Set<ObjectId>([from]);
    const stack = [from];
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (this.#common.has(id)) return true;
      if (this.#walkLeft === 0) return false;
      this.#walkLeft--;
      const node = await this.#graph.commit(id);
      if (node === null || node.seconds < this.#oldestSeconds) continue;
      for (const parent of node.parents) {
        if (seen.has(parent)) continue;
        seen.add(parent);
        stack.push(parent);
      }
    }
    return false;
  }
}

/** Whether `tips` together reach all of `ids`, as far as `findReachable` finds. Throws Stop. */
export const areReachable = async (
  graph: CommitGraph,
  tips: readonly ObjectId[],
  ids: ReadonlySet<ObjectId>,
): Promise<boolean> => (await findReachable(graph, tips, ids)) === true;

/**
 * Whether `tips` together reach all of `ids`; null when that isn't known after WALK_COMMITS_MAX
 * commits, or as many as the graph has left for walks. The newest are looked at first, so that what
 * is near a tip is found soon. Throws Stop.
 */
export async function findReachable(
  graph: CommitGraph,
  tips: readonly ObjectId[],
  ids: ReadonlySet<ObjectId>,
): Promise<boolean | null> {
  const missing = new Set(ids);
  const seen = new Set<ObjectId>();
  const queue = new BinaryHeap<CommitNode>(isNewer);
  const meet = async (id: ObjectId): Promise<void> => {
    if (seen.has(id)) return;
    seen.add(id);
    missing.delete(id);
    const node = await graph.commit(id);
    if (node !== null) queue.push(node);
  };
  for (const tip of tips) {
    const peeled = await graph.peel(tip);
    for (const tag of peeled?.tags ?? []) missing.delete(tag);
    if (peeled?.kind === 'commit') await meet(peeled.id);
  }
  while (missing.size > 0) {
    if (queue.count === 0) return false;
    if (seen.size > WALK_COMMITS_MAX || graph.walkLeft === 0) return null;
    graph.walkLeft--;
    for (const parent of queue.pop()!.parents) await meet(parent);
  }
  return true;
}
