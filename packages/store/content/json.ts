/**
 * JSON as contents: read strictly (RFC 8259 in UTF-8, no byte order mark), written in one form
 * (names sorted by code units, two spaces, a newline at the end), so that equal values are equal
 * blobs and `git diff` shows what changed. Where a name comes twice the last one counts.
 */

import { err, hot, ok, type Result } from '#core';
import { JSON_DEPTH_MAX } from '../limits.ts';
import { byChange, map, option } from './combinators.ts';
import { compareText } from './equal.ts';
import { type Base, type Merge, type Optional, partBase } from './merge.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value, or what is wrong. Depth is bounded by JSON_DEPTH_MAX. */
export function parseJson(bytes: Uint8Array): Result<Json, string> {
  const text = hot.utf8Decode(bytes, 0, bytes.length, true);
  if (text === null) return err('not UTF-8');
  if (!isShallow(text)) return err(`nested more than ${JSON_DEPTH_MAX} deep`);
  try {
    return ok(JSON.parse(text) as Json);
  } catch {
    return err('not JSON');
  }
}

/** Counts brackets outside of strings: recursion over what passes is bounded. */
function isShallow(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > JSON_DEPTH_MAX) return false;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return true;
}

/** The one form of the value. */
export function emitJson(value: Json): Uint8Array {
  return hot.utf8Encode(`${JSON.stringify(sorted(value), null, 2)}\n`);
}

/** A text for each value, the same for equal ones: a key, and a total order. */
export const jsonKey = (value: Json): string => JSON.stringify(sorted(value));

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => compareText(a, b))
      .map(([name, part]) => [name, sorted(part)]),
  );
}

/** Also for the name "__proto__", which an assignment wouldn't make a field. */
export const fromEntries = (entries: Iterable<readonly [string, Json]>): JsonObject =>
  Object.fromEntries(entries);

/**
 * Objects name by name, all the way down; everything else, arrays too, is taken from the side that
 * changed it. Symmetric.
 */
export const jsonMerge: Merge<Json> = (base, ours, theirs) => {
  if (!isObject(ours) || !isObject(theirs)) return byChange<Json>()(base, ours, theirs);
  const old: Base<ReadonlyMap<string, Json>> = partBase(base, (whole) =>
    isObject(whole) ? toMap(whole) : undefined,
  );
  const merged = optionalNames(old, toMap(ours), toMap(theirs));
  return merged.ok ? ok(fromEntries(merged.value)) : merged;
};

const toMap = (value: JsonObject): ReadonlyMap<string, Json> => new Map(Object.entries(value));
const optionalJson: Merge<Optional<Json>> = option((base, ours, theirs) =>
  jsonMerge(base, ours, theirs),
);
const optionalNames = map(optionalJson);
