import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { after, millis, Timer } from '#core';
import { NodeLoop } from './loop.ts';
import { NodeVitals, treeOf } from './vitals.ts';

function burnForTest(untilMillis: number): number {
  let x = 0;
  while (performance.now() < untilMillis) for (let i = 0; i < 100_000; i++) x = (x + i) % 1_021;
  return x;
}

test('heap › kinds are there, and grow with what is allocated', () => {
  const vitals = new NodeVitals(new NodeLoop());
  const before = vitals.heap();
  const kept = new Uint8Array(50_000_000).fill(1);
  const after = vitals.heap();
  assert.ok(after.kinds.external!.bytes - before.kinds.external!.bytes >= kept.length);
  assert.ok(after.usedBytes > before.usedBytes && after.totalBytes >= after.usedBytes);
  assert.ok(after.kinds.new_space!.bytes > 0);
});

test('loop › a slow turn and a late timer are counted', async () => {
  const loop = new NodeLoop();
  let fired = 0;
  loop.turn(() => {
    loop.timers.arm(new Timer(() => fired++), after(loop.timers.now, millis(1)));
    burnForTest(performance.now() + 8);
  });
  while (fired === 0) await setImmediate();
  const { turns, busyMicros, slowTurns, turnMicrosMax, lateTimers, lateMicrosMax } = loop.vitals();
  assert.ok(turns >= 1 && busyMicros >= 8_000);
  assert.ok(turnMicrosMax >= 8_000 && lateMicrosMax >= 6_000);
  assert.ok(slowTurns.slice(3).some((count) => count > 0));
  assert.ok(lateTimers.slice(2).some((count) => count > 0));
});

test('profile › names the module that burnt the time; one at a time', async () => {
  const vitals = new NodeVitals(new NodeLoop());
  assert.equal(await vitals.stopProfile(), null);
  for (const hz of [20.5, 19, 20_001, Number.NaN]) assert.ok(!(await vitals.startProfile(hz)));
  assert.ok(await vitals.startProfile(1_000));
  assert.ok(!(await vitals.startProfile(1_000)));
  // A busy machine gives it less than it takes.
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user - user < 200_000) burnForTest(performance.now() + 20);
  const profile = (await vitals.stopProfile())!;
  // V8 may name the module in place of a function in it that it had compiled before.
  const burnt = profile.nodes
    .filter(({ kind, file }) => kind === 'script' && file.endsWith('vitals.test.ts'))
    .reduce((sum, { samples }) => sum + samples, 0);
  assert.ok(burnt >= 10 && burnt <= profile.samples - profile.idle, JSON.stringify(profile));
  assert.ok(profile.micros >= 200_000);
  for (const [index, { parent }] of profile.nodes.entries()) assert.ok(parent < index);
  assert.equal(await vitals.stopProfile(), null);
});

test("treeOf › the root is left out, its children have no caller, V8's lines count from 0", () => {
  const frame = (functionName: string, url: string) => ({
    functionName,
    url,
    lineNumber: 4,
    columnNumber: 0,
  });
  const nodes = treeOf([
    { id: 1, children: [2], callFrame: frame('(root)', '') },
    { id: 2, hitCount: 3, children: [5], callFrame: frame('', 'file:///a.js') },
    { id: 5, hitCount: 1, callFrame: frame('now', '') },
  ]);
  assert.deepEqual(
    nodes.map(({ parent, samples, kind, name, line }) => [parent, samples, kind, name, line]),
    [
      [-1, 3, 'script', '<anonymous>', 5],
      [0, 1, 'native', 'now', 5],
    ],
  );
});
