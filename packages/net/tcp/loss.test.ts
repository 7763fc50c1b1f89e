/**
 * Loss: RFC 6298 timeouts, RFC 5681/6582 and 6675 recovery, reassembly, SACK both ways; and what is
 * malformed.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import { memoryBytesDefault, memoryBytesMin } from '../limits.ts';
import { MemoryBudget } from '../memory-budget.ts';
import type { Connection } from './connection.ts';
import { congestionEchoed } from './ecn.ts';
import { RECEIVE_QUEUE_BYTES, RECEIVE_RANGES_MAX } from './limits.ts';
import { lossOf } from './loss-state.ts';
import { ReceiveQueue } from './receive-queue.ts';
import { Random } from './test-link.ts';
import { bytesOf, PEER_ISS, Script } from './test-script.ts';

const MILLI = 1_000;
const SECOND = 1_000_000;
const MSS = { options: { mss: 1460 } };
const SACK = { options: { mss: 1460, sackPermitted: true } };

const sackOf = (...edges: number[]) => {
  const sack = new Int32Array(8);
  edges.forEach((edge, i) => {
    sack[i] = seqOf(base + edge);
  });
  return { options: { sackCount: edges.length / 2, sack } };
};
/** Our first sequence number, learned by `flight`. */
let base = 0;

/** An open connection with `segments` full segments in flight. */
function flight(segments: number, options = MSS): Script {
  const s = new Script();
  const flow = s.accept(options);
  flow.write(new Uint8Array(segments * 1460));
  s.turn();
  base = s.out[0]!.repr.seq - 1;
  assert.equal(s.sent().length, segments);
  return s;
}

test('nothing is acknowledged › again after 1, 2, 4, .. RTO, ten times, then timeout', () => {
  const s = flight(2);
  let wait = 200 * MILLI;
  for (let i = 0; i < 10; i++) {
    s.wait(wait - 1);
    assert.deepEqual(s.sent(), [], `retry ${i}`);
    s.wait(1);
    // From the third on smaller: the way may swallow large packets (path-probe.ts).
    const size = [1460, 1460, 1240, 984][i] ?? 536;
    assert.deepEqual(s.sent(), [`. 1:${1 + size} ack 1`]);
    wait = Math.min(60 * SECOND, wait * 2);
  }
  assert.deepEqual(s.journal.events, []);
  s.wait(60 * SECOND);
  assert.deepEqual(s.journal.events, ['closed timeout']);
  assert.deepEqual(s.sent(), []);
});

test('timeout › one segment, then as acknowledged: go-back-N in slow start, RFC 5681 §3.1', () => {
  const s = flight(4);
  s.wait(200 * MILLI);
  assert.deepEqual(s.sent(), ['. 1:1461 ack 1']);
  s.in('.', 1, 1461);
  assert.deepEqual(s.sent(), ['. 1461:2921 ack 1', '. 2921:4381 ack 1']);
  // The rest had arrived: nothing more is sent.
  s.in('.', 1, 1 + 4 * 1460);
  assert.deepEqual(s.sent(), []);
  s.wait(SECOND);
  assert.deepEqual(s.sent(), []);
});

test('the RTO follows the round trip, not retransmissions: RFC 6298 §2 and Karn', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  const rto = () => s.stack.connections()[0]!.retransmitTimeoutMicros;
  for (let i = 0; i < 30; i++) {
    flow.write(bytesOf('x'));
    s.turn();
    s.wait(150 * MILLI);
    s.in('.', 1, 2 + i);
  }
  assert.ok(Number(rto()) >= 200 * MILLI && Number(rto()) < 300 * MILLI, String(rto()));
  flow.write(bytesOf('y'));
  s.turn();
  s.wait(400 * MILLI);
  const backedOff = rto();
  s.in('.', 1, 32);
  assert.equal(rto(), backedOff);
});

test('three duplicate ACKs › the first segment again, then recovery by NewReno, RFC 6582', () => {
  const s = flight(8);
  s.in('.', 1, 1);
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), []);
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), ['. 1:1461 ack 1']);
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), []);
  // A partial acknowledgment: the next hole begins there.
  s.in('.', 1, 1 + 3 * 1460);
  assert.deepEqual(s.sent(), ['. 4381:5841 ack 1']);
  s.in('.', 1, 1 + 8 * 1460);
  assert.equal(s.count('recoveries'), 1);
  assert.equal(s.count('timeouts'), 0);
});

test('limited transmit › the first two duplicates let two new segments leave, RFC 3042', () => {
  const s = new Script();
  const flow = s.accept(MSS);
  flow.write(new Uint8Array(20 * 1460));
  s.turn();
  assert.equal(s.sent().length, 10);
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), ['. 14601:16061 ack 1']);
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), ['. 16061:17521 ack 1']);
});

test('duplicate ACKs with data, another window or FIN › are none, RFC 5681 §2', () => {
  const s = flight(8);
  for (let i = 0; i < 3; i++) s.in('.', 1 + i, 1, { payload: 'd' });
  for (let i = 0; i < 3; i++) s.in('.', 4, 1, { window: 60_000 - i });
  assert.equal(s.count('recoveries'), 0);
});

test('the MTU of the way shrinks › the timeout finds smaller segments', () => {
  const s = flight(2);
  s.in('.', 1, 2921);
  s.ip.mtuBytes = 576;
  s.flow?.write(new Uint8Array(1000));
  s.turn();
  assert.deepEqual(s.sent(), []);
  s.wait(200 * MILLI);
  assert.deepEqual(s.sent(), ['. 2921:3457 ack 1']);
});

test('SACK › two holes › both are filled, nothing else is sent again', () => {
  const s = flight(10, SACK);
  s.wait(MILLI);
  // Segments 1 and 4 of 10 are lost: 2, 3, then 5.. are reported.
  s.in('.', 1, 1, sackOf(1461, 2921));
  s.in('.', 1, 1, sackOf(1461, 4381));
  assert.deepEqual(s.sent(), []);
  s.in('.', 1, 1, sackOf(5841, 7301, 1461, 4381));
  assert.equal(s.sent()[0], '. 1:1461 ack 1');
  s.wait(MILLI);
  for (const end of [8761, 10_221, 11_681, 13_141, 14_601]) {
    s.in('.', 1, 1, sackOf(5841, end, 1461, 4381));
  }
  assert.deepEqual(s.sent(), ['. 4381:5841 ack 1']);
  s.in('.', 1, 4381, sackOf(5841, 14_601));
  s.in('.', 1, 14_601);
  assert.equal(s.count('retransmitted'), 2);
  assert.equal(s.count('timeouts'), 0);
  assert.equal(s.flow?.queuedBytes, 0);
});

test('SACK › after a timeout › what is reported is not sent again', () => {
  const s = flight(6, SACK);
  s.wait(200 * MILLI);
  assert.deepEqual(s.sent(), ['. 1:1461 ack 1']);
  s.in('.', 1, 1461, sackOf(2921, 7301));
  assert.deepEqual(s.sent(), ['. 1461:2921 ack 1', 'P. 7301:8761 ack 1']);
  s.in('.', 1, 8761);
  assert.equal(s.flow?.queuedBytes, 0);
});

test('SACK › reports before timeouts › believed after them', () => {
  for (const timeouts of [1, 3]) {
    const s = flight(4, SACK);
    s.in('.', 1, 1, sackOf(2921, 4381));
    for (let i = 0; i < timeouts; i++) s.wait((200 << i) * MILLI);
    s.out = [];
    s.in('.', 1, 1461);
    assert.deepEqual(s.sent(), ['. 1461:2921 ack 1', 'P. 4381:5841 ack 1']);
  }
});

test('SACK › an acknowledgment ends where a report begins › all is sent again, RFC 2018 §8', () => {
  const s = flight(4, SACK);
  s.wait(10 * MILLI);
  s.in('.', 1, 1, sackOf(1461, 4381));
  s.out = [];
  s.in('.', 1, 1461);
  assert.equal(s.sent()[0], '. 1461:2921 ack 1', 'the peer took its report back');
  s.in('.', 1, 2921);
  s.in('.', 1, 5841);
  assert.equal(s.flow?.queuedBytes, 0);
});

test('SACK › blocks beyond what was sent, empty, or old › ignored', () => {
  const s = flight(4, SACK);
  s.in('.', 1, 1, sackOf(1461, 99_999));
  s.in('.', 1, 1, sackOf(2921, 2921));
  s.in('.', 1, 1, sackOf(-500, 1));
  s.in('.', 1, 1, sackOf(1, 1461));
  assert.equal(s.count('recoveries'), 0);
  s.in('.', 1, 1 + 4 * 1460);
  assert.equal(s.flow?.queuedBytes, 0);
});

test('after recovery › duplicates of what was sent twice start no other, RFC 6582 §4.1', () => {
  const s = flight(8);
  for (let i = 0; i < 3; i++) s.in('.', 1, 1);
  s.wait(5 * SECOND);
  const before = s.count('recoveries');
  for (let i = 0; i < 5; i++) s.in('.', 1, 1);
  assert.equal(s.count('recoveries'), before);
});

test('a hole › ACK at once with SACK, the last range first, RFC 2018 §4; filled › delivered', () => {
  const s = new Script();
  s.accept(SACK);
  const blocks = () => {
    const { ack, options } = s.last();
    const edges = [...options.sack.subarray(0, 2 * options.sackCount)];
    return [ack, ...edges].map((edge) => seqOf(edge - PEER_ISS));
  };
  s.in('.', 4, 1, { payload: 'def' });
  assert.deepEqual(blocks(), [1, 4, 7]);
  s.in('.', 10, 1, { payload: 'jkl' });
  assert.deepEqual(blocks(), [1, 10, 13, 4, 7]);
  s.in('.', 16, 1, { payload: 'p' });
  s.in('.', 5, 1, { payload: 'e' });
  assert.deepEqual(blocks(), [1, 5, 6, 4, 7, 10, 13, 16, 17], 'what came twice is first, RFC 2883');
  s.in('.', 1, 1, { payload: 'abc' });
  assert.deepEqual(blocks(), [7, 10, 13, 16, 17]);
  assert.equal(s.journal.received, 'abcdef');
  s.in('.', 7, 1, { payload: 'ghijklmno' });
  assert.equal(s.journal.received, 'abcdefghijklmnop');
  assert.deepEqual(blocks(), [17]);
  assert.equal(s.received(), 0);
});

test('a hole › the peer did not permit SACK › ACK without', () => {
  const s = new Script();
  s.accept(MSS);
  s.in('.', 4, 1, { payload: 'def' });
  assert.equal(s.last().options.sackCount, 0);
});

test('overlaps › any cut, order and repetition › the same bytes, and only once', () => {
  const stream = Array.from({ length: 2_000 }, (_, i) => String.fromCharCode(33 + (i % 90)));
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const s = new Script();
    const flow = s.accept(seed % 2 === 0 ? SACK : MSS);
    if (seed % 3 === 0) flow.pause();
    for (let i = 0; i < 150; i++) {
      const from = Math.floor(random.next() * stream.length);
      const to = Math.min(stream.length, from + 1 + Math.floor(random.next() * 200));
      s.in('.', 1 + from, 1, { payload: stream.slice(from, to).join('') });
    }
    for (let from = 0; from < stream.length; from += 100) {
      s.in('.', 1 + from, 1, { payload: stream.slice(from, from + 100).join('') });
    }
    flow.resume();
    s.turn();
    assert.equal(s.journal.received, stream.join(''), `seed ${seed}`);
    assert.equal(s.received(), 0);
    s.wait(SECOND);
  }
});

test('segments across the window edges › trimmed on both sides', () => {
  const s = new Script({ limits: { receiveWindowBytes: 4_096 } });
  s.accept(MSS);
  s.in('.', 1, 1, { payload: 'abc' });
  s.in('.', 2, 1, { payload: 'bcde' });
  assert.equal(s.journal.received, 'abcde');
  // rcvNxt is 6: the window ends at 6 + 4096.
  s.in('F.', 4_100, 1, { payload: 'xyz' });
  s.in('.', 6, 1, { payload: '-'.repeat(1460) });
  s.in('.', 1466, 1, { payload: '-'.repeat(1460) });
  s.in('.', 2926, 1, { payload: '-'.repeat(1174) });
  assert.equal(s.journal.received.length, 5 + 4094 + 2);
  assert.equal(s.journal.events.includes('end'), false);
  s.in('.', 0, 1, { payload: 'a' });
  s.in('.', 99_000, 1, { payload: 'a' });
  assert.equal(s.count('unacceptable'), 2);
});

test('ranges bound › at it all are kept, one more › dropped; a neighbour still joins', () => {
  const s = new Script();
  s.accept(SACK);
  const at = (i: number) => 3 + 2 * i;
  for (let i = 0; i < RECEIVE_RANGES_MAX; i++) s.in('.', at(i), 1, { payload: 'x' });
  assert.equal(s.count('receiveMemory'), 0);
  s.in('.', at(RECEIVE_RANGES_MAX), 1, { payload: 'x' });
  assert.equal(s.count('receiveMemory'), 1);
  s.in('.', 4, 1, { payload: 'y' });
  assert.equal(s.count('receiveMemory'), 1);
  s.in('.', 1, 1, { payload: 'ab' });
  assert.equal(s.journal.received, 'abxyx');
});

test('receive memory bound › full for one connection › dropped, in order still flows', () => {
  const budget = new MemoryBudget(memoryBytesMin);
  const [received, outOfOrder] = [budget.account('received'), budget.account('outOfOrder')];
  const memory = { received, outOfOrder, holes: new Set<Connection>(), growing: null };
  const queue = () => new ReceiveQueue({ rcvNxt: seqOf(0) } as Connection, memory);
  const each = 4_096 + RECEIVE_QUEUE_BYTES;
  assert.ok(received.take(memoryBytesMin - 2 * each));
  const first = queue();
  const bytes = new Uint8Array(4_096);
  assert.ok(first.insert(seqOf(0), bytes, 0, 4_096));
  const second = queue();
  assert.ok(second.insert(seqOf(0), bytes, 0, 4_000));
  assert.equal(budget.usedBytes, memoryBytesMin);
  assert.equal(second.insert(seqOf(4_000), bytes, 0, 97), false);
  first.release();
  assert.ok(second.insert(seqOf(4_000), bytes, 0, 97));
  second.checkInvariants();
  second.release();
  assert.equal(budget.usedBytes, memoryBytesMin - 2 * each);
});

test('receive memory full › paused connection › its data is not acknowledged and comes again', () => {
  const s = new Script({ limits: { receiveWindowBytes: 4_096 } });
  const flow = s.accept(MSS);
  const { received } = s.stack.tcpMemory;
  const left = memoryBytesDefault - s.stack.memory.usedBytes;
  assert.ok(received.take(left));
  flow.pause();
  s.in('F.', 1, 1, { payload: 'abc' });
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  received.give(left);
  s.in('F.', 1, 1, { payload: 'abc' });
  flow.resume();
  s.turn();
  assert.deepEqual(s.journal.events, ['data abc', 'end']);
});

test('malformed › short, offsets that lie, wrong checksum, wrong options › counted and dropped', () => {
  const s = new Script();
  s.accept(MSS);
  s.raw(new Uint8Array(19));
  const segment = new Uint8Array(24);
  const ports = [4000 >> 8, 4000 & 255, 0, 80];
  segment.set(ports);
  segment[13] = 0x10;
  segment[12] = 0x40;
  s.raw(segment);
  segment[12] = 0x70;
  s.raw(segment);
  assert.equal(s.count('malformed'), 3);
  segment[12] = 0x60;
  segment[20] = 2; // An MSS option of length 3.
  segment[21] = 3;
  s.raw(segment);
  assert.equal(s.count('badOptions'), 1);
  segment[16] = 1;
  s.raw(segment, undefined, false);
  assert.equal(s.count('checksum'), 1);
  segment[3] = 81; // The same to a port without a connection.
  s.raw(segment, undefined, false);
  assert.equal(s.count('checksum'), 2);
  assert.deepEqual(s.sent(), []);
});

/** The RTO after a timeout with SACK, and an acknowledgment of what it sent again. */
function rtoAfterTimeout(duplicates: boolean): number {
  const s = flight(1, SACK);
  s.wait(10 * MILLI);
  s.in('.', 1, 1461);
  s.flow?.write(new Uint8Array(2 * 1460));
  s.turn();
  s.wait(200 * MILLI);
  if (duplicates) s.in('.', 1, 1461, sackOf(1, 1461));
  s.in('.', 1, 2921);
  return Number(s.stack.connections()[0]!.retransmitTimeoutMicros);
}

test('SACK › data is acknowledged after a timeout › the backoff ends, unless some came twice', () => {
  assert.equal(rtoAfterTimeout(false), 200 * MILLI);
  assert.equal(rtoAfterTimeout(true), 400 * MILLI);
});

test('SACK › the timed segment is reported beyond a hole › that measures the round trip', () => {
  const s = flight(2, SACK);
  s.in('.', 1, 2921);
  s.wait(SECOND);
  s.flow?.write(new Uint8Array(1460));
  s.turn();
  s.flow?.write(new Uint8Array(1460));
  s.wait(80 * MILLI);
  // The first of the two is timed and reported late; the second not at all.
  const before = s.stack.connections()[0]!.smoothedRttMicros;
  s.in('.', 1, 2921, sackOf(2922, 4381));
  const after = s.stack.connections()[0]!.smoothedRttMicros;
  assert.ok(Number(after) > Number(before));
});

test('2 GiB after the last of them › duplicates start a recovery, echoes of marks count', () => {
  const s = new Script({ timestamps: false });
  const flow = s.accept({ options: { mss: 1460 } });
  flow.write(new Uint8Array(14_600));
  s.turn();
  const c = s.connection();
  const loss = lossOf(c);
  const longAgo = seqOf(c.sndMax + 0x4000_0000);
  loss.recover = longAgo;
  loss.hasRecovered = true;
  loss.echoedUntil = longAgo;
  congestionEchoed(c);
  congestionEchoed(c);
  assert.equal(s.count('congestionEchoes'), 1);
  for (let i = 0; i < 3; i++) s.in('.', 1, 1);
  assert.equal(s.count('recoveries'), 1);
});
