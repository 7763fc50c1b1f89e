/**
 * Two hosts' knowledge of one address. Never a conflict: of two the one that ends later wins
 * (static ones never end), of equals the one whose text is less; what one side dropped stays
 * dropped unless the other learned it anew.
 */

import { hot, ok, type Result } from '#core';
import { encodeRecord, type NeighborRecord, sameRecord } from './record.ts';

type Known = NeighborRecord | undefined;

/** The one that both hosts keep, whichever side it is on. */
function laterOf(a: NeighborRecord, b: NeighborRecord): NeighborRecord {
  const [first, second] = [
    a.expires ?? Number.POSITIVE_INFINITY,
    b.expires ?? Number.POSITIVE_INFINITY,
  ];
  if (first !== second) return first > second ? a : b;
  return textOf(a) <= textOf(b) ? a : b;
}

/** Shaped as a content type's merge; a base that can't be had is none. */
export function mergeRecords(
  base: () => Result<Known, unknown>,
  ours: Known,
  theirs: Known,
): { readonly ok: true; readonly value: Known } {
  if (ours !== undefined && theirs !== undefined) return ok(laterOf(ours, theirs));
  const kept = ours ?? theirs;
  if (kept === undefined) return ok(undefined);
  const before = base();
  const isUnchanged = before.ok && before.value !== undefined && sameRecord(before.value, kept);
  return ok(isUnchanged ? undefined : kept);
}

function textOf(record: NeighborRecord): string {
  const bytes = encodeRecord(record);
  return hot.latin1(bytes, 0, bytes.length);
}
