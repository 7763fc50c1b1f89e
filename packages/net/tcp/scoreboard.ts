/**
 * What the peer says it has beyond its cumulative acknowledgment: RFC 2018 blocks, and the
 * questions that RFC 6675 asks of them. Ranges are in order, apart from each other, and above
 * sndUna. Everything is O(ranges).
 */

import { assert, type SeqNumber, seqDistance, seqOf } from '#core';
import { DUPLICATE_ACKS, SACK_RANGES_MAX } from './limits.ts';

export class Scoreboard {
  readonly starts: SeqNumber[] = [];
  readonly ends: SeqNumber[] = [];
  sackedBytes = 0;
  /** sndMax when the last retransmission of this recovery left. */
  mark: SeqNumber = seqOf(0);
  /** The peer got something twice (RFC 2883) since a round trip was last measured. */
  repeated = false;

  /**
   * Adds [start, end), which lies above sndUna and not above sndMax. Returns the bytes that are
   * news.
   */
  add(start: SeqNumber, end: SeqNumber): number {
    assert(seqDistance(end, start) > 0);
    let first = 0;
    while (first < this.starts.length && seqDistance(this.ends[first]!, start) < 0) first++;
    let last = first;
    let from = start;
    let to = end;
    let known = 0;
    while (last < this.starts.length && seqDistance(this.starts[last]!, end) <= 0) {
      if (seqDistance(this.starts[last]!, from) < 0) from = this.starts[last]!;
      if (seqDistance(this.ends[last]!, to) > 0) to = this.ends[last]!;
      known += seqDistance(this.ends[last]!, this.starts[last]!);
      last++;
    }
    if (first === last && this.starts.length >= SACK_RANGES_MAX) return 0;
    this.starts.splice(first, last - first, from);
    this.ends.splice(first, last - first, to);
    const news = seqDistance(to, from) - known;
    this.sackedBytes += news;
    return news;
  }

  /**
   * Forgets what lies below `una`. True when the peer reneged: it reported what follows `una` and
   * does not acknowledge it, RFC 2018 §8.
   */
  acknowledge(una: SeqNumber): boolean {
    while (this.starts.length > 0 && seqDistance(this.starts[0]!, una) < 0) {
      const end = this.ends[0]!;
      if (seqDistance(end, una) > 0) {
        this.sackedBytes -= seqDistance(una, this.starts[0]!);
        this.starts[0] = una;
        return true;
      }
      this.sackedBytes -= seqDistance(end, this.starts[0]!);
      this.starts.shift();
      this.ends.shift();
    }
    return this.starts[0] === una;
  }

  clear(): void {
    this.starts.length = 0;
    this.ends.length = 0;
    this.sackedBytes = 0;
  }

  /**
   * RFC 6675 IsLost: unsacked bytes below the result are lost, because DUPLICATE_ACKS ranges or
   * more than DUPLICATE_ACKS - 1 segments of bytes above them have arrived. `una` when nothing is
   * lost.
   */
  lostBelow(una: SeqNumber, mss: number): SeqNumber {
    let bytes = 0;
    let ranges = 0;
    for (let i = this.starts.length - 1; i >= 0; i--) {
      bytes += seqDistance(this.ends[i]!, this.starts[i]!);
      ranges += 1;
      if (ranges >= DUPLICATE_ACKS || bytes > (DUPLICATE_ACKS - 1) * mss) return this.starts[i]!;
    }
    return una;
  }

  /**
   * As much has arrived that left after the last retransmission as makes a segment lost: holes that
   * were filled before it, and are still there, are lost again.
   */
  isOvertaken(mss: number): boolean {
    return this.sackedBytes - this.sackedBelow(this.mark) > (DUPLICATE_ACKS - 1) * mss;
  }

  /** Sacked bytes in [una, below). */
  sackedBelow(below: SeqNumber): number {
    let bytes = 0;
    for (let i = 0; i < this.starts.length; i++) {
      const start = this.starts[i]!;
      if (seqDistance(start, below) >= 0) break;
      const end = this.ends[i]!;
      bytes += seqDistance(seqDistance(end, below) < 0 ? end : below, start);
    }
    return bytes;
  }

  /** The first byte at or above `seq` that is not sacked. */
  nextHole(seq: SeqNumber): SeqNumber {
    for (let i = 0; i < this.starts.length; i++) {
      if (seqDistance(this.starts[i]!, seq) > 0) return seq;
      if (seqDistance(this.ends[i]!, seq) > 0) return this.ends[i]!;
    }
    return seq;
  }

  /** Bytes from `seq`, which is not sacked, to the next sacked one; Infinity when there is none. */
  holeBytes(seq: SeqNumber): number {
    for (let i = 0; i < this.starts.length; i++) {
      const distance = seqDistance(this.starts[i]!, seq);
      if (distance > 0) return distance;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The end of the last range, or `una` when there is none. */
  highest(una: SeqNumber): SeqNumber {
    return this.ends[this.ends.length - 1] ?? una;
  }

  checkInvariants(una: SeqNumber, max: SeqNumber): void {
    let total = 0;
    let end = una;
    for (let i = 0; i < this.starts.length; i++) {
      // The first may begin at una only when the peer took back an acknowledgment.
      assert(seqDistance(this.starts[i]!, end) >= (i === 0 ? 0 : 1));
      end = this.ends[i]!;
      total += seqDistance(end, this.starts[i]!);
    }
    assert(seqDistance(max, end) >= 0);
    assert(total === this.sackedBytes && this.starts.length <= SACK_RANGES_MAX);
  }
}
