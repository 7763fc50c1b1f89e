/**
 * PEM, RFC 7468: text around DER. Read leniently about what stands between blocks (§5.2) and the
 * lengths of lines, strictly about labels and base64. Not here: encrypted keys (RFC 1421 headers).
 */

import { err, hot, ok, type Result, type WireFault } from '#core';
import { PEM_BLOCKS_MAX, PEM_CHARACTERS_MAX } from './limits.ts';

export interface PemBlock {
  /** "CERTIFICATE", "PRIVATE KEY", … */
  readonly label: string;
  readonly bytes: Uint8Array;
}

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const LINE_CHARACTERS = 64;
const PAD = 64;
const SPACE = 65;
const WRONG = 255;

/** The value of each character. */
const VALUES = new Uint8Array(256).fill(WRONG);
for (let i = 0; i < 64; i++) VALUES[DIGITS.charCodeAt(i)] = i;
VALUES[0x3d] = PAD;
for (const space of [0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20]) VALUES[space] = SPACE;

/**
 * The blocks of `text` (characters above U+00FF count as others); offsets of faults are
 * characters. O(characters).
 */
export function pemDecode(text: string): Result<readonly PemBlock[], WireFault> {
  if (text.length > PEM_CHARACTERS_MAX) return wrong(PEM_CHARACTERS_MAX);
  const blocks: PemBlock[] = [];
  for (let at = 0; ; ) {
    const begin = text.indexOf(BEGIN, at);
    if (begin < 0) return ok(blocks);
    const labelAt = begin + BEGIN.length;
    const labelEnd = text.indexOf(DASHES, labelAt);
    const label = text.slice(labelAt, labelEnd);
    if (labelEnd < 0 || !/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(label)) return wrong(labelAt);
    const bodyAt = labelEnd + DASHES.length;
    const marker = `${END}${label}${DASHES}`;
    const bodyEnd = text.indexOf(DASHES, bodyAt);
    if (bodyEnd < 0) return err(shortOf(text));
    if (!text.startsWith(marker, bodyEnd)) return wrong(bodyEnd);
    const bytes = decodeBase64(text.slice(bodyAt, bodyEnd));
    if (bytes === null || blocks.length === PEM_BLOCKS_MAX) return wrong(bodyAt);
    blocks.push({ label, bytes });
    at = bodyEnd + marker.length;
  }
}

const wrong = (offset: number): Result<never, WireFault> =>
  err({ kind: 'field', offset, value: 0 });
const shortOf = (text: string): WireFault => ({
  kind: 'short',
  needBytes: text.length + END.length,
  haveBytes: text.length,
});

/** RFC 4648 §4, with padding, with white space anywhere; null when it isn't that. */
export function decodeBase64(text: string): Uint8Array | null {
  const from = new Uint8Array(text.length);
  hot.writeLatin1(from, 0, text);
  if (hot.latin1(from, 0, from.length) !== text) return null;
  const to = new Uint8Array(Math.ceil((text.length * 3) / 4));
  let count = 0;
  let bits = 0;
  let digits = 0;
  let pads = 0;
  for (let i = 0; i < from.length; ) {
    // Four digits at once, as most of them are.
    const group = digits % 4 === 0 && pads === 0 ? groupAt(from, i) : -1;
    if (group >= 0) {
      to[count++] = group >> 16;
      to[count++] = group >> 8;
      to[count++] = group;
      i += 4;
      continue;
    }
    const value = VALUES[from[i++]!]!;
    if (value === SPACE) continue;
    const isAfterEnd = pads > 0 && (value !== PAD || digits % 4 === 0);
    if (value === WRONG || isAfterEnd) return null;
    if (value === PAD) pads++;
    bits = bits * 64 + (value % 64);
    if (++digits % 4 !== 0) continue;
    to[count++] = bits >> 16;
    to[count++] = bits >> 8;
    to[count++] = bits;
    bits = 0;
  }
  if (digits % 4 !== 0 || pads > 2) return null;
  // The bits under the padding are zeros (§3.5).
  for (let i = 1; i <= pads; i++) if (to[count - i] !== 0) return null;
  return to.slice(0, count - pads);
}

/** The 24 bits of four digits from `at`; negative when they aren't four. */
function groupAt(from: Uint8Array, at: number): number {
  if (at + 4 > from.length) return -1;
  const a = VALUES[from[at]!]!;
  const b = VALUES[from[at + 1]!]!;
  const c = VALUES[from[at + 2]!]!;
  const d = VALUES[from[at + 3]!]!;
  return (a | b | c | d) < PAD ? (a << 18) | (b << 12) | (c << 6) | d : -1;
}

/** One block, its end of line included. */
export function pemEncode(label: string, bytes: Uint8Array): string {
  let body = '';
  let line = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = bytes[i]! * 65_536 + (bytes[i + 1] ?? 0) * 256 + (bytes[i + 2] ?? 0);
    for (let j = 0; j < 4; j++) {
      line += j > left ? '=' : DIGITS[Math.floor(bits / 2 ** (18 - 6 * j)) % 64];
    }
    if (line.length < LINE_CHARACTERS) continue;
    body += `${line}\n`;
    line = '';
  }
  if (line !== '') body += `${line}\n`;
  return `${BEGIN}${label}${DASHES}\n${body}${END}${label}${DASHES}\n`;
}
