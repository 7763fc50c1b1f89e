/**
 * The global `fetch` (Fetch §5.6) on a server: no CORS, no cookies of its own, no cache, no
 * service workers. Read first: http-fetch.ts, redirect.ts, packages/web/README.md. Schemes: http,
 * https where the program's network has TLS, data, about:blank.
 *
 * Deviates: `redirect: 'manual'` gives the redirect itself, as servers need it, where a browser
 * hides it; forbidden request headers (§2.2.2) may be set but for those that frame the message and
 * Host, which follows from the URL; ports aren't blocked (§2.9): there is no user to be tricked.
 */

import {
  type AbortSignal,
  type BodyContent,
  fetchedResponse,
  Headers,
  installedNetwork,
  parseDataUrl,
  platform,
  Request,
  type RequestInit,
  type Response,
  type URL,
  URL as UrlClass,
  type WebNetwork,
} from '#web';
import { HttpClient } from './client.ts';
import { type Answer, HttpFetch } from './http-fetch.ts';
import { type Hop, isRedirect, nextHop, REDIRECTS_MAX } from './redirect.ts';

interface Clients {
  readonly network: WebNetwork;
  readonly plain: HttpClient;
  /** Null: the network has no TLS. */
  readonly secure: HttpClient | null;
}

/** Clients for the network that is installed: their connections are shared by all of a program. */
let shared: Clients | null = null;

/** The client for `url`, which is http: or https:. */
function clientOf(url: URL): HttpClient {
  const network = installedNetwork();
  if (network === null) throw new TypeError('fetch: this program has no network stack');
  if (shared?.network !== network) shared = clientsOf(network);
  if (url.protocol === 'http:') return shared.plain;
  if (shared.secure === null) throw noTls(url);
  return shared.secure;
}

function clientsOf(network: WebNetwork): Clients {
  const { timers } = platform();
  const { connectSecure } = network;
  const connect: WebNetwork['connect'] = (...args) => network.connect(...args);
  const secure =
    connectSecure === undefined ? null : new HttpClient({ connect: connectSecure, timers });
  return { network, plain: new HttpClient({ connect, timers }), secure };
}

/** Resolves when the head of the response is here; its body may still be coming. */
export async function fetch(
  input: string | URL | Request,
  init?: (RequestInit & { keepalive?: boolean }) | null,
): Promise<Response> {
  const signal = signalOf(input, init ?? null);
  // The signal is watched here, and let go of in the end: one may outlive many requests.
  const request = new Request(input, { ...init, signal: null });
  signal?.throwIfAborted();
  const hop: Hop = {
    method: request.method,
    url: new UrlClass(request.url),
    headers: request.headers,
    body: request._payload?.take() ?? null,
  };
  switch (hop.url.protocol) {
    case 'http:':
    case 'https:':
      return follow(hop, request.redirect, signal);
    case 'data:':
      return dataResponse(hop);
    case 'about:':
      if (hop.url.pathname === 'blank') return local(hop, 'text/html;charset=utf-8', '');
      throw new TypeError(`fetch: there is nothing at ${hop.url.href}`);
    default:
      throw new TypeError(`fetch: the scheme of ${hop.url.href} is not supported`);
  }
}

function signalOf(input: unknown, init: RequestInit | null): AbortSignal | null {
  if (init?.signal !== undefined) return init.signal;
  return input instanceof Request ? input.signal : null;
}

const noTls = (url: URL): TypeError =>
  new TypeError(
    `fetch: ${url.origin} needs TLS, and this program was built without CAs to trust: build it ` +
      "with --ca=FILE or --ca=system, or give its configuration ca: './ca.pem'",
  );

/** Hop after hop, up to the answer that isn't a redirect or isn't to be followed. */
async function follow(
  first: Hop,
  mode: Request['redirect'],
  signal: AbortSignal | null,
): Promise<Response> {
  let hop = first;
  for (let redirects = 0; ; redirects++) {
    const answer = await ask(hop, signal);
    const location = answer.headers._map.get('location');
    const isFollowed = isRedirect(answer.status) && mode !== 'manual';
    if (!isFollowed || (location === undefined && mode === 'follow')) {
      return responseOf(answer, hop, redirects > 0);
    }
    answer.body?.cancel(undefined);
    if (mode === 'error') throw new TypeError(`fetch: ${hop.url.href} is redirected`);
    if (redirects === REDIRECTS_MAX) throw new TypeError('fetch: too many redirects');
    const next = nextHop(hop, answer.status, location!);
    if (typeof next === 'string') throw new TypeError(`fetch: ${next}`);
    hop = next;
  }
}

/** One hop; an abort breaks it off, also while its body comes. */
function ask(hop: Hop, signal: AbortSignal | null): Promise<Answer> {
  const aborted = (): void => exchange.abort(signal!.reason);
  const over = (): void => signal?.removeEventListener('abort', aborted);
  const exchange = new HttpFetch(clientOf(hop.url), hop, over);
  signal?.addEventListener('abort', aborted);
  if (signal?.aborted) aborted();
  return exchange.answer;
}

const withoutFragment = (url: URL): string => url.href.replace(/#.*$/s, '');

function responseOf(answer: Answer, { url }: Hop, redirected: boolean): Response {
  return fetchedResponse({ url: withoutFragment(url), redirected }, answer, answer.body);
}

/** Fetch §4.3 "scheme fetch". */
function dataResponse(hop: Hop): Response {
  const data = parseDataUrl(hop.url.href);
  if (data === null) throw new TypeError('fetch: the data: URL is malformed');
  return local(hop, data.type, data.bytes);
}

function local({ url, method }: Hop, type: string, body: BodyContent): Response {
  const head = { status: 200, statusText: 'OK', headers: new Headers({ 'content-type': type }) };
  const from = { url: withoutFragment(url), redirected: false };
  return fetchedResponse(from, head, method === 'HEAD' ? null : body);
}
