/**
 * What routers said about the largest packet that reaches a destination (RFC 1191, RFC 8201): a
 * bounded table that forgets. Told only what a transport believes (RFC 5927 §7.2); the ways in the
 * cache ask it when they are made or refreshed. Keys are numbers: an IPv4 address, or the key of an
 * IPv6 one.
 */

import { after, assert, type Instant, type TimerQueue } from '#core';
import { pathMtuBytesMin, pathMtuLifetime, pathMtusMax } from './limits.ts';

interface PathMtu {
  readonly mtuBytes: number;
  readonly expiresAt: Instant;
}

export class PathMtuCache {
  readonly counters = { pathMtuLowered: 0, pathMtuEvicted: 0 };
  private readonly timers: TimerQueue;
  /** In order of learning, which is that of expiry. */
  private readonly paths = new Map<number, PathMtu>();

  constructor(timers: TimerQueue) {
    this.timers = timers;
  }

  /** Largest packet to `key` as far as we know; Infinity when nobody complained lately. */
  bytes(key: number): number {
    const known = this.paths.get(key);
    if (known === undefined) return Number.POSITIVE_INFINITY;
    if (known.expiresAt > this.timers.now) return known.mtuBytes;
    this.paths.delete(key);
    return Number.POSITIVE_INFINITY;
  }

  /**
   * A router reported `mtuBytes`: taken only when lower than what is known (RFC 1191 §3: a report
   * never raises it; time does). Returns whether it was.
   */
  lower(key: number, mtuBytes: number): boolean {
    const bytes = Math.max(mtuBytes, pathMtuBytesMin);
    if (bytes >= this.bytes(key)) return false;
    this.paths.delete(key);
    if (this.paths.size >= pathMtusMax) {
      for (const oldest of this.paths.keys()) {
        this.paths.delete(oldest);
        this.counters.pathMtuEvicted += 1;
        break;
      }
    }
    this.paths.set(key, { mtuBytes: bytes, expiresAt: after(this.timers.now, pathMtuLifetime) });
    this.counters.pathMtuLowered += 1;
    return true;
  }

  /** Our way out changed: what we knew may be wrong. */
  clear(): void {
    this.paths.clear();
  }

  checkInvariants(): void {
    assert(this.paths.size <= pathMtusMax);
    for (const { mtuBytes } of this.paths.values()) assert(mtuBytes >= pathMtuBytesMin);
  }
}

/** RFC 1191 §7, table 7-1. */
const PLATEAUS = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68] as const;

/** The plateau below a packet that was too large for a router which doesn't say its MTU. */
export function plateauBelow(packetBytes: number): number {
  for (const bytes of PLATEAUS) if (bytes < packetBytes) return bytes;
  return 68;
}
