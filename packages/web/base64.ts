/** atob and btoa, HTML §8.3: strings with one char code a byte. */

import { DOMException } from './dom-exception.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** No groups: a pattern that repeats one keeps a way back for each, and texts are long. */
const NO_DIGIT = /[^A-Za-z0-9+/]/;

const fail = (message: string) => new DOMException(message, 'InvalidCharacterError');

export function btoa(data: string): string {
  const text = String(data);
  let out = '';
  for (let i = 0; i < text.length; i += 3) {
    const a = text.charCodeAt(i);
    const b = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
    const c = i + 2 < text.length ? text.charCodeAt(i + 2) : 0;
    if ((a | b | c) > 0xff) throw fail('btoa: a character is above U+00FF');
    out += DIGITS[a >> 2]! + DIGITS[((a & 3) << 4) | (b >> 4)]!;
    out += i + 1 < text.length ? DIGITS[((b & 15) << 2) | (c >> 6)]! : '=';
    out += i + 2 < text.length ? DIGITS[c & 63]! : '=';
  }
  return out;
}

/** Infra "forgiving-base64 decode": whitespace and absent padding are allowed. */
export function atob(data: string): string {
  let text = String(data).replace(/[\t\n\f\r ]+/g, '');
  if (text.length % 4 === 0) text = text.replace(/={1,2}$/, '');
  // One digit alone is no byte.
  if (text.length % 4 === 1 || NO_DIGIT.test(text)) throw fail('atob: the text is not base64');
  let out = '';
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << 6) | DIGITS.indexOf(text[i]!)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += String.fromCharCode((bits >> held) & 0xff);
  }
  return out;
}
