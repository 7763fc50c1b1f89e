/**
 * Last-writer-wins registers: a value and when it was written. The later one wins; of two written
 * at the same time the one whose JSON is greater. Merging needs no base, never conflicts, and is
 * commutative, associative and idempotent, so it converges for every history. Its clock is the
 * writers': what a clock that is ahead wrote wins over what was written at the same time.
 */

import { err, ok, type WallTime, wallTimeOfMillis } from '#core';
import { latest } from '../content/combinators.ts';
import { compareText } from '../content/equal.ts';
import { isObject, jsonKey } from '../content/json.ts';
import type { Form } from './form.ts';

export interface Register<T> {
  readonly value: T;
  readonly time: WallTime;
}

/** A later value. It is after the one that it replaces also if the clock isn't. */
export function write<T>(old: Register<T> | undefined, value: T, time: WallTime): Register<T> {
  const after = old === undefined ? time : Math.max(time, old.time + 1);
  return { value, time: wallTimeOfMillis(after) };
}

/** The form of a last-writer-wins register. */
export function register<T>(item: Form<T>): Form<Register<T>> {
  const key = ({ value }: Register<T>) => jsonKey(item.toJson(value) ?? null);
  return {
    merge: latest((a, b) => a.time - b.time || compareText(key(a), key(b))),
    toJson: ({ value, time }) => ({ time, value: item.toJson(value) ?? null }),
    fromJson(json) {
      if (!isObject(json)) return err('not an object');
      const { time } = json;
      if (typeof time !== 'number' || !Number.isSafeInteger(time)) return err('not a time');
      const value = item.fromJson(json.value);
      if (!value.ok) return value;
      return ok({ value: value.value, time: wallTimeOfMillis(time) });
    },
  };
}
