/**
 * Which way packets go: the longest prefix that matches, of those the least metric, of those the
 * first (RFC 1122 §3.3.1, RFC 1812 §5.2.4.3). A table of a few entries, searched in order: what is
 * asked often is in the cache of ways (ipv4-output.ts). Not here: neighbours, forwarding.
 */

import { assert } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { isHostAddress, netmaskOf } from '../ip-address.ts';
import { tableRoutesMax } from '../limits.ts';

export interface Ipv4RouteEntry {
  /** Bits after `prefixBits` are zero. */
  readonly prefix: Ipv4Address;
  /** 0..32. */
  readonly prefixBits: number;
  /** The router, which must be on the link of the interface; null: the destination itself is. */
  readonly gateway: Ipv4Address | null;
  /** Absent: the interface's address that suits the next hop. */
  readonly source?: Ipv4Address;
  /** Absent: the interface's. */
  readonly mtuBytes?: number;
  /** Absent: 0. The least wins between entries for one prefix. */
  readonly metric?: number;
  /** Absent: 0, the first and, as yet, only one. */
  readonly interfaceIndex?: number;
}

export class RoutingTable {
  /** Best first, so that the first match is the answer. */
  private entries: readonly Ipv4RouteEntry[] = [];

  /** Replaces all entries; what is over the bound is refused by assertion. */
  set(entries: readonly Ipv4RouteEntry[]): void {
    assert(entries.length <= tableRoutesMax);
    for (const { prefix, prefixBits, gateway } of entries) {
      assert((prefix & ~netmaskOf(prefixBits)) === 0 && prefixBits <= 32);
      assert(gateway === null || isHostAddress(gateway));
    }
    // Sorting is stable: of equals the first stays first.
    this.entries = [...entries].sort(
      (a, b) => b.prefixBits - a.prefixBits || (a.metric ?? 0) - (b.metric ?? 0),
    );
  }

  get list(): readonly Ipv4RouteEntry[] {
    return this.entries;
  }

  /** O(entries). */
  lookup(destination: Ipv4Address): Ipv4RouteEntry | null {
    for (const entry of this.entries) {
      if (((entry.prefix ^ destination) & netmaskOf(entry.prefixBits)) === 0) return entry;
    }
    return null;
  }
}
