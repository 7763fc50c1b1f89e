import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '#http';
import { ExchangeBody } from './exchange-body.ts';

test('a body byte by byte, and nobody reads › the peer is held back after some thousand', async () => {
  const calls: string[] = [];
  const exchange = {
    attach() {},
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
  } as unknown as Exchange;
  const body = new ExchangeBody(exchange);
  let count = 0;
  for (; calls.length === 0 && count < 200_000; count++) body.data(Uint8Array.of(1));
  assert(count > 1_000 && count < 5_000, `${count} pieces`);
  for (let i = 0; i < count; i++) assert.deepEqual(await body.read(), Uint8Array.of(1));
  assert.deepEqual(calls, ['pause', 'resume']);
});
