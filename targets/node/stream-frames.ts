/**
 * Frames out of a stream, as QEMU's `-netdev stream` has them: the length, four bytes big-endian,
 * and the bytes. Pure. A frame that lies within a chunk is handed out where it is, its length
 * before it; one that comes in pieces is put together in memory of its own.
 */

import { hot, readU32be, writeU32be } from '#core';

export const LENGTH_BYTES = 4;
const ETHERNET_HEADER_BYTES = 14;
/** A frame with the largest IP packet: a peer's MTU may be larger than ours. */
export const STREAM_FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + 65_535;

/** Bytes [start, end) of `bytes` are a frame, with its length before it; false: no more of them. */
export type FrameSink = (bytes: Uint8Array, start: number, end: number) => boolean;

export class StreamFrames {
  private readonly bytesMin: number;
  private readonly sink: FrameSink;
  /** The length of a frame whose end hasn't come, as far as it came. */
  private readonly prefix = new Uint8Array(LENGTH_BYTES);
  private prefixBytes = 0;
  /** Room for that frame, once its length is known, and how much of it is there. */
  private begun: Uint8Array | null = null;
  private begunBytes = 0;

  /** Frames have `bytesMin` to STREAM_FRAME_BYTES_MAX bytes. */
  constructor(bytesMin: number, sink: FrameSink) {
    this.bytesMin = bytesMin;
    this.sink = sink;
  }

  /**
   * Hands out the frames that `chunk`, which must not change any more, completes. Null, or a length
   * that no frame has: what follows it can't be found any more, and nothing may be pushed again.
   */
  push(chunk: Uint8Array): number | null {
    let from = 0;
    if (this.prefixBytes > 0) {
      const end = this.complete(chunk);
      if (end < 0) return this.length();
      from = end;
    }
    const { length } = chunk;
    while (length - from >= LENGTH_BYTES) {
      const start = from + LENGTH_BYTES;
      const bytes = readU32be(chunk, from);
      if (bytes < this.bytesMin || bytes > STREAM_FRAME_BYTES_MAX) return bytes;
      if (start + bytes > length) break;
      from = start + bytes;
      if (!this.sink(chunk, start, from)) return null;
    }
    return from < length ? this.begin(chunk, from) : null;
  }

  private length(): number {
    return readU32be(this.prefix, 0);
  }

  /** Keeps the beginning of a frame, which doesn't end in `chunk`. */
  private begin(chunk: Uint8Array, from: number): number | null {
    return this.complete(chunk.subarray(from)) < 0 ? this.length() : null;
  }

  /** Adds to the frame that has begun: how much of `chunk` that took, or -1 for a wrong length. */
  private complete(chunk: Uint8Array): number {
    let from = 0;
    while (this.prefixBytes < LENGTH_BYTES) {
      if (from === chunk.length) return from;
      this.prefix[this.prefixBytes++] = chunk[from++]!;
    }
    const bytes = this.length();
    if (this.begun === null) {
      if (bytes < this.bytesMin || bytes > STREAM_FRAME_BYTES_MAX) return -1;
      this.begun = new Uint8Array(LENGTH_BYTES + bytes);
      writeU32be(this.begun, 0, bytes);
      this.begunBytes = LENGTH_BYTES;
    }
    const { begun } = this;
    const count = Math.min(begun.length - this.begunBytes, chunk.length - from);
    hot.copy(begun, this.begunBytes, chunk, from, count);
    this.begunBytes += count;
    from += count;
    if (this.begunBytes < begun.length) return from;
    this.begun = null;
    this.prefixBytes = 0;
    return this.sink(begun, LENGTH_BYTES, begun.length) ? from : chunk.length;
  }
}
