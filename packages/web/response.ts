/** Response, Fetch §5.5. */

import { Body, type BodyContent, type BodyInit, extractBody, Payload } from './body.ts';
import { Headers, type HeadersInit } from './headers.ts';
import { URL } from './url.ts';

export interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit | Headers;
}

const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
const isNullBody = (status: number): boolean =>
  status === 204 || status === 304 || status === 205 || status === 101;
const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308;

/** Where a response came from, when `fetch` got it. */
export interface FetchedFrom {
  /** Without a fragment. */
  readonly url: string;
  readonly redirected: boolean;
}

/** Web IDL: a dictionary may be null. */
const NOTHING: ResponseInit = {};

export class Response extends Body {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  /** Null on the prototype: only what `fetch` got has one. Internal to packages/web. */
  declare _from: FetchedFrom | null;

  constructor(body?: BodyInit | null, init?: ResponseInit | null) {
    super();
    const { status = 200, statusText = '', headers } = init ?? NOTHING;
    const code = Math.trunc(Number(status));
    if (!(code >= 200 && code <= 599)) {
      throw new RangeError(`Response: the status ${status} is outside of 200..599`);
    }
    if (statusText !== '' && !REASON.test(statusText)) {
      throw new TypeError('Response: a character of statusText is not allowed');
    }
    this.status = code;
    this.statusText = String(statusText);
    this.headers = new Headers(headers);
    if (body === undefined || body === null) return;
    if (isNullBody(code)) throw new TypeError(`Response: status ${code} has no body`);
    const { payload, type } = extractBody(body);
    this._payload = payload;
    if (type !== '' && !this.headers._map.has('content-type')) {
      this.headers._map.set('content-type', type);
    }
  }

  get type(): 'basic' | 'default' | 'error' {
    if (this.status === 0) return 'error';
    // A server has no other origin to hide anything from.
    return this._from === null ? 'default' : 'basic';
  }

  get url(): string {
    return this._from === null ? '' : this._from.url;
  }

  get redirected(): boolean {
    return this._from?.redirected === true;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  clone(): Response {
    const { status, statusText, headers } = this;
    const copy = new Response(null, { statusText, headers });
    // A network error's is 0, which the constructor refuses.
    Object.assign(copy, { status });
    copy.headers._guard = headers._guard;
    if (this._from !== null) copy._from = this._from;
    copy._payload = this._clonePayload();
    return copy;
  }

  _contentType(): string {
    return this.headers.get('content-type') ?? '';
  }

  get [Symbol.toStringTag](): string {
    return 'Response';
  }

  static json(data: unknown, init?: ResponseInit | null): Response {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError('Response.json: the value has no JSON form');
    const response = new Response(text, init);
    // A string's own type is replaced; a type that init gave is kept.
    if (init?.headers === undefined || !new Headers(init.headers).has('content-type')) {
      response.headers._map.set('content-type', 'application/json');
    }
    return response;
  }

  /** `url` must be absolute: there is no document to resolve it against. */
  static redirect(url: string | URL, status = 302): Response {
    const location = new URL(String(url)).href;
    if (!isRedirect(status)) throw new RangeError(`Response.redirect: status ${status}`);
    const response = new Response(null, { status, headers: { location } });
    response.headers._guard = 'immutable';
    return response;
  }

  /** A network error: status 0, which no server may send. */
  static error(): Response {
    const response = new Response(null);
    Object.assign(response, { status: 0 });
    response.headers._guard = 'immutable';
    return response;
  }
}

Object.assign(Response.prototype, { _from: null } satisfies Partial<Response>);

/** What came from a server: any status, headers that may not be changed. For packages/http. */
export function fetchedResponse(
  from: FetchedFrom,
  head: { readonly status: number; readonly statusText: string; readonly headers: Headers },
  body: BodyContent | null,
): Response {
  const response = new Response(null);
  const { status, statusText, headers } = head;
  headers._guard = 'immutable';
  Object.assign(response, { status, statusText, headers, _from: from });
  if (body !== null) response._payload = new Payload(body);
  return response;
}
