/**
 * Paths as people read and write them: as Git prints names that aren't plain, in double quotes with
 * C's escapes, so that any name can be seen, and named again. Text in UTF-8 stays as it is (Git's
 * core.quotePath=false). Read first: packages/git/wire/text.ts, which says how bytes become text.
 */

import { decodeText, encodeText } from '#git/wire';
import { type Path, parsePath } from '#store';
import { usageFailure } from '../failure.ts';

/** Controls, what changes the direction of text, bytes that aren't UTF-8, and what quotes. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}"\\]/gu;
const LETTERS = 'abtnvfr';
const LETTER_CODES = [7, 8, 9, 10, 11, 12, 13];
const QUOTED = /^"(?:[^"\\]|\\[abtnvfr"\\]|\\[0-3][0-7]{2})*"$/;
const ESCAPE = /\\([abtnvfr"\\]|[0-3][0-7]{2})/g;

/** A path in which nothing is that a terminal would obey; `pathOf` gives it again. */
export function pathText(path: Path): string {
  const plain = path.join('/');
  const escaped = plain.replace(UNSAFE, (found) => {
    let text = '';
    for (const byte of encodeText(found)) text += escapeOf(byte);
    return text;
  });
  return escaped === plain ? plain : `"${escaped}"`;
}

function escapeOf(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  const letter = LETTERS[LETTER_CODES.indexOf(byte)];
  return `\\${letter ?? byte.toString(8).padStart(3, '0')}`;
}

/** The path that a word of the command line names, quoted or not. */
export function pathOf(word: string): string[] {
  if (!word.startsWith('"')) return parsePath(word);
  if (!QUOTED.test(word)) {
    throw usageFailure('a path that begins with " is quoted as Git does', 'as "\\"a\\303\\251\\""');
  }
  // One char code a byte: escapes are bytes, of which several may make a character.
  const bytes = Buffer.from(encodeText(word.slice(1, -1))).toString('latin1');
  const raw = bytes.replace(ESCAPE, (_all, what: string) => {
    if (what.length === 3) return String.fromCharCode(Number.parseInt(what, 8));
    const at = LETTERS.indexOf(what);
    return at < 0 ? what : String.fromCharCode(LETTER_CODES[at]!);
  });
  return parsePath(decodeText(Buffer.from(raw, 'latin1'), 0, raw.length));
}
