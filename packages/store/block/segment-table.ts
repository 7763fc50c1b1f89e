/**
 * Which segments are in use, for what, and in which order streams go through them. What is being
 * made and isn't in a superblock yet is temporary: a crash gives it back.
 */

import { assert } from '#core';
import { NO_SEGMENT, type SegmentEntry, type SegmentUse } from './wire/superblock.ts';

interface Segment {
  use: SegmentUse;
  next: number;
  isTemporary: boolean;
  /** Free in the next superblock; until that one counts, a crash would still need it. */
  isDoomed: boolean;
}

export class SegmentTable {
  readonly #segments: Segment[];
  /** Where the search for a free one goes on, so that all of them wear alike. */
  #cursor = 0;
  #freeCount: number;
  #temporaryCount = 0;

  constructor(entries: readonly SegmentEntry[]) {
    this.#segments = entries.map(({ use, next }) => ({
      use,
      next,
      isTemporary: false,
      isDoomed: false,
    }));
    this.#freeCount = entries.filter(({ use }) => use === 'free').length;
    const last = entries.findLastIndex(({ use }) => use !== 'free');
    this.#cursor = (last + 1) % entries.length;
  }

  get count(): number {
    return this.#segments.length;
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /** Those in use that aren't temporary. */
  get keptCount(): number {
    return this.count - this.#freeCount - this.#temporaryCount;
  }

  next(segment: number): number {
    return this.#segments[segment]?.next ?? NO_SEGMENT;
  }

  /** A free segment behind `previous` (or the first of its stream), or null. */
  take(use: SegmentUse, previous: number, isTemporary: boolean): number | null {
    for (let i = 0; i < this.count; i++) {
      const number = (this.#cursor + i) % this.count;
      const segment = this.#segments[number]!;
      if (segment.use !== 'free') continue;
      this.#cursor = (number + 1) % this.count;
      segment.use = use;
      segment.next = NO_SEGMENT;
      segment.isTemporary = isTemporary;
      this.#freeCount -= 1;
      if (isTemporary) this.#temporaryCount += 1;
      if (previous !== NO_SEGMENT) this.link(previous, number);
      return number;
    }
    return null;
  }

  link(previous: number, segment: number): void {
    assert(this.#segments[previous]!.next === NO_SEGMENT, 'a stream goes on in one place');
    this.#segments[previous]!.next = segment;
  }

  /** Ends the stream behind `segment`; what came after is another stream. */
  unlink(segment: number): void {
    this.#segments[segment]!.next = NO_SEGMENT;
  }

  /** Segments of the stream from `first` on are free in the next superblock; says which. */
  doom(first: number): number[] {
    const doomed = this.stream(first);
    for (const number of doomed) this.#segments[number]!.isDoomed = true;
    return doomed;
  }

  /** A superblock without them counts. */
  releaseDoomed(doomed: readonly number[]): void {
    for (const number of doomed) {
      const segment = this.#segments[number]!;
      assert(segment.isDoomed, 'it was doomed before');
      segment.use = 'free';
      segment.next = NO_SEGMENT;
      segment.isDoomed = false;
      this.#freeCount += 1;
    }
  }

  /** Gives back all segments of a stream from `first` on, which no superblock has. */
  release(first: number): void {
    for (let number = first; number !== NO_SEGMENT; ) {
      const segment = this.#segments[number]!;
      assert(segment.use !== 'free', 'a free segment is in no stream');
      if (segment.isTemporary) this.#temporaryCount -= 1;
      this.#freeCount += 1;
      number = segment.next;
      segment.use = 'free';
      segment.next = NO_SEGMENT;
      segment.isTemporary = false;
    }
  }

  /** The stream from `first` on is in the next superblock. */
  keep(first: number): void {
    for (let number = first; number !== NO_SEGMENT; number = this.next(number)) {
      const segment = this.#segments[number]!;
      if (segment.isTemporary) this.#temporaryCount -= 1;
      segment.isTemporary = false;
    }
  }

  stream(first: number): number[] {
    const numbers: number[] = [];
    for (let number = first; number !== NO_SEGMENT; number = this.next(number)) {
      numbers.push(number);
    }
    return numbers;
  }

  /** As a superblock has them. */
  entries(): SegmentEntry[] {
    return this.#segments.map(({ use, next, isTemporary, isDoomed }) =>
      isTemporary || isDoomed ? { use: 'free', next: NO_SEGMENT } : { use, next },
    );
  }

  checkInvariants(): void {
    let free = 0;
    let temporary = 0;
    const before = new Uint8Array(this.count);
    for (const { use, next, isTemporary } of this.#segments) {
      if (use === 'free') free += 1;
      if (isTemporary) temporary += 1;
      assert(use !== 'free' || (next === NO_SEGMENT && !isTemporary), 'free is in no stream');
      if (next === NO_SEGMENT) continue;
      assert(this.#segments[next]?.use === use, 'a stream has one use');
      assert(before[next] === 0, 'two streams share no segment');
      before[next] = 1;
    }
    assert(free === this.#freeCount && temporary === this.#temporaryCount, 'counts');
  }
}
