// tidy: int32
/**
 * Losses found by time, RFC 8985 §6: a segment is lost when one that left a reordering window later
 * has arrived. It needs no number of duplicates, and finds retransmissions that were lost as it
 * finds anything else. Read first: flight.ts, loss-state.ts. Not here: what follows (recovery.ts),
 * probes (tail-loss.ts).
 */

import { FOREVER, type Instant } from '#core';
import type { Connection } from './connection.ts';
import { type Flight, LOST, SACKED } from './flight.ts';
import { DUPLICATE_ACKS, REORDERING_PERSIST, REORDERING_WINDOW_MULT_MAX } from './limits.ts';
import { FAST, type LossState } from './loss-state.ts';
import { armTimer } from './timers.ts';

/** §6.2.4: how much later than its successors a segment may arrive. */
function reorderingWindow(c: Connection, flight: Flight, loss: LossState): number {
  if (!loss.hasReordering) {
    // Nothing was ever reordered: as quick as counting duplicates.
    if (c.repair >= FAST || flight.sackedBytes >= DUPLICATE_ACKS * c.mss) return 0;
  }
  const window = (loss.windowMult * loss.minRtt) / 4;
  return window < c.srtt ? window : c.srtt;
}

/** §6.2.4: the peer got something twice, which a wider window would have spared. */
export function noteDuplicate(c: Connection, loss: LossState): void {
  loss.repeated = true;
  if (loss.inDuplicateRound && ((c.sndUna - loss.duplicateRound) | 0) < 0) return;
  loss.inDuplicateRound = true;
  loss.duplicateRound = c.sndMax;
  if (loss.windowMult < REORDERING_WINDOW_MULT_MAX) loss.windowMult += 1;
  loss.windowPersist = REORDERING_PERSIST;
}

/** §6.2.4: recoveries without such duplicates let the window shrink again. */
export function noteRecovered(loss: LossState): void {
  loss.windowPersist -= 1;
  if (loss.windowPersist <= 0) loss.windowMult = 1;
}

/**
 * §6.2 step 5: marks what is lost, and has the timer look again when more of it can have become so.
 * True when something was marked.
 */
export function detectLosses(c: Connection, flight: Flight, loss: LossState): boolean {
  if (loss.sentAt < 0) return false;
  const now = c.stack.timers.now;
  const due = now - loss.rtt - reorderingWindow(c, flight, loss);
  let isFound = false;
  let wait = 0;
  for (let i = 0; i < flight.ends.length; i++) {
    if (flight.fates[i]! & (LOST | SACKED)) continue;
    const sentAt = flight.times[i]!;
    if (sentAt > loss.sentAt) continue;
    if (sentAt === loss.sentAt && ((flight.ends[i]! - loss.end) | 0) >= 0) continue;
    if (sentAt <= due) {
      flight.lose(i);
      isFound = true;
    } else if (sentAt - due > wait) wait = sentAt - due;
  }
  if (isFound) flight.merge();
  if (wait > 0) {
    c.lossAt = (now + Math.ceil(wait)) as Instant;
    armTimer(c, c.lossAt);
  } else if (flight.sackedBytes > 0 || c.repair >= FAST) c.lossAt = FOREVER;
  return isFound;
}
