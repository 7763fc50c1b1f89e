import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KvEntry, KvReadOnly } from '#device';
import { contentTypeOf } from './content-type.ts';
import { isFingerprinted } from './fingerprint.ts';
import { StaticSite } from './static-site.ts';
import { Bench } from './test-flow.ts';
import { formatHttpDate } from './wire/http-date.ts';

const MODIFIED = 1_790_000_000;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

/** An entry whose digest is made from `name`, with variants of the given sizes. */
function entryOf(name: string, content: string, gzip = 0, br = 0): KvEntry {
  const variants: KvEntry['variants'][number][] = [];
  if (gzip > 0) variants.push({ encoding: 'gzip', bytes: bytesOf('g'.repeat(gzip)) });
  if (br > 0) variants.push({ encoding: 'br', bytes: bytesOf('b'.repeat(br)) });
  const digest = Buffer.from(name).toString('hex').padEnd(32, '0').slice(0, 32);
  return { bytes: bytesOf(content), modifiedSeconds: MODIFIED, digest, variants };
}

const CONTENT: Readonly<Record<string, KvEntry>> = {
  'index.html': entryOf('index', '<p>home', 5, 4),
  'a.txt': entryOf('a', '0123456789'),
  'empty.txt': entryOf('empty', ''),
  'style.css': entryOf('style', 'body{}', 3),
  'app.3f2a9c1b.js': entryOf('app', 'let a'),
  'sub/index.html': entryOf('sub', '<p>sub'),
  'sub/b c.txt': entryOf('bc', 'bc'),
  'sub/ä.txt': entryOf('ae', 'ae'),
  'empty-dir/c.txt': entryOf('c', 'c'),
  'big.bin': entryOf('big', 'x'.repeat(5_000)),
  '.secret': entryOf('secret', 'secret'),
  '.well-known/security.txt': entryOf('security', 'security'),
};

function kvOf(content: Readonly<Record<string, KvEntry>>): KvReadOnly {
  return {
    get(path) {
      assert.ok(!path.startsWith('/') && !`/${path}/`.includes('//'), `bad key ${path}`);
      assert.ok(!path.split('/').some((name) => name === '.' || name === '..'), `bad key ${path}`);
      return Object.hasOwn(content, path) ? content[path]! : null;
    },
    paths: () => Object.keys(content),
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  header(name: string): string | null;
}

const siteOf = (content: Readonly<Record<string, KvEntry>>): Bench => {
  const clock = { wall: () => (MODIFIED + 1_000_000) * 1_000 };
  return new Bench(new StaticSite(kvOf(content), clock as Bench['clock']));
};
const site = siteOf(CONTENT);

function ask(target: string, fields: Readonly<Record<string, string>> = {}, from = site): Answer {
  const [method, path] = target.split(' ');
  const flow = from.connect();
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  flow.send(`${method} ${path} HTTP/1.1\r\nHost: h\r\n${lines.join('')}\r\n`);
  const text = flow.takeText();
  flow.close('closed');
  const headEnd = text.indexOf('\r\n\r\n');
  const head = text.slice(0, headEnd);
  const body = text.slice(headEnd + 4);
  const header = (name: string): string | null =>
    new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1]?.replace('\r', '') ?? null;
  const length = header('content-length');
  if (method !== 'HEAD' && length !== null) assert.equal(Number(length), body.length);
  return { status: Number(text.slice(9, 12)), body, header };
}

test('GET › file › content, validators, safe fields', () => {
  const answer = ask('GET /a.txt');
  assert.equal(answer.status, 200);
  assert.equal(answer.body, '0123456789');
  assert.equal(answer.header('content-type'), 'text/plain; charset=utf-8');
  assert.equal(answer.header('etag'), `"${CONTENT['a.txt']!.digest}"`);
  assert.equal(answer.header('last-modified'), formatHttpDate(MODIFIED));
  assert.equal(answer.header('accept-ranges'), 'bytes');
  assert.equal(answer.header('cache-control'), 'no-cache');
  assert.equal(answer.header('x-content-type-options'), 'nosniff');
  assert.equal(answer.header('vary'), null);
  assert.equal(answer.header('x-frame-options'), null);
  assert.equal(answer.header('date'), 'Fri, 15 Jan 2027 08:00:00 GMT');
  assert.equal(ask('GET /').header('x-frame-options'), 'SAMEORIGIN');
  assert.equal(ask('GET /empty.txt').body, '');
});

test('GET › long content › the entry itself is written', () => {
  const flow = site.connect();
  flow.send('GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.equal(flow.writes[1], CONTENT['big.bin']!.bytes);
});

test('HEAD › as GET, without content', () => {
  const answer = ask('HEAD /a.txt');
  assert.equal(answer.header('content-length'), '10');
  assert.equal(answer.header('etag'), ask('GET /a.txt').header('etag'));
  assert.equal(answer.body, '');
  assert.equal(ask('HEAD /none').body, '');
  assert.equal(ask('HEAD /none').status, 404);
});

test('paths › index, directory, escapes, dot segments', () => {
  assert.equal(ask('GET /').body, '<p>home');
  assert.equal(ask('GET /index.html?x').body, '<p>home');
  assert.equal(ask('GET /sub/').body, '<p>sub');
  assert.equal(ask('GET /sub/b%20c.txt').body, 'bc');
  assert.equal(ask('GET /sub/%C3%a4.txt').body, 'ae');
  assert.equal(ask('GET /%61.txt').body, '0123456789');
  assert.equal(ask('GET /sub/../a.txt').body, '0123456789');
  assert.equal(ask('GET /../../a.txt').body, '0123456789');
  assert.equal(ask('GET http://other/a.txt').body, '0123456789');
  assert.equal(ask('GET /.well-known/security.txt').body, 'security');
});

for (const [path, status] of [
  ['/none', 404],
  ['/a.txt/', 404],
  ['/empty-dir', 404],
  ['/empty-dir/', 404],
  ['//a.txt', 404],
  ['//sub', 404],
  ['/sub//index.html', 404],
  ['/..//a.txt', 404],
  ['/.secret', 404],
  ['/%2esecret', 404],
  ['/sub/../.secret', 404],
  ['/.well-known/.secret', 404],
  ['/constructor', 404],
  ['/sub%2findex.html', 400],
  ['/..%2f..%2fetc/passwd', 400],
  ['/a.txt%00', 400],
  ['/%ff', 400],
  ['/%', 400],
] as const) {
  test(`paths › ${path} › ${status}`, () => assert.equal(ask(`GET ${path}`).status, status));
}

test('redirect › directory without slash › relative, query kept', () => {
  assert.equal(ask('GET /sub').status, 301);
  assert.equal(ask('GET /sub').header('location'), './sub/');
  assert.equal(ask('GET /sub?a=b?c').header('location'), './sub/?a=b?c');
  assert.equal(ask('GET /x/../sub').header('location'), './sub/');
  assert.equal(ask('HEAD /sub').body, '');
});

test('404.html › shown for what is missing, with status 404 and no validators', () => {
  const custom = siteOf({ ...CONTENT, '404.html': entryOf('404', '<p>lost', 2) });
  const answer = ask('GET /none', {}, custom);
  assert.equal(answer.status, 404);
  assert.equal(answer.body, '<p>lost');
  assert.equal(answer.header('etag'), null);
  assert.equal(answer.header('content-type'), 'text/html; charset=utf-8');
  const gzip = ask('GET /none', { 'Accept-Encoding': 'gzip', 'If-None-Match': '*' }, custom);
  assert.equal(gzip.status, 404);
  assert.equal(gzip.header('content-encoding'), 'gzip');
  assert.equal(ask('GET /404.html', {}, custom).status, 200);
});

test('methods › OPTIONS, 405 with Allow, 501', () => {
  assert.equal(ask('OPTIONS /a.txt').status, 204);
  assert.equal(ask('OPTIONS /a.txt').header('allow'), 'GET, HEAD, OPTIONS');
  assert.equal(ask('OPTIONS *').status, 204);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    assert.equal(ask(`${method} /a.txt`).status, 405);
    assert.equal(ask(`${method} /a.txt`).header('allow'), 'GET, HEAD, OPTIONS');
  }
  assert.equal(ask('BREW /a.txt').status, 501);
  assert.equal(ask('get /a.txt').status, 501, 'methods are case-sensitive');
});

test('Accept-Encoding › selects the variant, with its own ETag, and Vary', () => {
  const coded = (accept: string, path = '/'): (string | null)[] => {
    const answer = ask(`GET ${path}`, { 'Accept-Encoding': accept });
    assert.equal(answer.header('vary'), 'Accept-Encoding');
    return [answer.header('content-encoding'), answer.header('etag')?.slice(33) ?? null];
  };
  assert.deepEqual(coded('gzip, deflate, br'), ['br', '-br"']);
  assert.deepEqual(coded('gzip'), ['gzip', '-gz"']);
  assert.deepEqual(coded('gzip;q=1, br;q=0.9'), ['gzip', '-gz"']);
  assert.deepEqual(coded('br', '/style.css'), [null, '"']);
  assert.deepEqual(coded('identity, gzip;q=0.5'), [null, '"']);
  assert.deepEqual(coded('gzip;q=0'), [null, '"']);
  assert.deepEqual(coded('*;q=0'), [null, '"']);
  assert.deepEqual(coded(''), [null, '"']);
  assert.deepEqual(coded('*'), ['br', '-br"']);
});

const ETAG = `"${CONTENT['a.txt']!.digest}"`;
const THEN = formatHttpDate(MODIFIED);
const BEFORE = formatHttpDate(MODIFIED - 1);
const LATER = formatHttpDate(MODIFIED + 1);
// size-exempt: table
const CONDITIONS: readonly (readonly [fields: Readonly<Record<string, string>>, status: number])[] =
  [
    [{ 'If-None-Match': ETAG }, 304],
    [{ 'If-None-Match': `W/${ETAG}` }, 304],
    [{ 'If-None-Match': `"x", ${ETAG}` }, 304],
    [{ 'If-None-Match': '*' }, 304],
    [{ 'If-None-Match': '"x"' }, 200],
    [{ 'If-None-Match': 'malformed' }, 200],
    [{ 'If-None-Match': '"x"', 'If-Modified-Since': LATER }, 200],
    [{ 'If-Modified-Since': THEN }, 304],
    [{ 'If-Modified-Since': LATER }, 304],
    [{ 'If-Modified-Since': BEFORE }, 200],
    [{ 'If-Modified-Since': 'yesterday' }, 200],
    [{ 'If-Match': ETAG }, 200],
    [{ 'If-Match': '*' }, 200],
    [{ 'If-Match': `W/${ETAG}` }, 412],
    [{ 'If-Match': '"x"' }, 412],
    [{ 'If-Match': ETAG, 'If-Unmodified-Since': BEFORE }, 200],
    [{ 'If-Match': '"x"', 'If-None-Match': ETAG }, 412],
    [{ 'If-Match': ETAG, 'If-None-Match': ETAG }, 304],
    [{ 'If-Unmodified-Since': THEN }, 200],
    [{ 'If-Unmodified-Since': BEFORE }, 412],
    [{ 'If-Unmodified-Since': 'yesterday' }, 200],
    [{ 'If-Unmodified-Since': BEFORE, 'If-None-Match': ETAG }, 412],
    [{ Range: 'bytes=0-1', 'If-None-Match': ETAG }, 304],
    [{ Range: 'bytes=0-1', 'If-Match': '"x"' }, 412],
    [{ Range: 'bytes=0-1', 'If-Range': ETAG }, 206],
    [{ Range: 'bytes=0-1', 'If-Range': `W/${ETAG}` }, 200],
    [{ Range: 'bytes=0-1', 'If-Range': '"x"' }, 200],
    [{ Range: 'bytes=0-1', 'If-Range': '*' }, 200],
    [{ Range: 'bytes=0-1', 'If-Range': `${ETAG}, ${ETAG}` }, 200],
    [{ Range: 'bytes=0-1', 'If-Range': THEN }, 206],
    [{ Range: 'bytes=0-1', 'If-Range': LATER }, 200],
    [{ Range: 'bytes=99-', 'If-Range': '"x"' }, 200],
    [{ 'If-Range': ETAG }, 200],
  ];
for (const [fields, status] of CONDITIONS) {
  test(`conditions › ${JSON.stringify(fields)} › ${status}`, () => {
    const answer = ask('GET /a.txt', fields);
    assert.equal(answer.status, status);
    if (status === 304) {
      assert.equal(answer.header('etag'), ETAG);
      assert.equal(answer.header('cache-control'), 'no-cache');
      assert.equal(answer.header('content-length'), null);
      assert.equal(answer.body, '');
    }
    const isRange = status === 206;
    assert.equal(ask('HEAD /a.txt', fields).status, isRange ? 200 : status);
  });
}

test('conditions › validators of the selected variant', () => {
  const fields = {
    'Accept-Encoding': 'gzip',
    'If-None-Match': `"${CONTENT['index.html']!.digest}"`,
  };
  assert.equal(ask('GET /', fields).status, 200);
  const etag = `"${CONTENT['index.html']!.digest}-gz"`;
  const same = ask('GET /', { ...fields, 'If-None-Match': etag });
  assert.equal(same.status, 304);
  assert.equal(same.header('vary'), 'Accept-Encoding');
});

test('Range › one › 206 with Content-Range, a view of the content', () => {
  const answer = ask('GET /a.txt', { Range: 'bytes=2-4' });
  assert.equal(answer.status, 206);
  assert.equal(answer.body, '234');
  assert.equal(answer.header('content-range'), 'bytes 2-4/10');
  assert.equal(answer.header('etag'), ETAG);
  assert.equal(ask('GET /a.txt', { Range: 'bytes=-3' }).body, '789');
  assert.equal(ask('GET /a.txt', { Range: 'bytes=7-99' }).body, '789');
  const flow = site.connect();
  flow.send('GET /big.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=0-2999\r\n\r\n');
  assert.equal(flow.writes[1]!.buffer, CONTENT['big.bin']!.bytes.buffer);
});

test('Range › several › multipart/byteranges in the order asked', () => {
  const answer = ask('GET /a.txt', { Range: 'bytes=8-, 0-1' });
  assert.equal(answer.status, 206);
  assert.equal(answer.header('content-range'), null);
  const boundary = answer.header('content-type')?.split('boundary=')[1];
  assert.deepEqual(answer.body.split(`\r\n--${boundary}`), [
    '',
    '\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 8-9/10\r\n\r\n89',
    '\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01',
    '--\r\n',
  ]);
});

test('Range › unsatisfiable › 416; malformed or overlapping › whole', () => {
  const answer = ask('GET /a.txt', { Range: 'bytes=10-' });
  assert.equal(answer.status, 416);
  assert.equal(answer.header('content-range'), 'bytes */10');
  for (const range of ['bytes=0-5,3-9', 'bytes=5-1', 'lines=1-2', `bytes=${'0-0,'.repeat(20)}`]) {
    assert.equal(ask('GET /a.txt', { Range: range }).body, '0123456789', range);
  }
  assert.equal(ask('GET /empty.txt', { Range: 'bytes=0-' }).status, 200);
});

test('Range › of a variant › its bytes', () => {
  const answer = ask('GET /', { Range: 'bytes=0-1', 'Accept-Encoding': 'gzip' });
  assert.equal(answer.body, 'gg');
  assert.equal(answer.header('content-encoding'), 'gzip');
  assert.equal(answer.header('content-range'), 'bytes 0-1/5');
  const several = ask('GET /', { Range: 'bytes=0-0,2-3', 'Accept-Encoding': 'gzip' });
  assert.deepEqual([several.status, several.body], [200, 'ggggg'], 'a multipart is not coded');
});

test('fingerprinted › cached for ever', () => {
  assert.equal(
    ask('GET /app.3f2a9c1b.js').header('cache-control'),
    'public, max-age=31536000, immutable',
  );
});

for (const path of [
  'app.3f2a9c1b.js',
  'app-3f2a9c1b.min.js',
  'a/b.0123456789abcdef0123456789abcdef.css',
  'assets/index-DiwrgTda.js',
  'assets/index-D_wr-T7a.js',
  '_app/immutable/chunks/entry.DiwrgTda.js',
]) {
  test(`fingerprint › ${path} › yes`, () => assert.equal(isFingerprinted(path), true));
}

for (const path of [
  'index.html',
  'app.3f2a9c1b.html',
  'app.3f2a9c1.js',
  '3f2a9c1b.js',
  'app.js.3f2a9c1b',
  'report-20240101.pdf',
  'a.20240101.js',
  'a.deadbeef.js',
  'a.3F2A9C1B.js',
  'index-DiwrgTda.js',
  'assets/jquery-effects.js',
  'assets/index.min.js',
  `a.${'1a'.repeat(33)}.js`,
]) {
  test(`fingerprint › ${path} › no`, () => assert.equal(isFingerprinted(path), false));
}

test('content type › by extension, any case; unknown ones are bytes', () => {
  assert.equal(contentTypeOf('a/B.SVG'), 'image/svg+xml; charset=utf-8');
  assert.equal(contentTypeOf('a.b/c'), 'application/octet-stream');
  assert.equal(contentTypeOf('a.constructor'), 'application/octet-stream');
  assert.equal(contentTypeOf('Makefile'), 'application/octet-stream');
});
