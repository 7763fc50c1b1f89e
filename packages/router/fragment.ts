/**
 * IPv4 fragmentation by a router (RFC 791 §3.2, RFC 1812 §5.2.3): a packet without don't-fragment
 * that is too large for the next link leaves in pieces. Options that aren't to be copied stay in
 * the first (RFC 791 §3.1).
 */

import { assert, hot, readU16be, writeU16be } from '#core';
import {
  ETHERNET_HEADER_BYTES,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES,
  IPV4_MORE_FRAGMENTS_BIT,
} from '#net/wire';

const IP_AT = ETHERNET_HEADER_BYTES;
const OPTIONS_AT = IP_AT + IPV4_HEADER_BYTES;
const FRAGMENT_AT = IP_AT + 6;
const SUM_AT = IP_AT + 10;
const OPTION_END = 0;
const OPTION_NOP = 1;
const COPIED_BIT = 0x80;

/**
 * The frames of a whole one, frame[0..end), whose IP header ends at `at`: each of at most
 * `mtuBytes` after its Ethernet header.
 */
export function fragmentsOf(
  frame: Uint8Array,
  at: number,
  end: number,
  mtuBytes: number,
): Uint8Array[] {
  assert(mtuBytes >= 68 && end - IP_AT > mtuBytes);
  const field = readU16be(frame, FRAGMENT_AT);
  const offset = field & IPV4_FRAGMENT_OFFSET_MASK;
  const isMoreAfter = (field & IPV4_MORE_FRAGMENTS_BIT) !== 0;
  const later = laterHeader(frame, at);
  const frames: Uint8Array[] = [];
  for (let from = at; from < end; ) {
    const head = from === at ? frame.subarray(0, at) : later;
    const room = mtuBytes - (head.length - IP_AT);
    const isLast = end - from <= room;
    const count = isLast ? end - from : room - (room % 8);
    const piece = new Uint8Array(head.length + count);
    hot.copy(piece, 0, head, 0, head.length);
    hot.copy(piece, head.length, frame, from, count);
    const more = !isLast || isMoreAfter ? IPV4_MORE_FRAGMENTS_BIT : 0;
    writeU16be(piece, IP_AT + 2, piece.length - IP_AT);
    writeU16be(piece, FRAGMENT_AT, more + offset + (from - at) / 8);
    writeU16be(piece, SUM_AT, 0);
    const sum = hot.checksum(piece, IP_AT, head.length - IP_AT, 0);
    writeU16be(piece, SUM_AT, 0xffff - sum);
    frames.push(piece);
    from += count;
  }
  return frames;
}

/** Both headers with the options that every fragment has. */
function laterHeader(frame: Uint8Array, at: number): Uint8Array {
  const kept: number[] = [];
  for (let i = OPTIONS_AT; i < at; ) {
    const type = frame[i]!;
    if (type === OPTION_END) break;
    const bytes = type === OPTION_NOP ? 1 : Math.max(frame[i + 1] ?? 2, 2);
    if ((type & COPIED_BIT) !== 0) kept.push(...frame.subarray(i, Math.min(i + bytes, at)));
    i += bytes;
  }
  while (kept.length % 4 !== 0) kept.push(OPTION_END);
  const head = new Uint8Array(OPTIONS_AT + kept.length);
  hot.copy(head, 0, frame, 0, OPTIONS_AT);
  head.set(kept, OPTIONS_AT);
  head[IP_AT] = 0x40 + (IPV4_HEADER_BYTES + kept.length) / 4;
  return head;
}
