/**
 * IPv6 addresses (RFC 4291): four signed 32-bit words that never change, their text forms (RFC
 * 5952), and the ranges that need their own treatment. Zone identifiers are refused: a link has one
 * interface here, so link-local addresses need none. Not here: prefixes and lifetimes (ipv6/), the
 * table that makes equal addresses the same object (ipv6/address-cache.ts).
 */

import { assert, readI32be, writeU32be } from '#core';

export const IPV6_ADDRESS_BYTES = 16;

export class Ipv6Address {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  /**
   * A number that equal addresses share, for tables: within one stack under that stack's secret,
   * so that a peer can't choose addresses with one key; 0 for addresses from text.
   */
  readonly key: number;

  /** Words are signed 32-bit integers, network order. */
  constructor(w0: number, w1: number, w2: number, w3: number, key = 0) {
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
    this.key = key;
  }

  equals(other: Ipv6Address): boolean {
    return (
      this === other ||
      (this.w3 === other.w3 && this.w2 === other.w2 && this.w1 === other.w1 && this.w0 === other.w0)
    );
  }
}

export const IPV6_ANY = new Ipv6Address(0, 0, 0, 0);
export const IPV6_LOOPBACK = new Ipv6Address(0, 0, 0, 1);
/** RFC 4291 §2.7.1. */
export const IPV6_ALL_NODES = new Ipv6Address(0xff02 << 16, 0, 0, 1);
export const IPV6_ALL_ROUTERS = new Ipv6Address(0xff02 << 16, 0, 0, 2);

/** Reads the 16 bytes at `at`, which lie inside `b`. */
export const ipv6AddressAt = (b: Uint8Array, at: number): Ipv6Address =>
  new Ipv6Address(
    readI32be(b, at),
    readI32be(b, at + 4),
    readI32be(b, at + 8),
    readI32be(b, at + 12),
  );

export function writeIpv6Address(b: Uint8Array, at: number, address: Ipv6Address): void {
  writeU32be(b, at, address.w0);
  writeU32be(b, at + 4, address.w1);
  writeU32be(b, at + 8, address.w2);
  writeU32be(b, at + 12, address.w3);
}

export const isIpv6Any = (a: Ipv6Address): boolean => (a.w0 | a.w1 | a.w2 | a.w3) === 0;
export const isIpv6Loopback = (a: Ipv6Address): boolean => (a.w0 | a.w1 | a.w2) === 0 && a.w3 === 1;
/** ff00::/8. */
export const isIpv6Multicast = (a: Ipv6Address): boolean => a.w0 >>> 24 === 0xff;
/** fe80::/10. */
export const isIpv6LinkLocal = (a: Ipv6Address): boolean => a.w0 >>> 22 === 0xfe80 >> 6;
/** fc00::/7, RFC 4193. */
export const isIpv6UniqueLocal = (a: Ipv6Address): boolean => a.w0 >>> 25 === 0xfc >> 1;
/** 2001:db8::/32, RFC 3849, and 3fff::/20, RFC 9637. */
export const isIpv6Documentation = (a: Ipv6Address): boolean =>
  a.w0 === 0x20010db8 || a.w0 >>> 12 === 0x3fff0;
/** ::ffff:0:0/96, RFC 4291 §2.5.5.2: an IPv4 address in IPv6's clothes; never on a wire. */
export const isIpv4Mapped = (a: Ipv6Address): boolean => (a.w0 | a.w1) === 0 && a.w2 === 0xffff;

/**
 * Whether one host, other than ourselves by loopback, can have this address: not ::, ::1, multicast
 * or IPv4-mapped (RFC 4291 §2.5, RFC 5156).
 */
export const isIpv6HostAddress = (a: Ipv6Address): boolean =>
  !isIpv6Multicast(a) && !isIpv6Any(a) && !isIpv6Loopback(a) && !isIpv4Mapped(a);

/** Scopes of RFC 4291 §2.7 as multicast addresses spell them; unicast ones by RFC 6724 §3.1. */
export const SCOPE_INTERFACE = 1;
export const SCOPE_LINK = 2;
export const SCOPE_GLOBAL = 14;

export function ipv6Scope(a: Ipv6Address): number {
  if (isIpv6Multicast(a)) return (a.w0 >>> 16) & 15;
  // Unique local addresses are of global scope (RFC 4193 §3.3), the loopback address of link scope.
  return isIpv6LinkLocal(a) || isIpv6Loopback(a) ? SCOPE_LINK : SCOPE_GLOBAL;
}

/** ff02::1:ffXX:XXXX of RFC 4291 §2.7.1, where `a` is asked for. */
export const solicitedNodeOf = (a: Ipv6Address): Ipv6Address =>
  new Ipv6Address(0xff02 << 16, 0, 1, a.w3 | (0xff << 24));

/** Whether the first `bits` (0..128) of both are the same. */
export function hasPrefix(a: Ipv6Address, prefix: Ipv6Address, bits: number): boolean {
  return commonPrefixBits(a, prefix) >= bits;
}

/** How many leading bits are the same, 0..128. */
export function commonPrefixBits(a: Ipv6Address, b: Ipv6Address): number {
  let difference = a.w0 ^ b.w0;
  if (difference !== 0) return Math.clz32(difference);
  difference = a.w1 ^ b.w1;
  if (difference !== 0) return 32 + Math.clz32(difference);
  difference = a.w2 ^ b.w2;
  if (difference !== 0) return 64 + Math.clz32(difference);
  return 96 + Math.clz32(a.w3 ^ b.w3);
}

/** The address with all bits after the first `bits` (0..128) zero. */
export function prefixOf(a: Ipv6Address, bits: number): Ipv6Address {
  assert(bits >= 0 && bits <= 128);
  const word = (value: number, from: number): number => {
    const kept = bits - from;
    if (kept <= 0) return 0;
    return kept >= 32 ? value : value & (-1 << (32 - kept));
  };
  return new Ipv6Address(word(a.w0, 0), word(a.w1, 32), word(a.w2, 64), word(a.w3, 96));
}
