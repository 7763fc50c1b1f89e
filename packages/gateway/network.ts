/** Which addresses a gateway's network has, and what guests are told. */

import { err, ok, type Result, toI32 } from '#core';
import type { Endpoint } from '#device';
import {
  type FixedLease,
  formatIpv4Address,
  type Ipv4Address,
  Ipv6Address,
  ipv4AddressOf,
  isPrivateAddress,
  type LeasePool,
  netmaskOf,
  parseIpv4Address,
} from '#net';
import { poolOffset } from './limits.ts';

/**
 * A network of guests' own for each IPv4 network: fd6d:6f72:6761:NNNN::/64 with 16 of its bits.
 * Deviates: RFC 4193 §3.2.1 has the 40 bits drawn at random, so that networks can be merged; these
 * are of one machine, and a guest's address should be the same tomorrow.
 */
const ULA_WORDS = [0xfd6d_6f72, 0x6761_0000] as const;
/** The host's, in the next /64 but all: reached by the router, so nobody is asked where it is. */
const HOST_SUBNET_BIT = 0x8000;

/** The largest network of which the whole pool fits a DHCP server's table. */
const PREFIX_BITS_MIN = 16;
/** Gateway, host, and a few guests beyond `poolOffset`. */
const PREFIX_BITS_MAX = 27;
const POOL_MAX = 960;

export interface GatewayNetwork {
  /** The gateway's own, in the network. */
  readonly address: Ipv4Address;
  readonly prefixBits: number;
  /** The host's name in the network, `host.internal`, in the network too; null: it has none. */
  readonly hostAddress: Ipv4Address | null;
  /**
   * Whether connections and datagrams to `hostAddress` reach the host's loopback interface, and so
   * what listens for the host alone. Nothing else ever does.
   */
  readonly allowsHost: boolean;
  /** What `hostAddress` is on the host, and `ipv6.hostAddress`. */
  readonly hostLoopback: string;
  readonly hostLoopback6: string;
  /** Null: guests get no IPv6. */
  readonly ipv6: {
    /** Of 64 bits. */
    readonly prefix: Ipv6Address;
    /** The gateway's, in it. */
    readonly address: Ipv6Address;
    /** As `hostAddress`, and not in it. */
    readonly hostAddress: Ipv6Address | null;
  } | null;
  readonly pool: LeasePool;
  /** Addresses of certain stations. */
  readonly fixed: readonly FixedLease[];
  readonly leaseSeconds: number;
  /** Names of guests end in it; also what names without a dot are looked for in. */
  readonly domain: string;
  /** Asked for names that aren't the network's; none: such names are SERVFAIL. */
  readonly nameServers: readonly Endpoint[];
}

/**
 * A network "10.77.0.0/24" as usual: the gateway is .1, the host .2, guests are from .16 on. Null
 * for a text that is no private network of 27 to 16 bits.
 */
export function gatewayNetwork(
  text: string,
  change: Partial<GatewayNetwork> = {},
): Result<GatewayNetwork, { readonly kind: 'network'; readonly message: string }> {
  const [addressText = '', bitsText = ''] = text.split('/');
  const first = parseIpv4Address(addressText);
  const prefixBits = /^\d{2}$/.test(bitsText) ? Number(bitsText) : 0;
  const isSized = prefixBits >= PREFIX_BITS_MIN && prefixBits <= PREFIX_BITS_MAX;
  if (first === null || !isSized || !isPrivateAddress(first)) {
    return fault(
      `'${text}' is no private IPv4 network of /${PREFIX_BITS_MIN} to /${PREFIX_BITS_MAX}`,
    );
  }
  if ((first & ~netmaskOf(prefixBits)) !== 0) {
    const whole = formatIpv4Address(ipv4AddressOf(first & netmaskOf(prefixBits)));
    return fault(`'${text}' is an address in ${whole}/${prefixBits}, not the network`);
  }
  const hosts = 2 ** (32 - prefixBits) - 2;
  const poolCount = Math.min(hosts - poolOffset + 1, POOL_MAX);
  return ok({
    address: ipv4AddressOf(first + 1),
    prefixBits,
    hostAddress: ipv4AddressOf(first + 2),
    allowsHost: true,
    hostLoopback: '127.0.0.1',
    hostLoopback6: '::1',
    ipv6: ipv6Of(first),
    pool: {
      first: ipv4AddressOf(first + poolOffset),
      last: ipv4AddressOf(first + poolOffset + poolCount - 1),
    },
    fixed: [],
    leaseSeconds: 3_600,
    domain: 'internal',
    nameServers: [],
    ...change,
  });
}

function ipv6Of(first: Ipv4Address): GatewayNetwork['ipv6'] {
  const subnet = ((first >> 8) ^ (first >> 24)) & 0x7fff;
  const [high, low] = ULA_WORDS.map(toI32) as [number, number];
  return {
    prefix: new Ipv6Address(high, low + subnet, 0, 0),
    address: new Ipv6Address(high, low + subnet, 0, 1),
    hostAddress: new Ipv6Address(high, low + subnet + HOST_SUBNET_BIT, 0, 2),
  };
}

const fault = (message: string): Result<never, { kind: 'network'; message: string }> =>
  err({ kind: 'network', message });
