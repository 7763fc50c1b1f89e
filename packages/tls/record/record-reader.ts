/**
 * Bytes in, records' content out, RFC 8446 §5: finds records wherever they are cut, opens them,
 * refuses what is too long or of a type that can't be here. A record that is whole in what arrived
 * is opened from there, any other is gathered, in memory that grows as it comes. Not here: what the
 * content means (engine.ts).
 */

import { assert, hot } from '#core';
import { EMPTY_RECORDS_MAX } from '../limits.ts';
import { type Refusal, refuse, refuseMalformed } from '../refusal.ts';
import {
  checkRecordHeader,
  contentType,
  EXPANSION_BYTES_MAX_13,
  PLAINTEXT_BYTES_MAX,
  RECORD_HEADER_BYTES,
  recordLengthBytes,
  recordType,
} from '../wire/record.ts';
import type { RecordProtection } from './protection.ts';

const NOTHING = new Uint8Array(0);
const HELD_BYTES_MIN = 1_024;

export interface RecordHandler {
  /**
   * One record's content, [at, end) of `bytes`, borrowed. May change the reader's protection, and
   * stop it.
   */
  record(type: number, bytes: Uint8Array, at: number, end: number): Refusal | null;
}

export class RecordReader {
  /** The most content of a protected record, without the type (RFC 8449); more: record_overflow. */
  contentBytesMax = PLAINTEXT_BYTES_MAX;
  /** Bytes that may still be thrown away as early data (RFC 8446 §4.2.10). */
  earlyDataBytesLeft = 0;
  /** Set: no further record is looked at, what comes is held. */
  isStopped = false;
  /** How often the protection was set. */
  keys = 0;
  private isClosed = false;
  private protection: RecordProtection | null = null;
  private emptyRecords = 0;
  /** Beginning of what isn't a whole record yet, or all that came while stopped. */
  private held = NOTHING;
  private heldBytes = 0;

  setProtection(protection: RecordProtection | null): void {
    this.protection?.destroy();
    this.protection = protection;
    this.keys++;
  }

  /** Takes all of `bytes`, borrowed; a refusal is the end. */
  receive(bytes: Uint8Array, handler: RecordHandler): Refusal | null {
    if (this.isStopped) {
      this.hold(bytes, 0, bytes.length);
      return null;
    }
    let at = 0;
    while (this.heldBytes > 0) {
      const needBytes = this.needed();
      if (typeof needBytes !== 'number') return needBytes;
      const part = Math.min(needBytes - this.heldBytes, bytes.length - at);
      this.hold(bytes, at, at + part);
      at += part;
      if (this.heldBytes < needBytes) return null;
      if (needBytes === RECORD_HEADER_BYTES && recordLengthBytes(this.held, 0) > 0) continue;
      const record = this.held;
      this.release();
      const refusal = this.take(record, 0, record, handler);
      if (refusal !== null) return refusal;
      if (this.isStopped) {
        this.hold(bytes, at, bytes.length);
        return null;
      }
    }
    return this.receiveWhole(bytes, at, handler);
  }

  /** Goes on after a stop. */
  resume(handler: RecordHandler): Refusal | null {
    assert(!this.isClosed);
    this.isStopped = false;
    const bytes = this.held.subarray(0, this.heldBytes);
    this.release();
    return this.receiveWhole(bytes, 0, handler);
  }

  /** Forgets what is held and wipes the key. */
  close(): void {
    this.isClosed = true;
    this.isStopped = true;
    this.release();
    this.setProtection(null);
  }

  /** Bytes held. */
  get waitingBytes(): number {
    return this.heldBytes;
  }

  checkInvariants(): void {
    assert(this.heldBytes <= this.held.length);
    assert(this.heldBytes > 0 || this.held.length === 0);
    assert(this.emptyRecords <= EMPTY_RECORDS_MAX);
  }

  private receiveWhole(bytes: Uint8Array, from: number, handler: RecordHandler): Refusal | null {
    let at = from;
    while (!this.isStopped && bytes.length - at >= RECORD_HEADER_BYTES) {
      const refusal = this.checkHeader(bytes, at);
      if (refusal !== null) return refusal;
      const recordBytes = RECORD_HEADER_BYTES + recordLengthBytes(bytes, at);
      if (bytes.length - at < recordBytes) break;
      const wrong = this.take(bytes, at, null, handler);
      if (wrong !== null) return wrong;
      at += recordBytes;
    }
    this.hold(bytes, at, bytes.length);
    return null;
  }

  /** How many bytes the record that is held has, as far as is known. */
  private needed(): number | Refusal {
    if (this.heldBytes < RECORD_HEADER_BYTES) return RECORD_HEADER_BYTES;
    const refusal = this.checkHeader(this.held, 0);
    return refusal ?? RECORD_HEADER_BYTES + recordLengthBytes(this.held, 0);
  }

  private checkHeader(bytes: Uint8Array, at: number): Refusal | null {
    const { protection } = this;
    const bytesMax =
      protection === null
        ? PLAINTEXT_BYTES_MAX + (this.earlyDataBytesLeft > 0 ? EXPANSION_BYTES_MAX_13 : 0)
        : protection.recordBytesMax;
    const fault = checkRecordHeader(bytes, at, bytesMax);
    return fault === null ? null : refuseMalformed(fault, 'record header');
  }

  /** One whole record at `at`. `own`: the same array when it may be overwritten. */
  private take(
    bytes: Uint8Array,
    at: number,
    own: Uint8Array | null,
    handler: RecordHandler,
  ): Refusal | null {
    const type = recordType(bytes, at);
    const bodyAt = at + RECORD_HEADER_BYTES;
    const bodyBytes = recordLengthBytes(bytes, at);
    const { protection } = this;
    if (protection === null) {
      if (type === contentType.application_data && this.earlyDataBytesLeft > 0) {
        return this.skipEarlyData(bodyBytes);
      }
      if (bodyBytes > PLAINTEXT_BYTES_MAX) return refuse('record_overflow', 'a record is too long');
      return this.content(type, bytes, bodyAt, bodyAt + bodyBytes, handler);
    }
    if (protection.hasInnerType && type !== contentType.application_data) {
      return this.takePlain(type, bytes, bodyAt, bodyAt + bodyBytes, handler);
    }
    const out = own ?? new Uint8Array(Math.max(0, bodyBytes - protection.prefixBytes));
    const outAt = own === null ? 0 : bodyAt + protection.prefixBytes;
    const count = protection.open(bytes, at, bodyBytes, out, outAt);
    if (count < 0) {
      if (this.earlyDataBytesLeft > 0) return this.skipEarlyData(bodyBytes);
      return refuse('bad_record_mac', 'a record is not the next one of its key');
    }
    this.earlyDataBytesLeft = 0;
    if (!protection.hasInnerType) {
      if (count > this.contentBytesMax) return refuse('record_overflow', 'too much content');
      return this.content(type, out, outAt, outAt + count, handler);
    }
    return this.takeInner(out, outAt, outAt + count, handler);
  }

  /** Content, type, zeros: RFC 8446 §5.2 and §5.4. */
  private takeInner(
    bytes: Uint8Array,
    at: number,
    end: number,
    handler: RecordHandler,
  ): Refusal | null {
    if (end - at > this.contentBytesMax + 1) return refuse('record_overflow', 'too much content');
    let typeAt = end - 1;
    while (typeAt >= at && bytes[typeAt] === 0) typeAt--;
    if (typeAt < at) return refuse('unexpected_message', 'a record has no type inside');
    const type = bytes[typeAt]!;
    if (type < contentType.alert || type > contentType.application_data) {
      return refuse('unexpected_message', `a record has type ${type} inside`);
    }
    return this.content(type, bytes, at, typeAt, handler);
  }

  /** A record that isn't protected among protected ones (RFC 8446 §5 and §6). */
  private takePlain(
    type: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    handler: RecordHandler,
  ): Refusal | null {
    if (type === contentType.change_cipher_spec) return handler.record(type, bytes, at, end);
    // A client that can't use our ServerHello has no keys to say so with.
    const isFirst = this.keys === 1 && this.protection!.records === 0;
    if (type === contentType.alert && isFirst) return handler.record(type, bytes, at, end);
    return refuse('unexpected_message', 'a record is not protected');
  }

  private content(
    type: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    handler: RecordHandler,
  ): Refusal | null {
    if (end > at) this.emptyRecords = 0;
    else if (type !== contentType.application_data) {
      return refuse('unexpected_message', 'an empty record'); // RFC 8446 §5.1 and §5.4.
    } else if (++this.emptyRecords > EMPTY_RECORDS_MAX) {
      this.emptyRecords = 0;
      return refuse('unexpected_message', 'too many empty records');
    }
    return handler.record(type, bytes, at, end);
  }

  private skipEarlyData(bodyBytes: number): Refusal | null {
    this.earlyDataBytesLeft -= bodyBytes + RECORD_HEADER_BYTES;
    if (this.earlyDataBytesLeft > 0) return null;
    return refuse('unexpected_message', 'too much early data');
  }

  private hold(bytes: Uint8Array, at: number, end: number): void {
    const count = end - at;
    if (count === 0 || this.isClosed) return;
    const total = this.heldBytes + count;
    if (total > this.held.length) {
      const grown = new Uint8Array(this.capacityFor(total));
      hot.copy(grown, 0, this.held, 0, this.heldBytes);
      this.held = grown;
    }
    hot.copy(this.held, this.heldBytes, bytes, at, count);
    this.heldBytes = total;
  }

  /** The whole record's size once a quarter of it is here: a peer must send what it occupies. */
  private capacityFor(total: number): number {
    const grown = Math.max(total, HELD_BYTES_MIN);
    if (this.isStopped || this.heldBytes < RECORD_HEADER_BYTES) return grown;
    const recordBytes = RECORD_HEADER_BYTES + recordLengthBytes(this.held, 0);
    return Math.max(total, Math.min(recordBytes, 4 * grown));
  }

  private release(): void {
    this.held = NOTHING;
    this.heldBytes = 0;
  }
}
