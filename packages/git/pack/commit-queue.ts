/** Commits that wait to be walked, the latest first: a binary heap. */

export interface QueuedCommit {
  /** Its number in the walk's table. */
  readonly index: number;
  readonly seconds: number;
  readonly parents: readonly number[];
}

export class CommitQueue {
  private readonly heap: QueuedCommit[] = [];

  get count(): number {
    return this.heap.length;
  }

  push(commit: QueuedCommit): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(commit);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(commit, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = commit;
  }

  pop(): QueuedCommit | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

/** By time; of those of one second, as they were met, so that every walk is the same. */
const isBefore = (a: QueuedCommit, b: QueuedCommit): boolean =>
  a.seconds > b.seconds || (a.seconds === b.seconds && a.index < b.index);
