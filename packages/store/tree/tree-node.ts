/**
 * One directory of a tree that may not be written yet: a tree of the repository (by id, read when
 * needed) and what was changed on it. Immutable; a change makes new nodes along its path and
 * shares the rest. Read first: edits.ts. Not here: paths and types (tree.ts).
 */

import { assert, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import {
  type FileMode,
  hashObject,
  MODE_DIRECTORY,
  MODE_SUBMODULE,
  type NamedObject,
  nameObject,
  type ObjectHash,
  type ObjectId,
} from '#git';
import type { CommitObject, TreeEdit, TreeTable } from '#git/wire';
import type { CachedReader } from '../cached-reader.ts';
import type { ObjectReader, ReadFault } from '../merge/object-reader.ts';
import { Edits, removed } from './edits.ts';

/** What trees are read from, and named with. */
export interface TreeContext {
  readonly reader: CachedReader;
  readonly crypto: CryptoPrimitives;
}

/** Contents, or what else an entry that is no directory names: by its bytes, or by its id. */
export class Leaf {
  readonly mode: FileMode;
  /** Null for what is in the repository. */
  readonly bytes: Uint8Array | null;
  #id: ObjectId | null;

  constructor(mode: FileMode, bytes: Uint8Array | null, id: ObjectId | null) {
    assert(bytes !== null || id !== null, 'contents from somewhere');
    this.mode = mode;
    this.bytes = bytes;
    this.#id = id;
  }

  id({ crypto, reader }: TreeContext): ObjectId {
    this.#id ??= hashObject(crypto, reader.hash, 'blob', this.bytes!);
    return this.#id;
  }
}

export type Child = Leaf | TreeNode;

/** A tree whose objects have names: what a commit needs. */
export interface Sealed {
  readonly id: ObjectId;
  /** What it was made of; itself when nothing was changed. */
  readonly base: ObjectId;
  readonly table: TreeTable;
  /** Of this directory: its tree and its contents, as far as they are new. */
  readonly fresh: readonly NamedObject[];
  /** Of the directories that were changed. */
  readonly below: readonly (Sealed & { readonly name: string })[];
  /** Put here as it is in the repository. */
  readonly taken: readonly { readonly name: string; readonly id: ObjectId }[];
}

export class TreeNode {
  readonly base: ObjectId;
  readonly edits: Edits<Child> | null;
  #sealed: Promise<Result<Sealed, ReadFault>> | null = null;

  constructor(base: ObjectId, edits: Edits<Child> | null = null) {
    this.base = base;
    this.edits = edits;
  }

  /** Undefined when there is no such entry. */
  async child(context: TreeContext, name: string): Promise<Result<Child | undefined, ReadFault>> {
    const edited = this.edits?.get(name);
    if (edited === removed) return ok(undefined);
    if (edited !== undefined) return ok(edited);
    const table = await this.table(context);
    if (!table.ok) return table;
    const index = table.value.find(name);
    return ok(index < 0 ? undefined : childOf(table.value, index));
  }

  /** Every entry by name, in Git's order where nothing was changed, else in any. */
  async children(context: TreeContext): Promise<Result<[string, Child][], ReadFault>> {
    const table = await this.table(context);
    if (!table.ok) return table;
    const found: [string, Child][] = [];
    for (let index = 0; index < table.value.count; index++) {
      const name = table.value.nameAt(index);
      if (this.edits?.get(name) === undefined) found.push([name, childOf(table.value, index)]);
    }
    for (const [name, child] of this.edits?.entries() ?? []) {
      if (child !== removed) found.push([name, child]);
    }
    return ok(found);
  }

  with(name: string, child: Child | typeof removed): TreeNode {
    return new TreeNode(this.base, (this.edits ?? Edits.none<Child>()).with(name, child));
  }

  /** The tree in the repository that this one was made of. */
  async table({ reader }: TreeContext): Promise<Result<TreeTable, ReadFault>> {
    const table = reader.peekTree(this.base);
    return table === undefined ? reader.tree(this.base) : ok(table);
  }

  /** Names everything that was changed, once. */
  seal(context: TreeContext): Promise<Result<Sealed, ReadFault>> {
    this.#sealed ??= this.#seal(context);
    return this.#sealed;
  }

  async #seal(context: TreeContext): Promise<Result<Sealed, ReadFault>> {
    const table = await this.table(context);
    // What couldn't be read may be there another time.
    if (!table.ok) this.#sealed = null;
    if (!table.ok) return table;
    if (this.edits === null) return ok(asItIs(this.base, table.value));
    const { crypto, reader } = context;
    const changes: TreeEdit[] = [];
    const fresh: NamedObject[] = [];
    const below: Sealed['below'][number][] = [];
    const taken: Sealed['taken'][number][] = [];
    for (const [name, child] of this.edits.entries()) {
      if (child === removed) {
        changes.push({ name, entry: null });
      } else if (child instanceof Leaf) {
        const id = child.id(context);
        changes.push({ name, entry: { mode: child.mode, id } });
        if (child.bytes !== null) fresh.push({ id, kind: 'blob', bytes: child.bytes });
        else if (child.mode !== MODE_SUBMODULE) taken.push({ name, id });
      } else {
        const sealed = await child.seal(context);
        if (!sealed.ok) this.#sealed = null;
        if (!sealed.ok) return sealed;
        // A tree has no empty directories, as Git's index hasn't.
        const isEmpty = sealed.value.table.count === 0;
        const entry = isEmpty ? null : { mode: MODE_DIRECTORY, id: sealed.value.id };
        changes.push({ name, entry } as TreeEdit);
        if (isEmpty) continue;
        if (sealed.value.id === child.base) taken.push({ name, id: child.base });
        else below.push({ ...sealed.value, name });
      }
    }
    const made = table.value.with(changes);
    const object = nameObject(crypto, reader.hash, 'tree', made.bytes);
    if (object.id === this.base) return ok(asItIs(this.base, table.value));
    if (made.count > 0) fresh.push(object);
    return ok({ id: object.id, base: this.base, table: made, fresh, below, taken });
  }
}

const asItIs = (id: ObjectId, table: TreeTable): Sealed => ({
  id,
  base: id,
  table,
  fresh: [],
  below: [],
  taken: [],
});

function childOf(table: TreeTable, index: number): Child {
  const id = table.idAt(index);
  return table.isDirectory(index) ? new TreeNode(id) : new Leaf(table.modeAt(index), null, id);
}

/** Every new object of a sealed tree, each once; trees go into `reader`'s cache. */
export function freshObjects(sealed: Sealed, reader: CachedReader): NamedObject[] {
  const found = new Map<ObjectId, NamedObject>();
  const queue: Sealed[] = [sealed];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const object of next.fresh) {
      found.set(object.id, object);
      if (object.kind === 'blob') reader.cache.addBlob(object.id, object.bytes);
    }
    reader.cache.addTree(next.id, next.table);
    queue.push(...next.below);
  }
  return [...found.values()];
}

/** Bytes of contents, new ones or the repository's. */
export async function readLeaf(
  { reader }: TreeContext,
  leaf: Leaf,
): Promise<Result<Uint8Array, ReadFault>> {
  if (leaf.bytes !== null) return ok(leaf.bytes);
  assert(leaf.mode !== MODE_SUBMODULE, 'contents of this repository');
  const id = leaf.id({ reader } as TreeContext);
  const known = reader.peekBlob(id);
  return known === undefined ? reader.blob(id) : ok(known);
}

/** The trees of a sealed tree that aren't in the repository yet, over it. */
export class SealedReader implements ObjectReader {
  readonly hash: ObjectHash;
  readonly #trees = new Map<ObjectId, TreeTable>();
  readonly #blobs = new Map<ObjectId, Uint8Array>();
  readonly #reader: CachedReader;

  constructor(reader: CachedReader, ...roots: readonly Sealed[]) {
    this.#reader = reader;
    this.hash = reader.hash;
    const queue = [...roots];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      this.#trees.set(next.id, next.table);
      for (const { id, kind, bytes } of next.fresh) if (kind === 'blob') this.#blobs.set(id, bytes);
      queue.push(...next.below);
    }
  }

  commit(id: ObjectId): Promise<Result<CommitObject, ReadFault>> {
    return this.#reader.commit(id);
  }

  async tree(id: ObjectId): Promise<Result<TreeTable, ReadFault>> {
    const table = this.#trees.get(id) ?? this.#reader.peekTree(id);
    return table === undefined ? this.#reader.tree(id) : ok(table);
  }

  async blob(id: ObjectId): Promise<Result<Uint8Array, ReadFault>> {
    const bytes = this.#blobs.get(id) ?? this.#reader.peekBlob(id);
    return bytes === undefined ? this.#reader.blob(id) : ok(bytes);
  }
}
