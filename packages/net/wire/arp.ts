/**
 * ARP for IPv4 over Ethernet (RFC 826). Not here: the cache (arp/); other hardware and protocols
 * are faults.
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
import { formatMac, MAC_BYTES } from './ethernet.ts';

const at = {
  hardware: 0,
  protocol: 2,
  hardwareBytes: 4,
  protocolBytes: 5,
  operation: 6,
  senderMac: 8,
  senderAddress: 14,
  targetMac: 18,
  targetAddress: 24,
} as const;
export const ARP_BYTES = 28;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;
const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;

/**
 * Null when `b` starts with an ARP request or reply for IPv4 over Ethernet; padding may follow.
 * O(1).
 */
export function checkArp(b: Uint8Array): WireFault | null {
  if (b.length < ARP_BYTES) return { kind: 'short', needBytes: ARP_BYTES, haveBytes: b.length };
  const hardware = readU16be(b, at.hardware);
  if (hardware !== HARDWARE_ETHERNET)
    return { kind: 'field', offset: at.hardware, value: hardware };
  const protocol = readU16be(b, at.protocol);
  if (protocol !== PROTOCOL_IPV4) return { kind: 'field', offset: at.protocol, value: protocol };
  const lengths = readU16be(b, at.hardwareBytes);
  if (lengths !== 0x0604) return { kind: 'field', offset: at.hardwareBytes, value: lengths };
  const operation = readU16be(b, at.operation);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) {
    return { kind: 'field', offset: at.operation, value: operation };
  }
  return null;
}

export const arpOperation = (b: Uint8Array): number => readU16be(b, at.operation);
export const arpSenderMac = (b: Uint8Array): Uint8Array =>
  b.subarray(at.senderMac, at.senderMac + MAC_BYTES);
export const arpSenderAddress = (b: Uint8Array): Ipv4Address =>
  ipv4AddressOf(readI32be(b, at.senderAddress));
export const arpTargetMac = (b: Uint8Array): Uint8Array =>
  b.subarray(at.targetMac, at.targetMac + MAC_BYTES);
export const arpTargetAddress = (b: Uint8Array): Ipv4Address =>
  ipv4AddressOf(readI32be(b, at.targetAddress));

/** Link addresses are copies of six bytes. */
export interface ArpRepr {
  readonly operation: typeof ARP_REQUEST | typeof ARP_REPLY;
  readonly senderMac: Uint8Array;
  readonly senderAddress: Ipv4Address;
  readonly targetMac: Uint8Array;
  readonly targetAddress: Ipv4Address;
}

export function parseArp(b: Uint8Array): Result<ArpRepr, WireFault> {
  const fault = checkArp(b);
  if (fault !== null) return { ok: false, error: fault };
  return ok({
    operation: arpOperation(b) === ARP_REQUEST ? ARP_REQUEST : ARP_REPLY,
    senderMac: arpSenderMac(b).slice(),
    senderAddress: arpSenderAddress(b),
    targetMac: arpTargetMac(b).slice(),
    targetAddress: arpTargetAddress(b),
  });
}

/** Writes 28 bytes at `offset` and returns the length. */
export function emitArp(to: Uint8Array, offset: number, repr: ArpRepr): number {
  assert(repr.senderMac.length === MAC_BYTES && repr.targetMac.length === MAC_BYTES);
  assert(offset + ARP_BYTES <= to.length);
  writeU16be(to, offset + at.hardware, HARDWARE_ETHERNET);
  writeU16be(to, offset + at.protocol, PROTOCOL_IPV4);
  writeU16be(to, offset + at.hardwareBytes, 0x0604);
  writeU16be(to, offset + at.operation, repr.operation);
  hot.copy(to, offset + at.senderMac, repr.senderMac, 0, MAC_BYTES);
  writeU32be(to, offset + at.senderAddress, repr.senderAddress);
  hot.copy(to, offset + at.targetMac, repr.targetMac, 0, MAC_BYTES);
  writeU32be(to, offset + at.targetAddress, repr.targetAddress);
  return ARP_BYTES;
}

export function formatArp(repr: ArpRepr): string {
  const sender = formatIpv4Address(repr.senderAddress);
  const target = formatIpv4Address(repr.targetAddress);
  return repr.operation === ARP_REQUEST
    ? `who has ${target}, tell ${sender} at ${formatMac(repr.senderMac)}`
    : `${sender} is at ${formatMac(repr.senderMac)}, told to ${target}`;
}
