/**
 * Status line and header fields of a response, RFC 9112 §2 to §6. As strict as request-head.ts
 * where leniency lets a response be smuggled (§11): no bare LF, no white space before a colon, no
 * two opinions about where the body ends. Not here: the body (chunked.ts).
 */

import { hot } from '#core';
import { FIELD_VALUE, TOKEN } from './chars.ts';
import { forEachField, trimmed } from './head-fields.ts';
import { parseContentLength } from './request-head.ts';
import { hasToken } from './token-list.ts';

const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const VERSION = hot.utf8Encode('HTTP/1.');
/** "HTTP/1.1 200" */
const STATUS_END = 12;

export interface ResponseFault {
  readonly kind: 'field';
  readonly offset: number;
  readonly value: number;
}

export interface ResponseHeadLimits {
  readonly headBytesMax: number;
  readonly fieldsMax: number;
}

/** Where a response's body ends (RFC 9112 §6.3). */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** With the connection. */
  | { readonly kind: 'close' };

/** A complete response head. It owns its bytes and never changes once parsed. */
export class ResponseHead {
  /** 100..999. */
  status = 0;
  /** HTTP/1.x: 0, or 1 for 1 and above. */
  minorVersion: 0 | 1 = 1;
  /** Each byte as a char code; often empty. */
  reason = '';
  /** The connection may serve another request, as far as the fields say. */
  keepAlive = true;
  /** Seconds after which the server closes an idle connection (RFC 2068 §19.7.1.1), or null. */
  keepAliveSeconds: number | null = null;
  /** Of a response to a method other than HEAD; null: the fields contradict each other. */
  framing: BodyFraming | null = null;
  /** The whole head, its empty line included. */
  bytes: Uint8Array = VERSION;
  /** Offset of the first field in `bytes`. */
  fieldsAt = 0;

  /**
   * Calls `visit` for each field, in the order sent; names in lower case, values without outer
   * white space.
   */
  forEach(visit: (name: string, value: string) => void): void {
    forEachField(this.bytes, this.fieldsAt, visit);
  }
}

/**
 * The offset after the empty line that ends a head in [at, end), or -1 while it isn't there. `from`
 * (at least `at`) is where to look on: three bytes before the end of what was looked at before.
 */
export function findHeadEnd(bytes: Uint8Array, from: number, end: number): number {
  let next = from;
  for (;;) {
    const cr = hot.indexOf(bytes, CR, next, end);
    if (cr < 0 || cr + 4 > end) return -1;
    if (bytes[cr + 1] === LF && bytes[cr + 2] === CR && bytes[cr + 3] === LF) return cr + 4;
    next = cr + 1;
  }
}

/** True while [at, end) may begin a response of HTTP/1. */
export function looksLikeResponse(bytes: Uint8Array, at: number, end: number): boolean {
  const count = Math.min(VERSION.length, end - at);
  return hot.equal(bytes, at, VERSION, 0, count);
}

/** Parses a whole head [at, end), as findHeadEnd delimits it; copies it. O(end - at). */
export function parseResponseHead(
  bytes: Uint8Array,
  at: number,
  end: number,
  limits: ResponseHeadLimits,
): ResponseHead | ResponseFault {
  const head = new ResponseHead();
  const b = new Uint8Array(end - at);
  hot.copy(b, 0, bytes, at, end - at);
  head.bytes = b;
  if (b.length > limits.headBytesMax) return fault(b, limits.headBytesMax);
  const lineEnd = statusLine(head, b);
  if (typeof lineEnd !== 'number') return lineEnd;
  head.fieldsAt = lineEnd + 2;
  unfold(b, head.fieldsAt);
  return readFields(head, b, limits) ?? head;
}

const fault = (bytes: Uint8Array, at: number): ResponseFault => ({
  kind: 'field',
  offset: at,
  value: bytes[at] ?? 0,
});

/** Returns the offset of the line's CR. */
function statusLine(head: ResponseHead, b: Uint8Array): number | ResponseFault {
  if (!looksLikeResponse(b, 0, b.length)) return fault(b, 0);
  const minor = b[VERSION.length]! - 48;
  if (!(minor >= 0 && minor <= 9)) return fault(b, VERSION.length);
  head.minorVersion = minor === 0 ? 0 : 1;
  if (b[VERSION.length + 1] !== SPACE) return fault(b, VERSION.length + 1);
  for (let i = STATUS_END - 3; i < STATUS_END; i++) {
    const digit = b[i]! - 48;
    if (!(digit >= 0 && digit <= 9)) return fault(b, i);
    head.status = head.status * 10 + digit;
  }
  if (head.status < 100) return fault(b, STATUS_END - 3);
  const lineEnd = hot.span(b, STATUS_END, b.length, FIELD_VALUE);
  if (b[lineEnd] !== CR || b[lineEnd + 1] !== LF) return fault(b, lineEnd);
  // RFC 9112 §4 wants a space also before an empty phrase; many leave it out.
  if (lineEnd > STATUS_END && b[STATUS_END] !== SPACE) return fault(b, STATUS_END);
  head.reason = trimmed(b, STATUS_END, lineEnd);
  return lineEnd;
}

/** RFC 9112 §5.2: a user agent must take obs-fold for spaces. */
function unfold(b: Uint8Array, fieldsAt: number): void {
  let next = fieldsAt;
  for (;;) {
    const cr = hot.indexOf(b, CR, next, b.length);
    if (cr < 0 || cr + 2 >= b.length) return;
    // Not the first line, which has nothing to go on with.
    const isFold = b[cr + 1] === LF && (b[cr + 2] === SPACE || b[cr + 2] === TAB);
    if (isFold && cr > fieldsAt) {
      b[cr] = SPACE;
      b[cr + 1] = SPACE;
    }
    next = cr + 1;
  }
}

function readFields(
  head: ResponseHead,
  b: Uint8Array,
  { fieldsMax }: ResponseHeadLimits,
): ResponseFault | null {
  const seen: Seen = { connection: null, length: null, coding: null, keepAlive: null };
  let at = head.fieldsAt;
  for (let count = 0; b[at] !== CR; count++) {
    if (count === fieldsMax) return fault(b, at);
    const nameEnd = hot.span(b, at, b.length, TOKEN);
    if (nameEnd === at || b[nameEnd] !== COLON) return fault(b, nameEnd);
    const valueEnd = hot.span(b, nameEnd + 1, b.length, FIELD_VALUE);
    if (b[valueEnd] !== CR || b[valueEnd + 1] !== LF) return fault(b, valueEnd);
    const length = nameEnd - at;
    if (length === 10 || length === 14 || length === 17) {
      takeField(seen, hot.latin1Lower(b, at, nameEnd), () => trimmed(b, nameEnd + 1, valueEnd));
    }
    at = valueEnd + 2;
  }
  settle(head, seen);
  return null;
}

/** Fields about the connection, several of one name joined by ', '. */
interface Seen {
  connection: string | null;
  length: string | null;
  coding: string | null;
  keepAlive: string | null;
}

const KEYS: ReadonlyMap<string, keyof Seen> = new Map([
  ['connection', 'connection'],
  ['content-length', 'length'],
  ['transfer-encoding', 'coding'],
  ['keep-alive', 'keepAlive'],
]);

function takeField(seen: Seen, name: string, value: () => string): void {
  const key = KEYS.get(name);
  if (key === undefined) return;
  const before = seen[key];
  seen[key] = before === null ? value() : `${before}, ${value()}`;
}

function settle(head: ResponseHead, { connection, length, coding, keepAlive }: Seen): void {
  const closes = connection !== null && hasToken(connection, 'close');
  const keeps = connection !== null && hasToken(connection, 'keep-alive');
  head.keepAlive = !closes && (head.minorVersion === 1 || keeps);
  const hint =
    keepAlive === null ? null : /(?:^|[,\s])timeout=(\d{1,6})(?:$|[,\s])/.exec(keepAlive);
  if (hint) head.keepAliveSeconds = Number(hint[1]);
  head.framing = framingOf(head, length, coding);
}

/**
 * RFC 9112 §6.3 for all methods but HEAD and CONNECT. Null where the fields contradict each other,
 * or name a coding that nobody asked for: whoever believes the one may see another's response in
 * the rest (§11.1).
 */
function framingOf(
  { status, minorVersion }: ResponseHead,
  length: string | null,
  coding: string | null,
): BodyFraming | null {
  if (coding !== null && (length !== null || minorVersion === 0)) return null;
  if (coding !== null && coding.toLowerCase() !== 'chunked') return null;
  const bytes = length === null ? 0 : lengthOf(length);
  if (bytes < 0) return null;
  if (status < 200 || status === 204 || status === 304) return { kind: 'none' };
  if (coding !== null) return { kind: 'chunked' };
  return length === null ? { kind: 'close' } : { kind: 'length', bytes };
}

/** The one length of a list of equal ones (§6.3 item 5), or -1. */
function lengthOf(list: string): number {
  const [first, ...more] = list.split(',').map((one) => one.trim());
  return more.every((one) => one === first) ? parseContentLength(first!) : -1;
}

/** A head that parses to the same as `head`; field names in lower case. */
export function emitResponseHead(head: ResponseHead): Uint8Array {
  let text = `HTTP/1.${head.minorVersion} ${head.status} ${head.reason}\r\n`;
  head.forEach((name, value) => {
    text += `${name}: ${value}\r\n`;
  });
  const bytes = new Uint8Array(text.length + 2);
  hot.writeLatin1(bytes, 0, `${text}\r\n`);
  return bytes;
}
