import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, instantOfMicros, TimerQueue } from '#core';
import { pathMtuBytesMin, pathMtuLifetime, pathMtusMax } from './limits.ts';
import { PathMtuCache, plateauBelow } from './path-mtu.ts';

const cacheOf = (): { timers: TimerQueue; cache: PathMtuCache } => {
  const timers = new TimerQueue(instantOfMicros(0));
  return { timers, cache: new PathMtuCache(timers) };
};

test('nothing told › no bound', () => {
  assert.equal(cacheOf().cache.bytes(1), Number.POSITIVE_INFINITY);
});

test('a report › lowers; an equal or larger one doesn’t raise or prolong', () => {
  const { timers, cache } = cacheOf();
  assert.equal(cache.lower(1, 1_400), true);
  timers.run(instantOfMicros(1_000_000));
  assert.equal(cache.lower(1, 1_400), false);
  assert.equal(cache.lower(1, 1_492), false);
  assert.deepEqual([cache.bytes(1), cache.bytes(2)], [1_400, Number.POSITIVE_INFINITY]);
  timers.run(after(instantOfMicros(0), pathMtuLifetime));
  assert.equal(cache.bytes(1), Number.POSITIVE_INFINITY);
});

test('a report below the least › taken for the least', () => {
  const { cache } = cacheOf();
  assert.equal(cache.lower(1, 68), true);
  assert.equal(cache.bytes(1), pathMtuBytesMin);
  assert.equal(cache.lower(1, 0), false);
});

test('ten minutes › forgotten, not a microsecond before', () => {
  const { timers, cache } = cacheOf();
  cache.lower(1, 1_400);
  timers.run(instantOfMicros(pathMtuLifetime - 1));
  assert.equal(cache.bytes(1), 1_400);
  timers.run(instantOfMicros(pathMtuLifetime));
  assert.equal(cache.bytes(1), Number.POSITIVE_INFINITY);
});

test('as many as fit, and one more › the oldest is forgotten', () => {
  const { cache } = cacheOf();
  for (let key = 0; key < pathMtusMax; key++) cache.lower(key, 1_400);
  cache.checkInvariants();
  assert.equal(cache.bytes(0), 1_400);
  cache.lower(pathMtusMax, 1_400);
  cache.checkInvariants();
  assert.equal(cache.bytes(0), Number.POSITIVE_INFINITY);
  assert.deepEqual([cache.bytes(1), cache.counters.pathMtuEvicted], [1_400, 1]);
});

test('a router that doesn’t say › the plateau below the packet (RFC 1191 §7)', () => {
  const pairs = [65_535, 1_500, 1_492, 576, 69, 68, 20].map((bytes) => plateauBelow(bytes));
  assert.deepEqual(pairs, [32_000, 1_492, 1_006, 508, 68, 68, 68]);
});
