/**
 * Streams on a device: bytes that go on from segment to segment. Read first: geometry.ts,
 * segment-table.ts. Not here: what the bytes mean.
 */

import { assert, err, ok, type Result } from '#core';
import type { BlockDevice } from '#device';
import { joinBytes } from '#git/wire';
import type { StoreFault } from './fault.ts';
import type { Geometry } from './geometry.ts';
import type { SegmentTable } from './segment-table.ts';
import { NO_SEGMENT } from './wire/superblock.ts';

export class Disk {
  readonly device: BlockDevice;
  readonly geometry: Geometry;
  readonly table: SegmentTable;

  constructor(device: BlockDevice, geometry: Geometry, table: SegmentTable) {
    this.device = device;
    this.geometry = geometry;
    this.table = table;
  }

  damaged(place: number, what: string): StoreFault {
    return { kind: 'damaged', block: this.geometry.blockOf(place), what };
  }

  /** `count` bytes of the stream from `place` on; fewer where it ends before. */
  async read(place: number, count: number): Promise<Result<Uint8Array, StoreFault>> {
    const { geometry } = this;
    if (!geometry.isPlace(place)) return err(this.damaged(place, 'no place of a stream'));
    const segment = geometry.segmentOf(place);
    const here = geometry.endOf(segment) - place;
    if (count <= here) return this.#readPiece(place, count);
    const pieces: Uint8Array[] = [];
    let at = place;
    let left = count;
    while (left > 0) {
      const number = geometry.segmentOf(at);
      const bytes = Math.min(left, geometry.endOf(number) - at);
      if (bytes > 0) {
        const piece = await this.#readPiece(at, bytes);
        if (!piece.ok) return piece;
        pieces.push(piece.value);
        left -= bytes;
      }
      const next = this.table.next(number);
      if (next === NO_SEGMENT) break;
      at = geometry.startOf(next);
    }
    return ok(joinBytes(pieces));
  }

  async #readPiece(place: number, count: number): Promise<Result<Uint8Array, StoreFault>> {
    if (count === 0) return ok(new Uint8Array(0));
    const { blockBytes } = this.geometry;
    const first = this.geometry.blockOf(place);
    const skip = place - first * blockBytes;
    const into = new Uint8Array(this.geometry.roundUp(skip + count));
    const read = await this.device.read(first, into);
    return read.ok
      ? ok(into.subarray(skip, skip + count))
      : err({ kind: 'device', error: read.error });
  }

  /** Where the stream is `count` bytes behind `place`; its end when it has no more. */
  advance(place: number, count: number): number {
    const { geometry } = this;
    let at = place;
    let left = count;
    for (;;) {
      const segment = geometry.segmentOf(at);
      const here = geometry.endOf(segment) - at;
      // At the end of a segment it is the beginning of the next one.
      if (left < here) return at + left;
      const next = this.table.next(segment);
      if (next === NO_SEGMENT) return at + Math.min(left, here);
      left -= here;
      at = geometry.startOf(next);
    }
  }

  /** Bytes from `place` to the end of the stream's last segment. */
  room(place: number): number {
    const { geometry } = this;
    const segment = geometry.segmentOf(place);
    let bytes = geometry.endOf(segment) - place;
    let next = this.table.next(segment);
    for (; next !== NO_SEGMENT; next = this.table.next(next)) bytes += geometry.streamBytes;
    return bytes;
  }

  /** Writes whole blocks into the stream from `place` on, which has room for them. */
  async write(place: number, bytes: Uint8Array): Promise<Result<void, StoreFault>> {
    const { geometry } = this;
    const writes: ReturnType<BlockDevice['write']>[] = [];
    let at = place;
    for (let done = 0; done < bytes.length; ) {
      const segment = geometry.segmentOf(at);
      const count = Math.min(bytes.length - done, geometry.endOf(segment) - at);
      if (count > 0) {
        const piece = bytes.subarray(done, done + count);
        writes.push(this.device.write(geometry.blockOf(at), piece));
      }
      done += count;
      if (done === bytes.length) break;
      const next = this.table.next(segment);
      assert(next !== NO_SEGMENT, 'the stream has room for what is written');
      at = geometry.startOf(next);
    }
    for (const written of await Promise.all(writes)) {
      if (!written.ok) return err({ kind: 'device', error: written.error });
    }
    return ok(undefined);
  }

  async flush(): Promise<Result<void, StoreFault>> {
    const flushed = await this.device.flush();
    return flushed.ok ? flushed : err({ kind: 'device', error: flushed.error });
  }
}
