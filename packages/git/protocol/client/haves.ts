/**
 * What a client says it has: its commits from the newest on, without those behind what the server
 * is known to have. Read first: gitprotocol-pack(5), "Packfile Negotiation".
 */

import { BinaryHeap } from '#core';
import type { ObjectId } from '../../object-id.ts';
import { type CommitGraph, type CommitNode, isNewer } from '../commit-graph.ts';

export class Haves {
  readonly #graph: CommitGraph;
  readonly #queue = new BinaryHeap<CommitNode>(isNewer);
  readonly #seen = new Set<ObjectId>();
  readonly #common = new Set<ObjectId>();
  /** What the server told of, and is here: it is told so, and what is behind is not. */
  readonly #advertised = new Set<ObjectId>();

  constructor(graph: CommitGraph) {
    this.#graph = graph;
  }

  /** A tip of ours. Tags are followed. Throws Stop. */
  async add(id: ObjectId): Promise<void> {
    const peeled = await this.#graph.peel(id);
    if (peeled?.kind === 'commit') await this.#push(peeled.id);
  }

  /** A ref of the server's. Throws Stop. */
  async addAdvertised(id: ObjectId): Promise<void> {
    const peeled = await this.#graph.peel(id);
    if (peeled?.kind !== 'commit') return;
    this.#advertised.add(peeled.id);
    await this.#push(peeled.id);
  }

  /** The server has it, and what it reaches: neither is told again. */
  async markCommon(id: ObjectId): Promise<void> {
    this.#common.add(id);
    // It may have been told already: those behind it are still to come.
    for (const parent of (await this.#graph.commit(id))?.parents ?? []) this.#common.add(parent);
  }

  /** Up to `count` further ones; none: there are no more. */
  async next(count: number): Promise<ObjectId[]> {
    const haves: ObjectId[] = [];
    while (haves.length < count) {
      const node = this.#queue.pop();
      if (node === undefined) break;
      const { id, parents } = node;
      const isCommon = this.#common.has(id);
      const isLast = isCommon || this.#advertised.has(id);
      for (const parent of parents) {
        if (isLast) this.#common.add(parent);
        await this.#push(parent);
      }
      if (!isCommon) haves.push(id);
    }
    return haves;
  }

  async #push(id: ObjectId): Promise<void> {
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    const node = await this.#graph.commit(id);
    // A shallow history ends.
    if (node !== null) this.#queue.push(node);
  }
}
