import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { emitRequestHead } from './emit.ts';
import { RequestHead, RequestHeadParser } from './request-head.ts';

const LIMITS = { targetBytesMax: 100, headBytesMax: 1_000, fieldsMax: 10 };
const parser = new RequestHeadParser(LIMITS);
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

function parse(text: string): RequestHead {
  const bytes = bytesOf(text);
  const head = parser.parse(bytes, 0, bytes.length);
  assert.ok(head instanceof RequestHead, `${JSON.stringify(text)} gave ${JSON.stringify(head)}`);
  return head;
}

function statusOf(text: string): number | null {
  const bytes = bytesOf(text);
  const head = parser.parse(bytes, 0, bytes.length);
  assert.ok(!(head instanceof RequestHead), `${JSON.stringify(text)} was accepted`);
  return head === null ? null : head.status;
}

test('request head › plain GET › all parts, own bytes', () => {
  const text = 'GET /a/b?c=d?e HTTP/1.1\r\nHost: example.org:8080\r\nX-One:  two \t\r\n\r\n';
  const head = parse(`${text}GET /next`);
  assert.equal(head.method, 'GET');
  assert.equal(head.target, '/a/b?c=d?e');
  assert.equal(head.path, '/a/b');
  assert.equal(head.query, 'c=d?e');
  assert.equal(head.host, 'example.org:8080');
  assert.equal(head.minorVersion, 1);
  assert.equal(head.keepAlive, true);
  assert.equal(head.bodyBytes, 0);
  assert.equal(head.get('x-one'), 'two');
  assert.equal(head.get('x-two'), null);
  assert.equal(head.bytes.length, text.length);
});

test('request head › starts in the middle of the bytes › same result', () => {
  const bytes = bytesOf('xxxGET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\nyyy');
  const head = parser.parse(bytes, 3, bytes.length);
  assert.ok(head instanceof RequestHead);
  bytes.fill(0);
  assert.equal(head.get('a'), 'b');
});

test('request head › repeated fields › joined, Cookie with semicolons', () => {
  const head = parse('GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\na: 2\r\nCookie: x\r\nCookie: y\r\n\r\n');
  assert.equal(head.get('a'), '1, 2');
  assert.equal(head.get('cookie'), 'x; y');
  assert.equal(head.isPrivate, true);
});

test('request head › obs-text in a value › kept byte by byte', () => {
  assert.equal(parse('GET / HTTP/1.1\r\nHost: h\r\nA: \xe4\xff\r\n\r\n').get('a'), '\xe4\xff');
});

test('request head › RFC 9112 §3.2.2 absolute-form › path and host of the target', () => {
  const head = parse('GET HTTP://a.example:81/x?y HTTP/1.1\r\nHost: other\r\n\r\n');
  assert.deepEqual([head.host, head.path, head.query], ['a.example:81', '/x', 'y']);
  assert.equal(parse('GET https://a HTTP/1.1\r\nHost: a\r\n\r\n').path, '/');
  assert.equal(parse('OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n').path, '*');
});

test('request head › RFC 9112 §3.2.4 asterisk-form › OPTIONS only', () => {
  assert.equal(parse('OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n').path, '*');
  assert.equal(statusOf('GET * HTTP/1.1\r\nHost: h\r\n\r\n'), 400);
});

test('request head › persistence › version and Connection decide', () => {
  const keepAlive = (text: string): boolean => parse(text).keepAlive;
  assert.equal(keepAlive('GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n'), false);
  assert.equal(keepAlive('GET / HTTP/1.1\r\nHost: h\r\nConnection: a, close ,b\r\n\r\n'), false);
  assert.equal(keepAlive('GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n'), true);
  assert.equal(keepAlive('GET / HTTP/1.0\r\n\r\n'), false);
  assert.equal(keepAlive('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n'), true);
  assert.equal(keepAlive('GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n'), false);
});

test('request head › body length › from Content-Length or chunked', () => {
  assert.equal(parse('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 012\r\n\r\n').bodyBytes, 12);
  assert.equal(
    parse('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n').bodyBytes,
    -1,
  );
  assert.equal(
    parse('POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n').expectsContinue,
    true,
  );
  assert.equal(parse('POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n').expectsContinue, false);
});

test('request head › versions › 1.x read as 1.1', () => {
  assert.equal(parse('GET / HTTP/1.7\r\nHost: h\r\n\r\n').minorVersion, 1);
  assert.equal(parse('GET / HTTP/1.0\r\n\r\n').minorVersion, 0);
});

const H = 'GET / HTTP/1.1\r\nHost: h\r\n';
// size-exempt: table
const REFUSED: readonly (readonly [why: string, text: string, status: number])[] = [
  ['bare LF after the request line', 'GET / HTTP/1.1\nHost: h\r\n\r\n', 400],
  ['bare LF after a field', `${H}A: b\n\r\n`, 400],
  ['bare LF as the end', `${H}\n`, 400],
  ['CR in a value', `${H}A: b\rc\r\n\r\n`, 400],
  ['NUL in a value', `${H}A: b\0c\r\n\r\n`, 400],
  ['DEL in a value', `${H}A: b\x7f\r\n\r\n`, 400],
  ['obs-fold', `${H}A: b\r\n c\r\n\r\n`, 400],
  ['white space before the first field', 'GET / HTTP/1.1\r\n Host: h\r\n\r\n', 400],
  ['space before the colon', `${H}A : b\r\n\r\n`, 400],
  ['no colon', `${H}A\r\n\r\n`, 400],
  ['empty name', `${H}: b\r\n\r\n`, 400],
  ['name with a slash', `${H}a/b: c\r\n\r\n`, 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', `${H}host: h\r\n\r\n`, 400],
  ['Host with user information', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', 400],
  ['Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  ['Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  [
    'Content-Length and Transfer-Encoding',
    `${H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    400,
  ],
  [
    'Transfer-Encoding and Content-Length',
    `${H}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n`,
    400,
  ],
  ['conflicting lengths', `${H}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
  ['equal lengths', `${H}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`, 400],
  ['list of lengths', `${H}Content-Length: 5, 5\r\n\r\n`, 400],
  ['signed length', `${H}Content-Length: +5\r\n\r\n`, 400],
  ['negative length', `${H}Content-Length: -5\r\n\r\n`, 400],
  ['hexadecimal length', `${H}Content-Length: 0x5\r\n\r\n`, 400],
  ['empty length', `${H}Content-Length:\r\n\r\n`, 400],
  ['length of 16 digits', `${H}Content-Length: 1000000000000000\r\n\r\n`, 400],
  ['Transfer-Encoding in 1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  [
    'Transfer-Encoding twice',
    `${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
    400,
  ],
  ['coding gzip, chunked', `${H}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  ['coding xchunked', `${H}Transfer-Encoding: xchunked\r\n\r\n`, 501],
  ['coding chunked with VT', `${H}Transfer-Encoding: \x0bchunked\r\n\r\n`, 400],
  ['expectation', `${H}Expect: 200-ok\r\n\r\n`, 417],
  ['no target', 'GET  HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['two spaces before the version', 'GET /  HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['tab after the method', 'GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['space after the version', 'GET / HTTP/1.1 \r\nHost: h\r\n\r\n', 400],
  ['fragment', 'GET /#a HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['raw UTF-8 in the target', 'GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['target without slash', 'GET a HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['other scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['absolute-form without host', 'GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['absolute-form with user', 'GET http://u@h/a HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['HTTP/0.9', 'GET /\r\n', 400],
  ['lower-case version', 'GET / http/1.1\r\nHost: h\r\n\r\n', 400],
  ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['HTTP/2', 'GET / HTTP/2.0\r\nHost: h\r\n\r\n', 505],
  ['HTTP/3.1', 'GET / HTTP/3.1\r\nHost: h\r\n\r\n', 505],
  ['version with two digits', 'GET / HTTP/1.11\r\nHost: h\r\n\r\n', 400],
  ['TLS hello', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400],
  ['separator in the method', 'G(T / HTTP/1.1\r\nHost: h\r\n\r\n', 400],
];
for (const [why, text, status] of REFUSED) {
  test(`request head › ${why} › ${status}`, () => assert.equal(statusOf(text), status));
}

const withTarget = (bytes: number): string =>
  `GET /${'a'.repeat(bytes - 1)} HTTP/1.1\r\nHost: h\r\n\r\n`;
const withFields = (count: number): string =>
  `GET / HTTP/1.1\r\nHost: h\r\n${'A: b\r\n'.repeat(count - 1)}\r\n`;
const withBytes = (count: number): string => {
  const rest = `${H}A: \r\n\r\n`.length;
  return `${H}A: ${'x'.repeat(count - rest)}\r\n\r\n`;
};

test('request head › limits › accepted at the bound, refused past it', () => {
  parse(withTarget(100));
  assert.equal(statusOf(withTarget(101)), 414);
  assert.equal(statusOf(`GET /${'a'.repeat(100)}`), 414, 'without its end');
  assert.equal(statusOf(`GET /?${'a'.repeat(99)}`), 414, 'the query counts');
  parse(withFields(10));
  assert.equal(statusOf(withFields(11)), 431);
  parse(withBytes(1_000));
  assert.equal(statusOf(withBytes(1_001)), 431);
  assert.equal(statusOf(withBytes(2_000).slice(0, 1_001)), 431, 'without its end');
  assert.equal(statusOf(`${H}${'n'.repeat(1_000)}`), 431, 'in a name');
  parse(`${'M'.repeat(32)} / HTTP/1.1\r\nHost: h\r\n\r\n`);
  assert.equal(statusOf(`${'M'.repeat(33)} / HTTP/1.1\r\nHost: h\r\n\r\n`), 501);
});

test('request head › every truncation › incomplete', () => {
  const text = 'GET /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX: y\r\n\r\n';
  for (let length = 0; length < text.length; length++) {
    assert.equal(statusOf(text.slice(0, length)), null, `${length}`);
  }
  parse(text);
});

test('request head › any bytes › a head, a fault or null; emit(parse) parses to the same', () => {
  const piece = fc.constantFrom(
    'GET',
    ' ',
    '/',
    'HTTP/1.1',
    '\r\n',
    ':',
    'Host: h',
    'a',
    '\n',
    '*',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.array(piece, { maxLength: 9 }).map((parts) => `${H}${parts.join('')}\r\n\r\n`),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  fc.assert(
    fc.property(text, (input) => {
      const bytes = bytesOf(input);
      const head = parser.parse(bytes, 0, bytes.length);
      if (!(head instanceof RequestHead)) return;
      const again = emitRequestHead(head);
      const second = parser.parse(again, 0, again.length);
      assert.ok(second instanceof RequestHead);
      const { bytes: _first, ...one } = head;
      const { bytes: _second, ...two } = second;
      assert.deepEqual(two, one);
    }),
    { numRuns: 500, seed: 1 },
  );
});
