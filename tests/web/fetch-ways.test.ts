/**
 * The global `fetch` over host sockets, against node:http: redirects and abort, after the cases of
 * WPT's fetch/api.
 */

import assert from 'node:assert/strict';
import http from 'node:http';
import type net from 'node:net';
import { test } from 'node:test';
import { fetch } from '../../packages/http/client/fetch.ts';
import { AbortController, AbortSignal, ReadableStream, Request } from '../../packages/web/index.ts';
import { connections, origin, other, seen, textOf, until } from './fetch-server.ts';

for (const [status, method, becomes] of [
  [301, 'GET', 'GET'],
  [301, 'POST', 'GET'],
  [301, 'PUT', 'PUT'],
  [302, 'POST', 'GET'],
  [302, 'HEAD', 'HEAD'],
  [303, 'POST', 'GET'],
  [303, 'PUT', 'GET'],
  [303, 'HEAD', 'HEAD'],
  [307, 'POST', 'POST'],
  [308, 'POST', 'POST'],
] as const) {
  test(`redirect ${status} of ${method} › ${becomes}`, async () => {
    const hasBody = method === 'POST' || method === 'PUT';
    const response = await fetch(`${origin}/redirect/${status}?to=/echo%3fx`, {
      method,
      ...(hasBody ? { body: 'text' } : {}),
      headers: { 'x-kept': '1' },
    });
    assert.deepEqual([response.url, response.redirected], [`${origin}/echo?x`, true]);
    assert.equal(response.headers.get('x-method'), becomes);
    const keepsBody = hasBody && becomes === method;
    assert.equal(await response.text(), keepsBody ? 'text' : '');
    const { headers } = seen.at(-1)!;
    assert.equal(headers['x-kept'], '1');
    assert.equal('content-type' in headers, keepsBody);
  });
}

test('redirects › the first fragment goes along, as does what is meant for the origin', async () => {
  const headers = { authorization: 'secret', cookie: 'a=1' };
  await textOf('/redirect/302?to=/hello', { headers });
  assert.equal(seen.at(-1)!.headers.authorization, 'secret');
  await textOf(`/redirect/302?to=${other}/hello`, { headers: { ...headers, 'x-a': 'b' } });
  const { headers: there } = seen.at(-1)!;
  assert.deepEqual([there.authorization, there.cookie, there['x-a']], [undefined, undefined, 'b']);
});

test('redirects › manual and error › the redirect itself; a rejection', async () => {
  const response = await fetch(`${origin}/redirect/302?to=/hello`, { redirect: 'manual' });
  assert.deepEqual([response.status, response.headers.get('location')], [302, '/hello']);
  assert.equal(await response.text(), 'go away');
  await assert.rejects(textOf('/redirect/302?to=/hello', { redirect: 'error' }), TypeError);
  const nowhere = await fetch(`${origin}/redirect/302`);
  assert.equal(nowhere.status, 302, 'without a Location it is an answer');
});

test('redirects › 20 and 21 of them', async () => {
  const chain = (count: number): string =>
    count === 0 ? '/hello' : `/redirect/302?to=${encodeURIComponent(chain(count - 1))}`;
  const counted = http.createServer((request, response) => {
    const left = Number(request.url!.slice(1));
    if (left === 0) response.end('there');
    else response.writeHead(302, { location: `/${left - 1}` }).end();
  });
  await new Promise<void>((resolve) => counted.listen(0, '127.0.0.1', resolve));
  const { port } = counted.address() as net.AddressInfo;
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/20`)).text(), 'there');
  await assert.rejects(fetch(`http://127.0.0.1:${port}/21`), /too many redirects/);
  counted.closeAllConnections();
  counted.close();
  assert.equal(await textOf(chain(3)), 'hello');
});

for (const [to, why] of [
  ['ftp://x/', /ftp: URL is not followed/],
  ['data:,x', /data: URL is not followed/],
  ['http://u:p@x/', /credentials/],
  ['http://', /leads nowhere/],
  ['https://x.invalid/', /needs TLS/],
] as const) {
  test(`redirect to ${to} › rejects`, () =>
    assert.rejects(textOf(`/redirect/302?to=${encodeURIComponent(to)}`), {
      name: 'TypeError',
      message: why,
    }));
}

test('redirect › of a streamed body › rejects, as it is gone', async () => {
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
  const init = { method: 'POST', body, duplex: 'half' as const };
  await assert.rejects(textOf('/redirect/307?to=/echo', init), /was a stream/);
});

test('abort › before › rejects with the reason, and nothing is sent', async () => {
  const before = seen.length;
  const reason = new Error('no');
  await assert.rejects(textOf('/hello', { signal: AbortSignal.abort(reason) }), reason);
  await assert.rejects(textOf('/hello', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  const request = new Request(`${origin}/hello`, { signal: AbortSignal.abort(reason) });
  await assert.rejects(fetch(request), reason);
  assert.equal(seen.length, before);
});

test('abort › while waiting for the head, and in the body › the connection is gone', async () => {
  for (const path of ['/hang', '/half']) {
    const controller = new AbortController();
    const { size } = connections;
    const answer = fetch(`${origin}${path}`, { signal: controller.signal });
    if (path === '/hang') {
      const line = `GET ${path}`;
      await until(() => seen.at(-1)!.line === line);
      controller.abort();
      await assert.rejects(answer, { name: 'AbortError' });
    } else {
      const response = await answer;
      const text = response.text();
      controller.abort(new Error('enough'));
      await assert.rejects(text, /enough/);
    }
    await until(() => connections.size <= size);
  }
});

test('abort › by AbortSignal.timeout › rejects with a TimeoutError', () =>
  assert.rejects(textOf('/hang', { signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' }));

test('abort › after the end › nothing; a signal keeps nothing of a request', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  for (let i = 0; i < 3; i++) await textOf('/hello', { signal });
  assert.equal(listeners, 0);
  controller.abort();
  assert.equal(await textOf('/hello'), 'hello');
});
