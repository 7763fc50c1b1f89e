/**
 * The pkt-line: Git's framing of everything that isn't a pack. Four hexadecimal digits, the length
 * with themselves, then the payload; lengths below four are marks. Read first:
 * gitprotocol-common(5), "pkt-line Format"; gitprotocol-v2(5), "Packet-Line Framing". Not here:
 * what payloads say (advertisement.ts and others beside), reading from a stream
 * (protocol/pkt-reader.ts).
 */

import { err, hot, ok, type Result, type WireFault } from '#core';

export const PKT_HEAD_BYTES = 4;
/** A whole pkt-line with its head; gitprotocol-common: 65,516 bytes of payload and no more. */
export const PKT_BYTES_MAX = 65_520;
export const PKT_PAYLOAD_BYTES_MAX = PKT_BYTES_MAX - PKT_HEAD_BYTES;

/** The marks' lengths; 3 means nothing. */
const FLUSH = 0;
const DELIM = 1;
const RESPONSE_END = 2;

export type PktMark = 'flush' | 'delim' | 'response-end';
export type Pkt = PktMark | Uint8Array;

const MARK_BYTES: Readonly<Record<PktMark, Uint8Array>> = {
  flush: hot.utf8Encode('0000'),
  delim: hot.utf8Encode('0001'),
  'response-end': hot.utf8Encode('0002'),
};

export const isMark = (pkt: Pkt): pkt is PktMark => typeof pkt === 'string';

/** The bytes of a mark: shared, never changed. */
export const markBytes = (mark: PktMark): Uint8Array => MARK_BYTES[mark];

/**
 * The length that the head at `at` gives, or -1 for what is no head or no length: not four
 * hexadecimal digits (either case), 3, or above PKT_BYTES_MAX. Needs four bytes.
 */
export function readPktLength(b: Uint8Array, at: number): number {
  let length = 0;
  for (let i = at; i < at + PKT_HEAD_BYTES; i++) {
    const digit = hexDigit(b[i]!);
    if (digit < 0) return -1;
    length = length * 16 + digit;
  }
  return length === 3 || length > PKT_BYTES_MAX ? -1 : length;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 97 && byte <= 102) return byte - 87;
  return byte >= 65 && byte <= 70 ? byte - 55 : -1;
}

export const markOfLength = (length: number): PktMark | null => {
  if (length === FLUSH) return 'flush';
  if (length === DELIM) return 'delim';
  return length === RESPONSE_END ? 'response-end' : null;
};

/** Writes the head of a pkt-line with `payloadBytes` (0..PKT_PAYLOAD_BYTES_MAX) at `at`. */
export function emitPktHead(to: Uint8Array, at: number, payloadBytes: number): void {
  const length = payloadBytes + PKT_HEAD_BYTES;
  hot.writeLatin1(to, at, length.toString(16).padStart(PKT_HEAD_BYTES, '0'));
}

/**
 * One pkt-line in memory of its own; `payload` (copied) has at most PKT_PAYLOAD_BYTES_MAX bytes.
 */
export function pktOf(payload: Uint8Array): Uint8Array {
  const pkt = new Uint8Array(PKT_HEAD_BYTES + payload.length);
  emitPktHead(pkt, 0, payload.length);
  hot.copy(pkt, PKT_HEAD_BYTES, payload, 0, payload.length);
  return pkt;
}

/** All pkt-lines of `b`, which hold nothing else; payloads borrow from it. O(length). */
export function parsePkts(b: Uint8Array): Result<readonly Pkt[], WireFault> {
  const pkts: Pkt[] = [];
  for (let at = 0; at < b.length; ) {
    const haveBytes = b.length - at;
    if (haveBytes < PKT_HEAD_BYTES) {
      return err({ kind: 'short', needBytes: PKT_HEAD_BYTES, haveBytes });
    }
    const length = readPktLength(b, at);
    if (length < 0) return err({ kind: 'field', offset: at, value: b[at]! });
    if (length > haveBytes) return err({ kind: 'short', needBytes: length, haveBytes });
    pkts.push(markOfLength(length) ?? b.subarray(at + PKT_HEAD_BYTES, at + length));
    at += Math.max(length, PKT_HEAD_BYTES);
  }
  return ok(pkts);
}

/** Writes pkt-lines at 0; returns their length. */
export function emitPkts(to: Uint8Array, pkts: readonly Pkt[]): number {
  let at = 0;
  for (const pkt of pkts) {
    if (isMark(pkt)) {
      hot.copy(to, at, markBytes(pkt), 0, PKT_HEAD_BYTES);
      at += PKT_HEAD_BYTES;
      continue;
    }
    emitPktHead(to, at, pkt.length);
    hot.copy(to, at + PKT_HEAD_BYTES, pkt, 0, pkt.length);
    at += PKT_HEAD_BYTES + pkt.length;
  }
  return at;
}

/** For people: marks by name, payloads by length. */
export const formatPkts = (pkts: readonly Pkt[]): string =>
  pkts.map((pkt) => (isMark(pkt) ? pkt : `${pkt.length} bytes`)).join(', ');
