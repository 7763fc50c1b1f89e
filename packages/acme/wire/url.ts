/**
 * The URLs of an ACME server: `https://host[:port]/path[?query]` and nothing else (RFC 8555 §6.1
 * wants HTTPS). What a server names is asked for as it is written: it is signed (§6.4), so it must
 * not be made another.
 */

import { err, ok, type Result } from '#core';
import { URL_CHARACTERS_MAX } from '../limits.ts';

export interface AcmeUrl {
  /** As it came. */
  readonly text: string;
  /** A name or a numeric address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
  /** The value of Host. */
  readonly authority: string;
  /** Path and query; begins with '/'. */
  readonly target: string;
}

export type UrlFault = { readonly kind: 'url' };

const PATTERN =
  /^https:\/\/((?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,253}))(?::(\d{1,5}))?)((?:\/[!"$-;=?-_a-z{-~]*)?)$/i;
const PORT = 443;

/** No credentials, no fragment, no bytes that a request line can't hold. */
export function parseUrl(text: string): Result<AcmeUrl, UrlFault> {
  const found = text.length <= URL_CHARACTERS_MAX ? PATTERN.exec(text) : null;
  if (found === null) return err({ kind: 'url' });
  const port = found[4] === undefined ? PORT : Number(found[4]);
  if (port < 1 || port > 65_535) return err({ kind: 'url' });
  const target = found[5] === '' ? '/' : found[5]!;
  return ok({ text, host: found[2] ?? found[3]!, port, authority: found[1]!, target });
}

/** Where a redirect from `base` leads (RFC 9110 §10.2.2): a whole URL, or a path on the same host. */
export function resolveUrl(base: AcmeUrl, location: string): Result<AcmeUrl, UrlFault> {
  if (!location.startsWith('/') || location.startsWith('//')) return parseUrl(location);
  return parseUrl(`https://${base.authority}${location}`);
}
