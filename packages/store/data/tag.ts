/** Names that nobody gives again: of rows, of elements, of positions. */

import type { WallTime } from '#core';
import type { Entropy } from '#device';

const TIME_DIGITS = 9;
const CHANCE_BYTES = 10;
const DIGITS = '0123456789abcdefghijklmnopqrstuv';

/**
 * A tag of digits and lower-case letters that sorts by time, and that nobody else makes: it has 80
 * bits of chance.
 */
export function newTag(time: WallTime, entropy: Entropy): string {
  const bytes = new Uint8Array(CHANCE_BYTES);
  entropy.fill(bytes);
  let [tag, bits, count] = [Math.max(0, time).toString(36).padStart(TIME_DIGITS, '0'), 0, 0];
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    count += 8;
    for (; count >= 5; count -= 5) tag += DIGITS[(bits >> (count - 5)) & 31];
    bits &= 31;
  }
  return tag;
}
