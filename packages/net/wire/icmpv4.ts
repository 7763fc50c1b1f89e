/**
 * ICMP for IPv4 (RFC 792): echo, and the errors that transports hear of. Other types stay opaque.
 */

import { assert, hot, ok, type Result, readU16be, type WireFault, writeU16be } from '#core';

const at = { type: 0, code: 1, checksum: 2, rest: 4, identifier: 4, sequence: 6, mtu: 6 } as const;
export const ICMPV4_HEADER_BYTES = 8;
export const ICMPV4_ECHO_REPLY = 0;
export const ICMPV4_UNREACHABLE = 3;
export const ICMPV4_REDIRECT = 5;
export const ICMPV4_ECHO_REQUEST = 8;
export const ICMPV4_TIME_EXCEEDED = 11;
export const ICMPV4_PARAMETER_PROBLEM = 12;
const ICMPV4_SOURCE_QUENCH = 4;
/** Messages about other packets, which they quote (RFC 1122 §3.2.2). */
export const isIcmpv4Error = (type: number): boolean =>
  type === ICMPV4_UNREACHABLE ||
  type === ICMPV4_SOURCE_QUENCH ||
  type === ICMPV4_REDIRECT ||
  type === ICMPV4_TIME_EXCEEDED ||
  type === ICMPV4_PARAMETER_PROBLEM;
/** Codes of ICMPV4_TIME_EXCEEDED. */
export const ICMPV4_CODE_TRANSIT = 0;
export const ICMPV4_CODE_REASSEMBLY = 1;
/** Codes of ICMPV4_UNREACHABLE. */
export const ICMPV4_CODE_NET = 0;
export const ICMPV4_CODE_HOST = 1;
export const ICMPV4_CODE_PROTOCOL = 2;
export const ICMPV4_CODE_PORT = 3;
export const ICMPV4_CODE_FRAGMENTATION_NEEDED = 4;
/** RFC 1812 §5.2.7.1: communication administratively prohibited. */
export const ICMPV4_CODE_PROHIBITED = 13;

/** Null when every getter below is safe on `b`, the checksum included. O(length). */
export function checkIcmpv4(b: Uint8Array): WireFault | null {
  if (b.length < ICMPV4_HEADER_BYTES) {
    return { kind: 'short', needBytes: ICMPV4_HEADER_BYTES, haveBytes: b.length };
  }
  if (hot.checksum(b, 0, b.length, 0) !== 0xffff) return { kind: 'checksum', offset: at.checksum };
  return null;
}

export const icmpv4Type = (b: Uint8Array): number => b[at.type]!;
export const icmpv4Code = (b: Uint8Array): number => b[at.code]!;
/** Next-hop MTU of "fragmentation needed" (RFC 1191 §4); 0 from routers that predate it. */
export const icmpv4Mtu = (b: Uint8Array): number => readU16be(b, at.mtu);
/** What follows the header: echo data, or the start of the packet an error is about. */
export const icmpv4Body = (b: Uint8Array): Uint8Array => b.subarray(ICMPV4_HEADER_BYTES);

/** `body` is a view of the parsed bytes; the two words after the checksum mean what `type` says. */
export interface Icmpv4Repr {
  readonly type: number;
  readonly code: number;
  /** Echo identifier, 0..65535; its high byte is the pointer of a parameter problem. */
  readonly word0: number;
  /** Echo sequence number, or the next-hop MTU. */
  readonly word1: number;
  readonly body: Uint8Array;
}

export function parseIcmpv4(b: Uint8Array): Result<Icmpv4Repr, WireFault> {
  const fault = checkIcmpv4(b);
  if (fault !== null) return { ok: false, error: fault };
  return ok({
    type: icmpv4Type(b),
    code: icmpv4Code(b),
    word0: readU16be(b, at.identifier),
    word1: readU16be(b, at.sequence),
    body: icmpv4Body(b),
  });
}

/** Writes the message at `offset`, checksum included, and returns its length. */
export function emitIcmpv4(to: Uint8Array, offset: number, repr: Icmpv4Repr): number {
  const lengthBytes = ICMPV4_HEADER_BYTES + repr.body.length;
  assert(lengthBytes <= 65_535 && offset + lengthBytes <= to.length);
  to[offset + at.type] = repr.type;
  to[offset + at.code] = repr.code;
  writeU16be(to, offset + at.checksum, 0);
  writeU16be(to, offset + at.identifier, repr.word0);
  writeU16be(to, offset + at.sequence, repr.word1);
  hot.copy(to, offset + ICMPV4_HEADER_BYTES, repr.body, 0, repr.body.length);
  writeU16be(to, offset + at.checksum, 0xffff - hot.checksum(to, offset, lengthBytes, 0));
  return lengthBytes;
}

export function formatIcmpv4(repr: Icmpv4Repr): string {
  return `icmp type ${repr.type} code ${repr.code}, ${repr.body.length} bytes`;
}
