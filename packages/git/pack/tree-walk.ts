/**
 * Chooses trees and what is in them, beside the trees that the other side has at the same paths.
 * Each tree is read once, by its difference with the one that was walked before it at its path:
 * what stands in both was looked at. Without recursion, so that no depth of a tree is too much.
 * Read first: selection.ts, raw-tree.ts.
 */

import { hot } from '#core';
import type { GitObject, ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId, readId } from '../object-id.ts';
import type { ObjectFilter } from '../wire/object-filter.ts';
import { WALKED_BYTES_MAX } from './limits.ts';
import { ObjectCache } from './object-cache.ts';
import { kindOfRawMode, type RawEntry, readRawEntry } from './raw-tree.ts';
import { nameHash, type Selection } from './selection.ts';

/** Trees that are read between two steps. */
const STEP_TREES = 64;
const SLASH = Uint8Array.of(0x2f);

/** A tree that is under way. */
interface Frame {
  readonly index: number;
  readonly object: GitObject;
  readonly bytes: Uint8Array;
  at: number;
  /** A tree of which everything was looked at, and where in it the entries like ours go on. */
  readonly beside: Uint8Array;
  besideAt: number;
  readonly nameHash: number;
  /** Trees of the other side at the same path. */
  readonly theirs: readonly Uint8Array[];
}

/** A tree to go into. */
interface Child {
  readonly index: number;
  readonly id: ObjectId;
  readonly nameHash: number;
  readonly theirs: readonly ObjectId[];
  readonly beside: Uint8Array;
}

const NOTHING: readonly Uint8Array[] = [];
const EMPTY = new Uint8Array(0);

export class TreeWalk {
  private readonly selection: Selection;
  private readonly read: (id: ObjectId) => Promise<GitObject>;
  private readonly edges: readonly ObjectId[];
  /** Trees since the last step. */
  private opened = 0;
  private edgeTrees: readonly Uint8Array[] | null = null;
  private readonly idBytes: number;
  private readonly entry: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };
  private readonly found: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };
  /** Trees that were walked to their ends, by number. */
  private readonly walked = new ObjectCache<number>(WALKED_BYTES_MAX);
  private lastRoot: Uint8Array = EMPTY;
  /** Blobs as long as this are left out, unless they are asked for by their ids. */
  private readonly blobBytesMin: number;
  /** Those that were met since the last look at their sizes: numbers, hashes of their names. */
  private readonly met: [number, number][] = [];
  private readonly tooLong = new Set<number>();

  /** `edges` are root trees of the other side; `read` throws when an object isn't here. */
  constructor(
    selection: Selection,
    read: (id: ObjectId) => Promise<GitObject>,
    edges: readonly ObjectId[],
    filter: ObjectFilter | null,
  ) {
    // Who wants no trees, and wants this one all the same, gets what is below it.
    this.blobBytesMin = filter?.kind === 'blobs' ? filter.bytesMin : Number.POSITIVE_INFINITY;
    this.selection = selection;
    this.read = read;
    this.edges = edges;
    this.idBytes = ID_BYTES[selection.hash];
  }

  /**
   * Chooses an object and what is in it, as far as it isn't yet, and the other side lacks it. Stops
   * after every some trees.
   */
  async *add(id: ObjectId, kind: ObjectKind): AsyncGenerator<void, void> {
    const { selection } = this;
    const theirs = await this.openEdges();
    const index = selection.table.addId(id);
    if (!selection.isNew(index)) return;
    selection.choose(index, kind, 0);
    if (kind !== 'tree') return;
    const root = { index, id, nameHash: 0, theirs: [], beside: this.lastRoot };
    const stack = [await this.open(root, theirs)];
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const child = this.nextTree(frame);
      if (this.met.length > 0) await this.chooseShort();
      if (child === null) this.close(stack.pop()!, stack.length === 0);
      else stack.push(await this.open(child, await this.readAll(child.theirs)));
      if (this.opened < STEP_TREES) continue;
      this.opened = 0;
      yield;
    }
  }

  /** Of the blobs that were met those that aren't too long. Each is read once. */
  private async chooseShort(): Promise<void> {
    const { selection, tooLong } = this;
    for (const [index, hash] of this.met) {
      if (!selection.isNew(index) || tooLong.has(index)) continue;
      const { bytes } = await this.read(selection.table.idAt(index));
      if (bytes.length >= this.blobBytesMin) tooLong.add(index);
      else selection.choose(index, 'blob', hash);
    }
    this.met.length = 0;
  }

  /** Only what was walked is there to be passed over in others, and nothing behind a fault. */
  private close({ index, object, bytes, at }: Frame, isRoot: boolean): void {
    const isWhole = at === bytes.length;
    if (isRoot) this.lastRoot = isWhole ? bytes : EMPTY;
    else if (isWhole) this.walked.add(index, object);
  }

  private async openEdges(): Promise<readonly Uint8Array[]> {
    if (this.edgeTrees === null) {
      for (const id of this.edges) this.selection.setTheirs(this.selection.table.addId(id));
      this.edgeTrees = await this.readAll(this.edges);
    }
    return this.edgeTrees;
  }

  private async readAll(ids: readonly ObjectId[]): Promise<readonly Uint8Array[]> {
    if (ids.length === 0) return NOTHING;
    const trees: Uint8Array[] = [];
    for (const id of ids) {
      const { bytes } = await this.read(id);
      trees.push(bytes);
      this.markTheirs(bytes);
    }
    return trees;
  }

  /** What is in a tree of the other side is its own. */
  private markTheirs(b: Uint8Array): void {
    const { table } = this.selection;
    const { entry, idBytes } = this;
    for (let at = 0; at < b.length && readRawEntry(b, at, idBytes, entry); ) {
      this.selection.setTheirs(table.add(b, entry.idAt));
      at = entry.idAt + idBytes;
    }
  }

  private async open(child: Child, theirs: readonly Uint8Array[]): Promise<Frame> {
    const object = await this.read(child.id);
    this.opened += 1;
    const { index, nameHash: hash, beside } = child;
    return {
      index,
      object,
      bytes: object.bytes,
      at: 0,
      beside,
      besideAt: 0,
      nameHash: hash,
      theirs,
    };
  }

  /** Chooses what is new in a tree, up to the next tree that is: that one, or null at the end. */
  private nextTree(frame: Frame): Child | null {
    const { selection, entry, idBytes } = this;
    const { table } = selection;
    const b = frame.bytes;
    // What is malformed behind a place isn't looked at: who reads the tree says so.
    for (;;) {
      if (frame.besideAt < frame.beside.length) passSame(frame, idBytes);
      if (frame.at >= b.length || !readRawEntry(b, frame.at, idBytes, entry)) return null;
      const { idAt, nameAt, nameEnd } = entry;
      const before = this.besideOf(frame);
      frame.at = idAt + idBytes;
      const kind = kindOfRawMode(entry.mode);
      if (kind === 'commit' || kind === null) continue;
      const index = table.add(b, idAt);
      if (!selection.isNew(index)) continue;
      if (kind === 'blob' && this.blobBytesMin < Number.POSITIVE_INFINITY) {
        const hashOfName = nameHash(frame.nameHash, b, nameAt, nameEnd);
        if (this.blobBytesMin > 0) this.met.push([index, hashOfName]);
        continue;
      }
      let hash = nameHash(frame.nameHash, b, nameAt, nameEnd);
      const theirs = this.theirsAt(frame, nameAt, nameEnd, kind);
      const [first] = theirs;
      if (first !== undefined) selection.theirs.set(selection.count, first);
      if (kind === 'tree') hash = nameHash(hash, SLASH, 0, 1);
      selection.choose(index, kind, hash);
      if (kind !== 'tree') continue;
      const beside = before < 0 ? EMPTY : (this.walked.get(before)?.bytes ?? EMPTY);
      return { index, id: readId(b, idAt, idBytes), nameHash: hash, theirs, beside };
    }
  }

  /**
   * The number of what the tree beside has under the name of `entry`, where it is known; -1 for
   * none. Goes on behind it there: past names that aren't in our tree, up to those that come later.
   */
  private besideOf(frame: Frame): number {
    const { entry, found, idBytes } = this;
    const { beside, bytes } = frame;
    while (frame.besideAt < beside.length) {
      if (!readRawEntry(beside, frame.besideAt, idBytes, found)) return -1;
      const order = compareNames(beside, found, bytes, entry);
      if (order > 0) return -1;
      frame.besideAt = found.idAt + idBytes;
      if (order === 0) return this.selection.table.find(beside, found.idAt);
    }
    return -1;
  }

  /** What the other side has under this name, where it is of the same kind. */
  private theirsAt(frame: Frame, nameAt: number, nameEnd: number, kind: ObjectKind): ObjectId[] {
    const ids: ObjectId[] = [];
    const { found, idBytes } = this;
    const count = nameEnd - nameAt;
    for (const tree of frame.theirs) {
      for (let at = 0; at < tree.length && readRawEntry(tree, at, idBytes, found); ) {
        at = found.idAt + idBytes;
        if (found.nameEnd - found.nameAt !== count) continue;
        if (!hot.equal(tree, found.nameAt, frame.bytes, nameAt, count)) continue;
        if (kindOfRawMode(found.mode) === kind) ids.push(readId(tree, found.idAt, idBytes));
        break;
      }
    }
    return ids;
  }
}

/** Passes over entries that stand alike in the tree and in the one beside it. */
function passSame(frame: Frame, idBytes: number): void {
  const { bytes, beside } = frame;
  let { at, besideAt } = frame;
  while (at < bytes.length) {
    const count = hot.indexOf(bytes, 0, at, bytes.length) + 1 + idBytes - at;
    if (count <= idBytes + 1 || at + count > bytes.length) break;
    if (besideAt + count > beside.length) break;
    if (!hot.equal(bytes, at, beside, besideAt, count)) break;
    at += count;
    besideAt += count;
  }
  frame.at = at;
  frame.besideAt = besideAt;
}

/** As trees are in order, but for directories: where it is wrong, more is looked at. */
function compareNames(a: Uint8Array, one: RawEntry, b: Uint8Array, other: RawEntry): number {
  const [aCount, bCount] = [one.nameEnd - one.nameAt, other.nameEnd - other.nameAt];
  for (let i = 0; i < aCount && i < bCount; i++) {
    const difference = a[one.nameAt + i]! - b[other.nameAt + i]!;
    if (difference !== 0) return difference;
  }
  return aCount - bCount;
}
