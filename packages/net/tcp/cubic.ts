/**
 * CUBIC, RFC 9438: how a congestion window falls and grows again. Made when a connection first
 * leaves slow start. Windows are bytes, times microseconds; the cubic is computed in segments and
 * seconds, as the RFC has it. Not here: slow start (ack.ts), rates during recovery (recovery.ts).
 */

import { assert, type Instant } from '#core';

const BETA = 0.7;
const C = 0.4;
/** §4.3: as fast as Reno would on average, with our smaller decrease. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);
const SECOND = 1_000_000;

export class Cubic {
  /** §4.1.2: the window before the last reduction, or less by fast convergence; segments. */
  private wMax = 0;
  /** What cwnd was then, segments; beyond it the Reno-friendly window grows as Reno's. */
  private priorWindow = 0;
  /** Seconds from the epoch's start to wMax. */
  private k = 0;
  /** When this epoch of congestion avoidance began, idle time aside; -1: not yet. */
  private epochAt = -1;
  private lastAt = 0;
  /** §4.3: the window that Reno would have, segments. */
  private wEst = 0;
  /** Bytes that cwnd is behind the target, not yet a whole segment. */
  private credit = 0;
  private undo: { readonly wMax: number; readonly priorWindow: number } | null = null;

  /** Congestion, §4.6 and §4.7, with a window of `cwnd`: the new slow start threshold. */
  reduce(cwnd: number, flight: number, mss: number): number {
    const window = cwnd / mss;
    this.undo = { wMax: this.wMax, priorWindow: this.priorWindow };
    // §4.7, fast convergence: whoever has less than last time leaves room for newcomers.
    this.wMax = window < this.wMax ? (window * (1 + BETA)) / 2 : window;
    this.priorWindow = window;
    this.epochAt = -1;
    return Math.max(Math.floor(Math.min(cwnd, flight) * BETA), 2 * mss);
  }

  /** §4.9.2: the reduction was a mistake. */
  undoReduction(): void {
    if (this.undo === null) return;
    this.wMax = this.undo.wMax;
    this.priorWindow = this.undo.priorWindow;
    this.undo = null;
    this.epochAt = -1;
  }

  /** §5.8: time in which the window wasn't in use doesn't count. */
  idle(now: Instant): void {
    if (this.epochAt >= 0) this.epochAt += now - this.lastAt;
    this.lastAt = now;
  }

  /** `acked` bytes in congestion avoidance, §4.2 to §4.5: the new window, whole segments more. */
  grow(cwnd: number, acked: number, rtt: number, mss: number, now: Instant): number {
    assert(acked > 0);
    if (this.epochAt < 0) this.start(cwnd / mss, now);
    this.lastAt = now;
    const window = cwnd / mss;
    const t = (now - this.epochAt) / SECOND;
    const alpha = this.wEst < this.priorWindow ? ALPHA : 1;
    this.wEst += (alpha * (acked / mss)) / window;
    // Reno-friendly, §4.3.
    if (this.at(t) < this.wEst) return cwnd + Math.max(0, Math.floor(this.wEst - window)) * mss;
    // The cubic one round trip ahead, §4.4, at most half more.
    const target = Math.min(1.5 * window, Math.max(window, this.at(t + rtt / SECOND)));
    const gain = ((target - window) / window) * (acked / mss);
    this.credit += gain * mss;
    if (this.credit < mss) return cwnd;
    const more = Math.floor(this.credit / mss) * mss;
    this.credit -= more;
    return cwnd + more;
  }

  /** §4.2: segments at `t` seconds. */
  private at(t: number): number {
    return C * (t - this.k) ** 3 + this.wMax;
  }

  private start(window: number, now: Instant): void {
    this.epochAt = now;
    this.credit = 0;
    this.wEst = window;
    if (window < this.wMax) this.k = Math.cbrt((this.wMax - window) / C);
    else {
      this.k = 0;
      this.wMax = window;
    }
  }
}
