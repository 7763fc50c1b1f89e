import assert from 'node:assert/strict';
import { test } from 'node:test';
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
