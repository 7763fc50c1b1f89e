/**
 * Cutting one large TCP segment into frames, for a device that doesn't; and filling in checksums.
 * The headers are Ethernet's, IP's and TCP's, as they are to leave.
 */

import { assert, hot, readU16be, readU32be, seqOf, writeU16be, writeU32be } from '#core';
import type { ChecksumRequest } from '#device';
import { PROTOCOL_TCP } from '#net';
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV6,
  foldChecksum,
  IPV6_HEADER_BYTES,
  TCP_CWR,
  TCP_FIN,
  TCP_PSH,
} from '#net/wire';

const ETHERTYPE_AT = 12;
const IP_AT = ETHERNET_HEADER_BYTES;
const SEQ_AT = 4;
const FLAGS_AT = 13;

/** The sum that `request` asks for into frame[0..end), whose field holds the pseudo-header's. */
export function fillChecksum(frame: Uint8Array, end: number, request: ChecksumRequest): void {
  const { startAt, fieldAt } = request;
  assert(startAt + fieldAt + 2 <= end);
  const sum = 0xffff - hot.checksum(frame, startAt, end - startAt, 0);
  // UDP sends zero as all ones; to TCP they are the same.
  writeU16be(frame, startAt + fieldAt, sum === 0 ? 0xffff : sum);
}

/**
 * The `index`th frame of the segment whose headers are `head` and whose payload is payload[0..),
 * into `to`; returns its length. O(segment).
 */
export function cutSegment(
  to: Uint8Array,
  head: Uint8Array,
  payload: Uint8Array,
  request: ChecksumRequest,
  index: number,
): number {
  const { startAt, fieldAt, segmentBytes } = request;
  const from = index * segmentBytes;
  const count = Math.min(segmentBytes, payload.length - from);
  assert(count > 0);
  const isLast = from + count === payload.length;
  const end = head.length + count;
  hot.copy(to, 0, head, 0, head.length);
  hot.copy(to, head.length, payload, from, count);
  writeU32be(to, startAt + SEQ_AT, seqOf(readU32be(head, startAt + SEQ_AT) + from));
  // FIN and PSH belong to the last frame, CWR to the first (RFC 3168 §6.1.2).
  const kept = (isLast ? 0xff : ~(TCP_FIN | TCP_PSH)) & (index === 0 ? 0xff : ~TCP_CWR);
  to[startAt + FLAGS_AT] = to[startAt + FLAGS_AT]! & kept;
  const addresses = lengthInto(to, end, startAt, index);
  const pseudo = foldChecksum(addresses + PROTOCOL_TCP + end - startAt);
  writeU16be(to, startAt + fieldAt, pseudo);
  fillChecksum(to, end, request);
  return end;
}

/** Lengths, IPv4's identification and checksum; returns the sum of both addresses. */
function lengthInto(to: Uint8Array, end: number, startAt: number, index: number): number {
  if (readU16be(to, ETHERTYPE_AT) === ETHERTYPE_IPV6) {
    writeU16be(to, IP_AT + 4, end - IP_AT - IPV6_HEADER_BYTES);
    return hot.checksum(to, IP_AT + 8, 32, 0);
  }
  writeU16be(to, IP_AT + 2, end - IP_AT);
  writeU16be(to, IP_AT + 4, (readU16be(to, IP_AT + 4) + index) & 0xffff);
  writeU16be(to, IP_AT + 10, 0);
  writeU16be(to, IP_AT + 10, 0xffff - hot.checksum(to, IP_AT, startAt - IP_AT, 0));
  return hot.checksum(to, IP_AT + 12, 8, 0);
}
