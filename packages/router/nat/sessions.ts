/**
 * The tables of address translation: mappings by inside endpoint and by outside port, sessions
 * below them; what expires, which port is given. Read first: session.ts, RFC 4787 §4. Not here:
 * packets (nat44.ts), who leaves a full table (session-lists.ts).
 */

import { after, assert, type Duration, type Instant, readU16be, type TimerQueue } from '#core';
import type { Entropy } from '#device';
import { type Ipv4Address, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import type { NatCounters } from '../counters.ts';
import {
  icmpTimeout,
  natPortSearchMax,
  natPortTries,
  tcpEstablishedTimeout,
  tcpTransitoryTimeout,
  udpTimeout,
} from '../limits.ts';
import { HostSessions, SessionLists } from '../session-lists.ts';
import { forwardedPort, type PortForward } from './forwards.ts';
import { endpointKey, Host, Mapping, Session } from './session.ts';
import { isEstablished } from './tcp-state.ts';

/** Below are ports that programs ask for by number (RFC 4787 REQ-3). */
const WELL_KNOWN = 1_024;
const PORTS = 65_536;

export interface SessionsOptions {
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly counters: NatCounters;
  readonly forwards: readonly PortForward[];
  readonly sessionsMax: number;
  /** Whether the router itself uses this port of the outside address. */
  readonly isOwnPort: (protocol: number, port: number) => boolean;
}

class ProtocolTable {
  readonly byInside = new Map<number, Mapping>();
  readonly byOutside = new Map<number, Mapping>();
}

export class Sessions {
  readonly tcp = new ProtocolTable();
  readonly udp = new ProtocolTable();
  readonly icmp = new ProtocolTable();
  private readonly lists: SessionLists<Session>;
  private readonly options: SessionsOptions;
  private readonly hosts = new Map<Ipv4Address, Host>();
  /** Sessions that began outside: whoever floods a port forward takes nobody's share but theirs. */
  private readonly guests = new HostSessions<Session>();
  private readonly random = new Uint8Array(2);
  private readonly expire = (session: Session, now: Instant): void => this.expired(session, now);

  constructor(options: SessionsOptions) {
    this.options = options;
    this.lists = new SessionLists(options.sessionsMax, (session) => this.remove(session));
  }

  get size(): number {
    return this.lists.size;
  }

  table(protocol: number): ProtocolTable {
    if (protocol === PROTOCOL_TCP) return this.tcp;
    return protocol === PROTOCOL_UDP ? this.udp : this.icmp;
  }

  /**
   * A mapping for an inside endpoint, with `port` of the outside address or, when null, its own
   * where that is free. It has no session yet: give it one. Null, and counted: no port.
   */
  map(
    protocol: number,
    insideAddress: Ipv4Address,
    insidePort: number,
    outsideAddress: Ipv4Address,
    port: number | null,
  ): Mapping | null {
    const { counters, forwards, timers } = this.options;
    const forwarded = port ?? forwardedPort(forwards, protocol, insideAddress, insidePort);
    const chosen = forwarded >= 0 ? forwarded : this.choosePort(protocol, insidePort);
    if (chosen < 0) {
      counters.natDropNoPort += 1;
      return null;
    }
    const table = this.table(protocol);
    let host = this.hosts.get(insideAddress);
    if (host === undefined) {
      host = new Host(insideAddress);
      this.hosts.set(insideAddress, host);
    }
    const isForward = forwarded >= 0;
    const { now } = timers;
    const made = new Mapping(protocol, host, insidePort, outsideAddress, chosen, isForward, now);
    table.byInside.set(endpointKey(insideAddress, insidePort), made);
    table.byOutside.set(chosen, made);
    host.mappings += 1;
    return made;
  }

  /**
   * A session of `mapping`, used at `usedAt`, that began inside or outside; null, and counted, when
   * there is no room.
   */
  open(
    mapping: Mapping,
    address: Ipv4Address,
    port: number,
    isGuest: boolean,
    usedAt: Instant = this.options.timers.now,
  ): Session | null {
    const share = isGuest ? this.guests : mapping.host;
    if (!this.lists.makeRoom(share)) {
      if (mapping.recent === null) this.unmap(mapping);
      return null;
    }
    this.reinstate(mapping);
    const { timers, counters } = this.options;
    const session = new Session(mapping, address, port, share, usedAt, this.expire);
    mapping.add(session);
    this.lists.add(session, share);
    counters.natSessionsCreated += 1;
    timers.arm(session.timer, after(usedAt, this.timeoutOf(session)));
    return session;
  }

  /** TCP's state changed. */
  setState(session: Session, state: number): void {
    session.state = state;
    const isSettled = isEstablished(state);
    if (isSettled === session.isEstablished) return;
    const { timers } = this.options;
    this.lists.settle(session, session.share, isSettled, timers.now);
    session.usedAt = timers.now;
    timers.arm(session.timer, after(timers.now, this.timeoutOf(session)));
  }

  /** Everything: the outside address changed. */
  clear(): void {
    for (const session of [...this.lists.list()]) this.remove(session);
  }

  list(): Generator<Session> {
    return this.lists.list();
  }

  counters(): Readonly<Record<string, number>> {
    const { evicted, hostEvicted, dropTableFull, dropHostFull } = this.lists.counters;
    return {
      natSessions: this.size,
      natMappings: this.mappingCount,
      natHosts: this.hosts.size,
      natEvicted: evicted,
      natHostEvicted: hostEvicted,
      natDropTableFull: dropTableFull,
      natDropHostFull: dropHostFull,
    };
  }

  get mappingCount(): number {
    return this.tcp.byOutside.size + this.udp.byOutside.size + this.icmp.byOutside.size;
  }

  timeoutOf(session: Session): Duration {
    switch (session.mapping.protocol) {
      case PROTOCOL_TCP:
        return session.isEstablished ? tcpEstablishedTimeout : tcpTransitoryTimeout;
      case PROTOCOL_UDP:
        return udpTimeout;
      default:
        assert(session.mapping.protocol === PROTOCOL_ICMP);
        return icmpTimeout;
    }
  }

  checkInvariants(): void {
    let sessions = 0;
    for (const table of [this.tcp, this.udp, this.icmp]) {
      assert(table.byInside.size === table.byOutside.size);
      for (const [port, mapping] of table.byOutside) {
        const key = endpointKey(mapping.insideAddress, mapping.insidePort);
        assert(mapping.outsidePort === port && table.byInside.get(key) === mapping);
        assert(this.hosts.get(mapping.insideAddress) === mapping.host);
        assert(mapping.recent !== null && mapping.list.includes(mapping.recent));
        sessions += mapping.list.length;
      }
    }
    assert(sessions === this.size);
    let mappings = 0;
    for (const [address, host] of this.hosts) {
      assert(host.address === address && host.mappings > 0);
      mappings += host.mappings;
    }
    assert(mappings === this.mappingCount);
    this.lists.checkInvariants([...this.hosts.values(), this.guests]);
  }

  private expired(session: Session, now: Instant): void {
    const until = after(session.usedAt, this.timeoutOf(session));
    if (until > now) {
      this.options.timers.arm(session.timer, until);
      return;
    }
    this.options.counters.natSessionsExpired += 1;
    this.remove(session);
  }

  private remove(session: Session): void {
    const { mapping } = session;
    this.options.timers.stop(session.timer);
    this.lists.delete(session, session.share);
    if (mapping.remove(session)) this.unmap(mapping);
  }

  private unmap(mapping: Mapping): void {
    const { insideAddress, insidePort, outsidePort, host } = mapping;
    const table = this.table(mapping.protocol);
    table.byInside.delete(endpointKey(insideAddress, insidePort));
    table.byOutside.delete(outsidePort);
    host.mappings -= 1;
    if (host.mappings === 0) this.hosts.delete(insideAddress);
  }

  /** What was evicted may have been the mapping's only session, and its host's only mapping. */
  private reinstate(mapping: Mapping): void {
    const { insideAddress, insidePort, outsidePort, host } = mapping;
    const table = this.table(mapping.protocol);
    if (table.byOutside.get(outsidePort) === mapping) return;
    table.byInside.set(endpointKey(insideAddress, insidePort), mapping);
    table.byOutside.set(outsidePort, mapping);
    host.mappings += 1;
    this.hosts.set(insideAddress, host);
  }

  /** RFC 4787 REQ-1, REQ-3: the inside port when it is free, else a random one of its range. */
  private choosePort(protocol: number, insidePort: number): number {
    const { counters, entropy } = this.options;
    if (this.isFree(protocol, insidePort)) {
      counters.natPortsPreserved += 1;
      return insidePort;
    }
    const first = protocol === PROTOCOL_ICMP ? 0 : insidePort < WELL_KNOWN ? 1 : WELL_KNOWN;
    const end = protocol !== PROTOCOL_ICMP && insidePort < WELL_KNOWN ? WELL_KNOWN : PORTS;
    let port = first;
    for (let i = 0; i < natPortTries + natPortSearchMax; i++) {
      if (i <= natPortTries) {
        entropy.fill(this.random);
        port = first + (readU16be(this.random, 0) % (end - first));
      } else port = port + 1 < end ? port + 1 : first;
      if (!this.isFree(protocol, port)) continue;
      counters.natPortsOther += 1;
      return port;
    }
    return -1;
  }

  private isFree(protocol: number, port: number): boolean {
    if (this.table(protocol).byOutside.has(port)) return false;
    const { forwards, isOwnPort } = this.options;
    for (const forward of forwards) {
      const isIn = port >= forward.outsideFirst && port <= forward.outsideLast;
      if (isIn && forward.protocol === protocol) return false;
    }
    return !isOwnPort(protocol, port);
  }
}
