/**
 * Which client has which address: the pool and the fixed entries of a DHCP server. An address stays
 * with the client that had it last until nobody else finds another one (RFC 2131 §4.3.1), so that a
 * client that comes back finds its own. Read first: dhcpv4-server.ts. Not here: messages, timers.
 */

import { after, assert, FOREVER, type Instant } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { dhcpDeclinedHold, dhcpOfferHold, dhcpServerAddressesMax } from '../limits.ts';

export interface LeasePool {
  readonly first: Ipv4Address;
  /** At least `first`. */
  readonly last: Ipv4Address;
}

/** A client that always gets the same address, which nobody else gets. */
export interface FixedLease {
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** In the pool or out of it. */
  readonly address: Ipv4Address;
  /** Stands for what the client says, and no other client gets it; absent: what it says. */
  readonly hostName?: string;
}

export type LeaseState =
  /** Kept for a client that hasn't asked for it yet. */
  | 'offered'
  | 'bound'
  /** Nobody's; kept in mind for whom had it. */
  | 'ended'
  /** Another host was found to have it: nobody's, and not to be given. */
  | 'declined';

/** What the table knows of one address; only the table writes it. */
export interface Lease {
  readonly address: Ipv4Address;
  client: string;
  mac: Uint8Array;
  /** Lower case; null: unknown, or a later client has taken the name, or it isn't bound. */
  hostName: string | null;
  state: LeaseState;
  /** When 'offered', 'bound' and 'declined' end; since when it has been 'ended'. */
  until: Instant;
}

export class LeaseTable {
  private readonly pool: LeasePool;
  /** By the station's address as text. */
  private readonly fixed = new Map<string, FixedLease>();
  /** Not to be given to other clients: fixed entries, the server's own address. */
  private readonly reserved: Set<Ipv4Address>;
  private readonly byAddress = new Map<Ipv4Address, Lease>();
  private readonly byClient = new Map<string, Lease>();
  private readonly byName = new Map<string, Lease>();
  /** Names in lower case, and the one station that may have each; null: none may. */
  private readonly ownerOf = new Map<string, string | null>();

  /** `nobodys`: names that no client gets. */
  constructor(
    pool: LeasePool,
    fixed: readonly FixedLease[],
    reserved: readonly Ipv4Address[],
    nobodys: readonly string[] = [],
  ) {
    const count = pool.last - pool.first + 1;
    assert(count >= 1 && count + fixed.length <= dhcpServerAddressesMax);
    this.pool = pool;
    this.reserved = new Set(reserved);
    for (const name of nobodys) this.ownerOf.set(name.toLowerCase(), null);
    for (const entry of fixed) {
      const key = macKey(entry.mac);
      assert(!this.fixed.has(key) && !this.reserved.has(entry.address), 'a fixed lease twice');
      this.fixed.set(key, entry);
      this.reserved.add(entry.address);
      const name = entry.hostName?.toLowerCase();
      if (name === undefined) continue;
      assert(!this.ownerOf.has(name), 'a name twice, or nobody’s');
      this.ownerOf.set(name, key);
    }
  }

  /** Of all states, in order of first use. */
  values(): IterableIterator<Lease> {
    return this.byAddress.values();
  }

  at(address: Ipv4Address): Lease | null {
    return this.byAddress.get(address) ?? null;
  }

  of(client: string): Lease | null {
    return this.byClient.get(client) ?? null;
  }

  /** The lease in force whose client calls itself `hostName`, in lower case. */
  named(hostName: string, now: Instant): Lease | null {
    const lease = this.byName.get(hostName);
    return lease !== undefined && lease.until > now ? lease : null;
  }

  /**
   * What a bound lease's client calls itself, in lower case; null: nothing. The last one to take a
   * name has it: a machine that was made anew with another station address must be found. False
   * when the name isn't to be had: the lease has none then.
   */
  name(lease: Lease, hostName: string | null): boolean {
    assert(lease.state === 'bound');
    if (lease.hostName === hostName) return true;
    this.unname(lease);
    if (hostName === null) return true;
    const owner = this.ownerOf.get(hostName);
    if (owner !== undefined && owner !== macKey(lease.mac)) return false;
    const holder = this.byName.get(hostName);
    if (holder !== undefined) this.unname(holder);
    lease.hostName = hostName;
    this.byName.set(hostName, lease);
    return true;
  }

  fixedFor(mac: Uint8Array): FixedLease | null {
    return this.fixed.get(macKey(mac)) ?? null;
  }

  /**
   * Finds an address for a client and keeps it for a while: its own, else the one it asks for
   * (null: none), else a fresh one, else the one that has been free for longest. Null when there
   * is none. O(addresses).
   */
  offer(client: string, mac: Uint8Array, wanted: Ipv4Address | null, now: Instant): Lease | null {
    this.expire(now);
    const known = this.of(client);
    if (known?.state === 'bound' && this.mayHave(client, mac, known.address)) return known;
    const address = this.choose(client, mac, wanted);
    if (address === null) return null;
    const lease = this.give(client, mac, address, now);
    lease.state = 'offered';
    lease.until = after(now, dhcpOfferHold);
    return lease;
  }

  /** The client uses `address`, which it `mayHave`, until `until`. */
  bind(client: string, mac: Uint8Array, address: Ipv4Address, now: Instant, until: Instant): Lease {
    assert(this.mayHave(client, mac, address) && until > now);
    const lease = this.give(client, mac, address, now);
    lease.state = 'bound';
    lease.until = until;
    return lease;
  }

  /** Whether nothing stands against this client at this address; expire first. O(1). */
  mayHave(client: string, mac: Uint8Array, address: Ipv4Address): boolean {
    const lease = this.at(address);
    if (lease !== null && lease.client !== client && !isFree(lease)) return false;
    const fixed = this.fixedFor(mac);
    if (fixed !== null) return fixed.address === address;
    return this.isInPool(address) && !this.reserved.has(address);
  }

  /** The lease's client doesn't want it any more, but is kept in mind. */
  end(lease: Lease, now: Instant): void {
    this.unname(lease);
    lease.state = 'ended';
    lease.until = now;
  }

  /** Another host was found to have the lease's address; its client is forgotten. */
  decline(lease: Lease, now: Instant): void {
    lease.state = 'declined';
    this.unname(lease);
    lease.until = after(now, dhcpDeclinedHold);
    this.forgetClient(lease);
  }

  /** Ends what is over; returns the first time at which there is something to end again. */
  expire(now: Instant): Instant {
    let next = FOREVER;
    for (const lease of this.byAddress.values()) {
      if (lease.state === 'ended') continue;
      if (lease.until <= now) this.end(lease, lease.until);
      else if (lease.until < next) next = lease.until;
    }
    return next;
  }

  checkInvariants(): void {
    assert(this.byAddress.size <= dhcpServerAddressesMax);
    for (const [address, lease] of this.byAddress) {
      assert(lease.address === address);
      const isKnown = this.byClient.get(lease.client) === lease;
      assert(isKnown || lease.state === 'declined' || lease.state === 'ended');
      assert(lease.state !== 'declined' || lease.client === '');
      assert(lease.hostName === null || lease.state === 'bound');
      assert(lease.hostName === null || this.byName.get(lease.hostName) === lease);
    }
    for (const [name, lease] of this.byName) assert(lease.hostName === name);
    for (const [client, lease] of this.byClient) {
      assert(lease.client === client && this.byAddress.get(lease.address) === lease);
    }
  }

  private choose(client: string, mac: Uint8Array, wanted: Ipv4Address | null): Ipv4Address | null {
    const fixed = this.fixedFor(mac);
    if (fixed !== null) return this.mayHave(client, mac, fixed.address) ? fixed.address : null;
    const own = this.of(client);
    if (own !== null && this.mayHave(client, mac, own.address)) return own.address;
    if (wanted !== null && this.mayHave(client, mac, wanted)) return wanted;
    return this.unused() ?? this.longestFree();
  }

  private unused(): Ipv4Address | null {
    const { first, last } = this.pool;
    for (let bits: number = first; bits <= last; bits++) {
      const address = bits as Ipv4Address;
      if (!this.byAddress.has(address) && !this.reserved.has(address)) return address;
    }
    return null;
  }

  private longestFree(): Ipv4Address | null {
    let best: Lease | null = null;
    for (const lease of this.byAddress.values()) {
      if (!isFree(lease) || this.reserved.has(lease.address)) continue;
      if (best === null || lease.until < best.until) best = lease;
    }
    return best?.address ?? null;
  }

  /** The entry of `address`, this client's from now on, in no state yet. */
  private give(client: string, mac: Uint8Array, address: Ipv4Address, now: Instant): Lease {
    const own = this.of(client);
    if (own !== null && own.address !== address) {
      // A client has one address: what it had before is nobody's.
      this.end(own, now);
      this.forgetClient(own);
    }
    let lease = this.byAddress.get(address);
    if (lease === undefined) {
      lease = { address, client, mac, hostName: null, state: 'ended', until: now };
      this.byAddress.set(address, lease);
    } else if (lease.client !== client) {
      this.end(lease, now);
      this.forgetClient(lease);
    }
    lease.client = client;
    lease.mac = mac;
    this.byClient.set(client, lease);
    return lease;
  }

  private unname(lease: Lease): void {
    if (lease.hostName !== null) this.byName.delete(lease.hostName);
    lease.hostName = null;
  }

  private forgetClient(lease: Lease): void {
    if (this.byClient.get(lease.client) === lease) this.byClient.delete(lease.client);
    lease.client = '';
  }

  private isInPool(address: Ipv4Address): boolean {
    return address >= this.pool.first && address <= this.pool.last;
  }
}

const isFree = (lease: Lease): boolean => lease.state === 'ended';

export const macKey = (mac: Uint8Array): string => `mac ${mac.join(':')}`;
