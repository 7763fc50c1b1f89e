/**
 * Where a repository's objects and refs are kept: memory, Git's files on a disk, a pack on a block
 * device, a browser's database. All pass the same suite (conformance/). Read first: object.ts,
 * ref-name.ts. Not here: what objects mean (packages/store), how they travel (protocol/).
 *
 * No call rejects. Objects' bytes are shared by whoever gave and whoever got them: nobody changes
 * them. Calls may be under way together, in any number.
 */

import { assertNever, type Result } from '#core';
import type { GitObject, NamedObject, ObjectKind } from './object.ts';
import type { ObjectHash, ObjectId } from './object-id.ts';
import type { PackFault } from './pack/pack-fault.ts';

export type BackendError =
  /** What is kept isn't what was written. `id` is the object it was found at, when it is one. */
  | { readonly kind: 'damaged'; readonly id: ObjectId | null; readonly what: string }
  /** Whatever it is kept on failed. */
  | { readonly kind: 'device'; readonly what: string }
  | { readonly kind: 'full' }
  | { readonly kind: 'read only' }
  /** Somebody else holds a lock, and kept it for longer than one waits. */
  | { readonly kind: 'busy'; readonly what: string }
  /** An object that this backend can't hold. */
  | { readonly kind: 'too big'; readonly sizeBytes: number; readonly bytesMax: number }
  /** More updates of refs in one transaction than REF_UPDATES_MAX, or two of the same ref. */
  | { readonly kind: 'bad transaction' }
  /** Not the name of a ref: isRefName. */
  | { readonly kind: 'bad name'; readonly name: string }
  /** A branch whose files somebody works on: changing it would make theirs look changed. */
  | { readonly kind: 'checked out'; readonly name: string; readonly where: string }
  | { readonly kind: 'closed' };

/** Why refs stayed as they were. */
export type RefConflict =
  /** The ref isn't where it was expected to be. */
  | { readonly kind: 'moved'; readonly name: string; readonly actual: ObjectId | null }
  /** Both can't be: one name is a directory of the other ("refs/heads/a", "refs/heads/a/b"). */
  | { readonly kind: 'in the way'; readonly name: string; readonly other: string };

export type RefValue =
  | { readonly id: ObjectId; readonly symbolic?: undefined }
  | { readonly symbolic: string; readonly id?: undefined };

export interface RefEntry {
  readonly name: string;
  readonly id: ObjectId;
}

export interface RefUpdate {
  readonly name: string;
  /** Where the ref must be: at an object, absent (null), or wherever it is. */
  readonly from: ObjectId | null | 'any';
  /** Null removes the ref; one that is absent stays so. */
  readonly to: ObjectId | null;
}

/** A ref that names nothing that could be understood. */
export interface BrokenRef {
  readonly name: string;
  /** Why. */
  readonly what: string;
}

/** A pack that was read in and checked, and that nobody else sees. It is kept or dropped, once. */
export interface StagedPack {
  readonly objects: number;
  /** Null for what isn't in it. */
  kindOf(id: ObjectId): Result<ObjectKind | null, BackendError>;
  read(id: ObjectId): Result<GitObject | null, BackendError>;
  /** Its objects are the repository's when it resolves, and last. */
  keep(): Promise<Result<void, BackendError>>;
  /** It leaves nothing. Does nothing to one that was kept. */
  drop(): void;
}

/** What a pack may have, and lack. */
export interface StageBounds {
  readonly packBytesMax: number;
  readonly objectsMax: number;
  /** Commits whose parents it lacks. */
  readonly shallow: ReadonlySet<ObjectId>;
}

/** Where a history ends from now on, and where it doesn't any more. */
export interface ShallowUpdate {
  readonly add: readonly ObjectId[];
  readonly remove: readonly ObjectId[];
}

/** An object as a pack keeps it: itself, or what makes it of another one. */
export interface PackEntry {
  readonly kind: ObjectKind;
  /** Of what `deflated` inflates to: the object, or the delta. */
  readonly sizeBytes: number;
  /** What the delta is of; null when it isn't one. */
  readonly base: ObjectId | null;
  /** A whole zlib stream. */
  readonly deflated: Uint8Array;
  /** The same number for entries of one pack: whoever made it has compared them. */
  readonly pack?: number;
}

/** An object to be kept. */
export interface NewObject extends NamedObject {
  /** What a pack had of it, which makes it of its base: what took the object has seen to that. */
  readonly entry?: PackEntry;
}

export interface ObjectBackend {
  readonly hash: ObjectHash;
  /** Whether `writeObjects` makes use of entries; absent: no. */
  readonly takesEntries?: boolean;
  /** Null when it isn't here. */
  readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>>;
  hasObject(id: ObjectId): Promise<Result<boolean, BackendError>>;
  /**
   * Keeps all of them: in any order, also when they are here already. They can be read when it
   * resolves, and survive a loss of power when a later `updateRefs` has resolved. The caller
   * answers for the ids.
   */
  writeObjects(objects: readonly NewObject[]): Promise<Result<void, BackendError>>;
  /** Of a full name ("refs/heads/main"), or "HEAD". Null when there is none. */
  readRef(name: string): Promise<Result<RefValue | null, BackendError>>;
  /** Refs whose names begin with `prefix`, symbolic ones as what they lead to; in byte order. */
  listRefs(prefix: string): Promise<Result<readonly RefEntry[], BackendError>>;
  /**
   * Refs whose names begin with `prefix` that can't be read, which `listRefs` leaves out; absent:
   * there are none.
   */
  listBrokenRefs?(prefix: string): Promise<Result<readonly BrokenRef[], BackendError>>;
  /**
   * All of them or none, compared and set as one step. When it resolves, the refs and every
   * object written before survive a loss of power. `reason` is for a log, where one is kept.
   */
  updateRefs(
    updates: readonly RefUpdate[],
    reason: string,
  ): Promise<Result<void, RefConflict | BackendError>>;
  /** Makes HEAD name this ref, which need not be there. */
  setHead(name: string): Promise<Result<void, BackendError>>;
  /**
   * Calls `changed` after any change of a ref, by us or by others, once for one or several of
   * them; it must not throw. The result ends it.
   */
  watchRefs(changed: () => void): () => void;
  /**
   * Whether the parents of this commit were cut off, so that it counts as having none; absent where
   * histories are whole.
   */
  isShallow?(commit: ObjectId): boolean;
  /** All commits of which `isShallow` is true; the set stays as it is. */
  listShallow?(): Promise<Result<ReadonlySet<ObjectId>, BackendError>>;
  /** Makes commits shallow, and others not: it lasts as refs do. */
  updateShallow?(update: ShallowUpdate): Promise<Result<void, BackendError>>;
  /**
   * Gives back the room of what no ref leads to, beside whoever reads and writes; of the history of
   * each ref `depth` commits stay, all unless given. What was written last stays too, as it may be
   * on its way to a ref, unless `sparesRecent` is false. Absent where it isn't ours to do.
   */
  collect?(options: { readonly depth?: number; readonly sparesRecent?: boolean }): {
    readonly done: Promise<Result<unknown, BackendError | { readonly kind: 'cancelled' }>>;
  };
  /** Every object that is here, once, in any order; those written meanwhile may be among them. */
  objectIds?(): AsyncIterable<Result<ObjectId, BackendError>>;
  /**
   * The object as a pack would keep it, where it is kept so; null elsewhere. `isChecked`: 'damaged'
   * when it isn't what was stored, as far as a checksum tells.
   */
  readEntry?(id: ObjectId, isChecked?: boolean): Promise<Result<PackEntry | null, BackendError>>;
  /**
   * Keeps a whole pack, which needs no object but its own; of the `shallow` commits not even the
   * parents. Without it packs are unpacked.
   */
  addPack?(
    pack: AsyncIterable<Uint8Array>,
    shallow?: ReadonlySet<ObjectId>,
  ): Promise<Result<{ readonly objects: number }, BackendError>>;
  /**
   * Reads a whole pack to where it takes no memory; bases that it lacks are taken from here.
   * Rejects only with what `pack` is rejected with. Without it pushes wait in memory.
   */
  stagePack?(
    pack: AsyncIterable<Uint8Array>,
    bounds: StageBounds,
  ): Promise<Result<StagedPack, PackFault | BackendError>>;
  /** Waits for what is under way; every later call is 'closed'. May be called twice. */
  close(): Promise<void>;
}

const CHECKED_OUT_MEND =
  'change another branch and merge it there, use a bare repository, or set ' +
  'receive.denyCurrentBranch to ignore and run "git reset --hard" afterwards';

/** One sentence's end, without a dot. */
export function formatBackendError(error: BackendError): string {
  switch (error.kind) {
    case 'damaged':
      return error.id === null ? `it is damaged: ${error.what}` : `${error.id}: ${error.what}`;
    case 'device':
      return error.what;
    case 'full':
      return 'there is no room left';
    case 'read only':
      return 'it is read only';
    case 'busy':
      return `somebody else is at it: ${error.what}`;
    case 'too big':
      return `an object of ${error.sizeBytes} bytes is more than ${error.bytesMax}`;
    case 'bad transaction':
      return 'too many refs, or one ref twice, in one transaction';
    case 'bad name':
      return `"${error.name}" can't be the name of a ref`;
    case 'checked out':
      return `${error.name} is checked out in ${error.where}: ${CHECKED_OUT_MEND}`;
    case 'closed':
      return 'it is closed';
    default:
      return assertNever(error);
  }
}

export function formatRefConflict(conflict: RefConflict): string {
  if (conflict.kind === 'moved') {
    return `${conflict.name} is at ${conflict.actual ?? 'nothing'} by now`;
  }
  return `${conflict.name} can't be beside ${conflict.other}`;
}

export function isRefConflict(error: RefConflict | BackendError): error is RefConflict {
  return error.kind === 'moved' || error.kind === 'in the way';
}
