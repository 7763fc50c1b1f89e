// tidy: int32
/**
 * What the firewall knows: flows, an inside and a remote endpoint each, with what TCP's flags tell
 * (RFC 6092 §3). Bounded as translation's sessions are (session-lists.ts); a host is a station of
 * the inside, as one may have any number of addresses. Not here: who may begin one (router6.ts).
 */

import {
  after,
  assert,
  type Duration,
  type Instant,
  readI32be,
  Timer,
  type TimerQueue,
} from '#core';
import { type ForwardingHop, type Ipv6Address, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import { PROTOCOL_ICMPV6 } from '#net/wire';
import { icmpTimeout, tcpEstablishedTimeout, tcpTransitoryTimeout, udpTimeout } from '../limits.ts';
import {
  changesNothing,
  type Handshake,
  isEstablished,
  proven,
  tcpStep,
  UNPROVEN,
} from '../nat/tcp-state.ts';
import { HostSessions, type Listed, SessionLists } from '../session-lists.ts';
import type { Packet6 } from './packet6.ts';

/** Odd; the addresses' keys are secret already. */
const REMOTE_FACTOR = 0x9e3779b1;
const PORTS_FACTOR = 0x85ebca77;
/** In TCP's header. */
const SEQ_AT = 4;
const ACK_AT = 8;

/** A station of the inside; 0 stands for those whom nobody has heard yet. */
class Station extends HostSessions<Flow> {
  readonly number: number;

  constructor(number: number) {
    super();
    this.number = number;
  }
}

export class Flow implements Listed, Handshake {
  readonly inside: Ipv6Address;
  readonly remote: Ipv6Address;
  readonly protocol: number;
  /** Of echo: the identifier, and 0; of other protocols without ports: 0 both. */
  readonly insidePort: number;
  readonly remotePort: number;
  readonly host: Station;
  /** Of the table; and the next one with the same. */
  readonly key: number;
  next: Flow | null = null;
  hopOut: ForwardingHop<Ipv6Address> | null = null;
  hopIn: ForwardingHop<Ipv6Address> | null = null;
  state = 0;
  synSeq: number | null = null;
  isEstablished = false;
  usedAt: Instant;
  listedAt: Instant;
  readonly timer: Timer;

  constructor(
    ends: FlowEnds,
    key: number,
    host: Station,
    now: Instant,
    expire: (flow: Flow, now: Instant) => void,
  ) {
    this.inside = ends.inside;
    this.remote = ends.remote;
    this.protocol = ends.protocol;
    this.insidePort = ends.insidePort;
    this.remotePort = ends.remotePort;
    this.key = key;
    this.host = host;
    this.usedAt = now;
    this.listedAt = now;
    this.timer = new Timer((at) => expire(this, at));
  }
}

export interface FlowEnds {
  readonly inside: Ipv6Address;
  readonly remote: Ipv6Address;
  readonly protocol: number;
  readonly insidePort: number;
  readonly remotePort: number;
}

export class Flows {
  readonly counters = { flowsCreated: 0, flowsExpired: 0 };
  private readonly timers: TimerQueue;
  private readonly lists: SessionLists<Flow>;
  private readonly flows = new Map<number, Flow>();
  /** By station, as a number of 48 bits. */
  private readonly hosts = new Map<number, Station>();
  private readonly expire = (flow: Flow, now: Instant): void => this.expired(flow, now);

  constructor(timers: TimerQueue, flowsMax: number) {
    this.timers = timers;
    this.lists = new SessionLists(flowsMax, (flow) => this.remove(flow));
  }

  get size(): number {
    return this.lists.size;
  }

  find(
    inside: Ipv6Address,
    remote: Ipv6Address,
    protocol: number,
    insidePort: number,
    remotePort: number,
  ): Flow | null {
    const key = keyOf(inside, remote, insidePort, remotePort);
    let flow: Flow | null | undefined = this.flows.get(key);
    for (; flow !== undefined && flow !== null; flow = flow.next) {
      if (
        flow.insidePort === insidePort &&
        flow.remotePort === remotePort &&
        flow.protocol === protocol &&
        flow.inside.equals(inside) &&
        flow.remote.equals(remote)
      ) {
        return flow;
      }
    }
    return null;
  }

  /** `station`: of the inside host, 0 when it isn't known. Null, and counted: no room. */
  open(ends: FlowEnds, station: number): Flow | null {
    const known = this.hosts.get(station);
    const host = known ?? new Station(station);
    if (!this.lists.makeRoom(host)) return null;
    this.hosts.set(station, host);
    const { now } = this.timers;
    const { inside, remote, insidePort, remotePort } = ends;
    const key = keyOf(inside, remote, insidePort, remotePort);
    const flow = new Flow(ends, key, host, now, this.expire);
    flow.next = this.flows.get(key) ?? null;
    this.flows.set(key, flow);
    this.lists.add(flow, host);
    this.counters.flowsCreated += 1;
    this.timers.arm(flow.timer, after(now, timeoutOf(flow)));
    return flow;
  }

  /** A packet of `flow`, from inside or from outside. */
  passes(flow: Flow, packet: Packet6, isOut: boolean): void {
    const { now } = this.timers;
    // What others send keeps nothing open (RFC 4787 REQ-6), but for TCP (RFC 5382 REQ-5).
    if (flow.protocol !== PROTOCOL_TCP) {
      if (isOut) flow.usedAt = now;
      return;
    }
    flow.usedAt = now;
    const { flags } = packet;
    if (flow.isEstablished && changesNothing(flags)) return;
    let state = tcpStep(flow.state, flags, isOut);
    if ((state & UNPROVEN) !== 0) {
      const { frame, at } = packet;
      const [seq, ack] = [readI32be(frame, at + SEQ_AT), readI32be(frame, at + ACK_AT)];
      state = proven(state, flags, isOut, flow, seq, ack);
    }
    flow.state = state;
    const isSettled = isEstablished(state);
    if (isSettled === flow.isEstablished) return;
    this.lists.settle(flow, flow.host, isSettled, now);
    this.timers.arm(flow.timer, after(now, timeoutOf(flow)));
  }

  list(): Generator<Flow> {
    return this.lists.list();
  }

  snapshot(): Readonly<Record<string, number>> {
    const { evicted, hostEvicted, dropTableFull, dropHostFull } = this.lists.counters;
    return {
      ...this.counters,
      flows: this.size,
      flowsEvicted: evicted,
      flowsHostEvicted: hostEvicted,
      flowsDropTableFull: dropTableFull,
      flowsDropHostFull: dropHostFull,
    };
  }

  checkInvariants(): void {
    let count = 0;
    for (const [key, first] of this.flows) {
      for (let flow: Flow | null = first; flow !== null; flow = flow.next) {
        assert(flow.key === key);
        count += 1;
      }
    }
    assert(count === this.size);
    for (const host of this.hosts.values()) assert(host.size > 0);
    this.lists.checkInvariants(this.hosts.values());
  }

  private expired(flow: Flow, now: Instant): void {
    const until = after(flow.usedAt, timeoutOf(flow));
    if (until > now) {
      this.timers.arm(flow.timer, until);
      return;
    }
    this.counters.flowsExpired += 1;
    this.remove(flow);
  }

  private remove(flow: Flow): void {
    this.timers.stop(flow.timer);
    this.lists.delete(flow, flow.host);
    if (flow.host.size === 0) this.hosts.delete(flow.host.number);
    const first = this.flows.get(flow.key);
    assert(first !== undefined);
    if (first === flow) {
      if (flow.next === null) this.flows.delete(flow.key);
      else this.flows.set(flow.key, flow.next);
      return;
    }
    let before = first;
    while (before.next !== flow) {
      assert(before.next !== null);
      before = before.next;
    }
    before.next = flow.next;
  }
}

const keyOf = (inside: Ipv6Address, remote: Ipv6Address, insidePort: number, remotePort: number) =>
  (inside.key +
    Math.imul(remote.key, REMOTE_FACTOR) +
    Math.imul((insidePort << 16) | remotePort, PORTS_FACTOR)) |
  0;

function timeoutOf(flow: Flow): Duration {
  switch (flow.protocol) {
    case PROTOCOL_TCP:
      return flow.isEstablished ? tcpEstablishedTimeout : tcpTransitoryTimeout;
    case PROTOCOL_ICMPV6:
      return icmpTimeout;
    case PROTOCOL_UDP:
      return udpTimeout;
    default:
      return udpTimeout; // RFC 6092 REC-24: as UDP's, for protocols that aren't known.
  }
}
