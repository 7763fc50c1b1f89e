/** Closing: RFC 9293 §3.6, RFC 1337, RFC 5961; every way out of ESTABLISHED, and the wait after. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import { memoryBytesMin } from '../limits.ts';
import type { Connection } from './connection.ts';
import { TIME_WAIT_BYTES } from './limits.ts';
import { bytesOf, Journal, PEER_ISS, Script } from './test-script.ts';

const SECOND = 1_000_000;
const MSS = { options: { mss: 1460 } };

test('ESTABLISHED › FIN › CLOSE_WAIT, end; we still send; shutdown › LAST_ACK; ACK › closed', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  s.in('F.', 1, 1);
  assert.deepEqual(s.sent(), ['. 1 ack 2']);
  assert.deepEqual(s.journal.events, ['end']);
  flow.write(bytesOf('still here'));
  flow.shutdown();
  s.turn();
  assert.deepEqual(s.sent(), ['FP. 1:11 ack 2']);
  s.in('.', 2, 11);
  assert.deepEqual(s.journal.events, ['end']);
  s.in('.', 2, 12);
  assert.deepEqual(s.journal.events, ['end', 'closed closed']);
  assert.equal(s.count('connections'), 0);
  assert.equal(s.count('timeWait'), 0);
});

test('ESTABLISHED › shutdown › FIN_WAIT_1, 2: data still comes; FIN › TIME_WAIT for 10 s', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.shutdown();
  s.turn();
  assert.deepEqual(s.sent(), ['FP. 1 ack 1']);
  s.in('.', 1, 2);
  s.in('P.', 1, 2, { payload: 'more' });
  s.in('F.', 5, 2);
  assert.deepEqual(s.journal.events, ['data more', 'end', 'closed closed']);
  assert.deepEqual(s.sent(), ['. 2 ack 6']);
  assert.equal(s.count('timeWait'), 1);
  s.wait(10 * SECOND);
  assert.equal(s.count('timeWait'), 0);
});

test('FIN_WAIT_1 › FIN that acknowledges ours › TIME_WAIT', () => {
  const s = new Script();
  s.accept(MSS).shutdown();
  s.turn();
  s.in('F.', 1, 2);
  assert.deepEqual(s.sent(), ['FP. 1 ack 1', '. 2 ack 2']);
  assert.equal(s.count('timeWait'), 1);
  assert.deepEqual(s.journal.events, ['end', 'closed closed']);
});

test('FIN_WAIT_1 › FIN that does not › CLOSING; ACK › TIME_WAIT: simultaneous close', () => {
  const s = new Script();
  s.accept(MSS).shutdown();
  s.turn();
  s.in('F.', 1, 1);
  assert.deepEqual(s.sent(), ['FP. 1 ack 1', '. 2 ack 2']);
  assert.deepEqual(s.journal.events, ['end']);
  s.in('.', 2, 2);
  assert.deepEqual(s.journal.events, ['end', 'closed closed']);
  assert.equal(s.count('timeWait'), 1);
});

test('FIN_WAIT_2 › silence for 60 s › timeout; any segment starts the minute again', () => {
  const s = new Script();
  s.accept(MSS).shutdown();
  s.turn();
  s.in('.', 1, 2);
  s.wait(50 * SECOND);
  s.in('P.', 1, 2, { payload: 'x' });
  s.wait(60 * SECOND - 1);
  assert.deepEqual(s.journal.events, ['data x']);
  s.wait(1);
  assert.deepEqual(s.journal.events, ['data x', 'closed timeout']);
});

test('FIN lost › it is sent again, alone or with the last data', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(bytesOf('bye'));
  flow.shutdown();
  s.turn();
  assert.deepEqual(s.sent(), ['FP. 1:4 ack 1']);
  s.wait(SECOND / 5);
  assert.deepEqual(s.sent(), ['FP. 1:4 ack 1']);
  s.in('.', 1, 4);
  s.wait(SECOND);
  assert.equal(s.sent()[0], 'FP. 4 ack 1');
});

test('FIN › the device is full for longer than the timeout › it leaves when there is room', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  s.ip.room = 0;
  flow.shutdown();
  s.wait(SECOND);
  assert.deepEqual(s.sent(), []);
  s.ip.room = 1;
  s.wait(SECOND);
  assert.deepEqual(s.sent(), ['FP. 1 ack 1']);
});

test('text beyond the FIN › is never delivered, and its memory is given back', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  s.in('.', 10, 1, { payload: 'beyond' });
  s.in('F.', 1, 1);
  flow.shutdown();
  s.turn();
  s.in('.', 2, 2);
  assert.deepEqual(s.journal.events, ['end', 'closed closed']);
  assert.equal(s.received(), 0);
});

test('FIN ahead of a hole › waits; the hole filled › data, then end', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('FP.', 4, 1, { payload: 'def' });
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  s.in('.', 1, 1, { payload: 'abc' });
  assert.deepEqual(s.sent(), ['. 1 ack 8']);
  assert.equal(s.journal.received, 'abcdef');
  assert.equal(s.journal.events.at(-1), 'end');
});

/** A connection that is in TIME_WAIT: our FIN was first, sequence numbers 2 and 2 are next. */
function inTimeWait(): Script {
  const s = new Script();
  s.accept(MSS).shutdown();
  s.turn();
  s.in('F.', 1, 2);
  s.out = [];
  assert.equal(s.count('timeWait'), 1);
  return s;
}

test('TIME_WAIT › FIN again › ACK again and 10 s from now', () => {
  const s = inTimeWait();
  s.wait(9 * SECOND);
  s.in('F.', 1, 2);
  assert.deepEqual(s.sent(), ['. 2 ack 2']);
  s.wait(9 * SECOND);
  assert.equal(s.count('timeWait'), 1);
  s.wait(SECOND);
  assert.equal(s.count('timeWait'), 0);
});

test('TIME_WAIT › RST, an old ACK › ignored, RFC 1337; old data › ACK', () => {
  const s = inTimeWait();
  s.in('R', 2, null);
  s.in('.', 2, 2);
  assert.deepEqual(s.sent(), []);
  s.in('P.', 1, 1, { payload: 'x' });
  assert.deepEqual(s.sent(), ['. 2 ack 2']);
  assert.equal(s.count('timeWait'), 1);
});

test('TIME_WAIT › old SYN › ACK; new SYN › a new connection with a higher first number', () => {
  const s = inTimeWait();
  s.in('S', 0, null);
  assert.deepEqual(s.sent(), ['. 2 ack 2']);
  s.in('S', 1000, null);
  assert.equal(s.count('timeWait'), 0);
  const answer = s.sent();
  assert.deepEqual(answer, ['S. 131074 ack 1001']);
  s.in('.', 1001, 131_075);
  assert.equal(s.count('connections'), 1);
});

test('TIME_WAIT › new SYN, nobody listens any more › RST', () => {
  const s = inTimeWait();
  for (const listener of s.stack.listeners.values()) listener.close();
  s.in('S', 1000, null);
  const { flags, seq, ack } = s.last();
  assert.deepEqual([flags, seq, ack], [0x14, 0, seqOf(PEER_ISS + 1001)]);
});

test('TIME_WAIT bound › at it all wait, one more › the oldest is forgotten', () => {
  const s = new Script({ memoryBytes: memoryBytesMin });
  s.accept(MSS).shutdown();
  s.turn();
  s.in('F.', 1, 2);
  s.out = [];
  const most = Math.floor(s.stack.tcpMemory.timeWait.bytesMax / TIME_WAIT_BYTES);
  for (let i = 1; i <= most; i++) {
    assert.equal(s.count('timeWait'), i);
    const peerPort = 5_000 + i;
    s.in('S', 0, null, { peerPort });
    const iss = Number(s.sent()[0]!.split(' ')[1]);
    s.in('.', 1, iss + 1, { peerPort });
    s.flow?.shutdown();
    s.turn();
    s.in('F.', 1, iss + 2, { peerPort });
    s.out = [];
  }
  assert.equal(s.count('timeWait'), most);
  assert.equal(s.count('timeWaitEvicted'), 1);
  // The first one is unknown now: its FIN gets a RST.
  s.in('F.', 1, 2);
  assert.deepEqual(s.sent(), ['R 2']);
});

test('ESTABLISHED › RST before rcvNxt with text that reaches beyond › challenge, RFC 5961 §3.2', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('.', 1, 1, { payload: 'abcdef' });
  s.in('R', 3, null, { payload: 'defgh' });
  assert.deepEqual(s.journal.events, ['data abcdef']);
  assert.equal(s.count('challenges'), 1);
});

test('ESTABLISHED › RST at rcvNxt › reset; elsewhere in the window › challenge; outside › nothing', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('R', 70_000, null);
  s.in('R', 0, null);
  assert.deepEqual(s.sent(), []);
  s.in('R', 2, null);
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  assert.deepEqual(s.journal.events, []);
  s.in('R', 1, null);
  assert.deepEqual(s.journal.events, ['closed reset']);
  assert.deepEqual(s.sent(), []);
  assert.equal(s.count('connections'), 0);
});

test('ESTABLISHED › SYN › challenge ACK, RFC 5961 §4; at most two a second', () => {
  const s = new Script();
  s.accept(MSS);
  for (const seq of [1, 100, 0, 5]) s.in('S', seq, null);
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  assert.equal(s.count('challengesHeld'), 3);
  s.wait(SECOND / 2);
  s.in('S', 1, null);
  assert.equal(s.sent().length, 1);
});

test('ESTABLISHED › ACK of what was never sent, or far too old › challenge, RFC 5961 §5', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('.', 1, 2, { payload: 'no' });
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  s.wait(SECOND);
  s.in('.', 1, -70_000, { payload: 'no' });
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  assert.equal(s.count('badAck'), 2);
  assert.equal(s.journal.received, '');
});

test('ESTABLISHED › no ACK flag › dropped', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('P', 1, null, { payload: 'x' });
  assert.equal(s.count('noAck'), 1);
  assert.deepEqual(s.sent(), []);
});

test('abort › RST, what is queued is dropped, closed reset follows at the end of the turn', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(bytesOf('never'));
  flow.abort();
  assert.deepEqual(s.sent(), ['R. 1 ack 1']);
  assert.deepEqual(s.journal.events, []);
  s.turn();
  assert.deepEqual(s.journal.events, ['closed reset']);
  assert.equal(flow.queuedBytes, 0);
});

test('closed › who was told is forgotten: flow and application held each other', () => {
  const s = new Script();
  const flow = s.accept(MSS) as Connection;
  assert.equal(flow.isAttached, true);
  s.in('R', 1, null);
  assert.deepEqual(s.journal.events, ['closed reset']);
  assert.equal(flow.isAttached, false);
});

test('abort inside data, end and drained › nothing more is called but closed', () => {
  for (const when of ['data', 'end', 'drained'] as const) {
    const s = new Script();
    const flow = s.accept(MSS);
    const journal = new Journal();
    const handler = Object.assign(Object.create(journal), {
      data: () => when === 'data' && flow.abort(),
      end: () => (when === 'end' ? flow.abort() : journal.end()),
      drained: () => when === 'drained' && flow.abort(),
    });
    flow.attach(handler);
    flow.lowWaterBytes = 0;
    flow.write(bytesOf('x'));
    s.turn();
    s.in('FP.', 1, 2, { payload: 'abc' });
    s.turn();
    assert.deepEqual(journal.events, ['closed reset'], when);
    assert.equal(s.count('connections'), 0);
  }
});

test('RST in LAST_ACK and CLOSING › closed reset', () => {
  for (const peerFirst of [true, false]) {
    const s = new Script();
    const flow = s.accept(MSS);
    if (peerFirst) s.in('F.', 1, 1);
    flow.shutdown();
    s.turn();
    if (!peerFirst) s.in('F.', 1, 1);
    s.in('R', 2, null);
    assert.deepEqual(s.journal.events, ['end', 'closed reset']);
  }
});
