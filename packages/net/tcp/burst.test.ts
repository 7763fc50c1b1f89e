/**
 * What a turn does at once: acknowledgments without data are held and applied together, full
 * segments leave as a burst. Every segment that leaves is parsed and its checksum verified
 * (test-script.ts).
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import { HERE } from './test-link.ts';
import { PEER_ISS, Script } from './test-script.ts';

const MSS = 1460;
const SYN = { options: { mss: MSS } };
const MILLI = 1_000;

/** `segments` full segments of one chunk written, the first ten (the initial window) sent. */
function sending(segments: number): Script {
  const s = new Script();
  const flow = s.accept(SYN);
  flow.write(new Uint8Array(segments * MSS).map((_, i) => i % 251));
  s.turn();
  return s;
}

const dataOf = (s: Script): number[] => {
  const bytes = s.out.flatMap(({ repr }) => [...repr.payload]);
  s.out = [];
  return bytes;
};

test('a burst › consecutive full segments, the content in order, no PSH, each with the ack', () => {
  const s = sending(40);
  const lines = s.out.map(({ repr }) => [
    repr.flags,
    repr.payload.length,
    seqOf(repr.ack - PEER_ISS),
  ]);
  assert.deepEqual(lines, new Array(10).fill([16, MSS, 1]));
  assert.deepEqual(
    dataOf(s),
    [...new Uint8Array(10 * MSS).keys()].map((i) => i % 251),
  );
});

test('a burst over the wrap of our sequence numbers › every checksum holds', () => {
  // Both edges of 32-bit numbers: from unsigned's last to 0, and from signed's last to its first.
  for (const edge of [0, 0x7fff_ffff]) {
    const s = new Script();
    const { isn } = s.stack;
    Object.defineProperty(isn, 'at', { value: () => seqOf(edge - 5 * MSS - 100) });
    s.accept(SYN).write(new Uint8Array(40 * MSS).fill(0xff));
    s.turn();
    const first = s.out[0]!.repr.seq;
    assert.equal(first, seqOf(edge - 5 * MSS - 99));
    for (const [i, { repr }] of s.out.entries()) assert.equal(repr.seq, seqOf(first + i * MSS));
    assert.equal(s.out.length, 10);
    assert.ok(s.out[9]!.repr.seq < first || edge === 0);
    s.out = [];
    s.in('.', 1, 1 + 10 * MSS);
    // One acknowledgment lets the window grow by eight segments, RFC 3465 and 9406.
    assert.equal(s.sent().length, 18);
  }
});

test('the device is full in the middle of a burst › the rest follows, nothing twice', () => {
  const s = new Script();
  const flow = s.accept(SYN);
  s.ip.room = 4;
  flow.write(new Uint8Array(40 * MSS).map((_, i) => i % 251));
  s.turn();
  assert.equal(s.out.length, 4);
  s.ip.room = 1;
  s.stack.transmitReady();
  s.check();
  assert.equal(s.out.length, 5);
  s.ip.room = 1_000;
  s.wait(MILLI);
  assert.equal(s.out.length, 10);
  assert.deepEqual(
    dataOf(s),
    [...new Uint8Array(10 * MSS).keys()].map((i) => i % 251),
  );
  assert.equal(s.count('retransmitted'), 0);
});

test('the MTU shrinks between bursts › nothing too long leaves; the timeout cuts anew', () => {
  const s = sending(40);
  s.out = [];
  s.ip.mtuBytes = 1_000;
  s.in('.', 1, 1 + 10 * MSS);
  assert.deepEqual(s.sent(), []);
  s.wait(200 * MILLI);
  assert.deepEqual(s.sent(), [`. ${1 + 10 * MSS}:${1 + 10 * MSS + 960} ack 1`]);
});

test('acknowledgments in one turn › applied once, cwnd grows as by each of them', () => {
  const s = sending(100);
  s.out = [];
  for (let i = 1; i <= 10; i++) s.inject('.', 1, 1 + i * MSS);
  s.check();
  assert.deepEqual(s.out, [], 'nothing leaves before the turn ends');
  assert.equal(s.flow?.queuedBytes, 100 * MSS, 'held');
  s.turn();
  assert.equal(s.flow?.queuedBytes, 90 * MSS);
  assert.equal(s.sent().length, 20);
});

test('a held acknowledgment › then data of an older one › the newer ack and window count', () => {
  const s = sending(40);
  s.out = [];
  s.inject('.', 1, 1 + 4 * MSS, { window: 6 * MSS });
  s.inject('.', 1, 1 + 2 * MSS, { window: 9 * MSS, payload: 'x' });
  s.turn();
  assert.equal(s.flow?.queuedBytes, 36 * MSS);
  assert.equal(s.journal.received, 'x');
  // The peer's window ends where the newer acknowledgment says: with the tenth segment.
  assert.deepEqual(s.sent(), []);
  s.wait(40 * MILLI);
  assert.deepEqual(s.sent(), [`. ${1 + 10 * MSS} ack 2`]);
});

test('a held acknowledgment › then a duplicate › applied, then counted', () => {
  const s = sending(12);
  s.out = [];
  s.inject('.', 1, 1 + 4 * MSS);
  for (let i = 0; i < 3; i++) s.inject('.', 1, 1 + 4 * MSS);
  s.turn();
  assert.equal(s.count('recoveries'), 1);
  assert.ok(s.sent().includes(`. ${1 + 4 * MSS}:${1 + 5 * MSS} ack 1`));
});

test('a held acknowledgment › then the application closes, pauses or resets › applied or gone', () => {
  const ends: Readonly<Record<string, (s: Script) => void>> = {
    shutdown: (s) => s.flow?.shutdown(),
    pause: (s) => s.flow?.pause(),
    abort: (s) => s.flow?.abort(),
    reset: (s) => s.inject('R', 1, null),
    fin: (s) => s.inject('F.', 1, 1 + 10 * MSS),
    malformed: (s) => s.raw(new Uint8Array(20)),
  };
  for (const [how, end] of Object.entries(ends)) {
    const s = sending(12);
    s.inject('.', 1, 1 + 10 * MSS);
    end(s);
    s.check();
    s.turn();
    const isOver = how === 'abort' || how === 'reset';
    assert.equal(s.flow?.queuedBytes, isOver ? 0 : 2 * MSS, how);
    assert.equal(
      s.journal.events.filter((event) => event.startsWith('closed')).length,
      isOver ? 1 : 0,
    );
    s.wait(500 * MILLI);
  }
});

test('a held acknowledgment and the retransmission timeout at one instant › nothing goes again', () => {
  const s = sending(10);
  s.out = [];
  // The turn's packets come before its timers.
  s.timers.now = (s.timers.now + 200 * MILLI) as typeof s.timers.now;
  s.inject('.', 1, 1 + 10 * MSS);
  s.turn();
  assert.deepEqual(s.sent(), []);
  assert.deepEqual([s.count('timeouts'), s.count('retransmitted')], [0, 0]);
});

test('a held acknowledgment, then ICMP "fragmentation needed" › what is acknowledged stays gone', () => {
  const s = sending(12);
  const quoted = new Uint8Array(8);
  const { repr } = s.out[9]!;
  new DataView(quoted.buffer).setUint16(0, repr.sourcePort);
  new DataView(quoted.buffer).setUint16(2, repr.destinationPort);
  new DataView(quoted.buffer).setInt32(4, repr.seq);
  const { to } = s.out[9]!;
  s.out = [];
  s.inject('.', 1, 1 + 9 * MSS);
  s.stack.icmpError({
    kind: 'fragmentation needed',
    mtuBytes: 1_000,
    source: HERE,
    destination: to,
    transport: quoted,
  } as Parameters<typeof s.stack.icmpError>[0]);
  s.turn();
  assert.equal(s.count('pathMtu'), 1);
  assert.ok(s.sent()[0]?.startsWith(`. ${1 + 9 * MSS}:`));
});
