/** Fields of a head that was parsed: requests' and responses' alike, RFC 9112 §5. */

import { hot } from '#core';

const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;

/** Latin-1 text of [at, end) without spaces and tabs around it. */
export function trimmed(bytes: Uint8Array, at: number, end: number): string {
  let from = at;
  let to = end;
  while (from < to && (bytes[from] === SPACE || bytes[from] === TAB)) from++;
  while (to > from && (bytes[to - 1] === SPACE || bytes[to - 1] === TAB)) to--;
  return hot.latin1(bytes, from, to);
}

/**
 * Calls `visit` for each field from `fieldsAt` to the empty line of a checked head, in the order
 * sent; names in lower case, values without outer white space.
 */
export function forEachField(
  bytes: Uint8Array,
  fieldsAt: number,
  visit: (name: string, value: string) => void,
): void {
  let at = fieldsAt;
  while (bytes[at] !== CR) {
    const nameEnd = hot.indexOf(bytes, COLON, at, bytes.length);
    const lineEnd = hot.indexOf(bytes, CR, nameEnd, bytes.length);
    visit(hot.latin1Lower(bytes, at, nameEnd), trimmed(bytes, nameEnd + 1, lineEnd));
    at = lineEnd + 2;
  }
}
