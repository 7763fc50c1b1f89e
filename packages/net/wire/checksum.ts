/**
 * The internet checksum (RFC 1071) as transports use it: the pseudo-header, and whether to verify.
 */

import type { Ipv4Address } from '../ip.ts';

/**
 * What a parser does about the transport checksum: a number is the pseudo-header's sum to verify
 * with, 'trusted' means that the device or host vouches for it.
 */
export type ChecksumPolicy = number | 'trusted';

/** Folds a sum below 2^32 of 16-bit words to 16 bits. */
export function foldChecksum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/**
 * Folded sum of the IPv4 pseudo-header (RFC 9293 §3.1, RFC 768) for `lengthBytes` of header and
 * payload.
 */
export function pseudoHeaderSum(
  source: Ipv4Address,
  destination: Ipv4Address,
  protocol: number,
  lengthBytes: number,
): number {
  return foldChecksum(
    (source >>> 16) +
      (source & 0xffff) +
      (destination >>> 16) +
      (destination & 0xffff) +
      protocol +
      lengthBytes,
  );
}
