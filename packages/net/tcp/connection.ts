// tidy: int32
/**
 * One connection: RFC 9293's TCB, and the application's side of it (`Flow`). What happens to it
 * lives in files named by what happens: predicted.ts and arrives.ts (segments in), ack.ts,
 * recovery.ts, output.ts and emit.ts (segments out), timers.ts. Every field is set in the
 * constructor, so that all connections have one shape.
 */

import { assert, FOREVER, type Instant, type SeqNumber, seqDistance, seqOf, Timer } from '#core';
import type { Endpoint, Flow, FlowEnd, FlowHandler } from '#device';
import type { Ipv4Address, Route } from '../ip.ts';
import { PROTOCOL_TCP } from '../ip.ts';
import { formatIpv4Address } from '../ip-address.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { INITIAL_WINDOW_SEGMENTS, RTO_INITIAL } from './limits.ts';
import type { ReceiveQueue } from './receive-queue.ts';
import type { Scoreboard } from './scoreboard.ts';
import type { TcpStack } from './stack.ts';
import {
  CLOSE_WAIT,
  CLOSED,
  ESTABLISHED,
  isFinQueued,
  nextState,
  STATE_NAMES,
  type State,
  type StateEvent,
  SYN_RECEIVED,
  SYN_SENT,
} from './state.ts';
import { onTimer } from './timers.ts';

/** Who waits for a connection to open: a listener, or the caller of connect. */
export interface Opener {
  /** The connection opened; false when nobody wants it any more. */
  opened(connection: Connection): boolean;
  /** It never will. */
  failed(connection: Connection, how: FlowEnd | 'unreachable'): void;
}

/**
 * Until the application attaches its own: nothing can be delivered, so the stack aborts such a
 * connection.
 */
const NOBODY: FlowHandler = { data() {}, drained() {}, end() {}, closed() {} };
const LOW_WATER_BYTES = 65_536;

export class Connection implements Flow {
  // Fixed: who talks to whom.
  readonly stack: TcpStack;
  readonly route: Route;
  readonly localAddress: Ipv4Address;
  readonly remoteAddress: Ipv4Address;
  /** Both ports in one word, as in a segment that comes in, and in one that goes out. */
  readonly portsIn: number;
  readonly portsOut: number;
  /** Sum of the pseudo-header without the length, 0..0xffff. */
  readonly pseudoSum: number;
  /** The next connection under the same key of the table. */
  chain: Connection | undefined = undefined;
  opener: Opener | null;
  handler: FlowHandler = NOBODY;

  // State; written by `enter` only, but for predictable.
  state: State = CLOSED;
  /**
   * Header prediction may be used: ESTABLISHED, not paused, nothing queued to read, not recovering.
   */
  predictable = false;
  /** The stack will settle this connection before it goes to sleep. */
  scheduled = false;
  /** In the stack's list of connections to settle, at most once. */
  listed = false;
  /** Set when the connection is over, until the handler has been told. */
  over: FlowEnd | null = null;

  // Sending, RFC 9293 §3.3.1; output.ts and ack.ts.
  readonly iss: SeqNumber;
  sndUna: SeqNumber;
  sndNxt: SeqNumber;
  /** The highest sndNxt ever: a retransmission timeout takes sndNxt back, RFC 6298. */
  sndMax: SeqNumber;
  sndWnd = 0;
  sndWndMax = 0;
  /** Sequence number of the segment that last set sndWnd. */
  sndWl1: SeqNumber = seqOf(0);
  sndShift = 0;
  /** Payload bytes of a full segment, and of the largest that the device cuts for us. */
  mss: number;
  segmentBytesMax: number;
  /** End of the last segment that was not full: Minshall's variant of Nagle's rule. */
  sndSmall: SeqNumber;
  nagle: boolean;
  finQueued = false;
  finSent = false;
  /**
   * What is written and not acknowledged: chunks[head] from headAt; sndNxt is at chunks[cursor],
   * cursorAt.
   */
  readonly chunks: Uint8Array[] = [];
  head = 0;
  headAt = 0;
  cursor = 0;
  cursorAt = 0;
  queuedBytes = 0;
  lowWaterBytes = LOW_WATER_BYTES;
  aboveLowWater = false;
  /**
   * Acknowledged by segments without data since the stack last settled this connection, and how
   * many segments said so: predicted.ts notes it, ack.ts does it.
   */
  heldBytes = 0;
  heldCount = 0;

  // Receiving; arrives.ts and predicted.ts.
  rcvNxt: SeqNumber = seqOf(0);
  /** The right edge of the window that we told the peer; it never goes back. */
  rcvEdge: SeqNumber = seqOf(0);
  rcvShift = 0;
  /** Both sides sent the window scale option; else the shifts are 0. */
  windowScaling = false;
  /** The window field while nothing is queued, and its worth in bytes. */
  windowField = 0;
  windowBytes: number;
  queue: ReceiveQueue | null = null;
  paused = false;
  /** The peer's FIN, seen but after a hole. */
  finSeen = false;
  finSeq: SeqNumber = seqOf(0);
  /** `end` is owed to the handler, once all data is delivered. */
  endDue = false;
  /** Data segments that are not acknowledged; and an acknowledgment that can't wait. */
  ackSegments = 0;
  ackNow = false;
  challengedAt: Instant;

  // Time; timers.ts. The timer's deadline is never after rtoAt and ackAt, and may be before.
  readonly timer: Timer;
  rtoAt: Instant = FOREVER;
  ackAt: Instant = FOREVER;
  srtt = 0;
  rttvar = 0;
  rto: number = RTO_INITIAL;
  retries = 0;
  /** One segment is timed at once (RFC 6298 §3): its end, and when it left; -1 when none is. */
  rttSeq: SeqNumber;
  rttAt = -1;
  sentAt: Instant;

  // Congestion, RFC 5681; ack.ts and recovery.ts.
  cwnd: number;
  ssthresh: number = Number.POSITIVE_INFINITY;
  /** Bytes acknowledged since cwnd last grew in congestion avoidance. */
  growth = 0;
  dupAcks = 0;
  recovering = false;
  /** sndMax when recovery began. */
  recover: SeqNumber;
  /** Everything below has been retransmitted in this recovery: RFC 6675's HighRxt. */
  highRxt: SeqNumber;
  sackOk = false;
  scoreboard: Scoreboard | null = null;

  constructor(
    stack: TcpStack,
    route: Route,
    localPort: number,
    remotePort: number,
    iss: SeqNumber,
    opener: Opener,
  ) {
    this.stack = stack;
    this.route = route;
    this.localAddress = route.source;
    this.remoteAddress = route.destination;
    this.portsIn = (remotePort << 16) | localPort;
    this.portsOut = (localPort << 16) | remotePort;
    this.pseudoSum = pseudoHeaderSum(route.source, route.destination, PROTOCOL_TCP, 0);
    this.opener = opener;
    this.iss = iss;
    this.sndUna = iss;
    this.sndNxt = iss;
    this.sndMax = iss;
    this.sndSmall = iss;
    this.recover = iss;
    this.highRxt = iss;
    this.rttSeq = iss;
    this.mss = stack.mssOf(route, 0);
    this.segmentBytesMax = this.mss;
    this.cwnd = INITIAL_WINDOW_SEGMENTS * this.mss;
    this.nagle = stack.nagle;
    this.windowBytes = stack.limits.receiveWindowBytes;
    this.challengedAt = 0 as Instant;
    this.sentAt = stack.timers.now;
    this.timer = new Timer((now) => onTimer(this, now));
  }

  get local(): Endpoint {
    return { address: formatIpv4Address(this.localAddress), port: this.portsIn & 0xffff };
  }

  get remote(): Endpoint {
    return { address: formatIpv4Address(this.remoteAddress), port: this.portsOut & 0xffff };
  }

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  /** Asked after calls that may have closed the connection. */
  isClosed(): boolean {
    return this.state === CLOSED;
  }

  get isAttached(): boolean {
    return this.handler !== NOBODY;
  }

  write(bytes: Uint8Array): void {
    if (this.state !== ESTABLISHED && this.state !== CLOSE_WAIT) return;
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.queuedBytes += bytes.length;
    if (this.queuedBytes > this.lowWaterBytes) this.aboveLowWater = true;
    if (!this.scheduled) this.stack.schedule(this);
  }

  shutdown(): void {
    if (this.state !== ESTABLISHED && this.state !== CLOSE_WAIT) return;
    this.enter('shutdown');
    if (!this.scheduled) this.stack.schedule(this);
  }

  abort(): void {
    if (this.state !== CLOSED) this.stack.abort(this, 'reset');
    else this.stack.dropUnread(this);
  }

  pause(): void {
    this.paused = true;
    this.predictable = false;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.updatePrediction();
    if (!this.scheduled) this.stack.schedule(this);
  }

  /** The only place where the state changes. */
  enter(event: StateEvent): void {
    this.state = nextState(this.state, event);
    this.finQueued = isFinQueued(this.state);
    this.updatePrediction();
  }

  /** First state of an active open. */
  startActive(): void {
    assert(this.state === CLOSED);
    this.state = SYN_SENT;
  }

  /** First state of a passive open: LISTEN is the listener's. */
  startPassive(): void {
    assert(this.state === CLOSED);
    this.state = SYN_RECEIVED;
  }

  updatePrediction(): void {
    this.predictable = this.isPredictable();
  }

  /** For logs and inspection. */
  info(): Readonly<Record<string, number | string>> {
    return {
      local: `${this.local.address}:${this.local.port}`,
      remote: `${this.remote.address}:${this.remote.port}`,
      state: STATE_NAMES[this.state],
      queuedBytes: this.queuedBytes,
      flightBytes: seqDistance(this.sndMax, this.sndUna),
      sendWindowBytes: this.sndWnd,
      congestionWindowBytes: this.cwnd,
      receiveQueueBytes: this.queue?.readyBytes ?? 0,
      mssBytes: this.mss,
      smoothedRttMicros: this.srtt,
      retransmitTimeoutMicros: this.rto,
    };
  }

  checkInvariants(): void {
    if (this.state === CLOSED) return;
    assert(seqDistance(this.sndNxt, this.sndUna) >= 0, 'sndUna <= sndNxt');
    assert(seqDistance(this.sndMax, this.sndNxt) >= 0, 'sndNxt <= sndMax');
    assert(seqDistance(this.rcvEdge, this.rcvNxt) >= 0, 'rcvNxt <= rcvEdge');
    assert(this.predictable === this.isPredictable(), 'predictable');
    assert(this.queue === null || !this.queue.isEmpty, 'an empty receive queue');
    const next = Math.min(this.rtoAt, this.ackAt);
    assert(this.timer.at <= next, 'the timer is not after what is due');
    const outstanding = seqDistance(this.sndMax, this.sndUna);
    assert(outstanding === 0 || this.rtoAt !== FOREVER, 'what is in flight is timed');
    assert(this.cwnd >= this.mss, 'cwnd is at least one segment');
    assert(this.heldBytes >= 0 && this.heldBytes <= outstanding, 'held acknowledgments');
    assert(this.heldBytes === 0 || this.scheduled, 'held acknowledgments are settled soon');
    this.queue?.checkInvariants();
    this.scoreboard?.checkInvariants(this.sndUna, this.sndMax);
    this.checkSendQueue();
  }

  private checkSendQueue(): void {
    let bytes = -this.headAt;
    let unsent = -this.cursorAt;
    for (let i = this.head; i < this.chunks.length; i++) {
      bytes += this.chunks[i]!.length;
      if (i >= this.cursor) unsent += this.chunks[i]!.length;
    }
    assert(bytes === this.queuedBytes, 'queuedBytes');
    if (this.state < ESTABLISHED) return;
    const sent = Math.min(this.queuedBytes, seqDistance(this.sndNxt, this.sndUna));
    assert(unsent === this.queuedBytes - sent, 'the cursor is at sndNxt');
  }

  private isPredictable(): boolean {
    return this.state === ESTABLISHED && !this.paused && this.queue === null && !this.recovering;
  }
}
