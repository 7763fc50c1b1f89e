import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, Log, ok, TimerQueue, wallTimeOfMillis } from '#core';
import type { Flow, Stack } from '#device';
import { FakeFlow } from '../http/test-flow.ts';
import { type Exchange, serveHttp } from './http.ts';

/** The head of the answer to a POST of `bodyBytes` on a machine of `memoryBytes`. */
async function statusOf(memoryBytes: number, bodyBytes: number): Promise<string> {
  let accept: (flow: Flow) => void = () => assert.fail('not listening');
  const stack: Pick<Stack, 'listen' | 'addresses'> = {
    listen(port, onFlow) {
      accept = onFlow;
      return Promise.resolve(ok({ port, close() {} }));
    },
    addresses: () => ['192.0.2.1/24'],
  };
  const timers = new TimerQueue(instantOfMicros(0));
  const clock = { wall: () => wallTimeOfMillis(0) };
  const log = new Log(() => {}, 'off').source('test');
  const handler = {
    answer: () => null,
    request: (exchange: Exchange) => exchange.respond(200, [], new Uint8Array(0)),
  };
  await serveHttp(stack as Stack, 80, handler, { timers, clock, log, memoryBytes });
  const flow = new FakeFlow();
  accept(flow);
  flow.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
  return flow.takeText().split('\r\n', 1)[0] ?? '';
}

test('a body of a quarter of the memory › taken; one byte more › 413', async () => {
  assert.equal(await statusOf(8 << 20, 2 << 20), 'HTTP/1.1 200 OK');
  assert.match(await statusOf(8 << 20, (2 << 20) + 1), /^HTTP\/1\.1 413 /);
  assert.match(await statusOf(1024 << 20, (16 << 20) + 1), /^HTTP\/1\.1 413 /);
});
