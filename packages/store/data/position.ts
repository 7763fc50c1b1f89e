/**
 * Positions in an ordered list: texts whose order by code units is the order of the list, and
 * between any two of which there is room for another. A position never changes, and nobody else
 * makes the same one, because it ends in a tag. It is a list of "fraction.tag" parts with commas
 * between them; a part more than one is needed between two positions with the same fraction,
 * which different writers made at the same time. Lengths grow with the logarithm of how many were
 * put one after the other at one place, and by a character for each five that were put by turns
 * on both sides of it.
 */

import { assert } from '#core';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const LAST = DIGITS.length - 1;
const MIDDLE = DIGITS[DIGITS.length >> 1]!;
const PART = /^[0-9A-Za-z]*[1-9A-Za-z]\.[0-9a-z]+$/;

/** Whether `text` is a position of ours: "," and "." sort before digits, which sort as digits. */
export const isPosition = (text: string): boolean =>
  text.split(',').every((part) => PART.test(part));

/**
 * A position after `before` and before `after`; null: the list's beginning, or its end. `tag`: as
 * of newTag. Both exist and are in order.
 */
export function positionBetween(before: string | null, after: string | null, tag: string): string {
  assert(before === null || after === null || before < after, 'positions in order');
  const left = before?.split(',') ?? [];
  const right = after?.split(',') ?? [];
  let same = 0;
  while (same < left.length && left[same] === right[same]) same++;
  const low = fractionOf(left[same]);
  const high = fractionOf(right[same]);
  // Two that differ by their tags only: a part behind the left one is between them.
  const isInside = low !== null && low === high;
  const kept = isInside ? left.slice(0, same + 1) : left.slice(0, same);
  const fraction = isInside
    ? between(fractionOf(left[same + 1]) ?? '', null)
    : between(low ?? '', high);
  const parts = [...kept, `${fraction}.${tag}`];
  const position = parts.join(',');
  assert((before === null || before < position) && (after === null || position < after));
  return position;
}

/**
 * `count` of them, one after the other, which stay together whatever others put at the same place:
 * all but the first are parts behind the first one.
 */
export function positionsBetween(
  before: string | null,
  after: string | null,
  tag: string,
  count: number,
): string[] {
  if (count === 0) return [];
  const first = positionBetween(before, after, tag);
  const positions = [first];
  for (let fraction = MIDDLE; positions.length < count; fraction = increased(fraction)) {
    positions.push(`${first},${fraction}.${tag}`);
  }
  return positions;
}

const fractionOf = (part: string | undefined): string | null =>
  part === undefined ? null : part.slice(0, part.indexOf('.'));

/** Digits after a point that are between `low` and `high` (null: 1), and don't end in 0. */
function between(low: string, high: string | null): string {
  if (low === '' && high === null) return MIDDLE;
  if (high === null) return increased(low);
  if (low === '') return decreased(high);
  let at = 0;
  while ((low[at] ?? '0') === high[at]) at++;
  const first = DIGITS.indexOf(low[at] ?? '0');
  const last = DIGITS.indexOf(high[at]!);
  const prefix = high.slice(0, at);
  if (last - first > 1) return prefix + DIGITS[(first + last) >> 1]!;
  return prefix + DIGITS[first]! + between(low.slice(at + 1), null);
}

/** A fraction after `low`: the next one of as many digits, else one of twice as many. */
function increased(low: string): string {
  const digits = [...low].map((digit) => DIGITS.indexOf(digit));
  for (let i = digits.length - 1; i >= 0; i--) {
    if (digits[i]! === LAST) {
      digits[i] = i === digits.length - 1 ? 1 : 0;
      continue;
    }
    digits[i] = digits[i]! + 1;
    return digits.map((digit) => DIGITS[digit]!).join('');
  }
  return `${low}${'0'.repeat(low.length - 1)}1`;
}

/** A fraction before `high`: the one before of as many digits, else one of twice as many. */
function decreased(high: string): string {
  const digits = [...high].map((digit) => DIGITS.indexOf(digit));
  for (let i = digits.length - 1; i >= 0; i--) {
    digits[i] = digits[i]! - 1;
    // Neither an end in 0 nor a borrow that is left.
    if (digits[i]! > 0 || (digits[i] === 0 && i < digits.length - 1)) break;
    digits[i] = LAST;
    if (i === 0) return `${'0'.repeat(high.length)}${DIGITS[LAST]!.repeat(high.length)}`;
  }
  return digits.map((digit) => DIGITS[digit]!).join('');
}
