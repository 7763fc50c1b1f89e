/**
 * Bundles: a part of a repository as one file, which `git clone` and `git fetch` take as a remote.
 * Reading one moves no ref: what its refs are for is the caller's to say. Read first:
 * ../wire/bundle.ts, ../pack/select-objects.ts.
 */

import { assertNever, err, ok, type Result, type WireFault } from '#core';
import { type BackendError, formatBackendError, type ObjectBackend } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { ByteSource } from '../pack/byte-source.ts';
import type { DeltaOptions } from '../pack/find-deltas.ts';
import { formatPackFault, isPackFault, type PackFault } from '../pack/pack-fault.ts';
import type { PackBounds, PackTools } from '../pack/pack-stream.ts';
import { selectObjects, shallowOf } from '../pack/select-objects.ts';
import { unpackObjects } from '../pack/unpack-objects.ts';
import { packPieces } from '../pack/write-pack.ts';
import { isRefName } from '../ref-name.ts';
import {
  type BundleHead,
  type BundlePrerequisite,
  emitBundleHead,
  parseBundleHead,
} from '../wire/bundle.ts';
import { parseCommit } from '../wire/commit.ts';

type Tools = Omit<PackTools, 'hash'>;

export type BundleFault =
  | { readonly kind: 'malformed'; readonly fault: WireFault }
  /** It is of a repository with another hash. */
  | { readonly kind: 'other hash' }
  /** Commits that it builds on and that aren't here: bring them first. */
  | { readonly kind: 'missing prerequisites'; readonly ids: readonly ObjectId[] }
  /** A ref whose object is neither in it nor here. */
  | { readonly kind: 'dangling'; readonly name: string; readonly id: ObjectId }
  /** The history ends at this commit here, which a bundle has no way to say. */
  | { readonly kind: 'cut off'; readonly id: ObjectId }
  /** Nothing is in it: Git makes none such. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'pack'; readonly fault: PackFault }
  | { readonly kind: 'backend'; readonly error: BackendError };

/** One sentence's end, without a dot. */
export function formatBundleFault(fault: BundleFault): string {
  switch (fault.kind) {
    case 'malformed':
      return 'this is not a bundle';
    case 'other hash':
      return 'the bundle is of a repository with another hash';
    case 'missing prerequisites':
      return `the bundle builds on commits that are not here: ${fault.ids.join(', ')}`;
    case 'dangling':
      return `${fault.name} of the bundle leads to ${fault.id}, which is not there`;
    case 'cut off':
      return `the history ends at ${fault.id}, and a bundle can't say so`;
    case 'empty':
      return 'there is nothing to bundle';
    case 'pack':
      return formatPackFault(fault.fault);
    case 'backend':
      return formatBackendError(fault.error);
    default:
      return assertNever(fault);
  }
}

export interface BundleRequest {
  /** Full names, or "HEAD". */
  readonly refs: BundleHead['refs'];
  /** Commits that the reader has: they and what they reach are left out. */
  readonly without: readonly ObjectId[];
}

export interface ExportedBundle {
  readonly head: BundleHead;
  readonly objects: number;
  /** Throws PackStopped when the backend fails meanwhile. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

const DELTAS: DeltaOptions = { window: 10, depth: 50 };
const NOTHING = new Uint8Array(0);

/** The bundle of some refs, as `git bundle create` makes it. */
export async function exportBundle(
  backend: ObjectBackend,
  tools: Tools,
  request: BundleRequest,
): Promise<Result<ExportedBundle, BundleFault>> {
  const { refs, without } = request;
  if (refs.length === 0) return err({ kind: 'empty' });
  const wants = [...new Set(refs.map(({ id }) => id))];
  const selected = await selectObjects(backend, { wants, haves: without });
  if (!selected.ok) return backendFault(selected.error);
  const selection = selected.value;
  if (selection.count === 0) return err({ kind: 'empty' });
  const shallow = await shallowOf(backend, selection);
  if (!shallow.ok) return backendFault(shallow.error);
  const [cutOff] = shallow.value;
  if (cutOff !== undefined) return err({ kind: 'cut off', id: cutOff });
  const prerequisites: BundlePrerequisite[] = [];
  for (const id of new Set(without)) {
    const object = await backend.readObject(id);
    if (!object.ok) return backendFault(object.error);
    // A reader asks for commits; what isn't here can't be left out either.
    if (object.value?.kind !== 'commit') continue;
    const commit = parseCommit(object.value.bytes, id.length / 2);
    const comment = commit.ok ? commit.value.message.split('\n', 1)[0]! : '';
    prerequisites.push({ id, comment: comment.replaceAll('\0', '') });
  }
  const head = { hash: backend.hash, prerequisites, refs };
  const pieces = (async function* () {
    yield emitBundleHead(head);
    const thin = prerequisites.length > 0;
    const options = { ofsDelta: true, thin, deltas: DELTAS, reuse: true };
    yield* packPieces(backend, tools, selection, options);
  })();
  return ok({ head, objects: selection.count, pieces });
}

export interface ImportedBundle {
  readonly head: BundleHead;
  readonly objects: number;
}

/**
 * Takes the objects of a bundle in, all checked, and gives its refs, which aren't moved. Throws
 * what `pieces` throw.
 */
export async function importBundle(
  backend: ObjectBackend,
  tools: Tools,
  pieces: AsyncIterable<Uint8Array>,
  bounds: PackBounds = {},
): Promise<Result<ImportedBundle, BundleFault>> {
  const source = new ByteSource(pieces);
  try {
    const head = await readHead(source);
    if (!head.ok) return head;
    const verified = await verifyBundle(backend, head.value);
    if (!verified.ok) return verified;
    const options = { ...bounds, check: 'objects', isAlone: true } as const;
    const unpacked = await unpackObjects(restOf(source), backend, tools, options);
    if (!unpacked.ok) return packFault(unpacked.error);
    for (const { name, id } of head.value.refs) {
      const has = await backend.hasObject(id);
      if (!has.ok) return backendFault(has.error);
      if (!has.value) return err({ kind: 'dangling', name, id });
    }
    return ok({ head: head.value, objects: unpacked.value.objects });
  } finally {
    await source.close();
  }
}

/** Whether a bundle can be taken in here: `git bundle verify`. */
export async function verifyBundle(
  backend: ObjectBackend,
  head: BundleHead,
): Promise<Result<void, BundleFault>> {
  if (head.hash !== backend.hash) return err({ kind: 'other hash' });
  const wrong = head.refs.findIndex(({ name }) => name !== 'HEAD' && !isRefName(name));
  if (wrong >= 0)
    return err({ kind: 'malformed', fault: { kind: 'field', offset: 0, value: wrong } });
  const missing: ObjectId[] = [];
  for (const { id } of head.prerequisites) {
    const has = await backend.hasObject(id);
    if (!has.ok) return backendFault(has.error);
    if (!has.value) missing.push(id);
  }
  return missing.length === 0
    ? ok(undefined)
    : err({ kind: 'missing prerequisites', ids: missing });
}

async function readHead(source: ByteSource): Promise<Result<BundleHead, BundleFault>> {
  let tried = 0;
  for (;;) {
    // Again only with twice as much, so that many small pieces cost no more than a few large ones.
    if (source.haveBytes >= tried * 2) {
      tried = source.haveBytes;
      const head = parseBundleHead(source.bytes.subarray(source.at));
      if (head.ok) {
        source.at += head.value.packAt;
        return head;
      }
      if (head.error.kind !== 'short') return err({ kind: 'malformed', fault: head.error });
    }
    if (await source.more()) continue;
    const head = parseBundleHead(source.bytes.subarray(source.at));
    if (!head.ok) return err({ kind: 'malformed', fault: head.error });
    source.at += head.value.packAt;
    return head;
  }
}

async function* restOf(source: ByteSource): AsyncGenerator<Uint8Array, void> {
  do {
    const { bytes, at } = source;
    source.bytes = NOTHING;
    source.at = 0;
    yield bytes.subarray(at);
  } while (await source.more());
}

const backendFault = (error: BackendError) => err<BundleFault>({ kind: 'backend', error });

function packFault(error: PackFault | BackendError): Result<never, BundleFault> {
  return isPackFault(error) ? err({ kind: 'pack', fault: error }) : backendFault(error);
}
