// tidy: int32
/**
 * Forwarding IPv4 between two interfaces, each with a stack of its own: an inside and an outside,
 * with translation between them or without (RFC 1812, RFC 4787). Read first: side.ts, packet.ts,
 * nat/nat44.ts.
 *
 * Deviates: RFC 1812 §5.2.7.2 (no redirects are sent), §5.2.4.3 (types of service are ignored).
 */

import { assert, readU16be, type TimerQueue } from '#core';
import type { Entropy } from '#device';
import {
  type ForwardingHop,
  IPV4_ANY,
  type Ipv4Address,
  type NetStack,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from '#net';
import {
  ETHERNET_HEADER_BYTES,
  ICMPV4_ECHO_REPLY,
  ICMPV4_ECHO_REQUEST,
  isIcmpv4Error,
  TCP_ACK,
  TCP_RST,
  TCP_SYN,
} from '#net/wire';
import { natCounters, routerCounters } from './counters.ts';
import { FragmentTables } from './fragments.ts';
import { HeldSyns, synKey } from './held-syns.ts';
import { natSessionsDefault, natSessionsMax, natSessionsMin, waysMax } from './limits.ts';
import { NatErrors } from './nat/errors.ts';
import type { PortForward } from './nat/forwards.ts';
import { type Filtering, Nat44 } from './nat/nat44.ts';
import { addressMessage, sourceIn } from './nat/quoted.ts';
import type { Session } from './nat/session.ts';
import { Sessions } from './nat/sessions.ts';
import { Packet, PORTS, PROTOCOL, TCP_FLAGS, TTL } from './packet.ts';
import { Side, type Taker } from './side.ts';
import { type NatTables, tablesOf } from './tables.ts';

export interface NatOptions {
  readonly forwards: readonly PortForward[];
  /** 'address-and-port-dependent' unless given. */
  readonly filtering?: Filtering;
  /** natSessionsDefault unless given. */
  readonly sessionsMax?: number;
  /** Whether the router's own TCP uses a port of the outside; no port unless given. */
  readonly isOwnTcpPort?: (port: number) => boolean;
}

export interface RouterOptions {
  readonly inside: NetStack;
  readonly outside: NetStack;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  /** Null: addresses stay as they are. */
  readonly nat: NatOptions | null;
  /** Offers of TCP are lowered to what both links carry. */
  readonly clampsMss?: boolean;
}

const IP_AND_TCP_BYTES = 40;
const TTL_AT = ETHERNET_HEADER_BYTES + 8;
const PING_TTL = 64;

export class Router {
  readonly inside: Side;
  readonly outside: Side;
  private readonly packet = new Packet();
  private readonly tally = routerCounters();
  private readonly natTally = natCounters();
  private readonly nat: Nat44 | null;
  private readonly sessions: Sessions;
  private readonly errors: NatErrors;
  private readonly fragments: FragmentTables<Session>;
  private readonly syns: HeldSyns;
  private readonly options: RouterOptions;
  /** What stands for all inside hosts; IPV4_ANY while there is none. */
  private outsideAddress: Ipv4Address = IPV4_ANY;
  /** Of packets that are forwarded as they are, by destination. */
  private readonly ways = new Map<Ipv4Address, { side: Side; hop: ForwardingHop }>();
  private mss = 0;

  constructor(options: RouterOptions) {
    const { inside, outside, timers, entropy, nat } = options;
    this.options = options;
    const { tally, natTally } = this;
    const unresolved = (side: Side, head: Uint8Array) => this.unresolved(side, head);
    const [fromInside, fromOutside]: Taker[] = [
      (frame, fields, checksumGood) => this.fromInside(frame, fields, checksumGood),
      (frame, fields, checksumGood) => this.fromOutside(frame, fields, checksumGood),
    ];
    this.inside = new Side('inside', inside, tally, fromInside!, unresolved);
    this.outside = new Side('outside', outside, tally, fromOutside!, unresolved);
    const forwards = nat?.forwards ?? [];
    const sessionsMax = nat?.sessionsMax ?? natSessionsDefault;
    assert(sessionsMax >= natSessionsMin && sessionsMax <= natSessionsMax);
    this.sessions = new Sessions({
      timers,
      entropy,
      counters: natTally,
      forwards,
      sessionsMax,
      isOwnPort: (protocol, port) => this.isOwnPort(protocol, port),
    });
    const filtering = nat?.filtering ?? 'address-and-port-dependent';
    const { sessions } = this;
    this.nat =
      nat === null
        ? null
        : new Nat44({ timers, sessions, forwards, filtering, counters: natTally });
    this.errors = new NatErrors(sessions, natTally);
    this.fragments = new FragmentTables(timers, tally);
    this.syns = new HeldSyns(timers, tally, (frame) => this.outside.portUnreachable(frame));
    outside.onConfiguration(() => this.configured());
    inside.onConfiguration(() => this.configured());
    this.configured();
  }

  counters(): Readonly<Record<string, number>> {
    const { tally, natTally, sessions } = this;
    return this.nat === null ? { ...tally } : { ...tally, ...natTally, ...sessions.counters() };
  }

  /** Plain data, for people and programs that look inside; at most `most` sessions. */
  tables(most: number): NatTables {
    return tablesOf(this.sessions, this.options.nat?.forwards ?? [], this.options.timers.now, most);
  }

  checkInvariants(): void {
    this.sessions.checkInvariants();
    this.fragments.checkInvariants();
    this.syns.checkInvariants();
    assert(this.ways.size <= waysMax);
  }

  /** Addresses or routes of a side changed. */
  private configured(): void {
    const { primary } = this.outside.forwarding.addresses;
    this.ways.clear();
    if (this.options.clampsMss === true) {
      const mtus = [this.options.inside, this.options.outside].map(
        ({ configuration, device }) => configuration?.mtuBytes ?? device.mtuBytes,
      );
      this.mss = Math.min(...mtus) - IP_AND_TCP_BYTES;
    }
    if (primary === this.outsideAddress) return;
    this.outsideAddress = primary;
    this.sessions.clear();
    this.fragments.clear();
    this.syns.clear();
  }

  private isOwnPort(protocol: number, port: number): boolean {
    if (protocol === PROTOCOL_UDP) return this.options.outside.udp.isOpen(port);
    return protocol === PROTOCOL_TCP && (this.options.nat?.isOwnTcpPort?.(port) ?? false);
  }

  private fromInside(frame: Uint8Array, fields: Int32Array, checksumGood: boolean): void {
    const { packet, inside, nat } = this;
    const result = packet.read(frame, fields, checksumGood, inside.device);
    // No session is with an address of the inside, so what is known needn't be asked whose it is.
    if (nat !== null && result === 'ok' && packet.isPlain) {
      const session = nat.known(packet);
      if (session !== null) {
        if (inside.mayGoOn(packet)) this.leave(nat, packet, session);
        return;
      }
    }
    if (inside.isOurs(fields[8]!)) inside.own.frame(frame, fields, false, checksumGood);
    else if (result !== 'ok') inside.drop(result);
    else if (inside.mayGoOn(packet)) this.beginInside(packet, fields);
  }

  /** A packet from inside of no known session. */
  private beginInside(packet: Packet, fields: Int32Array): void {
    const { inside, nat } = this;
    if (inside.isMartian(packet)) return;
    // Whoever speaks here must be reached here (RFC 2827, RFC 3704).
    if (!inside.forwarding.reaches(packet.source)) {
      this.tally.dropSpoofed += 1;
      return;
    }
    const isHairpin = packet.destination === this.outsideAddress;
    if (nat === null || (!isHairpin && inside.forwarding.reaches(packet.destination))) {
      this.forwardPlain(packet, inside);
      return;
    }
    if (this.outsideAddress === IPV4_ANY) {
      inside.noRoute(packet);
      return;
    }
    if (packet.v[PROTOCOL] === PROTOCOL_ICMP && packet.hasTransport) {
      const type = packet.v[PORTS]! >> 8;
      if (isIcmpv4Error(type)) {
        this.errorFromInside(packet, isHairpin);
        return;
      }
      if (isHairpin && type === ICMPV4_ECHO_REQUEST && !packet.isFragment) {
        this.answerPing(packet);
        return;
      }
    }
    if (packet.isLaterFragment) {
      this.fragmentFrom(inside, packet, fields);
      return;
    }
    const session = nat.known(packet) ?? nat.begin(packet, this.outsideAddress);
    if (packet.isFragment) this.firstFragment(inside, packet, session ?? 'dropped');
    else if (session !== null) this.leave(nat, packet, session);
  }

  /** A whole packet or a first fragment of `session` goes out, or to an inside host again. */
  private leave(nat: Nat44, packet: Packet, session: Session): void {
    const { outside, inside } = this;
    if (this.syns.size > 0 && packet.v[PROTOCOL] === PROTOCOL_TCP) {
      const { remoteAddress, remotePort, mapping } = session;
      this.syns.forget(synKey(remoteAddress, remotePort, mapping.outsidePort));
    }
    if (session.remoteAddress === this.outsideAddress) {
      this.hairpin(nat, packet, session);
      return;
    }
    const hop = outside.hopTo(session.hop, session.remoteAddress);
    session.hop = hop;
    if (hop === null) {
      inside.noRoute(packet);
      return;
    }
    nat.translateOut(packet, session);
    if (outside.send(packet, hop, inside, this.mss)) this.tally.forwardedOut += 1;
  }

  /** RFC 4787 REQ-9: by the outside address to another inside host, and from it. */
  private hairpin(nat: Nat44, packet: Packet, session: Session): void {
    nat.translateOut(packet, session);
    const target = nat.arriving(packet) ?? nat.admit(packet);
    if (target === null) {
      this.tally.dropHairpin += 1;
      return;
    }
    const { mapping } = target;
    mapping.hop = this.inside.hopTo(mapping.hop, mapping.insideAddress);
    if (mapping.hop === null) {
      this.inside.noRoute(packet);
      return;
    }
    nat.translateIn(packet, target);
    if (this.inside.send(packet, mapping.hop, this.inside, this.mss)) this.tally.hairpinned += 1;
  }

  /** From inside to the outside address, which the inside's stack doesn't have. */
  private answerPing(packet: Packet): void {
    const hop = this.inside.forwarding.hop(packet.source);
    if (hop === null) return;
    const reply = packet.frame.slice(0, packet.end);
    reply[packet.at] = ICMPV4_ECHO_REPLY;
    reply[TTL_AT] = PING_TTL + 1;
    addressMessage(reply, packet.at, this.outsideAddress, packet.source);
    if (this.inside.egress.sendInPieces(reply, packet.at, hop) === 'sent') this.tally.pinged += 1;
  }

  private fromOutside(frame: Uint8Array, fields: Int32Array, checksumGood: boolean): void {
    const { packet, outside, nat, outsideAddress } = this;
    const destination = fields[8]!;
    const isForInside = nat === null && !outside.isOurs(destination);
    if (outsideAddress === IPV4_ANY || (destination !== outsideAddress && !isForInside)) {
      // Also what is for us while we have no address yet.
      const isOurs = outsideAddress === IPV4_ANY || outside.isOurs(destination);
      if (isOurs) outside.own.frame(frame, fields, false, checksumGood);
      else this.tally.dropNotOurs += 1;
      return;
    }
    const result = packet.read(frame, fields, checksumGood, outside.device);
    if (result !== 'ok') {
      outside.drop(result);
      return;
    }
    if (nat === null) {
      if (isForInside) this.enterPlain(packet);
      else outside.own.frame(frame, fields, false, checksumGood);
      return;
    }
    // By hairpins there are sessions with ourselves: those packets come from inside.
    if (packet.source === outsideAddress) {
      this.tally.dropMartian += 1;
      return;
    }
    if (!packet.isPlain && packet.isLaterFragment) {
      this.fragmentFrom(outside, packet, fields);
      return;
    }
    const known = nat.arriving(packet);
    if (known !== null && packet.isPlain) {
      this.enter(nat, packet, known);
      return;
    }
    if (known === null && !outside.isFromHere(packet, this.inside)) return;
    const session = known ?? nat.admit(packet);
    if (packet.isFragment) {
      const fate = session ?? (nat.isRefused ? 'dropped' : 'own');
      if (fate === 'own') outside.own.frame(frame, fields, false, checksumGood);
      this.firstFragment(outside, packet, fate);
    } else if (session !== null) this.enter(nat, packet, session);
    else this.strange(packet, nat.isRefused, fields, checksumGood);
  }

  /** From outside, without translation: to hosts of the inside only, so that nothing turns back. */
  private enterPlain(packet: Packet): void {
    const { inside, outside, tally } = this;
    const { destination } = packet;
    if (!outside.isFromHere(packet, inside) || !outside.mayGoOn(packet)) return;
    // Broadcasts aren't directed from elsewhere (RFC 2644).
    if (inside.forwarding.addresses.isBroadcast(destination)) tally.dropMartian += 1;
    else if (inside.isOurs(destination) || !inside.forwarding.reaches(destination)) {
      tally.dropNotOurs += 1;
    } else this.forwardPlain(packet, outside);
  }

  /** A whole packet or a first fragment of `session` goes to its inside host. */
  private enter(nat: Nat44, packet: Packet, session: Session): void {
    const { inside, outside } = this;
    if (!outside.mayGoOn(packet)) return;
    const { mapping } = session;
    const hop = inside.hopTo(mapping.hop, mapping.insideAddress);
    mapping.hop = hop;
    if (hop === null) {
      outside.noRoute(packet);
      return;
    }
    nat.translateIn(packet, session);
    if (inside.send(packet, hop, outside, this.mss)) this.tally.forwardedIn += 1;
  }

  /** To our outside address, of no session: for ourselves, an error about a session, or nobody. */
  private strange(
    packet: Packet,
    isRefused: boolean,
    fields: Int32Array,
    checksumGood: boolean,
  ): void {
    const { v, frame } = packet;
    const protocol = v[PROTOCOL]!;
    if (protocol === PROTOCOL_TCP) {
      const isOwn = !isRefused && this.isOwnPort(protocol, v[PORTS]! & 0xffff);
      if (!isOwn) {
        if ((v[TCP_FLAGS]! & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN) this.holdSyn(packet);
        else if (!isRefused) this.natTally.natDropNoMapping += 1;
        return;
      }
    } else if (isRefused && !this.isOwnPort(protocol, v[PORTS]! & 0xffff)) return;
    if (protocol === PROTOCOL_ICMP && isIcmpv4Error(v[PORTS]! >> 8)) {
      if (this.errorFromOutside(packet)) return;
    }
    this.outside.own.frame(frame, fields, false, checksumGood);
  }

  private holdSyn(packet: Packet): void {
    const ports = packet.v[PORTS]!;
    const key = synKey(packet.source, ports >>> 16, ports & 0xffff);
    this.syns.hold(key, packet.frame, packet.end);
  }

  private errorFromInside(packet: Packet, isHairpin: boolean): void {
    const found = this.errors.fromInside(packet, this.outsideAddress, isHairpin);
    if (found === null) return;
    const side = isHairpin ? this.inside : this.outside;
    const hop = side.forwarding.hop(found.to);
    if (hop === null) this.inside.noRoute(packet);
    else if (side.egress.sendInPieces(found.frame, packet.at, hop) === 'sent') {
      this.natTally.natErrorsTranslated += 1;
    }
  }

  /** False when it isn't about a session, but perhaps about what we sent ourselves. */
  private errorFromOutside(packet: Packet): boolean {
    const found = this.errors.fromOutside(packet, this.outsideAddress);
    if (found === null) return false;
    if (packet.v[TTL]! <= 1) {
      this.tally.dropTtl += 1; // No error is told of errors.
      return true;
    }
    const hop = this.inside.forwarding.hop(found.to);
    if (hop !== null && this.inside.egress.sendInPieces(found.frame, packet.at, hop) === 'sent') {
      this.natTally.natErrorsTranslated += 1;
    }
    return true;
  }

  /** A fragment with ports: what it is translated by goes for the others, too. */
  private firstFragment(side: Side, packet: Packet, fate: Session | 'own' | 'dropped'): void {
    const { nat } = this;
    assert(nat !== null);
    this.tally.fragments += 1;
    const held = this.fragments[side.name].decide(fragmentKey(packet), fate);
    if (typeof fate !== 'string') {
      if (side === this.inside) this.leave(nat, packet, fate);
      else this.enter(nat, packet, fate);
    }
    for (const { frame, fields } of held) {
      // As if they came only now: the packet's object is free again.
      if (side === this.inside) this.fromInside(frame, fields, false);
      else this.fromOutside(frame, fields, false);
    }
  }

  private fragmentFrom(side: Side, packet: Packet, fields: Int32Array): void {
    const key = fragmentKey(packet);
    const fate = this.fragments[side.name].fateOf(key);
    if (fate !== null) this.tally.fragments += 1; // Those that wait come here again.
    if (fate === null) this.fragments[side.name].hold(key, packet.frame, packet.end, fields);
    else if (fate === 'own') side.own.frame(packet.frame, fields, false, false);
    else if (fate === 'dropped') this.tally.dropFragment += 1;
    else if (side === this.inside) this.laterOut(packet, fate);
    else this.laterIn(packet, fate);
  }

  private laterOut(packet: Packet, session: Session): void {
    const { mapping, remoteAddress } = session;
    if (remoteAddress === this.outsideAddress) {
      this.tally.dropFragment += 1; // Deviates: fragments don't hairpin.
      return;
    }
    const hop = this.outside.hopTo(session.hop, remoteAddress);
    if (hop === null) {
      this.tally.dropNoRoute += 1;
      return;
    }
    packet.setAddresses(mapping.outsideAddress, packet.destination, mapping.addressDeltaOut);
    if (this.outside.send(packet, hop, this.inside, 0)) this.tally.forwardedOut += 1;
  }

  private laterIn(packet: Packet, { mapping }: Session): void {
    const { inside, outside } = this;
    if (!outside.mayGoOn(packet)) return;
    const hop = inside.hopTo(mapping.hop, mapping.insideAddress);
    if (hop === null) {
      this.tally.dropNoRoute += 1;
      return;
    }
    packet.setAddresses(packet.source, mapping.insideAddress, mapping.addressDeltaIn);
    if (inside.send(packet, hop, outside, 0)) this.tally.forwardedIn += 1;
  }

  /** Without translation: to the inside where it has a way, else to the outside. */
  private forwardPlain(packet: Packet, from: Side): void {
    const { destination } = packet;
    let way = this.ways.get(destination) ?? null;
    if (way === null || way.hop.epoch !== way.hop.neighbor.epoch) {
      way = this.findWay(destination);
      if (way === null) {
        from.noRoute(packet);
        return;
      }
      if (this.ways.size >= waysMax) this.ways.clear();
      this.ways.set(destination, way);
    }
    const { side, hop } = way;
    if (!side.send(packet, hop, from, this.mss)) return;
    if (side === this.outside) this.tally.forwardedOut += 1;
    else this.tally.forwardedIn += 1;
  }

  private findWay(destination: Ipv4Address): { side: Side; hop: ForwardingHop } | null {
    for (const side of [this.inside, this.outside]) {
      const hop = side.forwarding.hop(destination);
      if (hop !== null) return { side, hop };
    }
    return null;
  }

  /**
   * A packet's next hop on `side` doesn't answer: who sent it, before translation, hears of it
   * (RFC 1812 §4.3.3.1).
   */
  private unresolved(side: Side, head: Uint8Array): boolean {
    const original = this.nat === null ? null : this.errors.original(side.name, head);
    const source = sourceIn(head);
    if (original === null && side.isOurs(source)) return false;
    this.tally.dropUnresolved += 1;
    const other = side === this.inside ? this.outside : this.inside;
    if (original !== null) other.hostUnreachable(original);
    else this.findWay(source)?.side.hostUnreachable(head);
    return true;
  }
}

/** What tells datagrams apart (RFC 791 §3.2). */
function fragmentKey(packet: Packet): string {
  const identification = readU16be(packet.frame, ETHERNET_HEADER_BYTES + 4);
  const { source, destination, v } = packet;
  return `${source} ${destination} ${v[PROTOCOL]} ${identification}`;
}
