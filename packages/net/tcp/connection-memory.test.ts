/** What docs/decisions/0004 asks of a connection; the bytes are bench/connection-memory.ts's. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryBytesMin } from '../limits.ts';
import { CHUNKS_STEP_BYTES } from './limits.ts';
import { Script } from './test-script.ts';

const FIELDS_MAX = 63;
const LINUX = { mss: 1460, windowShift: 7, sackPermitted: true };

test('fields › after requests, with and without timestamps › at most 63, and no array', () => {
  for (const timestamps of [{}, { hasTimestamps: true, timestamp: 1, timestampEcho: 1 }]) {
    const s = new Script();
    s.stack.listen(80, (accepted) => {
      s.flow = accepted;
      accepted.attach(s.journal);
    });
    s.in('S', 0, null, { options: { ...LINUX, ...timestamps } });
    s.in('.', 1, 1, { window: 512, options: timestamps });
    const flow = s.flow!;
    s.journal.onData = () => flow.write(new Uint8Array(5_000));
    let [seq, ack] = [1, 1];
    for (let i = 0; i < 5; i++) {
      s.in('P.', seq, ack, { payload: 'x', window: 512, options: timestamps });
      seq += 1;
      s.wait(1_000);
      ack += 5_000;
      s.in('.', seq, ack, { window: 512, options: timestamps });
    }
    s.wait(5e6);
    assert.equal(flow.queuedBytes, 0);
    const fields = Object.keys(flow);
    assert.ok(fields.length <= FIELDS_MAX, `${fields.length}: ${fields.join(' ')}`);
    const { chunks, queue } = flow as unknown as { chunks: unknown[]; queue: unknown };
    assert.deepEqual([chunks, queue], [[], null]);
  }
});

test('send queue › above its mark › its array is charged, and given back when it is under it', () => {
  const s = new Script();
  const flow = s.accept({ options: LINUX });
  flow.lowWaterBytes = 1_000;
  const { sendQueues } = s.stack.tcpMemory;
  flow.write(new Uint8Array(1_000));
  assert.equal(sendQueues.usedBytes, 0);
  flow.write(new Uint8Array(1));
  assert.equal(sendQueues.usedBytes, CHUNKS_STEP_BYTES);
  for (let i = 0; i < 100; i++) flow.write(new Uint8Array(10));
  assert.ok(sendQueues.usedBytes >= 1_600);
  s.turn();
  s.in('.', 1, 2_002);
  assert.equal(sendQueues.usedBytes, 0);
});

test('send queue › no memory for its array › the connection is reset and counted', () => {
  const s = new Script({ memoryBytes: memoryBytesMin });
  const flow = s.accept({ options: LINUX });
  flow.lowWaterBytes = 0;
  const { received } = s.stack.tcpMemory;
  const left = memoryBytesMin - s.stack.memory.usedBytes;
  assert.ok(received.take(left - CHUNKS_STEP_BYTES));
  for (let i = 0; i < 32; i++) flow.write(new Uint8Array(1));
  s.turn();
  assert.deepEqual(s.journal.events, []);
  flow.write(new Uint8Array(1));
  s.turn();
  assert.deepEqual(s.journal.events, ['closed reset']);
  assert.equal(s.count('sendMemory'), 1);
});

test('a segment of 60,000 bytes, put together by the device › one data event, the fast way', () => {
  const s = new Script();
  s.accept({ options: { ...LINUX } });
  s.wait(1e6);
  s.in('.', 1, 1, { payload: new Uint8Array(60_000) });
  assert.equal(s.journal.events.length, 1);
  assert.equal(s.journal.received.length, 60_000);
  assert.equal(s.count('predicted'), 1);
  assert.deepEqual(s.sent(), ['. 1 ack 60001']);
});
