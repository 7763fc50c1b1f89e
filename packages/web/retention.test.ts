/** What must not stay in memory once an app let go of it. On Node, which collects on call. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Response } from './response.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function forgotten(): WeakRef<object> {
  const first = new Response('x');
  // What hono does when a header is set after the response was made.
  const second = new Response(first.body, first);
  assert.equal(second.bodyUsed, false);
  return new WeakRef(first.body!);
}

test('Response › body given to another one › both are freed', async () => {
  const stream = forgotten();
  // A WeakRef keeps its target until the job that made it has ended.
  await setImmediate();
  collect();
  assert.equal(stream.deref(), undefined);
});
