/**
 * A Merkle proof: the objects that a computation over a tree read, whole, so that whoever knows the
 * root's id can do the same computation without the repository. What an object names and isn't
 * in the proof is blinded: its hash alone is known. Git hashes a directory as one list of all its
 * entries, so a proof carries the whole list of each directory on its way: one of 10,000 entries
 * is about 400 KB. Who wants small proofs makes small directories (proofSize tells).
 * Layout: docs/internals/proof-format.md. Read first: packages/git/object.ts. Not here: making and
 * checking proofs (proof/prove.ts).
 */

import { err, hot, ok, type Result, readU32be, type WireFault, writeU32be } from '#core';
import { type GitObject, ID_BYTES, type ObjectHash, type ObjectId, readId, writeId } from '#git';
import { PROOF_BYTES_MAX, PROOF_OBJECTS_MAX } from '../limits.ts';

export interface Proof {
  readonly hash: ObjectHash;
  /** The commit or tree that the computation began at. */
  readonly root: ObjectId;
  /** The tree that it left; the root's own tree where it changed nothing. */
  readonly after: ObjectId;
  /** Commits, trees and blobs; each was read. The order means nothing. */
  readonly objects: readonly GitObject[];
}

const MAGIC = 0x4d_50_52_46;
const VERSION = 1;
const HASHES: readonly ObjectHash[] = ['SHA-1', 'SHA-256'];
const KINDS: readonly GitObject['kind'][] = ['commit', 'tree', 'blob'];
const at = { magic: 0, version: 4, hash: 5, ids: 6 } as const;
const OBJECT_HEAD_BYTES = 5;

/** What the proof has in bytes when it is written. */
export function proofBytes({ hash, objects }: Proof): number {
  let bytes = at.ids + 2 * ID_BYTES[hash] + 4;
  for (const object of objects) bytes += OBJECT_HEAD_BYTES + object.bytes.length;
  return bytes;
}

export function proofSize(proof: Proof): {
  bytes: number;
  trees: number;
  treeBytes: number;
  contents: number;
} {
  const trees = proof.objects.filter(({ kind }) => kind === 'tree');
  return {
    bytes: proofBytes(proof),
    trees: trees.length,
    treeBytes: trees.reduce((sum, { bytes }) => sum + bytes.length, 0),
    contents: proof.objects.filter(({ kind }) => kind === 'blob').length,
  };
}

/** Fresh bytes. */
export function emitProof(proof: Proof): Uint8Array {
  const to = new Uint8Array(proofBytes(proof));
  writeU32be(to, at.magic, MAGIC);
  to[at.version] = VERSION;
  to[at.hash] = HASHES.indexOf(proof.hash) + 1;
  let offset = at.ids + writeId(to, at.ids, proof.root);
  offset += writeId(to, offset, proof.after);
  writeU32be(to, offset, proof.objects.length);
  offset += 4;
  for (const { kind, bytes } of proof.objects) {
    to[offset] = KINDS.indexOf(kind) + 1;
    writeU32be(to, offset + 1, bytes.length);
    hot.copy(to, offset + OBJECT_HEAD_BYTES, bytes, 0, bytes.length);
    offset += OBJECT_HEAD_BYTES + bytes.length;
  }
  return to;
}

/**
 * For any bytes, up to PROOF_BYTES_MAX and PROOF_OBJECTS_MAX. The objects share `b`. Their hashes
 * aren't looked at: verifyProof does.
 */
export function parseProof(b: Uint8Array): Result<Proof, WireFault> {
  if (b.length > PROOF_BYTES_MAX) return field(0, b.length);
  if (b.length < at.ids) return short(at.ids, b.length);
  if (readU32be(b, at.magic) !== MAGIC) return field(at.magic, b[0]!);
  if (b[at.version] !== VERSION) return field(at.version, b[at.version]!);
  const hash = HASHES[b[at.hash]! - 1];
  if (hash === undefined) return field(at.hash, b[at.hash]!);
  const idBytes = ID_BYTES[hash];
  const countAt = at.ids + 2 * idBytes;
  if (b.length < countAt + 4) return short(countAt + 4, b.length);
  const count = readU32be(b, countAt);
  if (count > PROOF_OBJECTS_MAX) return field(countAt, count);
  const objects: GitObject[] = [];
  let offset = countAt + 4;
  for (let i = 0; i < count; i++) {
    const headEnd = offset + OBJECT_HEAD_BYTES;
    if (b.length < headEnd) return short(headEnd, b.length);
    const kind = KINDS[b[offset]! - 1];
    if (kind === undefined) return field(offset, b[offset]!);
    const end = headEnd + readU32be(b, offset + 1);
    if (b.length < end) return short(end, b.length);
    objects.push({ kind, bytes: b.subarray(headEnd, end) });
    offset = end;
  }
  if (offset !== b.length) return field(offset, b[offset]!);
  const root = readId(b, at.ids, idBytes);
  return ok({ hash, root, after: readId(b, at.ids + idBytes, idBytes), objects });
}

const field = (offset: number, value: number): Result<never, WireFault> =>
  err({ kind: 'field', offset, value });
const short = (needBytes: number, haveBytes: number): Result<never, WireFault> =>
  err({ kind: 'short', needBytes, haveBytes });

export function formatProof(proof: Proof): string {
  const { bytes, trees, contents } = proofSize(proof);
  return `proof of ${proof.root}: ${trees} trees, ${contents} contents, ${bytes} bytes`;
}
