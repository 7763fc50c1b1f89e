/**
 * Chooses trees and what is in them, beside the trees that the other side has at the same paths.
 * Each tree is read once; without recursion, so that no depth of a tree is too much. Read first:
 * selection.ts, raw-tree.ts.
 */

import { hot } from '#core';
import type { GitObject, ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId, readId } from '../object-id.ts';
import { kindOfRawMode, type RawEntry, readRawEntry } from './raw-tree.ts';
import { nameHash, type Selection } from './selection.ts';

/** Trees that are read between two steps. */
const STEP_TREES = 64;
const SLASH = Uint8Array.of(0x2f);

/** A tree that is under way. */
interface Frame {
  readonly bytes: Uint8Array;
  at: number;
  readonly nameHash: number;
  /** Trees of the other side at the same path. */
  readonly theirs: readonly Uint8Array[];
}

const NOTHING: readonly Uint8Array[] = [];

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

  /** `edges` are root trees of the other side; `read` throws when an object isn't here. */
  constructor(
    selection: Selection,
    read: (id: ObjectId) => Promise<GitObject>,
    edges: readonly ObjectId[],
  ) {
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
    const stack = [await this.open(id, 0, theirs)];
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const child = this.nextTree(frame);
      if (child === null) stack.pop();
      else stack.push(await this.open(child.id, child.nameHash, await this.readAll(child.theirs)));
      if (this.opened < STEP_TREES) continue;
      this.opened = 0;
      yield;
    }
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

  private async open(id: ObjectId, hash: number, theirs: readonly Uint8Array[]): Promise<Frame> {
    const { bytes } = await this.read(id);
    this.opened += 1;
    return { bytes, at: 0, nameHash: hash, theirs };
  }

  /** Chooses what is new in a tree, up to the next tree that is: that one, or null at the end. */
  private nextTree(
    frame: Frame,
  ): { id: ObjectId; nameHash: number; theirs: readonly ObjectId[] } | null {
    const { selection, entry, idBytes } = this;
    const { table } = selection;
    const b = frame.bytes;
    // What is malformed behind a place isn't looked at: who reads the tree says so.
    while (frame.at < b.length && readRawEntry(b, frame.at, idBytes, entry)) {
      const { idAt, nameAt, nameEnd } = entry;
      frame.at = idAt + idBytes;
      const kind = kindOfRawMode(entry.mode);
      if (kind === 'commit' || kind === null) continue;
      const index = table.add(b, idAt);
      if (!selection.isNew(index)) continue;
      let hash = nameHash(frame.nameHash, b, nameAt, nameEnd);
      const theirs = this.theirsAt(frame, nameAt, nameEnd, kind);
      const [first] = theirs;
      if (first !== undefined) selection.theirs.set(selection.count, first);
      if (kind === 'tree') hash = nameHash(hash, SLASH, 0, 1);
      selection.choose(index, kind, hash);
      if (kind === 'tree') return { id: readId(b, idAt, idBytes), nameHash: hash, theirs };
    }
    return null;
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
