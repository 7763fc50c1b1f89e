/**
 * Where things lie on a device: two places for superblocks at its beginning, two at its end, and
 * segments of one size between them. A segment's first block is its header; streams go on behind
 * it.
 *
 * A place is a byte of the device. The end of a segment, where nothing of the stream is, is a place
 * too: the one that the next segment's header begins at, which is no place of a stream.
 */

import { assert } from '#core';
import type { BlockDevice } from '#device';
import { PAGE_BYTES, SEGMENT_BYTES_MIN, SEGMENTS_MAX, SEGMENTS_MIN } from './limits.ts';

export const SLOTS = 4;
const BLOCK_BYTES_MAX = 65_536;

export class Geometry {
  readonly blockBytes: number;
  readonly deviceBytes: number;
  readonly slotBytes: number;
  readonly segmentBytes: number;
  readonly segmentCount: number;
  /** Of a segment, what a stream has of it. */
  readonly streamBytes: number;
  readonly #base: number;

  constructor(blockBytes: number, deviceBytes: number, segmentBytes: number) {
    this.blockBytes = blockBytes;
    this.deviceBytes = deviceBytes;
    this.slotBytes = Math.max(PAGE_BYTES, blockBytes);
    this.segmentBytes = segmentBytes;
    this.streamBytes = segmentBytes - blockBytes;
    this.#base = (SLOTS / 2) * this.slotBytes;
    this.segmentCount = Math.floor((deviceBytes - SLOTS * this.slotBytes) / segmentBytes);
  }

  /** For a device that is to be formatted; null when it is too small, or its blocks too big. */
  static for(device: Pick<BlockDevice, 'blockBytes' | 'blockCount'>): Geometry | null {
    const { blockBytes } = device;
    if (blockBytes > BLOCK_BYTES_MAX) return null;
    const deviceBytes = blockBytes * device.blockCount;
    let segmentBytes = Math.max(SEGMENT_BYTES_MIN, 8 * blockBytes);
    let found = new Geometry(blockBytes, deviceBytes, segmentBytes);
    while (found.segmentCount > SEGMENTS_MAX) {
      segmentBytes *= 2;
      found = new Geometry(blockBytes, deviceBytes, segmentBytes);
    }
    return found.segmentCount < SEGMENTS_MIN ? null : found;
  }

  slotAt(slot: number): number {
    const half = SLOTS / 2;
    if (slot < half) return slot * this.slotBytes;
    const end = this.deviceBytes - (this.deviceBytes % this.slotBytes);
    return end - (SLOTS - slot) * this.slotBytes;
  }

  segmentAt(segment: number): number {
    return this.#base + segment * this.segmentBytes;
  }

  /** Where the stream begins in it. */
  startOf(segment: number): number {
    return this.segmentAt(segment) + this.blockBytes;
  }

  endOf(segment: number): number {
    return this.segmentAt(segment + 1);
  }

  segmentOf(place: number): number {
    return Math.ceil((place - this.#base) / this.segmentBytes) - 1;
  }

  /** Whether a stream may have something at `place`, or end there. */
  isPlace(place: number): boolean {
    const segment = this.segmentOf(place);
    return segment >= 0 && segment < this.segmentCount && place >= this.startOf(segment);
  }

  blockOf(place: number): number {
    return Math.floor(place / this.blockBytes);
  }

  roundUp(place: number): number {
    return Math.ceil(place / this.blockBytes) * this.blockBytes;
  }

  checkInvariants(): void {
    assert(this.segmentCount >= SEGMENTS_MIN && this.segmentCount <= SEGMENTS_MAX);
    assert(this.endOf(this.segmentCount - 1) <= this.slotAt(SLOTS / 2), 'slots lie behind');
  }
}
