/**
 * Text that Git keeps as bytes, mostly UTF-8: names, messages, identities. Any bytes survive the
 * round trip: a byte that is no UTF-8 becomes the lone surrogate U+DC00 + byte (as Python's
 * "surrogateescape" does), and that one becomes the byte again.
 */

import { hot } from '#core';

const IS_ASCII = new Uint8Array(256).fill(1, 0, 0x80);
const ESCAPE = 0xdc00;
const ESCAPE_MIN = 0xdc80;
const ESCAPE_MAX = 0xdcff;

/** The text of [at, end) of `b`. */
export function decodeText(b: Uint8Array, at: number, end: number): string {
  if (hot.span(b, at, end, IS_ASCII) === end) return hot.latin1(b, at, end);
  return hot.utf8Decode(b, at, end, true) ?? decodeBroken(b, at, end);
}

/** As decodeText, with at least one byte that is no UTF-8. */
function decodeBroken(b: Uint8Array, at: number, end: number): string {
  let text = '';
  for (let i = at; i < end; ) {
    const count = sequenceBytes(b[i]!);
    const valid = count > 0 && i + count <= end ? hot.utf8Decode(b, i, i + count, true) : null;
    text += valid ?? String.fromCharCode(ESCAPE + b[i]!);
    i += valid === null ? 1 : count;
  }
  return text;
}

/** The length of the sequence that begins with this byte, RFC 3629 §3; 0 when none does. */
function sequenceBytes(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}

/** The bytes of `text`; a lone surrogate that stands for no byte becomes U+FFFD. */
export function encodeText(text: string): Uint8Array {
  if (isAscii(text)) {
    const bytes = new Uint8Array(text.length);
    hot.writeLatin1(bytes, 0, text);
    return bytes;
  }
  return text.isWellFormed() ? hot.utf8Encode(text) : encodeBroken(text);
}

function encodeBroken(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let plain = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < ESCAPE_MIN || code > ESCAPE_MAX) {
      plain += character;
      continue;
    }
    parts.push(hot.utf8Encode(plain), Uint8Array.of(code - ESCAPE));
    plain = '';
  }
  parts.push(hot.utf8Encode(plain));
  return joinBytes(parts);
}

/** Whether `text` is what `decodeText` gives for its bytes: it stands for them, and alone does. */
export function isCanonicalText(text: string): boolean {
  if (text.isWellFormed()) return true;
  const bytes = encodeText(text);
  return decodeText(bytes, 0, bytes.length) === text;
}

/** The bytes of `text` as a string of one code a byte: its order is that of Git's memcmp. */
export function byteString(text: string): string {
  if (isAscii(text)) return text;
  const bytes = encodeText(text);
  return hot.latin1(bytes, 0, bytes.length);
}

/** Negative, zero or positive, as the bytes of `a` are before, equal to, or after those of `b`. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const left = byteString(a);
  const right = byteString(b);
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const part of parts) total += part.length;
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    hot.copy(bytes, at, part, 0, part.length);
    at += part.length;
  }
  return bytes;
}
