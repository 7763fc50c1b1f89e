/**
 * Everything that some roots reach, as one small pack: what garbage collection keeps. In steps, so
 * that it runs beside writers in one event loop: whoever takes the steps pauses between them, and
 * may stop after any. Deterministic. Memory: 60 bytes for each object, and the bounds of limits.ts.
 * Read first: select-objects.ts, write-pack.ts. Not here: where the pack goes, and removing what it
 * replaces.
 */

import { err, ok, type Result } from '#core';
import type { ZlibLevel } from '#device';
import type { BackendError, ObjectBackend } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import type { DeltaOptions } from './find-deltas.ts';
import type { PackTools } from './pack-stream.ts';
import { selectSteps } from './select-objects.ts';
import { PackStopped, packSteps, type WrittenPack } from './write-pack.ts';

export interface CompactOptions {
  /** All that is to be kept, of any kind; what they reach must be here. */
  readonly roots: readonly ObjectId[];
  /** Git's own unless told otherwise. */
  readonly deltas?: DeltaOptions;
  /** Copies what is stored as a delta already: faster, as `git gc`; true unless told otherwise. */
  readonly reuse?: boolean;
  readonly level?: ZlibLevel;
  /** What of it goes into the pack; everything unless told otherwise. */
  readonly only?: (id: ObjectId) => boolean;
}

export interface CompactStep {
  readonly phase: 'selecting' | 'comparing' | 'writing';
  /** Objects; of `total`, which isn't known while selecting. */
  readonly done: number;
  readonly total: number | null;
  /** The pack's next bytes; null in a step without. */
  readonly bytes: Uint8Array | null;
}

/** The last word of `git gc`: a window of 10, chains of 50. */
export const GC_DELTAS: DeltaOptions = { window: 10, depth: 50 };

/**
 * Each step is 64 KiB of comparing or compressing, or some dozen objects read or written. What
 * is written meanwhile isn't in the pack: the caller takes its roots, and looks after the rest.
 */
export async function* compact(
  backend: ObjectBackend,
  tools: Omit<PackTools, 'hash'>,
  options: CompactOptions,
): AsyncGenerator<CompactStep, Result<WrittenPack, BackendError>> {
  const selecting = selectSteps(backend, { wants: options.roots, haves: [] });
  let selected = await selecting.next();
  while (selected.done !== true) {
    yield { phase: 'selecting', done: selected.value, total: null, bytes: null };
    selected = await selecting.next();
  }
  if (!selected.value.ok) return selected.value;
  const { level, only } = options;
  const whole = selected.value.value;
  const selection = only === undefined ? whole : whole.only(only);
  const writing = packSteps(backend, tools, selection, {
    ofsDelta: true,
    thin: false,
    deltas: options.deltas ?? GC_DELTAS,
    reuse: options.reuse ?? true,
    indexed: true,
    ...(level === undefined ? {} : { level }),
  });
  try {
    return ok(yield* writing);
  } catch (error) {
    if (error instanceof PackStopped) return err(error.error);
    throw error;
  }
}
