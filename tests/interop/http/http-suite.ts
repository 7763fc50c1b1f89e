/**
 * What clients of the world expect of our HTTP server, wherever it runs: curl, raw sockets, many
 * connections, a browser. The server under test serves examples/static-site.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { seconds } from '#core';
import type { HttpLimits } from '#http';
import { browse } from './browser.ts';

export interface ServerUnderTest {
  /** "http://host:port", without a slash at the end. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a server of `siteDirectory` with such limits. */
export type StartServer = (limits: Partial<HttpLimits>) => Promise<ServerUnderTest>;

export const siteDirectory = join(
  dirname(fileURLToPath(import.meta.url)),
  '../../../examples/static-site',
);
const file = (path: string): Buffer => readFileSync(join(siteDirectory, path));
const run = promisify(execFile);

/** The output of curl; it fails when curl does. */
async function curl(...args: string[]): Promise<Buffer> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '20', ...args], {
    encoding: 'buffer',
    maxBuffer: 16_777_216,
  });
  return stdout;
}

const status = async (...args: string[]): Promise<string> =>
  (await curl('-o', '/dev/null', '-w', '%{http_code}', ...args)).toString();

/** Header `name` of the response. */
async function header(name: string, ...args: string[]): Promise<string> {
  return (await curl('-o', '/dev/null', '-w', `%header{${name}}`, ...args)).toString();
}

async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Sends `pieces`, `gapMillis` apart, then reads until the server ends the connection. */
const exchange = async (url: string, pieces: readonly string[], gapMillis = 0): Promise<string> =>
  talk(await dial(url), pieces, gapMillis);

async function talk(socket: Socket, pieces: readonly string[], gapMillis = 0): Promise<string> {
  const parts: Buffer[] = [];
  socket.on('data', (bytes) => parts.push(bytes));
  const ended = new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', resolve);
  });
  for (const piece of pieces) {
    socket.write(piece, 'latin1');
    if (gapMillis > 0) await new Promise((resolve) => setTimeout(resolve, gapMillis));
  }
  await ended;
  socket.destroy();
  return Buffer.concat(parts).toString('latin1');
}

const OPENING_GAP_MILLIS = 4;
const HOST = 'Host: h\r\n';
const CLOSE = 'Connection: close\r\n';
const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]!);

// size-exempt: table
const MALFORMED: readonly (readonly [why: string, bytes: string, status: string])[] = [
  ['no request at all', 'hello\r\n\r\n', '400'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n', '400'],
  ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400'],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`, '505'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', '400'],
  ['two Hosts', `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`, '400'],
  ['bare LF', 'GET / HTTP/1.1\nHost: h\n\n', '400'],
  ['obs-fold', `GET / HTTP/1.1\r\n${HOST}A: b\r\n c\r\n\r\n`, '400'],
  ['space before colon', `GET / HTTP/1.1\r\n${HOST}A : b\r\n\r\n`, '400'],
  ['NUL in a field', `GET / HTTP/1.1\r\n${HOST}A: \0\r\n\r\n`, '400'],
  [
    'length and chunks',
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    '400',
  ],
  [
    'two lengths',
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde`,
    '400',
  ],
  ['negative length', `POST / HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`, '400'],
  ['unknown coding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: zip\r\n\r\n`, '501'],
  ['CONNECT', `CONNECT h:443 HTTP/1.1\r\n${HOST}\r\n`, '501'],
  ['long target', `GET /${'a'.repeat(10_000)} HTTP/1.1\r\n${HOST}\r\n`, '414'],
  ['long field', `GET / HTTP/1.1\r\n${HOST}A: ${'a'.repeat(40_000)}\r\n\r\n`, '431'],
  ['many fields', `GET / HTTP/1.1\r\n${HOST}${'A: b\r\n'.repeat(200)}\r\n`, '431'],
  ['unknown expectation', `POST / HTTP/1.1\r\n${HOST}Expect: wonders\r\n\r\n`, '417'],
  ['long body', `POST / HTTP/1.1\r\n${HOST}Content-Length: 999999999999\r\n\r\n`, '413'],
];

/** Registers the whole suite under `name`. */
export function httpSuite(name: string, start: StartServer): void {
  httpBasics(name, start, (url) => describe('many connections', () => crowdTests(url)));
  describe(`${name}, short limits`, () => slowTests(start));
}

/** The suite without what takes seconds; `more` tests run against the same server. */
export function httpBasics(
  name: string,
  start: StartServer,
  more: (url: (path: string) => string) => void = () => {},
): void {
  describe(name, () => {
    let server: ServerUnderTest;
    before(async () => {
      server = await start({});
    });
    after(() => server.stop());
    const url = (path: string): string => `${server.url}${path}`;
    describe('curl', () => curlTests(url));
    describe('ranges and conditions', () => conditionTests(url));
    describe('raw sockets', () => rawTests(url));
    describe('browser', () => browserTests(url));
    more(url);
  });
}

function curlTests(url: (path: string) => string): void {
  test('files arrive as they are', async () => {
    assert.deepEqual(await curl(url('/')), file('index.html'));
    assert.deepEqual(await curl(url('/style.css?v=1')), file('style.css'));
    assert.deepEqual(await curl('-0', url('/morgana.svg')), file('morgana.svg'));
    assert.deepEqual(await curl('--compressed', url('/style.css')), file('style.css'));
    assert.deepEqual(
      await curl('--compressed', '-H', 'Accept-Encoding: gzip', url('/style.css')),
      file('style.css'),
    );
  });
  test('types and caching', async () => {
    assert.equal(await header('content-type', url('/')), 'text/html; charset=utf-8');
    assert.equal(await header('content-type', url('/morgana.svg')), 'image/svg+xml; charset=utf-8');
    assert.match(await header('cache-control', url('/app.3f2a9c1b.js')), /immutable/);
    assert.equal(await header('cache-control', url('/')), 'no-cache');
  });
  test('HEAD, OPTIONS, refused methods', async () => {
    const head = (await curl('-I', url('/'))).toString();
    assert.match(head, new RegExp(`Content-Length: ${file('index.html').length}\r\n`));
    assert.match(await header('allow', '-X', 'OPTIONS', url('/')), /GET, HEAD/);
    assert.match(await header('allow', '-X', 'DELETE', url('/')), /GET, HEAD/);
    assert.equal(await status('-X', 'DELETE', url('/')), '405');
    assert.equal(await status('-X', 'BREW', url('/')), '501');
    assert.equal(await status('-d', 'x'.repeat(5_000), url('/')), '405');
    assert.equal(await status('-H', 'Expect: 100-continue', '-d', 'x', url('/')), '405');
  });
  test('redirect of a directory, missing pages, no way out', async () => {
    assert.deepEqual(
      await curl('-L', url('/life-of-a-request?a=b')),
      file('life-of-a-request/index.html'),
    );
    assert.deepEqual(await curl(url('/none')), file('404.html'));
    assert.equal(await status(url('/none')), '404');
    assert.equal(await status('--path-as-is', url('/../../../../etc/passwd')), '404');
    assert.equal(await status('--path-as-is', url('/..%2f..%2fetc/passwd')), '400');
    assert.equal(await status('--path-as-is', url('/life-of-a-request/../style.css')), '200');
  });
  test('one connection serves several requests', async () => {
    const urls = [url('/'), url('/style.css'), url('/none'), url('/')];
    const discard = urls.flatMap((one) => ['-o', '/dev/null', one]);
    const counts = await curl('-w', '%{num_connects} ', ...discard);
    assert.equal(counts.toString(), '1 0 0 0 ');
  });
}

function conditionTests(url: (path: string) => string): void {
  test('ranges', async () => {
    const whole = file('style.css');
    assert.deepEqual(await curl('-r', '10-19', url('/style.css')), whole.subarray(10, 20));
    assert.deepEqual(await curl('-r', '-7', url('/style.css')), whole.subarray(-7));
    assert.deepEqual(await curl('-r', '100-', url('/style.css')), whole.subarray(100));
    assert.equal(await status('-r', '999999-', url('/style.css')), '416');
    const several = (await curl('-r', '0-4,10-14', url('/style.css'))).toString();
    assert.equal(several.match(/Content-Range: bytes (0-4|10-14)\//g)?.length, 2);
    assert.equal(await status('-r', '0-9,5-14', url('/style.css')), '200');
  });
  test('conditions', async () => {
    const etag = await header('etag', url('/'));
    const modified = await header('last-modified', url('/'));
    assert.match(etag, /^"[^"]+"$/);
    const given = (...fields: string[]): Promise<string> =>
      status(...fields.flatMap((field) => ['-H', field]), url('/'));
    assert.equal(await given(`If-None-Match: ${etag}`), '304');
    assert.equal(await given(`If-Modified-Since: ${modified}`), '304');
    assert.equal(await given('If-None-Match: "x"', `If-Modified-Since: ${modified}`), '200');
    assert.equal(await given('If-Match: "x"'), '412');
    assert.equal(await given(`If-Range: ${etag}`, 'Range: bytes=0-3'), '206');
    assert.equal(await given('If-Range: "x"', 'Range: bytes=0-3'), '200');
    assert.notEqual(await header('etag', '-H', 'Accept-Encoding: br', url('/')), etag);
  });
}

function rawTests(url: (path: string) => string): void {
  test('pipelining › answers in order', async () => {
    const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\n${HOST}${more}\r\n`;
    const text = await exchange(url(''), [
      get('/') + get('/none') + get('/style.css') + get('/', CLOSE),
    ]);
    const bodies = ['index.html', '404.html', 'style.css', 'index.html'].map((path) =>
      text.indexOf(file(path).toString('latin1')),
    );
    assert.deepEqual(statuses(text), ['200', '404', '200', '200']);
    assert.ok(bodies.every((place) => place > 0));
    assert.ok(bodies[0]! < bodies[1]! && bodies[1]! < bodies[2]!);
  });
  test('pipelining › a hundred requests at once', async () => {
    const get = `GET /style.css HTTP/1.1\r\n${HOST}\r\n`;
    const last = `GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`;
    const text = await exchange(url(''), [get.repeat(100) + last]);
    assert.equal(statuses(text).length, 101);
  });
  test('head in pieces', async () => {
    const head = `GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`;
    const text = await exchange(url(''), [...head.matchAll(/.{1,9}/gs)].map(String), 2);
    assert.deepEqual(statuses(text), ['200']);
  });
  test('client that ends its side first still gets the answer', async () => {
    const socket = await dial(url(''));
    socket.end(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    let text = '';
    for await (const bytes of socket) text += bytes;
    assert.deepEqual(statuses(text), ['200']);
  });
  for (const [why, bytes, expected] of MALFORMED) {
    test(`malformed › ${why} › ${expected} and close`, async () => {
      const text = await exchange(url(''), [bytes]);
      assert.deepEqual(statuses(text), [expected]);
      assert.match(text, /Connection: close\r\n/);
    });
  }
}

/**
 * Connections are opened one after the other, with a pause: QEMU's user networking listens with a
 * backlog of 1, and the host drops what comes faster, for a second and more.
 */
async function dialMany(url: string, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    sockets.push(await dial(url));
    await new Promise((resolve) => setTimeout(resolve, OPENING_GAP_MILLIS));
  }
  return sockets;
}

function crowdTests(url: (path: string) => string): void {
  test('a thousand connections opened and dropped cost nobody anything', async () => {
    for (let round = 0; round < 20; round++) {
      const sockets = await dialMany(url(''), 50);
      sockets.forEach((socket, i) => {
        if (i % 3 === 0) socket.write('GET / HT');
        if (i % 3 === 1) socket.write(`GET / HTTP/1.1\r\n${HOST}\r\n`);
        if (i % 2 === 0) socket.resetAndDestroy();
        else socket.destroy();
      });
    }
    assert.deepEqual(await curl(url('/')), file('index.html'));
  });
  test('200 concurrent clients all get all of it', async () => {
    const get = `GET /style.css HTTP/1.1\r\n${HOST}`;
    const expected = file('style.css').toString('latin1');
    const client = async (socket: Socket): Promise<void> => {
      const text = await talk(socket, [`${get}\r\n${get}${CLOSE}\r\n`]);
      assert.deepEqual(statuses(text), ['200', '200']);
      assert.ok(text.endsWith(expected));
    };
    await Promise.all((await dialMany(url(''), 200)).map(client));
  });
}

function browserTests(url: (path: string) => string): void {
  test('Chromium loads the site, its script and its pages', async () => {
    const seen = await browse(url('/'));
    assert.equal(seen.title, 'Morgana: TypeScript unikernels');
    assert.equal(seen.scriptRan, true);
    assert.equal(seen.pictureWidth > 0, true);
    assert.equal(seen.nextTitle, 'Life of a request · Morgana');
    assert.deepEqual(seen.failures, []);
  });
}

/** Clients that are slow on purpose, with limits short enough to see the end of it. */
function slowTests(start: StartServer): void {
  const limits = {
    idleMax: seconds(0.3),
    headMax: seconds(0.3),
    progressEvery: seconds(0.3),
    lingerMax: seconds(0.2),
  };
  const withServer = (name: string, client: (url: string) => Promise<void>): void => {
    test(name, { timeout: 120_000 }, async () => {
      const server = await start(limits);
      try {
        await client(server.url);
      } finally {
        await server.stop();
      }
    });
  };
  withServer('silent client › closed without a word', async (url) => {
    assert.equal(await exchange(url, []), '');
  });
  withServer('head that never ends › 408', async (url) => {
    const text = await exchange(url, ['GET / HTTP/1.1\r\n', 'A: b\r\n', 'A: b\r\n'], 50);
    assert.deepEqual(statuses(text), ['408']);
  });
  withServer('idle after a request › closed', async (url) => {
    const text = await exchange(url, [`GET / HTTP/1.1\r\n${HOST}\r\n`]);
    assert.deepEqual(statuses(text), ['200']);
  });
  withServer('client that reads nothing › reset; others are served meanwhile', async (url) => {
    const socket = await dial(url);
    socket.pause();
    // Enough for all buffers on the way: some 20 MB of answers.
    socket.write(`GET /style.css HTTP/1.1\r\n${HOST}\r\n`.repeat(5_000));
    // A reset; what stands between may make an end of it, as QEMU's user networking does.
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.once('end', () => resolve());
    });
    assert.equal(await status(`${url}/`), '200');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    socket.resume();
    await closed;
    socket.destroy();
    assert.equal(await status(`${url}/`), '200');
  });
}
