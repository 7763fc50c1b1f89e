/** UDP header, RFC 768. Not here: ports and queues (udp/). Read first: RFC 1122 §4.1. */

import { assert, hot, ok, type Result, readU16be, type WireFault, writeU16be } from '#core';
import type { ChecksumPolicy } from './checksum.ts';

const at = { sourcePort: 0, destinationPort: 2, lengthBytes: 4, checksum: 6 } as const;
export const UDP_HEADER_BYTES = 8;

/**
 * Null when every getter below is safe on `b`. Borrows `b`; O(1). Bytes past the length field are
 * ignored.
 */
export function checkUdp(b: Uint8Array): WireFault | null {
  if (b.length < UDP_HEADER_BYTES) {
    return { kind: 'short', needBytes: UDP_HEADER_BYTES, haveBytes: b.length };
  }
  const lengthBytes = readU16be(b, at.lengthBytes); // Counts the header too, RFC 768.
  if (lengthBytes < UDP_HEADER_BYTES) {
    return { kind: 'field', offset: at.lengthBytes, value: lengthBytes };
  }
  return lengthBytes <= b.length
    ? null
    : { kind: 'short', needBytes: lengthBytes, haveBytes: b.length };
}

export const udpSourcePort = (b: Uint8Array): number => readU16be(b, at.sourcePort);
export const udpDestinationPort = (b: Uint8Array): number => readU16be(b, at.destinationPort);
export const udpLengthBytes = (b: Uint8Array): number => readU16be(b, at.lengthBytes);
export const udpChecksum = (b: Uint8Array): number => readU16be(b, at.checksum);

/** Ports are 0..65535; `payload` is a view of the parsed bytes. */
export interface UdpRepr {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/**
 * `policy`: the pseudo-header's sum over the length in the UDP header, or 'trusted'. A checksum
 * field of zero means that the sender computed none, and is accepted (RFC 768, RFC 1122 §4.1.3.4).
 */
export function parseUdp(b: Uint8Array, policy: ChecksumPolicy): Result<UdpRepr, WireFault> {
  const fault = checkUdp(b);
  if (fault !== null) return { ok: false, error: fault };
  const lengthBytes = udpLengthBytes(b);
  if (policy !== 'trusted' && udpChecksum(b) !== 0) {
    if (hot.checksum(b, 0, lengthBytes, policy) !== 0xffff) {
      return { ok: false, error: { kind: 'checksum', offset: at.checksum } };
    }
  }
  return ok({
    sourcePort: udpSourcePort(b),
    destinationPort: udpDestinationPort(b),
    payload: b.subarray(UDP_HEADER_BYTES, lengthBytes),
  });
}

/**
 * Writes header and payload at `offset`, with the checksum from the pseudo-header's sum; returns
 * the length.
 */
export function emitUdp(to: Uint8Array, offset: number, repr: UdpRepr, pseudoSum: number): number {
  const lengthBytes = UDP_HEADER_BYTES + repr.payload.length;
  assert(lengthBytes <= 65_535);
  writeU16be(to, offset + at.sourcePort, repr.sourcePort);
  writeU16be(to, offset + at.destinationPort, repr.destinationPort);
  writeU16be(to, offset + at.lengthBytes, lengthBytes);
  writeU16be(to, offset + at.checksum, 0);
  const headerSum = hot.checksum(to, offset, UDP_HEADER_BYTES, pseudoSum);
  const sum = hot.copyChecksum(
    to,
    offset + UDP_HEADER_BYTES,
    repr.payload,
    0,
    repr.payload.length,
    headerSum,
  );
  // A computed zero is sent as all ones: zero says "no checksum" (RFC 768).
  writeU16be(to, offset + at.checksum, sum === 0xffff ? 0xffff : 0xffff - sum);
  return lengthBytes;
}

export function formatUdp(repr: UdpRepr): string {
  return `udp ${repr.sourcePort} > ${repr.destinationPort}, ${repr.payload.length} bytes`;
}
