/**
 * A pack that came from a peer, taken apart into objects: checked as `git index-pack --strict`
 * does. Read first: ../pack/unpack-objects.ts.
 */

import type { Result } from '#core';
import type { CryptoPrimitives, Zlib } from '#device';
import { type BackendError, formatBackendError } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { formatPackFault, isPackFault, type PackFault } from '../pack/pack-fault.ts';
import { type UnpackTarget, unpackObjects } from '../pack/unpack-objects.ts';
import { UNSTAGED_PACK_BYTES_MAX } from './limits.ts';
import type { Quarantine } from './quarantine.ts';
import { Stop, textOf } from './stop.ts';

export interface UnpackTools {
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  /** Resolves in a later turn of the event loop; asked for between pieces of the pack. */
  readonly turn?: (() => Promise<void>) | undefined;
}

export interface UnpackBounds {
  readonly packBytesMax: number;
  /** Commits whose parents don't come, and aren't here. */
  readonly shallow?: ReadonlySet<ObjectId>;
}

/**
 * `why`: what is wrong with the pack, or with where it goes: `backend` then; the rest of it was
 * thrown away.
 */
export type Unpacking =
  | { readonly ok: true; readonly objects: number }
  | { readonly ok: false; readonly why: string; readonly backend: BackendError | null };

/** Of a pack, between two turns of the event loop. */
const TURN_BYTES = 16_384;

/** Throws Stop when the pieces break, or are rejected with one. */
export function unpackInto(
  target: UnpackTarget,
  pieces: AsyncIterable<Uint8Array>,
  tools: UnpackTools,
  { packBytesMax, shallow }: UnpackBounds,
): Promise<Unpacking> {
  const options = { check: 'objects', packBytesMax, ...(shallow && { shallow }) } as const;
  return heardOut(pieces, tools, packBytesMax, (open) =>
    unpackObjects(open, target, tools, options),
  );
}

/** As `unpackInto`; a long pack waits as one, where the backend can have that. */
export function takePush(
  quarantine: Quarantine,
  pieces: AsyncIterable<Uint8Array>,
  tools: UnpackTools,
  packBytesMax: number,
): Promise<Unpacking> {
  const { shallow } = quarantine;
  if (!quarantine.canStage) return unpackInto(quarantine, pieces, tools, { packBytesMax, shallow });
  return heardOut(pieces, tools, packBytesMax, async (open) => {
    const begun = await beginning(open);
    if (!begun.isWhole) return quarantine.stage(begun.pieces, packBytesMax);
    const options = { check: 'objects', packBytesMax, shallow } as const;
    return unpackObjects(begun.pieces, quarantine, tools, options);
  });
}

type Took = Result<{ readonly objects: number }, PackFault | BackendError>;

async function heardOut(
  pieces: AsyncIterable<Uint8Array>,
  tools: UnpackTools,
  packBytesMax: number,
  take: (open: AsyncIterable<Uint8Array>) => Promise<Took>,
): Promise<Unpacking> {
  const source = pieces[Symbol.asyncIterator]();
  let sinceTurn = 0;
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    if (sinceTurn >= TURN_BYTES) {
      sinceTurn = 0;
      await tools.turn?.();
    }
    const step = await source.next();
    if (step.done !== true) sinceTurn += step.value.length;
    return step;
  };
  // Without `return`: what follows a fault is still to be read, by us.
  const open = { [Symbol.asyncIterator]: () => ({ next }) };
  try {
    const took = await take(open);
    // A peer listens only when it has said all, and a server is heard to its end.
    let left = packBytesMax;
    for (let step = await source.next(); step.done !== true; step = await source.next()) {
      left -= step.value.length;
      // One without an end isn't.
      if (left < 0) break;
    }
    if (took.ok) return { ok: true, objects: took.value.objects };
    const { error } = took;
    const backend = isPackFault(error) ? null : error;
    return { ok: false, why: wordsOf(error, packBytesMax), backend };
  } catch (error) {
    if (error instanceof Stop) throw error;
    throw new Stop({ kind: 'broken', message: textOf(error) });
  } finally {
    await source.return?.();
  }
}

/** Whether it ends before it is long; all of its pieces again. */
async function beginning(
  open: AsyncIterable<Uint8Array>,
): Promise<{ readonly isWhole: boolean; readonly pieces: AsyncIterable<Uint8Array> }> {
  const source = open[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let isWhole = false;
  for (let bytes = 0; bytes <= UNSTAGED_PACK_BYTES_MAX && !isWhole; ) {
    const step = await source.next();
    isWhole = step.done === true;
    if (step.done === true) break;
    first.push(step.value);
    bytes += step.value.length;
  }
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    for (let piece = first.shift(); piece !== undefined; piece = first.shift()) yield piece;
    if (!isWhole) yield* { [Symbol.asyncIterator]: () => source };
  }
  return { isWhole, pieces: all() };
}

function wordsOf(error: PackFault | BackendError, packBytesMax: number): string {
  if (!isPackFault(error)) return formatBackendError(error);
  const isTooLong = error.kind === 'too much' && error.what === 'bytes of the pack';
  return isTooLong ? `the pack has more than ${packBytesMax} bytes` : formatPackFault(error);
}
