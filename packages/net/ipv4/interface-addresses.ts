/**
 * The addresses of our interface, and which others they tell us about. Not here: how they are
 * obtained.
 */

import { assert } from '#core';
import type { Ipv4Address } from '../ip.ts';
import {
  IPV4_ANY,
  IPV4_BROADCAST,
  ipv4AddressOf,
  isHostAddress,
  netmaskOf,
} from '../ip-address.ts';
import { addressesMax } from '../limits.ts';

export interface InterfaceAddress {
  readonly address: Ipv4Address;
  /** 0..32. */
  readonly prefixBits: number;
  /** Beside the one that follows from the prefix: an address in it that all hosts have, too. */
  readonly broadcast?: Ipv4Address;
}

interface Prefix extends InterfaceAddress {
  readonly netmask: Ipv4Address;
  readonly directed: Ipv4Address;
}

export class InterfaceAddresses {
  /** The first address, source of what has no other; IPV4_ANY when there is none. */
  primary: Ipv4Address = IPV4_ANY;
  private prefixes: readonly Prefix[] = [];

  /** Replaces all addresses. */
  set(addresses: readonly InterfaceAddress[]): void {
    assert(addresses.length <= addressesMax);
    this.prefixes = addresses.map((given) => {
      const { address, prefixBits } = given;
      assert(isHostAddress(address) && given.broadcast !== address);
      const netmask = netmaskOf(prefixBits);
      // A /31 has two hosts and no broadcast (RFC 3021), a /32 has one.
      const directed = prefixBits >= 31 ? IPV4_BROADCAST : ipv4AddressOf(address | ~netmask);
      return { ...given, netmask, directed };
    });
    this.primary = this.prefixes[0]?.address ?? IPV4_ANY;
  }

  get list(): readonly InterfaceAddress[] {
    return this.prefixes;
  }

  isOurs(address: Ipv4Address): boolean {
    if (address === this.primary) return address !== IPV4_ANY;
    for (const prefix of this.prefixes) if (prefix.address === address) return true;
    return false;
  }

  /** The limited broadcast, or that of one of our prefixes. */
  isBroadcast(address: Ipv4Address): boolean {
    if (address === IPV4_BROADCAST) return true;
    for (const { directed, broadcast } of this.prefixes) {
      if (directed === address || broadcast === address) return true;
    }
    return false;
  }

  /**
   * Whether hosts with `address` are on our link; every one is for a packet from the address given
   * out there.
   */
  isOnLink(address: Ipv4Address): boolean {
    for (const { address: ours, netmask } of this.prefixes) {
      if (((ours ^ address) & netmask) === 0) return true;
    }
    return false;
  }

  /** Our address for talking to a neighbour: the one in its prefix, else the primary. */
  sourceFor(neighbor: Ipv4Address): Ipv4Address {
    for (const { address, netmask } of this.prefixes) {
      if (((address ^ neighbor) & netmask) === 0) return address;
    }
    return this.primary;
  }
}
