/**
 * Integers in byte arrays, and arithmetic modulo 2^32: the only file where `>>> 0` and `| 0`
 * appear. Offsets must lie inside the array: reading past the end reads zeros.
 */

export const readU16be = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!;
export const readU32be = (b: Uint8Array, at: number): number =>
  ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
/** As readU32be, as a signed 32-bit integer: the form of sequence numbers and IPv4 addresses. */
export const readI32be = (b: Uint8Array, at: number): number =>
  (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
export const readU16le = (b: Uint8Array, at: number): number => b[at]! | (b[at + 1]! << 8);
export const readU32le = (b: Uint8Array, at: number): number =>
  (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;

export function writeU16be(b: Uint8Array, at: number, value: number): void {
  b[at] = value >> 8;
  b[at + 1] = value;
}

export function writeU32be(b: Uint8Array, at: number, value: number): void {
  b[at] = value >> 24;
  b[at + 1] = value >> 16;
  b[at + 2] = value >> 8;
  b[at + 3] = value;
}

export function writeU16le(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >> 8;
}

export function writeU32le(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >> 8;
  b[at + 2] = value >> 16;
  b[at + 3] = value >> 24;
}

export const toU32 = (value: number): number => value >>> 0;
export const toI32 = (value: number): number => value | 0;

/**
 * A TCP sequence number (RFC 9293 §3.4) as a signed 32-bit integer; compare only with seqLess and
 * its kin.
 */
declare const seq: unique symbol;
export type SeqNumber = number & { readonly [seq]: true };
export const seqOf = (value: number): SeqNumber => (value | 0) as SeqNumber;
export const seqAdd = (a: SeqNumber, count: number): SeqNumber => ((a + count) | 0) as SeqNumber;
/** a - b modulo 2^32, as a signed distance. */
export const seqDistance = (a: SeqNumber, b: SeqNumber): number => (a - b) | 0;
export const seqLess = (a: SeqNumber, b: SeqNumber): boolean => ((a - b) | 0) < 0;
export const seqLessOrEqual = (a: SeqNumber, b: SeqNumber): boolean => ((a - b) | 0) <= 0;
