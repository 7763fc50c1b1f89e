import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAcceptEncoding, parseWeight } from './accept-encoding.ts';
import { CHUNK_EXTENSION_BYTES_MAX, ChunkedDecoder, TRAILER_BYTES_MAX } from './chunked.ts';
import { emitChunked, parseChunked } from './emit.ts';
import {
  formatEntityTags,
  matchesStrongly,
  matchesWeakly,
  parseEntityTags,
  TAGS_MAX,
} from './entity-tag.ts';
import { DATE_SECONDS_MAX, formatHttpDate, parseHttpDate } from './http-date.ts';
import { resolvePath } from './path.ts';
import { formatRange, parseRange, RANGES_MAX } from './range.ts';
import { hasToken } from './token-list.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const NOW = 1_800_000_000;

test('http date › RFC 9110 §5.6.7 › all three forms', () => {
  const seconds = 784_111_777;
  assert.equal(formatHttpDate(seconds), 'Sun, 06 Nov 1994 08:49:37 GMT');
  assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT', NOW), seconds);
  assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW), seconds);
  assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994', NOW), seconds);
  assert.equal(parseHttpDate('Sun Nov 16 08:49:37 1994', NOW), seconds + 864_000);
  assert.equal(parseHttpDate('Saturday, 01-Jan-50 00:00:00 GMT', NOW), 2_524_608_000);
  assert.equal(parseHttpDate('Saturday, 01-Jan-80 00:00:00 GMT', NOW), 315_532_800);
});

test('http date › any second › as Date says, and back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: DATE_SECONDS_MAX }), (seconds) => {
      const text = formatHttpDate(seconds);
      assert.equal(text, new Date(seconds * 1_000).toUTCString());
      assert.equal(parseHttpDate(text, NOW), seconds);
    }),
    { numRuns: 500, seed: 1 },
  );
  assert.equal(formatHttpDate(-1), formatHttpDate(0));
  assert.equal(formatHttpDate(DATE_SECONDS_MAX + 1), formatHttpDate(DATE_SECONDS_MAX));
});

// size-exempt: table
const NO_DATES = [
  '',
  'x',
  'Sun, 06 Nov 1994 08:49:37 UTC',
  'Sun, 06 Nov 1994 08:49:37',
  'sun, 06 Nov 1994 08:49:37 GMT',
  'Sun, 6 Nov 1994 08:49:37 GMT ',
  'Sun, 31 Feb 1994 08:49:37 GMT',
  'Sun, 00 Nov 1994 08:49:37 GMT',
  'Sun, 06 Nop 1994 08:49:37 GMT',
  'Sun, 06 anF 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 24:49:37 GMT',
  'Sun, 06 Nov 1994 08:60:37 GMT',
  'Sun, 06 Nov 1994 08:49:61 GMT',
  'Sun, 06 Nov 1969 08:49:37 GMT',
  'Sun, 06 Nov 1994 08-49-37 GMT',
  'Sun, 06-Nov-1994 08:49:37 GMT',
  'Sunday, 06 Nov 94 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 CET',
  'Sun Nov 06 08:49:37 199x',
  'Xun Nov  6 08:49:37 1994',
  'Sun Nov-16 08:49:37 1994',
];
for (const text of NO_DATES) {
  test(`http date › ${JSON.stringify(text)} › null`, () =>
    assert.equal(parseHttpDate(text, NOW), null));
}

test('http date › any text › null or seconds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      const seconds = parseHttpDate(text, NOW);
      assert.ok(seconds === null || seconds >= 0);
    }),
    { seed: 1 },
  );
});

test('range › RFC 9110 §14.1.2 › as the examples say', () => {
  const ranges = (text: string, length = 10_000): unknown => {
    const asked = parseRange(text, length);
    return asked.kind === 'ranges' ? formatRange(asked.ranges) : asked.kind;
  };
  assert.equal(ranges('bytes=0-499'), 'bytes=0-499');
  assert.equal(ranges('Bytes=500-999'), 'bytes=500-999');
  assert.equal(ranges('bytes=-500'), 'bytes=9500-9999');
  assert.equal(ranges('bytes=9500-'), 'bytes=9500-9999');
  assert.equal(ranges('bytes=0-0,-1'), 'bytes=0-0, 9999-9999');
  assert.equal(ranges('bytes= 0-999, 4500-5499, -1000'), 'bytes=0-999, 4500-5499, 9000-9999');
  assert.equal(ranges('bytes=5-,0-3'), 'bytes=5-9999, 0-3');
  assert.equal(ranges('bytes=-20000'), 'bytes=0-9999');
  assert.equal(ranges('bytes=9000-99999999999999999999'), 'bytes=9000-9999');
  assert.equal(ranges('bytes=20000-,0-0'), 'bytes=0-0', 'the satisfiable one');
  assert.equal(ranges('bytes=10000-'), 'unsatisfiable');
  assert.equal(ranges('bytes=99999999999999999999-'), 'unsatisfiable');
  assert.equal(ranges('bytes=-0'), 'unsatisfiable');
  assert.equal(ranges('bytes=0-5', 0), 'ignored');
});

for (const text of [
  '',
  'bytes',
  'bytes=',
  'bytes=,',
  'bytes=a-b',
  'bytes=5-4',
  'bytes=-',
  'bytes=--1',
  'bytes=1',
  'bytes=1-2-3',
  'bytes=0x1-2',
  'bytes=+1-2',
  'lines=1-2',
  'bytes=0-5,5-9',
  'bytes=0-,0-',
  'bytes=-5,-6',
]) {
  test(`range › ${JSON.stringify(text)} › ignored`, () =>
    assert.equal(parseRange(text, 10_000).kind, 'ignored'));
}

test('range › number of ranges › at the bound and past it', () => {
  const many = (count: number): string =>
    `bytes=${Array.from({ length: count }, (_, i) => `${i * 2}-${i * 2}`).join(',')}`;
  assert.equal(parseRange(many(RANGES_MAX), 10_000).kind, 'ranges');
  assert.equal(parseRange(many(RANGES_MAX + 1), 10_000).kind, 'ignored');
});

test('range › any text › ranges lie inside and apart', () => {
  const digits = fc.stringMatching(/^[-0-9, ]{0,20}$/);
  fc.assert(
    fc.property(digits, fc.nat(100), (text, length) => {
      const asked = parseRange(`bytes=${text}`, length);
      if (asked.kind !== 'ranges') return;
      const covered = new Set<number>();
      for (const { first, last } of asked.ranges) {
        assert.ok(first >= 0 && last < length && first <= last);
        for (let i = first; i <= last; i++) {
          assert.ok(!covered.has(i));
          covered.add(i);
        }
      }
    }),
    { seed: 1 },
  );
});

test('entity tags › lists › parsed, compared, written back', () => {
  const text = '"a", W/"b,c" ,, "\xe4"';
  const tags = parseEntityTags(text);
  assert.ok(Array.isArray(tags));
  assert.equal(tags.length, 3);
  assert.deepEqual(parseEntityTags(formatEntityTags(tags)), tags);
  assert.equal(formatEntityTags('*'), '*');
  assert.equal(matchesStrongly(text, '"a"'), true);
  assert.equal(matchesStrongly(text, '"b,c"'), false, 'weak');
  assert.equal(matchesWeakly(text, '"b,c"'), true);
  assert.equal(matchesWeakly(text, '"b"'), false);
  assert.equal(matchesStrongly('*', '"x"') && matchesWeakly('*', '"x"'), true);
  assert.equal(matchesStrongly('"x"', '"x"') && matchesWeakly('"x"', '"x"'), true);
});

for (const text of [
  '',
  ',',
  'a',
  '"a',
  'w/"a"',
  'W/a',
  '"a" "b"',
  '"a b"',
  '"a"b',
  '"a", *',
  '"\0"',
]) {
  test(`entity tags › ${JSON.stringify(text)} › malformed, matches nothing`, () => {
    assert.equal(parseEntityTags(text), null);
    assert.equal(matchesStrongly(text, '"a"') || matchesWeakly(text, '"a"'), false);
  });
}

test('entity tags › number of tags › at the bound and past it', () => {
  const list = (count: number): string => Array.from({ length: count }, () => '"a"').join(',');
  assert.equal(parseEntityTags(list(TAGS_MAX))?.length, TAGS_MAX);
  assert.equal(parseEntityTags(list(TAGS_MAX + 1)), null);
});

test('accept-encoding › RFC 9110 §12.5.3 › weights', () => {
  assert.deepEqual(parseAcceptEncoding(null), { br: 0, gzip: 0, identity: 1_000 });
  assert.deepEqual(parseAcceptEncoding(''), { br: 0, gzip: 0, identity: 1 });
  assert.deepEqual(parseAcceptEncoding('gzip, br'), { br: 1_000, gzip: 1_000, identity: 1 });
  assert.deepEqual(parseAcceptEncoding('x-gzip;q=0.5 , BR ; Q=0.25'), {
    br: 250,
    gzip: 500,
    identity: 1,
  });
  assert.deepEqual(parseAcceptEncoding('gzip;q=1.0, identity; q=0.5, *;q=0'), {
    br: 0,
    gzip: 1_000,
    identity: 500,
  });
  assert.deepEqual(parseAcceptEncoding('*'), { br: 1_000, gzip: 1_000, identity: 1 });
  assert.deepEqual(parseAcceptEncoding('*;q=0'), { br: 0, gzip: 0, identity: 0 });
  assert.deepEqual(parseAcceptEncoding('gzip;q=2, br;q=x, ;q=1, gzip;level=1'), {
    br: 0,
    gzip: 0,
    identity: 1,
  });
});

test('accept-encoding › weights › three digits, at most 1', () => {
  assert.equal(parseWeight('0'), 0);
  assert.equal(parseWeight('1.000'), 1_000);
  assert.equal(parseWeight('0.123'), 123);
  assert.equal(parseWeight('1.'), 1_000);
  for (const text of ['', '2', '1.001', '0.1234', '.5', '0,5', '-1', '0.x', '00']) {
    assert.equal(parseWeight(text), -1, text);
  }
});

test('accept-encoding › any text › weights between 0 and 1', () => {
  const piece = fc.constantFrom('gzip', 'br', '*', ';', 'q=', '0.', '1', ',', ' ', 'identity');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 15 }), (parts) => {
      for (const weight of Object.values(parseAcceptEncoding(parts.join('')))) {
        assert.ok(Number.isInteger(weight) && weight >= 0 && weight <= 1_000);
      }
    }),
    { seed: 1 },
  );
});

test('path › names › decoded, never above the root', () => {
  assert.equal(resolvePath('/'), '');
  assert.equal(resolvePath('/a/b.css'), 'a/b.css');
  assert.equal(resolvePath('/a/'), 'a/');
  assert.equal(resolvePath('/%61%2E%62'), 'a.b');
  assert.equal(resolvePath('/%C3%A4'), 'ä');
  assert.equal(resolvePath('/a/./b/../c'), 'a/c');
  assert.equal(resolvePath('/a/..'), '');
  assert.equal(resolvePath('/a/b/..'), 'a/');
  assert.equal(resolvePath('/../../etc/passwd'), 'etc/passwd');
  assert.equal(resolvePath('/%2e%2e/%2E./etc'), 'etc');
  assert.equal(resolvePath('/..a/...'), '..a/...');
});

for (const path of [
  '/%',
  '/%2',
  '/%zz',
  '/%00',
  '/a%2fb',
  '/..%2F..',
  '/%ff',
  '/%c3%28',
  '/%ed%a0%80',
]) {
  test(`path › ${path} › malformed`, () => assert.equal(resolvePath(path), null));
}

test('path › any path › no dot segment, no NUL', () => {
  const piece = fc.constantFrom('/', '.', '..', '%2e', '%2E', 'a', '%41', '%', '%5c', '%c3%a4');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (parts) => {
      const name = resolvePath(`/${parts.join('')}`);
      if (name === null) return;
      assert.ok(!name.includes('\0'));
      for (const segment of name.split('/')) assert.ok(segment !== '.' && segment !== '..', name);
    }),
    { seed: 1 },
  );
});

test('token list › elements › whole, any case', () => {
  assert.equal(hasToken('a, Close\t,b', 'close'), true);
  assert.equal(hasToken('CLOSE', 'close'), true);
  assert.equal(hasToken('close;q=1', 'close'), false);
  assert.equal(hasToken('not close', 'close'), false);
  assert.equal(hasToken('', 'close'), false);
});

const decode = (text: string): string | number | null => {
  const body = parseChunked(bytesOf(text));
  if (body === null) return null;
  return 'status' in body ? body.status : Buffer.from(body.data).toString('latin1');
};

test('chunked › RFC 9112 §7.1 › data, extensions and trailers dropped', () => {
  assert.equal(decode('0\r\n\r\n'), '');
  assert.equal(decode('5\r\nhello\r\n0\r\n\r\nrest'), 'hello');
  assert.equal(decode('5;a=b;c="d"\r\nhello\r\n00\r\nX: y\r\nZ:\r\n\r\n'), 'hello');
  assert.equal(decode('A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n'), '0123456789x');
});

for (const text of [
  '\r\n',
  ';\r\n',
  'g\r\n',
  '-1\r\n',
  '0x5\r\n',
  ' 5\r\n',
  '5 \r\nhello',
  '5\nhello',
  '5\r\r\n',
  '5\r\nhelloX',
  '5\r\nhello\n0',
  '5\r\nhello\r\r',
  '123456789\r\n',
  '5;\0\r\n',
  '0\r\n\n',
  '0\r\n\r\r',
  '0\r\n x: y\r\n',
  '0\r\nx\r\n',
  '0\r\nx : y\r\n',
  '0\r\nx: \0\r\n',
  '0\r\nx: y\n',
]) {
  test(`chunked › ${JSON.stringify(text)} › 400`, () => assert.equal(decode(text), 400));
}

test('chunked › limits › at the bound and past it', () => {
  const extension = (bytes: number): string => `1;${'e'.repeat(bytes)}\r\nx\r\n0\r\n\r\n`;
  assert.equal(decode(extension(CHUNK_EXTENSION_BYTES_MAX)), 'x');
  assert.equal(decode(extension(CHUNK_EXTENSION_BYTES_MAX + 1)), 400);
  assert.equal(decode('ffffffff\r\nx'), null);
  // A trailer line "n:v" counts its two parts and three bytes for each.
  const trailer = (bytes: number): string => `0\r\nn:${'v'.repeat(bytes - 7)}\r\n\r\n`;
  assert.equal(decode(trailer(TRAILER_BYTES_MAX)), '');
  assert.equal(decode(trailer(TRAILER_BYTES_MAX + 1)), 431);
  assert.equal(decode(`0\r\n${'n'.repeat(TRAILER_BYTES_MAX)}`), 431);
});

test('chunked › any data, any chunks, any pieces › the same data', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 7 }),
      (data, chunkBytes, pieceBytes) => {
        const wire = emitChunked(data, chunkBytes);
        const decoder = new ChunkedDecoder();
        const got: number[] = [];
        for (let at = 0; at < wire.length; at += pieceBytes) {
          const piece = wire.subarray(at, at + pieceBytes);
          for (let i = 0; i < piece.length; ) {
            i = decoder.take(piece, i, piece.length);
            got.push(...piece.subarray(decoder.dataAt, decoder.dataEnd));
          }
        }
        assert.equal(decoder.fault, null);
        assert.equal(decoder.isDone, true);
        assert.deepEqual(new Uint8Array(got), data);
        for (let end = 0; end < wire.length; end++) {
          assert.equal(parseChunked(wire.subarray(0, end)), null);
        }
      },
    ),
    { numRuns: 50, seed: 1 },
  );
});

test('chunked › any bytes › never a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const body = parseChunked(bytes);
      assert.ok(body === null || 'status' in body || body.endAt <= bytes.length);
    }),
    { seed: 1 },
  );
});
