/**
 * Capture files for Wireshark and tcpdump: a head, then a record for each frame (libpcap's
 * pcap-savefile(5): little-endian, microseconds, LINKTYPE_ETHERNET). Not here: reading them.
 */

import { writeU16le, writeU32le } from '#core';

export const PCAP_HEAD_BYTES = 24;
export const PCAP_RECORD_BYTES = 16;
/** No frame is longer, so none is cut. */
const PCAP_FRAME_BYTES_MAX = 262_144;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const LINKTYPE_ETHERNET = 1;

/** What a capture file begins with; at most `snapBytes` of each frame are in it. */
export function pcapHead(snapBytes: number = PCAP_FRAME_BYTES_MAX): Uint8Array {
  const head = new Uint8Array(PCAP_HEAD_BYTES);
  writeU32le(head, 0, MAGIC_MICROSECONDS);
  writeU16le(head, 4, 2);
  writeU16le(head, 6, 4);
  writeU32le(head, 16, snapBytes);
  writeU32le(head, 20, LINKTYPE_ETHERNET);
  return head;
}

/**
 * Writes what stands before a frame of `frameBytes` at `at` of `to`, PCAP_RECORD_BYTES of it;
 * `keptBytes` of the frame follow. `micros` is since 1970, or since any other moment.
 */
export function emitPcapRecord(
  to: Uint8Array,
  at: number,
  micros: number,
  frameBytes: number,
  keptBytes: number = frameBytes,
): void {
  writeU32le(to, at, Math.floor(micros / 1_000_000));
  writeU32le(to, at + 4, micros % 1_000_000);
  writeU32le(to, at + 8, keptBytes);
  writeU32le(to, at + 12, frameBytes);
}
