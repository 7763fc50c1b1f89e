/**
 * The IPv6 addresses of our interface with their lifetimes (RFC 4862 §5.5.4). Not here: where they
 * come from (slaac.ts), whether somebody else has them (ndp/duplicate-detection.ts), which one is
 * the source of a packet (source-selection.ts).
 */

import { assert, FOREVER, type Instant } from '#core';
import type { Ipv6Address } from '../ipv6-address.ts';
import { ipv6AddressesMax } from './limits.ts';

export type Ipv6Origin = 'link-local' | 'static' | 'advertised';

export interface OwnAddress {
  /** This stack's object. */
  readonly address: Ipv6Address;
  readonly prefixBits: number;
  readonly origin: Ipv6Origin;
  /** RFC 7217's DAD_Counter: how many before it were somebody else's. */
  readonly attempt: number;
  /**
   * Nobody has objected yet, but somebody may: used with RFC 4429's restrictions, so that nothing
   * has to wait for a second.
   */
  isOptimistic: boolean;
  preferredUntil: Instant;
  validUntil: Instant;
}

export const isDeprecated = (own: OwnAddress, now: Instant): boolean => own.preferredUntil <= now;

export class Ipv6OwnAddresses {
  private readonly entries: OwnAddress[] = [];

  get list(): readonly OwnAddress[] {
    return this.entries;
  }

  get isFull(): boolean {
    return this.entries.length >= ipv6AddressesMax;
  }

  /** Not full; the address isn't there. */
  add(own: OwnAddress): void {
    assert(!this.isFull && this.find(own.address) === null);
    this.entries.push(own);
  }

  remove(own: OwnAddress): void {
    const index = this.entries.indexOf(own);
    assert(index >= 0);
    this.entries.splice(index, 1);
  }

  find(address: Ipv6Address): OwnAddress | null {
    for (const own of this.entries) if (own.address.equals(address)) return own;
    return null;
  }

  isOurs(address: Ipv6Address): boolean {
    return this.find(address) !== null;
  }

  /** Null before there is one. */
  get linkLocal(): OwnAddress | null {
    for (const own of this.entries) if (own.origin === 'link-local') return own;
    return null;
  }

  /** When the next one changes what it is. */
  nextChange(now: Instant): Instant {
    let next: Instant = FOREVER;
    for (const { preferredUntil, validUntil } of this.entries) {
      if (preferredUntil > now && preferredUntil < next) next = preferredUntil;
      if (validUntil < next) next = validUntil;
    }
    return next;
  }

  checkInvariants(): void {
    assert(this.entries.length <= ipv6AddressesMax);
    for (const own of this.entries) {
      assert(this.find(own.address) === own, 'twice');
      assert(own.preferredUntil <= own.validUntil);
    }
  }
}
