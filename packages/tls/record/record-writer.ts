/**
 * Content in, records out: fragments it, sealed straight into the array that is sent. Not here:
 * what is sent when (engine.ts), bytes that wait (plain-queue.ts).
 */

import { assert, hot } from '#core';
import type { PlainQueue } from '../plain-queue.ts';
import { type TLS_1_0, TLS_1_2 } from '../wire/code-points.ts';
import { PLAINTEXT_BYTES_MAX, RECORD_HEADER_BYTES, writeRecordHeader } from '../wire/record.ts';
import type { RecordProtection } from './protection.ts';

export class RecordWriter {
  /** The most content that the peer takes in a protected record (RFC 8449), without the type. */
  contentBytesMax = PLAINTEXT_BYTES_MAX;
  /** Content of application data is padded to a multiple of this (RFC 8446 §5.4). */
  paddingBytes = 1;
  /** A first ClientHello's is TLS 1.0, for old servers (RFC 8446 §5.1). */
  plainVersion: typeof TLS_1_0 | typeof TLS_1_2 = TLS_1_2;
  private protection: RecordProtection | null = null;

  /** Wipes the key before. */
  setProtection(protection: RecordProtection | null): void {
    this.protection?.destroy();
    this.protection = protection;
  }

  get isProtected(): boolean {
    return this.protection !== null;
  }

  /** Records sealed under the present key. */
  get records(): number {
    return this.protection?.records ?? 0;
  }

  /** `bytes` as records of `type`, in a fresh array; none at all for none, unless `type` is 23. */
  seal(type: number, bytes: Uint8Array): Uint8Array {
    return this.fill(type, bytes, null, bytes.length, 1);
  }

  /** The next `count` bytes of `queue` as records of application data. */
  sealQueued(type: number, queue: PlainQueue, count: number): Uint8Array {
    return this.fill(type, null, queue, count, this.paddingBytes);
  }

  /** From one array (small things, not padded) or from the queue. */
  private fill(
    type: number,
    bytes: Uint8Array | null,
    queue: PlainQueue | null,
    count: number,
    paddingBytes: number,
  ): Uint8Array {
    const protection = this.protection;
    const most = protection === null ? PLAINTEXT_BYTES_MAX : this.contentBytesMax;
    const prefixBytes = protection === null ? 0 : protection.prefixBytes;
    const aroundBytes =
      RECORD_HEADER_BYTES + prefixBytes + (protection === null ? 0 : protection.suffixBytes);
    const fullRecords = count === 0 ? 0 : Math.ceil(count / most) - 1;
    const lastBytes = count - fullRecords * most;
    const padding =
      paddingBytes === 1
        ? 0
        : Math.min(most, Math.ceil(lastBytes / paddingBytes) * paddingBytes) - lastBytes;
    const out = new Uint8Array((fullRecords + 1) * aroundBytes + count + padding);
    let from = 0;
    let at = 0;
    for (let record = 0; record <= fullRecords; record++) {
      const isLast = record === fullRecords;
      const contentBytes = isLast ? lastBytes : most;
      const contentAt = at + RECORD_HEADER_BYTES + prefixBytes;
      if (queue !== null) queue.take(out, contentAt, contentBytes);
      else hot.copy(out, contentAt, bytes!, from, contentBytes);
      if (protection === null) writeRecordHeader(out, at, type, this.plainVersion, contentBytes);
      else protection.seal(out, at, type, contentBytes, isLast ? padding : 0);
      from += contentBytes;
      at += aroundBytes + contentBytes + (isLast ? padding : 0);
    }
    assert(at === out.length);
    return out;
  }
}
