/** One address as the table has it in memory, and as it is kept. Read first: record.ts. */

import { after, type Duration, type Instant, type TimerQueue } from '#core';
import type { Clock } from '#device';
import type { RecordPath } from './change-queue.ts';
import type { NeighborRecord, Reason } from './record.ts';

/** What is known of one address. */
export interface Entry {
  /** Null: not to be used. */
  readonly mac: Uint8Array | null;
  /** Null: it was removed, which others must hear of until `until`. */
  readonly macText: string | null;
  readonly reason: Reason;
  readonly host: string;
  /** A frame told us: others' word doesn't change it, unless it is a later one. */
  isOwn: boolean;
  until: Instant;
  /** What the store says, or will when the queue is empty. */
  committedUntil: Instant;
}

const MICROS = 1_000_000;

/** Between the machine's time, by which entries end, and the wall's, by which they are kept. */
export class EntryTimes {
  private readonly timers: TimerQueue;
  private readonly clock: Clock;
  private readonly lifetime: Duration;

  constructor(options: {
    readonly timers: TimerQueue;
    readonly clock: Clock;
    readonly lifetime: Duration;
  }) {
    this.timers = options.timers;
    this.clock = options.clock;
    this.lifetime = options.lifetime;
  }

  recordOf({ macText: mac, reason, host, until }: Entry): NeighborRecord {
    const wallMicros = this.clock.wall() * 1_000;
    const expires = Math.round((wallMicros + until - this.timers.now) / MICROS);
    return { mac, reason, host, expires };
  }

  /** How far in the future it was learned, by our clock; about 0 or less, unless clocks differ. */
  aheadOf({ expires }: NeighborRecord): Duration {
    return ((expires * 1_000 - this.clock.wall()) * 1_000 - this.lifetime) as Duration;
  }

  /** By our clock, and no later than if we had learned it now: others' clocks may be wrong. */
  untilOf({ expires }: NeighborRecord): Instant {
    const leftMicros = (expires * 1_000 - this.clock.wall()) * 1_000;
    const bounded = Math.min(Math.max(leftMicros, 0), this.lifetime);
    return after(this.timers.now, Math.round(bounded) as Duration);
  }
}

const LISTED_MAX = 4;

/** "10.0.0.5, 10.0.0.6 and 3 more". */
export function listOf(paths: readonly RecordPath[]): string {
  const names = paths.slice(0, LISTED_MAX).map((path) => path.slice(path.indexOf('/') + 1));
  const more = paths.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
