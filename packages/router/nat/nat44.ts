// tidy: int32
/**
 * Network address and port translation of IPv4 (RFC 3022) as RFC 4787, RFC 5382 and RFC 5508 want
 * it: endpoint-independent mapping, filtering by the remote address and port unless told otherwise,
 * ports preserved where free. A packet costs one lookup, two when an inside endpoint talks to
 * several remote ones at once. Here: TCP, UDP and ICMP's queries, whole or first fragments. Not
 * here: errors (errors.ts), fragments (fragments.ts), the tables (sessions.ts), where packets
 * go (router.ts).
 */

import { assert, type TimerQueue } from '#core';
import { type Ipv4Address, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import { ICMPV4_ECHO_REPLY, ICMPV4_ECHO_REQUEST, TCP_ACK, TCP_RST, TCP_SYN } from '#net/wire';
import type { NatCounters } from '../counters.ts';
import {
  DESTINATION,
  ICMP_IDENTIFIER,
  type Packet,
  PORTS,
  PROTOCOL,
  SOURCE,
  TCP_ACKED,
  TCP_FLAGS,
  TCP_SEQ,
} from '../packet.ts';
import { forwardOf, type PortForward } from './forwards.ts';
import type { Mapping, Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { changesNothing, proven, tcpStep, UNPROVEN } from './tcp-state.ts';

const ICMPV4_TIMESTAMP_REQUEST = 13;
const ICMPV4_TIMESTAMP_REPLY = 14;

export type Filtering = 'address-and-port-dependent' | 'endpoint-independent';

export interface Nat44Options {
  readonly timers: TimerQueue;
  readonly sessions: Sessions;
  readonly forwards: readonly PortForward[];
  readonly filtering: Filtering;
  readonly counters: NatCounters;
}

export class Nat44 {
  private readonly timers: TimerQueue;
  private readonly sessions: Sessions;
  private readonly forwards: readonly PortForward[];
  private readonly isOpen: boolean;
  private readonly counters: NatCounters;

  constructor({ timers, sessions, forwards, filtering, counters }: Nat44Options) {
    this.timers = timers;
    this.sessions = sessions;
    this.forwards = forwards;
    this.isOpen = filtering === 'endpoint-independent';
    this.counters = counters;
  }

  /**
   * The session of a packet from inside to elsewhere that is known already and in order; null when
   * it isn't: then `begin` looks further.
   */
  known(packet: Packet): Session | null {
    const { v } = packet;
    const protocol = v[PROTOCOL]!;
    let mapping: Mapping | undefined;
    let remotePort = 0;
    if (protocol === PROTOCOL_TCP) {
      const ports = v[PORTS]!;
      mapping = this.sessions.tcp.byInside.get(v[SOURCE]! * 65_536 + (ports >>> 16));
      remotePort = ports & 0xffff;
    } else if (protocol === PROTOCOL_UDP) {
      const ports = v[PORTS]!;
      mapping = this.sessions.udp.byInside.get(v[SOURCE]! * 65_536 + (ports >>> 16));
      remotePort = ports & 0xffff;
    } else if (protocol === PROTOCOL_ICMP && isQuery(v[PORTS]! >> 8)) {
      mapping = this.sessions.icmp.byInside.get(v[SOURCE]! * 65_536 + v[ICMP_IDENTIFIER]!);
    }
    return mapping === undefined ? null : mapping.find(v[DESTINATION]!, remotePort);
  }

  /**
   * A session for a packet from inside that has none, seen from outside as `outsideAddress`; null,
   * and counted, when it may not have one.
   */
  begin(packet: Packet, outsideAddress: Ipv4Address): Session | null {
    const { v } = packet;
    const protocol = v[PROTOCOL]!;
    let insidePort = v[PORTS]! >>> 16;
    let remotePort = v[PORTS]! & 0xffff;
    if (protocol === PROTOCOL_ICMP) {
      const type = v[PORTS]! >> 8;
      // Answers that nobody outside has asked for by us.
      if (type !== ICMPV4_ECHO_REQUEST && type !== ICMPV4_TIMESTAMP_REQUEST) {
        this.counters.natDropIcmpType += 1;
        return null;
      }
      insidePort = v[ICMP_IDENTIFIER]!;
      remotePort = 0;
    } else if (protocol === PROTOCOL_TCP) {
      if ((v[TCP_FLAGS]! & TCP_RST) !== 0) {
        this.counters.natDropStrayReset += 1;
        return null;
      }
    } else if (protocol !== PROTOCOL_UDP) {
      this.counters.natDropProtocol += 1;
      return null;
    }
    const { sessions } = this;
    const known = sessions.table(protocol).byInside.get(v[SOURCE]! * 65_536 + insidePort);
    const mapping =
      known ?? sessions.map(protocol, packet.source, insidePort, outsideAddress, null);
    return mapping === null ? null : sessions.open(mapping, packet.destination, remotePort, false);
  }

  /** A packet of `session` leaves: it comes from outside's address from here on. */
  translateOut(packet: Packet, session: Session): void {
    const { mapping } = session;
    const { now } = this.timers;
    session.usedAt = now;
    mapping.usedAt = now;
    if (mapping.protocol === PROTOCOL_TCP) this.track(packet, session, true);
    packet.setSource(
      mapping.outsideAddress,
      mapping.outsidePort,
      mapping.addressDeltaOut,
      mapping.deltaOut,
    );
  }

  /** The known session of a packet to the outside address; `admit` looks further. */
  arriving(packet: Packet): Session | null {
    const { v } = packet;
    const protocol = v[PROTOCOL]!;
    const ports = v[PORTS]!;
    let mapping: Mapping | undefined;
    if (protocol === PROTOCOL_TCP) mapping = this.sessions.tcp.byOutside.get(ports & 0xffff);
    else if (protocol === PROTOCOL_UDP) mapping = this.sessions.udp.byOutside.get(ports & 0xffff);
    else if (protocol === PROTOCOL_ICMP && isReply(ports >> 8)) {
      return this.sessions.icmp.byOutside.get(v[ICMP_IDENTIFIER]!)?.find(v[SOURCE]!, 0) ?? null;
    }
    return mapping === undefined ? null : mapping.find(v[SOURCE]!, ports >>> 16);
  }

  /**
   * A session for a packet to the outside address that has none; null when it may not have one, or
   * nobody's it is: `isRefused` tells the first, which is counted. Whether its source may be where
   * it comes from is the caller's to look at.
   */
  admit(packet: Packet): Session | null {
    this.isRefused = false;
    const { v } = packet;
    const protocol = v[PROTOCOL]!;
    if (protocol === PROTOCOL_ICMP) {
      const isMapped =
        isReply(v[PORTS]! >> 8) && this.sessions.icmp.byOutside.has(v[ICMP_IDENTIFIER]!);
      if (!isMapped) return null;
      // What pings ask for comes from whom they asked.
      this.counters.natDropFiltered += 1;
      return this.refuse();
    }
    if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return null;
    const port = v[PORTS]! & 0xffff;
    const mapping = this.sessions.table(protocol).byOutside.get(port) ?? null;
    return this.openFrom(packet, mapping, port, v[PORTS]! >>> 16);
  }

  /** Of `admit`: a packet for a port of ours that may not come in. */
  isRefused = false;

  /** A packet of `session` comes in: it goes to the inside host from here on. */
  translateIn(packet: Packet, session: Session): void {
    const { mapping } = session;
    if (mapping.protocol === PROTOCOL_TCP) {
      session.usedAt = this.timers.now;
      this.track(packet, session, false);
    }
    packet.setDestination(
      mapping.insideAddress,
      mapping.insidePort,
      mapping.addressDeltaIn,
      mapping.deltaIn,
    );
  }

  /** A remote endpoint that this mapping hasn't talked to, or no mapping at all. */
  private openFrom(
    packet: Packet,
    known: Mapping | null,
    port: number,
    remotePort: number,
  ): Session | null {
    const { v } = packet;
    const protocol = v[PROTOCOL]!;
    const { sessions, counters } = this;
    let mapping = known;
    if (mapping === null) {
      const forward = forwardOf(this.forwards, protocol, port);
      if (forward === null) return null;
      if (!isBeginning(packet)) return this.refuse();
      const insidePort = forward.insideFirst + port - forward.outsideFirst;
      // An inside endpoint of a forward is never mapped to another port.
      const { insideAddress } = forward;
      assert(!sessions.table(protocol).byInside.has(insideAddress * 65_536 + insidePort));
      mapping = sessions.map(protocol, insideAddress, insidePort, packet.destination, port);
      if (mapping === null) return this.refuse();
    } else if ((!mapping.isForward && !this.isOpen) || !isBeginning(packet)) {
      counters.natDropFiltered += 1;
      return this.refuse();
    }
    // What others send keeps no mapping alive (RFC 4787 REQ-6).
    const isAging = !mapping.isForward && protocol === PROTOCOL_UDP;
    const usedAt = isAging ? mapping.usedAt : this.timers.now;
    return sessions.open(mapping, packet.source, remotePort, true, usedAt) ?? this.refuse();
  }

  private refuse(): null {
    this.isRefused = true;
    return null;
  }

  private track(packet: Packet, session: Session, isOut: boolean): void {
    const flags = packet.v[TCP_FLAGS]! & 0xff;
    if (session.isEstablished && changesNothing(flags)) return;
    let next = tcpStep(session.state, flags, isOut);
    if ((next & UNPROVEN) !== 0) {
      const { v } = packet;
      next = proven(next, flags, isOut, session, v[TCP_SEQ]!, v[TCP_ACKED]!);
    }
    if (next !== session.state) this.sessions.setState(session, next);
  }
}

/** Whether a packet may begin a session from outside: of TCP, a SYN. */
function isBeginning(packet: Packet): boolean {
  if (packet.v[PROTOCOL] !== PROTOCOL_TCP) return true;
  return (packet.v[TCP_FLAGS]! & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN;
}

const isQuery = (type: number): boolean =>
  type === ICMPV4_ECHO_REQUEST || type === ICMPV4_TIMESTAMP_REQUEST;
const isReply = (type: number): boolean =>
  type === ICMPV4_ECHO_REPLY || type === ICMPV4_TIMESTAMP_REPLY;
