/**
 * Answers by question, for as long as their times to live say. Bounded: the entry that was unused
 * for the longest leaves first. Not here: how long that is (response.ts).
 */

import { assert, type Instant } from '#core';
import type { Outcome } from './response.ts';

interface Entry {
  readonly outcome: Outcome;
  readonly expiresAt: Instant;
}

export class DnsCache {
  readonly counters = { dnsCacheHits: 0, dnsCacheEvicted: 0 };
  private readonly entriesMax: number;
  /** In order of use, the oldest first: a Map keeps the order of insertion. */
  private readonly entries = new Map<string, Entry>();

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string, now: Instant): Outcome | null {
    const entry = this.entries.get(key);
    if (entry === undefined) return null;
    this.entries.delete(key);
    if (entry.expiresAt <= now) return null;
    this.entries.set(key, entry);
    this.counters.dnsCacheHits += 1;
    return entry.outcome;
  }

  put(key: string, outcome: Outcome, expiresAt: Instant): void {
    this.entries.delete(key);
    if (this.entries.size >= this.entriesMax) {
      for (const oldest of this.entries.keys()) {
        this.entries.delete(oldest);
        this.counters.dnsCacheEvicted += 1;
        break;
      }
    }
    if (this.entriesMax > 0) this.entries.set(key, { outcome, expiresAt });
  }

  clear(): void {
    this.entries.clear();
  }

  checkInvariants(): void {
    assert(this.entries.size <= this.entriesMax);
  }
}
