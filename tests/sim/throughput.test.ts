import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '#core';
import { moveBulk } from './bulk.ts';
import { measureThroughput, moveFor, readSnapshot } from './throughput.ts';

/** A change that costs more than this must say so, by a new snapshot. */
const LEAST_SHARE = 0.8;

test('throughput over loss, delay and buffer › no less than the snapshot has', () => {
  const measured = measureThroughput();
  const snapshot = readSnapshot();
  assert.deepEqual(Object.keys(measured), Object.keys(snapshot));
  for (const [name, row] of Object.entries(snapshot)) {
    for (const [delay, rate] of Object.entries(row)) {
      const now = measured[name]?.[delay] ?? 0;
      assert(now >= rate * LEAST_SHARE, `${name}, ${delay}: ${now} Mbit/s, not ${rate}`);
    }
  }
});

test('a MiB each way, a fifth of all frames lost › mostly within 10 s of virtual time', () => {
  const times = [1, 2, 3, 4, 5].map((seed) => {
    const faults = { delay: millis(1), lossShare: 0.2 };
    return moveBulk({ seed, bytes: 1_048_576, faults, device: {} }).virtualSeconds;
  });
  times.sort((a, b) => a - b);
  const words = `took ${times.join(', ')} s`;
  assert.ok(times[3]! < 10, words);
  // A lone segment and its answer get through 64 times in a hundred: after five failures in a row
  // the next attempt waits 6 s, after six 13 s (RFC 6298 §5.5).
  assert.ok(times[4]! < 60, words);
});

test('two flows over one way with loss › neither has less than half of the other', () => {
  for (const seed of [1, 2, 3]) {
    const way = { seed, lossPercent: 1, delayMillis: 10, bufferKib: 1_024, flows: 2 };
    const { moved } = moveFor(way, 20e6);
    assert.equal(moved.length, 2);
    const [less, more] = moved.sort((x, y) => x - y) as [number, number];
    assert.ok(less > more / 2, `seed ${seed}: ${moved.join(' and ')} bytes`);
  }
});
