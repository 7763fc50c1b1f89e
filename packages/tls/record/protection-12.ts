/**
 * Protection of TLS 1.2 records with an AEAD: RFC 5246 §6.2.3.3, RFC 5288 §3 (AES-GCM, whose nonce
 * is half of the key's and half in the record), RFC 7905 §2 (ChaCha20-Poly1305, with nothing in the
 * record). Read first: protection.ts.
 */

import { assert, hot, readI32be, writeU16be, writeU32be } from '#core';
import type { Aead } from '#device';
import { RECORDS_READ_PER_KEY_MAX } from '../limits.ts';
import { TLS_1_2 } from '../wire/code-points.ts';
import {
  EXPANSION_BYTES_MAX_12,
  PLAINTEXT_BYTES_MAX,
  RECORD_HEADER_BYTES,
  writeRecordHeader,
} from '../wire/record.ts';
import type { RecordProtection } from './protection.ts';
import { AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from './protection-13.ts';

/** Of AES-GCM's nonce: what is in the record. It is the sequence number. */
const EXPLICIT_BYTES = 8;
const SALT_BYTES = AEAD_NONCE_BYTES - EXPLICIT_BYTES;
const SEQUENCE_BYTES = 8;

const CONTENT_BYTES_AT = SEQUENCE_BYTES + RECORD_HEADER_BYTES - 2;

/** Sequence number, then the header as if the record weren't protected; written anew each time. */
const additional = new Uint8Array(SEQUENCE_BYTES + RECORD_HEADER_BYTES);
const nonce = new Uint8Array(AEAD_NONCE_BYTES);

export class Protection12 implements RecordProtection {
  readonly prefixBytes: number;
  readonly suffixBytes = AEAD_TAG_BYTES;
  readonly hasInnerType = false;
  readonly recordBytesMax = PLAINTEXT_BYTES_MAX + EXPANSION_BYTES_MAX_12;
  /** The sequence number of the next record; it never passes 32 bits. */
  records = 0;
  private readonly aead: Aead;
  private readonly iv: Uint8Array;

  /** Keeps `iv`: 4 bytes of AES-GCM's salt, or all 12 of ChaCha20-Poly1305's nonce. */
  constructor(aead: Aead, iv: Uint8Array) {
    assert(iv.length === SALT_BYTES || iv.length === AEAD_NONCE_BYTES);
    this.aead = aead;
    this.iv = iv;
    this.prefixBytes = AEAD_NONCE_BYTES - iv.length;
  }

  seal(record: Uint8Array, at: number, type: number, contentBytes: number): void {
    assert(this.records <= 0xffff_ffff); // A nonce would come again.
    const { prefixBytes } = this;
    const bodyBytes = prefixBytes + contentBytes + AEAD_TAG_BYTES;
    writeRecordHeader(record, at, type, TLS_1_2, bodyBytes);
    const contentAt = at + RECORD_HEADER_BYTES + prefixBytes;
    if (prefixBytes > 0) {
      writeU32be(record, at + RECORD_HEADER_BYTES, 0);
      writeU32be(record, at + RECORD_HEADER_BYTES + 4, this.records);
    }
    this.next(record, at, contentBytes);
    this.aead.seal(nonce, additional, record, contentAt, contentBytes, record, contentAt);
  }

  open(record: Uint8Array, at: number, bodyBytes: number, out: Uint8Array, outAt: number): number {
    const { prefixBytes } = this;
    const contentBytes = bodyBytes - prefixBytes - AEAD_TAG_BYTES;
    if (contentBytes < 0 || this.records >= RECORDS_READ_PER_KEY_MAX) return -1;
    const contentAt = at + RECORD_HEADER_BYTES + prefixBytes;
    this.next(record, at, contentBytes);
    const sealedBytes = contentBytes + AEAD_TAG_BYTES;
    if (this.aead.open(nonce, additional, record, contentAt, sealedBytes, out, outAt)) {
      return contentBytes;
    }
    return -1;
  }

  destroy(): void {
    this.aead.destroy();
    hot.fill(this.iv, 0, this.iv.length, 0);
  }

  /** Nonce and additional data of the record at `at`, whose header and explicit part are there. */
  private next(record: Uint8Array, at: number, contentBytes: number): void {
    const { iv, prefixBytes, records } = this;
    hot.copy(nonce, 0, iv, 0, iv.length);
    if (prefixBytes > 0) {
      hot.copy(nonce, SALT_BYTES, record, at + RECORD_HEADER_BYTES, EXPLICIT_BYTES);
    } else {
      writeU32be(nonce, 8, readI32be(nonce, 8) ^ records);
    }
    writeU32be(additional, 4, records);
    hot.copy(additional, SEQUENCE_BYTES, record, at, RECORD_HEADER_BYTES);
    writeU16be(additional, CONTENT_BYTES_AT, contentBytes);
    this.records = records + 1;
  }
}
