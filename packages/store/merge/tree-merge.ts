/**
 * Three-way merge of trees, step by step of their paths. What one side changed is taken; where
 * both did, directories merge entry by entry, and contents by their type's merge, and modes
 * apart from contents. At each step what is contents and what is a tree are merged each for
 * itself, as Git's path by path does: a file that one side made a directory of, and the other
 * left alone, is fine; contents and a tree that both are left at one step conflict. Subtrees that
 * a side left alone are never read; those that both changed alike only for contents that add up.
 * Conflicts don't end the merge: all of them are listed.
 * A moved value is one that was removed and one that was added, as in Irmin, unless `renames` asks
 * for more (renames.ts).
 * Read first: content/merge.ts, object-draft.ts. Not here: which base (commit-merge.ts).
 */

import { err, ok, type Result } from '#core';
import {
  type FileMode,
  kindOfMode,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_LINK,
  MODE_SUBMODULE,
  type ObjectId,
} from '#git';
import { encodeText, type TreeEdit, type TreeEntry, type TreeTable } from '#git/wire';
import type { AnyContentType } from '../content/content-type.ts';
import { type Base, conflict, type MergeConflict } from '../content/merge.ts';
import { CONFLICTS_MAX, TREE_DEPTH_MAX } from '../limits.ts';
import { pairUp } from '../tree/tree-diff.ts';
import type { ObjectDraft } from './object-draft.ts';
import type { ReadFault } from './object-reader.ts';
import { followRenames } from './renames.ts';

/** What stands at a path. */
export interface Side {
  readonly mode: FileMode;
  readonly id: ObjectId;
}

export interface TreeConflict {
  readonly path: readonly string[];
  /** What the path has in the base and on both sides; null: nothing. */
  readonly base: Side | null;
  readonly ours: Side | null;
  readonly theirs: Side | null;
  readonly reason: MergeConflict;
}

export type TreeMergeFault = ReadFault | { readonly kind: 'too deep'; readonly depthMax: number };

/** The content type of what is, or may come to be, at a path. Called only where it is needed. */
export type ContentTypeAt = (path: readonly string[]) => AnyContentType;

export interface TreeMergeOptions {
  readonly contentTypeAt: ContentTypeAt;
  /**
   * Whether a type that adds up (ContentType.addsUp) may be at a path or below it. Where none is,
   * what both sides changed alike isn't read. Default: may be anywhere.
   */
  readonly mayAddUp?: (path: readonly string[]) => boolean;
  /**
   * Makes the merge total: where something conflicts one side stays (a tree, or what is greater by
   * its id, so that it doesn't matter whose it is), and the other one is put beside it, under its
   * name with "~" and the first digits of its id; what one side removed and the other changed
   * stays, with a note "NAME~removed".
   */
  readonly keepBoth?: boolean;
  /** Follow contents that one side moved unchanged (renames.ts). Default: no. */
  readonly renames?: boolean;
}

type Path = readonly string[];
type Entry = Side | null;

interface Three<T> {
  readonly base: T;
  readonly ours: T;
  readonly theirs: T;
}

/**
 * One merge of trees. New objects go into the draft. With `virtual` it makes a base of several:
 * where they conflict a marker is put, and a merge on top that needs a base there gets the
 * conflict; a merge of virtual bases shares its `markers`.
 */
export class TreeMerge {
  readonly #draft: ObjectDraft;
  readonly #typeAt: ContentTypeAt;
  readonly #mayAddUp: TreeMergeOptions['mayAddUp'];
  readonly #markers: Map<ObjectId, MergeConflict>;
  readonly #virtual: boolean;
  readonly #keepBoth: boolean;
  readonly #renames: boolean;
  /** Whether the sides' trees are stored; not when they are virtual, or something was moved. */
  #isStored: boolean;
  /** What is put beside what was kept: by directory, then by name. */
  readonly #beside = new Map<string, Map<string, Side>>();
  /** The first CONFLICTS_MAX of them, in no order. */
  readonly conflicts: TreeConflict[] = [];
  conflictCount = 0;

  constructor(
    draft: ObjectDraft,
    { contentTypeAt, mayAddUp, keepBoth = false, renames = false }: TreeMergeOptions,
    markers: Map<ObjectId, MergeConflict> = new Map(),
    virtual = false,
  ) {
    this.#draft = draft;
    this.#typeAt = contentTypeAt;
    this.#mayAddUp = mayAddUp;
    this.#markers = markers;
    this.#virtual = virtual;
    this.#keepBoth = keepBoth;
    this.#renames = renames;
    this.#isStored = !virtual;
  }

  /** The merged tree; a base of null is an empty one. Look at `conflictCount` before using it. */
  async run(
    base: ObjectId | null,
    ours: ObjectId,
    theirs: ObjectId,
  ): Promise<Result<ObjectId, TreeMergeFault>> {
    const side = (id: ObjectId | null): Entry =>
      id === null ? null : { mode: MODE_DIRECTORY, id };
    let trees: Three<ObjectId | null> = { base, ours, theirs };
    if (this.#renames && base !== null) {
      const moved = await followRenames(this.#draft, { base, ours, theirs });
      if (!moved.ok) return moved;
      if (moved.value.base !== base) this.#isStored = false;
      trees = moved.value;
    }
    const merged = await this.#entry([], each(trees, side));
    if (!merged.ok) return merged;
    return ok(merged.value?.id ?? this.#draft.emptyTree);
  }

  /** What becomes of one path; null: nothing is there. */
  async #entry(path: Path, sides: Three<Entry>): Promise<Result<Entry, TreeMergeFault>> {
    const { base, ours, theirs } = sides;
    if (isSame(base, theirs) || (isSame(ours, theirs) && !this.#addsUp(path, sides))) {
      return ok(ours);
    }
    if (isSame(base, ours)) return ok(theirs);
    const subtree = await this.#subtree(path, each(sides, onlyTree));
    if (!subtree.ok) return subtree;
    const contents = await this.#contents(path, each(sides, onlyContents));
    if (!contents.ok) return contents;
    const { value: merged } = contents;
    if (merged.ok && (merged.value === null || subtree.value === null)) {
      return ok(merged.value ?? subtree.value);
    }
    const mixed = subtree.value !== null;
    const reason = mixed
      ? conflict('contents and tree', 'one side has contents, the other a tree')
      : (merged as { readonly error: MergeConflict }).error;
    this.#note({ path, ...sides, reason });
    if (this.#virtual) return ok(this.#marker(path, sides, reason));
    if (!this.#keepBoth) return ok(ours);
    const contentsOf = merged.ok ? merged.value : null;
    const others = contentsOf === null ? [onlyContents(ours), onlyContents(theirs)] : [contentsOf];
    const [kept, note] = keptOf(subtree.value, others);
    const mode = MODE_FILE;
    const beside = note ?? { mode, id: this.#draft.addBlob(encodeText(REMOVED_NOTE)) };
    const names = this.#beside.get(parentOf(path)) ?? new Map<string, Side>();
    this.#beside.set(parentOf(path), names.set(nameBeside(path.at(-1)!, note), beside));
    return ok(kept);
  }

  /** Whether sides that are equal may have made two changes, which their merge counts. */
  #addsUp(path: Path, { base, ours }: Three<Entry>): boolean {
    if (ours === null || this.#mayAddUp?.(path) === false) return false;
    if (isTree(ours)) return true;
    return base?.id !== ours.id && this.#typeAt(path).addsUp === true;
  }

  async #subtree(path: Path, sides: Three<Entry>): Promise<Result<Entry, TreeMergeFault>> {
    const { base, ours, theirs } = sides;
    if (isSame(base, theirs)) return ok(ours);
    if (isSame(base, ours)) return ok(theirs);
    if (path.length >= TREE_DEPTH_MAX) return err({ kind: 'too deep', depthMax: TREE_DEPTH_MAX });
    const tables: TreeTable[] = [];
    for (const side of [base, ours, theirs]) {
      const table = await this.#draft.tree(side?.id ?? this.#draft.emptyTree);
      if (!table.ok) return table;
      tables.push(table.value);
    }
    const [baseTable, ourTable, theirTable] = tables as [TreeTable, TreeTable, TreeTable];
    const edits: TreeEdit[] = [];
    for (const [before, after] of pairUp(baseTable, theirTable)) {
      const { name } = (before ?? after)!;
      const three = each({ base: baseTable, ours: ourTable, theirs: theirTable }, (table) =>
        sideOf(table.get(name)),
      );
      const merged = await this.#entry([...path, name], three);
      if (!merged.ok) return merged;
      if (!isSame(merged.value, three.ours)) edits.push({ name, entry: merged.value });
    }
    const beside = this.#keepBoth ? this.#beside.get(path.join('/')) : undefined;
    for (const [name, entry] of beside ?? []) {
      if (!edits.some((edit) => edit.name === name)) edits.push({ name, entry });
    }
    if (edits.length === 0) return ok(ours);
    const table = ourTable.with(edits);
    if (table.count === 0) return ok(null);
    // Sides that aren't stored have entries of their own that no repository has.
    const news = !this.#isStored ? undefined : edits.flatMap(({ entry }) => entry?.id ?? []);
    return ok({ mode: MODE_DIRECTORY, id: this.#draft.addTree(table, news) });
  }

  /** The outer result is about reading; the inner one is the merge. */
  async #contents(
    path: Path,
    sides: Three<Entry>,
  ): Promise<Result<Result<Entry, MergeConflict>, ReadFault>> {
    const { base, ours, theirs } = sides;
    if (isSame(base, theirs)) return ok(ok(ours));
    if (isSame(base, ours)) return ok(ok(theirs));
    if (ours === null && theirs === null) return ok(ok(null));
    for (const side of [ours, theirs]) {
      const marker = side === null ? undefined : this.#markers.get(side.id);
      if (marker !== undefined) return ok(err(marker));
    }
    const sort = sortOf((ours ?? theirs)!.mode);
    if (ours !== null && theirs !== null && sortOf(theirs.mode) !== sort) {
      return ok(err(conflict('both changed', 'one is a file, the other a link or a submodule')));
    }
    const isHalf = ours === null || theirs === null;
    if (isHalf && base !== null && sortOf(base.mode) !== sort) {
      return ok(err(sideConflict(base, ours, theirs)));
    }
    const sameSort = base !== null && sortOf(base.mode) === sort ? base : null;
    const mode = mergeMode(sameSort, ours, theirs);
    const id = await this.#value(path, sides, sort);
    if (!id.ok) return id;
    if (!id.value.ok) return ok(id.value);
    if (id.value.value === null) {
      const isKept = (ours ?? theirs)?.mode !== sameSort?.mode && sameSort !== null;
      return ok(isKept ? err(sideConflict(base, ours, theirs)) : ok(null));
    }
    if (mode === null) return ok(err(conflict('both changed', 'both changed the file mode')));
    return ok(ok({ mode, id: id.value.value }));
  }

  async #value(
    path: Path,
    { base, ours, theirs }: Three<Entry>,
    sort: Sort,
  ): Promise<Result<Result<ObjectId | null, MergeConflict>, ReadFault>> {
    const addsUp = sort === 'file' && this.#typeAt(path).addsUp === true;
    if (ours?.id === theirs?.id && !addsUp) return ok(ok(ours?.id ?? null));
    if (ours !== null && theirs !== null && base !== null) {
      if (base.id === ours.id) return ok(ok(theirs.id));
      if (base.id === theirs.id) return ok(ok(ours.id));
    }
    // Bytes that were a link's are no base for a file's merge.
    const old = base !== null && sortOf(base.mode) === sort ? base : null;
    if (sort !== 'file') return ok(err(sideConflict(old, ours, theirs)));
    const type = this.#typeAt(path);
    const values: unknown[] = [];
    for (const [name, side] of [['ours', ours] as const, ['theirs', theirs] as const]) {
      if (side === null) {
        values.push(undefined);
        continue;
      }
      const value = await this.#decode(type, side.id, name);
      if (!value.ok) return value;
      if (!value.value.ok) return ours?.id === theirs?.id ? ok(ok(side.id)) : ok(value.value);
      values.push(value.value.value);
    }
    const oldValue = await this.#base(type, old);
    if (!oldValue.ok) return oldValue;
    const merged = type.merge(oldValue.value, values[0], values[1]);
    if (!merged.ok) return ok(merged);
    if (merged.value === undefined) return ok(ok(null));
    return ok(ok(this.#draft.addBlob(type.encode(merged.value))));
  }

  async #base(type: AnyContentType, base: Entry): Promise<Result<Base<unknown>, ReadFault>> {
    if (base === null) return ok(() => ok(undefined));
    const marker = this.#markers.get(base.id);
    if (marker !== undefined) {
      const reason = `the common ancestors conflict: ${marker.message}`;
      return ok(() => err({ ...marker, kind: 'no base', message: reason }));
    }
    const bytes = await this.#draft.blob(base.id);
    if (!bytes.ok) return bytes;
    let decoded: Result<unknown, MergeConflict> | null = null;
    return ok(() => {
      decoded ??= decode(type, bytes.value, 'the base');
      return decoded;
    });
  }

  async #decode(
    type: AnyContentType,
    id: ObjectId,
    whose: string,
  ): Promise<Result<Result<unknown, MergeConflict>, ReadFault>> {
    const bytes = await this.#draft.blob(id);
    return bytes.ok ? ok(decode(type, bytes.value, whose)) : bytes;
  }

  /** What stands for a conflict in a virtual base. */
  #marker(path: Path, sides: Three<Entry>, reason: MergeConflict): Entry {
    const ids = [sides.base, sides.ours, sides.theirs].map((side) => side?.id ?? 'none');
    const text = ['conflict of common ancestors', ...path, ...ids].join('\n');
    const id = this.#draft.addBlob(encodeText(text));
    this.#markers.set(id, reason);
    return { mode: MODE_FILE, id };
  }

  #note(conflict: TreeConflict): void {
    this.conflictCount++;
    if (this.conflicts.length < CONFLICTS_MAX) this.conflicts.push(conflict);
  }
}

function decode(type: AnyContentType, bytes: Uint8Array, whose: string) {
  const value = type.decode(bytes);
  if (value.ok) return value;
  return err(conflict('undecodable', `${whose} isn't ${type.name}: ${value.error.message}`));
}

type Sort = 'file' | 'link' | 'submodule';

function sortOf(mode: FileMode): Sort {
  if (mode === MODE_LINK) return 'link';
  return mode === MODE_SUBMODULE ? 'submodule' : 'file';
}

/** Without its name: it may come to stand under another one. */
const sideOf = (entry: TreeEntry | null): Entry =>
  entry === null ? null : { mode: entry.mode, id: entry.id };

const isSame = (a: Entry, b: Entry): boolean => a?.id === b?.id && a?.mode === b?.mode;
const isTree = (side: Side): boolean => kindOfMode(side.mode) === 'tree';
const onlyTree = (side: Entry): Entry => (side !== null && isTree(side) ? side : null);
const onlyContents = (side: Entry): Entry => (side !== null && !isTree(side) ? side : null);

function each<A, B>(three: Three<A>, of: (one: A) => B): Three<B> {
  return { base: of(three.base), ours: of(three.ours), theirs: of(three.theirs) };
}

const REMOVED_NOTE = 'one side removed this, the other one changed it\n';
const NOTE_ID_DIGITS = 12;
/** Of a name that gets a note: with what is behind it, it is an entry's name still. */
const NOTED_NAME_MAX = 1_000;

const parentOf = (path: Path): string => path.slice(0, -1).join('/');

function nameBeside(name: string, note: Entry): string {
  const end = note === null ? 'removed' : note.id.slice(0, NOTE_ID_DIGITS);
  return `${name.slice(0, NOTED_NAME_MAX)}~${end}`;
}

/** What stays of a tree and contents that conflict, and what is put beside it, if anything. */
function keptOf(tree: Entry, contents: readonly Entry[]): [kept: Entry, beside: Entry] {
  const key = ({ id, mode }: Side): string => `${id} ${mode}`;
  const there = contents.filter((side) => side !== null);
  const [first = null, second = null] = there.sort((a, b) => (key(a) > key(b) ? -1 : 1));
  return tree === null ? [first, second] : [tree, first];
}

/** The one that changed; null when both did, differently. */
function mergeMode(base: Entry, ours: Entry, theirs: Entry): FileMode | null {
  if (ours === null || theirs === null) return (ours ?? theirs)?.mode ?? null;
  if (ours.mode === theirs.mode || theirs.mode === base?.mode) return ours.mode;
  return ours.mode === base?.mode ? theirs.mode : null;
}

/** Of what has no type to merge it: a link's target, a submodule's commit. */
function sideConflict(base: Entry, ours: Entry, theirs: Entry): MergeConflict {
  if (ours === null || theirs === null) {
    const remover = ours === null ? 'ours' : 'theirs';
    return conflict('removed and changed', `${remover} removed what the other side changed`);
  }
  if (base === null) return conflict('both added', 'both added different values');
  return conflict('both changed', 'both changed the value');
}
