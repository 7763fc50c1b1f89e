import assert from 'node:assert/strict';
import { test } from 'node:test';
import { micros, millis } from '#core';
import { noImpairment } from './impairment.ts';
import { RATE_QUEUE_BYTES_MAX, UNDER_WAY_BYTES_MAX } from './limits.ts';
import type { SwitchOptions } from './switch.ts';
import { BROADCAST, frameOf, macOf, testSwitch } from './test-ports.ts';

function pair(options: Partial<SwitchOptions> = {}, seed = 1) {
  const set = testSwitch(options, seed);
  return { ...set, a: set.plug('a'), b: set.plug('b') };
}

test('a delay › arrives then, in order, and not before', () => {
  const { a, b, network, pass } = pair();
  network.impairment = { ...noImpairment(), delay: millis(5) };
  const frame = frameOf(BROADCAST, macOf(1), 7);
  a.send(frame);
  a.send(frameOf(BROADCAST, macOf(1), 8));
  network.impairment = null;
  pass(4_999);
  assert.deepEqual(b.got, []);
  network.checkInvariants();
  pass(1);
  assert.deepEqual(b.got, [7, 8]);
  assert.deepEqual(b.frames[0]!.subarray(4), frame);
  assert.equal(b.port.underWayBytes, 0);
});

test('loss › about as much as asked, counted at the port that lost, the same again for a seed', () => {
  const run = (seed: number) => {
    const { a, b, network, pass } = pair({}, seed);
    network.impairment = { ...noImpairment(), lossShare: 0.25 };
    for (let n = 0; n < 4_000; n++) a.send(frameOf(BROADCAST, macOf(1), n & 0xff));
    pass(1);
    assert.equal(b.got.length + b.port.drops.lost, 4_000);
    return b.got.join();
  };
  const got = run(1).split(',').length;
  assert.ok(got > 2_850 && got < 3_150, `${got}`);
  assert.equal(run(2), run(2));
  assert.notEqual(run(2), run(3));
});

test('jitter › spread over the time asked for, order kept', () => {
  const { a, b, network, pass } = pair();
  network.impairment = { ...noImpairment(), delay: millis(1), jitter: millis(10) };
  const arrivals: number[] = [];
  for (let n = 0; n < 50; n++) a.send(frameOf(BROADCAST, macOf(1), n));
  for (let ms = 0; ms <= 11; ms++) {
    arrivals.push(b.got.length);
    pass(1_000);
  }
  assert.deepEqual(b.got, [...Array(50).keys()]);
  assert.ok(arrivals[1]! < 50 && arrivals.at(-1)! > arrivals[2]!, arrivals.join());
});

test('faults of frames › twice, out of order, with a bit inverted in IP only', () => {
  const { a, b, network, pass } = pair();
  const faults = { duplicateShare: 1, corruptShare: 1 };
  network.impairment = { ...noImpairment(), ...faults };
  a.send(frameOf(BROADCAST, macOf(1), 7));
  const ip = frameOf(BROADCAST, macOf(1), 7);
  ip.set([8, 0], 12);
  a.send(ip);
  pass(1);
  assert.deepEqual(b.frames.slice(0, 2), [b.frames[0], b.frames[0]]);
  const bits = (n: number) => n.toString(2).replaceAll('0', '').length;
  const wrong = b.frames
    .slice(2)
    .map((frame) => frame.subarray(4).reduce((sum, byte, i) => sum + bits(byte ^ ip[i]!), 0));
  assert.deepEqual(wrong.sort(), [0, 1]);
  network.impairment = { ...noImpairment(), reorderShare: 0.5, reorderDelay: millis(5) };
  b.got.length = 0;
  for (let n = 0; n < 50; n++) a.send(frameOf(BROADCAST, macOf(1), n));
  pass(5_000);
  assert.notDeepEqual(b.got, [...Array(50).keys()]);
  assert.deepEqual(
    [...b.got].sort((x, y) => x - y),
    [...Array(50).keys()],
  );
});

test('a rate › so many bits in a second, over fractions of microseconds too', () => {
  const { a, b, network, pass } = pair();
  network.impairment = { ...noImpairment(), bitsPerSecond: 700_000_000 };
  for (let ms = 0; ms < 100; ms++) {
    for (let n = 0; n < 80; n++) a.send(frameOf(BROADCAST, macOf(1), 0, 1_250));
    pass(1_000);
  }
  const bits = b.got.length * 1_250 * 8;
  assert.ok(Math.abs(bits / 70_000_000 - 1) < 0.002, `${bits}`);
  assert.ok(b.port.drops.rateFull > 0);
});

test('what waits for the rate, at the bound and past it › dropped, counted; room comes back', () => {
  const { a, b, network, pass } = pair();
  network.impairment = { ...noImpairment(), bitsPerSecond: 8_000_000 };
  const fits = Math.floor(RATE_QUEUE_BYTES_MAX / 1_000);
  for (let n = 0; n < fits; n++) a.send(frameOf(BROADCAST, macOf(1), 0, 1_000));
  assert.equal(b.port.drops.rateFull, 0);
  a.send(frameOf(BROADCAST, macOf(1), 0, 1_000));
  assert.equal(b.port.drops.rateFull, 1);
  pass(1_000);
  a.send(frameOf(BROADCAST, macOf(1), 0, 1_000));
  assert.equal(b.port.drops.rateFull, 1);
});

test('what is under way, at the bound and past it › dropped, counted; others are not hurt', () => {
  const underWayBytesMax = 10 * 1_004;
  const { a, b, plug, network, pass } = pair({ underWayBytesMax });
  assert.ok(underWayBytesMax < UNDER_WAY_BYTES_MAX);
  b.port.impairment = { ...noImpairment(), delay: millis(1) };
  const c = plug('c');
  for (let n = 0; n < 12; n++) a.send(frameOf(BROADCAST, macOf(1), n, 1_000));
  assert.deepEqual([b.port.drops.underWayFull, c.got.length], [2, 12]);
  network.checkInvariants();
  pass(1_000);
  assert.deepEqual(b.got, [...Array(10).keys()]);
});

test('a port is unplugged while frames are under way to it › nothing arrives', () => {
  const { a, b, network, pass } = pair();
  network.impairment = { ...noImpairment(), delay: micros(10) };
  a.send(frameOf(BROADCAST, macOf(1)));
  b.port.unplug();
  pass(10);
  assert.deepEqual(b.got, []);
  network.checkInvariants();
});
