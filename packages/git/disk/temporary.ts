/** Names that nobody has: for files that get their own name when they are whole. */

import type { Entropy } from '#device';

const DIGITS = 6;

/** Of base 36. */
export function randomName(entropy: Entropy): string {
  const bytes = new Uint8Array(DIGITS);
  entropy.fill(bytes);
  let name = '';
  for (const byte of bytes) name += (byte % 36).toString(36);
  return name;
}
