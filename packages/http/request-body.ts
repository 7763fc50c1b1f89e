/** Where a request's body ends, and how much of it came: RFC 9112 §6.3. */

import { ChunkedDecoder } from './wire/chunked.ts';

/** Cuts the body out of a connection's bytes. */
export class RequestBody {
  /** The piece found by the last `take`, as offsets; empty when equal. */
  dataAt = 0;
  dataEnd = 0;
  isDone: boolean;
  /** Data bytes found so far. */
  receivedBytes = 0;
  /** Status of what is wrong with it, or 0. */
  fault: 0 | 400 | 413 | 431 = 0;
  private leftBytes: number;
  private readonly bytesMax: number;
  private readonly chunks: ChunkedDecoder | null;

  /** `bodyBytes` as in RequestHead; at most `bytesMax`, or the fault is 413. */
  constructor(bodyBytes: number, bytesMax: number) {
    this.chunks = bodyBytes < 0 ? new ChunkedDecoder() : null;
    this.leftBytes = Math.max(0, bodyBytes);
    this.bytesMax = bytesMax;
    this.isDone = bodyBytes === 0;
    if (bodyBytes > bytesMax) this.fault = 413;
  }

  /**
   * True when nothing is left of it, or no more than `bytesMax` that will surely come.
   * `isHeldBack`: the client may be waiting for 100 (Continue).
   */
  canBeSkipped(isHeldBack: boolean, bytesMax: number): boolean {
    if (this.isDone) return true;
    if (isHeldBack && this.receivedBytes === 0) return false;
    return (this.chunks === null ? this.leftBytes : this.bytesMax) <= bytesMax;
  }

  /** Finds the next piece in [at, end); returns the offset after what it took. */
  take(bytes: Uint8Array, at: number, end: number): number {
    const chunks = this.chunks;
    let next: number;
    if (chunks === null) {
      next = Math.min(end, at + this.leftBytes);
      this.leftBytes -= next - at;
      this.dataAt = at;
      this.dataEnd = next;
      this.isDone = this.leftBytes === 0;
    } else {
      next = chunks.take(bytes, at, end);
      this.dataAt = chunks.dataAt;
      this.dataEnd = chunks.dataEnd;
      this.isDone = chunks.isDone;
      if (chunks.fault !== null) this.fault = chunks.fault.status;
    }
    this.receivedBytes += this.dataEnd - this.dataAt;
    if (this.receivedBytes > this.bytesMax) this.fault = 413;
    return next;
  }
}
