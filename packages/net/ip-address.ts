/**
 * IPv4 addresses as signed 32-bit integers: text forms, prefixes, and the ranges that need their
 * own treatment. Read first: RFC 1122 §3.2.1.3. Not here: IPv6.
 */

import { assert, toI32 } from '#core';
import type { Ipv4Address } from './ip.ts';

export const ipv4AddressOf = (bits: number): Ipv4Address => toI32(bits) as Ipv4Address;
export const IPV4_ANY: Ipv4Address = ipv4AddressOf(0);
export const IPV4_BROADCAST: Ipv4Address = ipv4AddressOf(-1);

/**
 * "10.0.2.15": four decimal numbers 0..255 without leading zeros, nothing else; null for other
 * text.
 */
export function parseIpv4Address(text: string): Ipv4Address | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let bits = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return null;
    const value = Number(part);
    if (value > 255) return null;
    bits = (bits << 8) | value;
  }
  return bits as Ipv4Address;
}

export function formatIpv4Address(address: Ipv4Address): string {
  return `${(address >> 24) & 255}.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}`;
}

/** The netmask of a prefix of 0..32 bits. */
export function netmaskOf(prefixBits: number): Ipv4Address {
  assert(prefixBits >= 0 && prefixBits <= 32);
  // A shift by 32 is a shift by 0 in JavaScript.
  return ipv4AddressOf(prefixBits === 0 ? 0 : -1 << (32 - prefixBits));
}

/** Length of a contiguous netmask in bits, or null when its ones are not contiguous. */
export function prefixBitsOf(netmask: Ipv4Address): number | null {
  for (let bits = 0; bits <= 32; bits++) if (netmaskOf(bits) === netmask) return bits;
  return null;
}

export const isMulticast = (address: Ipv4Address): boolean =>
  (address & 0xf0000000) === -0x20000000;

/**
 * Whether one host can have this address: not "this network" 0/8, loopback 127/8, multicast 224/4
 * or the reserved 240/4 with the limited broadcast (RFC 1122 §3.2.1.3).
 */
export function isHostAddress(address: Ipv4Address): boolean {
  const high = (address >> 24) & 255;
  return high !== 0 && high !== 127 && high < 224;
}

/** Whether it is of a network of one's own: RFC 1918, and RFC 6598's shared space. */
export const isPrivateAddress = (address: Ipv4Address): boolean =>
  PRIVATE.some(([prefix, bits]) => ((address ^ parseIpv4Address(prefix)!) & netmaskOf(bits)) === 0);

const PRIVATE = [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
] as const;
