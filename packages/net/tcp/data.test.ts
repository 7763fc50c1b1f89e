/**
 * Data both ways without loss: RFC 9293 §3.8, Nagle, delayed ACK, windows, probes; and what a turn
 * sends.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds } from '#core';
import { bytesOf, Script } from './test-script.ts';

const MILLI = 1_000;
const SECOND = 1_000_000;
const MSS = { options: { mss: 1460 } };

test('one turn, many writes › one segment', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  for (const word of ['a', 'bc', 'def']) flow.write(bytesOf(word));
  assert.deepEqual(s.sent(), []);
  s.turn();
  assert.deepEqual(s.sent(), ['P. 1:7 ack 1']);
  assert.equal(flow.queuedBytes, 6);
  s.in('.', 1, 7);
  assert.equal(flow.queuedBytes, 0);
});

test('write while data is delivered › the answer leaves at once and carries the ACK', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  s.journal.onData = () => {
    flow.write(bytesOf('HTTP/1.1 200 '));
    flow.write(bytesOf('OK'));
  };
  s.inject('P.', 1, 1, { payload: 'GET /' });
  assert.deepEqual(s.sent(), ['P. 1:16 ack 6']);
  s.wait(SECOND / 10);
  assert.deepEqual(s.sent(), []);
  assert.equal(s.count('predicted'), 1);
});

test('data › one segment › ACK after 40 ms; the second › ACK at once, RFC 9293 §3.8.6.3', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('.', 1, 1, { payload: 'a' });
  assert.deepEqual(s.sent(), []);
  s.wait(40 * MILLI);
  assert.deepEqual(s.sent(), ['. 1 ack 2']);
  s.in('.', 2, 1, { payload: 'b' });
  s.in('.', 3, 1, { payload: 'c' });
  assert.deepEqual(s.sent(), ['. 1 ack 4']);
  s.wait(SECOND);
  assert.deepEqual(s.sent(), []);
  assert.equal(s.journal.received, 'abc');
});

test('Nagle › a second small segment waits for the ACK of the first; noDelay › it does not', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(bytesOf('a'));
  s.turn();
  flow.write(bytesOf('b'));
  s.turn();
  assert.deepEqual(s.sent(), ['P. 1:2 ack 1']);
  s.in('.', 1, 2);
  assert.deepEqual(s.sent(), ['P. 2:3 ack 1']);
  const eager = new Script({ nagle: false });
  const other = eager.accept(MSS);
  for (const word of ['a', 'b']) {
    other.write(bytesOf(word));
    eager.turn();
  }
  assert.deepEqual(eager.sent(), ['P. 1:2 ack 1', 'P. 2:3 ack 1']);
});

test('Nagle after Minshall › the rest of a large write does not wait for its full segments', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(new Uint8Array(1460 + 10));
  s.turn();
  assert.deepEqual(s.sent(), ['. 1:1461 ack 1', 'P. 1461:1471 ack 1']);
});

test('initial window › ten segments, then two for each ACK, RFC 6928 and RFC 5681 §3.1', () => {
  const s = new Script();
  const flow = s.accept({ ...MSS, window: 65_535 });
  flow.write(new Uint8Array(60_000));
  s.turn();
  assert.equal(s.sent().length, 10);
  s.in('.', 1, 1 + 1460);
  assert.equal(s.sent().length, 2);
});

test('idle for longer than the RTO › the window is the initial one again, RFC 5681 §4.1', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(new Uint8Array(14_600));
  s.turn();
  s.in('.', 1, 1 + 14_600);
  flow.write(new Uint8Array(30_000));
  s.turn();
  // 14,600 and the 11,680 that one ACK may add.
  assert.equal(s.sent().length, 10 + 18);
  s.in('.', 1, 1 + 14_600 + 26_280);
  s.in('.', 1, 1 + 14_600 + 30_000);
  s.out = [];
  s.wait(10 * SECOND);
  flow.write(new Uint8Array(30_000));
  s.turn();
  assert.equal(s.sent().length, 10);
});

test('chunks of odd lengths › bytes and checksums are right across segments', () => {
  const s = new Script({ mtuBytes: 140 });
  const flow = s.accept(MSS);
  let all = '';
  for (let i = 1; i < 60; i++) {
    const word = String.fromCharCode(64 + (i % 26)).repeat(i);
    all += word;
    flow.write(bytesOf(word));
  }
  let got = '';
  for (let round = 0; round < 10; round++) {
    s.turn();
    for (const { repr } of s.out) got += String.fromCharCode(...repr.payload);
    s.out = [];
    s.in('.', 1, 1 + got.length);
    for (const { repr } of s.out) got += String.fromCharCode(...repr.payload);
    s.out = [];
  }
  s.in('.', 1, 1 + got.length);
  assert.equal(got, all);
  assert.equal(flow.queuedBytes, 0);
});

test('drained › the handler shuts down › data of the same segment is delivered all the same', () => {
  const s = new Script();
  const flow = s.accept({ options: { mss: 1460 } });
  flow.lowWaterBytes = 0;
  s.journal.drained = () => flow.shutdown();
  flow.write(bytesOf('x'));
  s.turn();
  s.in('P.', 1, 2, { payload: 'abc' });
  assert.deepEqual(s.journal.events, ['data abc']);
});

test('drained › once, when the queue falls to the mark after having been above', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.lowWaterBytes = 1_000;
  flow.write(new Uint8Array(1_000));
  s.turn();
  s.in('.', 1, 1_001);
  assert.deepEqual(s.journal.events, []);
  flow.write(new Uint8Array(2_000));
  s.turn();
  s.in('.', 1, 1_001 + 999);
  assert.deepEqual(s.journal.events, []);
  s.in('.', 1, 1_001 + 1_000);
  assert.deepEqual(s.journal.events, ['drained']);
  s.in('.', 1, 1_001 + 2_000);
  assert.deepEqual(s.journal.events, ['drained']);
});

test('zero window › probes of one byte at 1 RTO, doubled; an answer keeps it alive, §3.8.6.1', () => {
  const s = new Script({ limits: { userTimeout: seconds(3_600) } });
  const flow = s.accept({ ...MSS, window: 0 });
  flow.write(bytesOf('abc'));
  s.turn();
  assert.deepEqual(s.sent(), []);
  // The handshake took no time in this test: the RTO is its minimum.
  let wait = 200 * MILLI;
  for (let i = 0; i < 20; i++) {
    s.wait(wait - 1);
    assert.deepEqual(s.sent(), [], `probe ${i}`);
    s.wait(1);
    assert.deepEqual(s.sent(), ['. 1:2 ack 1']);
    s.in('.', 1, 1, { window: 0 });
    wait = Math.min(60 * SECOND, 2 * wait);
  }
  assert.equal(s.count('probes'), 20);
  s.in('.', 1, 1, { window: 100 });
  assert.deepEqual(s.sent(), ['P. 1:4 ack 1']);
});

test('zero window › the byte of a probe is taken › sending goes on behind it', () => {
  const s = new Script();
  const flow = s.accept({ ...MSS, window: 0 });
  flow.write(bytesOf('abc'));
  s.wait(200 * MILLI);
  assert.deepEqual(s.sent(), ['. 1:2 ack 1']);
  s.in('.', 1, 2, { window: 100 });
  assert.deepEqual(s.sent(), ['P. 2:4 ack 1']);
  s.in('.', 1, 4, { window: 100 });
  assert.equal(flow.queuedBytes, 0);
});

test('zero window › no answer to ten probes › timeout', () => {
  const s = new Script();
  const flow = s.accept({ ...MSS, window: 0 });
  flow.write(bytesOf('abc'));
  s.wait(600 * SECOND);
  assert.equal(s.sent().length, 10);
  assert.deepEqual(s.journal.events, ['closed timeout']);
});

test('a window smaller than a segment › is used only from half the largest on, §3.8.6.2.1', () => {
  const s = new Script();
  const flow = s.accept({ ...MSS, window: 1000 });
  flow.write(new Uint8Array(5000));
  s.turn();
  assert.deepEqual(s.sent(), ['. 1:1001 ack 1']);
  s.in('.', 1, 1001, { window: 499 });
  assert.deepEqual(s.sent(), []);
  s.in('.', 1, 1001, { window: 500 });
  assert.deepEqual(s.sent(), ['. 1001:1501 ack 1']);
});

test('a window held back by silly window avoidance › its bytes leave when the override fires', () => {
  const s = new Script();
  const flow = s.accept({ ...MSS, window: 1000 });
  flow.write(new Uint8Array(5000));
  s.turn();
  s.in('.', 1, 1001, { window: 10 });
  s.out = [];
  s.wait(SECOND);
  assert.equal(s.sent()[0], '. 1001:1011 ack 1');
});

test('pause › data waits, the window closes; resume › all is delivered and the window opens', () => {
  const s = new Script({ limits: { receiveWindowBytes: 4_096 } });
  const flow = s.accept(MSS);
  flow.pause();
  const piece = 'x'.repeat(1024);
  for (let i = 0; i < 4; i++) s.in('.', 1 + i * 1024, 1, { payload: piece });
  s.wait(SECOND);
  assert.equal(s.last().window, 0);
  assert.deepEqual(s.journal.events, []);
  // A probe beyond the window: answered, and its byte is not taken.
  s.in('.', 1 + 4096, 1, { payload: 'y' });
  assert.deepEqual(s.sent(), ['. 1 ack 4097']);
  flow.resume();
  assert.equal(s.journal.received, '');
  s.turn();
  assert.equal(s.journal.received, piece.repeat(4));
  assert.equal(s.last().window, 4_096);
  assert.equal(s.received(), 0);
});

test('pause inside data › the rest waits; resume › in order', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  s.journal.onData = () => flow.pause();
  s.in('.', 1, 1, { payload: 'one' });
  s.in('P.', 4, 1, { payload: 'two' });
  assert.deepEqual(s.journal.events, ['data one']);
  flow.resume();
  s.turn();
  s.in('P.', 7, 1, { payload: 'three' });
  assert.deepEqual(s.journal.events, ['data one', 'data two']);
  s.journal.onData = null;
  flow.resume();
  s.turn();
  assert.deepEqual(s.journal.events, ['data one', 'data two', 'data three']);
});

test('pause › FIN behind data that waits › end only after the data', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.pause();
  s.in('FP.', 1, 1, { payload: 'last' });
  assert.deepEqual(s.sent(), ['. 1 ack 6']);
  assert.deepEqual(s.journal.events, []);
  flow.shutdown();
  s.turn();
  s.in('.', 6, 2);
  // Both sides have finished, and the reader hasn't.
  assert.equal(s.count('connections'), 0);
  assert.deepEqual(s.journal.events, []);
  flow.resume();
  s.turn();
  assert.deepEqual(s.journal.events, ['data last', 'end', 'closed closed']);
});

test('pause › everything ended behind data that waits › abort drops it and closed follows', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.pause();
  s.in('FP.', 1, 1, { payload: 'last' });
  flow.shutdown();
  s.turn();
  s.in('.', 6, 2);
  flow.abort();
  flow.abort();
  s.turn();
  assert.deepEqual(s.journal.events, ['closed reset']);
  assert.equal(s.received(), 0);
  flow.abort();
  s.turn();
  assert.equal(s.journal.events.length, 1);
});

test('urgent › the pointer is ignored, the data stays in line, RFC 6093 §4', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('PU.', 1, 1, { payload: 'abc', urgent: 2 });
  s.in('P.', 4, 1, { payload: 'def' });
  assert.equal(s.journal.received, 'abcdef');
});

test('the device is full › nothing is lost, it leaves when there is room', () => {
  for (const isTold of [true, false]) {
    const s = new Script();
    const flow = s.accept(MSS);
    s.ip.room = 1;
    flow.write(new Uint8Array(3 * 1460));
    s.turn();
    assert.deepEqual(s.sent(), ['. 1:1461 ack 1']);
    s.ip.room = 10;
    if (isTold) s.stack.transmitReady();
    else s.wait(MILLI);
    assert.deepEqual(s.sent(), ['. 1461:2921 ack 1', 'P. 2921:4381 ack 1']);
    assert.ok(s.count('transmitFull') >= 1);
  }
});

test('the device is full › for SYN-ACK, ACK and RST › they come later or not at all', () => {
  const s = new Script();
  s.stack.listen(80, (flow) => {
    flow.attach(s.journal);
    s.flow = flow;
  });
  s.ip.room = 0;
  s.in('S', 0, null);
  s.ip.room = 1;
  s.wait(MILLI);
  assert.deepEqual(s.sent(), ['S. 0 ack 1']);
  s.in('.', 1, 1);
  s.in('.', 1, 1, { payload: 'a' });
  s.wait(40 * MILLI);
  assert.deepEqual(s.sent(), []);
  s.ip.room = 1;
  s.wait(MILLI);
  assert.deepEqual(s.sent(), ['. 1 ack 2']);
  s.flow?.abort();
  s.turn();
  assert.deepEqual(s.journal.events, ['data a', 'closed reset']);
});

test('segmentation offload › one large segment of whole chunks, checksum asked for', () => {
  const s = new Script({ offload: { transmitChecksum: true, segmentBytesMax: 65_535 } });
  const flow = s.accept(MSS);
  const sizes: number[] = [];
  const finish = s.ip.finish.bind(s.ip);
  s.ip.finish = (route, protocol, bytes, parts, request) => {
    sizes.push(parts.reduce((sum, part) => sum + part.length, bytes - 20));
    assert.equal(request?.segmentBytes, parts.length > 0 ? 1460 : 0);
    finish(route, protocol, bytes, parts, request);
  };
  flow.write(bytesOf('header'));
  flow.write(new Uint8Array(20_000));
  s.turn();
  // Ten segments of the initial window in one go.
  assert.deepEqual(sizes, [14_600]);
  assert.equal(s.sent().length, 10);
  s.in('.', 1, 1 + 14_600);
  assert.deepEqual(sizes, [14_600, 5_406]);
  s.out = [];
  s.in('.', 1, 1 + 20_006);
  // More pieces than a frame has parts: as many whole segments as they make, at least one.
  for (let i = 0; i < 40; i++) flow.write(new Uint8Array(100));
  s.turn();
  assert.deepEqual(sizes.slice(2), [1460, 1460, 1080]);
});

test('write and shutdown after the end › are ignored', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(new Uint8Array(0));
  flow.shutdown();
  flow.write(bytesOf('late'));
  flow.shutdown();
  s.turn();
  assert.deepEqual(s.sent(), ['FP. 1 ack 1']);
  flow.abort();
  flow.abort();
  flow.write(bytesOf('later'));
  flow.resume();
  s.turn();
  assert.deepEqual(s.sent(), ['R. 2 ack 1']);
  assert.deepEqual(s.journal.events, ['closed reset']);
});

test('info › names the state and the queue', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(bytesOf('abc'));
  const [info] = s.stack.connections();
  assert.equal(info?.state, 'ESTABLISHED');
  assert.equal(info?.queuedBytes, 3);
  assert.equal(info?.remote, '10.0.0.2:4000');
});
