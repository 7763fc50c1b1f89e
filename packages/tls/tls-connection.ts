/**
 * An engine between two flows: the one below that carries records, and itself, the one above that
 * carries data. One object, because a connection is mostly idle and should be small. Not here: TLS
 * (engine.ts). Back-pressure goes through: written bytes stay as they are until the flow below has
 * room for their records; pausing pauses below, and the little that is here waits.
 */

import { after, assert, type Duration, Timer } from '#core';
import type { Endpoint, Flow, FlowEnd, FlowHandler } from '#device';
import type { TlsEnvironment } from './config.ts';
import { type EngineHandler, TlsEngine } from './engine.ts';
import { SEALED_AT_ONCE_BYTES, type TlsLimits } from './limits.ts';
import { PlainQueue } from './plain-queue.ts';
import type { TlsError } from './refusal.ts';
import type { TlsSession } from './session.ts';
import type { TlsFlow } from './tls-flow.ts';

interface ConnectionConfig {
  readonly paddingBytes: number;
  readonly limits: TlsLimits;
}

export class TlsConnection implements TlsFlow, FlowHandler, EngineHandler {
  readonly engine: TlsEngine;
  failure: TlsError | null = null;
  onGone: (() => void) | null = null;
  private readonly below: Flow;
  private readonly limits: TlsLimits;
  private handler: FlowHandler | null = null;
  private agreed: TlsSession | null = null;
  /** Told how the handshake ended; null afterwards. */
  private opened: ((outcome: TlsFlow | TlsError) => void) | null;
  /** The handshake's deadline, then a late resume, then the end of lingering; null when unused. */
  private timer: Timer | null = null;
  /** What waits for room below. Null as long as nothing ever did. */
  private queue: PlainQueue | null = null;
  private wasAbove = false;
  private isPaused = false;
  private isShutDown = false;
  /** Nobody above is told anything any more. */
  private isGone = false;
  /** What came from below while paused, with bytes before it that wait here. */
  private isEndHeld = false;
  private closedHeld: FlowEnd | null = null;

  constructor(
    below: Flow,
    env: TlsEnvironment,
    { limits, paddingBytes }: ConnectionConfig,
    opened: (outcome: TlsFlow | TlsError) => void,
  ) {
    this.below = below;
    this.limits = limits;
    this.opened = opened;
    this.engine = new TlsEngine(env, this);
    this.engine.writer.paddingBytes = paddingBytes;
    this.startTimer(limits.handshakeMax, () => this.handshakeTimedOut());
    below.attach(this);
  }

  // The flow above.

  get session(): TlsSession {
    assert(this.agreed !== null);
    return this.agreed;
  }

  get local(): Endpoint {
    return this.below.local;
  }

  get remote(): Endpoint {
    return this.below.remote;
  }

  get queuedBytes(): number {
    const { queue } = this;
    return queue === null ? this.below.queuedBytes : queue.bytes + this.below.queuedBytes;
  }

  get lowWaterBytes(): number {
    return this.below.lowWaterBytes;
  }

  set lowWaterBytes(count: number) {
    this.below.lowWaterBytes = count;
  }

  get noDelay(): boolean {
    return this.below.noDelay;
  }

  set noDelay(isUndelayed: boolean) {
    this.below.noDelay = isUndelayed;
  }

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    if (this.isShutDown || bytes.length === 0 || !this.engine.isWritable) return;
    this.queue ??= new PlainQueue();
    this.queue.push(bytes);
    this.pump();
  }

  shutdown(): void {
    if (this.isShutDown) return;
    this.isShutDown = true;
    this.finishIfSent();
  }

  abort(): void {
    this.engine.destroy();
    this.queue?.clear();
    if (this.closedHeld === null || this.isGone) {
      this.below.abort();
      return;
    }
    // The flow below has told its end, and nothing follows from it.
    this.closedHeld = 'reset';
    this.startTimer(0 as Duration, () => this.closed('reset'));
  }

  askIfAlive(idle: Duration | null): void {
    this.below.askIfAlive(idle);
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.engine.reader.isStopped = true;
    this.below.pause();
  }

  resume(): void {
    if (!this.isPaused || this.isGone) return;
    this.isPaused = false;
    if (this.isHolding || this.closedHeld !== null) {
      // What is here comes first, and not within this call.
      this.startTimer(0 as Duration, () => this.resumeHeld());
      return;
    }
    this.engine.reader.isStopped = false;
    this.below.resume();
  }

  // The flow below.

  data(bytes: Uint8Array): void {
    this.engine.receive(bytes);
  }

  drained(): void {
    this.pump();
  }

  end(): void {
    if (this.isHolding) this.isEndHeld = true;
    else this.engine.receiveEnd();
  }

  closed(how: FlowEnd): void {
    if (how === 'closed' && this.isHolding) {
      this.closedHeld = how;
      return;
    }
    this.stopTimer();
    // A failure was told; else the flow below tells how it ended.
    const wasOpen = this.opened === null;
    if (!wasOpen) this.tellOpened({ kind: 'flow', how });
    this.engine.destroy();
    this.queue?.clear();
    if (wasOpen) this.tellClosed(how);
  }

  // The engine.

  get isCongested(): boolean {
    return this.below.queuedBytes > this.below.lowWaterBytes;
  }

  sendRecords(records: Uint8Array): void {
    this.below.write(records);
  }

  handshakeDone(session: TlsSession): void {
    this.stopTimer();
    this.agreed = session;
    this.tellOpened(this);
  }

  received(bytes: Uint8Array): void {
    const { handler } = this;
    assert(handler !== null, 'nobody attached a handler to the flow');
    handler.data(bytes);
  }

  peerClosed(): void {
    // RFC 5246 §7.2.1: answered at once, what waits is discarded. TLS 1.3 may go on writing.
    if (this.agreed!.version === 'TLS 1.2') {
      this.queue?.clear();
      this.shutdown();
    }
    this.handler?.end();
  }

  failed(error: TlsError): void {
    this.stopTimer();
    this.queue?.clear();
    // First of all: a flow may tell that it is closed within our call.
    this.failure = error;
    const isAlert = error.kind === 'alert sent' || error.kind === 'alert received';
    // What says why must arrive: no reset, unless the peer takes too long to end its side.
    if (isAlert) {
      this.below.shutdown();
      this.below.resume();
      this.startTimer(this.limits.lingerMax, () => this.below.abort());
    }
    if (this.opened !== null) this.tellOpened(error);
    else this.tellClosed(error.kind === 'timeout' ? 'timeout' : 'reset');
    if (!isAlert) this.below.abort();
  }

  checkInvariants(): void {
    this.engine.checkInvariants();
    assert(this.opened === null || this.agreed === null);
    const waits = this.queue !== null && this.queue.bytes > 0;
    assert(!waits || this.below.queuedBytes > this.below.lowWaterBytes || this.isGone);
  }

  /** Bytes wait here, or their end, that must come before anything else from below. */
  private get isHolding(): boolean {
    const { reader } = this.engine;
    return this.isEndHeld || (reader.isStopped && reader.waitingBytes > 0);
  }

  /** Moves what waits into records for as long as there is room below. */
  private pump(): void {
    const { below, engine, queue } = this;
    if (queue !== null) {
      while (queue.bytes > 0 && below.queuedBytes <= below.lowWaterBytes && engine.isWritable) {
        engine.writeQueued(queue, Math.min(queue.bytes, SEALED_AT_ONCE_BYTES));
      }
    }
    const isAbove = this.queuedBytes > below.lowWaterBytes;
    const isDrained = this.wasAbove && !isAbove;
    this.wasAbove = isAbove;
    this.finishIfSent();
    if (isDrained && !this.isGone) this.handler?.drained();
  }

  private finishIfSent(): void {
    if (!this.isShutDown || !this.engine.isWritable) return;
    if (this.queue !== null && this.queue.bytes > 0) return;
    this.engine.close();
    this.below.shutdown();
  }

  private resumeHeld(): void {
    this.timer = null;
    if (this.isPaused || this.isGone) return;
    this.engine.resume();
    if (this.isPaused || this.isGone) return;
    if (this.isEndHeld) {
      this.isEndHeld = false;
      this.engine.receiveEnd();
    }
    if (this.closedHeld !== null) this.closed(this.closedHeld);
    else this.below.resume();
  }

  private handshakeTimedOut(): void {
    this.timer = null;
    this.engine.destroy();
    this.failed({ kind: 'timeout' });
  }

  private tellOpened(outcome: TlsFlow | TlsError): void {
    const { opened } = this;
    this.opened = null;
    opened?.(outcome);
  }

  private tellClosed(how: FlowEnd): void {
    if (this.isGone) return;
    this.isGone = true;
    const { handler, onGone } = this;
    // They hold this flow: without them it is freed as soon as nobody needs it.
    this.handler = null;
    this.onGone = null;
    onGone?.();
    handler?.closed(how);
  }

  private startTimer(wait: Duration, fire: () => void): void {
    const { timers } = this.engine.env;
    this.stopTimer();
    this.timer = new Timer(fire);
    timers.arm(this.timer, after(timers.now, wait));
  }

  private stopTimer(): void {
    if (this.timer !== null) this.engine.env.timers.stop(this.timer);
    this.timer = null;
  }
}
