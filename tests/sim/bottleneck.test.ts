import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureShares, readShares, shareOf } from './bottleneck.ts';

/** A change that costs more than this must say so, by a new snapshot. */
const LEAST_SHARE = 0.8;

test('a slow link behind a queue › no less of it is used than the snapshot has', () => {
  const measured = measureShares();
  const snapshot = readShares();
  assert.deepEqual(Object.keys(measured), Object.keys(snapshot));
  for (const [name, row] of Object.entries(snapshot)) {
    for (const [queue, percent] of Object.entries(row)) {
      const now = measured[name]?.[queue] ?? 0;
      assert.ok(now <= 100 && now >= percent * LEAST_SHARE, `${name}, ${queue}: ${now} %`);
    }
  }
});

test('a queue that is small › it overflows, and most of the link is used all the same', () => {
  const { percent, drops } = shareOf({ bitsPerSecond: 2e6, delayMillis: 20, queueFramesMax: 4 });
  assert.ok(drops > 10, `${drops} drops`);
  assert.ok(percent > 70, `${percent} %`);
});
