/** The store's WebSocket over a flow without a network: who gets one, and how many. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimerQueue } from '#core';
import { Log } from '#core';
import { MemoryBackend } from '#git';
import { portableZlib as zlib } from '#git/zlib';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { Bench } from '../../http/test-flow.ts';
import { SyncHandler } from './sync-handler.ts';

const HANDSHAKE =
  'GET /sync HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

function handlerIn(timers: () => TimerQueue, channelsMax: number): SyncHandler {
  const log = new Log(() => {}, 'warn').source('sync');
  const backend = new MemoryBackend();
  const options = { schema: 's', log, channelsMax, crypto, zlib, timers: timers() };
  return new SyncHandler({ backend }, options);
}

test('as many as may be › taken; one more › told to try later; one ends › its place is free', () => {
  let handler: SyncHandler | null = null;
  const bench: Bench = new Bench({
    answer: () => null,
    request: (exchange) => handler?.request(exchange),
  });
  handler = handlerIn(() => bench.timers, 2);
  const open = (): string => {
    const flow = bench.connect();
    flow.send(HANDSHAKE);
    flows.push(flow);
    const text = flow.takeText();
    assert.equal(text.slice(9, 12), '101');
    // A close frame (RFC 6455 §5.5.1) with a code, or nothing.
    const frame = text.slice(text.indexOf('\r\n\r\n') + 4);
    return frame === '' ? 'open' : `${frame.charCodeAt(2) * 256 + frame.charCodeAt(3)}`;
  };
  const flows: ReturnType<Bench['connect']>[] = [];
  assert.deepEqual([open(), open(), open()], ['open', 'open', '1013']);
  assert.equal(handler.server.counters.full, 1);
  flows[0]!.close('reset');
  assert.equal(open(), 'open');
  bench.pass(10);
  assert.equal(handler.server.counters.channels, 0, 'none of them said hello');
});

test('no WebSocket › told so, and no channel', () => {
  let handler: SyncHandler | null = null;
  const bench: Bench = new Bench({
    answer: () => null,
    request: (exchange) => handler?.request(exchange),
  });
  handler = handlerIn(() => bench.timers, 2);
  const flow = bench.connect();
  flow.send('GET /sync HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(flow.takeText(), /^HTTP\/1\.1 426 /);
  assert.equal(handler.server.counters.channels, 0);
});
