/**
 * What routers told us: themselves (RFC 4861 §6.3.4), prefixes on the link, routes with preferences
 * (RFC 4191), DNS servers and search domains (RFC 8106), each with its lifetime; and which
 * neighbour a packet goes to (RFC 4861 §5.2, RFC 4191 §3.2). Bounds: ipv6/limits.ts. Not here:
 * addresses (ipv6/slaac.ts), the messages.
 */

import { after, assert, FOREVER, type Instant, seconds } from '#core';
import {
  dnsslNamesMax,
  ipv6RoutesMax,
  lifetimeSecondsMax,
  onLinkPrefixesMax,
  rdnssServersMax,
  routersMax,
} from '../ipv6/limits.ts';
import { commonPrefixBits, hasPrefix, type Ipv6Address } from '../ipv6-address.ts';
import type { RouterPreference } from '../wire/ndp-options.ts';

interface Router {
  readonly address: Ipv6Address;
  preference: RouterPreference;
  until: Instant;
  /** When it last didn't answer: others are tried first until it speaks again. */
  isSilent: boolean;
}

interface Prefix {
  readonly prefix: Ipv6Address;
  readonly prefixBits: number;
  until: Instant;
}

interface RouteEntry extends Prefix {
  readonly router: Ipv6Address;
  preference: RouterPreference;
}

interface Known<T> {
  readonly value: T;
  until: Instant;
}

/** When a lifetime of a message that came now ends. */
export const untilAfter = (now: Instant, lifetimeSeconds: number): Instant =>
  lifetimeSeconds > lifetimeSecondsMax ? FOREVER : after(now, seconds(lifetimeSeconds));

export class RouterTable {
  readonly counters = { raTableFull: 0 };
  private readonly routers: Router[] = [];
  private readonly prefixes: Prefix[] = [];
  private readonly routes: RouteEntry[] = [];
  private servers: Known<Ipv6Address>[] = [];
  private domains: Known<string>[] = [];

  /** Best first. */
  get defaultRouters(): readonly Ipv6Address[] {
    return [...this.routers].sort(byWorth).map(({ address }) => address);
  }

  get dnsServers(): readonly Ipv6Address[] {
    return this.servers.map(({ value }) => value);
  }

  get searchList(): readonly string[] {
    return this.domains.map(({ value }) => value);
  }

  get onLinkPrefixes(): readonly { readonly prefix: Ipv6Address; readonly prefixBits: number }[] {
    return this.prefixes;
  }

  /** For inspection. */
  get entries(): {
    readonly routers: readonly Router[];
    readonly prefixes: readonly Prefix[];
    readonly routes: readonly RouteEntry[];
  } {
    const { routers, prefixes, routes } = this;
    return { routers, prefixes, routes };
  }

  isRouter(address: Ipv6Address): boolean {
    return this.routers.some((router) => router.address.equals(address));
  }

  /** `until` not after now takes it out. True when the ways may have changed. */
  setRouter(
    address: Ipv6Address,
    preference: RouterPreference,
    until: Instant,
    now: Instant,
  ): boolean {
    const known = this.routers.find((router) => router.address.equals(address));
    if (until <= now) return known !== undefined && this.take(this.routers, known);
    if (known !== undefined) {
      const isChanged = known.preference !== preference || known.isSilent;
      known.preference = preference;
      known.until = until;
      known.isSilent = false;
      return isChanged;
    }
    if (this.routers.length >= routersMax) {
      this.counters.raTableFull += 1;
      const worst = [...this.routers].sort(byWorth).at(-1);
      if (worst === undefined || worst.preference >= preference) return false;
      this.take(this.routers, worst);
    }
    this.routers.push({ address, preference, until, isSilent: false });
    return true;
  }

  /** As `setRouter`. */
  setOnLink(prefix: Ipv6Address, prefixBits: number, until: Instant, now: Instant): boolean {
    const known = this.prefixes.find((entry) => isSamePrefix(entry, prefix, prefixBits));
    if (until <= now) return known !== undefined && this.take(this.prefixes, known);
    if (known !== undefined) {
      known.until = until;
      return false;
    }
    if (this.prefixes.length >= onLinkPrefixesMax) {
      this.counters.raTableFull += 1;
      return false;
    }
    this.prefixes.push({ prefix, prefixBits, until });
    return true;
  }

  /** As `setRouter`: a route by `router` (RFC 4191 §3.1, type C hosts). */
  setRoute(
    router: Ipv6Address,
    prefix: Ipv6Address,
    prefixBits: number,
    preference: RouterPreference,
    until: Instant,
    now: Instant,
  ): boolean {
    const known = this.routes.find(
      (entry) => isSamePrefix(entry, prefix, prefixBits) && entry.router.equals(router),
    );
    if (until <= now) return known !== undefined && this.take(this.routes, known);
    if (known !== undefined) {
      const isChanged = known.preference !== preference;
      known.preference = preference;
      known.until = until;
      return isChanged;
    }
    if (this.routes.length >= ipv6RoutesMax) {
      this.counters.raTableFull += 1;
      return false;
    }
    this.routes.push({ router, prefix, prefixBits, preference, until });
    return true;
  }

  /** True when the list changed. A full one ignores the newest (RFC 8106 §6.1 allows either). */
  setServer(server: Ipv6Address, until: Instant, now: Instant): boolean {
    const isSame = (a: Ipv6Address): boolean => a.equals(server);
    return this.setKnown(this.servers, isSame, server, rdnssServersMax, until, now);
  }

  /** As `setServer`. */
  setDomain(domain: string, until: Instant, now: Instant): boolean {
    const isSame = (a: string): boolean => a === domain;
    return this.setKnown(this.domains, isSame, domain, dnsslNamesMax, until, now);
  }

  /** A neighbour doesn't answer, or stopped being a router: others are tried first. */
  silence(address: Ipv6Address): boolean {
    const router = this.routers.find((entry) => entry.address.equals(address));
    if (router === undefined) return false;
    // The last in line, so that all are tried in turn (RFC 4861 §6.3.6).
    this.take(this.routers, router);
    router.isSilent = true;
    this.routers.push(router);
    return true;
  }

  /**
   * The neighbour for `destination`: itself when it is on the link, else the best router; null when
   * there is none. O(entries).
   */
  nextHop(destination: Ipv6Address): Ipv6Address | null {
    for (const { prefix, prefixBits } of this.prefixes) {
      if (hasPrefix(destination, prefix, prefixBits)) return destination;
    }
    let best: RouteEntry | null = null;
    for (const route of this.routes) {
      if (commonPrefixBits(destination, route.prefix) < route.prefixBits) continue;
      if (best === null || this.isBetterRoute(route, best)) best = route;
    }
    if (best !== null && !this.isSilent(best.router)) return best.router;
    return this.defaultRouters[0] ?? best?.router ?? null;
  }

  /** Drops what has ended; true when ways or DNS changed. */
  expire(now: Instant): boolean {
    let isChanged = false;
    for (const list of [this.routers, this.prefixes, this.routes, this.servers, this.domains]) {
      for (let i = list.length - 1; i >= 0; i--) {
        if (list[i]!.until > now) continue;
        list.splice(i, 1);
        isChanged = true;
      }
    }
    return isChanged;
  }

  nextChange(): Instant {
    let next: Instant = FOREVER;
    for (const list of [this.routers, this.prefixes, this.routes, this.servers, this.domains]) {
      for (const { until } of list) if (until < next) next = until;
    }
    return next;
  }

  clear(): void {
    for (const list of [this.routers, this.prefixes, this.routes, this.servers, this.domains]) {
      list.length = 0;
    }
  }

  checkInvariants(): void {
    assert(this.routers.length <= routersMax && this.prefixes.length <= onLinkPrefixesMax);
    assert(this.routes.length <= ipv6RoutesMax && this.servers.length <= rdnssServersMax);
    assert(this.domains.length <= dnsslNamesMax);
  }

  private isBetterRoute(a: RouteEntry, b: RouteEntry): boolean {
    const silent = Number(this.isSilent(b.router)) - Number(this.isSilent(a.router));
    if (silent !== 0) return silent > 0;
    if (a.prefixBits !== b.prefixBits) return a.prefixBits > b.prefixBits;
    return a.preference > b.preference;
  }

  private isSilent(address: Ipv6Address): boolean {
    return this.routers.find((router) => router.address.equals(address))?.isSilent ?? false;
  }

  private setKnown<T>(
    list: Known<T>[],
    isSame: (value: T) => boolean,
    value: T,
    max: number,
    until: Instant,
    now: Instant,
  ): boolean {
    const known = list.find((entry) => isSame(entry.value));
    if (until <= now) return known !== undefined && this.take(list, known);
    if (known !== undefined) {
      known.until = until;
      return false;
    }
    if (list.length >= max) {
      this.counters.raTableFull += 1;
      return false;
    }
    list.push({ value, until });
    return true;
  }

  private take<T>(list: T[], entry: T): true {
    list.splice(list.indexOf(entry), 1);
    return true;
  }
}

const isSamePrefix = (entry: Prefix, prefix: Ipv6Address, prefixBits: number): boolean =>
  entry.prefixBits === prefixBits && entry.prefix.equals(prefix);

/** Those that answer first, then by preference; sorting is stable. */
const byWorth = (a: Router, b: Router): number =>
  Number(a.isSilent) - Number(b.isSilent) || b.preference - a.preference;
