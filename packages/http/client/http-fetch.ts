/**
 * One hop of a fetch over HTTP: a request to the client of client.ts, and its response as soon as
 * its head is here. Read first: exchange.ts. Not here: redirects (fetch.ts).
 */

import { hot } from '#core';
import { type BodyContent, type ByteSource, Headers, Inflating } from '#web';
import type { HeaderField } from '../exchange.ts';
import type { ResponseHead } from '../wire/response-head.ts';
import type { HttpClient } from './client.ts';
import type { ClientError, ClientExchange, ClientHandler } from './exchange.ts';
import type { Hop } from './redirect.ts';
import { ResponseBody } from './response-body.ts';

/**
 * Fields that say how this connection frames the message, or that follow from the URL: Fetch's
 * forbidden names (§2.2.2) as far as they aren't only a browser's business.
 */
const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: ByteSource | null;
}

/** A hop on its way. */
export class HttpFetch implements ClientHandler {
  readonly answer: Promise<Answer>;
  private readonly hop: Hop;
  private readonly exchange: ClientExchange;
  private readonly settle: PromiseWithResolvers<Answer> = Promise.withResolvers();
  private readonly over: () => void;
  private body: ResponseBody | null = null;
  private sending: ByteSource | null = null;
  private draining: (() => void) | null = null;
  private isOver = false;

  /** `over` is called once nothing more of it will come, or be wanted. */
  constructor(client: HttpClient, hop: Hop, over: () => void) {
    this.hop = hop;
    this.over = over;
    this.answer = this.settle.promise;
    const { url, method } = hop;
    const content = contentOf(hop.body);
    const isStream = content !== null && !(content instanceof Uint8Array);
    this.exchange = client.request(
      {
        method,
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port === '' ? defaultPort(url) : Number(url.port),
        authority: url.host,
        target: `${url.pathname}${url.search}`,
        fields: fieldsOf(hop.headers),
        body: isStream ? { lengthBytes: lengthOf(hop.headers) } : content,
      },
      this,
    );
    if (isStream) {
      this.sending = content;
      this.pump(content);
    }
  }

  /** Gives up; `reason` is what whoever waits gets. */
  abort(reason: unknown): void {
    if (this.isOver) return;
    this.exchange.abort();
    this.fail(reason);
  }

  response(head: ResponseHead): void {
    const headers = headersOf(head);
    const isEmpty = head.framing?.kind === 'none' || this.hop.method === 'HEAD';
    this.body = isEmpty ? null : new ResponseBody(this.exchange, () => this.finish());
    const body = this.body === null ? null : decoded(this.body, headers);
    this.settle.resolve({ status: head.status, statusText: head.reason, headers, body });
  }

  data(bytes: Uint8Array): void {
    this.body?.push(bytes);
  }

  end(): void {
    this.body?.end();
    this.finish();
  }

  failed(error: ClientError): void {
    this.fail(new TypeError(sentence(error, this.hop), { cause: error }));
  }

  drained(): void {
    const { draining } = this;
    this.draining = null;
    draining?.();
  }

  private fail(reason: unknown): void {
    this.settle.reject(reason);
    // Whoever asked may have gone already.
    this.answer.catch(() => {});
    this.body?.fail(reason);
    this.finish(reason);
  }

  private finish(reason?: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    // A response may be complete before its request: the rest of that isn't wanted.
    this.sending?.cancel(reason);
    this.sending = null;
    this.drained();
    this.over();
  }

  /** Moves a streamed body, as fast as the server takes it. Never rejects. */
  private async pump(source: ByteSource): Promise<void> {
    try {
      for (;;) {
        const chunk = await source.read();
        if (this.isOver) return;
        if (chunk === null) break;
        this.exchange.write(chunk);
        if (this.exchange.isFull) await this.drain();
        if (this.isOver) return;
      }
      this.sending = null;
      this.exchange.finish();
    } catch (error) {
      this.sending = null;
      this.exchange.abort();
      this.fail(new TypeError("fetch: the request's body failed", { cause: error }));
    }
  }

  private drain(): Promise<void> {
    return new Promise((resolve) => {
      this.draining = resolve;
    });
  }
}

const defaultPort = ({ protocol }: Hop['url']): number => (protocol === 'https:' ? 443 : 80);

function contentOf(body: BodyContent | null): Uint8Array | ByteSource | null {
  return typeof body === 'string' ? hot.utf8Encode(body) : body;
}

/** A length that the app announced for its stream. */
function lengthOf(headers: Headers): number | null {
  const text = headers._map.get('content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The app's fields, and those of Fetch §4.6 that it left out. */
function fieldsOf(headers: Headers): HeaderField[] {
  const fields: HeaderField[] = [];
  for (const [name, value] of headers._map) if (!OURS.has(name)) fields.push([name, value]);
  for (const cookie of headers._cookies ?? []) fields.push(['set-cookie', cookie]);
  const defaults = [
    ['accept', '*/*'],
    // Fetch §4.6: a range of a coded body is of no use.
    ['accept-encoding', headers._map.has('range') ? 'identity' : 'gzip, deflate'],
    ['user-agent', 'Morgana'],
  ] as const;
  for (const field of defaults) if (!headers._map.has(field[0])) fields.push(field);
  return fields;
}

function headersOf(head: ResponseHead): Headers {
  const headers = new Headers();
  const map = headers._map;
  head.forEach((name, value) => {
    if (name === 'set-cookie') {
      headers._cookies ??= [];
      headers._cookies.push(value);
      return;
    }
    const before = map.get(name);
    map.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  return headers;
}

/**
 * The body without its codings (RFC 9110 §8.4), when we know all of them; else as it is. Deviates:
 * the fields that tell of them leave too, so that the response may be passed on as it is.
 */
function decoded(body: ByteSource, headers: Headers): ByteSource {
  const text = headers._map.get('content-encoding');
  if (text === undefined) return body;
  const codings = text
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'identity');
  if (codings.length > CODINGS_MAX || !codings.every((one) => CODINGS.has(one))) return body;
  if (codings.length > 0) for (const name of CODED) headers._map.delete(name);
  return codings.reduce<ByteSource>((source) => new Inflating(source), body);
}

const CODED = ['content-encoding', 'content-length'];
const CODINGS: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate']);
/** Each one multiplies what a byte may grow to. */
const CODINGS_MAX = 2;

function sentence(error: ClientError, { url }: Hop): string {
  switch (error.kind) {
    case 'connect': {
      const why = error.error.kind === 'tls' ? `TLS: ${error.error.fault}` : error.error.kind;
      return `fetch: no connection to ${url.host}: ${why}`;
    }
    case 'closed':
      return `fetch: ${url.host} closed the connection too early`;
    case 'malformed':
      return `fetch: what ${url.host} sent is no HTTP/1.1 response`;
    case 'timeout':
      return `fetch: ${url.host} does not go on`;
    case 'busy':
      return 'fetch: too many requests wait already';
  }
}
