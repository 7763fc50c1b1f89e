/**
 * A segment on the general path. A stack has one, filled anew for each segment that header
 * prediction refuses.
 */

import type { SeqNumber } from '#core';
import type { IpAddress } from '../ip.ts';
import { IPV4_ANY } from '../ip-address.ts';
import {
  clearTcpOptions,
  emptyTcpOptions,
  readTcpOptions,
  TCP_HEADER_BYTES,
  type TcpOptions,
} from '../wire/tcp.ts';
import type { TcpStack } from './stack.ts';

export interface Segment {
  source: IpAddress;
  destination: IpAddress;
  /** Source port in the high half, destination port in the low one. */
  ports: number;
  seq: SeqNumber;
  ack: SeqNumber;
  flags: number;
  /** The field, unscaled. */
  window: number;
  /** Borrowed from the device for the call; the payload shrinks as it is trimmed to the window. */
  frame: Uint8Array;
  payloadAt: number;
  payloadBytes: number;
  readonly options: TcpOptions;
}

export function emptySegment(): Segment {
  return {
    source: IPV4_ANY,
    destination: IPV4_ANY,
    ports: 0,
    seq: 0 as SeqNumber,
    ack: 0 as SeqNumber,
    flags: 0,
    window: 0,
    frame: new Uint8Array(0),
    payloadAt: 0,
    payloadBytes: 0,
    options: emptyTcpOptions(),
  };
}

/** Fills the stack's segment from the fixed header `h` and the options; false when malformed. */
export function readSegment(
  stack: TcpStack,
  h: Int32Array,
  frame: Uint8Array,
  at: number,
  end: number,
  source: IpAddress,
  destination: IpAddress,
): boolean {
  const s = stack.segment;
  const headerBytes = ((h[3]! >> 12) & 15) * 4;
  if (headerBytes < TCP_HEADER_BYTES || at + headerBytes > end) {
    stack.counts.malformed += 1;
    return false;
  }
  s.source = source;
  s.destination = destination;
  s.ports = h[0]!;
  s.seq = h[1]! as SeqNumber;
  s.ack = h[2]! as SeqNumber;
  s.flags = h[3]! & 0xff;
  s.window = h[4]!;
  s.frame = frame;
  s.payloadAt = at + headerBytes;
  s.payloadBytes = end - s.payloadAt;
  if (headerBytes === TCP_HEADER_BYTES) {
    clearTcpOptions(s.options);
    return true;
  }
  const fault = readTcpOptions(frame, at + TCP_HEADER_BYTES, s.payloadAt, s.options);
  if (fault !== null) stack.counts.badOptions += 1;
  return fault === null;
}
