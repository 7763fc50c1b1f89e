/**
 * One connection of a client: one request after the other, each with its response (RFC 9112 §9).
 * Not pipelined. Read first: exchange.ts. Not here: which connection a request gets (client.ts).
 */

import {
  after,
  assert,
  assertNever,
  type Duration,
  hot,
  seconds,
  Timer,
  type TimerQueue,
} from '#core';
import type { Flow, FlowHandler } from '#device';
import { latin1Bytes } from '../latin1-bytes.ts';
import { ChunkedDecoder } from '../wire/chunked.ts';
import {
  type BodyFraming,
  findHeadEnd,
  looksLikeResponse,
  parseResponseHead,
  ResponseHead,
} from '../wire/response-head.ts';
import type { ClientError, ClientHandler, ClientRequest } from './exchange.ts';
import type { ClientLimits } from './limits.ts';

/** Told about its connections. */
export interface ConnectionOwner {
  /** The exchange is over, and the connection may take another. */
  idle(connection: ClientConnection): void;
  /** The connection takes no more requests; told once. */
  gone(connection: ClientConnection): void;
}

/** The exchange that a connection works on. */
export interface ActiveRequest {
  readonly request: ClientRequest;
  readonly handler: ClientHandler;
  /** It failed; `isStale`: on a used connection, before any byte of a response. */
  lost(error: ClientError, isStale: boolean): void;
}

type Reading = 'head' | 'length' | 'chunked' | 'close' | 'done';

const CHUNK_END = latin1Bytes('\r\n');
const LAST_CHUNK = latin1Bytes('0\r\n\r\n');
/** Bodies up to this length travel in the head's array. */
const JOINED_BODY_BYTES_MAX = 1_100;
const NOTHING: Uint8Array = new Uint8Array(0);

export class ClientConnection implements FlowHandler {
  /** Requests that it has served. */
  served = 0;
  private readonly flow: Flow;
  private readonly owner: ConnectionOwner;
  private readonly timers: TimerQueue;
  private readonly limits: ClientLimits;
  private active: ActiveRequest | null = null;
  private isGone = false;
  private isPaused = false;
  /** Within a data event. */
  private isTaking = false;
  /** Between an exchange's end and its release. */
  private isFree = false;
  private readonly timer = new Timer(() => this.waited());
  // Of the request in progress:
  private isSent = false;
  private isChunked = false;
  private leftToSend = 0;
  // Of its response:
  private reading: Reading = 'done';
  /** Bytes of a head that isn't complete yet. */
  private held: Uint8Array = NOTHING;
  private heardBytes = 0;
  private interim = 0;
  private leftBytes = 0;
  private decoder: ChunkedDecoder | null = null;
  private mayStay = false;
  private idleFor: Duration;
  /** Nobody wants the rest of the response; its bytes are thrown away. */
  private isDiscarding = false;

  constructor(flow: Flow, owner: ConnectionOwner, timers: TimerQueue, limits: ClientLimits) {
    this.flow = flow;
    this.owner = owner;
    this.timers = timers;
    this.limits = limits;
    this.idleFor = limits.idleMax;
    flow.attach(this);
  }

  get queuedBytes(): number {
    return this.flow.queuedBytes;
  }

  /** More is queued than the flow's mark, which may rise: `drained` will come. */
  get isFull(): boolean {
    return this.flow.queuedBytes > this.flow.lowWaterBytes;
  }

  get isIdle(): boolean {
    return this.active === null && !this.isGone;
  }

  /** Must be idle. */
  start(active: ActiveRequest): void {
    assert(this.isIdle && this.reading === 'done');
    const { body } = active.request;
    this.active = active;
    this.reading = 'head';
    this.heardBytes = 0;
    this.interim = 0;
    this.isDiscarding = false;
    this.isChunked = isStream(body) && body.lengthBytes === null;
    this.leftToSend = isStream(body) ? (body.lengthBytes ?? 0) : 0;
    this.isSent = !isStream(body);
    this.sendHead(active.request);
    this.armStall();
  }

  /** A piece of a streamed body. */
  write(bytes: Uint8Array): void {
    if (this.active === null || this.isSent || bytes.length === 0) return;
    if (!this.isChunked) {
      this.leftToSend -= bytes.length;
      if (this.leftToSend < 0) {
        // More than was announced: the rest would be read as another request (RFC 9112 §11.2).
        this.fail({ kind: 'closed' });
        return;
      }
      this.flow.write(bytes);
    } else {
      this.flow.write(latin1Bytes(`${bytes.length.toString(16)}\r\n`));
      this.flow.write(bytes);
      this.flow.write(CHUNK_END);
    }
    this.armStall();
  }

  /** The streamed body is complete. */
  finish(): void {
    if (this.active === null || this.isSent) return;
    this.isSent = true;
    if (this.isChunked) this.flow.write(LAST_CHUNK);
    else if (this.leftToSend > 0) this.fail({ kind: 'closed' });
    this.endIfComplete();
  }

  pause(): void {
    if (this.isDiscarding || this.active === null) return;
    this.isPaused = true;
    this.flow.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.armStall();
    this.flow.resume();
  }

  /** The exchange is given up; the connection stays if little is left of the response. */
  abandon(): void {
    if (this.active === null) return;
    const isShort = this.reading === 'length' && this.leftBytes <= this.limits.discardBytesMax;
    if (this.isSent && this.mayStay && isShort) {
      this.isDiscarding = true;
      this.resume();
      return;
    }
    this.active = null;
    this.leave('abort');
  }

  /** An idle connection that isn't wanted any more. */
  close(): void {
    assert(this.isIdle);
    this.leave('shutdown');
  }

  data(bytes: Uint8Array): void {
    if (this.isGone) return;
    if (this.active === null) {
      // An answer to nothing: whatever comes next isn't to be believed (RFC 9112 §11.1).
      this.leave('abort');
      return;
    }
    this.heardBytes += bytes.length;
    this.armStall();
    let at = 0;
    this.isTaking = true;
    while (at < bytes.length && this.active !== null) at = this.take(bytes, at);
    this.isTaking = false;
    // More than the response: it must not meet the next request.
    if (at < bytes.length) this.leave('abort');
    else this.release();
  }

  end(): void {
    if (this.active === null) this.leave('shutdown');
    else if (this.reading === 'close') this.complete();
    else this.fail({ kind: 'closed' });
  }

  closed(): void {
    this.fail({ kind: 'closed' });
  }

  drained(): void {
    this.armStall();
    if (!this.isSent) this.active?.handler.drained();
  }

  checkInvariants(): void {
    assert(this.leftBytes >= 0 && this.held.length <= this.limits.headBytesMax);
    assert(this.active !== null || this.reading === 'done');
    assert(!this.isGone || this.active === null);
  }

  private sendHead(request: ClientRequest): void {
    const { method, target, authority, fields, body } = request;
    let text = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n`;
    for (const [name, value] of fields) text += `${name}: ${value}\r\n`;
    text += `${framingFields(request)}\r\n`;
    const joined = body instanceof Uint8Array && body.length <= JOINED_BODY_BYTES_MAX;
    const bytes = new Uint8Array(text.length + (joined ? body.length : 0));
    hot.writeLatin1(bytes, 0, text);
    if (joined) hot.copy(bytes, text.length, body, 0, body.length);
    this.flow.write(bytes);
    if (body instanceof Uint8Array && !joined) this.flow.write(body);
  }

  /** Takes what it can of [at, end) of one data event; returns where it stopped. */
  private take(bytes: Uint8Array, at: number): number {
    switch (this.reading) {
      case 'head':
        return this.takeHead(bytes, at);
      case 'length': {
        const end = Math.min(bytes.length, at + this.leftBytes);
        this.leftBytes -= end - at;
        this.deliver(bytes, at, end);
        if (this.leftBytes === 0) this.complete();
        return end;
      }
      case 'chunked':
        return this.takeChunked(bytes, at);
      case 'close':
        this.deliver(bytes, at, bytes.length);
        return bytes.length;
      case 'done':
        return at;
      default:
        return assertNever(this.reading);
    }
  }

  private takeHead(bytes: Uint8Array, at: number): number {
    const { headBytesMax } = this.limits;
    const before = this.held.length;
    const room = Math.min(bytes.length - at, headBytesMax - before);
    const held = before === 0 ? bytes.subarray(at, at + room) : joined(this.held, bytes, at, room);
    const end = findHeadEnd(held, Math.max(0, before - 3), held.length);
    if (end < 0) {
      if (held.length === headBytesMax || !looksLikeResponse(held, 0, held.length)) {
        this.fail({ kind: 'malformed' });
      } else {
        this.held = before === 0 ? new Uint8Array(held) : held;
      }
      return at + room;
    }
    this.held = NOTHING;
    const head = parseResponseHead(held, 0, end, this.limits);
    if (head instanceof ResponseHead) this.heard(head);
    else this.fail({ kind: 'malformed' });
    return at + end - before;
  }

  private heard(head: ResponseHead): void {
    const { active } = this;
    assert(active !== null);
    if (head.status < 200) {
      // RFC 9110 §15.2: interim ones may be ignored; a switch of protocols wasn't asked for.
      this.interim += 1;
      const isTooMuch = this.interim > this.limits.interimMax || head.status === 101;
      if (isTooMuch || head.framing === null) this.fail({ kind: 'malformed' });
      return;
    }
    if (head.framing === null) {
      this.fail({ kind: 'malformed' });
      return;
    }
    const framing: BodyFraming = active.request.method === 'HEAD' ? { kind: 'none' } : head.framing;
    this.mayStay = head.keepAlive && framing.kind !== 'close';
    this.idleFor = this.idleTime(head);
    this.leftBytes = framing.kind === 'length' ? framing.bytes : 0;
    this.decoder = framing.kind === 'chunked' ? new ChunkedDecoder() : null;
    const isEmpty = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
    if (framing.kind !== 'none') this.reading = framing.kind;
    active.handler.response(head);
    if (isEmpty && this.active === active) this.complete();
  }

  /** A second less than the server keeps it, so that it isn't us who come too late. */
  private idleTime({ keepAliveSeconds }: ResponseHead): Duration {
    const { idleMax, idleToldMax } = this.limits;
    if (keepAliveSeconds === null) return idleMax;
    return Math.min(seconds(Math.max(0, keepAliveSeconds - 1)), idleToldMax) as Duration;
  }

  private takeChunked(bytes: Uint8Array, at: number): number {
    const decoder = this.decoder!;
    const next = decoder.take(bytes, at, bytes.length);
    if (decoder.fault !== null) {
      this.fail({ kind: 'malformed' });
      return next;
    }
    if (decoder.dataEnd > decoder.dataAt) this.deliver(bytes, decoder.dataAt, decoder.dataEnd);
    if (decoder.isDone) this.complete();
    return next;
  }

  private deliver(bytes: Uint8Array, at: number, end: number): void {
    if (this.isDiscarding || this.active === null || at === end) return;
    this.active.handler.data(bytes.subarray(at, end));
  }

  /** The response is complete. */
  private complete(): void {
    const { active } = this;
    if (active === null) return;
    this.reading = 'done';
    this.decoder = null;
    const isWanted = !this.isDiscarding;
    // An answer before the request's end: the rest of the request isn't wanted (RFC 9112 §9.5).
    if (!this.isSent) this.mayStay = false;
    this.endIfComplete();
    if (isWanted) active.handler.end();
  }

  private endIfComplete(): void {
    if (this.active === null || this.reading !== 'done') return;
    this.active = null;
    this.served += 1;
    this.isFree = true;
    if (!this.isTaking) this.release();
  }

  /** The exchange is over, and all that came has been looked at. */
  private release(): void {
    if (!this.isFree || this.isGone) return;
    this.isFree = false;
    this.resume();
    if (!this.mayStay || this.idleFor <= 0) {
      this.leave(this.isSent ? 'shutdown' : 'abort');
      return;
    }
    this.timers.arm(this.timer, after(this.timers.now, this.idleFor));
    this.owner.idle(this);
  }

  private fail(error: ClientError): void {
    const { active } = this;
    this.active = null;
    const isStale = this.served > 0 && this.heardBytes === 0 && error.kind === 'closed';
    this.leave('abort');
    if (active !== null && !this.isDiscarding) active.lost(error, isStale);
  }

  private leave(how: 'abort' | 'shutdown'): void {
    if (this.isGone) return;
    this.isGone = true;
    this.reading = 'done';
    this.held = NOTHING;
    this.timers.stop(this.timer);
    if (how === 'abort') this.flow.abort();
    else this.flow.shutdown();
    this.owner.gone(this);
  }

  private armStall(): void {
    if (this.active === null) return;
    this.timers.arm(this.timer, after(this.timers.now, this.limits.stallMax));
  }

  private waited(): void {
    if (this.active === null) this.leave('shutdown');
    else this.fail({ kind: 'timeout' });
  }
}

const isStream = (
  body: ClientRequest['body'],
): body is Exclude<ClientRequest['body'], Uint8Array | null> =>
  body !== null && !(body instanceof Uint8Array);

/** RFC 9112 §6, and a length of 0 where a server may expect a body (RFC 9110 §8.6). */
function framingFields({ method, body }: ClientRequest): string {
  if (body === null) {
    const expectsBody = method === 'POST' || method === 'PUT' || method === 'PATCH';
    return expectsBody ? 'content-length: 0\r\n' : '';
  }
  const length = body instanceof Uint8Array ? body.length : body.lengthBytes;
  return length === null ? 'transfer-encoding: chunked\r\n' : `content-length: ${length}\r\n`;
}

function joined(
  head: Uint8Array,
  bytes: Uint8Array,
  at: number,
  count: number,
): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(head.length + count);
  hot.copy(all, 0, head, 0, head.length);
  hot.copy(all, head.length, bytes, at, count);
  return all;
}
