/**
 * The internet checksum (RFC 1071) as transports use it: the pseudo-header, and whether to verify.
 */

import type { IpAddress } from '../ip.ts';

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
 * Folded sum of the pseudo-header (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1) for `lengthBytes` of
 * header and payload. Both addresses are of one family.
 */
export function pseudoHeaderSum(
  source: IpAddress,
  destination: IpAddress,
  protocol: number,
  lengthBytes: number,
): number {
  return foldChecksum(addressSum(source) + addressSum(destination) + protocol + lengthBytes);
}

/** Sum of an address's 16-bit words, below 2^19. */
function addressSum(a: IpAddress): number {
  if (typeof a === 'number') return (a >>> 16) + (a & 0xffff);
  const { w0, w1, w2, w3 } = a;
  return (
    (w0 >>> 16) +
    (w0 & 0xffff) +
    (w1 >>> 16) +
    (w1 & 0xffff) +
    (w2 >>> 16) +
    (w2 & 0xffff) +
    (w3 >>> 16) +
    (w3 & 0xffff)
  );
}
