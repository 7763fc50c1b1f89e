/**
 * IPv6 header (RFC 8200 §3). Not here: extension headers (ipv6-extensions.ts), jumbograms (RFC
 * 2675: a payload length of zero is no payload).
 */

import {
  assert,
  hot,
  ok,
  type Result,
  readU16be,
  readU32be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import {
  IPV6_ADDRESS_BYTES,
  type Ipv6Address,
  ipv6AddressAt,
  writeIpv6Address,
} from '../ipv6-address.ts';
import { formatIpv6Address } from '../ipv6-text.ts';

const at = {
  versionClassFlow: 0,
  payloadBytes: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
} as const;
export const IPV6_HEADER_BYTES = 40;
assert(at.destination + IPV6_ADDRESS_BYTES === IPV6_HEADER_BYTES);
/** What every link carries in one piece (RFC 8200 §5). */
export const IPV6_MTU_BYTES_MIN = 1280;
export const IPV6_PAYLOAD_BYTES_MAX = 65_535;
export const IPV6_HOP_LIMIT_AT: number = at.hopLimit;

/** Null when every getter below is safe on `b`. Padding may follow. O(1). */
export function checkIpv6(b: Uint8Array): WireFault | null {
  const fault = checkIpv6Header(b);
  if (fault !== null) return fault;
  const needBytes = IPV6_HEADER_BYTES + ipv6PayloadBytes(b);
  return b.length < needBytes ? { kind: 'short', needBytes, haveBytes: b.length } : null;
}

/** As checkIpv6 for a header whose payload may be cut off, as in an error (RFC 4443 §2.4). */
export function checkIpv6Header(b: Uint8Array): WireFault | null {
  if (b.length < IPV6_HEADER_BYTES) {
    return { kind: 'short', needBytes: IPV6_HEADER_BYTES, haveBytes: b.length };
  }
  const first = b[at.versionClassFlow]!;
  if (first >> 4 !== 6) return { kind: 'field', offset: at.versionClassFlow, value: first };
  return null;
}

export const ipv6TrafficClass = (b: Uint8Array): number =>
  (readU16be(b, at.versionClassFlow) >> 4) & 0xff;
export const ipv6FlowLabel = (b: Uint8Array): number => readU32be(b, at.versionClassFlow) & 0xfffff;
export const ipv6PayloadBytes = (b: Uint8Array): number => readU16be(b, at.payloadBytes);
export const ipv6NextHeader = (b: Uint8Array): number => b[at.nextHeader]!;
export const ipv6HopLimit = (b: Uint8Array): number => b[at.hopLimit]!;
export const ipv6Source = (b: Uint8Array): Ipv6Address => ipv6AddressAt(b, at.source);
export const ipv6Destination = (b: Uint8Array): Ipv6Address => ipv6AddressAt(b, at.destination);

/** `payload`, extension headers included, is a view of the parsed bytes. */
export interface Ipv6Repr {
  /** DSCP and ECN (RFC 2474, RFC 3168). */
  readonly trafficClass: number;
  /** 20 bits. */
  readonly flowLabel: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Ipv6Address;
  readonly destination: Ipv6Address;
  readonly payload: Uint8Array;
}

export function parseIpv6(b: Uint8Array): Result<Ipv6Repr, WireFault> {
  const fault = checkIpv6(b);
  if (fault !== null) return { ok: false, error: fault };
  return ok({
    trafficClass: ipv6TrafficClass(b),
    flowLabel: ipv6FlowLabel(b),
    nextHeader: ipv6NextHeader(b),
    hopLimit: ipv6HopLimit(b),
    source: ipv6Source(b),
    destination: ipv6Destination(b),
    payload: b.subarray(IPV6_HEADER_BYTES, IPV6_HEADER_BYTES + ipv6PayloadBytes(b)),
  });
}

/** Writes the packet at `offset` and returns its length. */
export function emitIpv6(to: Uint8Array, offset: number, repr: Ipv6Repr): number {
  const { trafficClass, flowLabel, payload } = repr;
  assert(payload.length <= IPV6_PAYLOAD_BYTES_MAX && flowLabel <= 0xfffff && trafficClass <= 255);
  writeU32be(to, offset + at.versionClassFlow, 0x60000000 + trafficClass * 0x100000 + flowLabel);
  writeU16be(to, offset + at.payloadBytes, payload.length);
  to[offset + at.nextHeader] = repr.nextHeader;
  to[offset + at.hopLimit] = repr.hopLimit;
  writeIpv6Address(to, offset + at.source, repr.source);
  writeIpv6Address(to, offset + at.destination, repr.destination);
  hot.copy(to, offset + IPV6_HEADER_BYTES, payload, 0, payload.length);
  return IPV6_HEADER_BYTES + payload.length;
}

export function formatIpv6(repr: Ipv6Repr): string {
  const way = `${formatIpv6Address(repr.source)} > ${formatIpv6Address(repr.destination)}`;
  const { nextHeader, hopLimit, payload } = repr;
  return `${way} next header ${nextHeader}, hop limit ${hopLimit}, ${payload.length} bytes`;
}
