import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#core';
import { must } from '../test-must.ts';
import { applyDelta, parseDeltaHead } from './delta.ts';
import { DeltaBaseIndex, makeDelta } from './make-delta.ts';

const random = new SeededRandom(3);
const noise = (count: number, kinds = 256) =>
  Uint8Array.from({ length: count }, () => random.below(kinds));
const join = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

function roundTrip(base: Uint8Array, target: Uint8Array): number {
  const delta = makeDelta(new DeltaBaseIndex(base), target, Number.MAX_SAFE_INTEGER);
  assert.ok(delta !== null);
  const made = must(applyDelta(base, delta, target.length));
  assert.ok(Buffer.from(made).equals(target));
  const head = must(parseDeltaHead(delta));
  assert.equal(head.baseBytes, base.length);
  assert.equal(head.resultBytes, target.length);
  return delta.length;
}

test('a target like its base › made and applied › the target, by a delta of a few bytes', () => {
  const base = noise(100_000);
  assert.ok(roundTrip(base, base) < 20);
  assert.ok(roundTrip(base, join(base.subarray(50_000), base.subarray(0, 50_000))) < 30);
  assert.ok(roundTrip(base, join(noise(100), base, noise(10))) < 150);
  assert.ok(roundTrip(base, base.subarray(7, 99_000)) < 20);
  const changed = base.slice();
  for (let i = 0; i < 50; i++) changed[i * 2_000] = changed[i * 2_000]! ^ 1;
  assert.ok(roundTrip(base, changed) < 600);
});

test('all that bases and targets may be › made and applied › the target', () => {
  for (const base of [0, 1, 15, 16, 17, 300, 70_000]) {
    for (const target of [0, 1, 15, 16, 17, 300, 70_000]) {
      roundTrip(noise(base), noise(target));
      roundTrip(noise(base, 2), noise(target, 2));
      roundTrip(new Uint8Array(base), new Uint8Array(target));
    }
  }
});

test('edits by chance › made and applied › the target', () => {
  for (let round = 0; round < 200; round++) {
    const base = noise(random.below(4_000), random.below(2) === 0 ? 256 : 3);
    let target = base;
    for (let edit = random.below(6); edit >= 0; edit--) {
      const [at, end] = [random.below(target.length + 1), random.below(target.length + 1)];
      const piece = random.below(2) === 0 ? noise(random.below(200)) : base.subarray(at, end);
      target = join(target.subarray(0, at), piece, target.subarray(end));
    }
    roundTrip(base, target);
  }
});

test('a bound on the delta › at what it takes, and one below › made, refused', () => {
  const base = noise(5_000);
  const target = join(base.subarray(100), noise(300), base.subarray(0, 50));
  const index = new DeltaBaseIndex(base);
  const { length } = makeDelta(index, target, 1e9)!;
  assert.equal(makeDelta(index, target, length)!.length, length);
  assert.equal(makeDelta(index, target, length - 1), null);
  assert.equal(makeDelta(index, noise(100_000), 1_000), null);
});

const BASE = new TextEncoder().encode('0123456789');
/** Base of 10 bytes, result of `size`, then instructions. */
const delta = (size: number, ...codes: number[]) => Uint8Array.of(10, size, ...codes);

test('instructions › each kind › what Git makes of them', () => {
  const apply = (bytes: Uint8Array) =>
    Buffer.from(must(applyDelta(BASE, bytes, 100_000))).toString();
  assert.equal(apply(delta(0)), '');
  assert.equal(apply(delta(10, 0x90, 10)), '0123456789');
  assert.equal(apply(delta(3, 0x91, 7, 3)), '789');
  assert.equal(apply(delta(5, 2, 0x61, 0x62, 0x91, 1, 3)), 'ab123');
});

test('malformed deltas › applied › a fault', () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array(0)],
    ['one size', Uint8Array.of(10)],
    ['a size without its end', Uint8Array.of(0x80, 0x80)],
    ['a size of too many bytes', new Uint8Array(12).fill(0x80)],
    ['of another base', Uint8Array.of(9, 1, 1, 0x61)],
    ['the reserved instruction', delta(1, 0)],
    ['a copy that ends behind the base', delta(4, 0x91, 7, 4)],
    ['a copy from behind the base', delta(1, 0x9f, 0xff, 0xff, 0xff, 0xff, 1)],
    ['a copy of 64 KiB, which 0 means', delta(1, 0x80)],
    ['a copy that is cut', delta(1, 0x91)],
    ['bytes that are cut', delta(5, 5, 0x61)],
    ['more than it says', delta(1, 2, 0x61, 0x62)],
    ['less than it says', delta(3, 2, 0x61, 0x62)],
    ['a result larger than allowed', Uint8Array.of(10, 0xff, 0xff, 0x7f, 1, 0x61)],
    ['a result that no instructions can make', Uint8Array.of(10, 0xff, 0xff, 3)],
  ];
  for (const [name, bytes] of cases) {
    const made = applyDelta(BASE, bytes, 1_000_000);
    assert.equal(made.ok, false, name);
  }
});

test('a result one byte larger than allowed › applied › refused, at the bound made', () => {
  const whole = delta(10, 0x90, 10);
  assert.equal(applyDelta(BASE, whole, 10).ok, true);
  assert.equal(applyDelta(BASE, whole, 9).ok, false);
});
