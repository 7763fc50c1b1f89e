/**
 * A pack that a server sent, into the backend: kept as one where that can be and nothing is here
 * yet, else as its objects.
 */

import { formatBackendError } from '../../backend.ts';
import type { ObjectId } from '../../object-id.ts';
import { PACK_BYTES_MAX } from '../../pack/limits.ts';
import { Stop } from '../stop.ts';
import { unpackInto } from '../unpack.ts';
import { Failed } from './failed.ts';
import type { FetchContext } from './fetch-from.ts';

export interface StoreOptions {
  /** Nothing is here yet: the pack leaves nothing out. */
  readonly isFirst: boolean;
  /** Commits whose parents aren't sent. */
  readonly shallow: ReadonlySet<ObjectId>;
}

/** Throws Failed for a bad pack, Stop for what the server says. */
export async function storePack(
  context: FetchContext,
  pack: AsyncIterable<Uint8Array>,
  { isFirst, shallow }: StoreOptions,
): Promise<{ readonly objects: number }> {
  if (isFirst && context.backend.addPack !== undefined) {
    return keepPack(context, pack, shallow);
  }
  const bounds = { packBytesMax: PACK_BYTES_MAX, shallow };
  const unpacked = await unpackInto(context.backend, pack, context, bounds);
  if (unpacked.ok) return unpacked;
  const { backend, why } = unpacked;
  if (backend !== null) throw new Stop({ kind: 'backend', error: backend });
  throw new Failed({ kind: 'bad pack', what: why });
}

async function keepPack(
  { backend }: FetchContext,
  pack: AsyncIterable<Uint8Array>,
  shallow: ReadonlySet<ObjectId>,
): Promise<{ readonly objects: number }> {
  let thrown: unknown = null;
  async function* pieces(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* pack;
    } catch (error) {
      thrown = error;
      throw error;
    }
  }
  const kept = await backend.addPack!(pieces(), shallow);
  // What the server said counts more than what became of it.
  if (thrown !== null) throw thrown;
  if (kept.ok) return kept.value;
  const { error } = kept;
  if (error.kind !== 'damaged') throw new Stop({ kind: 'backend', error });
  throw new Failed({ kind: 'bad pack', what: formatBackendError(error) });
}
