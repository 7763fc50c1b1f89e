import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import type { ObjectId } from '../object-id.ts';
import { DateQueue } from './date-queue.ts';

test('queue › pushes and pops in any order › always the newest, as a sorted list has it', () => {
  const random = new SimRandom(1);
  const queue = new DateQueue();
  const model: number[] = [];
  assert.equal(queue.pop(), undefined);
  for (let step = 0; step < 2_000; step++) {
    if (random.chance(0.55)) {
      const seconds = random.below(500);
      queue.push(String(seconds) as ObjectId, seconds);
      model.push(seconds);
    } else {
      model.sort((a, b) => a - b);
      const newest = model.pop();
      assert.equal(queue.pop(), newest === undefined ? undefined : String(newest));
    }
    assert.equal(queue.count, model.length);
  }
});
