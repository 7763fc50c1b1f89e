/**
 * Equality and order of plain data: what merges compare with where a type brings nothing better.
 * Plain data is null, undefined, booleans, numbers, bigints, strings, Uint8Array, arrays, Map, Set
 * and objects with named fields. Depth is bounded by the decoder that made the value.
 */

import { hot } from '#core';

export type Equal<T> = (a: T, b: T) => boolean;

/** True when both are the same plain data. Map and Set regardless of order; O(size). */
export function equalPlain(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b);
  if (Array.isArray(a)) return Array.isArray(b) && equalLists(a, b);
  if (a instanceof Map) return b instanceof Map && equalMaps(a, b);
  if (a instanceof Set) {
    return b instanceof Set && a.size === b.size && [...a].every((item) => b.has(item));
  }
  if (b instanceof Uint8Array || Array.isArray(b) || b instanceof Map || b instanceof Set) {
    return false;
  }
  return equalFields(a as Record<string, unknown>, b as Record<string, unknown>);
}

export const equalBytes: Equal<Uint8Array> = (a, b) =>
  a === b || (a.length === b.length && hot.equal(a, 0, b, 0, a.length));

function equalLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => equalPlain(item, b[index]));
}

function equalMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (!b.has(key) || !equalPlain(value, b.get(key))) return false;
  return true;
}

/** A field that is undefined is a field that isn't there. */
function equalFields(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  for (const key of Object.keys(a)) {
    if (!equalPlain(a[key], Object.hasOwn(b, key) ? b[key] : undefined)) return false;
  }
  return Object.keys(b).every((key) => Object.hasOwn(a, key) || b[key] === undefined);
}

/** Order by code units: the same in every engine and locale. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
