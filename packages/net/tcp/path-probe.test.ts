/** Black holes, RFC 4821: smaller segments after timeouts, and back when a larger one passes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import { Script } from './test-script.ts';

const MILLI = 1_000;
const SECOND = 1_000_000;
const SACK = { options: { mss: 1460, sackPermitted: true } };
const SMALL = 1240;

/** Full segments vanished: the third timeout in a row made them smaller, and those arrive. */
function shrunk(): Script {
  const s = new Script();
  s.accept(SACK).write(new Uint8Array(10 * 1460));
  s.turn();
  s.out = [];
  s.wait(1_500 * MILLI);
  assert.equal(s.count('blackHoles'), 1);
  assert.equal(s.out[s.out.length - 1]!.repr.payload.length, SMALL);
  s.in('.', 1, 1 + SMALL);
  s.in('.', 1, 1 + 10 * 1460);
  assert.equal(s.connection().repair, 0);
  s.out = [];
  return s;
}

/** Sends and acknowledges for `seconds`, ten small segments at a time. */
function chatter(s: Script, from: number, seconds: number): number {
  let acked = from;
  for (let i = 0; i < seconds; i += 10) {
    s.flow?.write(new Uint8Array(10 * SMALL));
    s.turn();
    acked += 10 * SMALL;
    s.in('.', 1, 1 + acked);
    s.wait(10 * SECOND);
  }
  s.out = [];
  return acked;
}

test('two timeouts › the same size again; three in a row › smaller; few bytes › never', () => {
  const s = new Script();
  s.accept(SACK).write(new Uint8Array(10 * 1460));
  s.turn();
  s.wait(700 * MILLI);
  assert.equal(s.out[s.out.length - 1]!.repr.payload.length, 1460);
  assert.equal(s.count('blackHoles'), 0);
  const little = new Script();
  little.accept(SACK).write(new Uint8Array(500));
  little.turn();
  little.wait(60 * SECOND);
  assert.ok(little.count('timeouts') > 4);
  assert.equal(little.count('blackHoles'), 0);
});

test('a segment that is not full, but too large for the way › smaller all the same', () => {
  const s = new Script({ mtuBytes: 9_000 });
  s.accept({ options: { mss: 8_960 } }).write(new Uint8Array(1_464));
  s.turn();
  s.wait(1_500 * MILLI);
  assert.equal(s.count('blackHoles'), 1);
  assert.equal(s.out[s.out.length - 1]!.repr.payload.length, 1_460);
});

test('timeouts go on › smaller and smaller, down to 576', () => {
  const s = new Script();
  s.accept(SACK).write(new Uint8Array(10 * 1460));
  s.turn();
  s.wait(150 * SECOND);
  assert.equal(s.count('blackHoles'), 3);
  assert.equal(s.connection().mss, 536);
});

test('ten minutes later › one larger segment; it arrives › all are as large again', () => {
  const s = shrunk();
  const acked = chatter(s, 10 * 1460, 600);
  s.flow?.write(new Uint8Array(20 * SMALL));
  s.turn();
  const sizes = s.out.map(({ repr }) => repr.payload.length);
  assert.equal(sizes[0], 1460);
  assert.deepEqual(new Set(sizes.slice(1, 8)), new Set([SMALL]));
  s.in('.', 1, 1 + acked + 1460 + SMALL);
  s.out = [];
  s.flow?.write(new Uint8Array(40 * 1460));
  s.turn();
  assert.equal(s.connection().mss, 1460);
  assert.equal(s.connection().pathProbe, null);
});

test('the larger segment is lost › cut small, and no sign of congestion; ten minutes › again', () => {
  const s = shrunk();
  const acked = chatter(s, 10 * 1460, 600);
  s.flow?.write(new Uint8Array(20 * SMALL));
  s.turn();
  assert.equal(s.out[0]!.repr.payload.length, 1460);
  const first = s.out[0]!.repr.seq;
  const { cwnd } = s.connection();
  s.out = [];
  s.wait(MILLI);
  const sack = new Int32Array(8);
  sack[0] = seqOf(first + 1460);
  sack[1] = seqOf(first + 1460 + 3 * SMALL);
  s.in('.', 1, 1 + acked, { options: { sackCount: 1, sack } });
  s.turn();
  assert.deepEqual(s.sent().slice(0, 2), [
    `. ${1 + acked}:${1 + acked + SMALL} ack 1`,
    `. ${1 + acked + SMALL}:${1 + acked + 1460} ack 1`,
  ]);
  assert.equal(s.count('recoveries'), 0);
  assert.ok(s.connection().cwnd >= cwnd);
  assert.equal(s.connection().mss, SMALL);
  assert.ok((s.connection().pathProbe?.nextAt ?? 0) > s.timers.now + 599 * SECOND);
});
