/**
 * virtio_net_hdr (virtio 1.2 §5.1.6): what stands before each frame of a network device or of a tap
 * device, and what it says of one that was received.
 */

import type { ChecksumRequest } from '#device';

/** Flags: NEEDS_CSUM and DATA_VALID; either way the sum needs no checking. */
export const HEADER_CHECKSUM_GOOD_MASK = 3;
export const HEADER_NEEDS_CHECKSUM_BIT = 1;
/** Flags and kind of segments in one word: TCP over each. */
export const HEADER_GSO_TCPV4 = 1 << 8;
export const HEADER_GSO_TCPV6 = 4 << 8;

/** What the device left to do, in one record that is used again. */
export class ReceivedRequest implements ChecksumRequest {
  startAt = 0;
  fieldAt = 0;
  segmentBytes = 0;
  headerBytes = 0;

  /** Of the header at `words[at]`, little-endian; null when nothing was left. */
  read(words: Uint16Array, at: number): Readonly<ChecksumRequest> | null {
    const isPartial = (words[at]! & HEADER_NEEDS_CHECKSUM_BIT) !== 0;
    this.headerBytes = words[at + 1]!;
    this.segmentBytes = words[at + 2]!;
    this.startAt = isPartial ? words[at + 3]! : 0;
    this.fieldAt = words[at + 4]!;
    return isPartial || this.segmentBytes !== 0 ? this : null;
  }
}
