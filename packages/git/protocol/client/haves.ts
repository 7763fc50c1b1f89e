/**
 * What a client says it has: its commits from the newest on, without those behind what the server
 * is known to have. Read first: gitprotocol-pack(5), "Packfile Negotiation".
 */

import type { ObjectId } from '../../object-id.ts';
import type { CommitGraph } from '../commit-graph.ts';

interface Place {
  readonly id: ObjectId;
  readonly seconds: number;
}

export class Haves {
  readonly #graph: CommitGraph;
  /** A heap, the newest first. */
  readonly #heap: Place[] = [];
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
    while (haves.length < count && this.#heap.length > 0) {
      const { id } = this.#pop();
      const node = await this.#graph.commit(id);
      // A shallow history ends.
      if (node === null) continue;
      const isCommon = this.#common.has(id);
      const isLast = isCommon || this.#advertised.has(id);
      for (const parent of node.parents) {
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
    if (node === null) return;
    const heap = this.#heap;
    const place = { id, seconds: node.seconds };
    let at = heap.length;
    heap.push(place);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (heap[above]!.seconds >= place.seconds) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = place;
  }

  #pop(): Place {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const other = heap[below + 1];
      if (other !== undefined && other.seconds > heap[below]!.seconds) below++;
      if (heap[below]!.seconds <= last.seconds) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}
