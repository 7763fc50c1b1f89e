// tidy: int32
/**
 * Tail loss probes, RFC 8985 §7: when the end of a flight is lost nothing arrives that would tell,
 * so after two round trips of silence one segment goes out, new or the last again. Its
 * acknowledgment reveals losses before the retransmission timeout. Read first: rack.ts.
 */

import { FOREVER, type Instant, type SeqNumber } from '#core';
import type { Connection } from './connection.ts';
import { DISORDER, type LossState, lossOf, OPEN } from './loss-state.ts';
import { retransmit, sendNew } from './output.ts';
import { armTimer, probeTimeout, startRetransmitTimer } from './timers.ts';

/** The probe's time has come, §7.3; unless more was sent meanwhile, for it counts from the last. */
export function probeTail(c: Connection, now: Instant): void {
  if (c.repair !== OPEN || c.sndMax === c.sndUna || c.sndNxt !== c.sndMax) return;
  const at = (c.sentAt + probeTimeout(c)) as Instant;
  if (at > now) {
    c.lossAt = at;
    armTimer(c, at);
    return;
  }
  const before = c.sndMax;
  const outstanding = (before - c.sndUna) | 0;
  const loss = lossOf(c);
  const unsent = c.queuedBytes - outstanding;
  if (unsent > 0) sendNew(c, outstanding + Math.min(c.mss, unsent));
  if (c.sndMax !== before) loss.probe = 1;
  else {
    const length = Math.min(c.mss, outstanding);
    if (retransmit(c, ((before - length) | 0) as SeqNumber, length) === 0) return;
    loss.probe = 2;
  }
  c.stack.counts.tailProbes += 1;
  loss.probeEnd = c.sndMax;
  c.repair = DISORDER;
  c.updatePrediction();
  c.lossAt = FOREVER;
  startRetransmitTimer(c);
}

/**
 * §7.4.2, for an acknowledgment up to sndUna. True when the probe repaired a loss that would have
 * gone unnoticed: then congestion is to be answered.
 */
export function probeAcknowledged(
  c: Connection,
  loss: LossState,
  isDuplicate: boolean,
  reportsProbe: boolean,
): boolean {
  const beyond = (c.sndUna - loss.probeEnd) | 0;
  if (loss.probe === 0 || beyond < 0) return false;
  // Of new data; or the peer says that it has both; or this answers the second of them.
  if (loss.probe === 1 || reportsProbe || (beyond === 0 && isDuplicate)) loss.probe = 0;
  else if (beyond > 0) {
    loss.probe = 0;
    return true;
  }
  return false;
}
