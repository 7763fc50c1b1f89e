/**
 * Which of our addresses a packet comes from, and which of a host's addresses to try first: RFC
 * 6724 §5 and §6 with its default policy table. Rules about home addresses, interfaces and
 * temporary addresses (4, 5, 7) have no subject here: there are none, or one.
 */

import { assert, type Instant } from '#core';
import type { IpAddress } from '../ip.ts';
import {
  commonPrefixBits,
  hasPrefix,
  Ipv6Address,
  ipv6Scope,
  prefixOf,
  SCOPE_GLOBAL,
  SCOPE_LINK,
} from '../ipv6-address.ts';
import { parseIpv6Address } from '../ipv6-text.ts';
import { isDeprecated, type OwnAddress } from './own-addresses.ts';

/** RFC 6724 §2.1; the first that matches is the longest. */
const POLICY = (
  [
    ['::1', 128, 50, 0],
    ['::ffff:0:0', 96, 35, 4],
    ['::', 96, 1, 3],
    ['2001::', 32, 5, 5],
    ['2002::', 16, 30, 2],
    ['3ffe::', 16, 1, 12],
    ['fec0::', 10, 1, 11],
    ['fc00::', 7, 3, 13],
    ['::', 0, 40, 1],
  ] as const
).map(([text, bits, precedence, label]) => {
  const prefix = parseIpv6Address(text);
  assert(prefix !== null);
  return { prefix, bits, precedence, label };
});

function policyOf(address: Ipv6Address): { readonly precedence: number; readonly label: number } {
  for (const entry of POLICY) if (hasPrefix(address, entry.prefix, entry.bits)) return entry;
  assert(false, 'the last entry matches all');
}

/** An IPv4 address as RFC 6724 §3.2 compares it. */
const asIpv6 = (a: IpAddress): Ipv6Address =>
  typeof a === 'number' ? new Ipv6Address(0, 0, 0xffff, a) : a;

/** RFC 6724 §3.2: autoconfigured and loopback IPv4 addresses are of the link, others are global. */
function scopeOf(a: IpAddress): number {
  if (typeof a !== 'number') return ipv6Scope(a);
  const isLink = a >> 16 === 0xa9fe - 0x10000 || a >> 24 === 127;
  return isLink ? SCOPE_LINK : SCOPE_GLOBAL;
}

/** RFC 6724 §5 for one of our own candidates; null when there is none. O(addresses). */
export function selectSource(
  own: readonly OwnAddress[],
  destination: Ipv6Address,
  now: Instant,
): OwnAddress | null {
  let best: OwnAddress | null = null;
  for (const candidate of own) {
    if (best === null || isBetterSource(candidate, best, destination, now)) best = candidate;
  }
  return best;
}

/** Whether `a` is preferred to `b`, which comes earlier in the list. */
function isBetterSource(
  a: OwnAddress,
  b: OwnAddress,
  destination: Ipv6Address,
  now: Instant,
): boolean {
  // Rule 1: the same address. (We are told of it only to compare; it is no way out.)
  if (a.address.equals(destination)) return true;
  if (b.address.equals(destination)) return false;
  // Rule 2: appropriate scope.
  const scopeA = ipv6Scope(a.address);
  const scopeB = ipv6Scope(b.address);
  const scope = ipv6Scope(destination);
  if (scopeA !== scopeB) return scopeA < scopeB ? scopeA >= scope : scopeB < scope;
  // Rule 3: not deprecated, nor optimistic (RFC 4429 §3.1 treats those as deprecated).
  const agingA = isDeprecated(a, now) ? 2 : Number(a.isOptimistic);
  const agingB = isDeprecated(b, now) ? 2 : Number(b.isOptimistic);
  if (agingA !== agingB) return agingA < agingB;
  // Rule 6: matching label.
  const { label } = policyOf(destination);
  const isMatchA = policyOf(a.address).label === label;
  const isMatchB = policyOf(b.address).label === label;
  if (isMatchA !== isMatchB) return isMatchA;
  // Rule 8: longest matching prefix, not beyond the source's own.
  return commonBits(a, destination) > commonBits(b, destination);
}

const commonBits = (own: OwnAddress, destination: Ipv6Address): number =>
  Math.min(own.prefixBits, commonPrefixBits(own.address, destination));

/** A destination, with what a packet to it would come from. */
export interface ReachableDestination {
  readonly address: IpAddress;
  /** Null: there is no way to it. */
  readonly source: IpAddress | null;
  readonly isSourceDeprecated: boolean;
}

/**
 * The same destinations in the order to try them in, RFC 6724 §6. Stable: of equals the first stays
 * first. O(n log n).
 */
export function sortDestinations(list: readonly ReachableDestination[]): ReachableDestination[] {
  return [...list].sort(compareDestinations);
}

/** Negative when `a` is to be tried first. */
function compareDestinations(a: ReachableDestination, b: ReachableDestination): number {
  const first = (isA: boolean, isB: boolean): number => Number(isB) - Number(isA);
  // Rule 1: usable.
  const unusable = first(a.source !== null, b.source !== null);
  if (unusable !== 0 || a.source === null || b.source === null) return unusable;
  const [toA, toB] = [asIpv6(a.address), asIpv6(b.address)];
  const [fromA, fromB] = [asIpv6(a.source), asIpv6(b.source)];
  const [policyA, policyB] = [policyOf(toA), policyOf(toB)];
  return (
    // Rule 2: matching scope.
    first(scopeOf(a.address) === scopeOf(a.source), scopeOf(b.address) === scopeOf(b.source)) ||
    // Rule 3: not from a deprecated address.
    first(!a.isSourceDeprecated, !b.isSourceDeprecated) ||
    // Rule 5: matching label.
    first(policyOf(fromA).label === policyA.label, policyOf(fromB).label === policyB.label) ||
    // Rule 6: higher precedence.
    policyB.precedence - policyA.precedence ||
    // Rule 8: smaller scope.
    scopeOf(a.address) - scopeOf(b.address) ||
    // Rule 9: longest matching prefix. Deviates: not for IPv4, where it defeats round robin.
    (typeof a.address === 'number' || typeof b.address === 'number'
      ? 0
      : networkBits(fromB, toB) - networkBits(fromA, toA))
  );
}

/** Of the first 64 bits: what comes after says nothing of the way (RFC 6724 §2.2's erratum). */
const networkBits = (from: Ipv6Address, to: Ipv6Address): number =>
  commonPrefixBits(prefixOf(from, 64), prefixOf(to, 64));
