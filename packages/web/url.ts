/** The URL class, URL §6. */

import { parseHost } from './url-host.ts';
import {
  appendPath,
  encodeFragment,
  encodeQuery,
  encodeUserinfo,
  formatPath,
  formatUrl,
  isSpecial,
  parseUrl,
  setPort,
  splitPort,
  type UrlRecord,
  withoutTabs,
} from './url-parse.ts';
import { URLSearchParams } from './url-search-params.ts';

/**
 * An http(s) URL that is its own serialized form, as a server's requests nearly always are: a plain
 * name or an IPv4 address, no port below 1,000, no segment that begins with a dot. Parsing it is
 * cutting it.
 */
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const HOST = `(?:[a-z0-9-]+\\.)*[a-z][a-z0-9-]*|${BYTE}(?:\\.${BYTE}){3}`;
const PATH_CHARACTERS = "A-Za-z0-9_\\-~!$&'()*+,;=:@%";
const PATH = `(?:/[${PATH_CHARACTERS}][${PATH_CHARACTERS}.]*)*/?`;
const QUERY = '[A-Za-z0-9_\\-.~!$&()*+,;=:@%/?]*';
const CANONICAL = new RegExp(
  `^(https?)://(${HOST})(?::([1-9]\\d{3,4}))?(${PATH})(?:\\?(${QUERY}))?$`,
);

function matchCanonical(input: string): RegExpExecArray | null {
  const match = CANONICAL.exec(input);
  // What the pattern lets through: dots in percent-encoding, and labels and ports with rules of
  // their own.
  if (match === null || match[4] === '' || input.includes('%2') || input.includes('xn--'))
    return null;
  return match[3] === undefined || Number(match[3]) <= 0xffff ? match : null;
}

function parseCanonical(input: string): UrlRecord | null {
  const match = matchCanonical(input);
  if (match === null) return null;
  return {
    scheme: match[1]!,
    username: '',
    password: '',
    host: match[2]!,
    port: match[3] === undefined ? null : Number(match[3]),
    path: match[4]!.slice(1).split('/'),
    query: match[5] ?? null,
    fragment: null,
  };
}

/** `new URL(input).href`, or null when it isn't a URL; cheap when `input` is that already. */
export function canonicalUrl(input: string): string | null {
  if (matchCanonical(input) !== null) return input;
  const record = parseUrl(input, null);
  return record === null ? null : formatUrl(record);
}

function parse(input: unknown, base: unknown): UrlRecord | null {
  const text = String(input);
  if (base === undefined) return parseCanonical(text) ?? parseUrl(text, null);
  const baseRecord = parseUrl(String(base), null);
  return baseRecord === null ? null : parseUrl(text, baseRecord);
}

export class URL {
  #record: UrlRecord;
  #params: URLSearchParams | null = null;

  constructor(input: string | URL, base?: string | URL) {
    const record = parse(input, base);
    if (record === null) throw invalid(input, base);
    this.#record = record;
  }

  static canParse(input: string | URL, base?: string | URL): boolean {
    return parse(input, base) !== null;
  }

  static parse(input: string | URL, base?: string | URL): URL | null {
    return URL.canParse(input, base) ? new URL(input, base) : null;
  }

  get href(): string {
    return formatUrl(this.#record);
  }

  set href(value: string) {
    const record = parseUrl(String(value), null);
    if (record === null) throw invalid(value, undefined);
    this.#record = record;
    this.#params?._replace(record.query ?? '');
  }

  get origin(): string {
    const { scheme } = this.#record;
    if (scheme === 'blob') return blobOrigin(formatPath(this.#record));
    if (!isSpecial(scheme) || scheme === 'file') return 'null';
    return `${scheme}://${this.host}`;
  }

  get protocol(): string {
    return `${this.#record.scheme}:`;
  }

  /** Special schemes don't become others, nor the reverse, URL §4.4 "scheme state". */
  set protocol(value: string) {
    const url = this.#record;
    const match = /^([A-Za-z][A-Za-z0-9+\-.]*)(?::|$)/.exec(withoutTabs(String(value)));
    if (match === null) return;
    const scheme = match[1]!.toLowerCase();
    if (isSpecial(scheme) !== isSpecial(url.scheme)) return;
    if (scheme === 'file' && (this.#hasCredentials() || url.port !== null)) return;
    if (url.scheme === 'file' && url.host === '') return;
    url.scheme = scheme;
    if (url.port !== null) setPort(url, String(url.port));
  }

  get username(): string {
    return this.#record.username;
  }

  set username(value: string) {
    if (this.#mayHavePort()) this.#record.username = encodeUserinfo(String(value));
  }

  get password(): string {
    return this.#record.password;
  }

  set password(value: string) {
    if (this.#mayHavePort()) this.#record.password = encodeUserinfo(String(value));
  }

  get host(): string {
    const { host, port } = this.#record;
    return port === null ? (host ?? '') : `${host}:${port}`;
  }

  set host(value: string) {
    const { name, port } = splitPort(this.#hostPart(value));
    if (port !== null && this.#record.scheme === 'file') return;
    if (!this.#setHostname(name, port !== null)) return;
    const digits = /^\d+/.exec(port ?? '')?.[0];
    if (digits !== undefined) setPort(this.#record, digits);
  }

  get hostname(): string {
    return this.#record.host ?? '';
  }

  set hostname(value: string) {
    const { name, port } = splitPort(this.#hostPart(value));
    if (port === null) this.#setHostname(name, false);
  }

  get port(): string {
    return this.#record.port === null ? '' : String(this.#record.port);
  }

  set port(value: string) {
    if (!this.#mayHavePort()) return;
    const text = withoutTabs(String(value));
    const digits = /^\d+/.exec(text)?.[0];
    if (value === '') this.#record.port = null;
    else if (digits !== undefined) setPort(this.#record, digits);
  }

  get pathname(): string {
    return formatPath(this.#record);
  }

  set pathname(value: string) {
    const url = this.#record;
    if (typeof url.path === 'string') return;
    const text = withoutTabs(String(value));
    const slash = text[0] === '/' || (isSpecial(url.scheme) && text[0] === '\\');
    url.path = [];
    const needed = text !== '' || isSpecial(url.scheme) || url.host === null;
    if (needed) appendPath(url, slash ? text.slice(1) : text);
  }

  get search(): string {
    const { query } = this.#record;
    return query === null || query === '' ? '' : `?${query}`;
  }

  set search(value: string) {
    const text = withoutTabs(String(value));
    const query = text.startsWith('?') ? text.slice(1) : text;
    this.#record.query = value === '' ? null : encodeQuery(query, this.#record.scheme);
    this.#params?._replace(this.#record.query ?? '');
  }

  get searchParams(): URLSearchParams {
    this.#params ??= new URLSearchParams(`?${this.#record.query ?? ''}`, (query) => {
      this.#record.query = query === '' ? null : query;
    });
    return this.#params;
  }

  get hash(): string {
    const { fragment } = this.#record;
    return fragment === null || fragment === '' ? '' : `#${fragment}`;
  }

  set hash(value: string) {
    const text = withoutTabs(String(value));
    const fragment = text.startsWith('#') ? text.slice(1) : text;
    this.#record.fragment = value === '' ? null : encodeFragment(fragment);
  }

  toString(): string {
    return this.href;
  }

  toJSON(): string {
    return this.href;
  }

  get [Symbol.toStringTag](): string {
    return 'URL';
  }

  #hasCredentials(): boolean {
    return this.#record.username !== '' || this.#record.password !== '';
  }

  /** URL §4.2 "cannot have a username/password/port", denied. */
  #mayHavePort(): boolean {
    const { host, scheme } = this.#record;
    return host !== null && host !== '' && scheme !== 'file';
  }

  /** Up to where a host ends in a longer text. */
  #hostPart(value: string): string {
    const text = withoutTabs(String(value));
    const end = text.search(isSpecial(this.#record.scheme) ? /[/\\?#]/ : /[/?#]/);
    return end < 0 ? text : text.slice(0, end);
  }

  #setHostname(name: string, hasPort: boolean): boolean {
    const url = this.#record;
    if (typeof url.path === 'string') return false;
    const special = isSpecial(url.scheme);
    if (name === '') {
      if ((special && url.scheme !== 'file') || hasPort) return false;
      if (this.#hasCredentials() || url.port !== null) return false;
      url.host = '';
      return true;
    }
    const host = parseHost(name, special);
    if (host === null) return false;
    url.host = url.scheme === 'file' && host === 'localhost' ? '' : host;
    return true;
  }
}

function blobOrigin(path: string): string {
  const inner = parseUrl(path, null);
  const isHttp = inner?.scheme === 'http' || inner?.scheme === 'https';
  return isHttp ? new URL(path).origin : 'null';
}

function invalid(input: unknown, base: unknown): TypeError {
  const error = new TypeError(base === undefined ? 'Invalid URL' : 'Invalid URL with this base');
  return Object.assign(error, { code: 'ERR_INVALID_URL', input: String(input) });
}
