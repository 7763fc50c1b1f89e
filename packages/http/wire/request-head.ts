/**
 * Request line and header fields, RFC 9112 §2 to §6. Strict: no bare LF, no obs-fold, no white
 * space around a field name, exactly one Host, and no two opinions about where the body ends (§6.3,
 * §11.2). Not here: the body (chunked.ts), what a path means (path.ts).
 */

import { hot } from '#core';
import { FIELD_VALUE, HOST, isAll, TARGET, TARGET_PATH, TOKEN } from './chars.ts';
import { forEachField, trimmed } from './head-fields.ts';
import { hasToken } from './token-list.ts';

/**
 * What the client got wrong, and the status that tells it. `offset` counts from the head's first
 * byte.
 */
export interface HeadFault {
  readonly kind: 'field';
  readonly offset: number;
  readonly value: number;
  readonly status: 400 | 414 | 417 | 431 | 501 | 505;
}

export interface HeadLimits {
  readonly targetBytesMax: number;
  readonly headBytesMax: number;
  readonly fieldsMax: number;
}

const METHOD_BYTES_MAX = 32;
const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const VERSION_BYTES = 10;
const VERSION_1_1 = hot.utf8Encode('HTTP/1.1\r\n');
const VERSION_1_0 = hot.utf8Encode('HTTP/1.0\r\n');
/** Fifteen digits are below 2^53. */
const LENGTH_DIGITS_MAX = 15;

/**
 * 1 for what may be a name that `takeField` knows, by its length (below 20) and the low five bits
 * of its first letter: most fields are passed over without making a string of their names.
 */
const KNOWN_NAMES = new Uint8Array(20 * 32);
const knownIndex = (length: number, firstByte: number): number => length * 32 + (firstByte & 31);
for (const name of [
  'host',
  'range',
  'expect',
  'cookie',
  'if-match',
  'if-range',
  'connection',
  'if-none-match',
  'authorization',
  'content-length',
  'accept-encoding',
  'if-modified-since',
  'transfer-encoding',
  'if-unmodified-since',
  'proxy-authorization',
]) {
  KNOWN_NAMES[knownIndex(name.length, name.charCodeAt(0))] = 1;
}

/** The fields of RFC 9110 §13.1 and §14.2; null: not there. */
export class Conditions {
  ifMatch: string | null = null;
  ifNoneMatch: string | null = null;
  ifModifiedSince: string | null = null;
  ifUnmodifiedSince: string | null = null;
  ifRange: string | null = null;
  range: string | null = null;
}

/** A complete request head. It owns its bytes and never changes once parsed. */
export class RequestHead {
  /** As sent; case matters. 1..32 characters. */
  method = '';
  /** The target's path, still percent-encoded: begins with '/', or is '*' (OPTIONS only). */
  path = '';
  /** What follows '?', still percent-encoded; null without '?'. */
  query: string | null = null;
  /** HTTP/1.x: 0, or 1 for 1 and above. */
  minorVersion: 0 | 1 = 1;
  /**
   * Authority of the target or of Host, with the port if any; '' when an HTTP/1.0 client sent none.
   */
  host = '';
  /** Length of the body: 0 when there is none, -1 when it is chunked. */
  bodyBytes = 0;
  /** The client expects 100 (Continue) before it sends the body. */
  expectsContinue = false;
  /** The connection may serve another request. */
  keepAlive = true;
  /** The head carries credentials, so nothing about it may be shared between connections. */
  isPrivate = false;
  acceptEncoding: string | null = null;
  /** Set when one of its fields is there. */
  conditions: Conditions | null = null;
  /** The whole head, its empty line included. */
  bytes: Uint8Array = VERSION_1_1;
  /** Offset of the first field in `bytes`. */
  fieldsAt = 0;

  /** The request target as sent: origin-form, absolute-form or '*'. */
  get target(): string {
    const bytes = this.bytes;
    const from = this.method.length + 1;
    return hot.latin1(bytes, from, hot.indexOf(bytes, SPACE, from, bytes.length));
  }

  /**
   * The value of field `name` (lower case), several joined by ", " (Cookie: "; "), or null.
   * O(head).
   */
  get(name: string): string | null {
    let found: string | null = null;
    const separator = name === 'cookie' ? '; ' : ', ';
    this.forEach((fieldName, value) => {
      if (fieldName === name) found = found === null ? value : found + separator + value;
    });
    return found;
  }

  /**
   * Calls `visit` for each field, in the order sent; names in lower case, values without outer
   * white space.
   */
  forEach(visit: (name: string, value: string) => void): void {
    forEachField(this.bytes, this.fieldsAt, visit);
  }
}

const joined = (before: string | null, value: string): string =>
  before === null ? value : `${before}, ${value}`;

/** Reads heads; one for all connections. Keeps nothing between calls. */
export class RequestHeadParser {
  private readonly limits: HeadLimits;
  /** Of the head being read: */
  private connection: string | null = null;
  private contentLength: string | null = null;
  private transferEncoding: string | null = null;
  private expect: string | null = null;
  private hostCount = 0;

  constructor(limits: HeadLimits) {
    this.limits = limits;
  }

  /**
   * The head that starts at `at`, or null when `end` comes first, or a fault. `bytes` is borrowed;
   * the result has a copy. The body starts at `at + head.bytes.length`. O(end - at).
   */
  parse(bytes: Uint8Array, at: number, end: number): RequestHead | HeadFault | null {
    const head = new RequestHead();
    this.connection = null;
    this.contentLength = null;
    this.transferEncoding = null;
    this.expect = null;
    this.hostCount = 0;
    const fieldsAt = this.requestLine(head, bytes, at, end);
    if (typeof fieldsAt !== 'number') return fieldsAt;
    const headEnd = this.fields(head, bytes, at, fieldsAt, end);
    if (typeof headEnd !== 'number') return headEnd;
    head.fieldsAt = fieldsAt - at;
    head.bytes = new Uint8Array(headEnd - at);
    hot.copy(head.bytes, 0, bytes, at, headEnd - at);
    return this.framing(head) ?? head;
  }

  /** Returns where the fields start. */
  private requestLine(
    head: RequestHead,
    bytes: Uint8Array,
    at: number,
    end: number,
  ): number | HeadFault | null {
    let methodEnd = at + 3;
    if (bytes[at] === 71 && bytes[at + 1] === 69 && bytes[at + 2] === 84 && end > methodEnd) {
      head.method = 'GET';
    }
    if (head.method === '' || bytes[methodEnd] !== SPACE) {
      methodEnd = hot.span(bytes, at, end, TOKEN);
      if (methodEnd - at > METHOD_BYTES_MAX) return fault(501, bytes, at, methodEnd);
      if (methodEnd === end) return null;
      if (methodEnd === at || bytes[methodEnd] !== SPACE) return fault(400, bytes, at, methodEnd);
      head.method = hot.latin1(bytes, at, methodEnd);
    }
    const targetAt = methodEnd + 1;
    const pathEnd = hot.span(bytes, targetAt, end, TARGET_PATH);
    const hasQuery = pathEnd < end && bytes[pathEnd] === 63;
    const targetEnd = hasQuery ? hot.span(bytes, pathEnd, end, TARGET) : pathEnd;
    if (targetEnd - targetAt > this.limits.targetBytesMax) return fault(414, bytes, at, targetEnd);
    if (targetEnd === end) return null;
    if (targetEnd === targetAt || bytes[targetEnd] !== SPACE)
      return fault(400, bytes, at, targetEnd);
    if (hasQuery) head.query = hot.latin1(bytes, pathEnd + 1, targetEnd);
    head.path = hot.latin1(bytes, targetAt, pathEnd);
    if (bytes[targetAt] !== 47 && !splitTarget(head)) return fault(400, bytes, at, targetAt);
    const versionAt = targetEnd + 1;
    if (end - versionAt < VERSION_BYTES) return null;
    if (!hot.equal(bytes, versionAt, VERSION_1_1, 0, VERSION_BYTES)) {
      const status = otherVersion(head, bytes, versionAt);
      if (status !== 0) return fault(status, bytes, at, versionAt);
    }
    return versionAt + VERSION_BYTES;
  }

  /** Returns the offset after the empty line. */
  private fields(
    head: RequestHead,
    bytes: Uint8Array,
    headAt: number,
    fieldsAt: number,
    end: number,
  ): number | HeadFault | null {
    const limitAt = headAt + this.limits.headBytesMax;
    let at = fieldsAt;
    for (let count = 0; ; count++) {
      if (at + 2 > limitAt) return fault(431, bytes, headAt, at);
      if (at >= end) return null;
      if (bytes[at] === CR) {
        if (at + 1 === end) return null;
        return bytes[at + 1] === LF ? at + 2 : fault(400, bytes, headAt, at + 1);
      }
      if (count === this.limits.fieldsMax) return fault(431, bytes, headAt, at);
      // A line that begins with white space is obs-fold, a space before the colon smuggles: both
      // end here.
      const nameEnd = hot.span(bytes, at, end, TOKEN);
      if (nameEnd === end) return end >= limitAt ? fault(431, bytes, headAt, at) : null;
      if (nameEnd === at || bytes[nameEnd] !== COLON) return fault(400, bytes, headAt, nameEnd);
      const valueEnd = hot.span(bytes, nameEnd + 1, end, FIELD_VALUE);
      if (valueEnd + 2 > limitAt) return fault(431, bytes, headAt, at);
      if (valueEnd === end) return null;
      if (bytes[valueEnd] !== CR) return fault(400, bytes, headAt, valueEnd);
      if (valueEnd + 1 === end) return null;
      if (bytes[valueEnd + 1] !== LF) return fault(400, bytes, headAt, valueEnd + 1);
      const length = nameEnd - at;
      if (length < 20 && KNOWN_NAMES[length * 32 + (bytes[at]! & 31)] === 1) {
        const name = hot.latin1Lower(bytes, at, nameEnd);
        if (!this.takeField(head, name, bytes, nameEnd + 1, valueEnd)) {
          return fault(400, bytes, headAt, at);
        }
      }
      at = valueEnd + 2;
    }
  }

  /** Notes what the server itself needs; false when the field must not be there again. */
  private takeField(
    head: RequestHead,
    name: string,
    bytes: Uint8Array,
    at: number,
    end: number,
  ): boolean {
    switch (name) {
      case 'host':
        if (this.hostCount++ > 0) return false;
        return takeHost(head, bytes, at, end);
      case 'connection':
        this.connection = joined(this.connection, trimmed(bytes, at, end));
        return true;
      case 'accept-encoding':
        head.acceptEncoding = joined(head.acceptEncoding, trimmed(bytes, at, end));
        return true;
      case 'content-length':
        // Deviates: RFC 9112 §6.3 lets a server accept equal duplicates; nobody honest sends them.
        if (this.contentLength !== null) return false;
        this.contentLength = trimmed(bytes, at, end);
        return true;
      case 'transfer-encoding':
        if (this.transferEncoding !== null) return false;
        this.transferEncoding = trimmed(bytes, at, end);
        return true;
      case 'expect':
        this.expect = joined(this.expect, trimmed(bytes, at, end));
        return true;
      case 'cookie':
      case 'authorization':
      case 'proxy-authorization':
        head.isPrivate = true;
        return true;
      default:
        takeCondition(head, name, bytes, at, end);
        return true;
    }
  }

  /** What can be decided only when all fields are known: Host, the body's length, persistence. */
  private framing(head: RequestHead): HeadFault | null {
    const connection = this.connection;
    if (head.minorVersion === 1) {
      if (this.hostCount !== 1) return fault(400, head.bytes, 0, 0);
      head.keepAlive = connection === null || !hasToken(connection, 'close');
    } else {
      head.keepAlive = connection !== null && hasToken(connection, 'keep-alive');
      if (head.keepAlive && connection !== null) head.keepAlive = !hasToken(connection, 'close');
    }
    if (this.expect !== null && head.minorVersion === 1) {
      if (!hasToken(this.expect, '100-continue')) return fault(417, head.bytes, 0, 0);
      head.expectsContinue = true;
    }
    const coding = this.transferEncoding;
    const length = this.contentLength;
    if (coding !== null) {
      // RFC 9112 §6.1: both fields, or a coding in HTTP/1.0, is how requests are smuggled.
      if (length !== null || head.minorVersion === 0) return fault(400, head.bytes, 0, 0);
      if (coding.toLowerCase() !== 'chunked') return fault(501, head.bytes, 0, 0);
      head.bodyBytes = -1;
    } else if (length !== null) {
      head.bodyBytes = parseContentLength(length);
      if (head.bodyBytes === -1) return fault(400, head.bytes, 0, 0);
    }
    return null;
  }
}

function fault(
  status: HeadFault['status'],
  bytes: Uint8Array,
  headAt: number,
  at: number,
): HeadFault {
  return { kind: 'field', offset: at - headAt, value: bytes[at] ?? 0, status };
}

/** Host (RFC 9110 §7.2), which an absolute-form target overrides; false when it is malformed. */
function takeHost(head: RequestHead, bytes: Uint8Array, at: number, end: number): boolean {
  let from = at;
  let to = end;
  while (from < to && (bytes[from] === SPACE || bytes[from] === TAB)) from++;
  while (to > from && (bytes[to - 1] === SPACE || bytes[to - 1] === TAB)) to--;
  if (hot.span(bytes, from, to, HOST) !== to) return false;
  if (head.host === '') head.host = hot.latin1(bytes, from, to);
  return true;
}

/** The key of Conditions that holds a field, or null. */
function conditionKey(name: string): keyof Conditions | null {
  switch (name) {
    case 'range':
      return 'range';
    case 'if-range':
      return 'ifRange';
    case 'if-match':
      return 'ifMatch';
    case 'if-none-match':
      return 'ifNoneMatch';
    case 'if-modified-since':
      return 'ifModifiedSince';
    case 'if-unmodified-since':
      return 'ifUnmodifiedSince';
    default:
      return null;
  }
}

function takeCondition(
  head: RequestHead,
  name: string,
  bytes: Uint8Array,
  at: number,
  end: number,
): void {
  const key = conditionKey(name);
  if (key === null) return;
  head.conditions ??= new Conditions();
  head.conditions[key] = joined(head.conditions[key], trimmed(bytes, at, end));
}

/** 1*DIGIT as a number, or -1; "5, 5" and "+5" are none (RFC 9112 §6.3). */
export function parseContentLength(text: string): number {
  if (text.length === 0 || text.length > LENGTH_DIGITS_MAX) return -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return -1;
  }
  return Number(text);
}

/** Status 0 and the minor version set, when [at, at + 10) is "HTTP/1." DIGIT CRLF. */
function otherVersion(head: RequestHead, bytes: Uint8Array, at: number): 0 | 400 | 505 {
  if (hot.equal(bytes, at, VERSION_1_0, 0, VERSION_BYTES)) {
    head.minorVersion = 0;
    return 0;
  }
  const major = bytes[at + 5]! - 48;
  const minor = bytes[at + 7]! - 48;
  const isVersion =
    hot.equal(bytes, at, VERSION_1_1, 0, 5) &&
    major >= 0 &&
    major <= 9 &&
    bytes[at + 6] === 46 &&
    minor >= 0 &&
    minor <= 9 &&
    hot.equal(bytes, at + 8, VERSION_1_1, 8, 2);
  if (!isVersion) return 400;
  // RFC 9110 §2.5: a higher minor version is to be read as the highest one we know.
  return major === 1 ? 0 : 505;
}

/**
 * Asterisk-form and absolute-form (RFC 9112 §3.2.2, §3.2.4) into path and host; false when it is
 * neither.
 */
function splitTarget(head: RequestHead): boolean {
  const target = head.path;
  if (target === '*') return head.method === 'OPTIONS' && head.query === null;
  // authority-form is for CONNECT, which the server refuses with 501 whatever its target.
  if (head.method === 'CONNECT') return true;
  const scheme = target.slice(0, 8).toLowerCase();
  const authorityAt = scheme === 'https://' ? 8 : scheme.startsWith('http://') ? 7 : 0;
  if (authorityAt === 0) return false;
  const slashAt = target.indexOf('/', authorityAt);
  const authorityEnd = slashAt < 0 ? target.length : slashAt;
  head.host = target.slice(authorityAt, authorityEnd);
  head.path = slashAt < 0 ? '/' : target.slice(slashAt);
  if (slashAt < 0 && head.method === 'OPTIONS' && head.query === null) head.path = '*';
  return isAll(head.host, HOST);
}
