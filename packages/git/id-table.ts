/**
 * A set of ids, each with a number (in the order they came) and a few flags: packed bytes, so that
 * a million takes 40 MB, and ids that stand in a tree are looked up without becoming strings. An
 * open hash table over the ids' first bits, which are hashes already.
 */

import { assert, readI32be } from '#core';
import { type ObjectId, readId, writeId } from './object-id.ts';

const FIRST_SLOTS = 1_024;

export class IdTable {
  readonly idBytes: number;
  private ids: Uint8Array;
  private flags: Uint8Array;
  /** 1 + the number of an id; 0 for none. At most half of them are used. */
  private slots = new Int32Array(FIRST_SLOTS);
  private used = 0;
  private readonly scratch: Uint8Array;

  constructor(idBytes: number) {
    assert(idBytes === 20 || idBytes === 32);
    this.idBytes = idBytes;
    this.ids = new Uint8Array((FIRST_SLOTS / 2) * idBytes);
    this.flags = new Uint8Array(FIRST_SLOTS / 2);
    this.scratch = new Uint8Array(idBytes);
  }

  get count(): number {
    return this.used;
  }

  /** The number of the id at `at` of `b`, which is added when it is new. */
  add(b: Uint8Array, at: number): number {
    const slot = this.slotOf(b, at);
    const found = this.slots[slot]!;
    if (found !== 0) return found - 1;
    const index = this.used;
    if (index === this.flags.length) {
      this.grow();
      return this.add(b, at);
    }
    const to = index * this.idBytes;
    for (let i = 0; i < this.idBytes; i++) this.ids[to + i] = b[at + i]!;
    this.slots[slot] = index + 1;
    this.used = index + 1;
    return index;
  }

  /** As `add`; -1 when it isn't here. */
  find(b: Uint8Array, at: number): number {
    return this.slots[this.slotOf(b, at)]! - 1;
  }

  addId(id: ObjectId): number {
    assert(writeId(this.scratch, 0, id) === this.idBytes);
    return this.add(this.scratch, 0);
  }

  /** -1 when it isn't here. */
  findId(id: ObjectId): number {
    if (id.length !== 2 * this.idBytes) return -1;
    writeId(this.scratch, 0, id);
    return this.find(this.scratch, 0);
  }

  idAt(index: number): ObjectId {
    assert(index >= 0 && index < this.used);
    return readId(this.ids, index * this.idBytes, this.idBytes);
  }

  flagsAt(index: number): number {
    return this.flags[index]!;
  }

  /** 0..255. */
  setFlags(index: number, flags: number): void {
    this.flags[index] = flags;
  }

  private slotOf(b: Uint8Array, at: number): number {
    const mask = this.slots.length - 1;
    const { ids, slots, idBytes } = this;
    let slot = readI32be(b, at) & mask;
    for (let found = slots[slot]!; found !== 0; found = slots[slot]!) {
      const start = (found - 1) * idBytes;
      let i = 0;
      while (i < idBytes && ids[start + i] === b[at + i]) i += 1;
      if (i === idBytes) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private grow(): void {
    const count = this.flags.length * 2;
    const ids = new Uint8Array(count * this.idBytes);
    ids.set(this.ids);
    this.ids = ids;
    const flags = new Uint8Array(count);
    flags.set(this.flags);
    this.flags = flags;
    this.slots = new Int32Array(count * 2);
    for (let i = 0; i < this.used; i++) this.slots[this.slotOf(ids, i * this.idBytes)] = i + 1;
  }
}
