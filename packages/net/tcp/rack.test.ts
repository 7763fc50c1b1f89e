/**
 * RACK-TLP, RFC 8985: losses by time, the reordering window, lost retransmissions, tail loss
 * probes; PRR, RFC 6937; undo by timestamps and by reports of duplicates.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import { bytesOf, Script, type SegmentOptions } from './test-script.ts';

const MILLI = 1_000;
const MSS = 1460;
const SACK = { options: { mss: MSS, sackPermitted: true } };

let base = 0;
/** Options with SACK blocks by segment: [2, 4] is the second to the fourth, of MSS bytes each. */
const has = (...ranges: [number, number][]): SegmentOptions => {
  const sack = new Int32Array(8);
  ranges.forEach(([first, last], i) => {
    sack[2 * i] = seqOf(base + 1 + (first - 1) * MSS);
    sack[2 * i + 1] = seqOf(base + 1 + last * MSS);
  });
  return { options: { sackCount: ranges.length, sack } };
};
/** The acknowledgment number behind the n-th segment, and the line of the n-th. */
const after = (n: number): number => 1 + n * MSS;
const segment = (n: number, flags = '.'): string => `${flags} ${after(n - 1)}:${after(n)} ack 1`;

/** A connection whose round trip is 20 ms, with `count` full segments in flight since 20 ms. */
function flight(count: number, more = 0): Script {
  const s = new Script();
  const flow = s.accept(SACK);
  flow.write(bytesOf('r'));
  s.turn();
  s.wait(20 * MILLI);
  s.in('.', 1, 2);
  // The handshake took no time at all; only real trips count here.
  const c = s.connection();
  c.srtt = 20 * MILLI;
  s.out = [];
  base = s.firstSeq + 1;
  flow.write(new Uint8Array((count + more) * MSS));
  s.turn();
  base = s.out[0]!.repr.seq - 1;
  s.origin(base);
  assert.equal(s.sent().length, Math.min(10, count + more));
  s.wait(20 * MILLI);
  s.out = [];
  return s;
}

test('one later segment is reported › wait a quarter of a round trip, then it is lost', () => {
  const s = flight(4);
  s.in('.', 1, 1, has([2, 2]));
  assert.deepEqual(s.sent(), []);
  s.wait(5 * MILLI - 1);
  assert.deepEqual(s.sent(), []);
  s.wait(1);
  assert.equal(s.sent()[0], segment(1));
  assert.deepEqual([s.count('recoveries'), s.count('timeouts')], [1, 0]);
});

test('it was reordered › its acknowledgment within the window › nothing is sent again', () => {
  const s = flight(4);
  s.in('.', 1, 1, has([2, 2]));
  s.wait(4 * MILLI);
  s.in('.', 1, after(2));
  s.wait(5 * MILLI);
  s.in('.', 1, after(4));
  s.wait(100 * MILLI);
  assert.deepEqual(s.sent(), []);
  assert.equal(s.count('retransmitted'), 0);
});

test('three segments are reported, nothing was ever reordered › lost at once, RFC 8985 §6.2.4', () => {
  const s = flight(5);
  s.in('.', 1, 1, has([2, 3]));
  assert.deepEqual(s.sent(), []);
  s.in('.', 1, 1, has([2, 4]));
  assert.equal(s.sent()[0], segment(1));
});

test('something was reordered before › three reports wait for the window all the same', () => {
  const s = flight(10, 10);
  s.in('.', 1, 1, has([3, 3]));
  s.in('.', 1, after(1), has([3, 3]));
  // The second, late but sent once.
  s.in('.', 1, after(3));
  s.out = [];
  s.in('.', 1, after(3), has([5, 8]));
  assert.equal(s.count('recoveries'), 0);
  s.wait(5 * MILLI);
  assert.equal(s.count('recoveries'), 1);
});

test('a retransmission is lost too › found when what left after it arrives', () => {
  const s = flight(10, 30);
  s.in('.', 1, 1, has([2, 10]));
  const sent = s.sent();
  assert.equal(sent[0], segment(1));
  assert.ok(sent.length > 1, 'new data after it');
  s.wait(20 * MILLI);
  s.in('.', 1, 1, has([2, 11]));
  assert.equal(s.sent()[0], segment(1));
  assert.deepEqual([s.count('recoveries'), s.count('timeouts')], [1, 0]);
});

test('tail › nothing is heard for two round trips › the last segment again, and it tells', () => {
  const s = flight(4);
  s.wait(22 * MILLI - 1);
  assert.deepEqual(s.sent(), []);
  s.wait(1);
  assert.deepEqual(s.sent(), [segment(4, 'P.')]);
  assert.deepEqual([s.count('tailProbes'), s.count('timeouts')], [1, 0]);
  // The peer has everything but the second and the third.
  s.wait(20 * MILLI);
  s.in('.', 1, after(1), has([4, 4]));
  s.wait(10 * MILLI);
  assert.deepEqual(s.sent(), [segment(2), segment(3)]);
  assert.equal(s.count('timeouts'), 0);
});

test('tail › there is new data › the probe is new; one probe only, then the timeout', () => {
  const s = flight(10, 5);
  s.wait(22 * MILLI);
  assert.deepEqual(s.sent(), [segment(11)]);
  s.wait(50 * MILLI);
  assert.equal(s.count('tailProbes'), 1);
  s.wait(200 * MILLI);
  assert.ok(s.count('timeouts') >= 1);
});

test('tail › a flight of one segment, or a peer without SACK › no probe', () => {
  const one = flight(1);
  one.wait(100 * MILLI);
  assert.equal(one.count('tailProbes'), 0);
  const s = new Script();
  s.accept({ options: { mss: MSS } }).write(new Uint8Array(4 * MSS));
  s.turn();
  s.wait(100 * MILLI);
  assert.equal(s.count('tailProbes'), 0);
});

test('tail › the probe repaired a loss › congestion is answered; it came twice › not', () => {
  for (const isTwice of [false, true]) {
    const s = flight(4);
    const before = s.connection().cwnd;
    s.wait(22 * MILLI);
    s.wait(20 * MILLI);
    s.in('.', 1, after(4), isTwice ? has([4, 4]) : {});
    s.flow?.write(new Uint8Array(MSS));
    s.turn();
    s.wait(20 * MILLI);
    s.in('.', 1, after(5));
    assert.equal(s.connection().cwnd < before, !isTwice);
    assert.equal(s.count('recoveries'), 0);
  }
});

test('recovery › as much leaves as arrives, and cwnd ends at ssthresh, RFC 6937', () => {
  const s = flight(10, 40);
  const before = s.connection().cwnd;
  let left = 0;
  for (let n = 2; n <= 10; n++) {
    s.in('.', 1, 1, has([2, n]));
    left += s.sent().length;
    assert.ok(left <= n, `${left} segments left when ${n - 1} had arrived`);
  }
  const { ssthresh } = s.connection();
  assert.equal(ssthresh, Math.floor(0.7 * before));
  s.wait(20 * MILLI);
  s.in('.', 1, after(12));
  assert.deepEqual([s.connection().repair, s.connection().cwnd], [0, ssthresh]);
});

test('a report of duplicates › widens the reordering window; sixteen recoveries without › back', () => {
  const s = flight(4);
  s.in('.', 1, 1, has([2, 4]));
  assert.equal(s.sent()[0], segment(1));
  s.in('.', 1, after(4), has([1, 1]));
  const { loss } = s.connection();
  assert.equal(loss?.windowMult, 2);
});

test('everything that went again came twice › the recovery is undone', () => {
  const s = flight(10, 20);
  const { cwnd, ssthresh } = s.connection();
  s.in('.', 1, 1, has([2, 4]));
  assert.equal(s.sent()[0], segment(1));
  assert.ok(s.connection().ssthresh < cwnd);
  // The first was only late; then the peer tells of the second copy.
  s.in('.', 1, after(4));
  s.in('.', 1, after(4), has([1, 1]));
  assert.equal(s.count('undone'), 1);
  assert.equal(s.connection().ssthresh, Math.max(ssthresh, cwnd));
  assert.equal(s.connection().repair, 0);
});

test('half of what went again came twice › the recovery stands', () => {
  const s = flight(10, 20);
  s.in('.', 1, 1, has([3, 5]));
  assert.deepEqual(s.sent().slice(0, 2), [segment(1), segment(2)]);
  s.in('.', 1, after(5));
  s.in('.', 1, after(5), has([1, 1]));
  assert.equal(s.count('undone'), 0);
});

test('reports of duplicates that nobody can have sent › ignored', () => {
  const s = flight(4);
  s.in('.', 1, 1, has([-90, -80]));
  s.in('.', 1, after(1), { options: { sackCount: 1, sack: new Int32Array(8) } });
  assert.equal(s.count('undone'), 0);
  assert.equal(s.connection().loss?.windowMult, 1);
});
