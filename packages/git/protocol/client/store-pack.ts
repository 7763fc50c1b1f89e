/** A pack that a server sent, into the backend. */

import type { ObjectId } from '../../object-id.ts';
import { PACK_BYTES_MAX } from '../../pack/limits.ts';
import { unpackInto } from '../unpack.ts';
import { Failed } from './failed.ts';
import type { FetchContext } from './fetch-from.ts';

/**
 * Throws Failed for a bad pack, Stop for what the server says. `shallow`: commits whose parents
 * aren't sent.
 */
export async function storePack(
  context: FetchContext,
  pack: AsyncIterable<Uint8Array>,
  shallow: ReadonlySet<ObjectId>,
): Promise<{ readonly objects: number }> {
  const bounds = { packBytesMax: PACK_BYTES_MAX, shallow };
  const unpacked = await unpackInto(context.backend, pack, context, bounds);
  if (!unpacked.ok) throw new Failed({ kind: 'bad pack', what: unpacked.why });
  return unpacked;
}
