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
  assert.ok(hz === 1_000 && micros > 10_000);
}

/** `count` objects of two properties, as many texts, an array of them, a buffer of ten times that. */
export function checkGrowth(before: HeapVitals, after: HeapVitals, count: number): void {
  const grown = (kind: string, what: 'count' | 'bytes'): number =>
    after.kinds[kind]![what] - before.kinds[kind]![what];
  assert.ok(grown('objects', 'count') >= count && grown('objects', 'count') < 2 * count);
  assert.ok(grown('objects', 'bytes') >= count * 48);
  assert.ok(grown('properties', 'bytes') >= count * 32);
  assert.ok(grown('strings', 'count') >= count);
  assert.ok(grown('arrays', 'bytes') >= count * 16);
  assert.ok(grown('arrayBuffers', 'bytes') >= count * 10);
  assert.ok(grown('arrayBuffers', 'bytes') < count * 10 + 100_000);
  assert.ok(after.usedBytes - before.usedBytes >= count * 100);
  assert.ok(after.usedBytes <= after.totalBytes);
}
