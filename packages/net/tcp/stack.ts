// tidy: int32
/**
 * TCP for all connections of a machine: the way from a packet to its connection, the table, and the
 * end of the turn. Read first: state.ts, connection.ts. Not here: listeners and SYNs (listen.ts),
 * active opens (connect.ts), what a segment does to a connection (predicted.ts, arrives.ts), IP
 * (IpRouter, IpOutput).
 */

import {
  after,
  assert,
  hot,
  type Logger,
  type Result,
  readI32be,
  type SeqNumber,
  Timer,
  type TimerQueue,
} from '#core';
import type {
  ChecksumRequest,
  ConnectError,
  Entropy,
  Flow,
  FlowEnd,
  ListenError,
  Listener,
} from '#device';
import type { IcmpError, IcmpErrorInput } from '../icmp-error.ts';
import {
  type IpAddress,
  type IpRouter,
  PROTOCOL_TCP,
  type Route,
  type TransportInput,
} from '../ip.ts';
import { sameAddress } from '../ip-family.ts';
import { memoryBytesDefault } from '../limits.ts';
import { MemoryBudget } from '../memory-budget.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import {
  emptyTcpOptions,
  TCP_CHECKSUM_AT,
  TCP_HEADER_BYTES,
  TCP_HEADER_BYTES_MAX,
  TCP_RECEIVE_LAYOUT,
  TCP_TIMESTAMPS_LAYOUT,
  TCP_TIMESTAMPS_WORD,
} from '../wire/tcp.ts';
import { applyHeld } from './ack.ts';
import { segmentArrives } from './arrives.ts';
import { arrivesSynSent } from './arrives-syn-sent.ts';
import type { TcpConfig } from './config.ts';
import { connect } from './connect.ts';
import type { Connection } from './connection.ts';
import {
  type ConnectionTable,
  connectionsOf,
  findSame,
  keyOf,
  link,
  unlink,
} from './connection-table.ts';
import { type TcpCounters, zeroCounters } from './counters.ts';
import { noteMarks } from './ecn.ts';
import { ends } from './ending.ts';
import type { ForeignTcp } from './foreign-tcp.ts';
import { fragmentationNeeded, isInFlight, unreachable } from './icmp.ts';
import { InitialSequence } from './isn.ts';
import { JitteredRate } from './jittered-rate.ts';
import {
  CHALLENGES_PER_SECOND,
  CONNECTION_BYTES,
  checkLimits,
  DEFAULT_LIMITS,
  MSS_DEFAULT,
  MSS_MIN,
  type TcpLimits,
  TRANSMIT_RETRY,
  windowShiftOf,
} from './limits.ts';
import { arrivesElsewhere, listen, type TcpListener } from './listen.ts';
import { TcpMemory } from './memory.ts';
import { output, sendAck } from './output.ts';
import { receivePredicted } from './predicted.ts';
import { deliver } from './receive.ts';
import { emptySegment, readSegment, type Segment } from './segment.ts';
import { giveChunksBack, NO_CHUNKS } from './send-queue.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT } from './state.ts';
import { StrayResets } from './stray-resets.ts';
import { SynCookies } from './syn-cookies.ts';
import { TimeWaitTable } from './time-wait.ts';
import { TIMESTAMPS_HEADER_BYTES } from './timestamps.ts';
import { fitWindow } from './window.ts';

/** Ethernet, the longest IP header, TCP. */
const BURST_HEAD_BYTES_MAX = 94;

export class TcpStack implements TransportInput, IcmpErrorInput {
  readonly ip: IpRouter;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly log: Logger;
  readonly limits: TcpLimits;
  readonly memory: MemoryBudget;
  readonly nagle: boolean;
  readonly timestamps: boolean;
  readonly ecn: boolean;
  readonly isn: InitialSequence;
  readonly counts: TcpCounters = zeroCounters();
  readonly listeners = new Map<number, TcpListener>();
  readonly waiting: TimeWaitTable;
  /** Takes connections to hosts that we stand in for; null: there are none. */
  foreign: ForeignTcp | null = null;
  /** Half-open connections, oldest first. */
  readonly halfOpen = new Set<Connection>();
  readonly tcpMemory: TcpMemory;
  readonly cookies: SynCookies;
  /**
   * Scratch of emit.ts and output.ts: one header, one record of options; and the device's request,
   * if it sums.
   */
  readonly headerOut = new Int32Array(10);
  readonly optionsOut = emptyTcpOptions();
  readonly burstHead = new Uint8Array(BURST_HEAD_BYTES_MAX);
  readonly checksumRequest: ChecksumRequest | null;

  /** Connections by key; `chain` links those with one key. */
  readonly table: ConnectionTable = new Map();
  private connectionCount = 0;
  private readonly headerIn = new Int32Array(10);
  /** Filled for each segment that goes the general way. */
  readonly segment: Segment = emptySegment();
  /** Of the segment that emitData sends: with ECT or without. */
  protocolOut: number = PROTOCOL_TCP;
  /** Of all windows that we advertise, RFC 7323 §2. */
  readonly windowShift: number;
  /** Duplicate data that the next acknowledgment to `duplicateOf` reports, RFC 2883. */
  duplicateOf: Connection | null = null;
  duplicateStart = 0 as SeqNumber;
  duplicateEnd = 0 as SeqNumber;
  /** The largest IP packet that the device cuts into segments; 0 when it doesn't. */
  readonly segmentBytesLimit: number;
  private readonly segmentBytesLimitIpv6: number;
  /** Connections to settle at the end of the turn. */
  private dirty: Connection[] = [];
  private settling: Connection[] = [];
  private readonly turnTimer: Timer;
  private stalled = false;
  private isFlushing = false;
  private readonly strays: StrayResets;
  /** Challenge ACKs of all connections, RFC 5961 §7. */
  readonly challenges: JitteredRate;

  constructor(config: TcpConfig) {
    this.ip = config.ip;
    this.timers = config.timers;
    this.entropy = config.entropy;
    this.log = config.log;
    this.limits = config.limits ?? DEFAULT_LIMITS;
    checkLimits(this.limits);
    this.memory = config.memory ?? new MemoryBudget(memoryBytesDefault);
    this.nagle = config.nagle ?? true;
    this.timestamps = config.timestamps ?? true;
    this.ecn = config.ecn ?? false;
    this.isn = new InitialSequence(config.entropy);
    this.waiting = new TimeWaitTable(this);
    this.tcpMemory = new TcpMemory(this, this.memory);
    this.cookies = new SynCookies(config.entropy);
    const { transmitChecksum, segmentBytesMax, segmentBytesMaxIpv6 = 0 } = config.offload;
    this.checksumRequest = transmitChecksum
      ? { startAt: 0, fieldAt: TCP_CHECKSUM_AT, segmentBytes: 0, headerBytes: 0 }
      : null;
    // A device that cuts segments must sum them too.
    this.segmentBytesLimit = transmitChecksum ? Math.min(segmentBytesMax, 65_535) : 0;
    this.windowShift = windowShiftOf(this.limits.receiveWindowBytesMax);
    this.segmentBytesLimitIpv6 = Math.min(segmentBytesMaxIpv6, this.segmentBytesLimit);
    this.headerOut[7] = TCP_TIMESTAMPS_WORD;
    this.strays = new StrayResets(this);
    this.challenges = new JitteredRate(CHALLENGES_PER_SECOND, config.entropy);
    this.turnTimer = new Timer(() => this.flush());
  }

  /** Accepts connections to `port`, 0 for any free one; `accept` must attach a handler. */
  listen(port: number, accept: (flow: Flow) => void): Result<Listener, ListenError> {
    return listen(this, port, accept);
  }

  /** Opens a connection. `opened` may be called before this returns when it fails at once. */
  connect(
    address: IpAddress,
    port: number,
    opened: (result: Result<Flow, ConnectError>) => void,
  ): ReturnType<typeof connect> {
    return connect(this, address, port, opened);
  }

  packet(
    frame: Uint8Array,
    at: number,
    end: number,
    source: IpAddress,
    destination: IpAddress,
    checksumGood: boolean,
  ): void {
    const bytes = end - at;
    this.counts.segmentsIn += 1;
    if (bytes < TCP_HEADER_BYTES) {
      this.counts.malformed += 1;
      return;
    }
    const h = this.headerIn;
    // As far as timestamps, when there can be any.
    const isLong = bytes >= TIMESTAMPS_HEADER_BYTES;
    hot.unpack(isLong ? TCP_TIMESTAMPS_LAYOUT : TCP_RECEIVE_LAYOUT, frame, at, h);
    const ports = h[0]!;
    const host = typeof source === 'number' ? source : source.key;
    let c = this.table.get(host * 65_536 + ((ports >>> 16) ^ (ports & 0xffff)));
    while (
      c !== undefined &&
      (c.portsIn !== ports || c.remoteAddress !== source || c.localAddress !== destination)
    ) {
      c = c.chain;
    }
    if (c === undefined && typeof source !== 'number') {
      c = findSame(this.table, source, destination, ports);
    }
    if (!checksumGood) {
      let sum = bytes;
      if (c !== undefined) sum += c.pseudoSum;
      else sum += pseudoHeaderSum(source, destination, PROTOCOL_TCP, 0);
      if (sum > 0xffff) sum -= 0xffff;
      if (hot.checksum(frame, at, bytes, sum) !== 0xffff) {
        this.counts.checksum += 1;
        return;
      }
    }
    if (c === undefined) {
      if (readSegment(this, h, frame, at, end, source, destination))
        arrivesElsewhere(this, this.segment);
      return;
    }
    if (c.predictable && bytes === c.headerBytes && receivePredicted(c, h, frame, at, end)) {
      // More acknowledgments may follow: one settling does for all of them.
      this.counts.predicted += 1;
      if (!c.scheduled) this.schedule(c);
      return;
    }
    // While this is set, writes by handlers wait for the settling below.
    c.scheduled = true;
    if (c.predictable && receivePredicted(c, h, frame, at, end)) this.counts.predicted += 1;
    else if (readSegment(this, h, frame, at, end, source, destination)) {
      if (c.ecn !== 0) noteMarks(c, h, frame, at);
      this.arrives(c, this.segment);
      return;
    }
    this.settle(c);
  }

  /** A segment for `c` goes the general way. */
  arrives(c: Connection, s: Segment): void {
    c.scheduled = true;
    applyHeld(c);
    if (c.state === SYN_SENT) arrivesSynSent(c, s);
    else if (c.state !== CLOSED) {
      segmentArrives(c, s);
      c.updatePrediction();
    }
    this.settle(c);
  }

  /** A router or host says that a segment of ours didn't arrive. */
  icmpError(error: IcmpError): boolean {
    const b = error.transport;
    // At least the ports and the sequence number; RFC 5927 §4.1 says what to check.
    if (b.length < 8) return false;
    const out = readI32be(b, 0);
    const ports = (out << 16) | (out >>> 16);
    const c = findSame(this.table, error.destination, error.source, ports);
    if (c === undefined) return false;
    this.counts.icmpErrors += 1;
    const seq = readI32be(b, 4);
    if (!isInFlight(c, seq)) return false;
    if (error.kind === 'fragmentation needed') fragmentationNeeded(c, error.mtuBytes);
    else if (error.kind !== 'time exceeded') unreachable(c, seq);
    return true;
  }

  /** The device has room again. */
  transmitReady(): void {
    if (this.stalled) this.flush();
  }

  /**
   * Ends the turn: tells handlers what they are owed and sends what was written. The turn timer
   * calls it too.
   */
  flush(): void {
    // A device may call transmitReady while we send: the rest of this round uses the room.
    if (this.isFlushing) return;
    this.stalled = false;
    const list = this.dirty;
    if (list.length === 0) return;
    this.isFlushing = true;
    // What is scheduled from here on waits for the next round, so that this loop is bounded.
    this.dirty = this.settling;
    this.settling = list;
    for (let i = 0; i < list.length; i++) {
      const c = list[i]!;
      c.listed = false;
      this.settle(c);
    }
    list.length = 0;
    this.isFlushing = false;
    // The one that used the last room comes last, so that it can't take all of it each time.
    if (this.stalled && this.dirty.length > 1) this.dirty.push(this.dirty.shift()!);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.counts, connections: this.connectionCount, timeWait: this.waiting.size };
  }

  /** State of all connections, for logs and inspection. */
  connections(): Readonly<Record<string, number | string>>[] {
    return [...connectionsOf(this.table)].map((c) => c.info());
  }

  checkInvariants(): void {
    let count = 0;
    for (const c of connectionsOf(this.table)) {
      assert(c.state !== CLOSED, 'a closed connection in the table');
      c.checkInvariants();
      count += 1;
    }
    assert(count === this.connectionCount);
    this.foreign?.checkInvariants();
    for (const c of this.halfOpen) assert(c.state === SYN_RECEIVED);
    const { connections, halfOpen } = this.tcpMemory;
    assert(halfOpen.usedBytes === this.halfOpen.size * CONNECTION_BYTES, 'half-open memory');
    const open = count - this.halfOpen.size;
    assert(connections.usedBytes === open * CONNECTION_BYTES, 'memory of connections');
    this.memory.checkInvariants();
    this.tcpMemory.checkInvariants();
    this.waiting.checkInvariants();
  }

  // What follows is for the files of this folder.

  /** Has `c` settled at the end of the turn. */
  schedule(c: Connection): void {
    c.scheduled = true;
    this.list(c);
    if (this.timers.now < this.turnTimer.at && !this.stalled) {
      this.timers.arm(this.turnTimer, this.timers.now);
    }
  }

  /** The device had no room for a segment of `c`: comes back when it has, or after a while. */
  stall(c: Connection): void {
    this.counts.transmitFull += 1;
    this.stalled = true;
    c.scheduled = true;
    this.list(c);
    const at = after(this.timers.now, TRANSMIT_RETRY);
    if (at < this.turnTimer.at) this.timers.arm(this.turnTimer, at);
  }

  /** Its memory is charged already. */
  add(c: Connection): void {
    link(this.table, c);
    this.connectionCount += 1;
  }

  /** A connection between these exists. */
  isTaken(remote: IpAddress, ports: number): boolean {
    const key = keyOf(remote, ports);
    for (let c = this.table.get(key); c !== undefined; c = c.chain) {
      if (c.portsIn === ports && sameAddress(c.remoteAddress, remote)) return true;
    }
    return false;
  }

  leftHalfOpen(c: Connection): void {
    this.counts.opened += 1;
    const { connections, halfOpen } = this.tcpMemory;
    if (this.halfOpen.delete(c)) halfOpen.moveTo(connections, CONNECTION_BYTES);
  }

  /** Both sides have finished and the peer's FIN is to be acknowledged, perhaps again. */
  timeWait(c: Connection): void {
    sendAck(c);
    this.waiting.add(c, keyOf(c.remoteAddress, c.portsIn));
    this.remove(c, 'closed');
  }

  /**
   * Takes a connection out of the table; whoever waits for it or holds it is told at the end of the
   * turn.
   */
  remove(c: Connection, how: FlowEnd): void {
    if (c.state !== CLOSED) c.enter('gone');
    const { connections, halfOpen } = this.tcpMemory;
    const account = this.halfOpen.delete(c) ? halfOpen : connections;
    if (unlink(this.table, c)) {
      this.connectionCount -= 1;
      account.give(CONNECTION_BYTES);
    }
    giveChunksBack(c);
    this.timers.stop(c);
    c.rtoAt = c.at;
    c.lossAt = c.at;
    c.ackAt = c.at;
    c.chunks = NO_CHUNKS;
    c.queuedBytes = 0;
    c.heldBytes = 0;
    c.head = 0;
    c.headAt = 0;
    c.cursor = 0;
    c.cursorAt = 0;
    c.flight = null;
    if (this.duplicateOf === c) this.duplicateOf = null;
    c.loss = null;
    c.cubic = null;
    if (how !== 'closed') {
      // RFC 9293 §3.10.7.4: all segment queues are flushed. What came before an orderly end is
      // still delivered.
      c.queue?.release();
      c.queue = null;
      c.endDue = false;
    }
    c.over = how;
    c.isEnding = true;
    if (!c.scheduled) this.schedule(c);
  }

  /** A RST in answer to a segment that no connection accepts; rationed. */
  reset(s: Segment): void {
    this.strays.reset(s);
  }

  /**
   * RFC 6691: what fits the way, and no more than the peer's option says; 0 for no bound by the
   * peer.
   */
  mssOf(route: Route, peerMss: number): number {
    const fits = route.mtuBytes - route.headerBytes - TCP_HEADER_BYTES;
    return peerMss === 0 ? fits : Math.max(MSS_MIN, Math.min(fits, peerMss));
  }

  /** As mssOf for a SYN's options: a peer that says nothing takes 536. */
  peerMssOf(route: Route, optionMss: number): number {
    return this.mssOf(route, optionMss === 0 ? MSS_DEFAULT : optionMss);
  }

  /** Payload of the largest segment that may be handed to the device, whole multiples of `mss`. */
  segmentBytesMaxOf(route: Route, mss: number): number {
    const isIpv4 = typeof route.destination === 'number';
    const limit = isIpv4 ? this.segmentBytesLimit : this.segmentBytesLimitIpv6;
    const payload = limit - route.headerBytes - TCP_HEADER_BYTES_MAX;
    return Math.max(mss, payload - (payload % mss));
  }

  /** Once: a connection that stalls at every retry would double in the list each time. */
  private list(c: Connection): void {
    if (c.listed) return;
    c.listed = true;
    this.dirty.push(c);
  }

  /** Tells the handler what it is owed, then sends what may be sent. */
  private settle(c: Connection): void {
    c.scheduled = true;
    if (c.heldBytes > 0) applyHeld(c);
    if (c.queue !== null && !c.paused) deliver(c);
    if (c.isEnding && ends(c)) return;
    // Each attempt would end at the full device.
    if (this.stalled) this.list(c);
    else {
      c.scheduled = false;
      if (this.memory.isScarce) fitWindow(c);
      output(c);
    }
  }
}
