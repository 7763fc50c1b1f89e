/**
 * IPv4 header (RFC 791). Not here: reassembly, the meaning of options (they are bytes), routing.
 */

import {
  assert,
  hot,
  ok,
  type Result,
  readI32be,
  readU16be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import type { Ipv4Address } from '../ip.ts';
import { formatIpv4Address, ipv4AddressOf } from '../ip-address.ts';

const at = {
  versionAndHeaderWords: 0,
  trafficClass: 1,
  totalBytes: 2,
  identification: 4,
  fragment: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  options: 20,
} as const;
export const IPV4_HEADER_BYTES = 20;
export const IPV4_HEADER_BYTES_MAX = 60;
export const IPV4_BYTES_MAX = 65_535;
export const IPV4_DONT_FRAGMENT_BIT = 0x4000;
export const IPV4_MORE_FRAGMENTS_BIT = 0x2000;
export const IPV4_FRAGMENT_OFFSET_MASK = 0x1fff;

/**
 * Null when every getter below is safe on `b`, the checksum included. Padding may follow.
 * O(header).
 */
export function checkIpv4(b: Uint8Array): WireFault | null {
  const fault = checkIpv4Header(b);
  if (fault !== null) return fault;
  if (b.length < ipv4TotalBytes(b)) {
    return { kind: 'short', needBytes: ipv4TotalBytes(b), haveBytes: b.length };
  }
  return null;
}

/** As checkIpv4 for a header whose payload may be cut off, as in an ICMP error (RFC 792). */
export function checkIpv4Header(b: Uint8Array): WireFault | null {
  if (b.length < IPV4_HEADER_BYTES) {
    return { kind: 'short', needBytes: IPV4_HEADER_BYTES, haveBytes: b.length };
  }
  const first = b[at.versionAndHeaderWords]!;
  const headerBytes = ipv4HeaderBytes(b);
  if (first >> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES) {
    return { kind: 'field', offset: at.versionAndHeaderWords, value: first };
  }
  if (b.length < headerBytes) return { kind: 'short', needBytes: headerBytes, haveBytes: b.length };
  const totalBytes = ipv4TotalBytes(b);
  if (totalBytes < headerBytes) return { kind: 'field', offset: at.totalBytes, value: totalBytes };
  if (hot.checksum(b, 0, headerBytes, 0) !== 0xffff)
    return { kind: 'checksum', offset: at.checksum };
  return null;
}

export const ipv4HeaderBytes = (b: Uint8Array): number => (b[at.versionAndHeaderWords]! & 15) * 4;
export const ipv4TrafficClass = (b: Uint8Array): number => b[at.trafficClass]!;
export const ipv4TotalBytes = (b: Uint8Array): number => readU16be(b, at.totalBytes);
export const ipv4Identification = (b: Uint8Array): number => readU16be(b, at.identification);
export const ipv4Fragment = (b: Uint8Array): number => readU16be(b, at.fragment);
export const ipv4Ttl = (b: Uint8Array): number => b[at.ttl]!;
export const ipv4Protocol = (b: Uint8Array): number => b[at.protocol]!;
export const ipv4Source = (b: Uint8Array): Ipv4Address => ipv4AddressOf(readI32be(b, at.source));
export const ipv4Destination = (b: Uint8Array): Ipv4Address =>
  ipv4AddressOf(readI32be(b, at.destination));

/** `options` (0..40 bytes, a multiple of 4) and `payload` are views of the parsed bytes. */
export interface Ipv4Repr {
  /** DSCP and ECN (RFC 2474, RFC 3168). */
  readonly trafficClass: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Units of 8 bytes, 0..8191. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/** The reserved flag bit is dropped, as it is sent as zero. */
export function parseIpv4(b: Uint8Array): Result<Ipv4Repr, WireFault> {
  const fault = checkIpv4(b);
  if (fault !== null) return { ok: false, error: fault };
  const fragment = ipv4Fragment(b);
  const headerBytes = ipv4HeaderBytes(b);
  return ok({
    trafficClass: ipv4TrafficClass(b),
    identification: ipv4Identification(b),
    dontFragment: (fragment & IPV4_DONT_FRAGMENT_BIT) !== 0,
    moreFragments: (fragment & IPV4_MORE_FRAGMENTS_BIT) !== 0,
    fragmentOffset: fragment & IPV4_FRAGMENT_OFFSET_MASK,
    ttl: ipv4Ttl(b),
    protocol: ipv4Protocol(b),
    source: ipv4Source(b),
    destination: ipv4Destination(b),
    options: b.subarray(at.options, headerBytes),
    payload: b.subarray(headerBytes, ipv4TotalBytes(b)),
  });
}

/** Writes the packet at `offset`, checksum included, and returns its length. */
export function emitIpv4(to: Uint8Array, offset: number, repr: Ipv4Repr): number {
  const headerBytes = IPV4_HEADER_BYTES + repr.options.length;
  const totalBytes = headerBytes + repr.payload.length;
  assert(headerBytes % 4 === 0 && headerBytes <= IPV4_HEADER_BYTES_MAX);
  assert(totalBytes <= IPV4_BYTES_MAX && repr.fragmentOffset <= IPV4_FRAGMENT_OFFSET_MASK);
  to[offset + at.versionAndHeaderWords] = 0x40 | (headerBytes / 4);
  to[offset + at.trafficClass] = repr.trafficClass;
  writeU16be(to, offset + at.totalBytes, totalBytes);
  writeU16be(to, offset + at.identification, repr.identification);
  const flags =
    (repr.dontFragment ? IPV4_DONT_FRAGMENT_BIT : 0) |
    (repr.moreFragments ? IPV4_MORE_FRAGMENTS_BIT : 0);
  writeU16be(to, offset + at.fragment, flags | repr.fragmentOffset);
  to[offset + at.ttl] = repr.ttl;
  to[offset + at.protocol] = repr.protocol;
  writeU16be(to, offset + at.checksum, 0);
  writeU32be(to, offset + at.source, repr.source);
  writeU32be(to, offset + at.destination, repr.destination);
  hot.copy(to, offset + at.options, repr.options, 0, repr.options.length);
  writeU16be(to, offset + at.checksum, 0xffff - hot.checksum(to, offset, headerBytes, 0));
  hot.copy(to, offset + headerBytes, repr.payload, 0, repr.payload.length);
  return totalBytes;
}

export function formatIpv4(repr: Ipv4Repr): string {
  const way = `${formatIpv4Address(repr.source)} > ${formatIpv4Address(repr.destination)}`;
  const fragment =
    repr.moreFragments || repr.fragmentOffset !== 0
      ? `, fragment ${repr.identification} at ${repr.fragmentOffset * 8}`
      : '';
  return `${way} protocol ${repr.protocol}, ttl ${repr.ttl}${fragment}, ${repr.payload.length} bytes`;
}
