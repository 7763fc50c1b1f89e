/**
 * TCP header and options: RFC 9293 §3.1, RFC 7323 (window scale, timestamps), RFC 2018 (SACK).
 * Not here: what they mean (tcp/). The data path reads and writes the fixed header with
 * `TCP_HEADER_LAYOUT` in one call; the getters and TcpRepr are for everything else.
 */

import {
  assert,
  hot,
  ok,
  type Result,
  readI32be,
  readU16be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import type { ChecksumPolicy } from './checksum.ts';

const at = {
  sourcePort: 0,
  destinationPort: 2,
  seq: 4,
  ack: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgent: 18,
} as const;

export const TCP_HEADER_BYTES = 20;
export const TCP_HEADER_BYTES_MAX = 60;
export const TCP_CHECKSUM_AT = at.checksum;

/**
 * Ports (one word), seq, ack, data offset and flags (one word), window, checksum, urgent pointer.
 */
export const TCP_HEADER_LAYOUT = 'wwwhhhh';
/** The first five of TCP_HEADER_LAYOUT: what a receiver needs. */
export const TCP_RECEIVE_LAYOUT = 'wwwhh';
/**
 * A header whose only option is the timestamps, as RFC 7323 appendix A lays them out: after
 * TCP_HEADER_LAYOUT the word TCP_TIMESTAMPS_WORD, TSval, TSecr.
 */
export const TCP_TIMESTAMPS_LAYOUT = 'wwwhhhhwww';
export const TCP_TIMESTAMPS_BYTES = 12;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_ECE = 0x40;
export const TCP_CWR = 0x80;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_SACK = 5;
const OPTION_TIMESTAMPS = 8;

/** Two NOPs, kind and length, as appendix A of RFC 7323 recommends. */
export const TCP_TIMESTAMPS_WORD = 0x01010000 | (OPTION_TIMESTAMPS << 8) | 10;
/** RFC 7323 §2.3: a larger shift is used as 14. */
export const WINDOW_SHIFT_MAX = 14;
export const SACK_BLOCKS_MAX = 4;

/** Options as read and written: one record is used again and again, so it is mutable. */
export interface TcpOptions {
  /** 0 when absent. */
  mss: number;
  /** -1 when absent. */
  windowShift: number;
  sackPermitted: boolean;
  hasTimestamps: boolean;
  timestamp: number;
  timestampEcho: number;
  /** Blocks in `sack`: left edge, right edge, as int32; at most SACK_BLOCKS_MAX. */
  sackCount: number;
  readonly sack: Int32Array;
}

export function emptyTcpOptions(): TcpOptions {
  return {
    mss: 0,
    windowShift: -1,
    sackPermitted: false,
    hasTimestamps: false,
    timestamp: 0,
    timestampEcho: 0,
    sackCount: 0,
    sack: new Int32Array(2 * SACK_BLOCKS_MAX),
  };
}

export function clearTcpOptions(options: TcpOptions): void {
  options.mss = 0;
  options.windowShift = -1;
  options.sackPermitted = false;
  options.hasTimestamps = false;
  options.sackCount = 0;
}

/** Null when the fixed header and the data offset lie inside `b`. Borrows `b`; O(1). */
export function checkTcp(b: Uint8Array): WireFault | null {
  if (b.length < TCP_HEADER_BYTES) {
    return { kind: 'short', needBytes: TCP_HEADER_BYTES, haveBytes: b.length };
  }
  const headerBytes = tcpHeaderBytes(b);
  if (headerBytes < TCP_HEADER_BYTES) {
    return { kind: 'field', offset: at.dataOffset, value: headerBytes };
  }
  return headerBytes <= b.length
    ? null
    : { kind: 'short', needBytes: headerBytes, haveBytes: b.length };
}

export const tcpSourcePort = (b: Uint8Array): number => readU16be(b, at.sourcePort);
export const tcpDestinationPort = (b: Uint8Array): number => readU16be(b, at.destinationPort);
export const tcpSeq = (b: Uint8Array): number => readI32be(b, at.seq);
export const tcpAck = (b: Uint8Array): number => readI32be(b, at.ack);
export const tcpHeaderBytes = (b: Uint8Array): number => (b[at.dataOffset]! >> 4) * 4;
export const tcpFlags = (b: Uint8Array): number => b[at.flags]!;
export const tcpWindow = (b: Uint8Array): number => readU16be(b, at.window);
export const tcpChecksum = (b: Uint8Array): number => readU16be(b, at.checksum);
export const tcpUrgent = (b: Uint8Array): number => readU16be(b, at.urgent);

/**
 * Reads the options in b[from..end) into `out`, which it clears first. Unknown options and known
 * ones in a wrong place are skipped (RFC 9293 §3.1, MUST-6); the fault is a length that doesn't
 * fit. The first of a kind counts.
 */
export function readTcpOptions(
  b: Uint8Array,
  from: number,
  end: number,
  out: TcpOptions,
): WireFault | null {
  clearTcpOptions(out);
  let i = from;
  while (i < end) {
    const kind = b[i]!;
    if (kind === OPTION_END) return null;
    if (kind === OPTION_NOP) {
      i += 1;
      continue;
    }
    if (i + 1 >= end) return { kind: 'short', needBytes: 2, haveBytes: end - i };
    const bytes = b[i + 1]!;
    if (bytes < 2) return { kind: 'field', offset: i + 1, value: bytes };
    if (i + bytes > end) return { kind: 'short', needBytes: bytes, haveBytes: end - i };
    if (!readTcpOption(b, i, kind, bytes, out)) {
      return { kind: 'field', offset: i + 1, value: bytes };
    }
    i += bytes;
  }
  return null;
}

/**
 * One option of `bytes` bytes, which lie inside `b`; false when a known option has a wrong length.
 */
function readTcpOption(
  b: Uint8Array,
  i: number,
  kind: number,
  bytes: number,
  out: TcpOptions,
): boolean {
  switch (kind) {
    case OPTION_MSS:
      if (bytes !== 4) return false;
      if (out.mss === 0) out.mss = readU16be(b, i + 2);
      return true;
    case OPTION_WINDOW_SCALE:
      if (bytes !== 3) return false;
      if (out.windowShift < 0) out.windowShift = Math.min(b[i + 2]!, WINDOW_SHIFT_MAX);
      return true;
    case OPTION_SACK_PERMITTED:
      out.sackPermitted = bytes === 2;
      return bytes === 2;
    case OPTION_SACK:
      if ((bytes - 2) % 8 !== 0) return false;
      for (let block = i + 2; block < i + bytes && out.sackCount < SACK_BLOCKS_MAX; block += 8) {
        out.sack[2 * out.sackCount] = readI32be(b, block);
        out.sack[2 * out.sackCount + 1] = readI32be(b, block + 4);
        out.sackCount += 1;
      }
      return true;
    case OPTION_TIMESTAMPS:
      if (bytes !== 10) return false;
      if (!out.hasTimestamps) {
        out.hasTimestamps = true;
        out.timestamp = readI32be(b, i + 2);
        out.timestampEcho = readI32be(b, i + 6);
      }
      return true;
    default:
      return true;
  }
}

/**
 * Writes `options` from `offset`, padded with NOPs to whole words, at most 40 bytes; returns the
 * bytes.
 */
export function writeTcpOptions(b: Uint8Array, offset: number, options: TcpOptions): number {
  let i = offset;
  if (options.mss !== 0) {
    writeU16be(b, i, (OPTION_MSS << 8) | 4);
    writeU16be(b, i + 2, options.mss);
    i += 4;
  }
  if (options.windowShift >= 0) {
    writeU16be(b, i, (OPTION_NOP << 8) | OPTION_WINDOW_SCALE);
    writeU16be(b, i + 2, (3 << 8) | options.windowShift);
    i += 4;
  }
  if (options.sackPermitted) {
    writeU32be(b, i, 0x01010000 | (OPTION_SACK_PERMITTED << 8) | 2);
    i += 4;
  }
  if (options.hasTimestamps) {
    writeU32be(b, i, TCP_TIMESTAMPS_WORD);
    writeU32be(b, i + 4, options.timestamp);
    writeU32be(b, i + 8, options.timestampEcho);
    i += 12;
  }
  if (options.sackCount > 0) {
    writeU32be(b, i, 0x01010000 | (OPTION_SACK << 8) | (2 + 8 * options.sackCount));
    i += 4;
    for (let edge = 0; edge < 2 * options.sackCount; edge++, i += 4) {
      writeU32be(b, i, options.sack[edge]!);
    }
  }
  assert(i - offset <= TCP_HEADER_BYTES_MAX - TCP_HEADER_BYTES, 'options are too long');
  return i - offset;
}

/** `seq` and `ack` are int32; `payload` is a view of the parsed bytes. */
export interface TcpRepr {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** The field, unscaled. */
  readonly window: number;
  readonly urgent: number;
  readonly options: TcpOptions;
  readonly payload: Uint8Array;
}

/** `policy`: the pseudo-header's sum over all of `b`, or 'trusted'. */
export function parseTcp(b: Uint8Array, policy: ChecksumPolicy): Result<TcpRepr, WireFault> {
  const fault = checkTcp(b);
  if (fault !== null) return { ok: false, error: fault };
  if (policy !== 'trusted' && hot.checksum(b, 0, b.length, policy) !== 0xffff) {
    return { ok: false, error: { kind: 'checksum', offset: at.checksum } };
  }
  const headerBytes = tcpHeaderBytes(b);
  const options = emptyTcpOptions();
  const bad = readTcpOptions(b, TCP_HEADER_BYTES, headerBytes, options);
  if (bad !== null) return { ok: false, error: bad };
  return ok({
    sourcePort: tcpSourcePort(b),
    destinationPort: tcpDestinationPort(b),
    seq: tcpSeq(b),
    ack: tcpAck(b),
    flags: tcpFlags(b),
    window: tcpWindow(b),
    urgent: tcpUrgent(b),
    options,
    payload: b.subarray(headerBytes),
  });
}

/**
 * Writes header, options and payload at `offset`, with the checksum from the pseudo-header's sum
 * (which counts the length written); returns the length.
 */
export function emitTcp(to: Uint8Array, offset: number, repr: TcpRepr, pseudoSum: number): number {
  const optionBytes = writeTcpOptions(to, offset + TCP_HEADER_BYTES, repr.options);
  const headerBytes = TCP_HEADER_BYTES + optionBytes;
  writeU16be(to, offset + at.sourcePort, repr.sourcePort);
  writeU16be(to, offset + at.destinationPort, repr.destinationPort);
  writeU32be(to, offset + at.seq, repr.seq);
  writeU32be(to, offset + at.ack, repr.ack);
  to[offset + at.dataOffset] = (headerBytes / 4) << 4;
  to[offset + at.flags] = repr.flags;
  writeU16be(to, offset + at.window, repr.window);
  writeU16be(to, offset + at.checksum, 0);
  writeU16be(to, offset + at.urgent, repr.urgent);
  hot.copy(to, offset + headerBytes, repr.payload, 0, repr.payload.length);
  const bytes = headerBytes + repr.payload.length;
  writeU16be(to, offset + at.checksum, 0xffff - hot.checksum(to, offset, bytes, pseudoSum));
  return bytes;
}

const FLAG_NAMES = ['F', 'S', 'R', 'P', '.', 'U'] as const;

/** As tcpdump prints it: flags by letter, `.` for ACK. */
export function formatTcp(repr: TcpRepr): string {
  const flags = FLAG_NAMES.filter((_, bit) => (repr.flags >> bit) & 1).join('');
  const { sourcePort, destinationPort, seq, ack, window, payload } = repr;
  return (
    `tcp ${sourcePort} > ${destinationPort} [${flags}] seq ${seq} ack ${ack} ` +
    `win ${window}, ${payload.length} bytes`
  );
}
