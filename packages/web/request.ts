/**
 * Request, Fetch §5.4. A server's requests are made of an Incoming and work out their parts when
 * asked.
 */

import { AbortController, AbortSignal } from './abort.ts';
import { Body, type BodyInit, extractBody, Payload } from './body.ts';
import type { ByteSource } from './body-stream.ts';
import { Headers, type HeadersInit } from './headers.ts';
import { URL } from './url.ts';

export interface RequestInit {
  method?: string;
  headers?: HeadersInit | Headers;
  body?: BodyInit | null;
  signal?: AbortSignal | null;
  redirect?: RequestRedirect;
  /** Must be 'half' when the body is a stream. */
  duplex?: 'half';
}

/** A request that arrived: what a server knows of it. Each method is called at most once. */
export abstract class Incoming {
  abstract readonly method: string;
  /** Null when there is none. */
  abstract readonly body: ByteSource | null;
  /** Absolute, and canonical as `new URL(...).href` gives it. */
  abstract url(): string;
  abstract headers(): Headers;
  /** Calls `aborted` when the client is gone. */
  abstract onAbort(aborted: (reason: unknown) => void): void;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Fetch §2.2.1 "normalize a method": only these are made upper case. */
const NORMALIZED = /^(?:delete|get|head|options|post|put)$/i;
const FORBIDDEN = /^(?:connect|trace|track)$/i;

function methodOf(given: string): string {
  const method = String(given);
  if (!TOKEN.test(method) || FORBIDDEN.test(method)) {
    throw new TypeError(`Request: the method "${method}" is not allowed`);
  }
  return NORMALIZED.test(method) ? method.toUpperCase() : method;
}

function urlOf(input: string): string {
  const url = new URL(input);
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('Request: a URL with credentials is not allowed');
  }
  return url.href;
}

export class Request extends Body {
  readonly method: string;
  readonly redirect: RequestRedirect;
  private _incoming: Incoming | null = null;
  private _url: string | null = null;
  private _headers: Headers | null = null;
  private _signal: AbortSignal | null = null;

  constructor(input: string | URL | Request | Incoming, given?: RequestInit | null) {
    super();
    if (input instanceof Incoming) {
      this.method = input.method;
      this.redirect = 'follow';
      this._incoming = input;
      if (input.body !== null) this._payload = new Payload(input.body);
      return;
    }
    const init = given ?? {};
    const from = input instanceof Request ? input : null;
    this._url = from === null ? urlOf(String(input)) : from.url;
    this.method = init.method === undefined ? (from?.method ?? 'GET') : methodOf(init.method);
    this.redirect = init.redirect ?? from?.redirect ?? 'follow';
    this._headers = new Headers(init.headers ?? from?.headers);
    const signal = init.signal === undefined ? from?.signal : init.signal;
    if (signal !== undefined && signal !== null) this._signal = AbortSignal.any([signal]);
    this._setBody(from, init);
  }

  get url(): string {
    if (this._url === null) this._url = this._incoming!.url();
    return this._url;
  }

  get headers(): Headers {
    if (this._headers === null) this._headers = this._incoming!.headers();
    return this._headers;
  }

  get signal(): AbortSignal {
    if (this._signal === null) {
      const controller = new AbortController();
      this._incoming?.onAbort((reason) => controller.abort(reason));
      this._signal = controller.signal;
    }
    return this._signal;
  }

  // What only a browser's fetch looks at, as Fetch §5.4 sets it. On the prototype: a request costs
  // less so.
  get duplex(): 'half' {
    return 'half';
  }
  get cache(): string {
    return 'default';
  }
  get credentials(): string {
    return 'same-origin';
  }
  get destination(): string {
    return '';
  }
  get integrity(): string {
    return '';
  }
  get keepalive(): boolean {
    return false;
  }
  get mode(): string {
    return 'cors';
  }
  get referrer(): string {
    return 'about:client';
  }
  get referrerPolicy(): string {
    return '';
  }

  clone(): Request {
    if (this._payload?.unusable === true) throw new TypeError('Request: the body was used already');
    const { method, headers, signal, redirect } = this;
    const copy = new Request(this.url, { headers, signal, redirect });
    Object.assign(copy, { method });
    copy._payload = this._clonePayload();
    return copy;
  }

  _contentType(): string {
    return this.headers.get('content-type') ?? '';
  }

  get [Symbol.toStringTag](): string {
    return 'Request';
  }

  private _setBody(from: Request | null, init: RequestInit): void {
    const given = init.body ?? null;
    const inherited = given === null ? (from?._payload ?? null) : null;
    if (given === null && inherited === null) return;
    if (this.method === 'GET' || this.method === 'HEAD') {
      throw new TypeError(`Request: ${this.method} has no body`);
    }
    if (inherited !== null) {
      // The body moves: the older request can't be read any more, Fetch §5.4 step 41.
      if (inherited.unusable) throw new TypeError('Request: the body was used already');
      this._payload = new Payload(inherited.take());
      return;
    }
    const { payload, type } = extractBody(given);
    if (typeof given === 'object' && 'getReader' in given! && init.duplex !== 'half') {
      throw new TypeError("Request: a stream as body needs duplex: 'half'");
    }
    this._payload = payload;
    if (type !== '' && !this.headers.has('content-type')) this.headers.append('content-type', type);
  }
}
