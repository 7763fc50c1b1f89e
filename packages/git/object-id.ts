/**
 * Names of objects: the hash of what they are, in hexadecimal. SHA-1 by default; SHA-256 in a
 * repository of Git's object format "sha256". Not here: hashing (object.ts).
 */

import { hot } from '#core';

declare const objectId: unique symbol;
/** Lower-case hexadecimal: 40 digits (SHA-1) or 64 (SHA-256). */
export type ObjectId = string & { readonly [objectId]: true };

export type ObjectHash = 'SHA-1' | 'SHA-256';

/** Of an id as it stands in trees, packs and indexes. */
export const ID_BYTES: Readonly<Record<ObjectHash, number>> = { 'SHA-1': 20, 'SHA-256': 32 };

const DIGITS = '0123456789abcdef';
const WRONG = 16;
/** The two digits of each byte, as they stand in a text. */
const PAIRS = new Uint8Array(512);
for (let i = 0; i < 512; i++) PAIRS[i] = DIGITS.charCodeAt((i & 1) === 0 ? i >> 5 : (i >> 1) & 15);
/** The text of an id while it is made: in one go, as joined digits are made whole later. */
const scratch = new Uint8Array(64);
/** The value of each character; WRONG where it isn't a lower-case digit. */
const VALUES = new Uint8Array(128).fill(WRONG);
for (let i = 0; i < 16; i++) VALUES[DIGITS.charCodeAt(i)] = i;
const IS_DIGIT = new Uint8Array(256);
for (let i = 0; i < 16; i++) IS_DIGIT[DIGITS.charCodeAt(i)] = 1;

/** The id that `text` is, of either hash; null for another length, other or upper-case digits. */
export function parseObjectId(text: string): ObjectId | null {
  if (text.length !== 40 && text.length !== 64) return null;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 128 || VALUES[code] === WRONG) return null;
  }
  return text as ObjectId;
}

/** The id in the `count` bytes (20 or 32) of `b` from `at` on. */
export function readId(b: Uint8Array, at: number, count: number): ObjectId {
  for (let i = 0; i < count; i++) {
    const pair = 2 * b[at + i]!;
    scratch[2 * i] = PAIRS[pair]!;
    scratch[2 * i + 1] = PAIRS[pair + 1]!;
  }
  return hot.latin1(scratch, 0, 2 * count) as ObjectId;
}

/** Writes the bytes of `id` at `at`, and returns how many (20 or 32). */
export function writeId(to: Uint8Array, at: number, id: ObjectId): number {
  const count = id.length >> 1;
  for (let i = 0; i < count; i++) {
    const high = VALUES[id.charCodeAt(2 * i)]!;
    to[at + i] = (high << 4) | VALUES[id.charCodeAt(2 * i + 1)]!;
  }
  return count;
}

/** The id whose digits are the text of `b` from `at` on; null when they aren't `digits` of them. */
export function readIdText(b: Uint8Array, at: number, digits: number): ObjectId | null {
  const end = at + digits;
  if (end > b.length || hot.span(b, at, end, IS_DIGIT) !== end) return null;
  return hot.latin1(b, at, end) as ObjectId;
}

/** Whether the bytes of `id` stand in `b` from `at` on. */
export function isIdAt(b: Uint8Array, at: number, id: ObjectId): boolean {
  const count = id.length >> 1;
  for (let i = 0; i < count; i++) {
    const high = VALUES[id.charCodeAt(2 * i)]!;
    if (b[at + i] !== ((high << 4) | VALUES[id.charCodeAt(2 * i + 1)]!)) return false;
  }
  return true;
}

/** The hash whose ids have `id`'s length. */
export const hashOfId = (id: ObjectId): ObjectHash => (id.length === 40 ? 'SHA-1' : 'SHA-256');
