/** What the cases have in common: objects to write, and what must come of a call. */

import { assert, hot, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import type { BackendError, ObjectBackend, RefConflict, RefUpdate } from '../backend.ts';
import { type NamedObject, nameObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { emitCommit } from '../wire/commit.ts';
import { encodeText } from '../wire/text.ts';
import { emitTree } from '../wire/tree.ts';

export interface BackendWorld {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  /** Resolves when watchers that are owed a call have had it. */
  settle(): Promise<void>;
}

export type Outcome<T> = Result<T, BackendError | RefConflict>;

export function value<T>(outcome: Outcome<T>, what: string): T {
  if (outcome.ok) return outcome.value;
  throw new Error(`${what}: ${JSON.stringify(outcome.error)}`);
}

export function refused(outcome: Outcome<unknown>, kind: (BackendError | RefConflict)['kind']) {
  const got = outcome.ok ? 'done' : outcome.error.kind;
  assert(got === kind, `refused as "${kind}", not "${got}"`);
}

export const blobOf = (world: BackendWorld, text: string): NamedObject =>
  nameObject(world.crypto, world.backend.hash, 'blob', encodeText(text));

/** An empty commit; another message, another id. */
export function commitOf(world: BackendWorld, message: string): readonly NamedObject[] {
  const { crypto, backend } = world;
  const tree = nameObject(crypto, backend.hash, 'tree', emitTree([], 20));
  const author = { name: 'A', email: 'a@example.org', seconds: 1_800_000_000, zoneMinutes: 0 };
  const bytes = emitCommit({
    tree: tree.id,
    parents: [],
    author,
    committer: author,
    extraHeaders: '',
    message,
  });
  return [tree, nameObject(crypto, backend.hash, 'commit', bytes)];
}

/** The ids of `count` commits that have been written. */
export async function writeCommits(world: BackendWorld, count: number): Promise<ObjectId[]> {
  const objects = Array.from({ length: count }, (_, i) => commitOf(world, `commit ${i}\n`));
  value(await world.backend.writeObjects(objects.flat()), 'commits written');
  return objects.map(([, commit]) => commit!.id);
}

export async function expectObject(world: BackendWorld, object: NamedObject): Promise<void> {
  const read = value(await world.backend.readObject(object.id), `${object.id} read`);
  assert(read !== null, `${object.id} is there`);
  assert(read.kind === object.kind, `${object.id} is a ${object.kind}`);
  const count = object.bytes.length;
  const same = read.bytes.length === count && hot.equal(read.bytes, 0, object.bytes, 0, count);
  assert(same, `${object.id} has its bytes`);
}

export async function update(world: BackendWorld, ...updates: RefUpdate[]): Promise<Outcome<void>> {
  return world.backend.updateRefs(updates, 'test');
}

export async function expectRef(
  world: BackendWorld,
  name: string,
  want: ObjectId | null,
): Promise<void> {
  const ref = value(await world.backend.readRef(name), `${name} read`);
  assert((ref?.id ?? null) === want, `${name} is at ${want}, not ${JSON.stringify(ref)}`);
}
