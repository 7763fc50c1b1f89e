/**
 * Making and checking proofs: `produceProof` runs a function on a tree of a repository and keeps
 * what it read; `verifyProof` runs the same function on the proof, for somebody who has nothing but
 * the id of the root. The function gets a tree as any other; that a path has nothing is proven
 * as what it has is, by the directory's whole list. It has to be the same on both sides: its
 * result may depend on the tree and on what both know, not on time or chance. Read first:
 * wire/proof.ts.
 *
 * A proof is as good as the hash: SHA-1 doesn't hold against who can choose contents (Git's
 * collision detection isn't here); where others write, make the repository with SHA-256.
 */

import { err, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import { type BackendError, type GitObject, hashObject, type ObjectId } from '#git';
import { CachedReader } from '../cached-reader.ts';
import { CACHE_BYTES, PROOF_BYTES_MAX, PROOF_OBJECTS_MAX } from '../limits.ts';
import type { ReadFault } from '../merge/object-reader.ts';
import type { Repository } from '../repository.ts';
import type { Schema, Shape } from '../schema.ts';
import { Tree } from '../tree/tree.ts';
import { TreeNode } from '../tree/tree-node.ts';
import { type Proof, proofBytes } from '../wire/proof.ts';
import { Recorder } from './recorder.ts';

/** What is proven: a value, and if it is given a tree that was made of the root's. */
export interface Outcome<S extends Shape, R> {
  readonly value: R;
  readonly after?: Tree<S>;
}

/** Runs on the full tree and on the proof's alike. */
export type Provable<S extends Shape, R> = (tree: Tree<S>) => Promise<Outcome<S, R>>;

export type ProduceError = ReadFault | { readonly kind: 'too big'; readonly sizeBytes: number };

/** Why a proof proves nothing. */
export type ProofFault =
  /** It is about something else. */
  | { readonly kind: 'other root'; readonly root: ObjectId }
  /** The function reads what the proof doesn't have, or has with a byte changed. */
  | { readonly kind: 'outside of the proof'; readonly id: ObjectId }
  /** It has what the function doesn't read: it isn't of this function, or was added to. */
  | { readonly kind: 'more than needed'; readonly id: ObjectId }
  /** The function makes another tree than the proof says. */
  | { readonly kind: 'other outcome'; readonly after: ObjectId }
  /** What its objects say can't be read: whoever made it wrote that. */
  | { readonly kind: 'malformed'; readonly fault: ReadFault };

export interface ProofLimits {
  /** Default, and most: PROOF_BYTES_MAX. */
  readonly bytesMax?: number;
  /** Default, and most: PROOF_OBJECTS_MAX. */
  readonly objectsMax?: number;
}

/** `root` is a commit or a tree of the repository. */
export async function produceProof<S extends Shape, R>(
  repository: Repository<S>,
  root: ObjectId,
  prove: Provable<S, R>,
  { bytesMax = PROOF_BYTES_MAX, objectsMax = PROOF_OBJECTS_MAX }: ProofLimits = {},
): Promise<Result<{ proof: Proof; value: R }, ProduceError>> {
  const { backend, crypto } = repository.core;
  const recorder = new Recorder(backend.hash, (id) => backend.readObject(id));
  const ran = await run<S, R>(crypto, recorder, repository.schema, root, prove);
  const { missing } = recorder;
  if (missing !== null) return err({ kind: 'dangling', id: missing });
  if (!ran.ok) return ran;
  const objects = [...recorder.read.values()];
  const proof = { hash: backend.hash, root, after: ran.value.after, objects };
  const sizeBytes = proofBytes(proof);
  if (sizeBytes > bytesMax || objects.length > objectsMax) {
    return err({ kind: 'too big', sizeBytes });
  }
  return ok({ proof, value: ran.value.value });
}

/** `root` is what the verifier knows and trusts, never what the proof says. */
export async function verifyProof<S extends Shape, R>(
  crypto: CryptoPrimitives,
  schema: Schema<S>,
  root: ObjectId,
  proof: Proof,
  prove: Provable<S, R>,
): Promise<Result<R, ProofFault>> {
  if (proof.root !== root) return err({ kind: 'other root', root: proof.root });
  const objects = new Map<ObjectId, GitObject>();
  for (const object of proof.objects) {
    const id = hashObject(crypto, proof.hash, object.kind, object.bytes);
    if (objects.has(id)) return err({ kind: 'more than needed', id });
    objects.set(id, object);
  }
  const read = async (id: ObjectId): Promise<Result<GitObject | null, BackendError>> =>
    ok(objects.get(id) ?? null);
  const recorder = new Recorder(proof.hash, read);
  const ran = await run<S, R>(crypto, recorder, schema, root, prove);
  const { missing } = recorder;
  if (missing !== null) return err({ kind: 'outside of the proof', id: missing });
  if (!ran.ok) return err({ kind: 'malformed', fault: ran.error });
  for (const id of objects.keys()) {
    if (!recorder.read.has(id)) return err({ kind: 'more than needed', id });
  }
  const { value, after } = ran.value;
  return after === proof.after ? ok(value) : err({ kind: 'other outcome', after });
}

async function run<S extends Shape, R>(
  crypto: CryptoPrimitives,
  recorder: Recorder,
  schema: Schema,
  root: ObjectId,
  prove: Provable<S, R>,
): Promise<Result<{ value: R; after: ObjectId }, ReadFault>> {
  const reader = new CachedReader(recorder, crypto, CACHE_BYTES);
  const id = await treeOfRoot(recorder, reader, root);
  if (!id.ok) return id;
  const tree = new Tree<S>({ reader, crypto }, schema, new TreeNode(id.value));
  const { value, after = tree } = await prove(tree);
  const hash = await after.hash();
  return hash.ok ? ok({ value, after: hash.value }) : hash;
}

async function treeOfRoot(
  recorder: Recorder,
  reader: CachedReader,
  root: ObjectId,
): Promise<Result<ObjectId, ReadFault>> {
  if (root === reader.emptyTree) return ok(root);
  const object = await recorder.readObject(root);
  if (!object.ok) return err({ kind: 'backend', error: object.error });
  if (object.value === null) return err({ kind: 'dangling', id: root });
  if (object.value.kind === 'tree') return ok(root);
  const commit = await reader.commit(root);
  return commit.ok ? ok(commit.value.tree) : commit;
}

/** One sentence's end, without a dot. */
export function formatProofFault(fault: ProofFault): string {
  switch (fault.kind) {
    case 'other root':
      return `it is a proof about ${fault.root}`;
    case 'outside of the proof':
      return `it doesn't have ${fault.id}, which is read`;
    case 'more than needed':
      return `it has ${fault.id}, which isn't read`;
    case 'other outcome':
      return `it says that something else than ${fault.after} comes of it`;
    case 'malformed':
      return `what it has is malformed (${fault.fault.kind})`;
  }
}
