// tidy: int32
/** RSTs in answer to segments of no connection: RFC 9293 §3.10.7.1, so many a second. */

import { PROTOCOL_TCP } from '../ip.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import { emitBare } from './emit.ts';
import { JitteredRate } from './jittered-rate.ts';
import type { Segment } from './segment.ts';
import type { TcpStack } from './stack.ts';

export class StrayResets {
  private readonly stack: TcpStack;
  private readonly rate: JitteredRate;

  constructor(stack: TcpStack) {
    this.stack = stack;
    this.rate = new JitteredRate(stack.limits.strayResetsPerSecondMax, stack.entropy);
  }

  reset(s: Segment): void {
    if (s.flags & TCP_RST) return;
    const { counts, ip, timers } = this.stack;
    if (!this.rate.take(timers.now)) {
      counts.strayResetsHeld += 1;
      return;
    }
    const route = ip.route(s.source, s.destination);
    if (route === null) return;
    counts.strayResets += 1;
    const sum = pseudoHeaderSum(s.destination, s.source, PROTOCOL_TCP, 0);
    const ports = (s.ports << 16) | (s.ports >>> 16);
    if (s.flags & TCP_ACK) {
      emitBare(this.stack, route, sum, ports, s.ack, 0, TCP_RST, 0, null);
      return;
    }
    const length = s.payloadBytes + (s.flags & TCP_SYN ? 1 : 0) + (s.flags & TCP_FIN ? 1 : 0);
    const ack = (s.seq + length) | 0;
    emitBare(this.stack, route, sum, ports, 0, ack, TCP_RST | TCP_ACK, 0, null);
  }
}
