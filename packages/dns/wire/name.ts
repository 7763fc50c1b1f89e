/**
 * Domain names, RFC 1035 §2.3, §3.1, §4.1.4. As text they are labels joined by '.', without a dot
 * at the end; the root is ''. A '.' or '\' within a label is written '\.' or '\\', any other byte
 * outside of printable ASCII as '\DDD' (RFC 4343 §2.1), so text and bytes give each other back.
 * Not here: which names are host names (host-name.ts).
 */

import { assert } from '#core';

/** All labels with their length bytes, the root's included (RFC 1035 §3.1). */
export const NAME_BYTES_MAX = 255;
export const LABEL_BYTES_MAX = 63;
/** More pointers in one name than it can have labels are an attempt to keep us busy. */
export const NAME_POINTERS_MAX = 128;

const DOT = 46;
const BACKSLASH = 92;

export interface NameRead {
  readonly name: string;
  /** Offset after the name where it was read, wherever its pointers led. */
  readonly nextAt: number;
}

/** Where a name is wrong: the byte's offset, or the message's end when that came first. */
export interface NameFault {
  readonly faultAt: number;
}

/**
 * The name at `at`. A pointer must lead to before the place where the name (or the piece that the
 * last pointer led to) began, so no way is gone twice. O(NAME_BYTES_MAX + NAME_POINTERS_MAX).
 */
export function readName(b: Uint8Array, at: number): NameRead | NameFault {
  let text = '';
  let next = at;
  let pieceAt = at;
  let nextAt = -1;
  let nameBytes = 1;
  let pointers = 0;
  for (;;) {
    if (next >= b.length) return { faultAt: b.length };
    const length = b[next]!;
    if (length === 0) {
      return { name: text, nextAt: nextAt < 0 ? next + 1 : nextAt };
    }
    if (length >= 0xc0) {
      if (next + 1 >= b.length) return { faultAt: b.length };
      const to = (length & 0x3f) * 256 + b[next + 1]!;
      if (to >= pieceAt || ++pointers > NAME_POINTERS_MAX) return { faultAt: next };
      if (nextAt < 0) nextAt = next + 2;
      next = to;
      pieceAt = to;
      continue;
    }
    // 0x40 and 0x80: label types that never came to be (RFC 6891 §5).
    nameBytes += 1 + length;
    if (length > LABEL_BYTES_MAX || nameBytes > NAME_BYTES_MAX) return { faultAt: next };
    if (next + 1 + length > b.length) return { faultAt: b.length };
    if (text !== '') text += '.';
    text += labelText(b, next + 1, length);
    next += 1 + length;
  }
}

function labelText(b: Uint8Array, at: number, count: number): string {
  let text = '';
  for (let i = at; i < at + count; i++) {
    const byte = b[i]!;
    if (byte === DOT || byte === BACKSLASH) text += `\\${String.fromCharCode(byte)}`;
    else if (byte > 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\${byte.toString().padStart(3, '0')}`;
  }
  return text;
}

/** Labels as texts that are still escaped; none for the root. */
export function labelsOf(name: string): string[] {
  if (name === '') return [];
  if (!name.includes('\\')) return name.split('.');
  return name.match(/(?:\\\d{3}|\\[^\d]|[^\\.])+/g) ?? [];
}

/** The bytes of one label of `labelsOf`. */
export function labelBytes(label: string): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < label.length; i++) {
    let code = label.charCodeAt(i);
    if (code === BACKSLASH) {
      const digits = /^\d{3}/.exec(label.slice(i + 1));
      code = digits === null ? label.charCodeAt(i + 1) : Number(digits[0]);
      i += digits === null ? 1 : 3;
    }
    bytes.push(code);
  }
  return bytes;
}

/** Whether `name` has a form on the wire. */
export function isName(name: string): boolean {
  const labels = labelsOf(name);
  if (labels.join('.') !== name || !/^[!-~]*$/.test(name)) return false;
  let nameBytes = 1;
  for (const label of labels) {
    const bytes = labelBytes(label);
    if (bytes.some((byte) => !(byte >= 0 && byte <= 255))) return false;
    if (bytes.length === 0 || bytes.length > LABEL_BYTES_MAX) return false;
    nameBytes += 1 + bytes.length;
  }
  return nameBytes <= NAME_BYTES_MAX;
}

/** Places of names that were written, for compression: the text of a name's end to its offset. */
export type NamePlaces = Map<string, number>;

/** A pointer has 14 bits. */
const POINTER_MAX = 0x3fff;

/**
 * Writes `name`, which must have a form on the wire; with `places`, ends that were written before
 * become pointers. Returns the offset after it.
 */
export function writeName(
  to: Uint8Array,
  at: number,
  name: string,
  places: NamePlaces | null,
): number {
  assert(isName(name), 'a name without a form on the wire');
  const labels = labelsOf(name);
  let next = at;
  for (let i = 0; i < labels.length; i++) {
    const rest = labels.slice(i).join('.');
    const place = places?.get(rest);
    if (place !== undefined) {
      to[next] = 0xc0 + Math.floor(place / 256);
      to[next + 1] = place % 256;
      return next + 2;
    }
    if (places !== null && next <= POINTER_MAX) places.set(rest, next);
    const bytes = labelBytes(labels[i]!);
    to[next] = bytes.length;
    to.set(bytes, next + 1);
    next += 1 + bytes.length;
  }
  to[next] = 0;
  return next + 1;
}

/** ASCII letters in lower case: what names are compared by (RFC 4343). */
export const lowerName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** `name` with the case of each letter by a bit of `bits` (draft-vixie-dnsext-dns0x20). */
export function mixCase(name: string, bits: Uint8Array): string {
  let letters = 0;
  return name.replace(/[a-zA-Z]/g, (letter) => {
    const bit = bits[(letters >> 3) % bits.length]! & (1 << (letters & 7));
    letters++;
    return bit === 0 ? letter.toLowerCase() : letter.toUpperCase();
  });
}
