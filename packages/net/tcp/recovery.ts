// tidy: int32
/**
 * Loss without a timeout: fast retransmit and fast recovery. With SACK by RFC 6675 (what is in
 * flight is estimated from the scoreboard), without it by RFC 6582 (NewReno). A
 * retransmission that is lost too is found when later segments have overtaken it. Not here yet:
 * RACK-TLP (RFC 8985), which finds more of them by time.
 */

import type { SeqNumber } from '#core';
import type { TcpOptions } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { DUPLICATE_ACKS } from './limits.ts';
import { retransmit, sendNew } from './output.ts';
import { Scoreboard } from './scoreboard.ts';
import { armRetransmit, sampleRtt } from './timers.ts';

/**
 * Takes the SACK blocks of an acceptable segment into the scoreboard; returns the bytes that are
 * news.
 */
export function updateScoreboard(c: Connection, options: TcpOptions): number {
  let news = 0;
  for (let i = 0; i < options.sackCount; i++) {
    const start = options.sack[2 * i]! as SeqNumber;
    const end = options.sack[2 * i + 1]! as SeqNumber;
    // Empty, or beyond sndMax: nonsense.
    if (((end - start) | 0) <= 0 || ((c.sndMax - end) | 0) < 0) continue;
    if (((start - c.sndUna) | 0) <= 0) {
      // A report of duplicates, RFC 2883 §4.
      if (i === 0 && ((end - c.sndUna) | 0) <= 0) {
        c.scoreboard ??= new Scoreboard();
        c.scoreboard.repeated = true;
      }
      continue;
    }
    c.scoreboard ??= new Scoreboard();
    news += c.scoreboard.add(start, end);
    if (c.rttAt >= 0 && ((c.rttSeq - start) | 0) > 0 && ((end - c.rttSeq) | 0) >= 0) sampleRtt(c);
  }
  return news;
}

/**
 * A duplicate acknowledgment, RFC 5681 §2; or with SACK any segment that reports something new, RFC
 * 6675 §2.
 */
export function duplicateAcknowledged(c: Connection): void {
  if (c.recovering) {
    // RFC 6582 §3.2 step 3: a segment has left the network.
    if (!c.sackOk) c.cwnd += c.mss;
    return;
  }
  c.dupAcks += 1;
  // RFC 6582 §4.1: these still answer what the last recovery or timeout sent twice. RFC 6675 §5.1
  // knows what they answer, and begins at the recovery point.
  const beyond = (c.sndUna - c.recover) | 0;
  if ((c.sackOk ? beyond < 0 : beyond <= 0) && c.hasRecovered) return;
  const lost = c.scoreboard !== null && c.scoreboard.lostBelow(c.sndUna, c.mss) !== c.sndUna;
  if (c.dupAcks >= DUPLICATE_ACKS || lost) {
    enterRecovery(c);
    return;
  }
  // RFC 3042, limited transmit: two segments keep the acknowledgments coming.
  sendNew(c, c.cwnd + c.dupAcks * c.mss);
}

function enterRecovery(c: Connection): void {
  const flight = (c.sndMax - c.sndUna) | 0;
  c.stack.counts.recoveries += 1;
  c.recovering = true;
  c.recover = c.sndMax;
  c.hasRecovered = true;
  c.ssthresh = Math.max(flight / 2, 2 * c.mss);
  c.growth = 0;
  c.highRxt = c.sndUna;
  c.updatePrediction();
  c.cwnd = c.sackOk ? c.ssthresh : c.ssthresh + DUPLICATE_ACKS * c.mss;
  retransmitFirst(c);
  armRetransmit(c);
}

/** The segment at sndUna, whatever the window says. */
function retransmitFirst(c: Connection): void {
  const hole = c.scoreboard === null ? c.mss : c.scoreboard.holeBytes(c.sndUna);
  const sent = Math.min(c.mss, hole, (c.sndMax - c.sndUna) | 0);
  if (!retransmit(c, c.sndUna, sent)) return;
  c.highRxt = ((c.sndUna + sent) | 0) as SeqNumber;
  if (c.scoreboard !== null) c.scoreboard.mark = c.sndMax;
}

/** sndUna moved by `acked` during recovery. */
export function recoveryAcknowledged(c: Connection, acked: number): void {
  if (((c.sndUna - c.recover) | 0) >= 0) {
    c.recovering = false;
    c.dupAcks = 0;
    const flight = (c.sndMax - c.sndUna) | 0;
    // RFC 6582 §3.2 step 3, first choice: no burst after recovery. RFC 6675 leaves cwnd at
    // ssthresh.
    c.cwnd = c.sackOk ? c.ssthresh : Math.min(c.ssthresh, Math.max(flight, c.mss) + c.mss);
    c.updatePrediction();
    return;
  }
  if (((c.highRxt - c.sndUna) | 0) < 0) c.highRxt = c.sndUna;
  if (c.sackOk) return;
  // RFC 6582 §3.2 step 3, partial: the next hole begins at sndUna.
  c.cwnd = Math.max(c.mss, c.cwnd - acked + (acked >= c.mss ? c.mss : 0));
  retransmitFirst(c);
}

/**
 * RFC 6675 §5, step C: fill what the estimate of the flight leaves of cwnd; NewReno: just new data.
 */
export function sendRecovering(c: Connection): void {
  const board = c.scoreboard;
  if (!c.sackOk || board === null) {
    sendNew(c, c.cwnd);
    return;
  }
  if (((c.highRxt - c.sndUna) | 0) > 0 && board.isOvertaken(c.mss)) loseAgain(c);
  const lostBelow = board.lostBelow(c.sndUna, c.mss);
  let room = c.cwnd - pipeBytes(c, board, lostBelow);
  // NextSeg rule 1: lost and not yet sent again.
  while (room >= c.mss) {
    const hole = board.nextHole(c.highRxt);
    const lost = (lostBelow - hole) | 0;
    if (lost <= 0) break;
    const length = Math.min(c.mss, lost, board.holeBytes(hole));
    if (!retransmit(c, hole, length)) return;
    c.highRxt = ((hole + length) | 0) as SeqNumber;
    board.mark = c.sndMax;
    room -= length;
  }
  if (room < c.mss) return;
  // Rule 2: new data.
  const before = c.sndMax;
  sendNew(c, ((c.sndNxt - c.sndUna) | 0) + room);
  room -= (c.sndMax - before) | 0;
  // Rule 3: holes not known to be lost, only when there is nothing new.
  while (room >= c.mss && c.sndMax === before) {
    const hole = board.nextHole(c.highRxt);
    const below = (board.highest(c.sndUna) - hole) | 0;
    if (below <= 0) break;
    const length = Math.min(c.mss, below, board.holeBytes(hole));
    if (!retransmit(c, hole, length)) return;
    c.highRxt = ((hole + length) | 0) as SeqNumber;
    board.mark = c.sndMax;
    room -= length;
  }
}

/**
 * Retransmissions are lost: another pass over the holes, and RFC 5681 §4.3's second reduction.
 * Without it they would wait for the timeout, as RFC 6675 has it.
 */
function loseAgain(c: Connection): void {
  c.stack.counts.lostAgain += 1;
  c.highRxt = c.sndUna;
  c.ssthresh = Math.max(c.ssthresh / 2, 2 * c.mss);
  c.cwnd = c.ssthresh;
  retransmitFirst(c);
  armRetransmit(c);
}

/** RFC 6675 §4 SetPipe: bytes believed to be in the network. */
function pipeBytes(c: Connection, board: Scoreboard, lostBelow: SeqNumber): number {
  const outstanding = (c.sndMax - c.sndUna) | 0;
  const lost = ((lostBelow - c.sndUna) | 0) - board.sackedBelow(lostBelow);
  const again = ((c.highRxt - c.sndUna) | 0) - board.sackedBelow(c.highRxt);
  return outstanding - board.sackedBytes - lost + again;
}
