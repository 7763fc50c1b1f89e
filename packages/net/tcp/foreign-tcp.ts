// tidy: int32
/**
 * Connections to hosts that we stand in for (../foreign.ts): a SYN is held, unanswered, until who
 * was told of it has reached the host itself; then it is accepted, or refused as that host or the
 * way to it did. So the peer's connect says what is true. Read first: listen.ts. Not here: who
 * reaches the host (packages/gateway); cookies, which need nobody to wait for.
 */

import { after, assert, err, ok, type Result, type SeqNumber, Timer } from '#core';
import type { ConnectError, Flow, FlowEnd } from '#device';
import type { ForeignAddresses, ForeignErrors, ForeignFault } from '../foreign.ts';
import { type IpAddress, PROTOCOL_TCP } from '../ip.ts';
import { formatIpAddress } from '../ip-family.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { TCP_ACK, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import type { Connection, Opener } from './connection.ts';
import { emitBare } from './emit.ts';
import { HELD_SYN_LENGTH, HELD_SYNS_MAX, HELD_SYNS_PER_PEER_MAX } from './limits.ts';
import { openPassive } from './listen.ts';
import type { Segment } from './segment.ts';
import type { TcpStack } from './stack.ts';

/** What an error quotes: Ethernet, an IP header without much before TCP's, and that one. */
const QUOTED_BYTES_MAX = 160;

export interface ForeignTcpHandler {
  /**
   * A peer wants to connect to `syn.destination`: end its wait by `accept`, `refuse`, `fail` or
   * `drop`, now or later.
   */
  opening(syn: HeldSyn): void;
}

export class ForeignTcp {
  readonly counters = {
    foreignSyns: 0,
    foreignSynsRepeated: 0,
    /** Dropped: too many wait, of all peers or of one. */
    foreignSynsFull: 0,
    foreignSynsPeerFull: 0,
    foreignAccepted: 0,
    foreignRefused: 0,
    foreignFailed: 0,
    /** Given up by who was told, by the peer, or after HELD_SYN_LENGTH. */
    foreignDropped: 0,
    foreignCancelled: 0,
    foreignTimeouts: 0,
    /** No memory for the connection. */
    foreignNoRoom: 0,
  };
  readonly stack: TcpStack;
  readonly errors: ForeignErrors;
  private readonly addresses: ForeignAddresses;
  private readonly handler: ForeignTcpHandler;
  /** In order of arrival, which is that of their ends. */
  private readonly held = new Map<string, HeldSyn>();
  private readonly heldOf = new Map<string, number>();
  private readonly timer: Timer;

  /** Takes what `addresses` says from now on. */
  constructor(
    stack: TcpStack,
    addresses: ForeignAddresses,
    errors: ForeignErrors,
    handler: ForeignTcpHandler,
  ) {
    assert(stack.foreign === null);
    this.stack = stack;
    this.addresses = addresses;
    this.errors = errors;
    this.handler = handler;
    this.timer = new Timer(() => this.expire());
    stack.foreign = this;
  }

  get heldCount(): number {
    return this.held.size;
  }

  takes(destination: IpAddress): boolean {
    return this.addresses.takes(destination);
  }

  /** A segment of no connection to a host that we stand in for. `iss`: see arrivesListen. */
  arrives(s: Segment, iss: SeqNumber | null): void {
    const peer = formatIpAddress(s.source);
    const key = `${peer} ${s.ports} ${formatIpAddress(s.destination)}`;
    const known = this.held.get(key);
    if (s.flags & TCP_RST) {
      // Of one that isn't answered yet only its own number can be known.
      if (known !== undefined && ((s.seq - known.segment.seq) | 0) === 1) known.cancel();
      return;
    }
    if (s.flags & TCP_ACK) {
      this.stack.reset(s);
      return;
    }
    if ((s.flags & TCP_SYN) === 0) {
      this.stack.counts.noSyn += 1;
      return;
    }
    if (known !== undefined) {
      if (known.segment.seq === s.seq) {
        this.counters.foreignSynsRepeated += 1;
        known.segment.options.timestamp = s.options.timestamp;
        return;
      }
      // The peer began anew.
      known.cancel();
    }
    this.hold(s, key, peer, iss);
  }

  /** Gives up what is held, and takes nothing more. Connections go on. */
  close(): void {
    for (const syn of [...this.held.values()]) syn.giveUp();
    this.stack.timers.stop(this.timer);
    this.stack.foreign = null;
  }

  /** Called by HeldSyn when its wait is over. */
  release(syn: HeldSyn): void {
    this.held.delete(syn.key);
    const left = (this.heldOf.get(syn.peer) ?? 0) - 1;
    if (left > 0) this.heldOf.set(syn.peer, left);
    else this.heldOf.delete(syn.peer);
  }

  checkInvariants(): void {
    assert(this.held.size <= HELD_SYNS_MAX);
    let sum = 0;
    for (const count of this.heldOf.values()) {
      assert(count > 0 && count <= HELD_SYNS_PER_PEER_MAX);
      sum += count;
    }
    assert(sum === this.held.size);
    for (const [key, syn] of this.held) assert(syn.key === key && syn.isHeld);
  }

  private hold(s: Segment, key: string, peer: string, iss: SeqNumber | null): void {
    const { counters } = this;
    const ofPeer = this.heldOf.get(peer) ?? 0;
    // The SYN comes again, when there may be room.
    if (this.held.size >= HELD_SYNS_MAX) {
      counters.foreignSynsFull += 1;
      return;
    }
    if (ofPeer >= HELD_SYNS_PER_PEER_MAX) {
      counters.foreignSynsPeerFull += 1;
      return;
    }
    counters.foreignSyns += 1;
    const syn = new HeldSyn(this, s, key, peer, iss);
    this.held.set(key, syn);
    this.heldOf.set(peer, ofPeer + 1);
    const { timers } = this.stack;
    if (this.held.size === 1) timers.arm(this.timer, syn.until);
    this.handler.opening(syn);
  }

  private expire(): void {
    const { timers } = this.stack;
    for (const syn of this.held.values()) {
      if (syn.until > timers.now) {
        timers.arm(this.timer, syn.until);
        return;
      }
      this.counters.foreignTimeouts += 1;
      syn.giveUp();
    }
  }
}

/** A SYN that waits, with what its answer needs. */
export class HeldSyn implements Opener {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly port: number;
  /** Told once when the peer or the clock ends the wait; no call does anything afterwards. */
  cancelled: () => void = () => {};
  readonly key: string;
  readonly peer: string;
  readonly until;
  readonly segment: Segment;
  private readonly owner: ForeignTcp;
  private readonly iss: SeqNumber | null;
  private tell: ((result: Result<Flow, ConnectError>) => void) | null = null;
  isHeld = true;

  constructor(owner: ForeignTcp, s: Segment, key: string, peer: string, iss: SeqNumber | null) {
    this.owner = owner;
    this.key = key;
    this.peer = peer;
    this.iss = iss;
    this.source = s.source;
    this.sourcePort = s.ports >>> 16;
    this.destination = s.destination;
    this.port = s.ports & 0xffff;
    this.until = after(owner.stack.timers.now, HELD_SYN_LENGTH);
    const frame = s.frame.slice(0, Math.min(s.payloadAt, QUOTED_BYTES_MAX));
    this.segment = { ...s, frame, payloadBytes: 0, options: { ...s.options } };
  }

  /**
   * Answers the SYN. `opened` is called once: with the flow, to which it must attach a handler,
   * when the peer has answered too, or with why there is none, perhaps within this call.
   */
  accept(opened: (result: Result<Flow, ConnectError>) => void): void {
    if (!this.end()) return;
    const { owner, segment } = this;
    const route = owner.stack.ip.route(this.source, this.destination);
    if (route === null) {
      opened(err({ kind: 'unreachable' }));
      return;
    }
    this.tell = opened;
    if (openPassive(owner.stack, this, segment, route, this.iss)) {
      owner.counters.foreignAccepted += 1;
      return;
    }
    owner.counters.foreignNoRoom += 1;
    this.tell = null;
    opened(err({ kind: 'no port' }));
  }

  /** Nobody listens there: RST. */
  refuse(): void {
    if (!this.end()) return;
    const { owner, segment: s } = this;
    owner.counters.foreignRefused += 1;
    const route = owner.stack.ip.route(this.source, this.destination);
    if (route === null) return;
    const sum = pseudoHeaderSum(s.destination, s.source, PROTOCOL_TCP, 0);
    const ports = (s.ports << 16) | (s.ports >>> 16);
    emitBare(owner.stack, route, sum, ports, 0, (s.seq + 1) | 0, TCP_RST | TCP_ACK, 0, null);
  }

  /** There is no way there, or not from here: an ICMP error. */
  fail(fault: ForeignFault): void {
    if (!this.end()) return;
    this.owner.counters.foreignFailed += 1;
    this.owner.errors(this.segment.frame, this.segment.frame.length, fault);
  }

  /** Says nothing: the peer's next SYN is a new one. */
  drop(): void {
    if (this.end()) this.owner.counters.foreignDropped += 1;
  }

  /** The peer doesn't want it any more. */
  cancel(): void {
    if (!this.isHeld) return;
    this.owner.counters.foreignCancelled += 1;
    this.giveUp();
  }

  /** Ends the wait, and tells who was to end it. */
  giveUp(): void {
    if (this.end()) this.cancelled();
  }

  // Opener, once accepted.

  opened(connection: Connection): boolean {
    const { tell } = this;
    this.tell = null;
    tell?.(ok(connection));
    return tell !== null;
  }

  failed(_: Connection, how: FlowEnd | 'unreachable'): void {
    const { tell } = this;
    this.tell = null;
    tell?.(err({ kind: how === 'reset' || how === 'closed' ? 'refused' : how }));
  }

  /** False when it was over already. */
  private end(): boolean {
    if (!this.isHeld) return false;
    this.isHeld = false;
    this.owner.release(this);
    return true;
  }
}
