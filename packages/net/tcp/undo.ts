// tidy: int32
/**
 * Undoing what a spurious recovery did to the congestion window: the retransmission wasn't needed
 * when the acknowledgment answers the first sending, by its timestamp (Eifel: RFC 3522, RFC 4015),
 * or when the peer reports everything that went again as a duplicate (RFC 3708).
 */

import type { Connection } from './connection.ts';
import { INITIAL_WINDOW_SEGMENTS } from './limits.ts';
import { FAST, type LossState } from './loss-state.ts';
import { settleRepair } from './recovery.ts';
import type { Segment } from './segment.ts';
import { hasTimestamps, timestampNow } from './timestamps.ts';

/** Before cwnd and ssthresh are lowered. */
export function rememberForUndo(c: Connection, loss: LossState): void {
  loss.undoCwnd = c.cwnd;
  loss.undoSsthresh = c.ssthresh;
  loss.undoBytes = 0;
  loss.undoStart = c.sndUna;
  loss.undoStamp = timestampNow(c);
}

/** RFC 3522 §3.2: `acked` bytes are acknowledged with an echo of before the retransmission. */
export function undoSpurious(c: Connection, s: Segment, loss: LossState, acked: number): void {
  if (c.repair < FAST || loss.undoCwnd === 0 || loss.undoBytes === 0) return;
  if (!hasTimestamps(c) || ((s.options.timestampEcho - loss.undoStamp) | 0) >= 0) return;
  undo(c, loss, acked);
}

/** The peer got `bytes` twice. */
export function undoDuplicates(c: Connection, loss: LossState, bytes: number): void {
  if (loss.undoCwnd === 0 || loss.undoBytes === 0) return;
  loss.undoBytes -= bytes;
  if (loss.undoBytes <= 0) undo(c, loss, bytes);
}

/** RFC 4015 §3.2: back to the old threshold, and there by slow start rather than in a burst. */
function undo(c: Connection, loss: LossState, acked: number): void {
  c.stack.counts.undone += 1;
  const pipe = (c.sndMax - c.sndUna) | 0;
  const calm = pipe + Math.min(acked, INITIAL_WINDOW_SEGMENTS * c.mss);
  c.cwnd = Math.max(c.cwnd, Math.min(loss.undoCwnd, calm));
  c.ssthresh = Math.max(loss.undoSsthresh, loss.undoCwnd);
  c.cubic?.undoReduction();
  loss.undoCwnd = 0;
  loss.undoBytes = 0;
  c.flight?.unlose();
  if (c.repair < FAST) return;
  // Out of the recovery, with this window.
  const { cwnd } = c;
  loss.recover = c.sndUna;
  settleRepair(c, loss);
  c.cwnd = cwnd;
}
