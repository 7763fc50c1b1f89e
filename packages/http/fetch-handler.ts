/**
 * Web-standard handlers on the HTTP server: `fetch(request)` of an application becomes an
 * HttpHandler. Read first: exchange.ts, packages/web/body.ts. Not here: the Request and Response
 * classes (packages/web).
 */

import { hot, type Logger } from '#core';
import type { Endpoint, Flow } from '#device';
import {
  type ByteSource,
  type ByteStream,
  canonicalUrl,
  DOMException,
  Headers,
  Incoming,
  inspect,
  Payload,
  Request,
  Response,
} from '#web';
import type { Exchange, ExchangeHandler, HeaderField, HttpHandler } from './exchange.ts';
import type { PreparedResponse } from './prepared-response.ts';

/** What a handler is told besides the request. */
export interface FetchInfo {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** The connection, to be asked what it is (a TLS session, say); it stays the server's. */
  readonly flow: Flow;
}

/**
 * An application: `export default { fetch(request) {...} }`. Its types are those that a compiler
 * knows for these globals; what it gets is ours.
 */
export interface FetchApp {
  fetch(request: globalThis.Request, info: FetchInfo): unknown;
}

export interface FetchPlatform {
  readonly log: Logger;
  /** 'http' unless the flow under the server is a TLS session. */
  readonly scheme?: 'http' | 'https';
}

/** Body bytes that wait for the app to read; above it the peer is held back. */
export const REQUEST_QUEUE_BYTES_MAX = 65_536;
/** Response bytes that wait for the peer to take them; above it the app's stream is not read. */
export const RESPONSE_QUEUE_BYTES_MAX = 131_072;

const EMPTY = new Uint8Array(0);
const PLAIN: readonly HeaderField[] = [['content-type', 'text/plain;charset=UTF-8']];
const ERROR_BODY = hot.utf8Encode('Internal Server Error\n');
const BAD_REQUEST_BODY = hot.utf8Encode('Bad Request\n');

/** Makes an HttpHandler of `app`; the web API must be installed (installWeb) when it is called. */
export function fetchHandler(app: FetchApp, platform: FetchPlatform): HttpHandler {
  if (typeof app?.fetch !== 'function') {
    throw new TypeError('the module must `export default` an object with a fetch(request) method');
  }
  return new FetchHandler(app, platform);
}

class FetchHandler implements HttpHandler {
  private readonly app: FetchApp;
  private readonly log: Logger;
  private readonly scheme: string;

  constructor(app: FetchApp, platform: FetchPlatform) {
    this.app = app;
    this.log = platform.log;
    this.scheme = platform.scheme ?? 'http';
  }

  /** An app's answers are its own affair each time. */
  answer(): PreparedResponse | null {
    return null;
  }

  request(exchange: Exchange): void {
    const { head, local } = exchange;
    const query = head.query === null ? '' : `?${head.query}`;
    const host = head.host === '' ? hostOf(local) : head.host;
    // RFC 9110 §7.1: the target URI of '*' has an empty path.
    const path = head.path === '*' ? '' : head.path;
    const url = canonicalUrl(`${this.scheme}://${host}${path}${query}`);
    if (url === null) {
      exchange.respond(400, PLAIN, BAD_REQUEST_BODY);
      return;
    }
    const incoming = new IncomingExchange(exchange, url);
    try {
      const result = this.app.fetch(new Request(incoming) as never, exchange);
      // A Response at hand needs no promise, which would cost it a turn of the job queue.
      if (result instanceof Response) this.send(incoming, result);
      else this.sendLater(incoming, result);
    } catch (error) {
      this.fail(incoming, error);
    }
  }

  private async sendLater(incoming: IncomingExchange, result: unknown): Promise<void> {
    try {
      this.send(incoming, await result);
    } catch (error) {
      this.fail(incoming, error);
    }
  }

  private send(incoming: IncomingExchange, response: unknown): void {
    const { exchange } = incoming;
    if (exchange.finished) return;
    const { status, fields, payload, lengthBytes } = partsOf(response);
    if (payload === null && exchange.head.method !== 'HEAD') {
      exchange.respond(status, fields, EMPTY);
      incoming.settle();
      return;
    }
    const content = payload === null ? null : payload.take();
    if (content === null || (typeof content === 'object' && 'read' in content)) {
      this.stream(incoming, { status, fields, lengthBytes }, content);
      return;
    }
    exchange.respond(
      status,
      fields,
      typeof content === 'string' ? hot.utf8Encode(content) : content,
    );
    incoming.settle();
  }

  private stream(
    incoming: IncomingExchange,
    { status, fields, lengthBytes }: Omit<ResponseParts, 'payload'>,
    source: ByteSource | null,
  ): void {
    const { exchange } = incoming;
    const isWanted = source !== null && exchange.head.method !== 'HEAD';
    // Before the head is sent: the source may be the request's body, and 100 (Continue) can't
    // follow a head.
    if (isWanted) incoming.sendFrom(source);
    exchange.begin(status, fields, lengthBytes);
    if (isWanted) {
      this.pump(incoming, source);
      return;
    }
    source?.cancel(undefined);
    exchange.finish();
    incoming.settle();
  }

  /** Moves a streamed body, as fast as the peer takes it. Never rejects. */
  private async pump(incoming: IncomingExchange, source: ByteSource): Promise<void> {
    const { exchange } = incoming;
    try {
      for (;;) {
        const chunk = await source.read();
        if (exchange.finished) return;
        if (chunk === null) break;
        exchange.write(chunk);
        if (exchange.queuedBytes > RESPONSE_QUEUE_BYTES_MAX) await incoming.drain();
        if (exchange.finished) return;
      }
      exchange.finish();
      incoming.settle();
    } catch (error) {
      this.fail(incoming, error);
    }
  }

  /** The app's mistake: told in the log, and to the client as far as it can still be told. */
  private fail(incoming: IncomingExchange, error: unknown): void {
    const { exchange } = incoming;
    const { method, target } = exchange.head;
    incoming.cancelSending(error);
    // An app that gives up because its client is gone makes no mistake.
    if (exchange.finished && error === incoming.abortReason) return;
    this.log.error(`${method} ${target}: ${inspect(error)}`);
    if (exchange.finished) return;
    if (exchange.responded) exchange.abort();
    else exchange.respond(500, PLAIN, ERROR_BODY);
    incoming.settle();
  }
}

const hostOf = ({ address, port }: Endpoint): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

interface ResponseParts {
  status: number;
  fields: readonly HeaderField[];
  payload: Payload | null;
  /** Announced by the app, for a body whose length isn't known here. */
  lengthBytes: number | null;
}

function partsOf(response: unknown): ResponseParts {
  if (response instanceof Response) {
    const { status, headers, _payload: payload } = response;
    const fields: HeaderField[] = [...headers._map];
    if (headers._cookies !== null) {
      for (const cookie of headers._cookies) fields.push(['set-cookie', cookie]);
    }
    return { status, fields, payload, lengthBytes: lengthOf(headers._map.get('content-length')) };
  }
  return foreignParts(response);
}

/**
 * A Response of another make: the engine's own, in an app that wasn't bundled with packages/web.
 */
function foreignParts(response: unknown): ResponseParts {
  const other = response as {
    status?: unknown;
    headers?: Iterable<HeaderField>;
    body?: ByteStream | null;
  } | null;
  if (typeof other !== 'object' || other === null || typeof other.status !== 'number') {
    throw new TypeError(`fetch(request) must return a Response, not ${inspect(response)}`);
  }
  const fields = [...(other.headers ?? [])];
  const length = fields.find(([name]) => name.toLowerCase() === 'content-length')?.[1];
  const body = other.body ?? null;
  return {
    status: other.status,
    fields,
    payload: body === null ? null : new Payload(body),
    lengthBytes: lengthOf(length),
  };
}

const lengthOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;

/** The events of one exchange, as a Request's body and signal and as a Response's brake. */
class IncomingExchange extends Incoming implements ExchangeHandler, ByteSource {
  readonly exchange: Exchange;
  readonly method: string;
  readonly body: ByteSource | null;
  /** What the signal and the body's reader were given when the client went away. */
  abortReason: unknown = undefined;
  private readonly urlText: string;
  private attached = false;
  private settled = false;
  private queue: Uint8Array[] = [];
  private queueBytes = 0;
  private paused = false;
  private ended = false;
  /** Why the body can't be read any more. */
  private failure: unknown = null;
  private waiting: PromiseWithResolvers<void> | null = null;
  private draining: (() => void) | null = null;
  private abortCallback: ((reason: unknown) => void) | null = null;
  private sending: ByteSource | null = null;

  constructor(exchange: Exchange, url: string) {
    super();
    this.exchange = exchange;
    this.urlText = url;
    this.method = exchange.head.method;
    this.body = exchange.head.bodyBytes === 0 ? null : this;
  }

  url(): string {
    return this.urlText;
  }

  headers(): Headers {
    const headers = new Headers();
    const map = headers._map;
    this.exchange.head.forEach((name, value) => {
      const before = map.get(name);
      const separator = name === 'cookie' ? '; ' : ', ';
      map.set(name, before === undefined ? value : before + separator + value);
    });
    headers._guard = 'immutable';
    return headers;
  }

  onAbort(aborted: (reason: unknown) => void): void {
    if (this.abortReason !== undefined) {
      aborted(this.abortReason);
      return;
    }
    this.abortCallback = aborted;
    this.listen();
  }

  async read(): Promise<Uint8Array | null> {
    this.listen();
    if (this.queueBytes === 0 && !this.ended && this.failure === null) {
      this.waiting = Promise.withResolvers();
      await this.waiting.promise;
    }
    if (this.queueBytes > 0) return this.takeQueue();
    if (this.failure !== null) throw this.failure;
    return null;
  }

  /** All that waits, as one chunk: what came in one turn of the event loop is read at once. */
  private takeQueue(): Uint8Array {
    const { queue } = this;
    const chunk = queue.length === 1 ? queue[0]! : joined(queue, this.queueBytes);
    this.queue = [];
    this.queueBytes = 0;
    if (this.paused) {
      this.paused = false;
      this.exchange.resume();
    }
    return chunk;
  }

  cancel(reason: unknown): void {
    this.queue = [];
    this.queueBytes = 0;
    this.close(reason ?? new DOMException('The body was cancelled', 'AbortError'));
  }

  /** Resolves when the peer took enough, or is gone. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.draining = resolve;
    });
  }

  /** `source` is the response's body from now on: it ends when the client does. */
  sendFrom(source: ByteSource): void {
    this.sending = source;
    this.listen();
  }

  /** The response's body won't be sent. */
  cancelSending(reason: unknown): void {
    this.sending?.cancel(reason);
    this.sending = null;
  }

  /** The response is complete: what wasn't read of the request's body won't come any more. */
  settle(): void {
    this.settled = true;
    this.sending = null;
    // Most requests have no body, and an error costs its stack.
    if (this.body === null || this.ended) return;
    this.close(new TypeError('the response is complete, and the rest of the body was dropped'));
  }

  data(bytes: Uint8Array): void {
    if (this.failure !== null) return;
    // Not slice(): that of Node's Buffer is no copy.
    this.queue.push(new Uint8Array(bytes));
    this.queueBytes += bytes.length;
    this.wakeReader();
    if (this.queueBytes <= REQUEST_QUEUE_BYTES_MAX || this.paused) return;
    this.paused = true;
    this.exchange.pause();
  }

  end(): void {
    this.ended = true;
    this.wakeReader();
  }

  drained(): void {
    this.draining?.();
    this.draining = null;
  }

  aborted(): void {
    this.abortReason = new DOMException('The client closed the connection', 'AbortError');
    this.close(this.abortReason);
    this.drained();
    this.cancelSending(this.abortReason);
    this.abortCallback?.(this.abortReason);
  }

  private listen(): void {
    if (this.attached) return;
    this.attached = true;
    // Nobody tells an exchange without a handler that its client is gone.
    if (this.exchange.finished && !this.settled) this.aborted();
    else this.exchange.attach(this);
  }

  private close(reason: unknown): void {
    if (this.ended || this.failure !== null) return;
    this.failure = reason;
    this.wakeReader();
  }

  private wakeReader(): void {
    this.waiting?.resolve();
    this.waiting = null;
  }
}

function joined(parts: readonly Uint8Array[], total: number): Uint8Array {
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    hot.copy(bytes, at, part, 0, part.length);
    at += part.length;
  }
  return bytes;
}
