/** The parsers of HTTP, as entries of the registry; text is read as one char code a byte. */

import { err, hot, ok, type Result, type WireFault } from '#core';
import {
  type CloseReason,
  emitChunked,
  emitClose,
  emitFrameHead,
  emitRequestHead,
  emitResponseHead,
  type FrameHead,
  findHeadEnd,
  formatEntityTags,
  formatHttpDate,
  formatRange,
  parseAcceptEncoding,
  parseChunked,
  parseClose,
  parseEntityTags,
  parseFrameHead,
  parseHttpDate,
  parseRange,
  parseResponseHead,
  RequestHead,
  RequestHeadParser,
  ResponseHead,
  resolvePath,
} from '#http/wire';
import { type WireCase, wireCase } from './wire-case.ts';

const NOW_SECONDS = 1_800_000_000;
const CONTENT_BYTES = 10_000;
const textOf = (b: Uint8Array): string => hot.latin1(b, 0, b.length);
const refused = (b: Uint8Array): Result<never, WireFault> =>
  err({ kind: 'field', offset: 0, value: b[0] ?? 0 });

/** A parser of text: null is a fault. */
function textCase<R>(
  name: string,
  parse: (text: string) => R | null,
  format: (repr: R) => string,
  seeds: readonly string[],
): WireCase {
  return wireCase<R>({
    name,
    parse(b) {
      const repr = parse(textOf(b));
      return repr === null ? refused(b) : ok(repr);
    },
    emit: (to, repr) => hot.writeLatin1(to, 0, format(repr)),
    seeds: () => seeds.map((text) => hot.utf8Encode(text)),
  });
}

const headParser = new RequestHeadParser({
  targetBytesMax: 100,
  headBytesMax: 1_000,
  fieldsMax: 20,
});

/** All of a head but its spelling. */
function headRepr(head: RequestHead): object {
  const { bytes: _spelling, fieldsAt: _place, ...rest } = head;
  const fields: string[] = [];
  head.forEach((name, value) => {
    fields.push(name, value);
  });
  return { ...rest, target: head.target, fields };
}

/** A head, compared by its repr. */
class ComparedHead {
  readonly repr: object;
  readonly #head: RequestHead;

  constructor(head: RequestHead) {
    this.repr = headRepr(head);
    this.#head = head;
  }

  get head(): RequestHead {
    return this.#head;
  }
}

const requestHead = wireCase<ComparedHead>({
  name: 'http request head',
  parse(b) {
    const head = headParser.parse(b, 0, b.length);
    if (head === null) return err({ kind: 'short', needBytes: b.length + 1, haveBytes: b.length });
    if (!(head instanceof RequestHead)) return err(head);
    return ok(new ComparedHead(head));
  },
  emit(to, { head }) {
    const bytes = emitRequestHead(head);
    hot.copy(to, 0, bytes, 0, bytes.length);
    return bytes.length;
  },
  seeds: () =>
    [
      'GET /a/b?c=d HTTP/1.1\r\nHost: example.org:80\r\nAccept: */*\r\nX-Empty:\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello',
      'OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
      'GET http://a/b HTTP/1.1\r\nHost: c\r\nIf-None-Match: "x"\r\nRange: bytes=0-1\r\n\r\n',
    ].map((text) => hot.utf8Encode(text)),
});

/** All of a response's head but its spelling: folds are spaces when it is read again. */
class ComparedResponse {
  readonly repr: object;
  readonly #head: ResponseHead;

  constructor(head: ResponseHead) {
    const { bytes: _spelling, fieldsAt: _place, ...rest } = head;
    const fields: string[] = [];
    head.forEach((name, value) => {
      fields.push(name, value);
    });
    this.repr = { ...rest, fields };
    this.#head = head;
  }

  get head(): ResponseHead {
    return this.#head;
  }
}

const RESPONSE_LIMITS = { headBytesMax: 1_000, fieldsMax: 20 };

const responseHead = wireCase<ComparedResponse>({
  name: 'http response head',
  parse(b) {
    const end = findHeadEnd(b, 0, b.length);
    if (end < 0) return err({ kind: 'short', needBytes: b.length + 1, haveBytes: b.length });
    const head = parseResponseHead(b, 0, end, RESPONSE_LIMITS);
    return head instanceof ResponseHead ? ok(new ComparedResponse(head)) : err(head);
  },
  emit(to, { head }) {
    const bytes = emitResponseHead(head);
    hot.copy(to, 0, bytes, 0, bytes.length);
    return bytes.length;
  },
  seeds: () =>
    [
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\nX-Empty:\r\n\r\nhello',
      'HTTP/1.0 404\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5, max=9\r\n\r\n',
      'HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\nx: a\r\n\t folded\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 7, 7\r\nConnection: close\r\n\r\n',
    ].map((text) => hot.utf8Encode(text)),
});

const chunked = wireCase<Uint8Array>({
  name: 'http chunked body',
  parse(b) {
    const body = parseChunked(b);
    if (body === null) return err({ kind: 'short', needBytes: b.length + 1, haveBytes: b.length });
    return 'status' in body ? err(body) : ok(body.data);
  },
  emit(to, data) {
    const bytes = emitChunked(data, 7);
    hot.copy(to, 0, bytes, 0, bytes.length);
    return bytes.length;
  },
  seeds: () =>
    ['5\r\nhello\r\n0\r\n\r\n', 'a;x=y\r\n0123456789\r\n1\r\n!\r\n0\r\nT: v\r\n\r\n'].map((text) =>
      hot.utf8Encode(text),
    ),
});

const webSocketFrame = wireCase<FrameHead>({
  name: 'WebSocket frame',
  parse: (b) => parseFrameHead(b, 0, b.length),
  emit: (to, repr) => emitFrameHead(to, 0, repr),
  seeds(random) {
    const mask = Uint8Array.from({ length: 4 }, () => random.below(256));
    return [0, 125, 126, 0xffff, 0x10000, 2 ** 53 - 1].map((payloadBytes) => {
      const b = new Uint8Array(14);
      const isMasked = random.below(2) === 0;
      const head = { isFinal: true, opcode: 2, mask: isMasked ? mask : null, payloadBytes };
      return b.slice(0, emitFrameHead(b, 0, head));
    });
  },
});

const webSocketClose = wireCase<CloseReason>({
  name: 'WebSocket close',
  parse: parseClose,
  emit(to, repr) {
    const payload = emitClose(repr);
    to.set(payload);
    return payload.length;
  },
  seeds: () => [
    emitClose({ code: 1000, reason: '' }),
    emitClose({ code: 4999, reason: 'späte Grüße' }),
    new Uint8Array(0),
  ],
});

export const httpCases: readonly WireCase[] = [
  webSocketFrame,
  webSocketClose,
  requestHead,
  responseHead,
  chunked,
  textCase('http date', (text) => parseHttpDate(text, NOW_SECONDS), formatHttpDate, [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ]),
  textCase(
    'http range',
    (text) => {
      const asked = parseRange(text, CONTENT_BYTES);
      return asked.kind === 'ranges' ? asked.ranges : null;
    },
    formatRange,
    ['bytes=0-499', 'bytes=-500', 'bytes=0-0, 5-9, 9500-'],
  ),
  textCase(
    'http accept-encoding',
    // The head's parser lets nothing else through; whatever comes has a meaning.
    (text) => (/^[\t -~]*$/.test(text) ? parseAcceptEncoding(text) : null),
    (weights) =>
      Object.entries(weights)
        .map(([coding, thousandths]) => `${coding};q=${(thousandths / 1_000).toFixed(3)}`)
        .join(', '),
    ['br, gzip;q=0.5, *;q=0', 'x-gzip;q=1.000,identity;q=0', '', 'gzip;q=2, br;q=0.1234'],
  ),
  textCase('http entity tags', parseEntityTags, formatEntityTags, ['*', '"a", W/"b"', '""']),
  textCase(
    'http path',
    // The head's parser lets nothing else through.
    (text) => (/^\/[!-~]*$/.test(text) ? resolvePath(text) : null),
    (name) => `/${encodeURI(name).replaceAll('?', '%3F').replaceAll('#', '%23')}`,
    ['/', '/a/b.css', '/a/../%61/%C3%A4/', '/a%20b/./c'],
  ),
];
