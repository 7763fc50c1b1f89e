/**
 * Two hosts' knowledge of one address. Never a conflict, and seldom a need for what was before: of
 * two the one that ends later wins, which is the one that was learned later, or the word that it
 * was removed later. Of equals that word wins, else the one whose text is less. What one side has
 * no word on ended there, if it was there: it stays away unless the other learned it anew, and
 * without a base it comes for what is left of its time.
 */

import { ok, type Result } from '#core';
import { encodeRecord, lesserText, type NeighborRecord, sameRecord } from './record.ts';

type Known = NeighborRecord | undefined;

/** The one that both hosts keep, whichever side it is on. */
function laterOf(a: NeighborRecord, b: NeighborRecord): NeighborRecord {
  if (a.expires !== b.expires) return a.expires > b.expires ? a : b;
  if ((a.mac === null) !== (b.mac === null)) return a.mac === null ? a : b;
  return lesserText(a, b, encodeRecord);
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
