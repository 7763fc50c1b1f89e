/** Timestamps, RFC 7323: negotiation, echo, PAWS with its exceptions, and both fast paths. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import { THERE } from './test-link.ts';
import { bytesOf, PEER_ISS, Script, type SegmentOptions } from './test-script.ts';

const MILLI = 1_000;
const SECOND = 1_000_000;
const DAY = 86_400 * SECOND;

/** A segment's options with a TSval, the echo aside. */
const at = (timestamp: number, payload = ''): SegmentOptions => ({
  payload,
  options: { hasTimestamps: true, timestamp, timestampEcho: 0 },
});
const SYN = { options: { mss: 1460, sackPermitted: true, hasTimestamps: true, timestamp: 1_000 } };

/** An open connection with timestamps; the peer's clock is at 1,001. */
function open(): Script {
  const s = new Script();
  s.stack.listen(80, (flow) => {
    s.flow = flow;
    flow.attach(s.journal);
  });
  s.in('S', 0, null, SYN);
  s.in('.', 1, 1, at(1_001));
  s.out = [];
  assert.ok(s.flow !== null);
  return s;
}

test('LISTEN › SYN with timestamps › SYN-ACK has them, again too, with a clock that runs', () => {
  const s = new Script();
  s.stack.listen(80, () => {});
  s.in('S', 0, null, SYN);
  const first = s.last().options;
  assert.deepEqual([first.hasTimestamps, first.timestampEcho], [true, 1_000]);
  s.wait(SECOND);
  const again = s.last().options;
  assert.deepEqual([again.hasTimestamps, again.timestampEcho], [true, 1_000]);
  assert.equal((again.timestamp - first.timestamp) | 0, 1_000, 'one a millisecond');
});

test('LISTEN › SYN without timestamps › none in anything', () => {
  const s = new Script();
  const flow = s.accept({ options: { mss: 1460 } });
  flow.write(bytesOf('x'));
  s.turn();
  assert.equal(s.last().options.hasTimestamps, false);
});

test('the origin of the clock › another for each port, the same at each reuse', () => {
  const s = new Script();
  s.stack.listen(80, () => {});
  const clock = (peerPort: number): number => {
    s.in('S', 0, null, { ...SYN, peerPort });
    const { options } = s.last();
    s.in('R', 1, null, { peerPort });
    return options.timestamp;
  };
  const [a, b, again] = [clock(4000), clock(4001), clock(4000)];
  assert.notEqual(a, b);
  assert.equal(a, again);
});

test('connect › timestamps are offered; used when the answer has them, else not', () => {
  for (const hasTimestamps of [true, false]) {
    const s = new Script();
    s.stack.connect(THERE, 4000, (result) => {
      assert.ok(result.ok);
      s.flow = result.value;
      result.value.attach(s.journal);
    });
    const port = s.out[0]!.repr.sourcePort;
    const offer = s.last().options;
    assert.deepEqual([offer.hasTimestamps, offer.timestampEcho], [true, 0]);
    const options = { mss: 1460, hasTimestamps, timestamp: 77 };
    s.in('S.', 0, 1, { options, ourPort: port });
    assert.equal(s.last().options.hasTimestamps, hasTimestamps);
    s.flow?.write(new Uint8Array(3_000));
    s.turn();
    const { options: sent, payload } = s.out[0]!.repr;
    assert.equal(sent.hasTimestamps, hasTimestamps);
    // The option is part of the segment, RFC 6691.
    assert.equal(payload.length, hasTimestamps ? 1448 : 1460);
    if (hasTimestamps) assert.equal(sent.timestampEcho, 77);
  }
});

test('connect, timestamps not offered › an answer with them anyway › not used', () => {
  const s = new Script({ timestamps: false });
  s.stack.connect(THERE, 4000, (result) => result.ok && result.value.attach(s.journal));
  const port = s.out[0]!.repr.sourcePort;
  assert.equal(s.last().options.hasTimestamps, false);
  s.in('S.', 0, 1, { options: { hasTimestamps: true, timestamp: 77 }, ourPort: port });
  assert.equal(s.last().options.hasTimestamps, false);
});

test('data both ways › predicted in spite of the option; bursts carry it', () => {
  const s = open();
  s.flow?.write(new Uint8Array(20 * 1448));
  s.turn();
  assert.equal(s.out.length, 10);
  for (const { repr } of s.out) {
    assert.deepEqual([repr.payload.length, repr.options.hasTimestamps], [1448, true]);
    assert.equal(repr.options.timestampEcho, 1_001);
  }
  s.in('.', 1, 1 + 10 * 1448, at(1_002));
  s.in('.', 1, 1 + 10 * 1448, at(1_003, 'abc'));
  assert.equal(s.count('predicted'), 2);
  assert.equal(s.journal.received, 'abc');
});

test('TS.Recent › follows only a segment where the last acknowledgment ended, RFC 7323 §4.3', () => {
  const s = open();
  s.in('.', 1, 1, at(2_000, 'abc'));
  s.in('.', 4, 1, at(2_010, 'def'));
  // The acknowledgment of both answers the first: the sender's round trip counts our delay.
  assert.equal(s.last().options.timestampEcho, 2_000);
  s.in('.', 10, 1, at(2_020, 'jkl'));
  assert.equal(s.last().options.timestampEcho, 2_000, 'after a hole');
  s.in('.', 7, 1, at(2_030, 'ghi'));
  assert.equal(s.last().options.timestampEcho, 2_030, 'the hole is filled');
});

test('TS.Recent › a segment that acknowledges what was never sent › changes nothing', () => {
  const s = open();
  s.in('.', 1, 1 - 1_000_000, at(0x7000_0000, 'forged'));
  assert.equal(s.journal.received, '');
  s.in('.', 1, 1, at(2_000, 'abc'));
  assert.equal(s.journal.received, 'abc');
});

test('PAWS › a segment from an earlier time › dropped with an acknowledgment, R1', () => {
  const s = open();
  s.in('.', 1, 1, at(1_000, 'old'));
  assert.equal(s.journal.received, '');
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  assert.equal(s.count('paws'), 1);
  s.in('.', 1, 1, at(1_001, 'new'));
  assert.equal(s.journal.received, 'new');
  // Half of the circle further is earlier too.
  s.in('.', 4, 1, at((1_001 + 0x8000_0000) | 0, 'old'));
  assert.equal(s.journal.received, 'new');
});

test('PAWS › acknowledgments without data from an earlier time › answered, but rationed', () => {
  const s = open();
  for (let i = 0; i < 5; i++) s.in('.', 1, 1, at(900));
  assert.equal(s.count('paws'), 5);
  assert.equal(s.sent().length, 1);
});

test('PAWS › a RST from an earlier time, or without timestamps › resets, RFC 7323 §5.2', () => {
  for (const options of [at(1), {}]) {
    const s = open();
    s.in('R', 1, null, options);
    assert.deepEqual(s.journal.events, ['closed reset']);
  }
});

test('PAWS › silent for 24 days › any timestamp counts, §5.5; a second less › not', () => {
  for (const [silence, events] of [
    [24 * DAY - SECOND, []],
    [24 * DAY + SECOND, ['data x']],
  ] as const) {
    const s = open();
    s.wait(silence);
    s.in('.', 1, 1, at(1_000, 'x'));
    assert.deepEqual(s.journal.events, events);
  }
});

test('a segment without the timestamps that were agreed on › dropped silently, RFC 7323 §3.2', () => {
  const s = open();
  s.in('.', 1, 1, { payload: 'x' });
  assert.equal(s.journal.received, '');
  assert.deepEqual(s.sent(), []);
  assert.equal(s.count('noTimestamps'), 1);
});

test('a header that promises timestamps beyond its end › malformed', () => {
  const s = open();
  const segment = new Uint8Array(24);
  segment.set([4000 >> 8, 4000 & 255, 0, 80]);
  new DataView(segment.buffer).setInt32(4, (PEER_ISS + 1) | 0);
  new DataView(segment.buffer).setInt32(8, (s.firstSeq + 1) | 0);
  segment[12] = 0x80;
  segment[13] = 0x10;
  s.raw(segment);
  assert.equal(s.count('malformed'), 1);
});

test('SACK beside timestamps › three blocks', () => {
  const s = open();
  for (let i = 0; i < 5; i++) s.in('.', 3 + 2 * i, 1, at(1_002 + i, 'x'));
  const { options } = s.last();
  assert.deepEqual([options.sackCount, options.hasTimestamps], [3, true]);
});

test('TIME_WAIT › a FIN again › acknowledged with timestamps; a later SYN › reuses, RFC 6191', () => {
  const s = open();
  s.flow?.shutdown();
  s.turn();
  s.in('.', 1, 2, at(1_010));
  s.in('F.', 1, 2, at(1_020));
  assert.equal(s.count('timeWait'), 1);
  s.out = [];
  s.wait(100 * MILLI);
  s.in('F.', 1, 2, at(1_030));
  const { options } = s.last();
  assert.deepEqual([options.hasTimestamps, options.timestampEcho], [true, 1_020]);
  // Below everything seen by its sequence number, but later by its timestamp.
  const earlier = { options: { ...SYN.options, timestamp: 1_019 } };
  s.in('S', -5_000, null, earlier);
  assert.equal(s.count('timeWait'), 1);
  s.in('S', -5_000, null, { options: { ...SYN.options, timestamp: 1_040 } });
  assert.equal(s.count('timeWait'), 0);
});

/** An open connection with timestamps and SACK, ten segments in flight for 20 ms. */
function sending(): { s: Script; stamp: number } {
  const s = open();
  s.flow?.write(new Uint8Array(40 * 1448));
  s.turn();
  const stamp = s.out[0]!.repr.options.timestamp;
  s.wait(20 * MILLI);
  s.out = [];
  return { s, stamp };
}

/** An acknowledgment that echoes `echo`, perhaps with a block of segments. */
const echoes = (s: Script, echo: number, first = 0, last = 0): SegmentOptions => {
  const sack = new Int32Array(8);
  sack[0] = seqOf(s.firstSeq + 1 + (first - 1) * 1448);
  sack[1] = seqOf(s.firstSeq + 1 + last * 1448);
  const sackCount = first > 0 ? 1 : 0;
  const options = { hasTimestamps: true, timestamp: 1_100, timestampEcho: echo, sackCount, sack };
  return { options };
};

test('fast recovery › the answer is to the first sending › undone, RFC 3522', () => {
  const { s, stamp } = sending();
  const before = s.connection().cwnd;
  s.in('.', 1, 1, echoes(s, stamp, 2, 4));
  assert.equal(s.count('recoveries'), 1);
  s.wait(MILLI);
  s.in('.', 1, 1 + 4 * 1448, echoes(s, stamp));
  assert.equal(s.count('undone'), 1);
  const { repair, ssthresh } = s.connection();
  assert.deepEqual([repair, ssthresh >= before], [0, true]);
});

test('fast recovery › the answer is to the retransmission › stands', () => {
  const { s, stamp } = sending();
  s.in('.', 1, 1, echoes(s, stamp, 2, 4));
  const again = s.out[0]!.repr.options.timestamp;
  s.wait(20 * MILLI);
  s.in('.', 1, 1 + 4 * 1448, echoes(s, again));
  assert.equal(s.count('undone'), 0);
});

test('timeout › the answer is to the first sending › undone, and nothing else goes again', () => {
  const { s, stamp } = sending();
  s.wait(400 * MILLI);
  assert.ok(s.count('timeouts') >= 1);
  const retransmitted = s.count('retransmitted');
  s.in('.', 1, 1 + 4 * 1448, echoes(s, stamp));
  assert.equal(s.count('undone'), 1);
  s.in('.', 1, 1 + 10 * 1448, echoes(s, stamp));
  assert.equal(s.count('retransmitted'), retransmitted);
  assert.ok(s.connection().cwnd > 4 * 1448);
});

test('timeout › the answer is late › the round trip is measured by it, the backoff ends', () => {
  const { s } = sending();
  s.wait(SECOND);
  const last = s.connection().sentAt;
  const again = s.out[s.out.length - 1]!.repr.options.timestamp;
  s.in('.', 1, 1 + 10 * 1448, echoes(s, again));
  assert.equal(s.connection().retries, 0);
  assert.equal(s.connection().srtt, s.timers.now - last);
});
