/** Comma-separated lists of tokens, RFC 9110 §5.6.1. */

const COMMA = 44;

const isSpace = (code: number): boolean => code === 32 || code === 9;

/**
 * True when `list` has `token` (given in lower case) as an element, whatever its case. O(length).
 */
export function hasToken(list: string, token: string): boolean {
  let at = 0;
  while (at <= list.length) {
    let end = at;
    while (end < list.length && list.charCodeAt(end) !== COMMA) end++;
    let from = at;
    let to = end;
    while (from < to && isSpace(list.charCodeAt(from))) from++;
    while (to > from && isSpace(list.charCodeAt(to - 1))) to--;
    if (to - from === token.length && list.slice(from, to).toLowerCase() === token) return true;
    at = end + 1;
  }
  return false;
}
