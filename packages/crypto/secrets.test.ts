import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constantTimeEqual, wipe } from './secrets.ts';

const bytes = Uint8Array.from({ length: 33 }, (_, i) => i * 7);

test('equal bytes › compared › are equal, also when empty', () => {
  assert(constantTimeEqual(bytes, bytes.slice()));
  assert(constantTimeEqual(new Uint8Array(0), new Uint8Array(0)));
});

test('bytes that differ in any one bit › compared › are not equal', () => {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const other = bytes.slice();
    other[bit >> 3]! ^= 1 << (bit & 7);
    assert(!constantTimeEqual(bytes, other), `bit ${bit}`);
  }
});

test('a prefix › compared › is not equal', () => {
  assert(!constantTimeEqual(bytes, bytes.subarray(0, 32)));
  assert(!constantTimeEqual(bytes.subarray(0, 32), bytes));
  assert(!constantTimeEqual(new Uint8Array(0), bytes));
});

test('a secret in a larger array › wiped › is zeros, and nothing beside it', () => {
  const around = new Uint8Array(8).fill(0xa5);
  wipe(around.subarray(2, 6));
  assert.deepEqual([...around], [0xa5, 0xa5, 0, 0, 0, 0, 0xa5, 0xa5]);
});
