/**
 * Protection of TLS 1.3 records, RFC 8446 §5.2 and §5.3. Read first: protection.ts.
 */

import { assert, hot, readI32be, writeU32be } from '#core';
import type { Aead } from '#device';
import { RECORDS_READ_PER_KEY_MAX } from '../limits.ts';
import { TLS_1_2 } from '../wire/code-points.ts';
import {
  contentType,
  EXPANSION_BYTES_MAX_13,
  PLAINTEXT_BYTES_MAX,
  RECORD_HEADER_BYTES,
  writeRecordHeader,
} from '../wire/record.ts';
import type { RecordProtection } from './protection.ts';

export const AEAD_NONCE_BYTES = 12;
export const AEAD_TAG_BYTES = 16;

/** The header is the additional data (RFC 8446 §5.2); written anew for each record. */
const additional = new Uint8Array(RECORD_HEADER_BYTES);
const nonce = new Uint8Array(AEAD_NONCE_BYTES);

export class Protection13 implements RecordProtection {
  readonly prefixBytes = 0;
  readonly suffixBytes = 1 + AEAD_TAG_BYTES;
  readonly hasInnerType = true;
  readonly recordBytesMax = PLAINTEXT_BYTES_MAX + EXPANSION_BYTES_MAX_13;
  /** The sequence number of the next record; it never passes 32 bits. */
  records = 0;
  private readonly aead: Aead;
  private readonly iv: Uint8Array;

  /** Keeps `iv`, which is the caller's no more. */
  constructor(aead: Aead, iv: Uint8Array) {
    assert(iv.length === AEAD_NONCE_BYTES);
    this.aead = aead;
    this.iv = iv;
  }

  seal(
    record: Uint8Array,
    at: number,
    type: number,
    contentBytes: number,
    paddingBytes: number,
  ): void {
    assert(this.records <= 0xffff_ffff); // A nonce would come again.
    const innerAt = at + RECORD_HEADER_BYTES;
    const innerBytes = contentBytes + 1 + paddingBytes;
    record[innerAt + contentBytes] = type;
    if (paddingBytes > 0) hot.fill(record, innerAt + contentBytes + 1, paddingBytes, 0);
    const bodyBytes = innerBytes + AEAD_TAG_BYTES;
    writeRecordHeader(record, at, contentType.application_data, TLS_1_2, bodyBytes);
    writeRecordHeader(additional, 0, contentType.application_data, TLS_1_2, bodyBytes);
    this.nextNonce();
    this.aead.seal(nonce, additional, record, innerAt, innerBytes, record, innerAt);
  }

  open(record: Uint8Array, at: number, bodyBytes: number, out: Uint8Array, outAt: number): number {
    if (bodyBytes < AEAD_TAG_BYTES || this.records >= RECORDS_READ_PER_KEY_MAX) return -1;
    hot.copy(additional, 0, record, at, RECORD_HEADER_BYTES);
    this.nextNonce();
    const bodyAt = at + RECORD_HEADER_BYTES;
    if (this.aead.open(nonce, additional, record, bodyAt, bodyBytes, out, outAt)) {
      return bodyBytes - AEAD_TAG_BYTES;
    }
    // Skipped early data doesn't count (RFC 8446 §4.2.10); else nothing is opened any more.
    this.records--;
    return -1;
  }

  destroy(): void {
    this.aead.destroy();
    hot.fill(this.iv, 0, AEAD_NONCE_BYTES, 0);
  }

  /** RFC 8446 §5.3: the sequence number, in 64 bits whose upper 32 are zero, over the iv. */
  private nextNonce(): void {
    hot.copy(nonce, 0, this.iv, 0, AEAD_NONCE_BYTES);
    writeU32be(nonce, 8, readI32be(nonce, 8) ^ this.records);
    this.records++;
  }
}
