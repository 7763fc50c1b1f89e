/**
 * Git's objects: a kind and bytes, named by the hash of both. Read first: object-id.ts; then
 * wire/tree.ts, wire/commit.ts and wire/tag.ts for what the bytes of three kinds say.
 */

import { hot, type WireFault } from '#core';
import type { CryptoPrimitives } from '#device';
import { type ObjectHash, type ObjectId, readId } from './object-id.ts';

export type ObjectKind = 'commit' | 'tree' | 'blob' | 'tag';

export const OBJECT_KINDS: readonly ObjectKind[] = ['commit', 'tree', 'blob', 'tag'];

/** `bytes` without Git's header; they are shared by all who have them, and never changed. */
export interface GitObject {
  readonly kind: ObjectKind;
  readonly bytes: Uint8Array;
}

/** An object with its name, which whoever made it computed. */
export interface NamedObject extends GitObject {
  readonly id: ObjectId;
}

/** What is malformed in an object's bytes, and where. */
export type ObjectFault = WireFault;

/** What a tree's entry is. Others, which old Gits wrote, are read as the one they stand for. */
export type FileMode = 0o100644 | 0o100755 | 0o120000 | 0o40000 | 0o160000 | 0o100664;

export const MODE_FILE = 0o100644;
export const MODE_EXECUTABLE = 0o100755;
/** A file that its group may write: Git reads it, and has long ceased to make it. */
export const MODE_GROUP_FILE = 0o100664;
export const MODE_LINK = 0o120000;
export const MODE_DIRECTORY = 0o40000;
/** A commit of another repository: a submodule. */
export const MODE_SUBMODULE = 0o160000;

/** The kind of the object that an entry of this mode names. */
export function kindOfMode(mode: FileMode): ObjectKind {
  if (mode === MODE_DIRECTORY) return 'tree';
  return mode === MODE_SUBMODULE ? 'commit' : 'blob';
}

export function isObjectKind(text: string): text is ObjectKind {
  return (OBJECT_KINDS as readonly string[]).includes(text);
}

const JOINED_BYTES_MAX = 16_384;

/** "blob 5\0": what stands before an object's bytes where they are hashed, and in loose objects. */
export function objectHeader(kind: ObjectKind, sizeBytes: number): Uint8Array {
  const text = `${kind} ${sizeBytes}\0`;
  const header = new Uint8Array(text.length);
  hot.writeLatin1(header, 0, text);
  return header;
}

/** The name of the object with these bytes. O(bytes). */
export function hashObject(
  crypto: CryptoPrimitives,
  hash: ObjectHash,
  kind: ObjectKind,
  bytes: Uint8Array,
): ObjectId {
  const digest = digestObject(crypto, hash, objectHeader(kind, bytes.length), bytes);
  return readId(digest, 0, digest.length);
}

/** One call costs less than a state that goes on, as long as joining the two is cheap. */
function digestObject(
  crypto: CryptoPrimitives,
  hash: ObjectHash,
  header: Uint8Array,
  bytes: Uint8Array,
): Uint8Array {
  if (bytes.length <= JOINED_BYTES_MAX) {
    const whole = new Uint8Array(header.length + bytes.length);
    hot.copy(whole, 0, header, 0, header.length);
    hot.copy(whole, header.length, bytes, 0, bytes.length);
    return crypto.digest(hash, whole);
  }
  const state = crypto.createHash(hash);
  state.update(header);
  state.update(bytes);
  return state.digest();
}

/** The object with its name. `bytes` are shared from then on. */
export function nameObject(
  crypto: CryptoPrimitives,
  hash: ObjectHash,
  kind: ObjectKind,
  bytes: Uint8Array,
): NamedObject {
  return { id: hashObject(crypto, hash, kind, bytes), kind, bytes };
}
