/**
 * TCP as somebody sees it who looks: plain data, made at each look, so that connections keep
 * nothing for it. Not here: IP and below (../inspect.ts).
 */

import { type SeqNumber, seqDistance, toU32 } from '#core';
import type { ConnectionSnapshot, InspectRequest, StackSnapshot } from '#device';
import { formatIpAddress } from '../ip-family.ts';
import type { Connection } from './connection.ts';
import { CONNECTION_BYTES } from './limits.ts';
import type { TcpStack } from './stack.ts';
import { STATE_NAMES } from './state.ts';

/** O(connectionsFrom + connectionsMax). */
export function inspectTcp(
  tcp: TcpStack,
  { connectionsFrom, connectionsMax }: InspectRequest,
): Pick<StackSnapshot, 'listeners' | 'connections'> {
  const list: ConnectionSnapshot[] = [];
  const end = connectionsFrom + connectionsMax;
  let at = 0;
  // As connectionsOf, without a generator's cost for each that is passed over.
  for (const first of tcp.table.values()) {
    if (at >= end) break;
    for (let c: Connection | undefined = first; c !== undefined && at < end; c = c.chain) {
      if (at >= connectionsFrom) list.push(inspectConnection(c));
      at += 1;
    }
  }
  const { connections: count, timeWait } = tcp.counters();
  return {
    listeners: [...tcp.listeners.keys()],
    connections: { count: count!, halfOpen: tcp.halfOpen.size, timeWait: timeWait!, list },
  };
}

function inspectConnection(c: Connection): ConnectionSnapshot {
  const { portsIn, queue } = c;
  return {
    local: endpoint(formatIpAddress(c.localAddress), portsIn & 0xffff),
    remote: endpoint(formatIpAddress(c.remoteAddress), portsIn >>> 16),
    state: STATE_NAMES[c.state],
    rttMicros: Math.round(c.srtt),
    rttVarianceMicros: Math.round(c.rttvar),
    rtoMicros: Math.round(c.rto),
    congestionWindowBytes: c.cwnd,
    slowStartThresholdBytes: Number.isFinite(c.ssthresh) ? c.ssthresh : null,
    sendWindowBytes: c.sndWnd,
    receiveWindowBytes: Math.max(0, seqDistance(c.rcvEdge, c.rcvNxt)),
    segmentBytes: c.mss,
    inFlightBytes: seqDistance(c.sndMax, c.sndUna) - c.heldBytes,
    retransmitted: c.loss?.resent ?? 0,
    timeouts: c.retries,
    sentPosition: position(c.sndUna, c.heldBytes),
    receivedPosition: position(c.rcvNxt, 0),
    sendQueueBytes: c.queuedBytes - c.heldBytes,
    receiveQueueBytes: queue?.readyBytes ?? 0,
    memoryBytes: CONNECTION_BYTES + c.chargedBytes + (queue?.memoryBytes ?? 0),
  };
}

const position = (seq: SeqNumber, more: number): number => toU32(seq + more);

const endpoint = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
