/**
 * What a store knows of the contents at a path: how they are bytes, and how they merge. Contents
 * are Git's blobs, so a codec must be exact: decode(encode(v)) is v, and equal values encode to
 * equal bytes, else a store commits what didn't change. Stock types: stock.ts; composed ones:
 * data/form.ts. Not here: paths (a store's schema maps them to types).
 */

import type { Result } from '#core';
import type { Merge, Optional } from './merge.ts';

/** Bytes that aren't a value of the type: another program or version wrote them. */
export interface ContentFault {
  readonly kind: 'malformed' | 'too large';
  /** The content type's name. */
  readonly type: string;
  /** What is wrong and where, for people. */
  readonly message: string;
}

export interface Codec<T> {
  /** Fresh bytes, or bytes that nobody changes afterwards. Never throws for a value of T. */
  encode(value: T): Uint8Array;
  /** Borrows `bytes`; the value may share them if its type says so. Never throws for any bytes. */
  decode(bytes: Uint8Array): Result<T, ContentFault>;
}

export interface ContentType<T> extends Codec<T> {
  /** For messages, and for the check that two stores mean the same: lower case, no spaces. */
  readonly name: string;
  /** Of values and of their absence; asked only where both sides changed, differently. */
  readonly merge: Merge<Optional<T>>;
  /**
   * Equal changes of both sides are two changes (a counter's, a multiset's), so `merge` is asked
   * also where both sides are equal, but not the base.
   */
  readonly addsUp?: boolean;
}

/** The value type of a content type: `ValueOf<typeof contact>`. */
export type ValueOf<C> = C extends ContentType<infer T> ? T : never;

/** Any content type, where the value's type is forgotten (a tree merge asks by path). */
// biome-ignore lint/suspicious/noExplicitAny: T is both argument and result; no other type fits.
export type AnyContentType = ContentType<any>;

export const contentFault = (
  type: string,
  message: string,
  kind: ContentFault['kind'] = 'malformed',
): ContentFault => ({ kind, type, message });
