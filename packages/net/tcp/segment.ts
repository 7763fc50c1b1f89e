/**
 * A segment on the general path. A stack has one, filled anew for each segment that header
 * prediction refuses.
 */

import type { SeqNumber } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { emptyTcpOptions, type TcpOptions } from '../wire/tcp.ts';

export interface Segment {
  source: Ipv4Address;
  destination: Ipv4Address;
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
    source: 0 as Ipv4Address,
    destination: 0 as Ipv4Address,
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
