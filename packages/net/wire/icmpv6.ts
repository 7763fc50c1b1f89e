/**
 * ICMP for IPv6 (RFC 4443): the header, echo, and errors. Not here: neighbour discovery (ndp.ts)
 * and multicast listeners (mld.ts), whose bodies are opaque here.
 */

import {
  assert,
  hot,
  ok,
  type Result,
  readU32be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import type { ChecksumPolicy } from './checksum.ts';

const at = { type: 0, code: 1, checksum: 2, word: 4 } as const;
export const ICMPV6_HEADER_BYTES = 8;
/** The next header value, RFC 4443 §1. */
export const PROTOCOL_ICMPV6 = 58;

export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_PARAMETER_PROBLEM = 4;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
/** From here on messages inform; below they are errors (RFC 4443 §2.1). */
export const ICMPV6_INFORMATION_MIN = 128;
/** Codes of ICMPV6_UNREACHABLE. */
export const ICMPV6_CODE_NO_ROUTE = 0;
export const ICMPV6_CODE_PROHIBITED = 1;
export const ICMPV6_CODE_SCOPE = 2;
export const ICMPV6_CODE_ADDRESS = 3;
export const ICMPV6_CODE_PORT = 4;
/** Codes of ICMPV6_TIME_EXCEEDED. */
export const ICMPV6_CODE_TRANSIT = 0;
export const ICMPV6_CODE_REASSEMBLY = 1;
/** Codes of ICMPV6_PARAMETER_PROBLEM. */
export const ICMPV6_CODE_FIELD = 0;
export const ICMPV6_CODE_NEXT_HEADER = 1;
export const ICMPV6_CODE_OPTION = 2;

/** Null when every getter below is safe on `b`. `policy`: see ChecksumPolicy. O(length). */
export function checkIcmpv6(b: Uint8Array, policy: ChecksumPolicy): WireFault | null {
  if (b.length < ICMPV6_HEADER_BYTES) {
    return { kind: 'short', needBytes: ICMPV6_HEADER_BYTES, haveBytes: b.length };
  }
  if (policy === 'trusted' || hot.checksum(b, 0, b.length, policy) === 0xffff) return null;
  return { kind: 'checksum', offset: at.checksum };
}

export const icmpv6Type = (b: Uint8Array): number => b[at.type]!;
export const icmpv6Code = (b: Uint8Array): number => b[at.code]!;
/** What `type` says: an MTU, a pointer, or echo's identifier and sequence number. */
export const icmpv6Word = (b: Uint8Array): number => readU32be(b, at.word);
/** What follows the header: echo data, or the start of the packet an error is about. */
export const icmpv6Body = (b: Uint8Array): Uint8Array => b.subarray(ICMPV6_HEADER_BYTES);

/** `body` is a view of the parsed bytes. */
export interface Icmpv6Repr {
  readonly type: number;
  readonly code: number;
  readonly word: number;
  readonly body: Uint8Array;
}

export function parseIcmpv6(b: Uint8Array, policy: ChecksumPolicy): Result<Icmpv6Repr, WireFault> {
  const fault = checkIcmpv6(b, policy);
  if (fault !== null) return { ok: false, error: fault };
  return ok({
    type: icmpv6Type(b),
    code: icmpv6Code(b),
    word: icmpv6Word(b),
    body: icmpv6Body(b),
  });
}

/**
 * Writes the message at `offset` and returns its length. `pseudoSum`: that of the pseudo-header,
 * this length included.
 */
export function emitIcmpv6(
  to: Uint8Array,
  offset: number,
  repr: Icmpv6Repr,
  pseudoSum: number,
): number {
  const lengthBytes = ICMPV6_HEADER_BYTES + repr.body.length;
  assert(lengthBytes <= 65_535 && offset + lengthBytes <= to.length);
  to[offset + at.type] = repr.type;
  to[offset + at.code] = repr.code;
  writeU32be(to, offset + at.word, repr.word);
  hot.copy(to, offset + ICMPV6_HEADER_BYTES, repr.body, 0, repr.body.length);
  sumIcmpv6(to, offset, lengthBytes, pseudoSum);
  return lengthBytes;
}

/** Fills in the checksum of a message that is written but for that. */
export function sumIcmpv6(
  to: Uint8Array,
  offset: number,
  lengthBytes: number,
  pseudoSum: number,
): void {
  writeU16be(to, offset + at.checksum, 0);
  const sum = hot.checksum(to, offset, lengthBytes, pseudoSum);
  writeU16be(to, offset + at.checksum, 0xffff - sum);
}

export const formatIcmpv6 = (repr: Icmpv6Repr): string =>
  `icmp6 type ${repr.type} code ${repr.code}, ${repr.body.length} bytes`;
