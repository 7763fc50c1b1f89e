// tidy: int32
/**
 * Segments out: headers and payload written into the device's memory. Nothing here decides;
 * output.ts does. Each function returns false when the device has no room, and then nothing has
 * happened but that the stack will come back to the connection.
 */

import { assert, hot, type SeqNumber } from '#core';
import { PROTOCOL_TCP, type Route } from '../ip.ts';
import {
  TCP_ACK,
  TCP_HEADER_BYTES,
  TCP_HEADER_LAYOUT,
  TCP_SYN,
  TCP_TIMESTAMPS_LAYOUT,
  type TcpOptions,
  writeTcpOptions,
} from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import type { TcpStack } from './stack.ts';
import { TIMESTAMPS_HEADER_BYTES, timestampNow } from './timestamps.ts';
import { advertisedWindow } from './window.ts';

const NO_PARTS: readonly Uint8Array[] = [];
const PARTS_MAX = 16;

/** The part of a chunk in which the payload lies; no view when it is all of it. */
function slice(chunk: Uint8Array, from: number, to: number): Uint8Array {
  return from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
}

/**
 * Sends `length` bytes from the cursor, as sequence number `seq`, and moves the cursor behind them.
 * More than mss bytes only when the device cuts segments; then the payload is lent to it, not
 * copied.
 */
export function emitData(c: Connection, seq: number, length: number, flags: number): boolean {
  const { stack, route } = c;
  const ip = route.output;
  const frame = ip.begin();
  if (frame === null) {
    stack.stall(c);
    return false;
  }
  const at = route.transportAt;
  const headerBytes = c.headerBytes;
  const bytes = headerBytes + length;
  const h = stack.headerOut;
  h[0] = (c.portsIn << 16) | (c.portsIn >>> 16);
  h[1] = seq;
  h[2] = c.rcvNxt;
  h[3] = (headerBytes << 10) | flags;
  if (c.queue === null) {
    h[4] = c.windowBytes >> c.rcvShift;
    c.rcvEdge = ((c.rcvNxt + c.windowBytes) | 0) as SeqNumber;
  } else h[4] = advertisedWindow(c);
  let sum = c.pseudoSum + bytes;
  if (sum > 0xffff) sum -= 0xffff;
  let parts = NO_PARTS;
  const request = stack.checksumRequest;
  if (length > c.mss) {
    assert(request !== null);
    parts = takeParts(c, length);
    request.segmentBytes = c.mss;
    request.headerBytes = at + headerBytes;
  } else if (length > 0) sum = copyPayload(c, frame, at + headerBytes, length, sum);
  let layout = TCP_HEADER_LAYOUT;
  if (headerBytes !== TCP_HEADER_BYTES) {
    layout = TCP_TIMESTAMPS_LAYOUT;
    h[8] = timestampNow(c);
    h[9] = c.timestampRecent;
  }
  // As writeHeader, without the call.
  if (request === null) {
    h[5] = 0;
    hot.pack(layout, frame, at, h);
    sum = hot.checksum(frame, at, headerBytes, sum);
    frame[at + 16] = ~sum >> 8;
    frame[at + 17] = ~sum;
  } else {
    request.startAt = at;
    h[5] = sum;
    hot.pack(layout, frame, at, h);
  }
  const inFrame = parts === NO_PARTS ? bytes : headerBytes;
  ip.finish(route, stack.protocolOut, inFrame, parts, request);
  if (request !== null) request.segmentBytes = 0;
  stack.counts.segmentsOut += 1;
  c.ackSegments = 0;
  c.ackNow = false;
  return true;
}

/** `headerOut` to frame[at..at + headerBytes); `sum`: the pseudo-header's and the payload's. */
function writeHeader(
  stack: TcpStack,
  frame: Uint8Array,
  at: number,
  layout: string,
  headerBytes: number,
  sum: number,
): void {
  const h = stack.headerOut;
  const request = stack.checksumRequest;
  if (request !== null) {
    request.startAt = at;
    h[5] = sum;
    hot.pack(layout, frame, at, h);
    return;
  }
  h[5] = 0;
  hot.pack(layout, frame, at, h);
  const field = ~hot.checksum(frame, at, headerBytes, sum);
  frame[at + 16] = field >> 8;
  frame[at + 17] = field;
}

/**
 * Sends up to `count` full segments from the cursor, all within its chunk, from sequence number
 * `seq` on, and moves the cursor; returns how many left. Only where we sum ourselves. What
 * `emitData` does for each segment is done once for all of them, but for what differs.
 */
export function emitBurst(c: Connection, seq: number, count: number): number {
  const { stack, mss, route, headerBytes } = c;
  const head = stack.burstHead;
  const ip = route.output;
  const at = route.transportAt;
  const payloadAt = at + headerBytes;
  if (!ip.burst(route, headerBytes + mss, head)) return 0;
  const h = stack.headerOut;
  h[0] = (c.portsIn << 16) | (c.portsIn >>> 16);
  h[1] = 0;
  h[2] = c.rcvNxt;
  h[3] = (headerBytes << 10) | TCP_ACK;
  h[4] = advertisedWindow(c);
  h[5] = 0;
  let layout = TCP_HEADER_LAYOUT;
  if (headerBytes !== TCP_HEADER_BYTES) {
    layout = TCP_TIMESTAMPS_LAYOUT;
    h[8] = timestampNow(c);
    h[9] = c.timestampRecent;
  }
  hot.pack(layout, head, at, h);
  const common = hot.checksum(head, at, headerBytes, c.pseudoSum) + headerBytes + mss;
  const chunk = c.chunks[c.cursor]!;
  let from = c.cursorAt;
  let next = seq;
  let sent = 0;
  while (sent < count) {
    const frame = ip.begin();
    if (frame === null) {
      stack.stall(c);
      break;
    }
    hot.copy(frame, 0, head, 0, payloadAt);
    frame[at + 4] = next >> 24;
    frame[at + 5] = next >> 16;
    frame[at + 6] = next >> 8;
    frame[at + 7] = next;
    // Four 16-bit terms and a bit: two folds leave 16 bits.
    let sum = common + (next >>> 16) + (next & 0xffff);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~hot.copyChecksum(frame, payloadAt, chunk, from, mss, sum);
    frame[at + 16] = sum >> 8;
    frame[at + 17] = sum;
    ip.commitBurst(payloadAt + mss);
    next = (next + mss) | 0;
    from += mss;
    sent += 1;
  }
  c.cursorAt = from;
  if (sent > 0) {
    stack.counts.segmentsOut += sent;
    c.ackSegments = 0;
    c.ackNow = false;
  }
  return sent;
}

/**
 * Copies from the cursor on and moves it; returns `sum` with the payload added, when we sum
 * ourselves.
 */
function copyPayload(
  c: Connection,
  frame: Uint8Array,
  at: number,
  length: number,
  sum: number,
): number {
  const software = c.stack.checksumRequest === null;
  const chunk = c.chunks[c.cursor]!;
  const from = c.cursorAt;
  const to = from + length;
  if (to < chunk.length) {
    c.cursorAt = to;
    if (software) return hot.copyChecksum(frame, at, chunk, from, length, sum);
    hot.copy(frame, at, chunk, from, length);
    return sum;
  }
  let done = 0;
  while (done < length) {
    const source = c.chunks[c.cursor]!;
    const have = source.length - c.cursorAt;
    const count = Math.min(have, length - done);
    hot.copy(frame, at + done, source, c.cursorAt, count);
    done += count;
    if (count === have) {
      c.cursor += 1;
      c.cursorAt = 0;
    } else c.cursorAt += count;
  }
  // In one piece: chunks may be odd, and a sum can't go on after an odd part.
  return software ? hot.checksum(frame, at, length, sum) : sum;
}

/** Views of `length` bytes from the cursor on, at most PARTS_MAX of them, and moves it. */
function takeParts(c: Connection, length: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let left = length;
  while (left > 0) {
    const chunk = c.chunks[c.cursor]!;
    const have = chunk.length - c.cursorAt;
    const count = Math.min(have, left);
    parts.push(slice(chunk, c.cursorAt, c.cursorAt + count));
    left -= count;
    if (count === have) {
      c.cursor += 1;
      c.cursorAt = 0;
    } else c.cursorAt += count;
  }
  assert(parts.length <= PARTS_MAX);
  return parts;
}

/**
 * How many of `length` bytes from the cursor on fit one frame's parts: whole segments, at least
 * one.
 */
export function largeBytes(c: Connection, length: number): number {
  let bytes = -c.cursorAt;
  const end = c.cursor + PARTS_MAX;
  for (let i = c.cursor; i < end && i < c.chunks.length; i++) {
    bytes += c.chunks[i]!.length;
    if (bytes >= length) return length;
  }
  return bytes <= c.mss ? c.mss : bytes - (bytes % c.mss);
}

/** A segment without payload, perhaps with options. `window` is the field. */
export function emitBare(
  stack: TcpStack,
  route: Route,
  pseudoSum: number,
  ports: number,
  seq: number,
  ack: number,
  flags: number,
  window: number,
  options: TcpOptions | null,
): boolean {
  const ip = route.output;
  const frame = ip.begin();
  if (frame === null) return false;
  const at = route.transportAt;
  let bytes = TCP_HEADER_BYTES;
  if (options !== null) bytes += writeTcpOptions(frame, at + bytes, options);
  const h = stack.headerOut;
  h[0] = ports;
  h[1] = seq;
  h[2] = ack;
  h[3] = (bytes << 10) | flags;
  h[4] = window;
  let sum = pseudoSum + bytes;
  if (sum > 0xffff) sum -= 0xffff;
  writeHeader(stack, frame, at, TCP_HEADER_LAYOUT, bytes, sum);
  ip.finish(route, PROTOCOL_TCP, bytes, NO_PARTS, stack.checksumRequest);
  stack.counts.segmentsOut += 1;
  return true;
}

/** A connection's segment without payload that carries an acknowledgment and the window. */
export function emitControl(
  c: Connection,
  seq: number,
  flags: number,
  options: TcpOptions | null,
): boolean {
  if (options === null && c.headerBytes !== TCP_HEADER_BYTES) return emitStamped(c, seq, flags);
  const { stack, route, pseudoSum, portsIn } = c;
  const portsOut = (portsIn << 16) | (portsIn >>> 16);
  let window: number;
  if (flags & TCP_SYN) {
    // RFC 7323 §2.2: the window of a SYN is not scaled.
    window = Math.min(0xffff, c.windowBytes);
    c.rcvEdge = ((c.rcvNxt + window) | 0) as SeqNumber;
  } else window = advertisedWindow(c);
  const ack = flags & TCP_ACK ? c.rcvNxt : 0;
  if (!emitBare(stack, route, pseudoSum, portsOut, seq, ack, flags, window, options)) {
    stack.stall(c);
    return false;
  }
  c.ackSegments = 0;
  c.ackNow = false;
  return true;
}

/** As emitControl, with timestamps as the only option and written as quickly as a bare header. */
function emitStamped(c: Connection, seq: number, flags: number): boolean {
  const { stack, route } = c;
  const ip = route.output;
  const frame = ip.begin();
  if (frame === null) {
    stack.stall(c);
    return false;
  }
  const h = stack.headerOut;
  h[0] = (c.portsIn << 16) | (c.portsIn >>> 16);
  h[1] = seq;
  h[2] = c.rcvNxt;
  h[3] = (TIMESTAMPS_HEADER_BYTES << 10) | flags;
  h[4] = advertisedWindow(c);
  h[8] = timestampNow(c);
  h[9] = c.timestampRecent;
  let sum = c.pseudoSum + TIMESTAMPS_HEADER_BYTES;
  if (sum > 0xffff) sum -= 0xffff;
  const at = route.transportAt;
  writeHeader(stack, frame, at, TCP_TIMESTAMPS_LAYOUT, TIMESTAMPS_HEADER_BYTES, sum);
  ip.finish(route, PROTOCOL_TCP, TIMESTAMPS_HEADER_BYTES, NO_PARTS, stack.checksumRequest);
  stack.counts.segmentsOut += 1;
  c.ackSegments = 0;
  c.ackNow = false;
  return true;
}
