/** Text forms of IPv6 addresses: reads RFC 4291 §2.2, all three of them; writes RFC 5952. */

import { parseIpv4Address } from './ip-address.ts';
import { Ipv6Address, isIpv4Mapped } from './ipv6-address.ts';

const GROUPS = 8;
/** "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255": nothing longer is an address. */
const TEXT_LENGTH_MAX = 45;

/**
 * "2001:db8::1", "::ffff:10.0.0.1": null for other text, zone identifiers ("%eth0"), brackets and
 * prefix lengths included.
 */
export function parseIpv6Address(text: string): Ipv6Address | null {
  if (text.length > TEXT_LENGTH_MAX) return null;
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1]!, true);
  if (head === null || tail === null) return null;
  const missing = GROUPS - head.length - tail.length;
  // "::" stands for at least one group (RFC 5952 §4.2.2 forbids writing it for one, not reading).
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number): number => (groups[2 * i]! << 16) | groups[2 * i + 1]!;
  return new Ipv6Address(word(0), word(1), word(2), word(3));
}

/** 16-bit groups between colons; the last may be an IPv4 address when `isLast`. */
function parseGroups(text: string, isLast: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const ipv4 = isLast && i === parts.length - 1 ? parseIpv4Address(part) : null;
    if (ipv4 === null) return null;
    groups.push((ipv4 >>> 16) & 0xffff, ipv4 & 0xffff);
  }
  return groups;
}

export function formatIpv6Address(a: Ipv6Address): string {
  if (isIpv4Mapped(a)) {
    const byte = (shift: number): number => (a.w3 >>> shift) & 255;
    return `::ffff:${byte(24)}.${byte(16)}.${byte(8)}.${byte(0)}`; // RFC 5952 §5.
  }
  const groups = [a.w0, a.w1, a.w2, a.w3].flatMap((word) => [word >>> 16, word & 0xffff]);
  const { start, length } = longestZeros(groups);
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  // One zero group is written out (RFC 5952 §4.2.2).
  if (length < 2) return hex(0, GROUPS);
  return `${hex(0, start)}::${hex(start + length, GROUPS)}`;
}

/** The longest run of zero groups, the first of equals (RFC 5952 §4.2.3). */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (i < groups.length && groups[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}
