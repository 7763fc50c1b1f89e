/**
 * One HTTP/1.1 connection: heads, bodies, their order, and what a client may cost (RFC 9112 §9).
 * Requests are answered one after the other; while one is in progress, or its predecessors'
 * responses wait for the client, the bytes of the next wait: one data event's here, the rest in the
 * paused flow. Not here: the response's bytes (active-exchange.ts), parsing (wire/), limits on all
 * connections (server.ts).
 */

import { after, type Duration, FOREVER, hot, type Instant, TIMER_IDLE, type Timer } from '#core';
import type { Flow, FlowEnd, FlowHandler } from '#device';
import { ActiveExchange } from './active-exchange.ts';
import { HeldBytes } from './held-bytes.ts';
import { latin1Bytes } from './latin1-bytes.ts';
import type { PreparedResponse } from './prepared-response.ts';
import { RequestBody } from './request-body.ts';
import { ResponseWriter } from './response-writer.ts';
import type { ConnectionState, HttpServer } from './server.ts';
import { RequestHead } from './wire/request-head.ts';

const CONTINUE = hot.utf8Encode('HTTP/1.1 100 Continue\r\n\r\n');
const CR = 13;
const LF = 10;

export class HttpConnection implements FlowHandler, Timer {
  readonly flow: Flow;
  readonly server: HttpServer;
  readonly writer: ResponseWriter;
  private state: ConnectionState = 'waiting';
  // Its own timer: one object less for each connection.
  at: Instant = FOREVER;
  queuedAt: Instant = FOREVER;
  place = TIMER_IDLE;
  order = 0;
  /** When this state ends by itself; the timer may be armed for earlier: moving on is free. */
  private deadline: Instant;

  // Input.
  /** The server's empty one while nothing is held. */
  private held: HeldBytes;
  private isTaking = false;
  private isPaused = false;
  private peerEnded = false;
  private isHeadTimed = false;
  private isLingerTimed = false;

  // The exchange in progress; both are set or both null.
  private exchange: ActiveExchange | null = null;
  private body: RequestBody | null = null;

  // The last head that was answered from the head alone, and the answer; null when it isn't good.
  private lastBytes: Uint8Array;
  lastAnswer: PreparedResponse | null;
  private discardedBytes = 0;
  /** Whom an upgrade gave the flow to. */
  private successor: FlowHandler | null = null;

  constructor(server: HttpServer, flow: Flow) {
    this.server = server;
    this.flow = flow;
    this.writer = new ResponseWriter(flow, server);
    this.held = server.nothingHeld;
    this.deadline = after(server.timers.now, server.limits.idleMax);
    this.lastBytes = server.lastBytes;
    this.lastAnswer = server.lastAnswer;
    server.timers.arm(this, this.deadline);
    flow.lowWaterBytes = server.limits.queuedBytesMax;
  }

  /** Some response isn't complete, whatever is left of its request. `isIdle`: nor is any queued. */
  get isBusy(): boolean {
    return this.state === 'busy' && this.exchange?.finished !== true;
  }

  get isIdle(): boolean {
    return !this.isBusy && this.flow.queuedBytes === 0;
  }

  data(bytes: Uint8Array): void {
    const answer = this.lastAnswer;
    if (
      answer !== null &&
      this.state === 'waiting' &&
      bytes.length === this.lastBytes.length &&
      this.held.length === 0 &&
      hot.equal(bytes, 0, this.lastBytes, 0, bytes.length) &&
      this.flow.queuedBytes <= this.server.limits.queuedBytesMax
    ) {
      this.sendAnswer(answer);
      return;
    }
    this.dataSlow(bytes);
  }

  drained(): void {
    if (this.state === 'busy') {
      const exchange = this.exchange!;
      const handler = exchange.handler;
      if (handler !== null) this.guarded(exchange, () => handler.drained());
    }
    this.takeHeld();
  }

  end(): void {
    this.peerEnded = true;
    this.takeHeld();
  }

  closed(_how: FlowEnd): void {
    this.release();
  }

  /** The deadline passed, or an earlier one that was moved since. */
  fire(now: Instant): void {
    if (now < this.deadline) {
      this.server.timers.arm(this, this.deadline);
      return;
    }
    switch (this.state) {
      case 'waiting':
        if (this.isHeadTimed) this.fail(408);
        else if (this.flow.queuedBytes > 0) this.requireProgress();
        else this.finishFlow();
        return;
      case 'busy':
        this.requireProgress();
        return;
      case 'lingering':
        if (this.flow.queuedBytes > 0) this.requireProgress();
        else if (this.isLingerTimed) this.flow.abort();
        else this.startLingering();
        return;
      case 'gone':
        return;
    }
  }

  /** The handler asks for the body, for the first time or again. */
  bodyWanted(): void {
    const { exchange, body } = this;
    if (exchange === null || body === null) return;
    if (this.held.length === 0 && exchange.continues(body)) this.writer.send(CONTINUE);
    this.restartProgress();
    if (body.isDone) this.endBody(exchange);
    else this.takeHeld();
  }

  /** False: a response that is complete now is the last, for its request's body bars the way. */
  mayReachNext({ head, continued }: ActiveExchange): boolean {
    const isHeldBack = head.expectsContinue && !continued;
    return this.body?.canBeSkipped(isHeldBack, this.server.limits.discardBytesMax) ?? true;
  }

  /** Another protocol's from now on, with what came after the request. */
  switchTo(head: string, take: (flow: Flow) => FlowHandler): void {
    const rest = this.isTaking ? null : this.held.bytes.slice(0, this.held.length);
    this.release();
    this.flow.write(latin1Bytes(head));
    this.successor = take(this.flow);
    this.flow.attach(this.successor);
    this.setPaused(false);
    if (rest !== null && rest.length > 0) this.successor.data(rest);
  }

  /** The response is complete: on to the rest of the body, the next request, or the end. */
  responseDone(): void {
    const { exchange, body } = this;
    if (exchange === null || body === null) return;
    if (!exchange.keepAlive || !this.mayReachNext(exchange)) {
      this.finishFlow();
      return;
    }
    if (body.isDone) this.next();
    this.takeHeld();
  }

  /** Answers what is wrong with the request, and ends the connection. */
  fail(status: number, method = this.exchange?.head.method): void {
    if (this.state === 'lingering' || this.state === 'gone') return;
    const exchange = this.exchange;
    if (exchange !== null) {
      const wasResponded = exchange.responded;
      exchange.cut();
      if (wasResponded) {
        this.flow.abort();
        return;
      }
    }
    const response = this.server.errorResponse(status);
    this.writer.sendSaying('close', response, method === 'HEAD');
    this.finishFlow();
  }

  /** The server closes: no further request here. */
  closeWhenIdle(): void {
    this.lastAnswer = null;
    if (this.exchange !== null) this.exchange.keepAlive = false;
    else if (this.state === 'waiting') this.finishFlow();
  }

  /** Makes room for another connection: ends at once. */
  evict(): void {
    this.release();
    this.flow.abort();
  }

  private release(): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.held.clear();
    this.server.forget(this);
    this.exchange?.cut();
    this.exchange = null;
    this.body = null;
  }

  private sendAnswer(answer: PreparedResponse): void {
    const server = this.server;
    server.requests++;
    this.deadline = after(server.timers.now, server.limits.idleMax);
    this.writer.sendPrepared(answer);
  }

  private dataSlow(bytes: Uint8Array): void {
    if (this.held.length > 0 || this.isTaking) {
      const scannedAt = this.held.length;
      if (!this.hold(bytes, 0)) {
        this.fail(503);
        return;
      }
      if (
        this.state === 'waiting' &&
        this.isHeadTimed &&
        this.held.length <= this.server.limits.headBytesMax &&
        !this.held.mayEndHead(scannedAt)
      )
        return;
      this.takeHeld();
      return;
    }
    this.isTaking = true;
    const taken = this.take(bytes, bytes.length);
    this.isTaking = false;
    if (taken < bytes.length && !this.hold(bytes, taken)) this.fail(503);
    this.settle();
  }

  /** Copies bytes [from, end); false when too much is held already. */
  private hold(bytes: Uint8Array, from: number): boolean {
    const { nothingHeld, heldTotal } = this.server;
    if (this.held === nothingHeld) this.held = new HeldBytes(heldTotal);
    return this.held.append(bytes, from);
  }

  /** Goes on with the bytes that had to wait, if any and if they may. */
  private takeHeld(): void {
    if (this.isTaking) return;
    this.isTaking = true;
    for (let before = -1; this.held.length > 0 && this.held.length !== before; ) {
      before = this.held.length;
      const bytes = this.held.bytes;
      const taken = this.take(bytes, before);
      this.held.dropFirst(taken);
    }
    this.isTaking = false;
    this.settle();
  }

  /** Takes what can be taken now of [0, end); returns the offset of the rest. */
  private take(bytes: Uint8Array, end: number): number {
    let at = 0;
    while (at < end) {
      if (this.state === 'busy') {
        if (!this.canTakeBody()) return at;
        at = this.takeBody(bytes, at, end);
      } else if (this.state === 'waiting') {
        if (this.flow.queuedBytes > this.server.limits.queuedBytesMax) return at;
        const taken = this.takeHead(bytes, at, end);
        if (taken === 0) return at;
        at += taken;
      } else {
        this.discard(bytes, at, end);
        return end;
      }
    }
    return at;
  }

  /** Returns the bytes taken, 0 when the head isn't complete. */
  private takeHead(bytes: Uint8Array, at: number, end: number): number {
    const answer = this.lastAnswer;
    const last = this.lastBytes;
    if (answer !== null && end - at >= last.length && hot.equal(bytes, at, last, 0, last.length)) {
      this.isHeadTimed = false;
      this.sendAnswer(answer);
      return last.length;
    }
    if (bytes[at] === CR) {
      // RFC 9112 §2.2: an empty line before the request line is ignored.
      if (at + 1 === end) return 0;
      if (bytes[at + 1] === LF) return 2;
    }
    const head = this.server.parser.parse(bytes, at, end);
    if (head === null) return 0;
    this.isHeadTimed = false;
    if (!(head instanceof RequestHead)) {
      this.fail(head.status);
      return end - at;
    }
    this.dispatch(head);
    return head.bytes.length;
  }

  private dispatch(head: RequestHead): void {
    const server = this.server;
    if (head.method === 'CONNECT' || head.method === 'TRACE') {
      this.fail(501);
      return;
    }
    const answer = server.answer(head);
    if (answer === 'failed') {
      this.fail(500, head.method);
      return;
    }
    const keepAlive = head.keepAlive && !server.isClosing;
    if (answer !== null && keepAlive && head.bodyBytes === 0 && head.minorVersion === 1) {
      if (head.bytes.length <= server.limits.repeatedHeadBytesMax && !head.conditions?.range) {
        this.lastBytes = head.bytes;
        this.lastAnswer = answer;
        if (!head.isPrivate) server.shareAnswer(head.bytes, answer);
      }
      this.sendAnswer(answer);
      return;
    }
    server.requests++;
    const exchange = new ActiveExchange(this, head, keepAlive);
    this.exchange = exchange;
    this.body = new RequestBody(head.bodyBytes, server.bodyBytesMax(head));
    this.state = 'busy';
    this.discardedBytes = 0;
    this.restartProgress();
    if (this.body.fault !== 0) this.fail(this.body.fault);
    else if (answer !== null) exchange.respondPrepared(answer);
    else server.call(exchange, this);
  }

  /** True when the bytes that come now are body, and somebody takes them. */
  private canTakeBody(): boolean {
    const exchange = this.exchange!;
    if (this.body!.isDone) return false;
    return exchange.finished || (exchange.handler !== null && !exchange.isPaused);
  }

  /** Takes one piece of the body; returns the offset after it. */
  private takeBody(bytes: Uint8Array, at: number, end: number): number {
    const body = this.body!;
    const exchange = this.exchange!;
    const next = body.take(bytes, at, end);
    if (body.fault !== 0) {
      if (exchange.finished) this.finishFlow();
      else this.fail(body.fault);
      return end;
    }
    const handler = exchange.handler;
    if (body.dataEnd > body.dataAt && handler !== null) {
      this.guarded(exchange, () => handler.data(bytes.subarray(body.dataAt, body.dataEnd)));
    } else if (exchange.finished) {
      this.discardedBytes += next - at;
      if (this.discardedBytes > this.server.limits.discardBytesMax) this.finishFlow();
    }
    if (body.isDone && this.state === 'busy') {
      if (exchange.finished) this.next();
      else this.endBody(exchange);
    }
    return next;
  }

  /** Tells the handler, once and not while paused, that the body is complete. */
  private endBody(exchange: ActiveExchange): void {
    const handler = exchange.handler;
    if (handler === null || exchange.isPaused || exchange.bodyEnded) return;
    exchange.bodyEnded = true;
    this.guarded(exchange, () => handler.end());
  }

  /** Calls the handler of `exchange`, which may not be in progress any more when it throws. */
  private guarded(exchange: ActiveExchange, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.server.handlerFailed(exchange, this, error);
    }
  }

  /** Ready for the next request. */
  private next(): void {
    this.exchange = null;
    this.body = null;
    this.state = 'waiting';
    this.deadline = after(this.server.timers.now, this.server.limits.idleMax);
  }

  /** After input was taken: pauses, resumes or closes the flow, and times a head that has begun. */
  private settle(): void {
    if (this.state === 'gone') return;
    const hasRest = this.held.length > 0;
    if (!hasRest) this.held = this.server.nothingHeld;
    if (this.state === 'lingering') {
      this.held.clear();
      this.setPaused(false);
      return;
    }
    if (this.peerEnded && !hasRest && this.body !== null && !this.body.isDone) {
      // The rest will never come (RFC 9112 §8); after the response nobody waits for it.
      if (this.exchange?.finished === true) this.finishFlow();
      else this.fail(400);
      return;
    }
    const isBlocked =
      this.state === 'busy'
        ? !this.canTakeBody()
        : this.flow.queuedBytes > this.server.limits.queuedBytesMax;
    this.setPaused(hasRest && isBlocked);
    if (isBlocked || this.state === 'busy') return;
    if (this.peerEnded) this.finishFlow();
    else if (!hasRest) this.isHeadTimed = false;
    else if (!this.isHeadTimed) {
      this.isHeadTimed = true;
      this.startTimer(this.server.limits.headMax);
    }
  }

  private setPaused(isPaused: boolean): void {
    if (isPaused === this.isPaused) return;
    this.isPaused = isPaused;
    if (isPaused) this.flow.pause();
    else this.flow.resume();
  }

  /** Starts a new period for the body or the response to make progress. */
  private restartProgress(): void {
    this.writer.look(this.body === null ? 0 : this.body.receivedBytes);
    this.startTimer(this.server.limits.progressEvery);
  }

  /** Ends the connection when the client has moved too little since the last look. */
  private requireProgress(): void {
    const least = this.server.limits.progressBytesMin;
    const { exchange, body } = this;
    if (body !== null && exchange !== null && !body.isDone && this.canTakeBody()) {
      if (this.writer.bodySince(body.receivedBytes) < least) {
        if (exchange.finished) this.finishFlow();
        else this.fail(408);
        return;
      }
    } else if (this.flow.queuedBytes > 0 && this.writer.takenSince() < least) {
      this.server.log.debug('a client reads too slowly');
      this.flow.abort();
      return;
    }
    this.restartProgress();
  }

  /** Throws away what comes after the end; too much of it breaks the connection. */
  private discard(bytes: Uint8Array, at: number, end: number): void {
    if (this.successor !== null) this.successor.data(bytes.subarray(at, end));
    else this.discardedBytes += end - at;
    if (this.discardedBytes > this.server.limits.discardBytesMax) this.flow.abort();
  }

  /**
   * Sends what is queued, then FIN; then waits for the client's own, so that what it still sends
   * isn't answered by a reset that destroys the response (RFC 9112 §9.6).
   */
  private finishFlow(): void {
    if (this.state === 'lingering' || this.state === 'gone') return;
    this.state = 'lingering';
    this.discardedBytes = 0;
    this.exchange?.cut();
    this.exchange = null;
    this.body = null;
    this.held.clear();
    this.flow.shutdown();
    // A shutdown may have closed the flow within the call.
    if ((this.state as ConnectionState) === 'gone') return;
    this.setPaused(false);
    if (this.flow.queuedBytes > 0) this.restartProgress();
    else this.startLingering();
  }

  private startLingering(): void {
    this.isLingerTimed = true;
    this.startTimer(this.server.limits.lingerMax);
  }

  /** This state ends by itself after `wait`. */
  private startTimer(wait: Duration): void {
    this.deadline = after(this.server.timers.now, wait);
    this.server.timers.arm(this, this.deadline);
  }
}
