/**
 * The order that objects are kept in: by kind, then by path, and of one path the newest first, so
 * that an object stands right behind what it is most like. A radix sort, in bounded steps.
 */

import type { Marker } from './marker.ts';

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const STEP_OBJECTS = 8_192;

export async function keepingOrder(
  marker: Marker,
  pause: () => Promise<void>,
): Promise<Uint32Array> {
  let from = marker.found.values.slice();
  let to = new Uint32Array(from.length);
  const keys: ((number: number) => number)[] = [
    (number) => marker.paths[number]! % DIGITS,
    (number) => Math.floor(marker.paths[number]! / DIGITS) % DIGITS,
    (number) => Math.floor(marker.paths[number]! / (DIGITS * DIGITS)),
    (number) => marker.kinds[number]!,
  ];
  for (const key of keys) {
    await sortBy(from, to, key, pause);
    [from, to] = [to, from];
  }
  return from;
}

/** Stable, so that a later key keeps what earlier ones did. */
async function sortBy(
  from: Uint32Array,
  to: Uint32Array,
  key: (number: number) => number,
  pause: () => Promise<void>,
): Promise<void> {
  const starts = new Uint32Array(DIGITS + 1);
  for (let i = 0; i < from.length; i++) {
    const digit = key(from[i]!) + 1;
    starts[digit] = starts[digit]! + 1;
    if (i % STEP_OBJECTS === STEP_OBJECTS - 1) await pause();
  }
  for (let i = 1; i <= DIGITS; i++) starts[i] = starts[i]! + starts[i - 1]!;
  for (let i = 0; i < from.length; i++) {
    const digit = key(from[i]!);
    to[starts[digit]!] = from[i]!;
    starts[digit] = starts[digit]! + 1;
    if (i % STEP_OBJECTS === STEP_OBJECTS - 1) await pause();
  }
}
