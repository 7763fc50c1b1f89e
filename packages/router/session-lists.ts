/**
 * Who leaves when there is no room for one session more, of translation or of the firewall: of the
 * inside host that is over its share one of its own, else of all the one that isn't established and
 * was used longest ago. Established connections never leave for new ones: those are refused.
 */

import { assert, type Instant } from '#core';
import { natEvictionLooksMax, natHostShare } from './limits.ts';

/** What a session keeps for this. */
export interface Listed {
  isEstablished: boolean;
  usedAt: Instant;
  /** When it got its place among those to be evicted. */
  listedAt: Instant;
}

/** An inside host's, in the order of eviction. */
export class HostSessions<S extends Listed> {
  readonly transitory = new Set<S>();
  readonly established = new Set<S>();

  get size(): number {
    return this.transitory.size + this.established.size;
  }
}

export class SessionLists<S extends Listed> {
  readonly counters = { evicted: 0, hostEvicted: 0, dropTableFull: 0, dropHostFull: 0 };
  readonly hostMax: number;
  private readonly max: number;
  private readonly remove: (session: S) => void;
  private readonly all = new HostSessions<S>();

  /** `remove` takes a session out of its tables, and calls `delete`. */
  constructor(max: number, remove: (session: S) => void) {
    this.max = max;
    this.hostMax = Math.floor(max * natHostShare);
    this.remove = remove;
  }

  get size(): number {
    return this.all.size;
  }

  add(session: S, host: HostSessions<S>): void {
    assert(!session.isEstablished && this.size < this.max);
    this.all.transitory.add(session);
    host.transitory.add(session);
  }

  delete(session: S, host: HostSessions<S>): void {
    for (const list of [this.all, host]) {
      (session.isEstablished ? list.established : list.transitory).delete(session);
    }
  }

  /** The session becomes established, or stops being so. */
  settle(session: S, host: HostSessions<S>, isEstablished: boolean, now: Instant): void {
    this.delete(session, host);
    session.isEstablished = isEstablished;
    session.listedAt = now;
    for (const list of [this.all, host]) {
      (isEstablished ? list.established : list.transitory).add(session);
    }
  }

  /** For one session more of `host`; false, and counted, when there is none. */
  makeRoom(host: HostSessions<S>): boolean {
    const isHostFull = host.size >= this.hostMax;
    if (!isHostFull && this.size < this.max) return true;
    const victim = this.victimOf((isHostFull ? host : this.all).transitory);
    if (victim === null) {
      if (isHostFull) this.counters.dropHostFull += 1;
      else this.counters.dropTableFull += 1;
      return false;
    }
    if (isHostFull) this.counters.hostEvicted += 1;
    else this.counters.evicted += 1;
    this.remove(victim);
    return true;
  }

  *list(): Generator<S> {
    yield* this.all.established;
    yield* this.all.transitory;
  }

  checkInvariants(hosts: Iterable<HostSessions<S>>): void {
    assert(this.size <= this.max);
    let count = 0;
    for (const host of hosts) {
      assert(host.size <= this.hostMax);
      for (const session of host.established) assert(this.all.established.has(session));
      for (const session of host.transitory) assert(this.all.transitory.has(session));
      count += host.size;
    }
    assert(count === this.size);
    for (const session of this.all.established) assert(session.isEstablished);
    for (const session of this.all.transitory) assert(!session.isEstablished);
  }

  /**
   * The one used longest ago of those looked at: one that was used since it got its place goes to
   * the end. O(natEvictionLooksMax).
   */
  private victimOf(sessions: Set<S>): S | null {
    for (let looks = 0; looks < natEvictionLooksMax; looks++) {
      const first = firstOf(sessions);
      if (first === null) return null;
      if (first.usedAt <= first.listedAt) return first;
      first.listedAt = first.usedAt;
      sessions.delete(first);
      sessions.add(first);
    }
    return firstOf(sessions);
  }
}

function firstOf<S>(sessions: Set<S>): S | null {
  for (const session of sessions) return session;
  return null;
}
