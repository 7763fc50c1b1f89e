/**
 * The global `fetch` over host sockets, against node:http and servers that lie: bodies, headers,
 * codings, after the cases of WPT's fetch/api.
 */

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { fetch } from '../../packages/http/client/fetch.ts';
import { Headers, installNetwork, ReadableStream, Request } from '../../packages/web/index.ts';
import { connections, origin, seen, stack, textOf, until } from './fetch-server.ts';

test('GET › status, headers, url, body', async () => {
  const response = await fetch(`${origin}/hello#part`);
  assert.deepEqual(
    [response.status, response.statusText, response.ok, response.type, response.redirected],
    [200, 'OK', true, 'basic', false],
  );
  assert.equal(response.url, `${origin}/hello`);
  assert.equal(response.headers.get('content-length'), '5');
  assert.throws(() => response.headers.set('x', 'y'), TypeError);
  const copy = response.clone();
  assert.equal(copy.url, response.url);
  assert.deepEqual([await response.text(), await copy.text()], ['hello', 'hello']);
  const { headers } = seen.at(-1)!;
  assert.equal(headers.host, origin.slice(7));
  assert.deepEqual(
    [headers.accept, headers['accept-encoding'], headers['user-agent']],
    ['*/*', 'gzip, deflate', 'Morgana'],
  );
});

test('localhost › a name › works as well', async () => {
  const response = await fetch(origin.replace('127.0.0.1', 'localhost'));
  assert.equal(response.status, 404);
});

test('bodyless and other statuses', async () => {
  const none = await fetch(`${origin}/none`);
  assert.deepEqual([none.status, none.statusText, none.body], [204, 'Nothing At All', null]);
  const teapot = await fetch(`${origin}/teapot`);
  assert.deepEqual([teapot.ok, await teapot.text()], [false, 'tea']);
  const head = await fetch(`${origin}/gzip`, { method: 'HEAD' });
  assert.deepEqual([head.body, head.headers.get('content-encoding')], [null, 'gzip']);
  assert.ok(Number(head.headers.get('content-length')) > 0);
});

test('Set-Cookie apart, others joined', async () => {
  const { headers } = await fetch(`${origin}/cookies`);
  assert.deepEqual(headers.getSetCookie(), ['a=1', 'b=2']);
  assert.equal(headers.get('x-two'), '1, 2');
});

test('request headers › what a browser forbids is sent, what frames the message is not', async () => {
  await textOf('/hello', {
    headers: {
      cookie: 'a=1',
      origin: 'http://x',
      'user-agent': 'me',
      host: 'elsewhere',
      connection: 'close',
      'transfer-encoding': 'chunked',
      'content-length': '5',
    },
  });
  const { headers } = seen.at(-1)!;
  assert.deepEqual(
    [headers.cookie, headers.origin, headers['user-agent'], headers.host],
    ['a=1', 'http://x', 'me', origin.slice(7)],
  );
  assert.equal(headers['transfer-encoding'], undefined);
  assert.equal(headers['content-length'], undefined);
});

test('a range › is asked for as it is, without codings', async () => {
  await textOf('/hello', { headers: { range: 'bytes=0-1' } });
  const { headers } = seen.at(-1)!;
  assert.deepEqual([headers.range, headers['accept-encoding']], ['bytes=0-1', 'identity']);
});

test('request bodies › every kind', async () => {
  const echo = (body: unknown) => textOf('/echo', { method: 'POST', body: body as string });
  assert.equal(await echo('tëxt'), 'tëxt');
  assert.equal(seen.at(-1)!.headers['content-type'], 'text/plain;charset=UTF-8');
  assert.equal(await echo(new Uint8Array([104, 105])), 'hi');
  assert.equal(await echo(new URLSearchParams('a=b')), 'a=b');
  assert.equal(await echo(''), '');
  const long = 'x'.repeat(1_000_000);
  assert.equal(await echo(long), long);
});

test('a streamed request body › in chunks, or of the length that is said', async () => {
  const streamOf = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from('ab'));
        controller.enqueue(Buffer.from('cd'));
        controller.close();
      },
    });
  const init = { method: 'POST', duplex: 'half' as const };
  assert.equal(await textOf('/echo', { ...init, body: streamOf() }), 'abcd');
  assert.equal(seen.at(-1)!.headers['transfer-encoding'], 'chunked');
  const headers = { 'content-length': '4' };
  assert.equal(await textOf('/echo', { ...init, body: streamOf(), headers }), 'abcd');
  assert.equal(seen.at(-1)!.headers['content-length'], '4');
  await assert.rejects(
    textOf('/echo', { ...init, body: streamOf(), headers: { 'content-length': '3' } }),
  );
});

test('a streamed request body › that breaks › rejects, and the server sees no end', async () => {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from('ab')),
    pull: () => Promise.reject(new Error('torn')),
  });
  const before = seen.length;
  await assert.rejects(textOf('/hang', { method: 'POST', body, duplex: 'half' }), {
    name: 'TypeError',
    message: /request's body failed/,
  });
  assert.equal(seen.length, before);
});

test('a Request as input › its parts are used, and its body moves', async () => {
  const request = new Request(`${origin}/echo`, {
    method: 'PUT',
    body: 'x',
    headers: { 'x-a': 'b' },
  });
  const response = await fetch(request, { headers: { 'x-c': 'd' } });
  assert.deepEqual([response.headers.get('x-method'), await response.text()], ['PUT', 'x']);
  assert.equal(seen.at(-1)!.headers['x-c'], 'd');
  assert.ok(request.bodyUsed);
  await assert.rejects(fetch(request), TypeError);
});

test('connections › one after the other › the same', async () => {
  await textOf('/hello');
  const { size } = connections;
  for (let i = 0; i < 5; i++) await textOf('/hello');
  assert.equal(connections.size, size);
});

test('body › cancelled › the server is let go; the next request works', async () => {
  const response = await fetch(`${origin}/flood`);
  const reader = response.body!.getReader();
  await reader.read();
  const { size } = connections;
  await reader.cancel();
  await until(() => connections.size < size);
  assert.equal(await textOf('/hello'), 'hello');
});

test('body › not read › the server is held back', async () => {
  const response = await fetch(`${origin}/flood`);
  await until(() => [...connections].some((one) => one.writableLength > 0));
  const socket = [...connections].find((one) => one.writableLength > 0)!;
  let written = -1;
  let steady = 0;
  try {
    // The buffers of two sockets hold some; then nothing leaves for a tenth of a second.
    await until(() => {
      steady = socket.bytesWritten === written ? steady + 1 : 0;
      written = socket.bytesWritten;
      return steady === 20;
    });
  } finally {
    await response.body!.getReader().cancel();
  }
});

test('body › broken off › the read rejects', async () => {
  const response = await fetch(`${origin}/cut`);
  await assert.rejects(response.text(), { name: 'TypeError', message: /closed the connection/ });
});

test('content codings › gzip, deflate, raw deflate › undone, and their fields are gone', async () => {
  const response = await fetch(`${origin}/gzip`);
  assert.deepEqual(
    ['content-encoding', 'content-length'].map((name) => response.headers.has(name)),
    [false, false],
  );
  assert.equal(await response.text(), 'compressed '.repeat(10_000));
  assert.equal(await textOf('/deflate'), 'zlib');
  assert.equal(await textOf('/raw-deflate'), 'raw');
  const unknown = await fetch(`${origin}/br`);
  assert.equal(unknown.headers.get('content-encoding'), 'br');
  assert.equal(await unknown.text(), 'as it is');
});

test('content codings › malformed, cut short › the read rejects', async () => {
  for (const path of ['/bad-gzip', '/cut-gzip']) {
    await assert.rejects(textOf(path), { name: 'TypeError' }, path);
  }
});

test('content codings › a bomb › comes in small pieces', async () => {
  const response = await fetch(`${origin}/bomb`);
  const reader = response.body!.getReader();
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const { length } = value as Uint8Array;
    assert.ok(length <= 1_200_000, `${length} bytes at once`);
    total += length;
  }
  assert.equal(total, 50_000_000);
});

test('errors › say what and where', async () => {
  const closed = net.createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as net.AddressInfo;
  closed.close();
  const message = `fetch: no connection to 127.0.0.1:${port}: refused`;
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`), { name: 'TypeError', message });
  await assert.rejects(fetch('http://a.invalid/'), /a\.invalid: name not found/);
  await assert.rejects(fetch('https://example.org/'), /example\.org needs TLS/);
  await assert.rejects(fetch('ftp://example.org/'), /scheme of ftp/);
  await assert.rejects(fetch('/relative'), TypeError);
  await assert.rejects(fetch('http://u:p@example.org/'), /credentials/);
});

test('servers that lie › reject', async () => {
  for (const [bytes, message] of [
    ['SSH-2.0-x\r\n\r\n', /is no HTTP/],
    ['HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx', /is no HTTP/],
    ['HTTP/1.1 200 OK\r\nx', /closed the connection/],
    ['', /closed the connection/],
  ] as const) {
    const liar = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.end(bytes);
    });
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const { port } = liar.address() as net.AddressInfo;
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`), { name: 'TypeError', message });
    liar.close();
  }
});

test('data: and about:blank › without a network', async () => {
  for (const [url, type, text] of [
    ['data:,a%20b#c', 'text/plain;charset=US-ASCII', 'a b'],
    ['data:text/html;charset=utf-8,<p>', 'text/html;charset=utf-8', '<p>'],
    ['data:;charset=x,y', 'text/plain;charset=x', 'y'],
    ['data:text/x;base64,aGk%3D', 'text/x', 'hi'],
    ['data:text/x; Base64,a G k', 'text/x', 'hi'],
    ['data:bad type,x', 'text/plain;charset=US-ASCII', 'x'],
    ['about:blank', 'text/html;charset=utf-8', ''],
  ] as const) {
    const response = await fetch(url);
    assert.deepEqual(
      [response.headers.get('content-type'), await response.text()],
      [type, text],
      url,
    );
  }
  for (const bad of ['data:text/x;base64,%', 'data:x', 'about:other', 'blob:x']) {
    await assert.rejects(fetch(bad), TypeError, bad);
  }
});

test('no network › a rejection that says so', async () => {
  installNetwork(null);
  await assert.rejects(fetch(`${origin}/hello`), /has no network stack/);
  installNetwork(stack);
  assert.equal(await textOf('/hello', { headers: new Headers({ a: 'b' }) }), 'hello');
});
