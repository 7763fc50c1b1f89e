/**
 * The receive window's growth, quick acknowledgments, reports of duplicates (RFC 2883), and the
 * send queue's mark.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import { PEER_ISS, Script } from './test-script.ts';

const MILLI = 1_000;
const MSS = 1460;
const SYN = { options: { mss: MSS, sackPermitted: true, windowShift: 7 } };
const SEGMENT = 'x'.repeat(MSS);

/** An open connection with a round trip of 20 ms. */
function open(limits = {}): Script {
  const s = new Script({ limits });
  s.stack.listen(80, (flow) => {
    s.flow = flow;
    flow.attach(s.journal);
  });
  s.in('S', 0, null, SYN);
  s.wait(20 * MILLI);
  s.in('.', 1, 1);
  s.out = [];
  return s;
}

/** `count` full segments from stream offset `from` on, over `micros`; returns the next offset. */
function receive(s: Script, from: number, count: number, micros: number): number {
  for (let i = 0; i < count; i++) {
    s.in('.', from + i * MSS, 1, { payload: SEGMENT });
    s.wait(micros / count);
  }
  return from + count * MSS;
}

/** What the next acknowledgment advertises. */
const advertised = (s: Script): number => s.last().window << 5;

test('half a window within a round trip › the window doubles, up to the limit', () => {
  const s = open({ receiveWindowBytesMax: 262_144 });
  // The limit's shift is 3, not 5 as by default.
  const window = (): number => s.last().window << 3;
  let at = receive(s, 1, 23, 10 * MILLI);
  assert.equal(window(), 65_536, 'the first half starts the clock');
  at = receive(s, at, 24, 10 * MILLI);
  s.wait(40 * MILLI);
  assert.equal(window(), 131_072);
  at = receive(s, at, 45, 10 * MILLI);
  at = receive(s, at, 46, 10 * MILLI);
  assert.equal(window(), 262_144);
  receive(s, at, 200, 10 * MILLI);
  assert.equal(window(), 262_144);
  assert.equal(s.count('windowsGrown'), 2);
});

test('half a window takes two round trips › the window stays', () => {
  const s = open();
  const at = receive(s, 1, 23, 40 * MILLI);
  receive(s, at, 100, 200 * MILLI);
  s.turn();
  assert.equal(advertised(s), 65_536);
});

test('memory is scarce › the window stays', () => {
  const s = open();
  const at = receive(s, 1, 23, 10 * MILLI);
  const account = s.stack.memory.account('received');
  assert.ok(account.take(Math.floor(account.bytesMax * 0.9)));
  const other = s.stack.memory.account('connections');
  while (s.stack.memory.windowShare >= 1) assert.ok(other.take(10_000));
  receive(s, at, 46, 10 * MILLI);
  assert.equal(s.count('windowsGrown'), 0);
});

test('the peer does not scale windows › never beyond 65,535', () => {
  const s = new Script();
  s.accept({ options: { mss: MSS } });
  s.out = [];
  let at = receive(s, 1, 23, MILLI);
  for (let i = 0; i < 5; i++) at = receive(s, at, 40, MILLI);
  assert.equal(s.last().window, 65_535);
});

test('the first full segments › acknowledged one by one; later every second, RFC 5681 §4.2', () => {
  const s = open();
  let at = receive(s, 1, 4, 0);
  assert.equal(s.out.length, 4);
  at = receive(s, at, 30, 0);
  s.out = [];
  at = receive(s, at, 4, 0);
  assert.equal(s.out.length, 2);
  // After a hole again one by one.
  s.in('.', at + MSS, 1, { payload: SEGMENT });
  at = receive(s, at, 1, 0) + MSS;
  s.out = [];
  receive(s, at, 4, 0);
  assert.equal(s.out.length, 4);
});

test('a short segment at first › its acknowledgment waits for the answer all the same', () => {
  const s = open();
  s.in('P.', 1, 1, { payload: 'GET /' });
  assert.deepEqual(s.sent(), []);
  s.wait(40 * MILLI);
  assert.deepEqual(s.sent(), ['. 1 ack 6']);
});

const blocks = (s: Script): number[] => {
  const { options } = s.last();
  return [...options.sack.subarray(0, 2 * options.sackCount)].map((edge) => seqOf(edge - PEER_ISS));
};

test('text came twice › reported once, RFC 2883: below the acknowledgment, or in a range', () => {
  const s = open();
  s.in('.', 1, 1, { payload: 'abcdef' });
  s.wait(50 * MILLI);
  s.in('.', 1, 1, { payload: 'abcdef' });
  assert.deepEqual(blocks(s), [1, 7]);
  // Half of it is new.
  s.in('.', 4, 1, { payload: 'defghi' });
  assert.deepEqual(blocks(s), [4, 7]);
  assert.equal(s.journal.received, 'abcdefghi');
  s.in('.', 20, 1, { payload: 'uvwxyz' });
  assert.deepEqual(blocks(s), [20, 26]);
  s.in('.', 22, 1, { payload: 'wxy' });
  assert.deepEqual(blocks(s), [22, 25, 20, 26]);
  s.in('.', 19, 1, { payload: 'tu' });
  assert.deepEqual(blocks(s), [19, 26], 'an overlap is no duplicate');
});

test('text came twice › the peer has no SACK › an acknowledgment without blocks', () => {
  const s = new Script();
  s.accept({ options: { mss: MSS } });
  s.in('.', 1, 1, { payload: 'abc' });
  s.in('.', 1, 1, { payload: 'abc' });
  assert.equal(s.last().options.sackCount, 0);
});

test('cwnd grows › so does the mark of a flow that nobody set one for', () => {
  for (const mark of [null, 50_000, 65_536]) {
    const s = open();
    const { flow } = s;
    assert.ok(flow !== null);
    if (mark !== null) flow.lowWaterBytes = mark;
    flow.write(new Uint8Array(400_000));
    s.turn();
    for (let acked = 0; acked < 200_000; acked += 10 * MSS) s.in('.', 1, 1 + acked);
    const { cwnd } = s.connection();
    assert.ok(cwnd > 50_000);
    assert.equal(flow.lowWaterBytes, mark ?? Math.floor(2 * cwnd));
  }
});

test('the mark has grown › a writer with a bound of its own › is told to go on', () => {
  for (const [bound, piece] of [
    [65_536, 1_000],
    [100_000, 10_000],
    [262_144, 65_521],
    [70_000, 500_000],
  ] as const) {
    const s = open();
    const { flow } = s;
    assert.ok(flow !== null);
    let written = 0;
    const more = (): void => {
      while (flow.queuedBytes <= bound && written < 2_000_000) {
        flow.write(new Uint8Array(piece));
        written += piece;
      }
    };
    s.journal.drained = more;
    more();
    s.turn();
    for (let acked = 0; acked < 2_000_000; ) {
      const sent = s.connection().sndMax - s.connection().sndUna;
      assert.ok(sent > 0, `${acked} bytes went, ${written} were written, ${bound} at a time`);
      acked += Math.min(sent, 10 * MSS);
      s.in('.', 1, 1 + acked);
      s.turn();
    }
  }
});
