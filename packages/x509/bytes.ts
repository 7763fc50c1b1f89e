/** Byte arrays of certificates: none of them is secret, so time may tell of them. */

import { hot } from '#core';

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && hot.equal(a, 0, b, 0, a.length);

/** Lower-case hexadecimal, as "0a1b". */
export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
