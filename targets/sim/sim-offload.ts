/**
 * What network hardware does for a sender: filling in checksums, and cutting one large TCP segment
 * into frames (virtio 1.2 §5.1.6.2). A device of the simulator, so the few offsets it needs are
 * written out here.
 */

import { assert, hot, readU16be, readU32be, toU32, writeU16be, writeU32be } from '#core';
import type { ChecksumRequest } from '#device';

const ETHERTYPE_AT = 12;
const ETHERTYPE_IPV6 = 0x86dd;
const IP_AT = 14;
/** IPv6's payload length, without its header of 40 bytes; and its source. */
const PAYLOAD_AT = 18;
const IPV6_HEADER_BYTES = 40;
const IPV6_SOURCE_AT = 22;
const IP_TOTAL_AT = 16;
const IP_ID_AT = 18;
const IP_CHECKSUM_AT = 24;
const IP_SOURCE_AT = 26;
const PROTOCOL_TCP = 6;
const FIN_PSH = 0x09;
const CWR = 0x80;

/**
 * Stores the complement of the sum from `startAt` to the end, the pseudo-header's sum in the field
 * included.
 */
export function fillChecksum(frame: Uint8Array, request: ChecksumRequest): void {
  const { startAt, fieldAt } = request;
  assert(startAt + fieldAt + 2 <= frame.length);
  const sum = hot.checksum(frame, startAt, frame.length - startAt, 0);
  writeU16be(frame, startAt + fieldAt, 0xffff - sum);
}

/**
 * The frames of one large TCP segment over IPv4 without options or IPv6 without extensions; each
 * has all headers and checksums.
 */
export function cutSegments(whole: Uint8Array, request: ChecksumRequest): Uint8Array[] {
  const { startAt, fieldAt, headerBytes, segmentBytes } = request;
  const payloadBytes = whole.length - headerBytes;
  assert(headerBytes > startAt && payloadBytes > 0);
  const isIpv6 = readU16be(whole, ETHERTYPE_AT) === ETHERTYPE_IPV6;
  if (isIpv6) assert(readU16be(whole, PAYLOAD_AT) === whole.length - IP_AT - IPV6_HEADER_BYTES);
  else assert(readU16be(whole, IP_TOTAL_AT) === whole.length - IP_AT);
  // The contract: the field holds the pseudo-header's sum over the large segment.
  assert(readU16be(whole, startAt + fieldAt) === pseudoSum(whole, whole.length - startAt));
  const sequence = readU32be(whole, startAt + 4);
  const frames: Uint8Array[] = [];
  for (let from = 0; from < payloadBytes; from += segmentBytes) {
    const count = Math.min(segmentBytes, payloadBytes - from);
    const frame = new Uint8Array(headerBytes + count);
    hot.copy(frame, 0, whole, 0, headerBytes);
    hot.copy(frame, headerBytes, whole, headerBytes + from, count);
    if (isIpv6) writeU16be(frame, PAYLOAD_AT, frame.length - IP_AT - IPV6_HEADER_BYTES);
    else mendIpv4(frame, frames.length, startAt);
    writeU32be(frame, startAt + 4, toU32(sequence + from));
    // FIN and PSH belong to the last frame, CWR to the first.
    if (from + count < payloadBytes) frame[startAt + 13] = frame[startAt + 13]! & ~FIN_PSH;
    if (from > 0) frame[startAt + 13] = frame[startAt + 13]! & ~CWR;
    writeU16be(frame, startAt + fieldAt, pseudoSum(frame, frame.length - startAt));
    fillChecksum(frame, request);
    frames.push(frame);
  }
  return frames;
}

/** Length, identification and checksum of the `index`th frame. */
function mendIpv4(frame: Uint8Array, index: number, startAt: number): void {
  writeU16be(frame, IP_TOTAL_AT, frame.length - IP_AT);
  writeU16be(frame, IP_ID_AT, (readU16be(frame, IP_ID_AT) + index) & 0xffff);
  writeU16be(frame, IP_CHECKSUM_AT, 0);
  writeU16be(frame, IP_CHECKSUM_AT, 0xffff - hot.checksum(frame, IP_AT, startAt - IP_AT, 0));
}

/** Of both addresses, the protocol and the length. */
function pseudoSum(frame: Uint8Array, lengthBytes: number): number {
  const isIpv6 = readU16be(frame, ETHERTYPE_AT) === ETHERTYPE_IPV6;
  const addresses = isIpv6
    ? hot.checksum(frame, IPV6_SOURCE_AT, 32, 0)
    : hot.checksum(frame, IP_SOURCE_AT, 8, 0);
  const rest = new Uint8Array(4);
  writeU16be(rest, 0, PROTOCOL_TCP);
  writeU16be(rest, 2, lengthBytes);
  return hot.checksum(rest, 0, rest.length, addresses);
}
