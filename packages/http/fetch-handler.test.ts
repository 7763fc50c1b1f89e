import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Log } from '#core';
import { Headers, installWeb, ReadableStream, type Request, Response } from '#web';
import { type FetchApp, type FetchInfo, fetchHandler } from './fetch-handler.ts';
import { Bench, type FakeFlow } from './test-flow.ts';

type Fetch = (request: Request, info: FetchInfo) => unknown;

function setUp(fetch: Fetch): { bench: Bench; flow: FakeFlow; log: string[] } {
  const log: string[] = [];
  const logger = new Log((line) => log.push(line), 'info').source('app');
  const bench = new Bench(fetchHandler({ fetch: fetch as never }, { log: logger }));
  const entropy = { fill: (out: Uint8Array) => void out.fill(7) };
  const console = { writeLine: (line: string) => void log.push(line) };
  installWeb({ timers: bench.timers, clock: bench.clock, entropy, console });
  return { bench, flow: bench.connect(), log };
}

const GET = 'GET /a?b=c HTTP/1.1\r\nHost: h:8080\r\n\r\n';
const post = (body: string) =>
  `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** What is written once all promises at hand have run. */
async function answer(flow: FakeFlow, request: string): Promise<string> {
  flow.send(request);
  await setImmediate();
  return flow.takeText();
}

function streamOf(pull: (controller: ReadableStreamDefaultController<Uint8Array>) => unknown) {
  return new ReadableStream<Uint8Array>({ pull: pull as never }, { highWaterMark: 0 });
}

test('fetch › Response at hand › sent at once', () => {
  const { flow } = setUp(() => new Response('hi', { status: 201, headers: { 'X-A': 'b' } }));
  flow.send(GET);
  const text = flow.takeText();
  assert.match(text, /^HTTP\/1\.1 201 Created\r\n/);
  assert.match(text, /\r\nx-a: b\r\n/);
  assert.match(text, /\r\nContent-Length: 2\r\n/);
  assert.match(text, /\r\n\r\nhi$/);
});

test('fetch › request › method, URL, fields, peer', async () => {
  let seen: unknown;
  const { flow } = setUp((request, info) => {
    const { method, url, headers } = request;
    seen = [method, url, headers.get('cookie'), headers.get('x'), info.remote.port];
    assert.throws(() => headers.set('a', 'b'), TypeError);
    return new Response(null, { status: 204 });
  });
  const fields = 'Host: H:80\r\nCookie: a=1\r\nCookie: b=2\r\nX: 1\r\nX: 2\r\n';
  const text = await answer(flow, `PURGE /a/../b?c=d HTTP/1.1\r\n${fields}\r\n`);
  assert.deepEqual(seen, ['PURGE', 'http://h/b?c=d', 'a=1; b=2', '1, 2', 40_000]);
  assert.match(text, /^HTTP\/1\.1 204 /);
});

test('fetch › an IPv6 address as Host › the URL has it in brackets', async () => {
  const { flow } = setUp((request) => new Response(request.url));
  const text = await answer(flow, 'GET /a HTTP/1.1\r\nHost: [2001:DB8::1]:8080\r\n\r\n');
  assert.match(text, /http:\/\/\[2001:db8::1\]:8080\/a$/);
  assert.match(await answer(flow, 'GET / HTTP/1.1\r\nHost: [::1\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

test('fetch › no Host in HTTP/1.0 › the local address', async () => {
  const { flow } = setUp((request) => new Response(request.url));
  assert.match(await answer(flow, 'GET /x HTTP/1.0\r\n\r\n'), /http:\/\/192\.0\.2\.1\/x$/);
});

test('fetch › a Host that no URL can have › 400, the app is not asked', async () => {
  const { flow } = setUp(() => assert.fail());
  assert.match(await answer(flow, 'GET / HTTP/1.1\r\nHost: 1.2.3.999\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

test('fetch › body › text, and the connection goes on', async () => {
  const { flow } = setUp(async (request) => new Response(`got ${await request.text()}`));
  assert.match(await answer(flow, post('abc')), /got abc$/);
  assert.match(await answer(flow, post('def')), /got def$/);
});

test('fetch › body in parts › streamed to the app', async () => {
  const chunks: number[] = [];
  const { flow } = setUp(async (request) => {
    const stream = request.body as unknown as ReadableStream<Uint8Array>;
    for await (const chunk of stream) chunks.push(chunk.length);
    return new Response('done');
  });
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n');
  await setImmediate();
  assert.equal(await answer(flow, '3\r\nabc\r\n'), '');
  assert.equal(await answer(flow, '2\r\nde\r\n'), '');
  assert.match(await answer(flow, '0\r\n\r\n'), /done$/);
  assert.deepEqual(chunks, [3, 2]);
});

test('fetch › body that the app reads slowly › the peer is held back, nothing is lost', async () => {
  let read: () => Promise<{ done: boolean; value?: unknown }> = () => assert.fail();
  const { flow } = setUp((request) => {
    const reader = request.body!.getReader();
    read = () => reader.read();
    return new Promise(() => {});
  });
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 163840\r\n\r\n');
  const first = read();
  let sent = 0;
  while (!flow.isPaused && sent < 10) {
    flow.send('x'.repeat(16_384));
    sent++;
  }
  assert.ok(flow.isPaused);
  assert.ok(sent < 10);
  let bytes = ((await first).value as Uint8Array).length;
  while (bytes < 163_840) {
    while (!flow.isPaused && sent < 10) {
      flow.send('x'.repeat(16_384));
      sent++;
    }
    bytes += ((await read()).value as Uint8Array).length;
  }
  assert.equal((await read()).done, true);
});

test('fetch › body cut off by the client › the reader rejects, the signal aborts', async () => {
  const seen: unknown[] = [];
  const { flow, log } = setUp(async (request) => {
    request.signal.addEventListener('abort', () => seen.push(request.signal.reason));
    try {
      return new Response(await request.text());
    } catch (error) {
      seen.push(error);
      throw error;
    }
  });
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc');
  flow.close('reset');
  await setImmediate();
  assert.equal(seen.length, 2);
  assert.equal(seen[0], seen[1]);
  assert.equal((seen[0] as Error).name, 'AbortError');
  // The app gave up because of it: no mistake, nothing to log.
  assert.deepEqual(log, []);
});

test('fetch › body read after the response › the reader rejects', async () => {
  let late: Promise<string> = Promise.resolve('');
  const { flow } = setUp((request) => {
    late = request.text();
    return new Response('early');
  });
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc');
  await assert.rejects(late, TypeError);
  assert.match(flow.takeText(), /early$/);
});

test('fetch › throw, rejection, no Response › 500 and a line in the log, the connection goes on', async () => {
  const outcomes: Fetch[] = [
    () => {
      throw new RangeError('boom');
    },
    async () => {
      throw new RangeError('boom');
    },
    () => undefined,
    async () => 'text',
    () => Response.error(),
    () => new Response('a', { headers: { a: '\x01' } }),
  ];
  for (const outcome of outcomes) {
    const { flow, log } = setUp(outcome);
    assert.match(await answer(flow, GET), /^HTTP\/1\.1 500 .*Internal Server Error\n$/s);
    assert.equal(log.length, 1);
    assert.match(log[0]!, /^error app: GET \/a\?b=c: /);
    assert.match(await answer(flow, GET), /^HTTP\/1\.1 500 /);
  }
});

test('fetch › Response whose body was used › 500', async () => {
  const { flow } = setUp(async () => {
    const response = new Response('x');
    await response.text();
    return response;
  });
  assert.match(await answer(flow, GET), /^HTTP\/1\.1 500 /);
});

test('fetch › Expect, the body echoed › 100 before the head', async () => {
  const { flow } = setUp((request) => new Response(request.body));
  const fields = 'Host: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n';
  const first = await answer(flow, `POST / HTTP/1.1\r\n${fields}\r\n`);
  assert.match(first, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  assert.match(await answer(flow, 'abc'), /^3\r\nabc\r\n0\r\n\r\n$/);
});

test('fetch › streamed Response › chunked, or of the length announced', async () => {
  let left = 2;
  const body = () =>
    streamOf((controller) => {
      if (left-- > 0) controller.enqueue(new Uint8Array([97]));
      else controller.close();
    });
  const { flow } = setUp((request) => {
    left = 2;
    const length = request.url.endsWith('length');
    return new Response(body() as never, length ? { headers: { 'content-length': '2' } } : {});
  });
  assert.match(
    await answer(flow, GET),
    /Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\na\r\n0\r\n\r\n$/,
  );
  const text = await answer(flow, 'GET /length HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.match(text, /Content-Length: 2\r\n\r\naa$/);
});

test('fetch › stream, slow client › read no further than the bound; goes on when drained', async () => {
  let pulls = 0;
  const { flow } = setUp(
    () =>
      new Response(
        streamOf((controller) => {
          pulls++;
          controller.enqueue(new Uint8Array(65_536));
        }) as never,
      ),
  );
  flow.isReading = false;
  flow.send(GET);
  await setImmediate();
  const before = pulls;
  assert.ok(before <= 4);
  flow.acknowledge(1_000_000);
  await setImmediate();
  assert.ok(pulls > before);
  flow.close('reset');
  await setImmediate();
});

test('fetch › stream, client gone › the stream is cancelled', async () => {
  let reason: unknown;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: () => new Promise(() => {}),
      cancel: (why) => {
        reason = why;
      },
    },
    { highWaterMark: 0 },
  );
  const { flow } = setUp(() => new Response(body as never));
  flow.send(GET);
  await setImmediate();
  flow.close('reset');
  await setImmediate();
  assert.equal((reason as Error).name, 'AbortError');
});

test('fetch › stream that fails, gives text, or too much › the connection breaks, logged', async () => {
  const pulls: ((controller: ReadableStreamDefaultController<Uint8Array>) => unknown)[] = [
    () => Promise.reject(new RangeError('boom')),
    (controller) => controller.enqueue('text' as never),
    (controller) => controller.enqueue(new Uint8Array(9)),
  ];
  for (const pull of pulls) {
    const headers = { 'content-length': '5' };
    const { flow, log } = setUp(() => new Response(streamOf(pull) as never, { headers }));
    await answer(flow, GET);
    assert.equal(flow.isAborted, true);
    assert.equal(log.length, 1);
  }
});

test('fetch › stream with a field that can’t be sent › 500, the stream is cancelled', async () => {
  let cancelled = false;
  const cancel = () => {
    cancelled = true;
  };
  const body = new ReadableStream({ cancel });
  const { flow } = setUp(() => new Response(body as never, { headers: { a: '\x01' } }));
  assert.match(await answer(flow, GET), /^HTTP\/1\.1 500 /);
  assert.equal(cancelled, true);
});

test('fetch › HEAD › no body: text has its length, a stream is cancelled', async () => {
  let cancelled = false;
  const { flow } = setUp((request) => {
    if (request.url.endsWith('/text')) return new Response('12345');
    if (request.url.endsWith('/none')) return new Response(null);
    const cancel = () => {
      cancelled = true;
    };
    return new Response(new ReadableStream({ cancel }) as never);
  });
  const head = (path: string) => answer(flow, `HEAD ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
  assert.match(await head('/text'), /Content-Length: 5\r\n\r\n$/);
  assert.match(await head('/stream'), /\r\n\r\n$/);
  assert.equal(cancelled, true);
  // What GET would send isn't known, so no length is claimed.
  assert.equal(/Content-Length/.test(await head('/none')), false);
});

test('fetch › Set-Cookie › one field each', async () => {
  const headers = new Headers([
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ]);
  const { flow } = setUp(() => new Response('', { headers }));
  assert.match(await answer(flow, GET), /set-cookie: a=1\r\nset-cookie: b=2\r\n/);
});

test('fetch › Response of the engine’s own make › sent', async () => {
  const { flow } = setUp(() => new globalThis.Response('native', { headers: { a: 'b' } }));
  assert.match(await answer(flow, GET), /\r\na: b\r\n.*native/s);
});

test('fetch › answer after the client left › ignored', async () => {
  let finish: (response: Response) => void = () => {};
  const { flow, log } = setUp(() => new Promise((resolve) => (finish = resolve)));
  flow.send(GET);
  flow.close('reset');
  finish(new Response('late'));
  await setImmediate();
  assert.equal(flow.takeText(), '');
  assert.deepEqual(log, []);
});

test('fetchHandler › no fetch method › TypeError', () => {
  const log = new Log(() => {}, 'off').source('app');
  for (const app of [undefined, null, {}, { fetch: 1 }]) {
    assert.throws(() => fetchHandler(app as unknown as FetchApp, { log }), TypeError);
  }
});

test('fetch › client gone before the app looks › signal aborted, body fails', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const { flow } = setUp(async (request) => {
    await promise;
    seen.push(request.signal.aborted, (request.signal.reason as Error).name);
    await request.text().catch((error: Error) => seen.push(error.name));
    return new Response('too late');
  });
  flow.send(post('abc'));
  flow.close('reset');
  resolve();
  await setImmediate();
  assert.deepEqual(seen, [true, 'AbortError', 'AbortError']);
});

test('fetch › client gone before the body is read › the read fails', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen: unknown;
  const { flow } = setUp(async (request) => {
    await promise;
    seen = await request.text().catch((error: Error) => error.name);
    return new Response('too late');
  });
  flow.send(post('abc'));
  flow.close('reset');
  resolve();
  await setImmediate();
  assert.equal(seen, 'AbortError');
});

test('fetch › signal asked for after the answer › not aborted', async () => {
  let seen: Request | undefined;
  const { flow } = setUp((request) => {
    seen = request;
    return new Response('done');
  });
  await answer(flow, GET);
  assert.equal(seen!.signal.aborted, false);
});

test('fetch › OPTIONS * › the URL of the server, without a path', async () => {
  const { flow } = setUp((request) => new Response(request.url));
  const text = await answer(flow, 'OPTIONS * HTTP/1.1\r\nHost: h:81\r\n\r\n');
  assert.match(text, /\r\n\r\nhttp:\/\/h:81\/$/);
});
