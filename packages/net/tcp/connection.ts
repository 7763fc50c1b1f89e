// tidy: int32
/**
 * One connection: RFC 9293's TCB, and the application's side of it (`Flow`). What happens to it
 * lives in files named by what happens: predicted.ts and arrives.ts (segments in), ack.ts,
 * recovery.ts, output.ts and emit.ts (segments out), timers.ts. Connections come and
 * go by the hundred a second: fields are set once, in the constructor, and rare ones not at all.
 */

import {
  assert,
  type Duration,
  FOREVER,
  type Instant,
  type SeqNumber,
  seqDistance,
  TIMER_IDLE,
  type Timer,
} from '#core';
import type { Endpoint, Flow, FlowEnd, FlowHandler } from '#device';
import type { IpAddress, Route } from '../ip.ts';
import { PROTOCOL_TCP } from '../ip.ts';
import { formatIpAddress } from '../ip-family.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { TCP_HEADER_BYTES } from '../wire/tcp.ts';
import type { Cubic } from './cubic.ts';
import { abort, dropUnread } from './ending.ts';

import type { Flight } from './flight.ts';

import { type KeepAlive, setKeepAlive } from './keep-alive.ts';

import { INITIAL_WINDOW_SEGMENTS, LOW_WATER_BYTES, RTO_INITIAL } from './limits.ts';
import { type LossState, OPEN, type Repair, TIMEOUT } from './loss-state.ts';
import type { PathProbe } from './path-probe.ts';
import type { ReceiveQueue } from './receive-queue.ts';
import { chargeChunks, NO_CHUNKS } from './send-queue.ts';
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

export class Connection implements Flow, Timer {
  // Fixed: who talks to whom.
  declare readonly stack: TcpStack;
  declare readonly route: Route;
  /** Changed only for another object of the same address (`findSame` of connection-table.ts). */
  declare localAddress: IpAddress;
  declare remoteAddress: IpAddress;
  /** TCP's header with the options of every segment: 20, or 32 with timestamps. */
  declare headerBytes: number;
  /** Both ports in one word, as in a segment that comes in. */
  declare readonly portsIn: number;
  /** Sum of the pseudo-header without the length, 0..0xffff. */
  declare readonly pseudoSum: number;
  /** The next connection under the same key of the table. */
  declare chain: Connection | undefined;
  declare opener: Opener | null;
  declare handler: FlowHandler;

  // State; written by `enter` only, but for predictable.
  declare state: State;
  /**
   * Header prediction may be used: ESTABLISHED, not paused, nothing queued to read, no loss
   * suspected, no ECN.
   */
  declare predictable: boolean;
  /** The stack will settle this connection before it goes to sleep. */
  declare scheduled: boolean;
  /** In the stack's list of connections to settle, at most once. */
  declare listed: boolean;
  /** The handler is owed `end` or `closed`, once all data is delivered. */
  declare isEnding: boolean;
  declare endDue: boolean;
  /** Set when the connection is over, until the handler has been told. */
  declare over: FlowEnd | null;

  // Sending, RFC 9293 §3.3.1; output.ts and ack.ts.
  declare sndUna: SeqNumber;
  declare sndNxt: SeqNumber;
  /** The highest sndNxt ever: a retransmission timeout takes sndNxt back, RFC 6298. */
  declare sndMax: SeqNumber;
  declare sndWnd: number;
  declare sndWndMax: number;
  /** Sequence number of the segment that last set sndWnd. */
  declare sndWl1: SeqNumber;
  declare sndShift: number;
  /** Payload bytes of a full segment. */
  declare mss: number;
  /** End of the last segment that was not full: Minshall's variant of Nagle's rule. */
  declare sndSmall: SeqNumber;
  declare finQueued: boolean;
  declare finSent: boolean;
  /**
   * What is written and not acknowledged: chunks[head] from headAt; sndNxt is at chunks[cursor],
   * cursorAt.
   */
  declare chunks: Uint8Array[];
  declare head: number;
  declare headAt: number;
  declare cursor: number;
  declare cursorAt: number;
  declare queuedBytes: number;
  /**
   * lowWaterBytes, and half a byte more when the application set it: nothing else may then raise
   * it, and a field that says so would be one too many (RARE).
   */
  declare mark: number;
  /** `drained` is due when no more than this is queued; -1 when it isn't. */
  declare drainAt: number;
  declare noDelay: boolean;
  /** See ecn.ts; 0 while it isn't in use. */
  declare ecn: number;
  /** What the budget was charged for `chunks`, the array: send-queue.ts. */
  declare chargedBytes: number;
  /** What the stack last raised the mark to, or would have. */
  declare sendMark: number;
  /**
   * Acknowledged by segments without data since the stack last settled this connection, and how
   * many segments said so: predicted.ts notes it, ack.ts does it.
   */
  declare heldBytes: number;
  declare heldCount: number;

  // Receiving; arrives.ts and predicted.ts.
  declare rcvNxt: SeqNumber;
  /** The right edge of the window that we told the peer; it never goes back. */
  declare rcvEdge: SeqNumber;
  declare rcvShift: number;
  /** Both sides sent the window scale option; else the shifts are 0. */
  declare windowScaling: boolean;
  /** The window while nothing is queued: a whole number of the field's units. */
  declare windowBytes: number;
  /** Where passWindowMark of window.ts looks again, when it was set; at the start or for a hole. */
  declare windowMark: SeqNumber;
  declare windowMarkAt: Instant;
  declare markIsFresh: boolean;
  declare queue: ReceiveQueue | null;
  declare paused: boolean;
  /** The peer's FIN, seen but after a hole. */
  declare finSeen: boolean;
  declare finSeq: SeqNumber;
  /** Data segments that are not acknowledged; and an acknowledgment that can't wait. */
  declare ackSegments: number;
  declare ackNow: boolean;
  declare challengedAt: Instant;
  /** What the peer had when probing of its closed window began: timers.ts. */
  declare stuck: { readonly una: SeqNumber; readonly since: Instant } | null;
  declare keepAlive: KeepAlive | null;
  /** What had come and gone when memory.ts last looked, and since when. */
  declare idle: { mark: number; since: Instant } | null;

  // Time; timers.ts. A connection is its own timer, whose deadline `at` is never after rtoAt,
  // lossAt and ackAt, and may be before.
  declare at: Instant;
  declare queuedAt: Instant;
  declare place: number;
  declare order: number;
  declare rtoAt: Instant;
  /** A tail loss probe, or the end of a reordering window: RFC 8985. */
  declare lossAt: Instant;
  declare ackAt: Instant;
  declare srtt: number;
  declare rttvar: number;
  declare rto: number;
  declare retries: number;
  /** An acknowledgment beyond it measures a round trip: one measurement a trip, RFC 6298 §3. */
  declare rttSeq: SeqNumber;
  /** When data last left; all of the flight did then, while `flight` is null. */
  declare sentAt: Instant;

  // Timestamps, RFC 7323; timestamps.ts: the peer's last, and the origin of ours.
  declare timestampRecent: number;
  declare timestampOffset: number;

  // Congestion and loss; ack.ts, cubic.ts, recovery.ts.
  declare cwnd: number;
  declare ssthresh: number;
  declare cubic: Cubic | null;
  declare repair: Repair;
  /** Duplicate acknowledgments of a peer without SACK. */
  declare dupAcks: number;
  declare sackOk: boolean;
  declare flight: Flight | null;
  declare loss: LossState | null;
  declare pathProbe: PathProbe | null;

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
    this.headerBytes = TCP_HEADER_BYTES;
    this.pseudoSum = pseudoHeaderSum(route.source, route.destination, PROTOCOL_TCP, 0);
    this.opener = opener;
    this.handler = NOBODY;
    this.state = CLOSED;
    this.predictable = false;
    this.scheduled = false;
    this.listed = false;
    this.isEnding = false;
    this.startSending(iss, stack.mssOf(route, 0));
    this.startReceiving(stack.limits.receiveWindowBytes);
    this.at = FOREVER;
    this.queuedAt = FOREVER;
    this.place = TIMER_IDLE;
    this.order = 0;
    this.rtoAt = FOREVER;
    this.lossAt = FOREVER;
    this.ackAt = FOREVER;
    this.srtt = 0;
    this.rttvar = 0;
    this.rto = RTO_INITIAL;
    this.rttSeq = iss;
    this.sentAt = stack.timers.now;
  }

  private startSending(iss: SeqNumber, mss: number): void {
    this.sndUna = iss;
    this.sndNxt = iss;
    this.sndMax = iss;
    this.sndWnd = 0;
    this.sndWndMax = 0;
    this.sndWl1 = iss;
    this.sndShift = 0;
    this.mss = mss;
    this.sndSmall = iss;
    this.finQueued = false;
    this.chunks = NO_CHUNKS;
    this.head = 0;
    this.headAt = 0;
    this.cursor = 0;
    this.cursorAt = 0;
    this.queuedBytes = 0;
    this.mark = LOW_WATER_BYTES;
    this.heldBytes = 0;
    this.cwnd = INITIAL_WINDOW_SEGMENTS * mss;
    this.repair = OPEN;
    this.flight = null;
  }

  private startReceiving(windowBytes: number): void {
    this.rcvNxt = 0 as SeqNumber;
    this.rcvEdge = 0 as SeqNumber;
    this.rcvShift = 0;
    this.windowBytes = windowBytes;
    this.windowMark = 0 as SeqNumber;
    this.queue = null;
    this.paused = false;
    this.ackSegments = 0;
    this.ackNow = false;
  }

  get lowWaterBytes(): number {
    return Math.floor(this.mark);
  }

  set lowWaterBytes(bytes: number) {
    this.mark = bytes + 0.5;
  }

  get local(): Endpoint {
    return { address: formatIpAddress(this.localAddress), port: this.portsIn & 0xffff };
  }

  get remote(): Endpoint {
    return { address: formatIpAddress(this.remoteAddress), port: this.portsIn >>> 16 };
  }

  /** TimerQueue calls it. */
  fire(now: Instant): void {
    onTimer(this, now);
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

  /** Tells the handler of the end, and forgets it: they hold each other. */
  tellClosed(how: FlowEnd): void {
    const { handler } = this;
    this.handler = NOBODY;
    handler.closed(how);
  }

  write(bytes: Uint8Array): void {
    if (this.state !== ESTABLISHED && this.state !== CLOSE_WAIT) return;
    if (bytes.length === 0) return;
    if (this.chunks === NO_CHUNKS) this.chunks = [];
    this.chunks.push(bytes);
    this.queuedBytes += bytes.length;
    if (this.queuedBytes > LOW_WATER_BYTES || this.queuedBytes > this.mark) markDrain(this);
    if (!this.scheduled) this.stack.schedule(this);
  }

  shutdown(): void {
    if (this.state !== ESTABLISHED && this.state !== CLOSE_WAIT) return;
    this.enter('shutdown');
    if (!this.scheduled) this.stack.schedule(this);
  }

  abort(): void {
    if (this.state !== CLOSED) abort(this, 'reset');
    else dropUnread(this);
  }

  askIfAlive(idle: Duration | null): void {
    if (this.state !== CLOSED) setKeepAlive(this, idle);
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
    const next = Math.min(this.rtoAt, this.lossAt, this.ackAt);
    assert(this.at <= next, 'the timer is not after what is due');
    const outstanding = seqDistance(this.sndMax, this.sndUna);
    assert(outstanding === 0 || this.rtoAt !== FOREVER, 'what is in flight is timed');
    assert(this.cwnd >= this.mss, 'cwnd is at least one segment');
    assert(this.heldBytes >= 0 && this.heldBytes <= outstanding, 'held acknowledgments');
    assert(this.heldBytes === 0 || this.scheduled, 'held acknowledgments are settled soon');
    this.queue?.checkInvariants();
    this.flight?.checkInvariants(this.sndUna, this.sndMax);
    const isOdd = this.flight !== null && this.flight.sackedBytes + this.flight.lostBytes > 0;
    assert(this.repair !== OPEN || !isOdd, 'an open connection repairs nothing');
    assert(this.cwnd % 1 === 0 && this.repair <= TIMEOUT);
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
    if (this.state !== ESTABLISHED || this.paused || this.queue !== null) return false;
    return this.repair === OPEN && this.ecn === 0;
  }
}

/**
 * What few connections ever change stands here until they do: it costs a connection neither time
 * nor memory. (A field with `declare` is only a type; all others are set in the constructor.)
 * QuickJS keeps 63 fields in 1 KiB and the 64th in 2 (docs/decisions/0004-connection-memory.md):
 * bench/connection-memory.ts shows when that happens.
 */
const RARE = {
  chain: undefined,
  endDue: false,
  over: null,
  finSent: false,
  finSeen: false,
  finSeq: 0 as SeqNumber,
  // Nearly every peer offers both.
  sackOk: true,
  windowScaling: true,
  timestampRecent: 0,
  timestampOffset: 0,
  drainAt: -1,
  noDelay: false,
  ecn: 0,
  chargedBytes: 0,
  sendMark: LOW_WATER_BYTES,
  windowMarkAt: 0 as Instant,
  markIsFresh: true,
  heldCount: 0,
  challengedAt: 0 as Instant,
  stuck: null,
  keepAlive: null,
  idle: null,
  retries: 0,
  ssthresh: Number.POSITIVE_INFINITY,
  cubic: null,
  dupAcks: 0,
  loss: null,
  pathProbe: null,
} satisfies Partial<Connection>;
Object.assign(Connection.prototype, RARE);

/**
 * Says when `drained` is due, after a write that left more queued than some mark: at the mark that
 * was passed. A writer with a bound of its own may never pass one that grew: then at half of what
 * it queues, so that it isn't forgotten.
 */
function markDrain(c: Connection): void {
  const { queuedBytes, mark } = c;
  if (queuedBytes > mark) {
    c.drainAt = mark;
    chargeChunks(c);
  } else if (Number.isInteger(mark)) c.drainAt = Math.max(LOW_WATER_BYTES, queuedBytes / 2);
}
