/** CUBIC, RFC 9438: the curve, fast convergence, the Reno-friendly region, idle time, undo. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instant, instantOfMicros } from '#core';
import { Cubic } from './cubic.ts';

const MSS = 1000;
const SECOND = 1_000_000;
const at = (seconds: number): Instant => instantOfMicros(Math.round(seconds * SECOND));

/** The window after `seconds` of a full window acknowledged each `rtt`, in `steps` a round trip. */
function run(cubic: Cubic, start: number, rtt: number, from: number, to: number): number {
  let cwnd = start;
  for (let time = from; time <= to; time += rtt) {
    for (let acked = 0; acked < start; acked += 2 * MSS) {
      cwnd = cubic.grow(cwnd, 2 * MSS, rtt * SECOND, MSS, at(time));
    }
  }
  return cwnd;
}

test('reduction › to 0.7 of the window, or of the flight when that is less; two segments at least', () => {
  assert.equal(new Cubic().reduce(100 * MSS, 100 * MSS, MSS), 70 * MSS);
  assert.equal(new Cubic().reduce(100 * MSS, 50 * MSS, MSS), 35 * MSS);
  assert.equal(new Cubic().reduce(2 * MSS, 2 * MSS, MSS), 2 * MSS);
});

test('after it › back at the old window after K seconds, slowly around it, then faster, §4.2', () => {
  const cubic = new Cubic();
  const start = cubic.reduce(1_000 * MSS, 1_000 * MSS, MSS);
  // K = cbrt(300 / 0.4) = 9.1 s; the last tenth of the way takes half of it.
  const rtt = 0.2;
  let cwnd = run(cubic, start, rtt, 0, 4.5);
  assert.ok(cwnd > 940 * MSS && cwnd < 980 * MSS, String(cwnd));
  cwnd = run(cubic, cwnd, rtt, 4.7, 9.1);
  assert.ok(cwnd > 990 * MSS && cwnd < 1_010 * MSS, String(cwnd));
  cwnd = run(cubic, cwnd, rtt, 9.3, 18);
  assert.ok(cwnd > 1_200 * MSS, String(cwnd));
});

test('a second loss below the last window › the target is lower, §4.7', () => {
  const cubic = new Cubic();
  cubic.reduce(1_000 * MSS, 1_000 * MSS, MSS);
  const start = cubic.reduce(800 * MSS, 800 * MSS, MSS);
  assert.equal(start, 560 * MSS);
  // wMax is 680 segments: K = cbrt(120 / 0.4) = 6.7 s.
  const cwnd = run(cubic, start, 0.2, 0, 6.7);
  assert.ok(cwnd > 670 * MSS && cwnd < 690 * MSS, String(cwnd));
});

test('short round trips › no slower than Reno, §4.3', () => {
  const cubic = new Cubic();
  const start = cubic.reduce(20 * MSS, 20 * MSS, MSS);
  assert.equal(start, 14 * MSS);
  // In 100 round trips of a millisecond the cubic hardly moves; Reno gains 0.53 segments a trip.
  const cwnd = run(cubic, start, 0.001, 0, 0.1);
  assert.ok(cwnd > 40 * MSS, String(cwnd));
});

test('idle › time without a full window does not count, §5.8', () => {
  const cubic = new Cubic();
  const start = cubic.reduce(1_000 * MSS, 1_000 * MSS, MSS);
  let cwnd = cubic.grow(start, MSS, 0.1 * SECOND, MSS, at(1));
  for (let time = 1; time < 30; time += 0.1) cubic.idle(at(time));
  cwnd = cubic.grow(cwnd, MSS, 0.1 * SECOND, MSS, at(30));
  assert.ok(cwnd <= start + MSS, String(cwnd));
});

test('one acknowledgment › at most half a window more in a round trip, §4.4', () => {
  const cubic = new Cubic();
  const start = cubic.reduce(100 * MSS, 100 * MSS, MSS);
  cubic.grow(start, MSS, 0.1 * SECOND, MSS, at(0));
  const cwnd = cubic.grow(start, start, 0.1 * SECOND, MSS, at(100));
  assert.ok(cwnd <= 1.5 * start + MSS, String(cwnd));
});

test('undone › the curve is that of before, §4.9.2', () => {
  const [a, b] = [new Cubic(), new Cubic()];
  a.reduce(1_000 * MSS, 1_000 * MSS, MSS);
  b.reduce(1_000 * MSS, 1_000 * MSS, MSS);
  b.reduce(500 * MSS, 500 * MSS, MSS);
  b.undoReduction();
  b.undoReduction(); // Nothing more to undo.
  assert.equal(run(a, 700 * MSS, 0.1, 0, 5), run(b, 700 * MSS, 0.1, 0, 5));
});
