/**
 * What is done with an address of either family, where the caller doesn't care which. Read first:
 * ip.ts.
 */

import type { IpAddress } from './ip.ts';
import { formatIpv4Address, ipv4AddressOf, parseIpv4Address } from './ip-address.ts';
import { isIpv4Mapped } from './ipv6-address.ts';
import { formatIpv6Address, parseIpv6Address } from './ipv6-text.ts';

/** Whether both name the same host; one object a host is not promised for IPv6. */
export function sameAddress(a: IpAddress, b: IpAddress): boolean {
  if (a === b) return true;
  return typeof a !== 'number' && typeof b !== 'number' && a.equals(b);
}

/**
 * "10.0.2.15" or "2001:db8::1", null for other text. An IPv4-mapped IPv6 address is the IPv4
 * address: no packet may carry it (RFC 4291 §2.5.5.2, RFC 5156 §2.2).
 */
export function parseIpAddress(text: string): IpAddress | null {
  const ipv4 = parseIpv4Address(text);
  if (ipv4 !== null) return ipv4;
  const ipv6 = parseIpv6Address(text);
  if (ipv6 === null) return null;
  return isIpv4Mapped(ipv6) ? ipv4AddressOf(ipv6.w3) : ipv6;
}

/** The text form of an address, as in a URL but without brackets. */
export const formatIpAddress = (address: IpAddress): string =>
  typeof address === 'number' ? formatIpv4Address(address) : formatIpv6Address(address);
