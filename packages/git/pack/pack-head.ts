/** The first bytes of a pack: "PACK", a version, and the count of its entries. */

import { err, ok, type Result, readU32be, type WireFault, writeU32be } from '#core';

export const PACK_HEAD_BYTES = 12;
const MAGIC = 0x5041_434b;

/** The count of entries in a pack of version 2, or 3, which Git reads as the same. */
export function parsePackHead(b: Uint8Array): Result<number, WireFault> {
  if (b.length < PACK_HEAD_BYTES) {
    return err({ kind: 'short', needBytes: PACK_HEAD_BYTES, haveBytes: b.length });
  }
  if (readU32be(b, 0) !== MAGIC) return err({ kind: 'field', offset: 0, value: readU32be(b, 0) });
  const version = readU32be(b, 4);
  if (version !== 2 && version !== 3) return err({ kind: 'field', offset: 4, value: version });
  return ok(readU32be(b, 8));
}

export function packHead(count: number): Uint8Array {
  const head = new Uint8Array(PACK_HEAD_BYTES);
  writeU32be(head, 0, MAGIC);
  writeU32be(head, 4, 2);
  writeU32be(head, 8, count);
  return head;
}
