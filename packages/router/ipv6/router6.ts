/**
 * Forwarding IPv6 between the router's two sides, with a firewall that lets in what was asked for
 * from inside (RFC 6092) or without one. Addresses stay as they are. Read first: side6.ts,
 * flows.ts.
 */

import { assert, readU16be, type TimerQueue } from '#core';
import {
  type Ipv6Address,
  isIpv6LinkLocal,
  isIpv6Multicast,
  type NetStack,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  upperHeader,
} from '#net';
import {
  checkIpv6Header,
  ETHERNET_HEADER_BYTES,
  ICMPV6_CODE_PROHIBITED,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_HEADER_BYTES,
  ICMPV6_INFORMATION_MIN,
  ICMPV6_UNREACHABLE,
  ipv6Destination,
  ipv6Source,
  PROTOCOL_ICMPV6,
  TCP_ACK,
  TCP_RST,
  TCP_SYN,
} from '#net/wire';
import { firewallCounters, router6Counters } from '../counters.ts';
import { FragmentTables } from '../fragments.ts';
import { HeldSyns, synKey } from '../held-syns.ts';
import { natSessionsDefault, natSessionsMax, natSessionsMin } from '../limits.ts';
import { type FirewallTables, firewallTablesOf } from '../tables.ts';
import { type Flow, type FlowEnds, Flows } from './flows.ts';
import { echoIdentifier, Packet6 } from './packet6.ts';
import { type FirewallRule, isAllowed } from './rules.ts';
import { Side6 } from './side6.ts';

export interface FirewallOptions {
  /** What may begin from outside. */
  readonly rules: readonly FirewallRule[];
  /** natSessionsDefault unless given. */
  readonly flowsMax?: number;
}

export interface Router6Options {
  /** Both speak IPv6 already (NetStack.startIpv6). */
  readonly inside: NetStack;
  readonly outside: NetStack;
  readonly timers: TimerQueue;
  /** Null: everything passes, both ways. */
  readonly firewall: FirewallOptions | null;
}

const TRANSPORT_BYTES_MIN = 8;

export class Router6 {
  readonly inside: Side6;
  readonly outside: Side6;
  readonly flows: Flows;
  readonly rules: readonly FirewallRule[];
  private readonly isOpen: boolean;
  private readonly timers: TimerQueue;
  private readonly packet: Packet6;
  private readonly tally = router6Counters();
  private readonly firewallTally = firewallCounters();
  private readonly fragments: FragmentTables<Flow>;
  private readonly syns: HeldSyns;

  constructor({ inside, outside, timers, firewall }: Router6Options) {
    const { tally } = this;
    const unresolved = (side: Side6, head: Uint8Array) => this.unresolved(side, head);
    const fromInside = (frame: Uint8Array, good: boolean) => this.fromInside(frame, good);
    const fromOutside = (frame: Uint8Array, good: boolean) => this.fromOutside(frame, good);
    this.inside = new Side6('inside', inside, tally, fromInside, unresolved);
    this.outside = new Side6('outside', outside, tally, fromOutside, unresolved);
    this.packet = new Packet6(this.inside.forwarding.ways);
    this.isOpen = firewall === null;
    this.timers = timers;
    this.rules = firewall?.rules ?? [];
    const flowsMax = firewall?.flowsMax ?? natSessionsDefault;
    assert(flowsMax >= natSessionsMin && flowsMax <= natSessionsMax);
    this.flows = new Flows(timers, flowsMax);
    this.fragments = new FragmentTables(timers, tally);
    this.syns = new HeldSyns(timers, tally, (frame) => {
      const [type, code] = [ICMPV6_UNREACHABLE, ICMPV6_CODE_PROHIBITED];
      this.outside.forwarding.errors.forwardingError(type, code, 0, frame, frame.length);
    });
  }

  counters(): Readonly<Record<string, number>> {
    const { tally, firewallTally, flows } = this;
    return this.isOpen ? { ...tally } : { ...tally, ...firewallTally, ...flows.snapshot() };
  }

  /** Plain data, for people and programs that look inside; at most `most` flows. */
  tables(most: number): FirewallTables {
    return firewallTablesOf(this.flows, this.rules, this.timers.now, most);
  }

  checkInvariants(): void {
    this.flows.checkInvariants();
    this.fragments.checkInvariants();
    this.syns.checkInvariants();
  }

  private fromInside(frame: Uint8Array, checksumGood: boolean): void {
    const { packet, inside, outside } = this;
    const result = packet.read(frame, checksumGood, inside.device);
    if (result !== 'ok') {
      this.refuse(inside, result, frame, checksumGood);
      return;
    }
    const { destination } = packet;
    const flow = this.flowOf(packet, packet.source, destination, true);
    if (flow !== null && !packet.isFragment) {
      this.leave(packet, flow);
      return;
    }
    if (this.isLocal(inside, destination)) {
      inside.own.receive(frame, false, checksumGood);
      return;
    }
    if (!inside.mayGoOn(packet)) return;
    // Whoever speaks here must be reached here (RFC 6092 REC-5).
    if (!inside.forwarding.reaches(packet.source)) {
      this.tally.dropSpoofed += 1;
      return;
    }
    if (this.isOpen || inside.forwarding.reaches(destination)) {
      this.forwardPlain(packet, inside);
    } else if (!outside.forwarding.reaches(destination)) inside.noRoute(packet);
    else this.beginOut(packet, flow);
  }

  /** From inside: a fragment, or of no flow. */
  private beginOut(packet: Packet6, known: Flow | null): void {
    if (packet.isLaterFragment) {
      this.fragmentFrom(this.inside, packet);
      return;
    }
    const { protocol, type } = packet;
    if (known === null && protocol === PROTOCOL_ICMPV6 && type !== ICMPV6_ECHO_REQUEST) {
      this.errorFrom(this.inside, packet);
      return;
    }
    if (known === null && protocol === PROTOCOL_TCP && (packet.flags & TCP_RST) !== 0) {
      this.firewallTally.dropStrayReset += 1;
      return;
    }
    const ends = endsOf(packet, packet.source, packet.destination, true);
    const flow = known ?? this.flows.open(ends, stationOf(packet));
    if (packet.isFragment) this.firstFragment(this.inside, packet, flow);
    else if (flow !== null) this.leave(packet, flow);
  }

  private fromOutside(frame: Uint8Array, checksumGood: boolean): void {
    const { packet, inside, outside } = this;
    const result = packet.read(frame, checksumGood, outside.device);
    if (result !== 'ok') {
      this.refuse(outside, result, frame, checksumGood);
      return;
    }
    const { destination } = packet;
    const flow = this.flowOf(packet, destination, packet.source, false);
    if (flow !== null && !packet.isFragment) {
      this.enter(packet, flow);
      return;
    }
    if (this.isLocal(outside, destination)) {
      outside.own.receive(frame, false, checksumGood);
      return;
    }
    if (!inside.forwarding.reaches(destination) || inside.isOurs(destination)) {
      this.tally.dropNotOurs += 1;
      return;
    }
    if (!outside.mayGoOn(packet)) return;
    if (inside.forwarding.reaches(packet.source)) {
      this.tally.dropSpoofed += 1;
      return;
    }
    if (this.isOpen) this.forwardPlain(packet, outside);
    else this.beginIn(packet, flow);
  }

  /** From outside: a fragment, or of no flow, which only a rule lets in. */
  private beginIn(packet: Packet6, known: Flow | null): void {
    const { protocol, flags, destination, destinationPort } = packet;
    if (packet.isLaterFragment) {
      this.fragmentFrom(this.outside, packet);
      return;
    }
    const isEcho = protocol === PROTOCOL_ICMPV6 && packet.type === ICMPV6_ECHO_REQUEST;
    if (known === null && protocol === PROTOCOL_ICMPV6 && !isEcho) {
      this.errorFrom(this.outside, packet);
      return;
    }
    const isSyn = (flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN;
    const mayBegin = protocol !== PROTOCOL_TCP || isSyn;
    let flow = known;
    if (
      flow === null &&
      mayBegin &&
      isAllowed(this.rules, protocol, destination, destinationPort)
    ) {
      flow = this.flows.open(endsOf(packet, destination, packet.source, false), 0);
    }
    if (packet.isFragment) this.firstFragment(this.outside, packet, flow);
    else if (flow !== null) this.enter(packet, flow);
    else {
      this.firewallTally.dropFiltered += 1;
      if (protocol === PROTOCOL_TCP && isSyn) this.holdSyn(packet);
    }
  }

  private leave(packet: Packet6, flow: Flow): void {
    const { inside, outside } = this;
    if (!inside.isAlive(packet)) return;
    if (this.syns.size > 0 && packet.protocol === PROTOCOL_TCP) {
      this.syns.forget(synKey(flow.remote.key ^ flow.inside.key, flow.remotePort, flow.insidePort));
    }
    const hop = outside.hopTo(flow.hopOut, flow.remote);
    flow.hopOut = hop;
    if (hop === null) {
      inside.noRoute(packet);
      return;
    }
    this.flows.passes(flow, packet, true);
    if (outside.send(packet, hop, inside)) this.tally.forwardedOut += 1;
  }

  private enter(packet: Packet6, flow: Flow): void {
    const { inside, outside } = this;
    if (!outside.isAlive(packet)) return;
    const hop = inside.hopTo(flow.hopIn, flow.inside);
    flow.hopIn = hop;
    if (hop === null) {
      outside.noRoute(packet);
      return;
    }
    this.flows.passes(flow, packet, false);
    if (inside.send(packet, hop, outside)) this.tally.forwardedIn += 1;
  }

  /** The flow of a packet with a transport that we know. */
  private flowOf(
    packet: Packet6,
    inside: Ipv6Address,
    remote: Ipv6Address,
    isOut: boolean,
  ): Flow | null {
    if (this.isOpen || packet.isLaterFragment) return null;
    const { protocol } = packet;
    if (protocol === PROTOCOL_ICMPV6) {
      const { type } = packet;
      if (type !== ICMPV6_ECHO_REQUEST && type !== ICMPV6_ECHO_REPLY) return null;
      return this.flows.find(inside, remote, protocol, echoIdentifier(packet.frame, packet.at), 0);
    }
    const { sourcePort, destinationPort } = packet;
    // In two branches: a pair of ports would be an array and an iterator for each packet.
    if (isOut) return this.flows.find(inside, remote, protocol, sourcePort, destinationPort);
    return this.flows.find(inside, remote, protocol, destinationPort, sourcePort);
  }

  /** Addresses of the link, and our own. */
  private isLocal(side: Side6, destination: Ipv6Address): boolean {
    return isIpv6LinkLocal(destination) || isIpv6Multicast(destination) || side.isOurs(destination);
  }

  /** What can't be read may be our own all the same: the stack counts it. */
  private refuse(
    side: Side6,
    why: Exclude<ReturnType<Packet6['read']>, 'ok'>,
    frame: Uint8Array,
    checksumGood: boolean,
  ): void {
    const isOwn = why !== 'malformed' && this.isLocal(side, this.packet.destination);
    if (isOwn) side.own.receive(frame, false, checksumGood);
    else side.drop(why);
  }

  private holdSyn(packet: Packet6): void {
    const { source, destination, sourcePort, destinationPort, frame, end } = packet;
    this.syns.hold(synKey(source.key ^ destination.key, sourcePort, destinationPort), frame, end);
  }

  /** ICMPv6 but echo requests and replies of flows: errors about flows pass (RFC 4890 §4.3.1). */
  private errorFrom(side: Side6, packet: Packet6): void {
    if (packet.type >= ICMPV6_INFORMATION_MIN || !this.isAboutFlow(side, packet)) {
      this.firewallTally.dropIcmp += 1;
      return;
    }
    if (!side.isAlive(packet)) return;
    if (this.forwardPlain(packet, side)) this.firewallTally.errorsForwarded += 1;
  }

  private isAboutFlow(side: Side6, packet: Packet6): boolean {
    const about = packet.frame.subarray(packet.at + ICMPV6_HEADER_BYTES, packet.end);
    const upper = checkIpv6Header(about) === null ? upperHeader(about) : null;
    if (upper === null || about.length < upper.at + TRANSPORT_BYTES_MIN) return false;
    const { ways } = this.inside.forwarding;
    const source = ways.intern(ipv6Source(about));
    const destination = ways.intern(ipv6Destination(about));
    // The one that the error goes to must have sent it.
    if (!source.equals(packet.destination)) return false;
    let sourcePort = 0;
    let destinationPort = 0;
    if (upper.protocol === PROTOCOL_TCP || upper.protocol === PROTOCOL_UDP) {
      sourcePort = readU16be(about, upper.at);
      destinationPort = readU16be(about, upper.at + 2);
    }
    const isOut = side === this.outside;
    const [inside, remote] = isOut ? [source, destination] : [destination, source];
    let [insidePort, remotePort] = isOut
      ? [sourcePort, destinationPort]
      : [destinationPort, sourcePort];
    if (upper.protocol === PROTOCOL_ICMPV6) {
      insidePort = readU16be(about, upper.at + 4);
      remotePort = 0;
    }
    return this.flows.find(inside, remote, upper.protocol, insidePort, remotePort) !== null;
  }

  private firstFragment(side: Side6, packet: Packet6, flow: Flow | null): void {
    this.tally.fragments += 1;
    const held = this.fragments[side.name].decide(fragmentKey(packet), flow ?? 'dropped');
    if (flow === null) this.firewallTally.dropFiltered += 1;
    else if (side === this.inside) this.leave(packet, flow);
    else this.enter(packet, flow);
    for (const { frame } of held) {
      if (side === this.inside) this.fromInside(frame, false);
      else this.fromOutside(frame, false);
    }
  }

  private fragmentFrom(side: Side6, packet: Packet6): void {
    const key = fragmentKey(packet);
    const fate = this.fragments[side.name].fateOf(key);
    if (fate !== null) this.tally.fragments += 1; // Those that wait come here again.
    if (fate === null) this.fragments[side.name].hold(key, packet.frame, packet.end, NO_FIELDS);
    else if (fate === 'own' || fate === 'dropped') this.tally.dropFragment += 1;
    else this.forwardPlain(packet, side);
  }

  private forwardPlain(packet: Packet6, from: Side6): boolean {
    const { destination } = packet;
    for (const side of [this.inside, this.outside]) {
      const hop = side.forwarding.hop(destination);
      if (hop === null) continue;
      if (!side.send(packet, hop, from)) return false;
      if (side === this.outside) this.tally.forwardedOut += 1;
      else this.tally.forwardedIn += 1;
      return true;
    }
    from.noRoute(packet);
    return false;
  }

  /** RFC 4861 §7.2.2. What we sent ourselves hears of it in another way. */
  private unresolved(side: Side6, head: Uint8Array): void {
    const about = head.subarray(ETHERNET_HEADER_BYTES);
    if (checkIpv6Header(about) !== null) return;
    const source = this.inside.forwarding.ways.intern(ipv6Source(about));
    if (side.isOurs(source) || isIpv6LinkLocal(source)) return;
    this.tally.dropUnresolved += 1;
    const from = this.inside.forwarding.reaches(source) ? this.inside : this.outside;
    from.addressUnreachable(head);
  }
}

const NO_FIELDS = new Int32Array(0);

function endsOf(
  packet: Packet6,
  inside: Ipv6Address,
  remote: Ipv6Address,
  isOut: boolean,
): FlowEnds {
  const { protocol, sourcePort, destinationPort, frame, at } = packet;
  if (protocol === PROTOCOL_ICMPV6) {
    return { inside, remote, protocol, insidePort: echoIdentifier(frame, at), remotePort: 0 };
  }
  const insidePort = isOut ? sourcePort : destinationPort;
  const remotePort = isOut ? destinationPort : sourcePort;
  return { inside, remote, protocol, insidePort, remotePort };
}

/** The station that sent a frame. */
const stationOf = ({ frame }: Packet6): number =>
  readU16be(frame, 6) * 0x1_0000_0000 + readU16be(frame, 8) * 0x1_0000 + readU16be(frame, 10);

/** What tells datagrams apart (RFC 8200 §4.5). */
function fragmentKey({ source, destination, identification }: Packet6): string {
  const words = [source, destination].map(({ w0, w1, w2, w3 }) => `${w0} ${w1} ${w2} ${w3}`);
  return `${words.join(' ')} ${identification}`;
}
