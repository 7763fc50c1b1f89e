/**
 * Options of neighbour discovery messages: RFC 4861 §4.6, RFC 3971 §5.3.2 (nonce), RFC 4191 §2.3
 * (routes), RFC 8106 §5 (DNS). Options of other types and malformed ones of these are kept as
 * 'other', for callers to ignore, as the RFCs ask.
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
import {
  IPV6_ADDRESS_BYTES,
  type Ipv6Address,
  ipv6AddressAt,
  prefixOf,
  writeIpv6Address,
} from '../ipv6-address.ts';
import { emitDomainSearch, parseDomainSearch } from './dhcpv4-options.ts';
import { MAC_BYTES } from './ethernet.ts';

export const NDP_SOURCE_LINK_ADDRESS = 1;
export const NDP_TARGET_LINK_ADDRESS = 2;
const PREFIX = 3;
const REDIRECTED = 4;
const MTU = 5;
const NONCE = 14;
const ROUTE = 24;
const DNS_SERVERS = 25;
const SEARCH_LIST = 31;
const UNIT_BYTES = 8;
const PREFIX_BYTES = 32;
const ON_LINK_BIT = 0x80;
const AUTONOMOUS_BIT = 0x40;
const PREFERENCE_SHIFT = 3;

/** RFC 4191 §2.1: -1 low, 0 medium, 1 high; the reserved value counts as medium (§2.2). */
export type RouterPreference = 0 | 1 | -1;

/** Lifetimes are seconds, 0..0xffffffff (infinity). Arrays are views of the parsed bytes. */
export type NdpOption =
  | {
      readonly kind: 'link address';
      readonly type: typeof NDP_SOURCE_LINK_ADDRESS | typeof NDP_TARGET_LINK_ADDRESS;
      readonly mac: Uint8Array;
    }
  | {
      readonly kind: 'prefix';
      /** 0..128; bits of `prefix` after them are zero. */
      readonly prefixBits: number;
      readonly isOnLink: boolean;
      readonly isAutonomous: boolean;
      readonly validSeconds: number;
      readonly preferredSeconds: number;
      readonly prefix: Ipv6Address;
    }
  | { readonly kind: 'redirected'; readonly packet: Uint8Array }
  | { readonly kind: 'mtu'; readonly mtuBytes: number }
  | { readonly kind: 'nonce'; readonly nonce: Uint8Array }
  | {
      readonly kind: 'route';
      readonly prefixBits: number;
      readonly preference: RouterPreference;
      readonly lifetimeSeconds: number;
      readonly prefix: Ipv6Address;
    }
  | {
      readonly kind: 'dns servers';
      readonly lifetimeSeconds: number;
      readonly servers: readonly Ipv6Address[];
    }
  | {
      readonly kind: 'search list';
      readonly lifetimeSeconds: number;
      readonly names: readonly string[];
    }
  | { readonly kind: 'other'; readonly type: number; readonly value: Uint8Array };

/** All options in b[from..); a length of zero or beyond the end is a fault (RFC 4861 §4.6). */
export function parseNdpOptions(b: Uint8Array, from: number): Result<NdpOption[], WireFault> {
  const options: NdpOption[] = [];
  let offset = from;
  while (offset < b.length) {
    const units = offset + 1 < b.length ? b[offset + 1]! : 0;
    if (units === 0) return { ok: false, error: { kind: 'field', offset, value: units } };
    const end = offset + units * UNIT_BYTES;
    if (end > b.length) {
      return { ok: false, error: { kind: 'short', needBytes: end, haveBytes: b.length } };
    }
    options.push(parseOption(b.subarray(offset, end)));
    offset = end;
  }
  return ok(options);
}

/** `b` is one whole option. */
function parseOption(b: Uint8Array): NdpOption {
  const type = b[0]!;
  switch (type) {
    case NDP_SOURCE_LINK_ADDRESS:
    case NDP_TARGET_LINK_ADDRESS:
      if (b.length !== UNIT_BYTES) break;
      return { kind: 'link address', type, mac: b.subarray(2, 2 + MAC_BYTES) };
    case PREFIX:
      return parsePrefix(b) ?? other(b);
    case REDIRECTED:
      return { kind: 'redirected', packet: b.subarray(UNIT_BYTES) };
    case MTU:
      if (b.length !== UNIT_BYTES) break;
      return { kind: 'mtu', mtuBytes: readU32be(b, 4) };
    case NONCE:
      return { kind: 'nonce', nonce: b.subarray(2) };
    case ROUTE:
      return parseRoute(b) ?? other(b);
    case DNS_SERVERS:
      return parseServers(b) ?? other(b);
    case SEARCH_LIST: {
      const names = parseDomainSearch(b.subarray(UNIT_BYTES));
      if (!names.ok || names.value.length === 0) break;
      return { kind: 'search list', lifetimeSeconds: readU32be(b, 4), names: names.value };
    }
  }
  return other(b);
}

const other = (b: Uint8Array): NdpOption => ({
  kind: 'other',
  type: b[0]!,
  value: b.subarray(2),
});

function parsePrefix(b: Uint8Array): NdpOption | null {
  const prefixBits = b[2]!;
  if (b.length !== PREFIX_BYTES || prefixBits > 128) return null;
  return {
    kind: 'prefix',
    prefixBits,
    isOnLink: (b[3]! & ON_LINK_BIT) !== 0,
    isAutonomous: (b[3]! & AUTONOMOUS_BIT) !== 0,
    validSeconds: readU32be(b, 4),
    preferredSeconds: readU32be(b, 8),
    prefix: prefixOf(ipv6AddressAt(b, 16), prefixBits),
  };
}

/** The prefix may be cut to 0, 8 or 16 bytes when that is enough (RFC 4191 §2.3). */
function parseRoute(b: Uint8Array): NdpOption | null {
  const prefixBits = b[2]!;
  if (b.length > UNIT_BYTES + IPV6_ADDRESS_BYTES) return null;
  if (prefixBits > 128 || prefixBits > (b.length - UNIT_BYTES) * 8) return null;
  const bits = (b[3]! >> PREFERENCE_SHIFT) & 3;
  // The reserved value: such a route is ignored (RFC 4191 §2.3).
  if (bits === 2) return null;
  const padded = new Uint8Array(IPV6_ADDRESS_BYTES);
  hot.copy(padded, 0, b, UNIT_BYTES, b.length - UNIT_BYTES);
  return {
    kind: 'route',
    prefixBits,
    preference: preferenceOf(bits),
    lifetimeSeconds: readU32be(b, 4),
    prefix: prefixOf(ipv6AddressAt(padded, 0), prefixBits),
  };
}

function parseServers(b: Uint8Array): NdpOption | null {
  const count = (b.length - UNIT_BYTES) / IPV6_ADDRESS_BYTES;
  if (count < 1 || !Number.isInteger(count)) return null;
  const servers = Array.from({ length: count }, (_, i) =>
    ipv6AddressAt(b, UNIT_BYTES + i * IPV6_ADDRESS_BYTES),
  );
  return { kind: 'dns servers', lifetimeSeconds: readU32be(b, 4), servers };
}

/** Two bits as they stand in a message. */
export const preferenceOf = (bits: number): RouterPreference =>
  bits === 1 ? 1 : bits === 3 ? -1 : 0;
export const preferenceBits = (preference: RouterPreference): number => preference & 3;

/** Writes the options at `offset` and returns where they end. */
export function emitNdpOptions(
  to: Uint8Array,
  offset: number,
  options: readonly NdpOption[],
): number {
  let next = offset;
  for (const option of options) {
    const bytes = emitOption(to, next, option);
    const units = Math.ceil(bytes / UNIT_BYTES);
    assert(units >= 1 && units <= 255);
    hot.fill(to, next + bytes, units * UNIT_BYTES - bytes, 0);
    to[next + 1] = units;
    next += units * UNIT_BYTES;
  }
  return next;
}

/** All but the length; returns how many bytes were written. */
function emitOption(to: Uint8Array, at: number, option: NdpOption): number {
  const bytesAt = (type: number, from: number, bytes: Uint8Array): number => {
    to[at] = type;
    hot.copy(to, at + from, bytes, 0, bytes.length);
    return from + bytes.length;
  };
  switch (option.kind) {
    case 'link address':
      assert(option.mac.length === MAC_BYTES);
      return bytesAt(option.type, 2, option.mac);
    case 'prefix':
      return emitPrefix(to, at, option);
    case 'redirected':
      hot.fill(to, at + 2, 6, 0);
      return bytesAt(REDIRECTED, UNIT_BYTES, option.packet);
    case 'mtu':
      to[at] = MTU;
      writeU16be(to, at + 2, 0);
      writeU32be(to, at + 4, option.mtuBytes);
      return UNIT_BYTES;
    case 'nonce':
      return bytesAt(NONCE, 2, option.nonce);
    case 'route':
      to[at] = ROUTE;
      to[at + 2] = option.prefixBits;
      to[at + 3] = preferenceBits(option.preference) << PREFERENCE_SHIFT;
      writeU32be(to, at + 4, option.lifetimeSeconds);
      writeIpv6Address(to, at + UNIT_BYTES, option.prefix);
      return UNIT_BYTES + IPV6_ADDRESS_BYTES;
    case 'dns servers':
      lifetimeHead(to, at, DNS_SERVERS, option.lifetimeSeconds);
      option.servers.forEach((server, i) => {
        writeIpv6Address(to, at + UNIT_BYTES + i * IPV6_ADDRESS_BYTES, server);
      });
      return UNIT_BYTES + option.servers.length * IPV6_ADDRESS_BYTES;
    case 'search list':
      lifetimeHead(to, at, SEARCH_LIST, option.lifetimeSeconds);
      return UNIT_BYTES + emitDomainSearch(to.subarray(at + UNIT_BYTES), option.names);
    case 'other':
      return bytesAt(option.type, 2, option.value);
  }
}

function lifetimeHead(to: Uint8Array, at: number, type: number, lifetimeSeconds: number): void {
  to[at] = type;
  writeU16be(to, at + 2, 0);
  writeU32be(to, at + 4, lifetimeSeconds);
}

function emitPrefix(
  to: Uint8Array,
  at: number,
  option: Extract<NdpOption, { kind: 'prefix' }>,
): number {
  to[at] = PREFIX;
  to[at + 2] = option.prefixBits;
  to[at + 3] = (option.isOnLink ? ON_LINK_BIT : 0) | (option.isAutonomous ? AUTONOMOUS_BIT : 0);
  writeU32be(to, at + 4, option.validSeconds);
  writeU32be(to, at + 8, option.preferredSeconds);
  writeU32be(to, at + 12, 0);
  writeIpv6Address(to, at + 16, option.prefix);
  return PREFIX_BYTES;
}
