/**
 * The chain of IPv6 extension headers, where a packet may be cut short (in an ICMPv6 error, or a
 * first fragment): where it ends. Not here: what the headers ask for (ipv6-input.ts).
 */

import { IPV6_HEADER_BYTES, ipv6NextHeader } from '../wire/ipv6.ts';
import {
  checkExtension,
  extensionBytes,
  extensionNextHeader,
  FRAGMENT_HEADER_BYTES,
  fragmentOffset,
  HEADER_DESTINATION,
  HEADER_FRAGMENT,
  HEADER_HOP_BY_HOP,
  HEADER_ROUTING,
} from '../wire/ipv6-extensions.ts';
import { extensionHeadersMax } from './limits.ts';

export interface UpperHeader {
  readonly protocol: number;
  /** Where it begins, from the first byte of the IPv6 header. */
  readonly at: number;
}

/**
 * The first header that isn't an extension, of the packet that begins at b[0] and whose fixed
 * header is there; null when it isn't in `b`, or in another fragment.
 */
export function upperHeader(b: Uint8Array): UpperHeader | null {
  return chainEnd(b, ipv6NextHeader(b), IPV6_HEADER_BYTES);
}

/** As `upperHeader`, from the header of type `first` at `from` on. */
export function chainEnd(b: Uint8Array, first: number, from: number): UpperHeader | null {
  let protocol = first;
  let at = from;
  for (let count = 0; count <= extensionHeadersMax; count++) {
    if (at >= b.length) return null;
    const header = b.subarray(at);
    switch (protocol) {
      case HEADER_HOP_BY_HOP:
      case HEADER_DESTINATION:
      case HEADER_ROUTING:
        if (checkExtension(header) !== null) return null;
        protocol = extensionNextHeader(header);
        at += extensionBytes(header);
        break;
      case HEADER_FRAGMENT:
        if (header.length < FRAGMENT_HEADER_BYTES || fragmentOffset(header) !== 0) return null;
        protocol = extensionNextHeader(header);
        at += FRAGMENT_HEADER_BYTES;
        break;
      default:
        return { protocol, at };
    }
  }
  return null;
}
