/** Keep-alive, RFC 9293 §3.8.4. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds } from '#core';
import { KEEP_ALIVE_INTERVAL, KEEP_ALIVE_PROBES_MAX } from './limits.ts';
import { Script } from './test-script.ts';

const SECOND = 1_000_000;
const PROBE = '. 0 ack 1';

test('keep-alive › not asked for › an idle connection is never probed', () => {
  const s = new Script();
  s.accept();
  s.wait(86_400 * SECOND);
  assert.deepEqual(s.sent(), []);
  assert.equal(s.count('connections'), 1);
});

test('keep-alive › the peer is gone › probes, then timeout, and nothing is left', () => {
  const s = new Script();
  s.accept().askIfAlive(seconds(60));
  s.wait(60 * SECOND - 1);
  assert.deepEqual(s.sent(), []);
  s.wait(1);
  assert.deepEqual(s.sent(), [PROBE]);
  for (let i = 1; i < KEEP_ALIVE_PROBES_MAX; i++) {
    s.wait(KEEP_ALIVE_INTERVAL);
    assert.deepEqual(s.sent(), [PROBE]);
  }
  assert.deepEqual(s.journal.events, []);
  s.wait(KEEP_ALIVE_INTERVAL);
  assert.deepEqual(s.journal.events, ['closed timeout']);
  assert.equal(s.stack.memory.usedBytes, 0);
  assert.equal(s.timers.size, 0);
});

test('keep-alive › the peer answers › it goes on for ever', () => {
  const s = new Script();
  s.accept().askIfAlive(seconds(60));
  let probes = 0;
  for (let t = 0; t < 3_600; t++) {
    s.wait(SECOND);
    for (const line of s.sent()) {
      assert.equal(line, PROBE);
      probes += 1;
      // One answer in three is lost.
      if (probes % 3 !== 0) s.in('.', 1, 1);
    }
  }
  assert.deepEqual(s.journal.events, []);
  assert.ok(probes > 40 && probes < 90, `${probes}`);
});

test('keep-alive › data flows › no probe', () => {
  const s = new Script();
  s.accept().askIfAlive(seconds(10));
  for (let i = 0; i < 50; i++) {
    s.wait(5 * SECOND);
    s.in('P.', 1 + i, 1, { payload: 'x' });
  }
  assert.equal(s.count('keepAlives'), 0);
});

test('keep-alive › data in flight › its own timeout decides, no probe', () => {
  const s = new Script();
  const flow = s.accept();
  flow.askIfAlive(seconds(1));
  flow.write(Uint8Array.of(1));
  s.wait(30 * SECOND);
  assert.equal(s.count('keepAlives'), 0);
});

test('keep-alive › switched off again, asked for too often › never, once a second at most', () => {
  const s = new Script();
  const flow = s.accept();
  flow.askIfAlive(seconds(5));
  flow.askIfAlive(null);
  s.wait(100 * SECOND);
  assert.deepEqual(s.sent(), []);
  flow.askIfAlive(seconds(0));
  s.wait(SECOND - 1);
  assert.deepEqual(s.sent(), []);
  s.wait(1);
  assert.deepEqual(s.sent(), [PROBE]);
});

test('a keep-alive probe comes › it is answered, RFC 9293 §3.8.4', () => {
  const s = new Script();
  s.accept();
  s.in('.', 0, 1);
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
});
