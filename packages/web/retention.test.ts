/**
 * What must not stay in memory once an app let go of it. Needs a garbage collector on call:
 * node --expose-gc.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Response } from './response.ts';

interface Collector {
  readonly gc?: () => void;
}

const collect = (globalThis as Collector).gc;

function forgotten(): WeakRef<object> {
  const first = new Response('x');
  // What hono does when a header is set after the response was made.
  const second = new Response(first.body, first);
  assert.equal(second.bodyUsed, false);
  return new WeakRef(first.body!);
}

const skip = collect === undefined ? 'there is no collector on call' : false;

test('Response › body given to another one › both are freed', { skip }, async () => {
  const stream = forgotten();
  // A WeakRef keeps its target until the job that made it has ended.
  await new Promise<void>((resolve) => {
    queueMicrotask(resolve);
  });
  await Promise.resolve();
  collect!();
  assert.equal(stream.deref(), undefined);
});
