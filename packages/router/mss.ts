/**
 * Lowering the MSS that a SYN offers, for paths whose routers don't say what is too large (RFC 2923
 * §2.1): an option of the router, as it changes what isn't its own.
 */

import { readU16be, writeU16be } from '#core';
import { TCP_HEADER_BYTES } from '#net/wire';
import { folded, type Packet } from './packet.ts';

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const MSS_BYTES = 4;

/** `packet` is a SYN. True when its MSS was larger than `mss`, which it has now. */
export function clampMss(packet: Packet, mss: number): boolean {
  const { frame, at, headerEnd, end } = packet;
  if (headerEnd > end) return false;
  for (let i = at + TCP_HEADER_BYTES; i + 1 < headerEnd; ) {
    const kind = frame[i]!;
    if (kind === OPTION_END) return false;
    const bytes = kind === OPTION_NOP ? 1 : frame[i + 1]!;
    if (kind === OPTION_MSS && bytes === MSS_BYTES && i + MSS_BYTES <= headerEnd) {
      return lower(packet, i + 2, mss);
    }
    if (bytes === 0) return false;
    i += bytes;
  }
  return false;
}

function lower(packet: Packet, mssAt: number, mss: number): boolean {
  const offered = readU16be(packet.frame, mssAt);
  if (offered <= mss) return false;
  // The frame is the device's: a copy is changed.
  packet.frame = packet.frame.slice(0, packet.end);
  writeU16be(packet.frame, mssAt, mss);
  const delta = folded(0xffff - offered + mss);
  // A value that begins at an odd offset is summed with its bytes the other way round.
  const isOdd = (mssAt - packet.at) % 2 !== 0;
  packet.adjustPayload(isOdd ? ((delta & 0xff) << 8) | (delta >> 8) : delta);
  return true;
}
