/**
 * JSON that converges: an observed-remove map (tagged-map.ts) of every value in it by its path, as
 * in M. Kleppmann, A. Beresford, "A Conflict-Free Replicated JSON Datatype" (2017). Whoever changes
 * it writes the whole JSON as it should be; what differs becomes values put and paths taken away.
 *
 * - Names of an object, and items of an array, that are different places never touch each other;
 *   items keep their positions (position.ts) whatever is inserted beside them.
 * - Two who write one place at the same time: the later one by its tag is shown; the other one is
 *   kept, and `jsonConflicts` lists it, until somebody settles it or writes there again.
 * - Who removes an object or an array takes away what they see; what others put into it at the
 *   same time stays, in an object or array that has only that.
 *
 * Merging never conflicts, and is commutative, associative and idempotent. It costs some 50 bytes
 * a value. For tables whose rows are all of one form: table.ts.
 */

import { assert, err, ok } from '#core';
import { compareText } from '../content/equal.ts';
import { fromEntries, isObject, type Json, jsonKey } from '../content/json.ts';
import { JSON_DEPTH_MAX } from '../limits.ts';
import { diff } from './diff.ts';
import { anything, type Form } from './form.ts';
import { isPosition, positionsBetween } from './position.ts';
import { type TaggedMap, taggedMap, valueAt, versions } from './tagged-map.ts';

/**
 * By path: "" is the whole, then "/NAME" for each name and "[POSITION" for each item that leads
 * there. A value is a scalar, or {} or [] for an object or an array whatever is in it.
 */
export type SharedJson = TaggedMap<Json>;

export const emptyJson: SharedJson = new Map();

const STEP = /([/[])([^/[]*)/g;

const memberKey = (key: string, name: string): string =>
  `${key}/${name.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('[', '~2')}`;
const itemKey = (key: string, position: string): string => `${key}[${position}`;
const nameOf = (step: string): string =>
  step.replaceAll('~2', '[').replaceAll('~1', '/').replaceAll('~0', '~');

const isEmpty = (json: Json): boolean =>
  Array.isArray(json) ? json.length === 0 : isObject(json) && Object.keys(json).length === 0;
const isScalar = (json: Json): boolean => typeof json !== 'object' || json === null;

function isKey(key: string): boolean {
  if (key !== '' && key[0] !== '/' && key[0] !== '[') return false;
  let depth = 0;
  for (const [, sort, step] of key.matchAll(STEP)) {
    if (++depth > JSON_DEPTH_MAX) return false;
    const isStep = sort === '[' ? isPosition(step!) : memberKey('', nameOf(step!)) === `/${step}`;
    if (!isStep) return false;
  }
  return true;
}

const values = taggedMap(anything);

/** The form of shared JSON, which merges place by place and never conflicts. */
export const sharedJson: Form<SharedJson> = {
  ...values,
  fromJson(json) {
    const read = values.fromJson(json);
    if (!read.ok) return read;
    for (const [key, tagged] of read.value) {
      if (!isKey(key)) return err(`${key}: not a path`);
      if (tagged.size === 0) return err(`${key}: not a value`);
      for (const value of tagged.values()) {
        if (!isScalar(value) && !isEmpty(value)) return err(`${key}: not a single value`);
      }
    }
    return ok(read.value);
  },
};

/** A place, with all that anybody put there or below. */
interface Place {
  readonly key: string;
  readonly members: Map<string, Place>;
  /** By position, in no order. */
  readonly items: Map<string, Place>;
}

const newPlace = (key: string): Place => ({ key, members: new Map(), items: new Map() });

function placesOf(shared: SharedJson): Place {
  const root = newPlace('');
  for (const key of shared.keys()) {
    let place = root;
    for (const [, sort, step] of key.matchAll(STEP)) {
      const below = sort === '/' ? place.members : place.items;
      const name = sort === '/' ? nameOf(step!) : step!;
      let next = below.get(name);
      if (next === undefined) {
        next = newPlace(`${place.key}${sort}${step}`);
        below.set(name, next);
      }
      place = next;
    }
  }
  return root;
}

/** What is shown at a place: its last value; where there is none, what is below it says. */
function sortOf(shared: SharedJson, { key, members, items }: Place) {
  const value = valueAt(shared, key);
  if (value !== undefined && isScalar(value)) return 'scalar';
  if (value !== undefined) return Array.isArray(value) ? 'array' : 'object';
  if (members.size > 0) return 'object';
  return items.size > 0 ? 'array' : 'nothing';
}

const inOrder = (places: ReadonlyMap<string, Place>): [string, Place][] =>
  [...places].sort(([a], [b]) => compareText(a, b));

const objectAt = (shared: SharedJson, { members }: Place): Json =>
  fromEntries(inOrder(members).map(([name, place]) => [name, jsonAt(shared, place)]));
const arrayAt = (shared: SharedJson, { items }: Place): Json =>
  inOrder(items).map(([, place]) => jsonAt(shared, place));

function jsonAt(shared: SharedJson, place: Place): Json {
  const sort = sortOf(shared, place);
  if (sort === 'object') return objectAt(shared, place);
  return sort === 'array' ? arrayAt(shared, place) : (valueAt(shared, place.key) ?? null);
}

/** The JSON; null when nothing was written. O(size). */
export const jsonOf = (shared: SharedJson): Json => jsonAt(shared, placesOf(shared));

/**
 * The shared JSON with what makes `wanted` of it, which is at most JSON_DEPTH_MAX deep. `tag` (of
 * newTag) is never given again.
 */
export function withJson(shared: SharedJson, wanted: Json, tag: string): SharedJson {
  const writer = new Writer(shared, tag);
  writer.write(placesOf(shared), wanted, 0);
  return writer.made;
}

class Writer {
  readonly made: Map<string, ReadonlyMap<string, Json>>;
  readonly #before: SharedJson;
  readonly #tag: string;

  constructor(before: SharedJson, tag: string) {
    this.#before = before;
    this.made = new Map(before);
    this.#tag = tag;
  }

  write(place: Place, wanted: Json, depth: number): void {
    assert(depth <= JSON_DEPTH_MAX, 'JSON of a depth that can be read again');
    const sort = sortOf(this.#before, place);
    if (isObject(wanted)) {
      if (sort !== 'object') this.#replace(place, {});
      this.#members(sort === 'object' ? place : newPlace(place.key), wanted, depth);
    } else if (Array.isArray(wanted)) {
      if (sort !== 'array') this.#replace(place, []);
      this.#items(sort === 'array' ? place : newPlace(place.key), wanted, depth);
    } else if (sort !== 'scalar' || valueAt(this.#before, place.key) !== wanted) {
      this.#replace(place, wanted);
    }
  }

  #members(place: Place, wanted: { readonly [name: string]: Json }, depth: number): void {
    for (const [name, member] of place.members) {
      if (!Object.hasOwn(wanted, name)) this.#drop(member);
    }
    for (const [name, value] of Object.entries(wanted)) {
      const at = place.members.get(name) ?? newPlace(memberKey(place.key, name));
      this.write(at, value, depth + 1);
    }
    if (isEmpty(wanted)) this.#keep(place, {});
  }

  #items(place: Place, wanted: readonly Json[], depth: number): void {
    const items = inOrder(place.items);
    const before = items.map(([, item]) => jsonKey(jsonAt(this.#before, item)));
    for (const [index, hunk] of diff(before, wanted.map(jsonKey)).entries()) {
      const { aStart, aEnd, bStart, bEnd } = hunk;
      // Items that stand where others stood are these, changed.
      const same = Math.min(aEnd - aStart, bEnd - bStart);
      for (let i = 0; i < same; i++) {
        this.write(items[aStart + i]![1], wanted[bStart + i]!, depth + 1);
      }
      for (const [, gone] of items.slice(aStart + same, aEnd)) this.#drop(gone);
      const [last, next] = [items[aStart + same - 1]?.[0], items[aEnd]?.[0]];
      const count = bEnd - bStart - same;
      const tag = `${this.#tag}${index.toString(36)}`;
      const fresh = positionsBetween(last ?? null, next ?? null, tag, count);
      for (const [i, position] of fresh.entries()) {
        const value = wanted[bStart + same + i]!;
        this.write(newPlace(itemKey(place.key, position)), value, depth + 1);
      }
    }
    if (isEmpty(wanted)) this.#keep(place, []);
  }

  /** The empty object or array is there by itself, not by what was in it. */
  #keep({ key }: Place, empty: Json): void {
    if (!this.made.has(key)) this.#put(key, empty);
  }

  #replace(place: Place, value: Json): void {
    this.#drop(place);
    this.#put(place.key, value);
  }

  #put(key: string, value: Json): void {
    this.made.set(key, new Map([[this.#tag, value]]));
  }

  #drop(place: Place): void {
    this.made.delete(place.key);
    for (const below of [...place.members.values(), ...place.items.values()]) this.#drop(below);
  }
}

export interface JsonConflict {
  /** Names and indexes that lead to it, outermost first. */
  readonly where: readonly (string | number)[];
  /** What others wrote there and isn't shown, the latest one first. */
  readonly others: readonly Json[];
}

/** Where several wrote different things at the same time. O(size). */
export function jsonConflicts(shared: SharedJson): JsonConflict[] {
  const found: JsonConflict[] = [];
  const look = (place: Place, where: readonly (string | number)[]): void => {
    const others = hiddenAt(shared, place);
    if (others.length > 0) found.push({ where, others });
    // What isn't shown may have several versions too.
    for (const [name, member] of inOrder(place.members)) look(member, [...where, name]);
    for (const [index, [, item]] of inOrder(place.items).entries()) look(item, [...where, index]);
  };
  look(placesOf(shared), []);
  return found;
}

function hiddenAt(shared: SharedJson, place: Place): Json[] {
  const sort = sortOf(shared, place);
  const [shown, ...rest] = versions(shared, place.key);
  const others = rest.filter((other) => {
    if (isScalar(other)) return other !== shown;
    const below = Array.isArray(other) ? place.items : place.members;
    return sort !== (Array.isArray(other) ? 'array' : 'object') && below.size === 0;
  });
  if (sort !== 'object' && place.members.size > 0) others.push(objectAt(shared, place));
  if (sort !== 'array' && place.items.size > 0) others.push(arrayAt(shared, place));
  return [...new Set(others)];
}

/** The shared JSON with what is shown alone: whoever has looked at the conflicts writes this. */
export function settleJson(shared: SharedJson): SharedJson {
  const settled = new Map<string, ReadonlyMap<string, Json>>();
  const keep = (place: Place): void => {
    const tagged = [...(shared.get(place.key) ?? [])].sort(([a], [b]) => compareText(b, a));
    if (tagged.length > 0) settled.set(place.key, new Map(tagged.slice(0, 1)));
    const sort = sortOf(shared, place);
    const below = sort === 'object' ? place.members : sort === 'array' ? place.items : new Map();
    for (const one of below.values()) keep(one);
  };
  keep(placesOf(shared));
  return settled;
}
