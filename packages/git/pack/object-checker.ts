/**
 * The objects of a pack, one by one, and what they name: at the end each must be among them or in
 * the backend already, as `git index-pack --strict` wants it. Read first: check-object.ts.
 *
 * Deviates: of an object that isn't in the pack it isn't asked whether its kind is the one that is
 * expected, which would read the whole of a tree's files for one new file.
 */

import { err, ok, type Result } from '#core';
import type { BackendError, ObjectBackend } from '../backend.ts';
import { IdTable } from '../id-table.ts';
import { type NamedObject, OBJECT_KINDS, type ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId } from '../object-id.ts';
import { parseTag } from '../wire/tag.ts';
import { checkObject } from './check-object.ts';
import { commitLinks } from './commit-links.ts';
import type { PackFault } from './pack-fault.ts';
import { kindOfRawMode, type RawEntry, readRawEntry } from './raw-tree.ts';

/** Flags of an id: the kind that the pack has, and the one that is named; each 1 + its number. */
const WANTED_SHIFT = 4;
const KIND_MASK = 7;

export class ObjectChecker {
  private readonly idBytes: number;
  private readonly shallow: ReadonlySet<ObjectId>;
  private readonly table: IdTable;
  private readonly entry: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };

  /** `shallow`: commits whose parents may be missing. */
  constructor(hash: ObjectHash, shallow: ReadonlySet<ObjectId> = new Set()) {
    this.shallow = shallow;
    this.idBytes = ID_BYTES[hash];
    this.table = new IdTable(this.idBytes);
  }

  /** What is wrong with an object of the pack, or null. */
  add(object: NamedObject): PackFault | null {
    const { id, kind, bytes } = object;
    const bad = checkObject(kind, bytes, this.idBytes);
    if (bad !== null) return { kind: 'bad object', id, what: bad };
    const index = this.table.addId(id);
    const flags = this.table.flagsAt(index);
    if ((flags & KIND_MASK) !== 0) return { kind: 'duplicate', id };
    const number = 1 + OBJECT_KINDS.indexOf(kind);
    const wanted = flags >> WANTED_SHIFT;
    if (wanted !== 0 && wanted !== number) return { kind: 'broken link', id, what: 'wrong kind' };
    this.table.setFlags(index, flags + number);
    return this.addLinks(object) ? null : { kind: 'broken link', id, what: 'names a wrong kind' };
  }

  /** Asks the backend for what was named and didn't come. */
  async checkLinks(
    backend: Pick<ObjectBackend, 'hasObject'>,
  ): Promise<Result<void, PackFault | BackendError>> {
    for (let i = 0; i < this.table.count; i++) {
      if ((this.table.flagsAt(i) & KIND_MASK) !== 0) continue;
      const id = this.table.idAt(i);
      const has = await backend.hasObject(id);
      if (!has.ok) return has;
      if (!has.value) return err({ kind: 'broken link', id, what: 'it is named, and missing' });
    }
    return ok(undefined);
  }

  private addLinks({ id, kind, bytes }: NamedObject): boolean {
    switch (kind) {
      case 'blob':
        return true;
      case 'tree':
        return this.addTreeLinks(bytes);
      case 'commit': {
        const { tree, parents } = commitLinks(bytes, this.idBytes)!;
        if (!this.want(tree, 'tree')) return false;
        return this.shallow.has(id) || parents.every((parent) => this.want(parent, 'commit'));
      }
      case 'tag': {
        const tag = parseTag(bytes, this.idBytes);
        return tag.ok && this.want(tag.value.object, tag.value.kind);
      }
    }
  }

  private addTreeLinks(b: Uint8Array): boolean {
    const { entry, idBytes } = this;
    for (let at = 0; at < b.length; at = entry.idAt + idBytes) {
      readRawEntry(b, at, idBytes, entry);
      const kind = kindOfRawMode(entry.mode);
      if (kind === 'commit') continue;
      if (kind === null) return false;
      if (!this.wantAt(this.table.add(b, entry.idAt), kind)) return false;
    }
    return true;
  }

  private want(id: ObjectId, kind: ObjectKind): boolean {
    return this.wantAt(this.table.addId(id), kind);
  }

  private wantAt(index: number, kind: ObjectKind): boolean {
    const number = 1 + OBJECT_KINDS.indexOf(kind);
    const flags = this.table.flagsAt(index);
    const is = flags & KIND_MASK;
    const wanted = flags >> WANTED_SHIFT;
    if ((is !== 0 && is !== number) || (wanted !== 0 && wanted !== number)) return false;
    if (wanted === 0) this.table.setFlags(index, flags + (number << WANTED_SHIFT));
    return true;
  }
}
