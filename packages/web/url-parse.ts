/**
 * URL parsing and serializing, URL §4. The state machine of the standard is written as one function
 * per part: a URL's fragment and query can be cut off first, because no other part may contain '#'
 * or '?'.
 */

import { C0_SET, parseHost, percentEncode } from './url-host.ts';

export interface UrlRecord {
  /** Without ':'. */
  scheme: string;
  username: string;
  password: string;
  /** Serialized; '' is a host too. Null: no authority. */
  host: string | null;
  /** Null: none, or the scheme's own. */
  port: number | null;
  /** Segments; a string when opaque (mailto:). */
  path: string[] | string;
  query: string | null;
  fragment: string | null;
}

/** Special schemes and their ports, URL §4.2. */
const SPECIAL: ReadonlyMap<string, number | null> = new Map([
  ['http', 80],
  ['https', 443],
  ['ws', 80],
  ['wss', 443],
  ['ftp', 21],
  ['file', null],
]);

export const isSpecial = (scheme: string): boolean => SPECIAL.has(scheme);

const FRAGMENT_SET = /[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7e]/;
const QUERY_SET = /[^\x21\x24-\x3b\x3d\x3f-\x7e]/;
const SPECIAL_QUERY_SET = /[^\x21\x24-\x26\x28-\x3b\x3d\x3f-\x7e]/;
const PATH_SET = /[^\x21\x24-\x3b\x3d\x40-\x5d\x5f\x61-\x7a\x7c\x7e]/;
const USERINFO_SET = /[^\x21\x24-\x2e\x30-\x39\x41-\x5a\x5f\x61-\x7a\x7e]/;

export const encodeUserinfo = (text: string): string => percentEncode(text, USERINFO_SET);
export const encodeFragment = (text: string): string => percentEncode(text, FRAGMENT_SET);
export const encodeQuery = (text: string, scheme: string): string =>
  percentEncode(text, isSpecial(scheme) ? SPECIAL_QUERY_SET : QUERY_SET);

/** URL §4.4 steps 1 and 3, which setters need too. */
export const withoutTabs = (text: string): string => text.replace(/[\t\n\r]/g, '');
const OUTER = /^[\0-\x20]+|[\0-\x20]+$/g;

/** The record of `input`, or null when it isn't a URL. */
export function parseUrl(input: string, base: UrlRecord | null): UrlRecord | null {
  let rest = withoutTabs(input.toWellFormed().replace(OUTER, ''));
  const match = /^([A-Za-z][A-Za-z0-9+\-.]*):/.exec(rest);
  const scheme = match === null ? null : match[1]!.toLowerCase();
  if (match !== null) rest = rest.slice(match[0].length);
  const hashAt = rest.indexOf('#');
  const fragment = hashAt < 0 ? null : encodeFragment(rest.slice(hashAt + 1));
  if (hashAt >= 0) rest = rest.slice(0, hashAt);
  const queryAt = rest.indexOf('?');
  const query = queryAt < 0 ? null : rest.slice(queryAt + 1);
  if (queryAt >= 0) rest = rest.slice(0, queryAt);
  const hasMore = query !== null || fragment !== null;
  const url =
    scheme === null ? parseRelative(rest, query, hasMore, base) : parseFrom(scheme, rest, base);
  if (url === null) return null;
  if (query !== null) url.query = encodeQuery(query, url.scheme);
  url.fragment = fragment;
  return url;
}

const newRecord = (scheme: string): UrlRecord => ({
  scheme,
  username: '',
  password: '',
  host: null,
  port: null,
  path: [],
  query: null,
  fragment: null,
});

const isSlash = (character: string | undefined, special: boolean): boolean =>
  character === '/' || (special && character === '\\');

/** What follows "scheme:". */
function parseFrom(scheme: string, rest: string, base: UrlRecord | null): UrlRecord | null {
  const url = newRecord(scheme);
  if (scheme === 'file') return parseFile(url, rest, base?.scheme === 'file' ? base : null);
  if (isSpecial(scheme)) {
    if (base?.scheme === scheme && !rest.startsWith('//')) return resolve(rest, false, base);
    return parseAuthority(url, rest.replace(/^[/\\]+/, ''));
  }
  if (rest.startsWith('//')) return parseAuthority(url, rest.slice(2));
  if (rest.startsWith('/')) {
    appendPath(url, rest.slice(1));
    return url;
  }
  // A space before '?' or '#' would be trimmed were they removed.
  url.path = percentEncode(rest, C0_SET).replace(/ $/, '%20');
  return url;
}

/** A reference without a scheme. */
function parseRelative(
  rest: string,
  query: string | null,
  hasMore: boolean,
  base: UrlRecord | null,
): UrlRecord | null {
  if (base === null) return null;
  if (typeof base.path === 'string') {
    // Only a fragment can be resolved against an opaque path.
    return rest === '' && query === null && hasMore ? { ...base } : null;
  }
  if (base.scheme === 'file') return parseFile(newRecord('file'), rest, base);
  return resolve(rest, query !== null, base);
}

function resolve(rest: string, hasQuery: boolean, base: UrlRecord): UrlRecord | null {
  const special = isSpecial(base.scheme);
  if (isSlash(rest[0], special) && isSlash(rest[1], special)) {
    const url = newRecord(base.scheme);
    return parseAuthority(url, special ? rest.replace(/^[/\\]+/, '') : rest.slice(2));
  }
  const url: UrlRecord = { ...base, path: [...base.path], fragment: null };
  if (rest === '' && !hasQuery) return url;
  url.query = null;
  if (rest === '') return url;
  if (isSlash(rest[0], special)) url.path = [];
  else shorten(url);
  appendPath(url, isSlash(rest[0], special) ? rest.slice(1) : rest);
  return url;
}

/** user:password@host:port/path. */
function parseAuthority(url: UrlRecord, rest: string): UrlRecord | null {
  const special = isSpecial(url.scheme);
  const end = rest.search(special ? /[/\\]/ : /\//);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const userinfo = authority.slice(0, at);
    const colon = userinfo.indexOf(':');
    url.username = encodeUserinfo(colon < 0 ? userinfo : userinfo.slice(0, colon));
    url.password = colon < 0 ? '' : encodeUserinfo(userinfo.slice(colon + 1));
  }
  const place = authority.slice(at + 1);
  if (at >= 0 && place === '') return null;
  if (!setHostAndPort(url, place)) return null;
  if (end >= 0 || special) appendPath(url, end < 0 ? '' : rest.slice(end + 1));
  return url;
}

function setHostAndPort(url: UrlRecord, place: string): boolean {
  const special = isSpecial(url.scheme);
  const { name, port } = splitPort(place);
  if (name === '' && (special || port !== null)) return false;
  url.host = name === '' ? '' : parseHost(name, special);
  if (url.host === null) return false;
  if (port === null || port === '') return true;
  return /^\d+$/.test(port) && setPort(url, port);
}

/** Cuts at the first ':' outside of brackets. */
export function splitPort(place: string): { name: string; port: string | null } {
  const match = /^((?:[^:[\]]|\[[^\]]*(?:\]|$)|\])*):(.*)$/s.exec(place);
  return match === null ? { name: place, port: null } : { name: match[1]!, port: match[2]! };
}

/** False when `digits` is above 65,535. */
export function setPort(url: UrlRecord, digits: string): boolean {
  const port = Number(digits);
  if (port > 0xffff) return false;
  url.port = SPECIAL.get(url.scheme) === port ? null : port;
  return true;
}

const isDriveLetter = (text: string): boolean => /^[A-Za-z][:|]$/.test(text);
const startsWithDrive = (text: string): boolean => /^[A-Za-z][:|](?:[/\\]|$)/.test(text);

function parseFile(url: UrlRecord, rest: string, base: UrlRecord | null): UrlRecord | null {
  url.host = '';
  if (isSlash(rest[0], true) && isSlash(rest[1], true)) return parseFileHost(url, rest.slice(2));
  if (isSlash(rest[0], true)) {
    const drive = base === null ? undefined : base.path[0];
    if (base !== null) url.host = base.host;
    if (!startsWithDrive(rest.slice(1)) && drive !== undefined && /^[A-Za-z]:$/.test(drive)) {
      url.path = [drive];
    }
    appendPath(url, rest.slice(1));
    return url;
  }
  if (base !== null) {
    url.host = base.host;
    url.path = [...base.path];
    url.query = base.query;
    if (rest === '') return url;
    url.query = null;
    if (startsWithDrive(rest)) url.path = [];
    else shorten(url);
  }
  appendPath(url, rest);
  return url;
}

function parseFileHost(url: UrlRecord, rest: string): UrlRecord | null {
  const end = rest.search(/[/\\]/);
  const name = end < 0 ? rest : rest.slice(0, end);
  if (isDriveLetter(name)) {
    appendPath(url, rest);
    return url;
  }
  const host = name === '' ? '' : parseHost(name, true);
  if (host === null) return null;
  url.host = host === 'localhost' ? '' : host;
  appendPath(url, end < 0 ? '' : rest.slice(end + 1));
  return url;
}

/** Removes the last segment; a file URL's drive stays. */
function shorten(url: UrlRecord): void {
  const path = url.path as string[];
  if (url.scheme === 'file' && path.length === 1 && /^[A-Za-z]:$/.test(path[0]!)) return;
  path.pop();
}

const isSingleDot = (segment: string): boolean => /^(?:\.|%2e)$/i.test(segment);
const isDoubleDot = (segment: string): boolean => /^(?:\.|%2e){2}$/i.test(segment);

/** Adds the segments of `text`, which has no leading slash. The record's path must be a list. */
export function appendPath(url: UrlRecord, text: string): void {
  const path = url.path as string[];
  const segments = text.split(isSpecial(url.scheme) ? /[/\\]/ : '/');
  const last = segments.length - 1;
  for (let i = 0; i <= last; i++) {
    const segment = segments[i]!;
    if (isDoubleDot(segment)) {
      shorten(url);
      if (i === last) path.push('');
    } else if (isSingleDot(segment)) {
      if (i === last) path.push('');
    } else if (url.scheme === 'file' && path.length === 0 && isDriveLetter(segment)) {
      path.push(`${segment[0]}:`);
    } else {
      path.push(percentEncode(segment, PATH_SET));
    }
  }
}

export function formatPath(url: UrlRecord): string {
  if (typeof url.path === 'string') return url.path;
  return url.path.length === 0 ? '' : `/${url.path.join('/')}`;
}

/** URL §4.5. */
export function formatUrl(url: UrlRecord): string {
  let text = `${url.scheme}:`;
  if (url.host !== null) {
    text += '//';
    if (url.username !== '' || url.password !== '') {
      text += url.password === '' ? `${url.username}@` : `${url.username}:${url.password}@`;
    }
    text += url.host;
    if (url.port !== null) text += `:${url.port}`;
  } else if (typeof url.path !== 'string' && url.path.length > 1 && url.path[0] === '') {
    // Without this, the path would read as a host.
    text += '/.';
  }
  text += formatPath(url);
  if (url.query !== null) text += `?${url.query}`;
  if (url.fragment !== null) text += `#${url.fragment}`;
  return text;
}
