/**
 * Values inside of one content: how they are JSON, and how they merge. Forms are composed of
 * forms, and `content` makes a content type of one:
 *
 *     const contact = content('contact', record({ name: text, visits: counter, tags: set }));
 *
 * Read first: content/merge.ts, content/combinators.ts. The forms that converge, whatever the order
 * in which replicas merge, are in the other files here; of these, `record`, `map` and `optional`
 * converge when what they are made of does and nobody removes what somebody else changes.
 */

import { err, ok, type Result } from '#core';
import {
  byChange,
  map as mergeMap,
  record as mergeRecord,
  option,
} from '../content/combinators.ts';
import { type ContentType, contentFault } from '../content/content-type.ts';
import { compareText } from '../content/equal.ts';
import { emitJson, fromEntries, isObject, type Json, parseJson } from '../content/json.ts';
import type { Merge, Optional } from '../content/merge.ts';

/** What is wrong with a JSON value, outermost step first: "rows.7: not a number". */
export type FormFault = string;

export interface Form<T> {
  readonly merge: Merge<T>;
  /** Undefined: the value is left out of whatever it is in. Equal values give equal JSON. */
  toJson(value: T): Json | undefined;
  /** Undefined where it was left out. Never throws for any JSON. */
  fromJson(json: Json | undefined): Result<T, FormFault>;
  /** ContentType.addsUp. */
  readonly addsUp?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: T is both argument and result; no other type fits.
export type AnyForm = Form<any>;

/** The type of a form's values. */
export type FormValue<F> = F extends Form<infer T> ? T : never;

/** A content type whose blobs are the JSON of a form. */
export function content<T>(name: string, form: Form<T>): ContentType<T> {
  return {
    name,
    encode: (value) => emitJson(form.toJson(value) ?? null),
    decode(bytes) {
      const json = parseJson(bytes);
      if (!json.ok) return err(contentFault(name, json.error));
      const value = form.fromJson(json.value);
      return value.ok ? value : err(contentFault(name, value.error));
    },
    merge: option(form.merge),
    addsUp: form.addsUp === true,
  };
}

const within = (step: string, fault: FormFault): FormFault =>
  fault.startsWith('not ') ? `${step}: ${fault}` : `${step}.${fault}`;

function scalar<T extends Json>(what: string, is: (json: Json) => boolean): Form<T> {
  return {
    merge: byChange<T>(),
    toJson: (value) => value,
    fromJson: (json) => (json !== undefined && is(json) ? ok(json as T) : err(`not ${what}`)),
  };
}

/** Taken from the side that changed it, as all scalars are. */
export const text = scalar<string>('text', (json) => typeof json === 'string');
export const flag = scalar<boolean>('true or false', (json) => typeof json === 'boolean');
export const number = scalar<number>('a number', (json) => typeof json === 'number');
export const integer = scalar<number>('an integer', Number.isSafeInteger);
/** Any JSON, taken whole. */
export const anything = scalar<Json>('a value', () => true);

/** A value that may be left out. */
export function optional<T>(form: Form<T>): Form<Optional<T>> {
  return {
    merge: option(form.merge),
    toJson: (value) => (value === undefined ? undefined : form.toJson(value)),
    fromJson: (json) => (json === undefined ? ok(undefined) : form.fromJson(json)),
    addsUp: form.addsUp === true,
  };
}

type Fields = { readonly [name: string]: AnyForm };
type OptionalNames<F extends Fields> = {
  [K in keyof F]: undefined extends FormValue<F[K]> ? K : never;
}[keyof F];
type Flat<T> = { [K in keyof T]: T[K] };
/** The object type of a record's fields; those that may be undefined may be left out. */
export type RecordOf<F extends Fields> = Flat<
  { readonly [K in Exclude<keyof F, OptionalNames<F>>]: FormValue<F[K]> } & {
    readonly [K in OptionalNames<F>]?: FormValue<F[K]>;
  }
>;

/** Merged field by field. A field that isn't listed is a fault: writing would drop it. */
export function record<const F extends Fields>(fields: F): Form<RecordOf<F>> {
  type T = RecordOf<F>;
  const forms = Object.entries(fields) as [keyof T & string, AnyForm][];
  const merges = Object.fromEntries(forms.map(([name, form]) => [name, form.merge]));
  return {
    merge: mergeRecord(merges as { readonly [K in keyof T]-?: Merge<T[K]> }),
    toJson(value) {
      const entries: [string, Json][] = [];
      for (const [name, form] of forms) {
        const json = form.toJson(value[name]);
        if (json !== undefined) entries.push([name, json]);
      }
      return fromEntries(entries);
    },
    fromJson(json) {
      if (!isObject(json)) return err('not an object');
      const value: Partial<Record<string, unknown>> = {};
      for (const [name, form] of forms) {
        const field = form.fromJson(Object.hasOwn(json, name) ? json[name] : undefined);
        if (!field.ok) return err(within(name, field.error));
        if (field.value !== undefined) value[name] = field.value;
      }
      const other = Object.keys(json).find((name) => !Object.hasOwn(fields, name));
      return other === undefined ? ok(value as T) : err(within(other, 'not a field'));
    },
    addsUp: forms.some(([, form]) => form.addsUp === true),
  };
}

/** Items in their order, taken whole from the side that changed them. */
export function list<T>(item: Form<T>): Form<readonly T[]> {
  return {
    merge: byChange<readonly T[]>(),
    toJson: (value) => value.map((one) => item.toJson(one) ?? null),
    fromJson(json) {
      if (!Array.isArray(json)) return err('not an array');
      const items: T[] = [];
      for (const [index, one] of json.entries()) {
        const value = item.fromJson(one);
        if (!value.ok) return err(within(String(index), value.error));
        items.push(value.value);
      }
      return ok(items);
    },
  };
}

/**
 * Values by key, merged key by key with `merge` (of values that may be absent). In JSON an object,
 * in memory in the keys' order.
 */
export function keyed<T>(
  item: Form<T>,
  merge: Merge<ReadonlyMap<string, T>>,
): Form<ReadonlyMap<string, T>> {
  return {
    merge,
    toJson(value) {
      const entries: [string, Json][] = [];
      for (const [key, one] of value) entries.push([key, item.toJson(one) ?? null]);
      return fromEntries(entries);
    },
    fromJson(json) {
      if (!isObject(json)) return err('not an object');
      const value = new Map<string, T>();
      for (const key of Object.keys(json).sort(compareText)) {
        const one = item.fromJson(json[key]);
        if (!one.ok) return err(within(key, one.error));
        value.set(key, one.value);
      }
      return ok(value);
    },
    addsUp: item.addsUp === true,
  };
}

/** Values by key; removed here and changed there conflicts. One that never does: tagged-map.ts. */
export function map<T>(item: Form<T>): Form<ReadonlyMap<string, T>> {
  return keyed(item, mergeMap(option(item.merge)));
}
