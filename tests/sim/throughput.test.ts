import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '#core';
import { moveBulk } from './bulk.ts';
import { measureThroughput, readSnapshot } from './throughput.ts';

/** A change that costs more than this must say so, by a new snapshot. */
const LEAST_SHARE = 0.8;

test('throughput over loss and delay › no less than the snapshot has', () => {
  const measured = measureThroughput();
  const snapshot = readSnapshot();
  assert.deepEqual(Object.keys(measured), Object.keys(snapshot));
  for (const [name, rate] of Object.entries(snapshot)) {
    const now = measured[name] ?? 0;
    assert(now >= rate * LEAST_SHARE, `${name}: ${now} Mbit/s, the snapshot has ${rate}`);
  }
});

test('a MiB each way, a fifth of all frames lost › within 20 s of virtual time', () => {
  const times = [1, 2, 3, 4, 5].map((seed) => {
    const faults = { delay: millis(1), lossShare: 0.2 };
    return moveBulk({ seed, bytes: 1_048_576, faults, device: {} }).virtualSeconds;
  });
  assert.ok(Math.max(...times) < 20, `took ${times.join(', ')} s`);
});
