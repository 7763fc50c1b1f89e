/**
 * Datagrams to hosts that we stand in for (../foreign.ts), as flows between a peer's address and
 * port and a host's. A flow lives as long as something passes, either way; answers leave from the
 * host's address and port. Read first: udp.ts, RFC 4787 §4.3. Not here: who reaches the host
 * (packages/gateway).
 */

import { after, assert, type Duration, type Instant, since, Timer, type TimerQueue } from '#core';
import type { ForeignAddresses, ForeignErrors } from '../foreign.ts';
import type { IpAddress, IpRouter, Route } from '../ip.ts';
import { formatIpAddress } from '../ip-family.ts';
import {
  foreignDnsIdle,
  foreignExpiryInterval,
  foreignFlowEvictIdle,
  foreignFlowsMax,
  foreignFlowsPerPeerMax,
  foreignUdpIdle,
  icmpErrorBytesMax,
} from '../limits.ts';
import type { Udp } from './udp.ts';

const DNS_PORT = 53;

export interface ForeignUdpFlowHandler {
  /** A message from the peer to the host, borrowed for this call. */
  datagram(bytes: Uint8Array): void;
  /** The flow is over: idle, evicted, or closed by its owner. Nothing is called afterwards. */
  closed(): void;
}

export interface ForeignUdpHandler {
  /** The peer's first message to that host and port; null refuses it, and says nothing. */
  opening(flow: ForeignUdpFlow): ForeignUdpFlowHandler | null;
}

export class ForeignUdp {
  readonly counters = {
    foreignFlows: 0,
    foreignDatagramsIn: 0,
    foreignDatagramsOut: 0,
    foreignDatagramsNotSent: 0,
    foreignFlowsIdle: 0,
    foreignFlowsEvicted: 0,
    /** Dropped: no room for another flow, of all peers or of one; refused by the handler. */
    foreignFlowsFull: 0,
    foreignFlowsPeerFull: 0,
    foreignFlowsRefused: 0,
    foreignPortZero: 0,
  };
  private readonly udp: Udp;
  private readonly ip: IpRouter;
  private readonly timers: TimerQueue;
  private readonly addresses: ForeignAddresses;
  private readonly errors: ForeignErrors;
  private readonly handler: ForeignUdpHandler;
  private readonly flows = new Map<string, ForeignUdpFlow>();
  private readonly flowsOf = new Map<string, number>();
  private readonly timer = new Timer((now) => this.expire(now));
  private lastFlow: ForeignUdpFlow | null = null;

  /** Takes what `addresses` says from now on. */
  constructor(
    udp: Udp,
    ip: IpRouter,
    timers: TimerQueue,
    addresses: ForeignAddresses,
    errors: ForeignErrors,
    handler: ForeignUdpHandler,
  ) {
    this.udp = udp;
    this.ip = ip;
    this.timers = timers;
    this.addresses = addresses;
    this.errors = errors;
    this.handler = handler;
    assert(udp.foreign === null);
    udp.foreign = this;
  }

  get flowCount(): number {
    return this.flows.size;
  }

  takes(destination: IpAddress): boolean {
    return this.addresses.takes(destination);
  }

  /** A message in the packet frame[14..end); all is borrowed. */
  datagram(
    bytes: Uint8Array,
    source: IpAddress,
    sourcePort: number,
    destination: IpAddress,
    port: number,
    frame: Uint8Array,
    end: number,
  ): void {
    const flow = this.flowOf(source, sourcePort, destination, port, frame, end);
    if (flow === null) return;
    this.counters.foreignDatagramsIn += 1;
    flow.usedAt = this.timers.now;
    flow.handler?.datagram(bytes);
  }

  /** Ends all flows, and takes nothing more. */
  close(): void {
    for (const flow of [...this.flows.values()]) flow.close();
    this.timers.stop(this.timer);
    this.udp.foreign = null;
  }

  checkInvariants(): void {
    assert(this.flows.size <= foreignFlowsMax);
    let sum = 0;
    for (const count of this.flowsOf.values()) {
      assert(count > 0 && count <= foreignFlowsPerPeerMax);
      sum += count;
    }
    assert(sum === this.flows.size);
    for (const [key, flow] of this.flows) assert(flow.key === key && flow.isOpen);
  }

  /** Called by ForeignUdpFlow. */
  send(flow: ForeignUdpFlow, payload: Uint8Array): boolean {
    const { sourcePort, port } = flow;
    const route = flow.route ?? this.ip.route(flow.source, flow.destination);
    flow.route = route;
    const repr = { sourcePort: port, destinationPort: sourcePort, payload };
    if (route === null || !this.udp.sendOn(route, repr)) {
      this.counters.foreignDatagramsNotSent += 1;
      return false;
    }
    flow.usedAt = this.timers.now;
    this.counters.foreignDatagramsOut += 1;
    return true;
  }

  /** Called by ForeignUdpFlow. */
  portUnreachable(flow: ForeignUdpFlow): void {
    const { quote } = flow;
    this.errors(quote, quote.length, 'port');
  }

  /** Called by ForeignUdpFlow. */
  closed(flow: ForeignUdpFlow): void {
    this.flows.delete(flow.key);
    if (this.lastFlow === flow) this.lastFlow = null;
    const left = (this.flowsOf.get(flow.peer) ?? 0) - 1;
    if (left > 0) this.flowsOf.set(flow.peer, left);
    else this.flowsOf.delete(flow.peer);
    flow.handler?.closed();
  }

  private flowOf(
    source: IpAddress,
    sourcePort: number,
    destination: IpAddress,
    port: number,
    frame: Uint8Array,
    end: number,
  ): ForeignUdpFlow | null {
    const last = this.lastFlow;
    if (
      last !== null &&
      last.source === source &&
      last.sourcePort === sourcePort &&
      last.destination === destination &&
      last.port === port
    ) {
      return last;
    }
    const peer = formatIpAddress(source);
    const key = `${peer} ${sourcePort} ${formatIpAddress(destination)} ${port}`;
    let flow = this.flows.get(key) ?? null;
    if (flow === null) {
      if (port === 0 || sourcePort === 0) {
        this.counters.foreignPortZero += 1;
        return null;
      }
      const quote = frame.slice(0, Math.min(end, icmpErrorBytesMax));
      flow = new ForeignUdpFlow(this, source, sourcePort, destination, port, key, peer, quote);
      if (!this.open(flow)) return null;
    }
    this.lastFlow = flow;
    return flow;
  }

  private open(flow: ForeignUdpFlow): boolean {
    const { counters, flowsOf } = this;
    const ofPeer = flowsOf.get(flow.peer) ?? 0;
    if (ofPeer >= foreignFlowsPerPeerMax && !this.evict(flow.peer)) {
      counters.foreignFlowsPeerFull += 1;
      return false;
    }
    if (this.flows.size >= foreignFlowsMax && !this.evict(null)) {
      counters.foreignFlowsFull += 1;
      return false;
    }
    const { now } = this.timers;
    flow.usedAt = now;
    const handler = this.handler.opening(flow);
    if (handler === null) {
      counters.foreignFlowsRefused += 1;
      return false;
    }
    flow.handler = handler;
    flow.isOpen = true;
    counters.foreignFlows += 1;
    this.flows.set(flow.key, flow);
    flowsOf.set(flow.peer, (flowsOf.get(flow.peer) ?? 0) + 1);
    const idleAt = after(now, idleOf(flow));
    if (idleAt < this.timer.at) this.timers.arm(this.timer, idleAt);
    return true;
  }

  /** Closes the flow that was used longest ago, of a peer or of all, if it is long; O(flows). */
  private evict(peer: string | null): boolean {
    let oldest: ForeignUdpFlow | null = null;
    for (const flow of this.flows.values()) {
      if (peer !== null && flow.peer !== peer) continue;
      if (oldest === null || flow.usedAt < oldest.usedAt) oldest = flow;
    }
    if (oldest === null || since(oldest.usedAt, this.timers.now) < foreignFlowEvictIdle) {
      return false;
    }
    this.counters.foreignFlowsEvicted += 1;
    oldest.close();
    return true;
  }

  /** Closes all that is idle; O(flows), at most as often as flows can become so. */
  private expire(now: Instant): void {
    let next = Number.POSITIVE_INFINITY as Instant;
    for (const flow of [...this.flows.values()]) {
      const idleAt = after(flow.usedAt, idleOf(flow));
      if (idleAt > now) {
        if (idleAt < next) next = idleAt;
        continue;
      }
      this.counters.foreignFlowsIdle += 1;
      flow.close();
    }
    // Flows that were used since are looked at together.
    const soonest = after(now, foreignExpiryInterval);
    this.timers.arm(this.timer, next < soonest ? soonest : next);
  }
}

/** RFC 4787 REQ-5: at least two minutes, but for ports whose use is known. */
const idleOf = (flow: ForeignUdpFlow): Duration =>
  flow.port === DNS_PORT ? foreignDnsIdle : foreignUdpIdle;

/** A flow of datagrams: from a peer to a host that we stand in for, and back. */
export class ForeignUdpFlow {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly port: number;
  readonly key: string;
  readonly peer: string;
  /** The packet that began it, as far as an error quotes it. */
  readonly quote: Uint8Array;
  usedAt: Instant = 0 as Instant;
  route: Route | null = null;
  handler: ForeignUdpFlowHandler | null = null;
  isOpen = false;
  private readonly owner: ForeignUdp;

  constructor(
    owner: ForeignUdp,
    source: IpAddress,
    sourcePort: number,
    destination: IpAddress,
    port: number,
    key: string,
    peer: string,
    quote: Uint8Array,
  ) {
    this.owner = owner;
    this.source = source;
    this.sourcePort = sourcePort;
    this.destination = destination;
    this.port = port;
    this.key = key;
    this.peer = peer;
    this.quote = quote;
  }

  /** Sends the peer a message from the host, copied before return; false when it was dropped. */
  send(bytes: Uint8Array): boolean {
    return this.isOpen && this.owner.send(this, bytes);
  }

  /** Tells the peer that nobody listens there (ICMP). */
  unreachable(): void {
    if (this.isOpen) this.owner.portUnreachable(this);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.owner.closed(this);
  }
}
