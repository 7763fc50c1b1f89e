/**
 * A tree of contents, as an immutable value: read when it is asked, changed in memory, written
 * when a store commits it. Reading objects that are cached waits for nothing but the promise. Read
 * first: tree-node.ts, ../schema.ts.
 *
 * No call rejects. An empty tree isn't one: setting one removes what was there, and removing the
 * last entry of a directory removes the directory.
 */

import { assert, err, ok, type Result } from '#core';
import {
  type FileMode,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_LINK,
  MODE_SUBMODULE,
  type NamedObject,
  type ObjectId,
} from '#git';
import type { AnyContentType } from '../content/content-type.ts';
import type { ReadFault } from '../merge/object-reader.ts';
import { checkPath, type Path } from '../path.ts';
import type { ContentAt, PathOf, Schema, Shape, ShapeAt, TreePathOf } from '../schema.ts';
import type { AbsentError, TreeError } from '../store-error.ts';
import { removed } from './edits.ts';
import { peekBytes } from './peek.ts';
import { takenOver } from './taken-over.ts';
import { diffTrees, type TreeChange } from './tree-diff.ts';
import {
  freshObjects,
  Leaf,
  readLeaf,
  type Sealed,
  SealedReader,
  type TreeContext,
  TreeNode,
} from './tree-node.ts';
import {
  type EntryKind,
  entryKind,
  type TreeItem,
  type TreeStats,
  type WalkTreeOptions,
  walkTree,
} from './tree-walk.ts';

export interface Listed {
  readonly step: string;
  readonly kind: EntryKind;
}

type Found = Leaf | TreeNode | undefined;

/** A tree as a value: changes give another one, in memory until a store commits it. Read lazily. */
export class Tree<S extends Shape = Shape> {
  readonly schema: Schema;
  readonly #context: TreeContext;
  readonly #node: TreeNode;
  /** Of S, in a way that the compiler can't forget. */
  declare readonly shape: S;

  /** Not for applications: a store gives trees. */
  constructor(context: TreeContext, schema: Schema, node: TreeNode) {
    this.#context = context;
    this.schema = schema;
    this.#node = node;
  }

  /** The contents at `path`; undefined when there are none. */
  async find<const P extends PathOf<S>>(
    path: P,
  ): Promise<Result<ContentAt<S, P> | undefined, TreeError>> {
    const type = this.schema.typeAt(path);
    if (type === null) return badPath(path);
    const bytes = await this.#bytesAt(path);
    if (!bytes.ok) return bytes;
    return bytes.value === undefined ? ok(undefined) : decodeAt(type, path, bytes.value);
  }

  /** As `find`; nothing there is an error. */
  async get<const P extends PathOf<S>>(
    path: P,
  ): Promise<Result<ContentAt<S, P>, TreeError | AbsentError>> {
    const found = await this.find(path);
    return found.ok && found.value === undefined
      ? absent(path)
      : (found as Result<ContentAt<S, P>, TreeError>);
  }

  async mem<const P extends PathOf<S>>(path: P): Promise<Result<boolean, TreeError>> {
    const found = await this.#at(path);
    return found.ok ? ok(found.value instanceof Leaf) : found;
  }

  async memTree<const P extends TreePathOf<S>>(path: P): Promise<Result<boolean, TreeError>> {
    const found = await this.findTree(path);
    return found.ok ? ok(found.value !== undefined) : found;
  }

  /** What is at `path`; undefined when nothing is. */
  async kind(path: Path): Promise<Result<EntryKind | undefined, TreeError>> {
    const found = await this.#at(path);
    return found.ok ? ok(found.value && kindOf(found.value)) : found;
  }

  /** The mode of contents at `path`; undefined when there are none. */
  async mode(path: Path): Promise<Result<FileMode | undefined, TreeError>> {
    const found = await this.#at(path);
    if (!found.ok) return found;
    return ok(found.value instanceof Leaf ? found.value.mode : undefined);
  }

  /** The tree at `path`; undefined when there is none, or an empty one. */
  async findTree<const P extends TreePathOf<S>>(
    path: P,
  ): Promise<Result<Tree<Extract<ShapeAt<S, P>, Shape>> | undefined, TreeError>> {
    const schema = this.schema.at(path);
    if (schema === null || !schema.hasSteps) return badPath(path);
    const found = await this.#at(path);
    if (!found.ok) return found;
    if (!(found.value instanceof TreeNode)) return ok(undefined);
    const tree = new Tree<Extract<ShapeAt<S, P>, Shape>>(this.#context, schema, found.value);
    const isEmpty = await tree.isEmpty();
    return isEmpty.ok ? ok(isEmpty.value ? undefined : tree) : isEmpty;
  }

  async getTree<const P extends TreePathOf<S>>(
    path: P,
  ): Promise<Result<Tree<Extract<ShapeAt<S, P>, Shape>>, TreeError | AbsentError>> {
    const found = await this.findTree(path);
    if (!found.ok) return found;
    return found.value === undefined ? absent(path) : ok(found.value);
  }

  /** Entries of the tree at `path` in Git's order, from `offset` on; none when there is no tree. */
  async list<const P extends TreePathOf<S>>(
    path: P,
    { offset = 0, length = Number.POSITIVE_INFINITY } = {},
  ): Promise<Result<readonly Listed[], TreeError>> {
    const found = await this.#at(path);
    if (!found.ok) return found;
    if (!(found.value instanceof TreeNode)) return ok([]);
    const sealed = await found.value.seal(this.#context);
    if (!sealed.ok) return sealed;
    const { table } = sealed.value;
    const listed: Listed[] = [];
    for (let index = offset; index < table.count && index - offset < length; index++) {
      listed.push({ step: table.nameAt(index), kind: entryKind(table.modeAt(index)) });
    }
    return ok(listed);
  }

  /** With `value` at `path`; what was there, and contents on the way, are replaced. */
  async set<const P extends PathOf<S>>(
    path: P,
    value: ContentAt<S, P>,
    { mode }: { readonly mode?: FileMode } = {},
  ): Promise<Result<Tree<S>, TreeError>> {
    const type = this.schema.typeAt(path);
    if (type === null) return badPath(path);
    assert(mode !== MODE_DIRECTORY && mode !== MODE_SUBMODULE, 'a mode of contents');
    const keeps = mode === undefined ? await this.mode(path) : ok(mode);
    if (!keeps.ok) return keeps;
    const before = keeps.value;
    const isKept = before !== undefined && before !== MODE_LINK && before !== MODE_SUBMODULE;
    const given = mode ?? (isKept ? before : MODE_FILE);
    return this.#with(path, new Leaf(given, type.encode(value), null));
  }

  /** With `tree`, of the same repository, at `path`. An empty one removes what was there. */
  async setTree<const P extends TreePathOf<S>>(
    path: P,
    tree: Tree<Extract<ShapeAt<S, P>, Shape>>,
  ): Promise<Result<Tree<S>, TreeError>> {
    assert(tree.#context.reader === this.#context.reader, 'a tree of the same repository');
    if (path.length === 0) return ok(new Tree<S>(this.#context, this.schema, tree.#node));
    return this.#with(path, tree.#node);
  }

  /** Without what is at `path`, contents or a tree; the same tree when nothing is. */
  async remove(path: PathOf<S> | TreePathOf<S>): Promise<Result<Tree<S>, TreeError>> {
    if (path.length === 0) {
      const nothing = new TreeNode(this.#context.reader.emptyTree);
      return ok(new Tree<S>(this.#context, this.schema, nothing));
    }
    const there = await this.#at(path);
    if (!there.ok) return there;
    return there.value === undefined ? ok(this) : this.#with(path, removed);
  }

  /** The name of the tree as it would be written. */
  async hash(): Promise<Result<ObjectId, ReadFault>> {
    const sealed = await this.#node.seal(this.#context);
    return sealed.ok ? ok(sealed.value.id) : sealed;
  }

  async isEmpty(): Promise<Result<boolean, ReadFault>> {
    const sealed = await this.#node.seal(this.#context);
    return sealed.ok ? ok(sealed.value.table.count === 0) : sealed;
  }

  /** What one has to do to this tree to get `after`; a fault is the last that comes. */
  async *diff(after: Tree<S>): AsyncGenerator<Result<TreeChange, ReadFault>> {
    const [trees, old, now] = [await this.reader(after), await this.hash(), await after.hash()];
    if (!trees.ok) return yield trees;
    if (!old.ok) return yield old;
    if (!now.ok) return yield now;
    yield* diffTrees(trees.value, old.value, now.value);
  }

  /** Every entry, from the root down; a fault is the last that comes. */
  async *walk(options: WalkTreeOptions = {}): AsyncGenerator<Result<TreeItem, ReadFault>> {
    const sealed = await this.#sealed();
    if (!sealed.ok) return yield sealed;
    yield* walkTree(new SealedReader(this.#context.reader, sealed.value), sealed.value.id, options);
  }

  /** `step` on every entry that `walk` gives, with what it made of those before. */
  async fold<A>(
    start: A,
    step: (sum: A, item: TreeItem) => A | Promise<A>,
    options: WalkTreeOptions = {},
  ): Promise<Result<A, ReadFault>> {
    let sum = start;
    for await (const item of this.walk(options)) {
      if (!item.ok) return item;
      sum = await step(sum, item.value);
    }
    return ok(sum);
  }

  /** Reads every tree of it, and no contents. */
  async stats(): Promise<Result<TreeStats, ReadFault>> {
    const stats = { contents: 0, trees: 1, submodules: 0, depth: 0, width: 0 };
    const widths = new Map<string, number>();
    const counted = await this.fold(stats, (sum, { kind, path }) => {
      if (kind === 'contents') sum.contents++;
      else if (kind === 'tree') sum.trees++;
      else sum.submodules++;
      sum.depth = Math.max(sum.depth, path.length);
      const parent = path.slice(0, -1).join('/');
      const width = (widths.get(parent) ?? 0) + 1;
      widths.set(parent, width);
      sum.width = Math.max(sum.width, width);
      return sum;
    });
    return counted;
  }

  /** Not for applications: its name, and the objects that writing it takes. */
  async toWrite(): Promise<Result<{ id: ObjectId; objects: NamedObject[] }, ReadFault>> {
    const sealed = await this.#sealed();
    if (!sealed.ok) return sealed;
    const objects = freshObjects(sealed.value, this.#context.reader);
    return ok({ id: sealed.value.id, objects });
  }

  /** Not for applications: what is neither new nor of `head`, a tree's name: see taken-over.ts. */
  async takenOver(head: ObjectId): Promise<Result<ReadonlySet<ObjectId>, ReadFault>> {
    const sealed = await this.#sealed();
    return sealed.ok ? takenOver(this.#context.reader, sealed.value, head) : sealed;
  }

  /** Not for applications: with contents as bytes, or nothing, at `path`. */
  async patch(
    path: Path,
    entry: { readonly mode: FileMode; readonly bytes: Uint8Array } | null,
  ): Promise<Result<Tree<S>, TreeError>> {
    return this.#with(path, entry === null ? removed : new Leaf(entry.mode, entry.bytes, null));
  }

  /** Not for applications: reads this tree and `others`, written or not. */
  async reader(...others: readonly Tree<S>[]): Promise<Result<SealedReader, ReadFault>> {
    const all: Sealed[] = [];
    for (const tree of [this, ...others]) {
      const sealed = await tree.#sealed();
      if (!sealed.ok) return sealed;
      all.push(sealed.value);
    }
    return ok(new SealedReader(this.#context.reader, ...all));
  }

  #sealed() {
    return this.#node.seal(this.#context);
  }

  /** Undefined also for what no path leads to. */
  async #at(path: Path): Promise<Result<Found, ReadFault>> {
    let here: Found = this.#node;
    for (const step of path) {
      if (!(here instanceof TreeNode)) return ok(undefined);
      const child: Result<Found, ReadFault> = await here.child(this.#context, step);
      if (!child.ok) return child;
      here = child.value;
    }
    return ok(here);
  }

  async #bytesAt(path: Path): Promise<Result<Uint8Array | undefined, ReadFault>> {
    if (this.#node.edits === null) {
      const bytes = peekBytes(this.#context.reader, this.#node.base, path);
      if (bytes !== undefined) return ok(bytes ?? undefined);
    }
    const found = await this.#at(path);
    if (!found.ok) return found;
    const leaf = found.value;
    if (!(leaf instanceof Leaf) || leaf.mode === MODE_SUBMODULE) return ok(undefined);
    return readLeaf(this.#context, leaf);
  }

  /** New nodes along the path, from its end upwards. */
  async #with(
    path: Path,
    child: Leaf | TreeNode | typeof removed,
  ): Promise<Result<Tree<S>, TreeError>> {
    const why = checkPath(path);
    if (why !== null) return err({ kind: 'bad path', path, why });
    const nodes: TreeNode[] = [this.#node];
    for (const step of path.slice(0, -1)) {
      const next = await nodes.at(-1)!.child(this.#context, step);
      if (!next.ok) return next;
      const isNode = next.value instanceof TreeNode;
      nodes.push(isNode ? (next.value as TreeNode) : new TreeNode(this.#context.reader.emptyTree));
    }
    let made: Leaf | TreeNode | typeof removed = child;
    for (let i = path.length - 1; i >= 0; i--) made = nodes[i]!.with(path[i]!, made);
    return ok(new Tree<S>(this.#context, this.schema, made as TreeNode));
  }
}

const kindOf = (found: Leaf | TreeNode): EntryKind =>
  found instanceof TreeNode ? 'tree' : entryKind(found.mode);

export function absent(path: Path): Result<never, AbsentError> {
  return err({ kind: 'absent', path });
}

export function badPath(path: Path): Result<never, TreeError> {
  return err({ kind: 'bad path', path, why: 'the schema has nothing there' });
}

export function decodeAt<T>(
  type: AnyContentType,
  path: Path,
  bytes: Uint8Array,
): Result<T, TreeError> {
  const decoded = type.decode(bytes);
  return decoded.ok ? decoded : err({ kind: 'undecodable', path, fault: decoded.error });
}
