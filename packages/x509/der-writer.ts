/**
 * Writing DER (X.690): each function gives a value with its header in a fresh array. Values are
 * small, so they are put together from inside out and copied once a level.
 */

import { assert, hot, type WallTime } from '#core';
import { tag } from './der.ts';
import { oidContents } from './oid.ts';
import { formatTime, isLongTime } from './time.ts';

/** A value: its tag and contents. */
export function der(tagByte: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = headOf(tagByte, length);
  const to = new Uint8Array(head.length + length);
  to.set(head);
  let at = head.length;
  for (const part of parts) {
    to.set(part, at);
    at += part.length;
  }
  return to;
}

function headOf(tagByte: number, length: number): number[] {
  if (length < 0x80) return [tagByte, length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [tagByte, 0x80 + bytes.length, ...bytes];
}

export const derSequence = (...parts: readonly Uint8Array[]): Uint8Array =>
  der(tag.sequence, ...parts);
/** Of one part: several would have to be sorted (X.690 §11.6). */
export const derSet = (part: Uint8Array): Uint8Array => der(tag.set, part);
export const derOid = (text: string): Uint8Array => der(tag.oid, oidContents(text));
export const derOctets = (...parts: readonly Uint8Array[]): Uint8Array =>
  der(tag.octetString, ...parts);
export const derNull = (): Uint8Array => der(tag.null);
export const derTrue = (): Uint8Array => der(tag.boolean, Uint8Array.of(0xff));
export const derAscii = (tagByte: number, text: string): Uint8Array => {
  const to = new Uint8Array(text.length);
  hot.writeLatin1(to, 0, text);
  return der(tagByte, to);
};

/** A non-negative integer below 2^31. */
export function derSmall(value: number): Uint8Array {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** 31);
  const bytes: number[] = [];
  for (let left = value; left > 0 || bytes.length === 0; left = Math.floor(left / 256)) {
    bytes.unshift(left % 256);
  }
  return derUnsigned(Uint8Array.from(bytes));
}

/** A non-negative integer from its bytes, big-endian; zeros before it are dropped. */
export function derUnsigned(bytes: Uint8Array): Uint8Array {
  let at = 0;
  while (at + 1 < bytes.length && bytes[at] === 0) at++;
  const contents = bytes.subarray(at);
  return der(tag.integer, Uint8Array.of(...(contents[0]! >= 0x80 ? [0] : [])), contents);
}

/** A bit string of whole bytes. */
export const derBits = (...parts: readonly Uint8Array[]): Uint8Array =>
  der(tag.bitString, Uint8Array.of(0), ...parts);

/** A list of named bits, bit n given as 2^n, as short as it can be (X.690 §11.2). */
export function derNamedBits(bits: number): Uint8Array {
  assert(bits >= 0 && bits < 2 ** 16);
  const bytes = [0, 0];
  let last = -1;
  for (let i = 0; i < 16; i++) {
    if (Math.floor(bits / 2 ** i) % 2 === 0) continue;
    bytes[Math.floor(i / 8)]! += 2 ** (7 - (i % 8));
    last = i;
  }
  const count = Math.ceil((last + 1) / 8);
  return der(tag.bitString, Uint8Array.of(8 * count - last - 1, ...bytes.slice(0, count)));
}

/** PrintableString where its letters do (X.680 §41.4), else UTF8String: RFC 5280 §4.1.2.4. */
export const derText = (text: string): Uint8Array =>
  /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)
    ? derAscii(tag.printableString, text)
    : der(tag.utf8String, hot.utf8Encode(text));

/** UTCTime up to 2049, then GeneralizedTime (RFC 5280 §4.1.2.5). */
export const derTime = (time: WallTime): Uint8Array =>
  derAscii(isLongTime(time) ? tag.generalizedTime : tag.utcTime, formatTime(time));
