/**
 * What a valid router advertisement changes: RFC 4861 §6.3.4, RFC 4862 §5.5.3, RFC 4191, RFC 8106.
 * Values that no sane link has are ignored one by one, so that a bad advertisement does no more
 * harm than it must. Read first: router-table.ts. Not here: whether the message is valid (ndp.ts).
 */

import { millis, type TimerQueue } from '#core';
import type { Ipv6AddressCache } from '../ipv6/address-cache.ts';
import {
  ndpOptionsMax,
  ndpReachableMillisMax,
  ndpRetransmitMillisMax,
  ndpRetransmitMillisMin,
} from '../ipv6/limits.ts';
import type { Slaac } from '../ipv6/slaac.ts';
import {
  type Ipv6Address,
  isIpv6HostAddress,
  isIpv6LinkLocal,
  isIpv6Multicast,
} from '../ipv6-address.ts';
import { IPV6_MTU_BYTES_MIN } from '../wire/ipv6.ts';
import type { RouterAdvertisement } from '../wire/ndp.ts';
import type { NdpOption } from '../wire/ndp-options.ts';
import type { NdpNeighbors } from './ndp-neighbors.ts';
import { type RouterTable, untilAfter } from './router-table.ts';

export interface LinkParameters {
  hopLimit: number;
  /** Of the link as routers say, at most the device's. */
  mtuBytes: number;
}

export class RouterAdvertisements {
  readonly counters = { raReceived: 0, raIgnoredOptions: 0 };
  private readonly table: RouterTable;
  private readonly neighbors: NdpNeighbors;
  private readonly slaac: Slaac;
  private readonly cache: Ipv6AddressCache;
  private readonly timers: TimerQueue;
  private readonly deviceMtuBytes: number;
  readonly link: LinkParameters;

  constructor(
    table: RouterTable,
    neighbors: NdpNeighbors,
    slaac: Slaac,
    cache: Ipv6AddressCache,
    timers: TimerQueue,
    deviceMtuBytes: number,
    link: LinkParameters,
  ) {
    this.table = table;
    this.neighbors = neighbors;
    this.slaac = slaac;
    this.cache = cache;
    this.timers = timers;
    this.deviceMtuBytes = deviceMtuBytes;
    this.link = link;
  }

  /** True when ways or DNS changed. */
  take(message: RouterAdvertisement, router: Ipv6Address, mac: Uint8Array | null): boolean {
    this.counters.raReceived += 1;
    const { now } = this.timers;
    let isChanged = this.takeParameters(message);
    if (mac !== null) this.neighbors.heard(router, mac);
    const neighbor = this.neighbors.find(router);
    if (neighbor !== null) neighbor.isRouter = true;
    const until = untilAfter(now, message.lifetimeSeconds);
    isChanged = this.table.setRouter(router, message.preference, until, now) || isChanged;
    message.options.forEach((option, i) => {
      if (i >= ndpOptionsMax) this.counters.raIgnoredOptions += 1;
      else isChanged = this.takeOption(option, router) || isChanged;
    });
    return isChanged;
  }

  private takeParameters(message: RouterAdvertisement): boolean {
    const { hopLimit, reachableMillis, retransmitMillis } = message;
    if (reachableMillis > 0 && reachableMillis <= ndpReachableMillisMax) {
      this.neighbors.reachableTime = millis(reachableMillis);
    }
    if (retransmitMillis >= ndpRetransmitMillisMin && retransmitMillis <= ndpRetransmitMillisMax) {
      this.neighbors.retransmitTime = millis(retransmitMillis);
    }
    if (hopLimit === 0 || hopLimit === this.link.hopLimit) return false;
    this.link.hopLimit = hopLimit;
    return true;
  }

  private takeOption(option: NdpOption, router: Ipv6Address): boolean {
    const { now } = this.timers;
    switch (option.kind) {
      case 'prefix':
        return this.takePrefix(option);
      case 'mtu': {
        const { mtuBytes } = option;
        const isSane = mtuBytes >= IPV6_MTU_BYTES_MIN && mtuBytes <= this.deviceMtuBytes;
        if (!isSane) this.counters.raIgnoredOptions += 1;
        if (!isSane || mtuBytes === this.link.mtuBytes) return false;
        this.link.mtuBytes = mtuBytes;
        return true;
      }
      case 'route': {
        const { prefix, prefixBits, preference, lifetimeSeconds } = option;
        const until = untilAfter(now, lifetimeSeconds);
        // A default route, which says more than the header (RFC 4191 §3.1).
        if (prefixBits === 0) return this.table.setRouter(router, preference, until, now);
        if (isIpv6LinkLocal(prefix) || isIpv6Multicast(prefix)) break;
        return this.table.setRoute(router, prefix, prefixBits, preference, until, now);
      }
      case 'dns servers': {
        const until = untilAfter(now, option.lifetimeSeconds);
        let isChanged = false;
        for (const server of option.servers) {
          if (!isIpv6HostAddress(server)) this.counters.raIgnoredOptions += 1;
          else {
            const known = this.cache.intern(server);
            isChanged = this.table.setServer(known, until, now) || isChanged;
          }
        }
        return isChanged;
      }
      case 'search list': {
        const until = untilAfter(now, option.lifetimeSeconds);
        let isChanged = false;
        for (const name of option.names) {
          isChanged = this.table.setDomain(name, until, now) || isChanged;
        }
        return isChanged;
      }
      case 'link address':
      case 'redirected':
      case 'nonce':
      case 'other':
        return false;
    }
    this.counters.raIgnoredOptions += 1;
    return false;
  }

  private takePrefix(option: Extract<NdpOption, { kind: 'prefix' }>): boolean {
    const { prefix, prefixBits, isOnLink, isAutonomous, preferredSeconds, validSeconds } = option;
    if (isIpv6LinkLocal(prefix) || isIpv6Multicast(prefix)) {
      this.counters.raIgnoredOptions += 1;
      return false;
    }
    const { now } = this.timers;
    const until = untilAfter(now, validSeconds);
    // Without the flag it says nothing about what is on the link (RFC 4861 §6.3.4).
    const isChanged = isOnLink && this.table.setOnLink(prefix, prefixBits, until, now);
    if (isAutonomous) this.slaac.advertised(prefix, prefixBits, preferredSeconds, validSeconds);
    return isChanged;
  }
}
