/**
 * The HTTP/1.1 server: gives flows to connections and requests to one handler. Synchronous: time
 * comes from the timer queue, nothing is awaited. Read first: RFC 9110 §3, RFC 9112 §9;
 * exchange.ts.
 */

import { assert, type Instant, instantOfMicros, type Logger, type TimerQueue } from '#core';
import type { Clock, Flow } from '#device';
import type { ActiveExchange } from './active-exchange.ts';
import { HttpConnection } from './connection.ts';
import type { HeaderField, HttpHandler } from './exchange.ts';
import { FieldNames } from './field-names.ts';
import { HeldBytes, type HeldTotal } from './held-bytes.ts';
import { latin1Bytes } from './latin1-bytes.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
import { PreparedResponse } from './prepared-response.ts';
import { statusText } from './status.ts';
import { isFieldValue, isToken } from './wire/chars.ts';
import { formatHttpDate } from './wire/http-date.ts';
import { type RequestHead, RequestHeadParser } from './wire/request-head.ts';

/** What a connection is about. */
export type ConnectionState =
  /** For a head, or the rest of one. */
  | 'waiting'
  /** An exchange: its response isn't complete, or its body isn't. */
  | 'busy'
  /** We send no more, and wait for the client to close (RFC 9112 §9.6). */
  | 'lingering'
  | 'gone';

export interface HttpServerOptions {
  readonly handler: HttpHandler;
  readonly timers: TimerQueue;
  readonly clock: Clock;
  readonly log: Logger;
  /** What differs from DEFAULT_LIMITS. */
  readonly limits?: Partial<HttpLimits>;
  /** In every response, in place of a handler's own of that name. */
  readonly fields?: readonly HeaderField[];
}

export class HttpServer {
  readonly timers: TimerQueue;
  readonly log: Logger;
  readonly limits: HttpLimits;
  readonly parser: RequestHeadParser;
  readonly heldTotal: HeldTotal;
  /** What connections hold that hold nothing: always empty. */
  readonly nothingHeld: HeldBytes;
  readonly fieldNames: FieldNames;
  /** Fields of every response, each with its CRLF. */
  readonly ownLines: string;
  /** Requests whose head was understood. */
  requests = 0;
  /** No more requests on a connection than the one in progress. */
  isClosing = false;

  // The Date field and `ownLines`, good until `dateUntil`; `stamp` counts its changes.
  stamp = 0;
  dateLine = '';
  dateUntil: Instant = instantOfMicros(0);

  // A head without credentials that was answered last, for connections to start from.
  lastBytes: Uint8Array = new Uint8Array(0);
  lastAnswer: PreparedResponse | null = null;

  private handler: HttpHandler;
  private readonly clock: Clock;
  private readonly connections = new Set<HttpConnection>();
  private readonly errors = new Map<number, PreparedResponse>();
  private evicted = 0;
  private faults = 0;
  private handlerFailures = 0;

  constructor(options: HttpServerOptions) {
    this.handler = options.handler;
    this.timers = options.timers;
    this.clock = options.clock;
    this.log = options.log;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    assert(this.limits.targetBytesMax + 64 < this.limits.headBytesMax, 'targets fit into heads');
    assert(this.limits.connectionsMax > 0, 'at least one connection');
    this.parser = new RequestHeadParser(this.limits);
    this.heldTotal = { bytes: 0, bytesMax: this.limits.heldBytesMax };
    this.nothingHeld = new HeldBytes(this.heldTotal);
    const fields = options.fields ?? [];
    this.fieldNames = new FieldNames(fields.map(([name]) => name.toLowerCase()));
    for (const [name, value] of fields) assert(isToken(name) && isFieldValue(value), 'a field');
    this.ownLines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    this.refreshDate();
  }

  /** Serves a new connection; the server attaches itself to `flow` and ends it. */
  accept(flow: Flow): void {
    if (this.connections.size >= this.limits.connectionsMax) this.evictOne();
    const connection = new HttpConnection(this, flow);
    this.connections.add(connection);
    flow.attach(connection);
    if (this.connections.size > this.limits.connectionsMax) connection.evict();
  }

  /**
   * Ends the connections that wait for a request, and the others after the response in progress.
   */
  close(): void {
    this.isClosing = true;
    this.lastAnswer = null;
    for (const connection of [...this.connections]) connection.closeWhenIdle();
  }

  /**
   * Requests from the next one on, on open connections too, go to `handler`; those in progress
   * stay with the one that has them. O(connections).
   */
  replaceHandler(handler: HttpHandler): void {
    this.handler = handler;
    this.lastAnswer = null;
    for (const connection of this.connections) connection.lastAnswer = null;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      connections: this.connections.size,
      requests: this.requests,
      evicted: this.evicted,
      faults: this.faults,
      handlerFailures: this.handlerFailures,
      heldBytes: this.heldTotal.bytes,
    };
  }

  /** The current Date field, with those of every response. */
  date(): { readonly dateLine: string } {
    if (this.timers.now >= this.dateUntil) this.refreshDate();
    return this;
  }

  refreshDate(): void {
    const wallMillis: number = this.clock.wall();
    const seconds = Math.floor(wallMillis / 1_000);
    const leftMillis = 1_000 - (wallMillis - seconds * 1_000);
    this.dateUntil = instantOfMicros(this.timers.now + Math.ceil(leftMillis * 1_000));
    this.dateLine = `Date: ${formatHttpDate(seconds)}\r\n${this.ownLines}`;
    this.stamp++;
  }

  /** The handler's answer from the head alone, if it has one; 'failed' when it threw. */
  answer(head: RequestHead): PreparedResponse | null | 'failed' {
    try {
      return this.handler.answer(head);
    } catch (error) {
      this.reportFailure(head, error);
      return 'failed';
    }
  }

  bodyBytesMax(head: RequestHead): number {
    return this.handler.bodyBytesMax?.(head) ?? this.limits.bodyBytesMax;
  }

  /** New connections start with what was asked last: the same head comes often. */
  shareAnswer(bytes: Uint8Array, answer: PreparedResponse): void {
    this.lastBytes = bytes;
    this.lastAnswer = answer;
  }

  call(exchange: ActiveExchange, connection: HttpConnection): void {
    try {
      const pending = this.handler.request(exchange);
      pending?.then(undefined, (error: unknown) => {
        this.handlerFailed(exchange, connection, error);
      });
    } catch (error) {
      this.handlerFailed(exchange, connection, error);
    }
  }

  /** A handler that fails when it has answered costs its client nothing: that got all it asked. */
  handlerFailed(exchange: ActiveExchange, connection: HttpConnection, error: unknown): void {
    this.reportFailure(exchange.head, error);
    if (!exchange.finished) connection.fail(500);
  }

  /** A small text that names `status`; the connection ends after it. */
  errorResponse(status: number): PreparedResponse {
    if (status < 500) this.faults++;
    let response = this.errors.get(status);
    if (response === undefined) {
      const body = latin1Bytes(`${status} ${statusText(status)}\n`);
      const type = 'Content-Type: text/plain; charset=utf-8\r\n';
      const length = `Content-Length: ${body.length}\r\n`;
      response = new PreparedResponse(status, type + length, [body]);
      this.errors.set(status, response);
    }
    return response;
  }

  /** The connection is gone. */
  forget(connection: HttpConnection): void {
    this.connections.delete(connection);
    this.timers.stop(connection);
  }

  checkInvariants(): void {
    assert(this.nothingHeld.length === 0);
    assert(this.connections.size <= this.limits.connectionsMax);
    assert(this.heldTotal.bytes >= 0);
    assert(this.heldTotal.bytes <= this.limits.heldBytesMax);
  }

  private reportFailure(head: RequestHead, error: unknown): void {
    this.handlerFailures++;
    this.log.error(`${head.method} ${head.path}: ${describeError(error)}`);
  }

  /**
   * Makes room: the oldest connection that is idle goes, or else the oldest whose response is on
   * its way, so that neither silent clients nor slow readers can keep others out. Those that are
   * busy are looked at again after all others: O(evictionLooksMax).
   */
  private evictOne(): void {
    let victim: HttpConnection | null = null;
    let looks = 0;
    for (const connection of this.connections) {
      if (++looks > this.limits.evictionLooksMax) break;
      if (connection.isBusy) {
        this.connections.delete(connection);
        this.connections.add(connection);
        continue;
      }
      victim ??= connection;
      if (!connection.isIdle) continue;
      victim = connection;
      break;
    }
    if (victim === null) return;
    this.evicted++;
    victim.evict();
  }
}

/** Anything can be thrown, even what can't be made into text. */
function describeError(error: unknown): string {
  try {
    // A stack begins with the message in one engine and not in another.
    return error instanceof Error ? `${error}\n${error.stack}` : String(error);
  } catch {
    return 'a value that has no text';
  }
}
