/** With the whole Streams standard linked: `.body` is a ReadableStream. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Response } from './response.ts';
import {
  ReadableStream,
  TextDecoderStream,
  TextEncoderStream,
  TransformStream,
} from './streams.ts';

async function collect<T>(stream: ReadableStream<T>): Promise<T[]> {
  const chunks: T[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const bodyOf = (response: Response) => response.body as unknown as ReadableStream<Uint8Array>;

function streamOf<T>(...chunks: T[]): ReadableStream<T> {
  return new ReadableStream<T>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

test('streams › .body › a ReadableStream with pipeThrough', async () => {
  const body = bodyOf(new Response('abc'));
  assert.ok(body instanceof ReadableStream);
  const upper = new TransformStream<string, string>({
    transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()),
  });
  const text = body.pipeThrough(new TextDecoderStream()).pipeThrough(upper);
  assert.deepEqual(await collect(text), ['ABC']);
});

test('streams › as a body, cloned', async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const response = new Response(streamOf(bytes('a'), bytes('b')));
  const copy = response.clone();
  assert.equal(await response.text(), 'ab');
  assert.equal(await copy.text(), 'ab');
});

test('streams › an error in the stream › the reader rejects', async () => {
  const failing = new ReadableStream<Uint8Array>({
    pull: () => Promise.reject(new RangeError('boom')),
  });
  await assert.rejects(new Response(failing).text(), RangeError);
  await assert.rejects(new Response(streamOf('text') as never).text(), TypeError);
});

test('TextEncoderStream › a surrogate pair cut in two › one character', async () => {
  const encoded = streamOf('a\ud83d', '\ude42', '\ud800').pipeThrough(new TextEncoderStream());
  const bytes = (await collect(encoded)).flatMap((chunk) => [...chunk]);
  assert.deepEqual(bytes, [97, 240, 159, 153, 130, 239, 191, 189]);
});

test('TextDecoderStream › malformed and fatal › rejects', async () => {
  const bad = new Uint8Array([0xff]);
  const decoded = streamOf(bad).pipeThrough(new TextDecoderStream('utf-8', { fatal: true }));
  await assert.rejects(collect(decoded), TypeError);
  assert.throws(() => new TextDecoderStream('nope'), RangeError);
  const half = streamOf(new Uint8Array([0xe2, 0x82])).pipeThrough(new TextDecoderStream());
  assert.deepEqual(await collect(half), ['\ufffd']);
});
