// tidy: int32
/**
 * SACK blocks that come in: RFC 2018 reports of what the peer has, and RFC 2883 reports of what it
 * got twice.
 */

import type { SeqNumber } from '#core';
import type { Connection } from './connection.ts';
import type { LossState } from './loss-state.ts';
import { flightOf } from './output.ts';
import type { Segment } from './segment.ts';

/**
 * Takes the blocks of an acceptable segment into the flight; `loss.news` says how many bytes were
 * news. Returns the bytes of a report of duplicates, 0 when there is none.
 */
export function takeReports(c: Connection, s: Segment, loss: LossState): number {
  const { sack, sackCount } = s.options;
  if (sackCount === 0) return 0;
  const repeated = repeatedBytes(c, s);
  for (let i = repeated > 0 ? 1 : 0; i < sackCount; i++) {
    const start = sack[2 * i]! as SeqNumber;
    const end = sack[2 * i + 1]! as SeqNumber;
    // Empty, beyond sndMax, or not above what is acknowledged: nonsense.
    if (((end - start) | 0) <= 0 || ((c.sndMax - end) | 0) < 0) continue;
    if (((start - c.sndUna) | 0) <= 0) continue;
    loss.news += flightOf(c).sack(start, end, loss);
  }
  return repeated;
}

/** RFC 2883 §4: the first block lies below the acknowledgment, or within the second. */
function repeatedBytes(c: Connection, s: Segment): number {
  const { sack, sackCount } = s.options;
  const start = sack[0]!;
  const end = sack[1]!;
  const length = (end - start) | 0;
  // Of something that we sent at all, and not long ago.
  if (length <= 0 || length > c.sndWndMax || ((start - c.sndUna) | 0) < -c.sndWndMax) return 0;
  if (((end - s.ack) | 0) <= 0) return length;
  if (sackCount < 2) return 0;
  return ((start - sack[2]!) | 0) >= 0 && ((sack[3]! - end) | 0) >= 0 ? length : 0;
}
