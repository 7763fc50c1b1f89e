/**
 * Differences of two lists: the shortest edit script, E. Myers, "An O(ND) Difference Algorithm and
 * Its Variations" (1986). Where more than DIFF_EDITS_MAX edits would be needed, what is between
 * the common beginning and end counts as changed as a whole: right, but coarser.
 */

import { DIFF_EDITS_MAX } from '../limits.ts';

/** [aStart, aEnd) of a became [bStart, bEnd) of b; between two hunks at least one item is equal. */
export interface Hunk {
  readonly aStart: number;
  readonly aEnd: number;
  readonly bStart: number;
  readonly bEnd: number;
}

/** In order. O((a + b) · edits), memory O(edits²). */
export function diff(a: readonly string[], b: readonly string[]): Hunk[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [aEnd, bEnd] = [a.length, b.length];
  while (aEnd > start && bEnd > start && a[aEnd - 1] === b[bEnd - 1]) {
    aEnd--;
    bEnd--;
  }
  if (aEnd === start && bEnd === start) return [];
  const whole = { aStart: start, aEnd, bStart: start, bEnd };
  if (aEnd === start || bEnd === start) return [whole];
  const trace = search(a, b, whole);
  return trace === null ? [whole] : hunksOf(trace, whole);
}

/** For each number of edits how far each diagonal came; null when it takes too many. */
function search(a: readonly string[], b: readonly string[], whole: Hunk): Int32Array[] | null {
  const [aCount, bCount] = [whole.aEnd - whole.aStart, whole.bEnd - whole.bStart];
  const most = Math.min(aCount + bCount, DIFF_EDITS_MAX);
  const trace: Int32Array[] = [];
  let last = new Int32Array([0, 0, 0]);
  for (let edits = 0; edits <= most; edits++) {
    // Diagonal k is at index k + edits + 1, with a margin of one on both sides.
    const now = new Int32Array(2 * edits + 3);
    for (let k = -edits; k <= edits; k += 2) {
      let x = edits === 0 ? 0 : step(last, edits, k);
      while (x < aCount && x - k < bCount && a[whole.aStart + x] === b[whole.bStart + x - k]) {
        x++;
      }
      now[k + edits + 1] = x;
      if (x >= aCount && x - k >= bCount) {
        trace.push(now);
        return trace;
      }
    }
    trace.push(now);
    last = now;
  }
  return null;
}

/** Where diagonal k begins with one more edit: down from k + 1, or to the right from k - 1. */
function step(last: Int32Array, edits: number, k: number): number {
  const [below, above] = [last[k + edits - 1]!, last[k + edits + 1]!];
  return isDown(below, above, edits, k) ? above : below + 1;
}

const isDown = (below: number, above: number, edits: number, k: number): boolean =>
  k === -edits || (k !== edits && below < above);

/** Follows the trace back from the end, and joins edits that touch. */
function hunksOf(trace: readonly Int32Array[], { aStart, aEnd, bStart, bEnd }: Hunk): Hunk[] {
  const hunks: Hunk[] = [];
  let [x, y] = [aEnd - aStart, bEnd - bStart];
  for (let edits = trace.length - 1; edits > 0; edits--) {
    const last = trace[edits - 1]!;
    const k = x - y;
    const [below, above] = [last[k + edits - 1]!, last[k + edits + 1]!];
    const down = isDown(below, above, edits, k);
    const [fromX, fromK] = down ? [above, k + 1] : [below, k - 1];
    const fromY = fromX - fromK;
    const [toX, toY] = down ? [fromX, fromY + 1] : [fromX + 1, fromY];
    const next = hunks.at(-1);
    if (next !== undefined && next.aStart === aStart + toX && next.bStart === bStart + toY) {
      hunks[hunks.length - 1] = { ...next, aStart: aStart + fromX, bStart: bStart + fromY };
    } else {
      hunks.push({
        aStart: aStart + fromX,
        aEnd: aStart + toX,
        bStart: bStart + fromY,
        bEnd: bStart + toY,
      });
    }
    [x, y] = [fromX, fromY];
  }
  return hunks.reverse();
}
