/**
 * The two DHCP options with a format of their own: classless static routes (121, RFC 3442) and the
 * domain search list (119, RFC 3397). Each takes the whole option, its pieces joined.
 */

import { assert, hot, ok, type Result, readI32be, type WireFault, writeU32be } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { formatIpv4Address, ipv4AddressOf, netmaskOf } from '../ip-address.ts';

const LABEL_BYTES_MAX = 63;
/** RFC 1035 §2.3.4, with the length bytes and the root's. */
const NAME_BYTES_MAX = 255;
const POINTER_BITS = 0xc0;
const NAME_CHARACTERS = /^[A-Za-z0-9_-]+$/;
/** Names that a list is read for, as in resolvers of old; the rest is ignored. */
export const DOMAIN_SEARCH_NAMES_MAX = 6;

export interface ClasslessRoute {
  /** Bits after the prefix are zero. */
  readonly prefix: Ipv4Address;
  /** 0..32. */
  readonly prefixBits: number;
  /** Zero: the prefix is on the link itself (RFC 3442, Local Subnet Routes). */
  readonly gateway: Ipv4Address;
}

/** All routes, in order; a fault for an empty option, one cut off, or a prefix above 32 bits. */
export function parseClasslessRoutes(b: Uint8Array): Result<readonly ClasslessRoute[], WireFault> {
  const routes: ClasslessRoute[] = [];
  let offset = 0;
  do {
    const prefixBits = b[offset] ?? 0;
    if (prefixBits > 32) return { ok: false, error: { kind: 'field', offset, value: prefixBits } };
    const prefixBytes = Math.ceil(prefixBits / 8);
    const next = offset + 1 + prefixBytes + 4;
    if (next > b.length) {
      return { ok: false, error: { kind: 'short', needBytes: next, haveBytes: b.length } };
    }
    const prefix = new Uint8Array(4);
    hot.copy(prefix, 0, b, offset + 1, prefixBytes);
    routes.push({
      prefix: ipv4AddressOf(readI32be(prefix, 0) & netmaskOf(prefixBits)),
      prefixBits,
      gateway: ipv4AddressOf(readI32be(b, next - 4)),
    });
    offset = next;
  } while (offset < b.length);
  return ok(routes);
}

/** Writes the routes from offset 0 and returns the length. */
export function emitClasslessRoutes(to: Uint8Array, routes: readonly ClasslessRoute[]): number {
  let offset = 0;
  for (const { prefix, prefixBits, gateway } of routes) {
    const bytes = new Uint8Array(4);
    writeU32be(bytes, 0, prefix);
    const prefixBytes = Math.ceil(prefixBits / 8);
    to[offset] = prefixBits;
    hot.copy(to, offset + 1, bytes, 0, prefixBytes);
    writeU32be(to, offset + 1 + prefixBytes, gateway);
    offset += 1 + prefixBytes + 4;
  }
  return offset;
}

export function formatClasslessRoutes(routes: readonly ClasslessRoute[]): string {
  return routes
    .map(({ prefix, prefixBits, gateway }) => {
      const to = `${formatIpv4Address(prefix)}/${prefixBits}`;
      return `${to} via ${formatIpv4Address(gateway)}`;
    })
    .join(', ');
}

/**
 * The first names of the list, without closing dots. Names may point into earlier bytes of the
 * option (RFC 1035 §4.1.4): only backwards, so reading ends. A fault for what is cut off, points
 * ahead, is too long or holds what no host name has.
 */
export function parseDomainSearch(b: Uint8Array): Result<readonly string[], WireFault> {
  const names: string[] = [];
  let offset = 0;
  while (offset < b.length && names.length < DOMAIN_SEARCH_NAMES_MAX) {
    const name = parseName(b, offset);
    if (!name.ok) return name;
    if (name.value.text !== '') names.push(name.value.text);
    offset = name.value.next;
  }
  return ok(names);
}

interface Name {
  readonly text: string;
  /** Where the name ends in its own place. */
  readonly next: number;
}

function parseName(b: Uint8Array, from: number): Result<Name, WireFault> {
  const labels: string[] = [];
  let nameBytes = 1;
  let offset = from;
  /** Pointers must lead below every place read before. */
  let floor = from;
  let next = -1;
  for (;;) {
    const short = { kind: 'short', needBytes: offset + 1, haveBytes: b.length } as const;
    if (offset >= b.length) return { ok: false, error: short };
    const lengthByte = b[offset]!;
    if (lengthByte === 0) break;
    if ((lengthByte & POINTER_BITS) === POINTER_BITS) {
      if (offset + 2 > b.length) {
        return { ok: false, error: { ...short, needBytes: offset + 2 } };
      }
      const target = ((lengthByte & ~POINTER_BITS) << 8) | b[offset + 1]!;
      if (target >= floor) return { ok: false, error: { kind: 'field', offset, value: target } };
      if (next === -1) next = offset + 2;
      offset = target;
      floor = target;
      continue;
    }
    const end = offset + 1 + lengthByte;
    nameBytes += 1 + lengthByte;
    if (lengthByte > LABEL_BYTES_MAX || nameBytes > NAME_BYTES_MAX) {
      return { ok: false, error: { kind: 'field', offset, value: lengthByte } };
    }
    if (end > b.length) return { ok: false, error: { ...short, needBytes: end } };
    const label = hot.latin1(b, offset + 1, end);
    if (!NAME_CHARACTERS.test(label)) {
      return { ok: false, error: { kind: 'field', offset: offset + 1, value: b[offset + 1]! } };
    }
    labels.push(label);
    offset = end;
  }
  return ok({ text: labels.join('.'), next: next === -1 ? offset + 1 : next });
}

/** Writes the names from offset 0, uncompressed, and returns the length. */
export function emitDomainSearch(to: Uint8Array, names: readonly string[]): number {
  let offset = 0;
  for (const name of names) {
    for (const label of name.split('.')) {
      assert(label.length >= 1 && label.length <= LABEL_BYTES_MAX);
      to[offset] = label.length;
      hot.writeLatin1(to, offset + 1, label);
      offset += 1 + label.length;
    }
    to[offset] = 0;
    offset += 1;
  }
  return offset;
}

export const formatDomainSearch = (names: readonly string[]): string => names.join(' ');
