/** Which addresses a gateway's network has, and what guests are told. */

import { err, ok, type Result } from '#core';
import type { Endpoint } from '#device';
import {
  type FixedLease,
  formatIpv4Address,
  type Ipv4Address,
  ipv4AddressOf,
  isHostAddress,
  type LeasePool,
  netmaskOf,
  parseIpv4Address,
} from '#net';
import { poolOffset } from './limits.ts';

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
  /** What `hostAddress` is on the host. */
  readonly hostLoopback: string;
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
  if (first === null || !isSized || !isPrivate(first)) {
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

const fault = (message: string): Result<never, { kind: 'network'; message: string }> =>
  err({ kind: 'network', message });

/** RFC 1918, and RFC 6598's shared space. */
function isPrivate(address: Ipv4Address): boolean {
  const isIn = (prefix: string, bits: number): boolean =>
    ((address ^ parseIpv4Address(prefix)!) & netmaskOf(bits)) === 0;
  return (
    isHostAddress(address) &&
    (isIn('10.0.0.0', 8) ||
      isIn('172.16.0.0', 12) ||
      isIn('192.168.0.0', 16) ||
      isIn('100.64.0.0', 10))
  );
}
