/**
 * Peers that want our memory: floods, silence, crumbs. The stack stays inside its budget, which
 * `check` looks at, and somebody who means well is served meanwhile.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds, seqOf } from '#core';
import type { Flow } from '#device';
import type { Ipv4Address } from '../ip.ts';
import { memoryBytesDefault, memoryBytesMin, memoryLevels } from '../limits.ts';
import { CONNECTION_BYTES, IDLE_MIN, RECEIVE_RANGES_MAX, STALLED_MIN } from './limits.ts';
import { Random } from './test-link.ts';
import { Journal, PEER_ISS, Script } from './test-script.ts';

const MILLI = 1_000;
const SECOND = 1_000_000;
const FRIEND = 0x0c000001 as Ipv4Address;
const SYN = { mss: 1460, windowShift: 7, sackPermitted: true };
const most = (bytes: number) =>
  Math.floor((bytes * memoryLevels.connections.total) / CONNECTION_BYTES);

/** Many peers of a server that answers each data event with a byte. */
class Crowd {
  readonly s: Script;
  readonly flows: Flow[] = [];
  opened = 0;
  private friends = 0;

  constructor(memoryBytes = memoryBytesDefault, serve?: (flow: Flow) => void) {
    this.s = new Script({ memoryBytes });
    this.s.stack.listen(80, (flow) => {
      this.opened += 1;
      if (serve !== undefined) {
        serve(flow);
        return;
      }
      const journal = new Journal();
      journal.onData = () => flow.write(Uint8Array.of(1));
      flow.attach(journal);
    });
  }

  /** A peer for each number, at an address of its own, sends a SYN; returns what to acknowledge. */
  syn(i: number): number {
    this.s.out = [];
    this.s.inject('S', 0, null, { ...this.end(i), options: SYN });
    const answer = this.s.out[0]?.repr;
    return answer === undefined ? 0 : seqOf(answer.seq + 1 - this.s.firstSeq);
  }

  open(i: number, window = 65_535): number {
    const ack = this.syn(i);
    this.s.inject('.', 1, ack, { ...this.end(i), window });
    return ack;
  }

  end(i: number) {
    return { peer: (0x0b000000 + (i >> 3)) as Ipv4Address, peerPort: 10_000 + (i & 7) };
  }

  /** Time goes by, and everything is checked. */
  wait(micros: number): void {
    this.s.wait(micros);
    this.s.out = [];
    assert.ok(this.s.stack.memory.usedBytes <= this.s.stack.memory.bytesMax);
  }

  /** Somebody connects and asks, as patiently as TCP is; gives up after a minute. */
  serveFriend(): void {
    const { s } = this;
    const end = { peer: FRIEND, peerPort: 2_000 + this.friends++ };
    s.out = [];
    s.in('S', 0, null, { ...end, options: SYN });
    const answer = s.out.find(({ to }) => to === FRIEND)?.repr;
    assert.ok(answer !== undefined, 'a SYN-ACK');
    const ack = seqOf(answer.seq + 1 - s.firstSeq);
    for (let wait = SECOND; wait < 64 * SECOND; wait *= 2) {
      s.out = [];
      s.in('P.', 1, ack, { ...end, payload: 'x' });
      s.turn();
      const reply = s.out.find(({ repr, to }) => to === FRIEND && repr.payload.length > 0)?.repr;
      if (reply !== undefined) {
        s.in('R', seqOf(reply.ack - PEER_ISS), null, end);
        return;
      }
      this.wait(wait);
    }
    assert.fail('not served');
  }
}

test('SYN flood › 100,000 SYNs › inside the budget, cookies, others are served', () => {
  const crowd = new Crowd();
  for (let i = 0; i < 100_000; i++) {
    crowd.syn(i);
    if (i % 100 === 0) crowd.wait(MILLI);
    if (i % 20_000 === 0) crowd.serveFriend();
  }
  crowd.serveFriend();
  const { s } = crowd;
  assert.ok(s.count('cookies') > 99_000);
  assert.ok(s.stack.halfOpen.size * CONNECTION_BYTES <= memoryBytesDefault / 8);
  crowd.wait(60 * SECOND);
  assert.equal(s.count('connections'), 0);
  assert.equal(s.stack.memory.usedBytes, 0);
});

test('100,000 connections that say nothing, 5,000 a second › the longest idle go, others are served', () => {
  const crowd = new Crowd();
  for (let i = 0; i < 100_000; i++) {
    crowd.open(i);
    if (i % 50 === 0) crowd.wait(10 * MILLI);
    if (i % 20_000 === 0) crowd.serveFriend();
  }
  crowd.serveFriend();
  const { s } = crowd;
  assert.ok(s.count('connections') <= most(memoryBytesDefault));
  assert.ok(s.count('connections') > most(memoryBytesDefault) / 2);
  assert.ok(s.count('idleEvicted') > 1_000);
  assert.ok(s.count('acceptsHeld') > 1_000);
});

test('connections › as many as the budget has, one more › open, refused until one is idle', () => {
  const crowd = new Crowd(memoryBytesMin);
  const { s } = crowd;
  const count = most(memoryBytesMin);
  for (let i = 0; i < count; i++) {
    crowd.open(i);
    crowd.wait(2 * MILLI);
  }
  assert.equal(s.count('connections'), count);
  const last = crowd.open(count);
  assert.equal(s.count('connections'), count);
  assert.equal(s.count('connectionsFull'), 1);
  crowd.wait(IDLE_MIN);
  s.inject('P.', 1, last, { ...crowd.end(count), payload: 'x' });
  crowd.wait(0);
  assert.equal(s.count('idleEvicted'), 1);
  assert.equal(crowd.opened, count + 1);
});

test('idle › a second less a bit, a second › stays, goes; a busy one stays', () => {
  const crowd = new Crowd(memoryBytesMin);
  const { s } = crowd;
  const acks = [crowd.open(0), crowd.open(1)];
  crowd.wait(0);
  const { connections } = s.stack.tcpMemory;
  const fill = () => {
    const bytes = connections.totalBytesMax - s.stack.memory.usedBytes;
    assert.ok(connections.take(bytes));
    assert.equal(connections.take(1), false);
    connections.give(bytes);
  };
  fill();
  crowd.wait(IDLE_MIN - 1);
  fill();
  assert.equal(s.count('idleEvicted'), 0);
  // The second one says something and takes the answer.
  s.inject('P.', 1, acks[1]!, { ...crowd.end(1), payload: 'x' });
  s.turn();
  s.inject('.', 2, acks[1]! + 1, crowd.end(1));
  crowd.wait(1);
  const bytes = connections.totalBytesMax - s.stack.memory.usedBytes;
  assert.ok(connections.take(bytes));
  assert.equal(connections.take(1), true);
  connections.give(bytes + 1);
  s.turn();
  assert.equal(s.count('idleEvicted'), 1);
  assert.deepEqual(
    s.stack.connections().map(({ remote }) => remote),
    ['11.0.0.0:10001'],
  );
});

test('peers that never read, windows closed for ever › others are served, they end after 5 min', () => {
  const crowd = new Crowd(memoryBytesDefault, (flow) => {
    const journal = new Journal();
    journal.onData = () => flow.write(new Uint8Array(1_000));
    flow.attach(journal);
    if (flow.remote.address.startsWith('11.')) flow.write(new Uint8Array(100_000));
  });
  const { s } = crowd;
  // As many as there is room for: sockstress.
  const acks: number[] = [];
  for (let i = 0; i < 1_500; i++) {
    acks.push(crowd.open(i, 0));
    if (i % 10 === 0) crowd.wait(10 * MILLI);
  }
  const held = s.count('connections');
  // Each has an array of chunks, too.
  assert.ok(held > most(memoryBytesDefault) * 0.75);
  crowd.wait(STALLED_MIN);
  crowd.serveFriend();
  // They answer every probe: nothing in, nothing out.
  for (let i = 0; i < 40; i++) {
    for (let k = 0; k < acks.length; k++) {
      s.inject('.', 1, acks[k]!, { ...crowd.end(k), window: 0 });
    }
    crowd.wait(10 * SECOND);
  }
  assert.equal(s.count('connections'), 0);
  assert.equal(s.stack.memory.usedBytes, 0);
});

test('crumbs after holes from 500 peers › bounded, evicted, others are served', () => {
  const crowd = new Crowd();
  const { s } = crowd;
  const { outOfOrder } = s.stack.tcpMemory;
  for (let i = 0; i < 500; i++) {
    const ack = crowd.open(i);
    for (let k = 0; k < RECEIVE_RANGES_MAX + 10; k++) {
      s.inject('.', 3 + 800 * k, ack, { ...crowd.end(i), payload: 'x' });
    }
    assert.ok(outOfOrder.usedBytes <= outOfOrder.bytesMax);
    if (i % 20 === 0) crowd.wait(10 * MILLI);
    if (i % 100 === 0) crowd.serveFriend();
  }
  assert.ok(s.count('outOfOrderEvicted') > 100);
  crowd.serveFriend();
});

test('data after a hole › evicted › not acknowledged; it comes again and all is delivered', () => {
  const s = new Script();
  s.accept({ options: SYN });
  s.in('.', 4, 1, { payload: 'def' });
  assert.deepEqual(s.out[0]!.repr.options.sackCount, 1);
  s.out = [];
  const { outOfOrder } = s.stack.tcpMemory;
  outOfOrder.reclaim?.(1);
  assert.equal(outOfOrder.usedBytes, 0);
  s.check();
  s.in('.', 1, 1, { payload: 'abc' });
  s.wait(SECOND);
  assert.deepEqual(s.sent(), ['. 1 ack 4']);
  s.in('.', 4, 1, { payload: 'def' });
  assert.equal(s.journal.received, 'abcdef');
});

test('data after a hole › what a paused reader has is never evicted', () => {
  const s = new Script();
  const flow = s.accept({ options: SYN });
  flow.pause();
  s.in('.', 1, 1, { payload: 'abc' });
  s.in('.', 10, 1, { payload: 'z' });
  const { outOfOrder, received } = s.stack.tcpMemory;
  assert.ok(received.usedBytes > 4_096);
  assert.equal(outOfOrder.usedBytes, 0);
  outOfOrder.reclaim?.(1_000_000);
  flow.resume();
  s.turn();
  assert.equal(s.journal.received, 'abc');
});

test('acknowledgments byte by byte › the window grows by what they say, no faster, RFC 3465', () => {
  const s = new Script();
  const flow = s.accept({ options: SYN });
  flow.write(new Uint8Array(1_000_000));
  s.turn();
  const first = s.sent().length;
  for (let byte = 1; byte <= 1_460; byte++) s.inject('.', 1, 1 + byte, { window: 512 });
  s.turn();
  // A segment's worth of acknowledgments: that segment and one for growth.
  assert.ok(s.out.length <= 2, `${first} ${s.out.length}`);
  s.check();
});

test('zero window for ever › answered probes › ends after the user timeout, with a RST', () => {
  const s = new Script({ limits: { userTimeout: seconds(120) } });
  const flow = s.accept({ options: SYN, window: 0 });
  flow.write(new Uint8Array(10));
  for (let t = 0; t < 115; t++) {
    s.wait(SECOND);
    s.in('.', 1, 1, { window: 0 });
  }
  assert.deepEqual(s.journal.events, []);
  for (let t = 0; t < 120; t++) {
    s.wait(SECOND);
    if (s.count('connections') > 0) s.in('.', 1, 1, { window: 0 });
  }
  assert.deepEqual(s.journal.events, ['closed timeout']);
  assert.equal(s.last().flags & 4, 4);
});

test('window closed before what is in flight › says so for ever › ends after the user timeout', () => {
  const s = new Script({ limits: { userTimeout: seconds(120) } });
  const flow = s.accept({ options: SYN });
  flow.write(new Uint8Array(10));
  s.turn();
  for (let t = 0; t < 115; t++) {
    s.wait(SECOND);
    s.in('.', 1, 1, { window: 0 });
  }
  assert.deepEqual(s.journal.events, []);
  for (let t = 0; t < 120; t++) {
    s.wait(SECOND);
    if (s.count('connections') > 0) s.in('.', 1, 1, { window: 0 });
  }
  assert.deepEqual(s.journal.events, ['closed timeout']);
  assert.equal(s.last().flags & 4, 4);
});

test('memory is full › an idle connection whose reader is paused gets data › isn’t evicted for it', () => {
  const s = new Script();
  const flow = s.accept({ options: SYN });
  flow.pause();
  const { sendQueues, connections } = s.stack.tcpMemory;
  // Its own memory would make the room.
  assert.ok(sendQueues.take(memoryBytesDefault - s.stack.memory.usedBytes - 3_000));
  connections.reclaim?.(1);
  s.wait(2 * IDLE_MIN);
  s.in('P.', 1, 1, { payload: 'abc' });
  // No room: not acknowledged, and it comes again.
  assert.equal(s.count('receiveMemory'), 1);
  sendQueues.give(sendQueues.usedBytes);
  s.in('P.', 1, 1, { payload: 'abc' });
  flow.resume();
  s.turn();
  assert.equal(s.journal.received, 'abc');
});

test('a paused reader has data › evicted when its peer takes nothing either, else not', () => {
  for (const [written, evicted] of [
    [0, 0],
    [10, 1],
  ] as const) {
    const s = new Script();
    const flow = s.accept({ options: SYN, window: 0 });
    flow.pause();
    s.in('P.', 1, 1, { payload: 'abc', window: 0 });
    flow.write(new Uint8Array(written));
    s.turn();
    const { connections } = s.stack.tcpMemory;
    connections.reclaim?.(1);
    s.wait(2 * STALLED_MIN);
    connections.reclaim?.(1);
    assert.equal(s.count('idleEvicted'), evicted);
    s.turn();
    if (evicted > 0) assert.equal(s.received(), 0);
  }
});

test('memory is full › a flow that is written to and whose peer takes nothing › reset, all given back', () => {
  const s = new Script();
  const flow = s.accept({ options: SYN, window: 0 });
  flow.lowWaterBytes = 100;
  flow.write(new Uint8Array(100));
  s.turn();
  const { received, connections, sendQueues } = s.stack.tcpMemory;
  connections.reclaim?.(1);
  assert.ok(received.take(memoryBytesDefault - s.stack.memory.usedBytes));
  s.wait(2 * STALLED_MIN);
  flow.write(new Uint8Array(1));
  s.turn();
  assert.deepEqual(s.journal.events, ['closed reset']);
  assert.equal(sendQueues.usedBytes, 0);
});

test('zero window › a byte is taken now and then › no timeout', () => {
  const s = new Script({ limits: { userTimeout: seconds(60) } });
  const flow = s.accept({ options: SYN, window: 0 });
  flow.write(new Uint8Array(10));
  for (let byte = 1; byte <= 8; byte++) {
    for (let t = 0; t < 50; t++) {
      s.wait(SECOND);
      s.in('.', 1, byte, { window: 0 });
    }
    s.in('.', 1, byte + 1, { window: 0 });
  }
  assert.deepEqual(s.journal.events, []);
});

test('windows › the budget fills › smaller, and their right edge never goes back', () => {
  const s = new Script();
  s.accept({ options: { mss: 1460 } });
  let seq = 1;
  let edge = 0;
  const look = (): number => {
    s.in('P.', seq, 1, { payload: new Uint8Array(1_000) });
    seq += 1_000;
    s.wait(50 * MILLI);
    const { ack, window } = s.last();
    const right = seqOf(ack - PEER_ISS) + window;
    assert.ok(right >= edge, `${right} after ${edge}`);
    edge = right;
    return window;
  };
  assert.equal(look(), 65_535);
  const { received } = s.stack.tcpMemory;
  const bytes = Math.floor(memoryBytesDefault * 0.9);
  assert.ok(received.take(bytes));
  let window = 65_535;
  for (let i = 0; i < 60; i++) window = look();
  assert.ok(window < 14_000, `${window}`);
  assert.ok(received.take(memoryBytesDefault - s.stack.memory.usedBytes));
  for (let i = 0; i < 20; i++) window = look();
  assert.ok(window >= 4_096 && window < 5_200, `${window}`);
  received.give(received.usedBytes);
  for (let i = 0; i < 3; i++) window = look();
  assert.equal(window, 65_535);
});

test('crumbs, overlaps, any order › of each place the last byte that came before delivery', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const s = new Script();
    s.accept({ options: SYN });
    const length = 3_000;
    const model: number[] = [];
    let next = 0;
    for (let step = 0; step < 400 || next < length; step++) {
      const from = random.next() < 0.3 ? next : next + Math.floor(random.next() * 1_500);
      const start = Math.min(length - 1, Math.max(0, from - Math.floor(random.next() * 40)));
      const count = Math.min(length - start, 1 + Math.floor(random.next() * 80));
      const payload = new Uint8Array(count).map(() => Math.floor(random.next() * 256));
      s.inject('.', 1 + start, 1, { payload });
      // Kept, unless there are too many ranges: then the peer would send it again.
      const isKept = s.count('receiveMemory') === 0;
      assert.ok(isKept, `seed ${seed}`);
      for (let i = 0; i < count; i++) {
        if (start + i >= next) model[start + i] = payload[i]!;
      }
      while (next < length && model[next] !== undefined) next += 1;
      assert.equal(s.journal.received.length, next, `seed ${seed}`);
      if (step % 20 === 0) s.turn();
    }
    for (let i = 0; i < length; i++) assert.equal(s.journal.received.charCodeAt(i), model[i]);
    s.turn();
    assert.equal(s.received(), 0);
  }
});
