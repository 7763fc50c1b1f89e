import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimWorld } from '#targets/sim/index';
import { ipv6CacheSlots } from '../limits.ts';
import { Ipv6AddressCache } from './address-cache.ts';

const cacheOf = (seed: number): Ipv6AddressCache =>
  new Ipv6AddressCache(new SimWorld(seed).addHost('a').entropy);

test('same words › the same object; other words › another', () => {
  const cache = cacheOf(1);
  const a = cache.of(0x20010db8, 0, 0, 1);
  assert.equal(cache.of(0x20010db8, 0, 0, 1), a);
  assert.equal(cache.intern(a), a);
  for (const words of [
    [0x20010db8, 0, 0, 2],
    [0x20010db8, 0, 1, 1],
    [0x20010db8, 1, 0, 1],
    [0x20010db9, 0, 0, 1],
  ] as const) {
    const [w0, w1, w2, w3] = words;
    assert.notEqual(cache.of(w0, w1, w2, w3).key, a.key);
  }
});

test('as many addresses as slots and one more › the key stays, whatever was replaced', () => {
  const cache = cacheOf(1);
  const first = Array.from({ length: ipv6CacheSlots + 1 }, (_, i) => cache.of(1, 2, 3, i));
  const again = first.map((a) => cache.of(a.w0, a.w1, a.w2, a.w3));
  assert.ok(
    again.some((a, i) => a !== first[i]),
    'some shared a slot',
  );
  again.forEach((a, i) => {
    assert.equal(a.key, first[i]!.key);
    assert.ok(a.equals(first[i]!));
  });
  const keys = new Set(first.map((a) => a.key));
  assert.equal(keys.size, first.length, 'keys of a thousand neighbours are apart');
});

test('another secret › other keys', () => {
  assert.notEqual(cacheOf(1).of(1, 2, 3, 4).key, cacheOf(2).of(1, 2, 3, 4).key);
});
