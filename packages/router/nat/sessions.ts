/**
 * The tables of address translation: mappings by inside endpoint and by outside port, sessions
 * below them; what expires, what is evicted, which port is given. Read first: session.ts, RFC 4787
 * §4. Not here: packets (nat44.ts).
 *
 * Full, a table evicts: of the inside host that is over its share one of its own, else of all the
 * one that isn't established and was used longest ago. Established connections are never evicted
 * for new ones: then the new one is refused.
 */

import { after, assert, type Duration, type Instant, readU16be, type TimerQueue } from '#core';
import type { Entropy } from '#device';
import { type Ipv4Address, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import type { NatCounters } from '../counters.ts';
import {
  icmpTimeout,
  natEvictionLooksMax,
  natHostShare,
  natPortSearchMax,
  natPortTries,
  tcpEstablishedTimeout,
  tcpTransitoryTimeout,
  udpTimeout,
} from '../limits.ts';
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
  readonly hostSessionsMax: number;
  private readonly options: SessionsOptions;
  private readonly hosts = new Map<Ipv4Address, Host>();
  private readonly transitory = new Set<Session>();
  private readonly established = new Set<Session>();
  private readonly random = new Uint8Array(2);
  private readonly expire = (session: Session, now: Instant): void => this.expired(session, now);

  constructor(options: SessionsOptions) {
    this.options = options;
    this.hostSessionsMax = Math.floor(options.sessionsMax * natHostShare);
  }

  get size(): number {
    return this.transitory.size + this.established.size;
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
    return made;
  }

  /** A session of `mapping`; null, and counted, when there is no room. */
  open(mapping: Mapping, address: Ipv4Address, port: number): Session | null {
    if (!this.makeRoom(mapping.host)) {
      if (mapping.recent === null) this.unmap(mapping);
      return null;
    }
    this.reinstate(mapping);
    const { timers, counters } = this.options;
    const session = new Session(mapping, address, port, timers.now, this.expire);
    mapping.add(session);
    mapping.host.sessions += 1;
    mapping.host.transitory.add(session);
    this.transitory.add(session);
    counters.natSessionsCreated += 1;
    timers.arm(session.timer, after(timers.now, this.timeoutOf(session)));
    return session;
  }

  /** TCP's state changed. */
  setState(session: Session, state: number): void {
    session.state = state;
    const { timers } = this.options;
    const isSettled = isEstablished(state);
    if (isSettled !== session.isEstablished) {
      const { host } = session.mapping;
      (isSettled ? this.transitory : this.established).delete(session);
      (isSettled ? host.transitory : host.established).delete(session);
      (isSettled ? this.established : this.transitory).add(session);
      (isSettled ? host.established : host.transitory).add(session);
      session.isEstablished = isSettled;
      session.listedAt = timers.now;
      session.usedAt = timers.now;
      timers.arm(session.timer, after(timers.now, this.timeoutOf(session)));
    }
  }

  /** Everything: the outside address changed. */
  clear(): void {
    for (const session of [...this.transitory, ...this.established]) this.remove(session);
  }

  *list(): Generator<Session> {
    yield* this.established;
    yield* this.transitory;
  }

  get hostCount(): number {
    return this.hosts.size;
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
    assert(this.size <= this.options.sessionsMax);
    let sessions = 0;
    for (const table of [this.tcp, this.udp, this.icmp]) {
      assert(table.byInside.size === table.byOutside.size);
      for (const [port, mapping] of table.byOutside) {
        const key = endpointKey(mapping.insideAddress, mapping.insidePort);
        assert(mapping.outsidePort === port && table.byInside.get(key) === mapping);
        assert(mapping.recent !== null && mapping.list.includes(mapping.recent));
        sessions += mapping.list.length;
      }
    }
    assert(sessions === this.size);
    let ofHosts = 0;
    for (const [address, host] of this.hosts) {
      assert(host.address === address && host.sessions > 0);
      assert(host.sessions === host.transitory.size + host.established.size);
      assert(host.sessions <= this.hostSessionsMax);
      ofHosts += host.sessions;
    }
    assert(ofHosts === sessions);
    for (const session of this.established) assert(session.isEstablished);
    for (const session of this.transitory) assert(!session.isEstablished);
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
    const { host } = mapping;
    this.options.timers.stop(session.timer);
    (session.isEstablished ? this.established : this.transitory).delete(session);
    (session.isEstablished ? host.established : host.transitory).delete(session);
    host.sessions -= 1;
    if (mapping.remove(session)) this.unmap(mapping);
  }

  private unmap(mapping: Mapping): void {
    const { insideAddress, insidePort, outsidePort, host } = mapping;
    const table = this.table(mapping.protocol);
    table.byInside.delete(endpointKey(insideAddress, insidePort));
    table.byOutside.delete(outsidePort);
    if (host.sessions === 0) this.hosts.delete(insideAddress);
  }

  /** What was evicted may have been the mapping's, or its host's, only session. */
  private reinstate(mapping: Mapping): void {
    const { insideAddress, insidePort, outsidePort, host } = mapping;
    const table = this.table(mapping.protocol);
    table.byInside.set(endpointKey(insideAddress, insidePort), mapping);
    table.byOutside.set(outsidePort, mapping);
    this.hosts.set(insideAddress, host);
  }

  /** For one session more of `host`. */
  private makeRoom(host: Host): boolean {
    const { counters, sessionsMax } = this.options;
    if (host.sessions >= this.hostSessionsMax) {
      const victim = this.victimOf(host.transitory);
      if (victim === null) {
        counters.natDropHostFull += 1;
        return false;
      }
      counters.natHostEvicted += 1;
      this.remove(victim);
      return true;
    }
    if (this.size < sessionsMax) return true;
    const victim = this.victimOf(this.transitory);
    if (victim === null) {
      counters.natDropTableFull += 1;
      return false;
    }
    counters.natEvicted += 1;
    this.remove(victim);
    return true;
  }

  /**
   * The one used longest ago of those looked at: one that was used since it got its place goes to
   * the end. O(natEvictionLooksMax).
   */
  private victimOf(sessions: Set<Session>): Session | null {
    for (let looks = 0; looks < natEvictionLooksMax; looks++) {
      const first = firstOf(sessions);
      if (first === null) return null;
      if (first.usedAt <= first.listedAt) return first;
      first.listedAt = first.usedAt;
      sessions.delete(first);
      sessions.add(first);
    }
    return firstOf(sessions);
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

function firstOf(sessions: Set<Session>): Session | null {
  for (const session of sessions) return session;
  return null;
}
