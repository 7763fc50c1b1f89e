/** Ethernet II frame header (IEEE 802.3, RFC 894, 2464). Not here: VLANs, LLC, preamble, FCS. */

import { assert, hot, ok, type Result, readU16be, type WireFault, writeU16be } from '#core';
import type { Ipv6Address } from '../ipv6-address.ts';

const at = { destination: 0, source: 6, etherType: 12 } as const;
export const ETHERNET_HEADER_BYTES = 14;
export const MAC_BYTES = 6;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
/** Values below are an LLC frame's length, not a type (IEEE 802.3 §3.2.6). */
const ETHERTYPE_MIN = 0x0600;

export const MAC_BROADCAST: Uint8Array = Uint8Array.of(255, 255, 255, 255, 255, 255);

/** Null when every getter below is safe on `b`. Borrows `b`; O(1). */
export function checkEthernet(b: Uint8Array): WireFault | null {
  if (b.length < ETHERNET_HEADER_BYTES) {
    return { kind: 'short', needBytes: ETHERNET_HEADER_BYTES, haveBytes: b.length };
  }
  const etherType = readU16be(b, at.etherType);
  if (etherType < ETHERTYPE_MIN) return { kind: 'field', offset: at.etherType, value: etherType };
  return null;
}

/** A view of the six bytes, as are all address getters here. */
export const ethernetDestination = (b: Uint8Array): Uint8Array =>
  b.subarray(at.destination, at.destination + MAC_BYTES);
export const ethernetSource = (b: Uint8Array): Uint8Array =>
  b.subarray(at.source, at.source + MAC_BYTES);
export const ethernetType = (b: Uint8Array): number => readU16be(b, at.etherType);
export const ethernetPayload = (b: Uint8Array): Uint8Array => b.subarray(ETHERNET_HEADER_BYTES);

/** Whether `mac` (six bytes) can be a station's: neither a group address nor all zeros. */
export function isStationMac(mac: Uint8Array): boolean {
  if ((mac[0]! & 1) !== 0) return false;
  for (const byte of mac) if (byte !== 0) return true;
  return false;
}

/** Of an IPv6 group, RFC 2464 §7. */
export function groupMacOfIpv6(group: Ipv6Address): Uint8Array {
  const { w3 } = group;
  return Uint8Array.of(0x33, 0x33, w3 >> 24, w3 >> 16, w3 >> 8, w3);
}

/** Addresses are copies of six bytes; `payload` is a view of the parsed bytes. */
export interface EthernetRepr {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly etherType: number;
  readonly payload: Uint8Array;
}

export function parseEthernet(b: Uint8Array): Result<EthernetRepr, WireFault> {
  const fault = checkEthernet(b);
  if (fault !== null) return { ok: false, error: fault };
  return ok({
    destination: ethernetDestination(b).slice(),
    source: ethernetSource(b).slice(),
    etherType: ethernetType(b),
    payload: ethernetPayload(b),
  });
}

/** Writes the 14 bytes of the header at `offset`. */
export function emitEthernetHeader(
  to: Uint8Array,
  offset: number,
  destination: Uint8Array,
  source: Uint8Array,
  etherType: number,
): void {
  assert(destination.length === MAC_BYTES && source.length === MAC_BYTES);
  assert(etherType >= ETHERTYPE_MIN && etherType <= 0xffff);
  hot.copy(to, offset + at.destination, destination, 0, MAC_BYTES);
  hot.copy(to, offset + at.source, source, 0, MAC_BYTES);
  writeU16be(to, offset + at.etherType, etherType);
}

/** Writes the frame from offset 0 and returns its length. */
export function emitEthernet(to: Uint8Array, repr: EthernetRepr): number {
  emitEthernetHeader(to, 0, repr.destination, repr.source, repr.etherType);
  hot.copy(to, ETHERNET_HEADER_BYTES, repr.payload, 0, repr.payload.length);
  return ETHERNET_HEADER_BYTES + repr.payload.length;
}

/** "52:54:00:12:34:56" */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export function formatEthernet(repr: EthernetRepr): string {
  const type = repr.etherType.toString(16).padStart(4, '0');
  return `${formatMac(repr.source)} > ${formatMac(repr.destination)} type 0x${type}, ${repr.payload.length} bytes`;
}
