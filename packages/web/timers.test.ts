import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installTestPlatform } from './testing/platform.ts';
import { clearInterval, clearTimeout, queueMicrotask, setInterval, setTimeout } from './timers.ts';

test('setTimeout › fires once, with arguments, in order of deadline', () => {
  const { pass } = installTestPlatform();
  const seen: unknown[] = [];
  setTimeout((...args: unknown[]) => seen.push(...args), 20, 'late', 1);
  setTimeout(() => seen.push('soon'));
  pass(0);
  assert.deepEqual(seen, []);
  pass(25);
  pass(25);
  assert.deepEqual(seen, ['soon', 'late', 1]);
});

test('setTimeout › waits that are no numbers or below 1 › 1 ms', () => {
  const { pass } = installTestPlatform();
  let fired = 0;
  for (const wait of [undefined, -5, Number.NaN, 'x', 0, 0.5]) setTimeout(() => fired++, wait);
  pass(1);
  assert.equal(fired, 6);
});

test('setTimeout › armed by itself › not in the same turn', () => {
  const { pass } = installTestPlatform();
  let fired = 0;
  const again = () => {
    fired++;
    setTimeout(again, 0);
  };
  again();
  pass(1);
  assert.equal(fired, 2);
});

test('setInterval › repeats until cleared, also from inside', () => {
  const { pass } = installTestPlatform();
  let fired = 0;
  const id = setInterval(() => {
    if (++fired === 3) clearInterval(id);
  }, 10);
  for (let i = 0; i < 6; i++) pass(10);
  assert.equal(fired, 3);
});

test('clearTimeout › cleared, unknown and foreign ids', () => {
  const { pass } = installTestPlatform();
  const id = setTimeout(() => assert.ok(false), 5);
  clearTimeout(id);
  clearTimeout(id);
  clearTimeout(undefined);
  clearTimeout('x');
  clearTimeout(987_654);
  pass(10);
});

test('clearTimeout › many long timers set and cleared › the queue stays short', () => {
  const { timers } = installTestPlatform();
  for (let i = 0; i < 1_000; i++) clearTimeout(setTimeout(() => {}, 30_000));
  assert.ok(timers.size <= 1);
});

test('timers › no function › TypeError', () => {
  installTestPlatform();
  assert.throws(() => setTimeout('code' as never), TypeError);
  assert.throws(() => setInterval(null as never), TypeError);
  assert.throws(() => queueMicrotask(1 as never), TypeError);
});

test('queueMicrotask › after the job, before what follows; errors are reported', async () => {
  const { lines } = installTestPlatform();
  const seen: string[] = [];
  queueMicrotask(() => seen.push('micro'));
  queueMicrotask(() => {
    throw new Error('boom');
  });
  seen.push('job');
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(seen, ['job', 'micro']);
  assert.match(lines[0]!, /boom/);
});

test('setTimeout, setInterval › a callback that throws › reported, the others run', () => {
  const { lines, pass } = installTestPlatform();
  const seen: string[] = [];
  setTimeout(() => {
    throw Symbol('odd');
  }, 5);
  const id = setInterval(() => {
    seen.push('interval');
    throw new Error('boom');
  }, 5);
  setTimeout(() => seen.push('second'), 5);
  pass(5);
  pass(5);
  clearInterval(id);
  assert.deepEqual(seen, ['interval', 'second', 'interval']);
  assert.match(lines.join('\n'), /in a timer: Symbol\(odd\)\n.*in a timer: Error: boom/s);
});
