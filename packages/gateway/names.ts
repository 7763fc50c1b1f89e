/**
 * The names of a gateway's network: guests by what they call themselves, the gateway, the host; and
 * the names of the network's addresses. Everything else is asked of the host's name servers. Read
 * first: dns/local-zone.ts, RFC 6761, RFC 6762 Appendix G (why the domain is "internal").
 */

import { isNeverHost } from '#device';
import { dnsType, type LocalName, type LocalNames } from '#dns';
import {
  formatIpAddress,
  type IpAddress,
  type Ipv4Address,
  netmaskOf,
  parseIpv4Address,
} from '#net';
import { nameTtlSeconds } from './limits.ts';
import type { GatewayNetwork } from './network.ts';

const REVERSE = '.in-addr.arpa';
/**
 * What no guest is called: the names below, and those that are never a host's. One that calls
 * itself localhost, as many do that nobody named, would be `localhost.internal` to all that search
 * the domain (RFC 6761 §6.3), and `host` in every log that asks for names of addresses.
 */
export const reservedNames = ['gateway', 'host', 'localhost', 'invalid', 'onion'] as const;

const MISSING: LocalName = { kind: 'missing' };
const EMPTY: LocalName = { kind: 'empty' };

/** Which guests there are now. */
export interface GuestNames {
  addressesOf(hostName: string): readonly IpAddress[];
  nameOf(address: Ipv4Address): string | null;
}

export class NetworkNames implements LocalNames {
  readonly domain: string;
  readonly ttlSeconds = nameTtlSeconds;
  private readonly network: GatewayNetwork;
  private readonly guests: GuestNames;

  constructor(network: GatewayNetwork, guests: GuestNames) {
    this.network = network;
    this.domain = network.domain;
    this.guests = guests;
  }

  lookup(name: string, type: number): LocalName | null {
    if (isNeverHost(name)) return MISSING;
    if (name === 'localhost' || name.endsWith('.localhost')) {
      return { kind: 'addresses', addresses: ['127.0.0.1', '::1'] };
    }
    if (name === this.domain) return EMPTY;
    const suffix = `.${this.domain}`;
    if (name.endsWith(suffix)) return this.host(name.slice(0, -suffix.length)) ?? MISSING;
    if (name.endsWith(REVERSE)) return this.reverse(name.slice(0, -REVERSE.length));
    if (name.includes('.') || name === '') return null;
    // A host's name without a domain is nobody else's business (RFC 8499's dotless domains aren't).
    const isForAddress = type === dnsType.a || type === dnsType.aaaa;
    return this.host(name) ?? (isForAddress ? MISSING : null);
  }

  private host(label: string): LocalName | null {
    const { address, hostAddress } = this.network;
    const { ipv6 } = this.network;
    if (label === 'gateway') return addresses([address, ipv6?.address ?? null]);
    if (label === 'host') return addresses([hostAddress, ipv6?.hostAddress ?? null]);
    return addresses(this.guests.addressesOf(label));
  }

  /** `text`: an address backwards, or a part of one. */
  private reverse(text: string): LocalName | null {
    const { address: own, prefixBits, hostAddress, domain } = this.network;
    const address = parseIpv4Address(text.split('.').reverse().join('.'));
    if (address === null || ((address ^ own) & netmaskOf(prefixBits)) !== 0) return null;
    const label = this.labelOf(address, own, hostAddress);
    return label === null ? MISSING : { kind: 'name', name: `${label}.${domain}` };
  }

  private labelOf(
    address: Ipv4Address,
    own: Ipv4Address,
    hostAddress: Ipv4Address | null,
  ): string | null {
    if (address === own) return 'gateway';
    return address === hostAddress ? 'host' : this.guests.nameOf(address);
  }
}

const addresses = (list: readonly (IpAddress | null)[]): LocalName | null => {
  const found = list.filter((address) => address !== null);
  return found.length === 0 ? null : { kind: 'addresses', addresses: found.map(formatIpAddress) };
};
