/**
 * What translation remembers: a mapping is an inside endpoint and the outside port that stands for
 * it, whoever it talks to (RFC 4787 §4.1); a session is a mapping and one remote endpoint. Not
 * here: the tables (sessions.ts).
 */

import { type Instant, Timer } from '#core';
import { type ForwardingHop, type Ipv4Address, PROTOCOL_ICMP } from '#net';
import { adjusted, folded, wordDelta } from '../packet.ts';
import { HostSessions, type Listed } from '../session-lists.ts';
import type { Handshake } from './tcp-state.ts';

/** An inside host with mappings, and the sessions that it began. */
export class Host extends HostSessions<Session> {
  readonly address: Ipv4Address;
  /** Of this host, in the tables. */
  mappings = 0;

  constructor(address: Ipv4Address) {
    super();
    this.address = address;
  }
}

export class Mapping {
  readonly protocol: number;
  readonly host: Host;
  readonly insideAddress: Ipv4Address;
  /** Port, or identifier of ICMP. */
  readonly insidePort: number;
  readonly outsideAddress: Ipv4Address;
  readonly outsidePort: number;
  /** Made for a port forward: anybody may begin. */
  readonly isForward: boolean;
  /** What sums change by on the way out; the way in is the inverse. */
  readonly addressDeltaOut: number;
  readonly deltaOut: number;
  readonly addressDeltaIn: number;
  readonly deltaIn: number;
  /** The way to the inside host; null before it was needed. */
  hop: ForwardingHop | null = null;
  /** The last packet from inside. */
  usedAt: Instant;
  /** The session that was used last; one of those below when there are several. */
  recent: Session | null = null;
  /** By remote endpoint, when there are several. */
  sessions: Map<number, Session> | null = null;

  constructor(
    protocol: number,
    host: Host,
    insidePort: number,
    outsideAddress: Ipv4Address,
    outsidePort: number,
    isForward: boolean,
    now: Instant,
  ) {
    this.protocol = protocol;
    this.host = host;
    this.insideAddress = host.address;
    this.insidePort = insidePort;
    this.outsideAddress = outsideAddress;
    this.outsidePort = outsidePort;
    this.isForward = isForward;
    this.usedAt = now;
    this.addressDeltaOut = wordDelta(host.address, outsideAddress);
    this.deltaOut = folded(this.addressDeltaOut + 0xffff - insidePort + outsidePort);
    this.addressDeltaIn = 0xffff - this.addressDeltaOut;
    this.deltaIn = 0xffff - this.deltaOut;
  }

  /** One lookup, and none for the one that was used last. */
  find(address: number, port: number): Session | null {
    const { recent, sessions } = this;
    if (recent !== null && recent.remoteAddress === address && recent.remotePort === port) {
      return recent;
    }
    if (sessions === null) return null;
    const found = sessions.get(endpointKey(address, port)) ?? null;
    if (found !== null) this.recent = found;
    return found;
  }

  add(session: Session): void {
    if (this.recent !== null && this.sessions === null) {
      const first = this.recent;
      this.sessions = new Map([[endpointKey(first.remoteAddress, first.remotePort), first]]);
    }
    this.sessions?.set(endpointKey(session.remoteAddress, session.remotePort), session);
    this.recent = session;
  }

  /** True when it was the last one. */
  remove(session: Session): boolean {
    const { sessions } = this;
    sessions?.delete(endpointKey(session.remoteAddress, session.remotePort));
    if (this.recent === session) {
      this.recent = null;
      if (sessions !== null) {
        for (const other of sessions.values()) {
          this.recent = other;
          break;
        }
      }
    }
    return this.recent === null;
  }

  get list(): Session[] {
    if (this.sessions !== null) return [...this.sessions.values()];
    return this.recent === null ? [] : [this.recent];
  }
}

export class Session implements Listed, Handshake {
  readonly mapping: Mapping;
  readonly remoteAddress: Ipv4Address;
  /** 0 for ICMP. */
  readonly remotePort: number;
  /** Whose share of the table it is in: its host's, or that of all who began from outside. */
  readonly share: HostSessions<Session>;
  /** The way to the remote endpoint; null before it was needed. */
  hop: ForwardingHop | null = null;
  usedAt: Instant;
  listedAt: Instant;
  /** tcp-state.ts; 0 for others. */
  state = 0;
  synSeq: number | null = null;
  isEstablished = false;
  readonly timer: Timer;

  constructor(
    mapping: Mapping,
    remoteAddress: Ipv4Address,
    remotePort: number,
    share: HostSessions<Session>,
    now: Instant,
    expire: (session: Session, now: Instant) => void,
  ) {
    this.mapping = mapping;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.share = share;
    this.usedAt = now;
    this.listedAt = now;
    this.timer = new Timer((at) => expire(this, at));
  }
}

/** An address and a port as one number: exact, below 2^48. */
export const endpointKey = (address: number, port: number): number => address * 65_536 + port;

/** What a quoted packet's transport checksum at `at`, `sum`, becomes. */
export function quotedSum(protocol: number, sum: number, addressDelta: number, delta: number) {
  const change = protocol === PROTOCOL_ICMP ? folded(delta + 0xffff - addressDelta) : delta;
  return adjusted(sum, change);
}
