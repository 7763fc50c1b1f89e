/**
 * Which objects go into a pack, in the order they were met, each with its kind and a hash of its
 * path: the order of names that Git looks for deltas in. Also which ones the other side has. Made
 * by select-objects.ts.
 */

import { assert } from '#core';
import { IdTable } from '../id-table.ts';
import { OBJECT_KINDS, type ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId } from '../object-id.ts';

const CHOSEN = 1;
const THEIRS = 2;
const FIRST_COUNT = 512;
const SPACE = 0x20;
const TAB = 0x09;
const CR = 0x0d;

export class Selection {
  readonly hash: ObjectHash;
  /** Of everything that was met: chosen, or not to be sent. */
  readonly table: IdTable;
  /** Numbers in `table` of what is chosen. */
  private chosen = new Int32Array(FIRST_COUNT);
  private kinds = new Uint8Array(FIRST_COUNT);
  private names = new Uint32Array(FIRST_COUNT);
  private used = 0;
  /** What the other side has at the path of something that is chosen, by its number: a base. */
  readonly theirs = new Map<number, ObjectId>();

  constructor(hash: ObjectHash) {
    this.hash = hash;
    this.table = new IdTable(ID_BYTES[hash]);
  }

  /** Objects that are chosen. */
  get count(): number {
    return this.used;
  }

  idAt(number: number): ObjectId {
    return this.table.idAt(this.chosen[number]!);
  }

  kindAt(number: number): ObjectKind {
    assert(number < this.used);
    return OBJECT_KINDS[this.kinds[number]!]!;
  }

  nameHashAt(number: number): number {
    return this.names[number]!;
  }

  /** The number in `table` of the `number`th chosen one. */
  indexAt(number: number): number {
    return this.chosen[number]!;
  }

  /** Chooses the object that has this number in `table`; once. */
  choose(index: number, kind: ObjectKind, nameHash: number): void {
    assert(this.isNew(index));
    this.table.setFlags(index, CHOSEN);
    if (this.used === this.chosen.length) this.grow();
    this.chosen[this.used] = index;
    this.kinds[this.used] = OBJECT_KINDS.indexOf(kind);
    this.names[this.used] = nameHash;
    this.used += 1;
  }

  /** Those that are chosen and for which this holds, in the same order. */
  only(isWanted: (id: ObjectId) => boolean): Selection {
    const some = new Selection(this.hash);
    for (let number = 0; number < this.used; number++) {
      const id = this.idAt(number);
      if (!isWanted(id)) continue;
      some.choose(some.table.addId(id), this.kindAt(number), this.nameHashAt(number));
    }
    return some;
  }

  isNew(index: number): boolean {
    return this.table.flagsAt(index) === 0;
  }

  isChosen(index: number): boolean {
    return this.table.flagsAt(index) === CHOSEN;
  }

  isTheirs(index: number): boolean {
    return this.table.flagsAt(index) === THEIRS;
  }

  /** Not to be sent; what is chosen already stays so. */
  setTheirs(index: number): void {
    if (this.isNew(index)) this.table.setFlags(index, THEIRS);
  }

  private grow(): void {
    const count = this.used * 2;
    const [chosen, names, kinds] = [
      new Int32Array(count),
      new Uint32Array(count),
      new Uint8Array(count),
    ];
    chosen.set(this.chosen);
    names.set(this.names);
    kinds.set(this.kinds);
    this.chosen = chosen;
    this.names = names;
    this.kinds = kinds;
  }
}

/**
 * The hash of a path goes on with the bytes of a name: the last characters count most, so that the
 * same file in other directories, and other versions of it, stand together (Git: pack_name_hash).
 */
export function nameHash(hash: number, b: Uint8Array, at: number, end: number): number {
  let value = hash;
  for (let i = at; i < end; i++) {
    const byte = b[i]!;
    if (byte === SPACE || (byte >= TAB && byte <= CR)) continue;
    value = (value >>> 2) + byte * 0x100_0000;
  }
  return value % 0x1_0000_0000;
}
