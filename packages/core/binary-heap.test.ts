import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryHeap } from './binary-heap.ts';
import { SeededRandom } from './seeded-random.ts';

test('heap › pushes and pops in any order › always the first, as a sorted list has it', () => {
  const random = new SeededRandom(1);
  const heap = new BinaryHeap<number>((a, b) => a > b);
  const model: number[] = [];
  assert.equal(heap.pop(), undefined);
  for (let step = 0; step < 2_000; step++) {
    if (random.below(100) < 55) {
      const item = random.below(500);
      heap.push(item);
      model.push(item);
    } else {
      model.sort((a, b) => a - b);
      assert.equal(heap.pop(), model.pop());
    }
    assert.equal(heap.count, model.length);
  }
});
