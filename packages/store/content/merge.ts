/**
 * Three-way merges as functions, and the conflict as a value. Combinators are in combinators.ts;
 * what a whole tree does with them in merge/tree-merge.ts. Read first: J. Swierstra, A. Löh, "The
 * semantics of version control" (2014); the diff3 problem, Khanna, Kunal, Pierce (2007).
 *
 * Absence is `undefined`, so that `null` stays a value (JSON has one). A merge over values that
 * may be absent is a `Merge<Optional<T>>`: a base that is absent means that both sides added, or
 * that their histories are unrelated; a side that is absent means that it was removed, or never
 * was there.
 */

import { err, ok, type Result } from '#core';

export type Optional<T> = T | undefined;

/**
 * The common ancestor's value, got only when it is needed: it may itself be the conflict of a
 * virtual base (several common ancestors that don't merge), or not decode. A merge that gets by
 * without it never sees that. Calling it twice gives the same answer; the work is done once.
 */
export type Base<T> = () => Result<Optional<T>, MergeConflict>;

/**
 * Merges what both sides made of a base. Pure: same arguments, same result; never throws for any
 * value of the type; the arguments are borrowed and unchanged, the result may share parts with
 * them. `ours` and `theirs` may be equal. Swapping the sides changes a successful result only
 * where a docstring says so.
 */
export type Merge<T> = (base: Base<T>, ours: T, theirs: T) => Result<T, MergeConflict>;

/** Why two sides don't merge. Switch over it; `message` is for people. */
export type ConflictKind =
  /** Both changed the value, differently. */
  | 'both changed'
  /** Both added a value, differently, where the base has none. */
  | 'both added'
  /** One side removed what the other changed. */
  | 'removed and changed'
  /** One side has contents, the other a tree. */
  | 'contents and tree'
  /** The common ancestors themselves don't merge here, and this merge needs a base. */
  | 'no base'
  /** A side or the base isn't a value of the content type. */
  | 'undecodable'
  /** The merged value is outside of what the type can hold. */
  | 'out of range'
  /** An application's own rule. */
  | 'rule';

export interface MergeConflict {
  readonly kind: ConflictKind;
  /** Where inside of the value, outermost first: keys, fields, indexes. Empty: all of it. */
  readonly where: readonly string[];
  readonly message: string;
}

export const conflict = (kind: ConflictKind, message: string): MergeConflict => ({
  kind,
  where: [],
  message,
});

/** A failed merge, in one word. */
export const fails = (kind: ConflictKind, message: string) => err(conflict(kind, message));

/** The conflict of a part, as the whole sees it: one step deeper. */
export const inside = (step: string, part: MergeConflict): MergeConflict => ({
  ...part,
  where: [step, ...part.where],
});

/** One line: `rows/7/name: both changed the value`. */
export function formatConflict({ where, message }: MergeConflict): string {
  return where.length === 0 ? message : `${where.join('/')}: ${message}`;
}

/** A base that is there already. */
export function known<T>(value: Optional<T>): Base<T> {
  const result = { ok: true, value } as const;
  return () => result;
}

/** The value of `part` in the base, as a base of its own; an absent whole has no parts. */
export function partBase<T, P>(base: Base<T>, part: (whole: T) => Optional<P>): Base<P> {
  return () => {
    const whole = base();
    if (!whole.ok) return whole;
    return ok(whole.value === undefined ? undefined : part(whole.value));
  };
}
