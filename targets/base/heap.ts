/** The heap of an image by kind, as QuickJS counts it (JS_ComputeMemoryUsage). */

import type { HeapKind, HeapVitals } from '#device';
import type { Base } from './base.ts';

/** Where the counts and bytes of a kind are among the fields of JSMemoryUsage. */
const FIELDS: Readonly<Record<string, readonly [count: number, bytes: number]>> = {
  atoms: [5, 6],
  strings: [7, 8],
  objects: [9, 10],
  properties: [11, 12],
  shapes: [13, 14],
  functions: [15, 16],
  bytecode: [15, 17],
  lineNumbers: [18, 19],
  /** In place of the engine's own two: engine_count_buffers (base/engine/quickjs_unit.c). */
  arrayBuffers: [24, 25],
};
const FAST_ARRAYS = 22;
const FAST_ARRAY_ELEMENTS = 23;
/** A JSValue. */
const ELEMENT_BYTES = 16;

export function heapVitals(base: Pick<Base, 'memory'>): HeapVitals {
  const { memory } = base;
  const usage = memory.usage?.() ?? [];
  const kinds: Record<string, HeapKind> = {};
  for (const [kind, [count, bytes]] of Object.entries(FIELDS)) {
    kinds[kind] = { count: usage[count] ?? 0, bytes: usage[bytes] ?? 0 };
  }
  kinds.arrays = {
    count: usage[FAST_ARRAYS] ?? 0,
    bytes: (usage[FAST_ARRAY_ELEMENTS] ?? 0) * ELEMENT_BYTES,
  };
  return { totalBytes: memory.totalBytes, usedBytes: memory.usedBytes(), kinds };
}
