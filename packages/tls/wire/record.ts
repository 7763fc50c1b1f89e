/**
 * The header of a record (RFC 8446 §5.1, RFC 5246 §6.2), read in place. Not here: protection
 * (engine).
 */

import { ok, type Result, readU16be, writeU16be } from '#core';
import type { AlertName, TlsFault } from './alert.ts';
import type { ByteWriter } from './byte-writer.ts';
import { TLS_1_2 } from './code-points.ts';

const at = { type: 0, version: 1, lengthBytes: 3 } as const;
export const RECORD_HEADER_BYTES = 5;

export const contentType = {
  change_cipher_spec: 20,
  alert: 21,
  handshake: 22,
  application_data: 23,
} as const;

/** Of a record's plaintext (RFC 8446 §5.1). */
export const PLAINTEXT_BYTES_MAX = 16_384;
/** What protection may add (RFC 8446 §5.2, RFC 5246 §6.2.3). */
export const EXPANSION_BYTES_MAX_13 = 256;
export const EXPANSION_BYTES_MAX_12 = 2_048;

export const recordType = (b: Uint8Array, recordAt: number): number => b[recordAt + at.type]!;
export const recordVersion = (b: Uint8Array, recordAt: number): number =>
  readU16be(b, recordAt + at.version);
/** Of what follows the header. */
export const recordLengthBytes = (b: Uint8Array, recordAt: number): number =>
  readU16be(b, recordAt + at.lengthBytes);

/**
 * Null when a record's header at `recordAt` is one of TLS and its content has at most `bytesMax`
 * bytes. The version's low byte isn't looked at: RFC 8446 §5.1 tells to ignore it, and RFC 5246
 * §E.1 lets a first hello have any. A short `b` is a fault of kind 'short': wait for more.
 */
export function checkRecordHeader(
  b: Uint8Array,
  recordAt: number,
  bytesMax: number,
): TlsFault | null {
  if (b.length - recordAt < RECORD_HEADER_BYTES) {
    const needBytes = recordAt + RECORD_HEADER_BYTES;
    return { kind: 'short', needBytes, haveBytes: b.length, alert: 'decode_error' };
  }
  const type = recordType(b, recordAt);
  if (type < contentType.change_cipher_spec || type > contentType.application_data) {
    return wrong(recordAt + at.type, type, 'unexpected_message');
  }
  const version = recordVersion(b, recordAt);
  if (version >> 8 !== TLS_1_2 >> 8) {
    return wrong(recordAt + at.version, version, 'protocol_version');
  }
  const lengthBytes = recordLengthBytes(b, recordAt);
  if (lengthBytes > bytesMax) {
    return wrong(recordAt + at.lengthBytes, lengthBytes, 'record_overflow');
  }
  return null;
}

const wrong = (offset: number, value: number, alert: AlertName): TlsFault => ({
  kind: 'field',
  offset,
  value,
  alert,
});

export interface RecordHeaderRepr {
  readonly type: number;
  readonly version: number;
  readonly lengthBytes: number;
}

export function parseRecordHeader(b: Uint8Array): Result<RecordHeaderRepr, TlsFault> {
  const fault = checkRecordHeader(b, 0, PLAINTEXT_BYTES_MAX + EXPANSION_BYTES_MAX_12);
  if (fault !== null) return { ok: false, error: fault };
  return ok({
    type: recordType(b, 0),
    version: recordVersion(b, 0),
    lengthBytes: recordLengthBytes(b, 0),
  });
}

export function emitRecordHeader(to: ByteWriter, repr: RecordHeaderRepr): void {
  to.u8(repr.type);
  to.u16(repr.version);
  to.u16(repr.lengthBytes);
}

/** Writes a header in place: `to` has RECORD_HEADER_BYTES of room at `recordAt`. */
export function writeRecordHeader(
  to: Uint8Array,
  recordAt: number,
  type: number,
  version: number,
  lengthBytes: number,
): void {
  to[recordAt + at.type] = type;
  writeU16be(to, recordAt + at.version, version);
  writeU16be(to, recordAt + at.lengthBytes, lengthBytes);
}

export const formatRecordHeader = ({ type, version, lengthBytes }: RecordHeaderRepr): string =>
  `record type ${type} version 0x${version.toString(16)}, ${lengthBytes} bytes`;
