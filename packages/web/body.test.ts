/**
 * Request, Response and their bodies; run again by streams.test.ts's import with the whole Streams
 * standard.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AbortController } from './abort.ts';
import { Blob } from './blob.ts';
import { type Body, Payload } from './body.ts';
import type { BodyStream, ByteSource } from './body-stream.ts';
import { Headers } from './headers.ts';
import { Incoming, Request } from './request.ts';
import { Response } from './response.ts';
import { installTestPlatform } from './testing/platform.ts';
import { URLSearchParams } from './url-search-params.ts';

/** A source of the given chunks; `failure` comes after them. */
class Chunks implements ByteSource {
  cancelled: unknown = null;
  reads = 0;
  private readonly chunks: Uint8Array[];
  private readonly failure: Error | null;

  constructor(texts: readonly string[], failure: Error | null = null) {
    this.chunks = texts.map((text) => new TextEncoder().encode(text));
    this.failure = failure;
  }

  async read(): Promise<Uint8Array | null> {
    this.reads++;
    const chunk = this.chunks.shift();
    if (chunk === undefined && this.failure !== null) throw this.failure;
    return chunk ?? null;
  }

  cancel(reason: unknown): void {
    this.cancelled = reason;
  }
}

function responseOf(source: ByteSource): Response {
  const response = new Response(null);
  response._payload = new Payload(source);
  return response;
}

const streamOf = (response: Body) => response.body as unknown as BodyStream;

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += new TextDecoder().decode(chunk);
  return text;
}

test('Response › status, headers, defaults', () => {
  const response = new Response('x', { status: 201, statusText: 'Made', headers: { a: 'b' } });
  assert.equal(response.status, 201);
  assert.equal(response.statusText, 'Made');
  assert.equal(response.ok, true);
  assert.equal(response.headers.get('content-type'), 'text/plain;charset=UTF-8');
  assert.equal(response.headers.get('a'), 'b');
  assert.equal(response.type, 'default');
  assert.equal(new Response().body, null);
  assert.equal(new Response(null, { status: 404 }).ok, false);
});

test('Response › bad status or statusText › RangeError, TypeError', () => {
  for (const status of [0, 100, 199, 600, Number.NaN]) {
    assert.throws(() => new Response(null, { status }), RangeError);
  }
  for (const statusText of ['a\r\nb', '\u20ac', '\0']) {
    assert.throws(() => new Response(null, { statusText }), TypeError);
  }
});

test('Response › a body where none may be › TypeError', () => {
  for (const status of [204, 205, 304]) {
    assert.throws(() => new Response('', { status }), TypeError);
    assert.equal(new Response(null, { status }).body, null);
  }
});

test('Response, Request › null for no init, as Web IDL has it', async () => {
  assert.equal(new Response('a', null).status, 200);
  assert.equal(await Response.json(1, null).text(), '1');
  assert.equal(new Request('http://a/', null).method, 'GET');
  assert.equal(new Blob(['a'], null).type, '');
});

test('Response › clone of a redirect, of an error › as immutable, as erroneous', () => {
  const redirect = Response.redirect('http://a/', 307).clone();
  assert.equal(redirect.status, 307);
  assert.equal(redirect.headers.get('location'), 'http://a/');
  assert.throws(() => redirect.headers.set('a', 'b'), TypeError);
  assert.deepEqual([Response.error().clone().status, Response.error().clone().type], [0, 'error']);
});

test('Response.json, redirect, error', async () => {
  const json = Response.json({ a: [1] }, { status: 202 });
  assert.equal(json.headers.get('content-type'), 'application/json');
  assert.deepEqual(await json.json(), { a: [1] });
  const typed = Response.json(1, { headers: { 'Content-Type': 'application/x+json' } });
  assert.equal(typed.headers.get('content-type'), 'application/x+json');
  assert.throws(() => Response.json(undefined), TypeError);
  assert.throws(() => Response.json(() => {}), TypeError);
  const redirect = Response.redirect('http://h/a b', 308);
  assert.equal(redirect.headers.get('location'), 'http://h/a%20b');
  assert.throws(() => redirect.headers.set('a', 'b'), TypeError);
  assert.throws(() => Response.redirect('http://h/', 200), RangeError);
  assert.throws(() => Response.redirect('/relative'), TypeError);
  assert.equal(Response.error().status, 0);
  assert.equal(Response.error().type, 'error');
});

test('Body › every kind of init', async () => {
  installTestPlatform();
  const bytes = new Uint8Array([104, 105]);
  assert.equal(await new Response('hi').text(), 'hi');
  assert.equal(await new Response(bytes).text(), 'hi');
  assert.equal(await new Response(bytes.buffer).text(), 'hi');
  assert.equal(await new Response(new DataView(bytes.buffer, 1)).text(), 'i');
  const blob = new Response(new Blob(['hi'], { type: 'text/X' }));
  assert.equal(blob.headers.get('content-type'), 'text/x');
  assert.equal(await blob.text(), 'hi');
  const form = new Response(new URLSearchParams({ a: '1 2' }));
  assert.equal(form.headers.get('content-type'), 'application/x-www-form-urlencoded;charset=UTF-8');
  assert.equal(await form.text(), 'a=1+2');
  assert.equal(await new Response(5 as never).text(), '5');
});

test('Body › bytes given › copied at once; bytes taken › the caller may change them', async () => {
  const given = new Uint8Array([65]);
  const response = new Response(given);
  given[0] = 66;
  const copy = response.clone();
  const taken = await response.bytes();
  assert.deepEqual([...taken], [65]);
  taken[0] = 67;
  assert.equal(await copy.text(), 'A');
});

test('Body › text › byte order mark and lone surrogates', async () => {
  assert.equal(await new Response('\ufeffa').text(), 'a');
  assert.equal(await new Response('\ud800').text(), '\ufffd');
  assert.equal(await new Response(new Uint8Array([0xff])).text(), '\ufffd');
});

test('Body › read twice › TypeError; bodyUsed', async () => {
  const response = new Response('x');
  assert.equal(response.bodyUsed, false);
  await response.text();
  assert.equal(response.bodyUsed, true);
  await assert.rejects(response.text(), TypeError);
  await assert.rejects(response.arrayBuffer(), TypeError);
  await assert.rejects(response.json(), TypeError);
  assert.throws(() => response.clone(), TypeError);
  // Nothing to read is never used up.
  const empty = new Response();
  assert.equal(await empty.text(), '');
  assert.equal(await empty.text(), '');
  assert.equal(empty.bodyUsed, false);
});

test('Body › json › malformed › SyntaxError', async () => {
  await assert.rejects(new Response('{').json(), SyntaxError);
  await assert.rejects(new Response('').json(), SyntaxError);
});

test('Body › source of chunks › read as one', async () => {
  assert.equal(await responseOf(new Chunks(['a', 'b', 'c'])).text(), 'abc');
  assert.deepEqual(await responseOf(new Chunks(['[1', ']'])).json(), [1]);
  assert.equal((await responseOf(new Chunks([])).bytes()).length, 0);
  const broken = responseOf(new Chunks(['a'], new RangeError('cut')));
  await assert.rejects(broken.text(), RangeError);
});

test('Body › .body › chunks on demand', async () => {
  const source = new Chunks(['a', 'b']);
  const response = responseOf(source);
  const stream = streamOf(response);
  assert.equal(response.body as unknown, stream);
  assert.equal(source.reads, 0);
  const reader = stream.getReader();
  const { value } = await reader.read();
  assert.deepEqual([...value!], [97]);
  assert.equal(response.bodyUsed, true);
  assert.throws(() => stream.getReader(), TypeError);
  reader.releaseLock();
  assert.equal(await textOf(stream), 'b');
  await assert.rejects(response.text(), TypeError);
});

test('Body › .body of text and bytes', async () => {
  assert.equal(await textOf(streamOf(new Response('abc'))), 'abc');
  assert.equal(await textOf(streamOf(new Response(new Uint8Array([65])))), 'A');
});

test('Body › .body touched but not read › the rest works', async () => {
  const response = new Response('abc');
  assert.equal(response.body !== null, true);
  assert.equal(await response.text(), 'abc');
  assert.equal(streamOf(response).locked, true);
});

test('Body › .body as the body of another › the same, read once', async () => {
  const source = new Chunks(['a', 'b']);
  const first = responseOf(source);
  const second = new Response(first.body, { status: 203 });
  assert.equal(await second.text(), 'ab');
  assert.equal(first.bodyUsed, true);
  assert.throws(() => new Response(first.body), TypeError);
});

test('Body › .body after it was read › locked', async () => {
  for (const init of ['abc', new Uint8Array(3)]) {
    const response = new Response(init);
    await response.bytes();
    assert.equal(response.body?.locked, true);
    assert.throws(() => response.body?.getReader(), TypeError);
    assert.throws(() => new Response(response.body), TypeError);
  }
});

test('Body › .body locked › text rejects, clone throws', async () => {
  const response = responseOf(new Chunks(['a']));
  streamOf(response).getReader();
  await assert.rejects(response.text(), TypeError);
  assert.throws(() => response.clone(), TypeError);
  assert.throws(() => new Response(response.body), TypeError);
});

test('Body › cancel › reaches the source', async () => {
  const source = new Chunks(['a', 'b']);
  await streamOf(responseOf(source)).cancel('enough');
  assert.equal(source.cancelled, 'enough');
  const other = new Chunks(['a', 'b']);
  const iterator = streamOf(responseOf(other))[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.return(undefined);
  assert.equal(other.cancelled !== null, true);
});

test('Body › clone of a source › both have all of it', async () => {
  const response = responseOf(new Chunks(['a', 'b', 'c']));
  const copy = response.clone();
  const [one, two] = await Promise.all([response.text(), copy.text()]);
  assert.equal(one, 'abc');
  assert.equal(two, 'abc');
  const slow = responseOf(new Chunks(['a', 'b']));
  const late = slow.clone();
  assert.equal(await slow.text(), 'ab');
  assert.equal(await late.text(), 'ab');
});

test('Body › clone of a source that breaks › both reject', async () => {
  const response = responseOf(new Chunks(['a'], new RangeError('cut')));
  const copy = response.clone();
  await assert.rejects(response.text(), RangeError);
  await assert.rejects(copy.text(), RangeError);
});

test('Body › foreign stream with other chunks than bytes › TypeError, cancelled', async () => {
  let cancelled = false;
  const stream = {
    locked: false,
    getReader: () => ({
      read: async () => ({ done: false, value: 'text' }),
      cancel: async () => {
        cancelled = true;
      },
    }),
  };
  await assert.rejects(new Response(stream).text(), TypeError);
  assert.equal(cancelled, true);
});

test('Request › method, url, headers', () => {
  const request = new Request('http://H/a/../b', { method: 'post', headers: { a: 'b' } });
  assert.equal(request.method, 'POST');
  assert.equal(request.url, 'http://h/b');
  assert.equal(request.headers.get('a'), 'b');
  assert.equal(new Request('http://h/', { method: 'patch' }).method, 'patch');
  assert.equal(request.signal.aborted, false);
  assert.equal(request.redirect, 'follow');
});

test('Request › not allowed › TypeError', () => {
  assert.throws(() => new Request('/relative'), TypeError);
  assert.throws(() => new Request('http://u:p@h/'), TypeError);
  for (const method of ['', 'A B', 'CONNECT', 'trace', 'Track']) {
    assert.throws(() => new Request('http://h/', { method }), TypeError);
  }
  assert.throws(() => new Request('http://h/', { body: 'x' }), TypeError);
  assert.throws(() => new Request('http://h/', { method: 'HEAD', body: '' }), TypeError);
  const { body } = responseOf(new Chunks([]));
  assert.throws(() => new Request('http://h/', { method: 'PUT', body }), TypeError);
  assert.equal(new Request('http://h/', { method: 'PUT', body, duplex: 'half' }).bodyUsed, false);
});

test('Request › of a Request › takes its body', async () => {
  const first = new Request('http://h/', { method: 'PUT', body: 'x' });
  const second = new Request(first, { headers: { a: 'b' } });
  assert.equal(first.bodyUsed, true);
  assert.equal(second.method, 'PUT');
  assert.equal(second.headers.get('content-type'), null);
  assert.equal(await second.text(), 'x');
  assert.throws(() => new Request(first), TypeError);
  const clone = new Request('http://h/', { method: 'purge', body: 'y' }).clone();
  assert.equal(clone.method, 'purge');
  assert.equal(await clone.text(), 'y');
});

test('Request › signal › follows the given one', () => {
  installTestPlatform();
  const controller = new AbortController();
  const request = new Request('http://h/', { signal: controller.signal });
  const clone = request.clone();
  controller.abort('why');
  assert.equal(request.signal.reason, 'why');
  assert.equal(clone.signal.reason, 'why');
});

class Arrived extends Incoming {
  readonly method = 'POST';
  readonly body: ByteSource = new Chunks(['a', 'b']);
  asked = '';
  abort: (reason: unknown) => void = () => {};

  url(): string {
    this.asked += 'url ';
    return 'http://h/';
  }

  headers(): Headers {
    this.asked += 'headers ';
    return new Headers({ 'content-type': 'text/plain' });
  }

  onAbort(aborted: (reason: unknown) => void): void {
    this.asked += 'signal ';
    this.abort = aborted;
  }
}

test('Request › incoming › parts are made when asked for, once', async () => {
  installTestPlatform();
  const incoming = new Arrived();
  const request = new Request(incoming);
  assert.equal(incoming.asked, '');
  assert.equal(request.url + request.url, 'http://h/http://h/');
  assert.equal(request.headers, request.headers);
  const { signal } = request;
  incoming.abort('gone');
  assert.equal(signal.reason, 'gone');
  assert.equal(incoming.asked, 'url headers signal ');
  assert.equal((await request.blob()).type, 'text/plain');
});
