/** A store on a simulated disk that answers in the next promise job. */

import assert from 'node:assert/strict';
import type { BlockDevice } from '#device';
import { DeltaBaseIndex, makeDelta, type NamedObject, type NewObject, nameObject } from '#git';
import { type CommitObject, emitCommit, emitTree } from '#git/wire';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { SimBlockDevice, SimRandom } from '#targets/sim/index';
import { BlockBackend } from './block-backend.ts';
import type { StoreParts } from './open-store.ts';

export const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

export interface DiskOptions {
  readonly blockBytes?: number;
  readonly bytes?: number;
  readonly image?: Uint8Array;
  readonly isReadOnly?: boolean;
  readonly flushLies?: boolean;
}

export function simDisk(options: DiskOptions = {}): SimBlockDevice {
  const { blockBytes = 512, bytes = options.image?.length ?? 1 << 20, ...rest } = options;
  return new SimBlockDevice(
    { name: 'data', blockBytes, blockCount: bytes / blockBytes, isReadOnly: false, ...rest },
    null,
    new SimRandom(7),
  );
}

export const partsOf = (device: BlockDevice): StoreParts => ({
  device,
  crypto: nodeCrypto,
  zlib,
  pause: () => Promise.resolve(),
});

export async function format(device: BlockDevice, hash: 'SHA-1' | 'SHA-256' = 'SHA-1') {
  const done = await BlockBackend.format(partsOf(device), { storeId: STORE_ID, hash });
  assert.deepEqual(done, { ok: true, value: undefined });
}

export async function open(device: BlockDevice): Promise<BlockBackend> {
  const opened = await BlockBackend.open(partsOf(device));
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

/** A disk with an empty store, open. */
export async function freshStore(options: DiskOptions = {}) {
  const disk = simDisk(options);
  await format(disk);
  return { disk, store: await open(disk) };
}

export const blob = (text: string): NamedObject =>
  nameObject(nodeCrypto, 'SHA-1', 'blob', new TextEncoder().encode(text));

/** Bytes that don't compress. */
export function noise(count: number, seed: number): NamedObject {
  const bytes = new Uint8Array(count);
  new SimRandom(seed).fill(bytes);
  return nameObject(nodeCrypto, 'SHA-1', 'blob', bytes);
}

export const tree = (...files: readonly (readonly [string, NamedObject])[]): NamedObject =>
  nameObject(
    nodeCrypto,
    'SHA-1',
    'tree',
    emitTree(
      files.map(([name, { id, kind }]) => ({
        mode: kind === 'tree' ? 0o40000 : 0o100644,
        name,
        id,
      })),
      20,
    ),
  );

/** At a level that the store doesn't use itself. */
export const deflate = (bytes: Uint8Array): Uint8Array => zlib.deflate(bytes, 1);

/** With the entry that a pack would have: a delta upon `base`. */
export function upon(base: NamedObject, object: NamedObject): NewObject {
  const delta = makeDelta(new DeltaBaseIndex(base.bytes), object.bytes, object.bytes.length)!;
  const { kind } = object;
  const entry = { kind, sizeBytes: delta.length, base: base.id, deflated: deflate(delta) };
  return { ...object, entry };
}

export function commit(root: NamedObject, parents: readonly NamedObject[], message: string) {
  const author = { name: 'A', email: 'a@example.org', seconds: 1_800_000_000, zoneMinutes: 0 };
  const repr: CommitObject = {
    tree: root.id,
    parents: parents.map(({ id }) => id),
    author,
    committer: author,
    extraHeaders: '',
    message,
  };
  return nameObject(nodeCrypto, 'SHA-1', 'commit', emitCommit(repr));
}

export async function mustWrite(store: BlockBackend, ...objects: NamedObject[]): Promise<void> {
  assert.deepEqual(await store.writeObjects(objects), { ok: true, value: undefined });
}

export async function mustSet(
  store: BlockBackend,
  name: string,
  to: NamedObject | null,
): Promise<void> {
  const updates = [{ name, from: 'any' as const, to: to?.id ?? null }];
  assert.deepEqual(await store.updateRefs(updates, 'test'), { ok: true, value: undefined });
}

export async function mustRead(store: BlockBackend, object: NamedObject): Promise<void> {
  const read = await store.readObject(object.id);
  assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.error));
  assert.ok(read.value !== null, `${object.kind} ${object.id} is there`);
  assert.equal(read.value.kind, object.kind);
  assert.ok(Buffer.from(read.value.bytes).equals(object.bytes), `${object.id} has its bytes`);
}
