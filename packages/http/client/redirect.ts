/** Where a redirect leads and with what, Fetch §4.4 "HTTP-redirect fetch": pure. */

import { type BodyContent, Headers, URL } from '#web';

/** Fetch §4.4 step 5. */
export const REDIRECTS_MAX = 20;

/** What is asked for, from hop to hop. */
export interface Hop {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: BodyContent | null;
}

export const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308;

const BODY_HEADERS = [
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
  'content-length',
];
/** What was meant for one origin is no other's business. */
const ORIGIN_HEADERS = ['authorization', 'proxy-authorization', 'cookie'];

/** The next hop; or a sentence that says why there is none. */
export function nextHop(hop: Hop, status: number, location: string): Hop | string {
  const url = parseLocation(location, hop.url);
  if (url === null) return `the redirect to "${location}" leads nowhere`;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `a redirect to a ${url.protocol} URL is not followed`;
  }
  if (url.username !== '' || url.password !== '') {
    return 'a redirect to a URL with credentials is not followed';
  }
  // RFC 9110 §10.2.2: the fragment of the one asked for stays.
  if (url.hash === '') url.hash = hop.url.hash;
  const isSeeOther = status === 303 && hop.method !== 'GET' && hop.method !== 'HEAD';
  const becomesGet = isSeeOther || ((status === 301 || status === 302) && hop.method === 'POST');
  const headers = new Headers(hop.headers);
  if (becomesGet) for (const name of BODY_HEADERS) headers.delete(name);
  if (url.origin !== hop.url.origin) for (const name of ORIGIN_HEADERS) headers.delete(name);
  if (becomesGet) return { method: 'GET', url, headers, body: null };
  // What has been read from a stream is gone.
  if (hop.body !== null && typeof hop.body === 'object' && 'read' in hop.body) {
    return `a redirect (${status}) needs the body again, which was a stream`;
  }
  return { ...hop, url, headers };
}

/** A Location may be relative (RFC 9110 §10.2.2). */
function parseLocation(location: string, base: URL): URL | null {
  try {
    return new URL(location, base);
  } catch {
    return null;
  }
}
