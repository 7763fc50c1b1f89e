/** Conditional requests on content that exists: RFC 9110 §13.2.2, in its order. */

import {
  type EntityTag,
  matchesStrongly,
  matchesWeakly,
  parseEntityTags,
} from './wire/entity-tag.ts';
import { parseHttpDate } from './wire/http-date.ts';
import type { Conditions } from './wire/request-head.ts';

/** The validators of the selected representation. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  readonly modifiedSeconds: number;
}

/**
 * What the conditions of a GET or HEAD lead to: 412, 304, or 200: go on.
 * `nowSeconds`: wall time, for two-digit years.
 */
export function evaluatePreconditions(
  conditions: Conditions,
  validators: Validators,
  nowSeconds: number,
): 200 | 304 | 412 {
  const { etag, modifiedSeconds } = validators;
  // Steps 1 and 2.
  if (conditions.ifMatch !== null) {
    if (!matchesStrongly(conditions.ifMatch, etag)) return 412;
  } else if (conditions.ifUnmodifiedSince !== null) {
    const date = parseHttpDate(conditions.ifUnmodifiedSince, nowSeconds);
    if (date !== null && modifiedSeconds > date) return 412;
  }
  // Steps 3 and 4.
  if (conditions.ifNoneMatch !== null)
    return matchesWeakly(conditions.ifNoneMatch, etag) ? 304 : 200;
  if (conditions.ifModifiedSince !== null) {
    const date = parseHttpDate(conditions.ifModifiedSince, nowSeconds);
    if (date !== null && modifiedSeconds <= date) return 304;
  }
  return 200;
}

/** Step 5: whether the Range field is to be followed of a GET (RFC 9110 §13.1.5, §14.2). */
export function usesRange(
  conditions: Conditions,
  validators: Validators,
  nowSeconds: number,
): boolean {
  if (conditions.range === null) return false;
  const ifRange = conditions.ifRange;
  if (ifRange === null) return true;
  if (ifRange.startsWith('"') || ifRange.startsWith('W/')) {
    const tags = parseEntityTags(ifRange);
    if (tags === null || tags === '*' || tags.length !== 1) return false;
    const tag: EntityTag = tags[0]!;
    return !tag.isWeak && tag.opaque === validators.etag;
  }
  // A date is a strong validator here: the content can't change while the server lives (§8.8.2.2).
  return parseHttpDate(ifRange, nowSeconds) === validators.modifiedSeconds;
}
