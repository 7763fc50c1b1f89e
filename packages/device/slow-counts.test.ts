import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros } from '#core';
import { SLOW_MICROS, SlowCounts } from './slow-counts.ts';
import { SLOW_ENTRIES } from './vitals.ts';

const at = (seconds: number) => instantOfMicros(seconds * 1_000_000);

test('note › each doubling has its entry, the last one all that is longer', () => {
  const slow = new SlowCounts();
  const last = SLOW_ENTRIES - 1;
  for (let entry = 0; entry <= last; entry++) {
    slow.note(SLOW_MICROS * 2 ** entry, at(0));
    slow.note(SLOW_MICROS * 2 ** (entry + 1) - 1, at(0));
  }
  assert.deepEqual(slow.counts, new Array(SLOW_ENTRIES).fill(2));
  slow.note(3_600_000_000, at(0));
  assert.equal(slow.counts[last], 3);
});

test('maxMicros › the longest of this window and the one before, then forgotten', () => {
  const slow = new SlowCounts();
  assert.equal(slow.maxMicros(at(0)), 0);
  slow.note(5_000, at(1));
  slow.note(2_000, at(9.9));
  assert.equal(slow.maxMicros(at(9.9)), 5_000);
  slow.note(3_000, at(10));
  assert.equal(slow.maxMicros(at(19.9)), 5_000);
  assert.equal(slow.maxMicros(at(20)), 3_000);
  assert.equal(slow.maxMicros(at(30)), 0);
});

test('maxMicros › a long silence › nothing is left', () => {
  const slow = new SlowCounts();
  slow.note(5_000, at(1));
  assert.equal(slow.maxMicros(at(25)), 0);
});
