/** Commits by time, the newest first: what a walk looks at next. A heap; O(log count). */

import type { ObjectId } from '../object-id.ts';

interface Place {
  readonly id: ObjectId;
  readonly seconds: number;
}

export class DateQueue {
  readonly #heap: Place[] = [];

  get count(): number {
    return this.#heap.length;
  }

  push(id: ObjectId, seconds: number): void {
    const heap = this.#heap;
    const place = { id, seconds };
    let at = heap.length;
    heap.push(place);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (heap[above]!.seconds >= seconds) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = place;
  }

  /** The newest; undefined: there is none. */
  pop(): ObjectId | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first?.id;
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
    return first.id;
  }
}
