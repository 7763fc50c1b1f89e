/** What the vitals of control-program.ts must be like, on every target. */

import assert from 'node:assert/strict';
import type { CpuProfile, HeapVitals } from '#device';

/** Most of the samples are in `burnInner`, which `burnOuter` called. */
export function checkProfile({ nodes, samples, idle, hz, micros }: CpuProfile): void {
  /** Names from the outermost caller on. */
  const paths: string[] = [];
  let burnt = 0;
  for (const [index, { parent, samples: own, name }] of nodes.entries()) {
    assert.ok(parent < index, 'callers come first');
    const path = `${paths[parent] ?? ''}/${name}`;
    paths.push(path);
    if (path.includes('/burnOuter/burnInner')) burnt += own;
  }
  const busy = samples - idle;
  assert.ok(burnt > 20 && burnt > busy / 2, `${burnt} of ${busy} samples`);
  const named = nodes.find(({ name }) => name === 'burnInner')!;
  assert.equal(named.kind, 'script');
  assert.ok(named.file !== '' && named.line > 0);
  assert.ok(hz >= 20 && hz <= 1_000 && micros > 10_000);
  // What the samples stand for is the time that passed.
  const sampledMicros = (samples / hz) * 1_000_000;
  assert.ok(sampledMicros > micros * 0.7 && sampledMicros < micros * 1.3, `${samples} at ${hz} Hz`);
}

/**
 * `count` objects of two properties, as many texts, an array of them, a buffer of a hundred bytes for each.
 * What was garbage before may have gone meanwhile: hence a tenth less.
 */
export function checkGrowth(before: HeapVitals, after: HeapVitals, count: number): void {
  const least = (kind: string, what: 'count' | 'bytes', expected: number): void => {
    const grown = after.kinds[kind]![what] - before.kinds[kind]![what];
    assert.ok(grown >= expected * 0.9, `${kind}: ${grown} ${what}, not ${expected}`);
    assert.ok(grown <= expected * 4 + 100_000, `${kind}: ${grown} ${what}, not ${expected}`);
  };
  least('objects', 'count', count);
  least('objects', 'bytes', count * 48);
  least('properties', 'bytes', count * 32);
  least('strings', 'count', count);
  least('arrays', 'bytes', count * 16);
  least('arrayBuffers', 'bytes', count * 100);
  assert.ok(after.usedBytes - before.usedBytes >= count * 100);
  assert.ok(after.usedBytes <= after.totalBytes);
}
