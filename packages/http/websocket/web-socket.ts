/**
 * One WebSocket, the server's end (RFC 6455 §5 to §7), over the flow of an upgraded connection: a
 * Flow of messages. Synchronous; time comes from the timer queue. Read first: frame-reader.ts. Not
 * here: the handshake (handshake.ts), extensions (none is ever agreed on).
 */

import {
  after,
  assert,
  type Duration,
  hot,
  type Instant,
  instantOfMicros,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import type { Endpoint, Flow, FlowEnd, FlowHandler } from '#device';
import {
  emitClose,
  emitFrameHead,
  FRAME_HEAD_BYTES_MAX,
  isCloseCode,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  parseClose,
} from '../wire/websocket-frame.ts';
import { CLOSE_POLICY, CLOSE_PROTOCOL, type FrameEvents, FrameReader } from './frame-reader.ts';
import type { WebSocketLimits } from './limits.ts';

/** RFC 6455 §7.4.1. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_ABNORMAL = 1006;

export interface WebSocketHandler {
  /** A text, or bytes that are the handler's. Never called while paused. */
  message(message: string | Uint8Array): void;
  /** As a flow's. */
  drained(): void;
  /** It is over; 1006 when no close frame said so, 1005 when one gave no code. Called once. */
  closed(code: number, reason: string): void;
}

type State =
  | 'open'
  /** We said that we close, or that the peer broke a rule, and wait for the flow to end. */
  | 'closing'
  | 'closed';

const SECOND = 1_000_000;

export class WebSocket implements FlowHandler, FrameEvents {
  /** The one that was agreed on; '': none. */
  readonly protocol: string;
  private readonly flow: Flow;
  private readonly timers: TimerQueue;
  private readonly limits: WebSocketLimits;
  private readonly reader: FrameReader;
  private readonly timer = new Timer((now) => this.tick(now));
  private handler: WebSocketHandler | null = null;
  private state: State = 'open';
  /** What `closed` will say. */
  private outcome = { code: CLOSE_ABNORMAL, reason: '' };
  private isAsked = false;
  isPaused = false;
  /** What came and waits while paused: the rest of a data event, or one that was on its way. */
  private held: Uint8Array[] = [];
  private secondStart: Instant = instantOfMicros(0);
  private controlFrames = 0;

  constructor(flow: Flow, timers: TimerQueue, limits: WebSocketLimits, protocol: string) {
    this.flow = flow;
    this.timers = timers;
    this.limits = limits;
    this.protocol = protocol;
    this.reader = new FrameReader(this, limits.messageBytesMax, true);
    flow.noDelay = true;
    this.arm(limits.pingEvery);
  }

  get local(): Endpoint {
    return this.flow.local;
  }

  get remote(): Endpoint {
    return this.flow.remote;
  }

  get queuedBytes(): number {
    return this.flow.queuedBytes;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** Sets who is told: before the call that made this returns. */
  attach(handler: WebSocketHandler): void {
    this.handler = handler;
  }

  /** Queues a message; watch `queuedBytes`. Ignored unless open. Bytes are copied. */
  send(message: string | Uint8Array): void {
    if (this.state !== 'open') return;
    if (typeof message === 'string') this.write(OPCODE_TEXT, hot.utf8Encode(message));
    else this.write(OPCODE_BINARY, message);
  }

  /** Begins the closing handshake. `code`: 1000 to 1003, 1007 to 1014, or 3000 to 4999. */
  close(code: number = CLOSE_NORMAL, reason = ''): void {
    assert(isCloseCode(code));
    if (this.state !== 'open') return;
    this.sayClose(code, reason);
  }

  /** Breaks the connection: the peer sees no close frame. */
  abort(): void {
    this.flow.abort();
  }

  pause(): void {
    this.isPaused = true;
    this.flow.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    for (let next = this.held.shift(); next !== undefined; next = this.held.shift()) {
      const taken = this.reader.take(next);
      if (taken < next.length) this.held.unshift(next.subarray(taken));
      if (this.isPaused) return;
    }
    this.flow.resume();
  }

  // The flow's events.

  data(bytes: Uint8Array): void {
    if (this.state === 'closed') return;
    this.isAsked = false;
    const taken = this.reader.take(bytes);
    // Not `slice`: a host's flow may give a Buffer, whose slices share its memory.
    if (taken < bytes.length) this.held.push(new Uint8Array(bytes.subarray(taken)));
  }

  drained(): void {
    if (this.state === 'open') this.handler?.drained();
  }

  /** No close frame came before it, or ours is on its way: either way it is over. */
  end(): void {
    this.reader.stop();
    if (this.state === 'open') this.state = 'closing';
    this.flow.shutdown();
    this.arm(this.limits.closeWait);
  }

  closed(_how: FlowEnd): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.timers.stop(this.timer);
    this.reader.stop();
    this.held = [];
    const { handler } = this;
    this.handler = null;
    handler?.closed(this.outcome.code, this.outcome.reason);
  }

  // The reader's events.

  message(message: string | Uint8Array): void {
    if (this.state === 'open') this.handler?.message(message);
  }

  control(opcode: number, payload: Uint8Array): void {
    if (opcode === OPCODE_CLOSE) {
      this.peerCloses(payload);
    } else if (opcode === OPCODE_PING && this.state === 'open') {
      if (this.flow.queuedBytes > this.limits.pongQueuedBytesMax) return;
      this.write(OPCODE_PONG, payload);
    }
  }

  idle(): void {
    const { now } = this.timers;
    if (since(this.secondStart, now) >= SECOND) {
      this.secondStart = now;
      this.controlFrames = 0;
    }
    this.controlFrames += 1;
    if (this.controlFrames <= this.limits.controlFramesPerSecond) return;
    this.reader.stop();
    this.broken(CLOSE_POLICY, 'too many frames that carry nothing');
  }

  broken(code: number, why: string): void {
    if (this.state === 'closed') return;
    if (this.state === 'open') this.sayClose(code, why);
    this.outcome = { code, reason: why };
    this.finish();
  }

  checkInvariants(): void {
    this.reader.checkInvariants();
    assert(this.controlFrames <= this.limits.controlFramesPerSecond + 1);
    assert(this.isPaused || this.held.length === 0);
  }

  private peerCloses(payload: Uint8Array): void {
    const said = parseClose(payload);
    this.reader.stop();
    if (!said.ok) {
      this.broken(CLOSE_PROTOCOL, 'a malformed close frame');
      return;
    }
    this.outcome = said.value;
    if (this.state === 'open') this.sayClose(said.value.code, '');
    this.finish();
  }

  private sayClose(code: number, reason: string): void {
    this.write(OPCODE_CLOSE, emitClose({ code, reason }));
    this.state = 'closing';
    this.arm(this.limits.closeWait);
  }

  /** Both have said it, or the peer's word doesn't count any more: the server ends the flow. */
  private finish(): void {
    this.state = 'closing';
    this.flow.shutdown();
    if (this.isGone()) return;
    this.isPaused = false;
    this.held = [];
    this.flow.resume();
    this.arm(this.limits.closeWait);
  }

  private isGone(): boolean {
    return this.state === 'closed';
  }

  private write(opcode: number, payload: Uint8Array): void {
    const bytes = new Uint8Array(FRAME_HEAD_BYTES_MAX + payload.length);
    const head = { isFinal: true, opcode, mask: null, payloadBytes: payload.length };
    const headBytes = emitFrameHead(bytes, 0, head);
    hot.copy(bytes, headBytes, payload, 0, payload.length);
    this.flow.write(bytes.subarray(0, headBytes + payload.length));
  }

  private arm(wait: Duration): void {
    if (this.state !== 'closed') this.timers.arm(this.timer, after(this.timers.now, wait));
  }

  private tick(_now: Instant): void {
    // Paused we hear nothing: TCP's own timers look after a peer that is gone.
    if (this.state === 'closing' || (this.isAsked && !this.isPaused)) {
      this.flow.abort();
      return;
    }
    this.isAsked = true;
    if (this.flow.queuedBytes <= this.limits.pongQueuedBytesMax) {
      this.write(OPCODE_PING, new Uint8Array(0));
    }
    this.arm(this.limits.pingEvery);
  }
}
