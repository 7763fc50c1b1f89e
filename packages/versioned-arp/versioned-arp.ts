/**
 * ARP that remembers with a history: the table that a stack asks, its store, and the policy that
 * a stack is made with. Read first: packages/net/arp/arp-table.ts, neighbor-table.ts,
 * neighbor-history.ts.
 */

import { type Duration, err, type Logger, type TimerQueue } from '#core';
import type { Clock, Entropy } from '#device';
import { type ArpPolicy, type Ipv4Address, isHostAddress, parseIpv4Address } from '#net';
import { isStationMac } from '#net/wire';
import type { Repository } from '#store';
import { ChangeQueue, type RecordPath } from './change-queue.ts';
import { freshTime, requestInterval, requestsMax, staleTime, staticsMax } from './limits.ts';
import { NeighborHistory } from './neighbor-history.ts';
import type { NeighborShape, Outcome } from './neighbor-store.ts';
import { NeighborTable } from './neighbor-table.ts';
import { hostOf, macBytes, type NeighborRecord } from './record.ts';
import type { NeighborRemote } from './remote.ts';

export interface VersionedArpOptions {
  /** The store; its branch 'main' unless `branch` says another. */
  readonly repository: Repository;
  readonly branch?: string;
  readonly timers: TimerQueue;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Logger;
  /** Who learns: in records, and as the author of commits. */
  readonly host: string;
  /** Instead of the reference's (limits.ts): how long entries live, how often is asked. */
  readonly times?: Partial<Omit<ArpPolicy, 'table' | 'believesUnasked'>>;
  /** Believe replies and announcements that nobody asked for; false unless given. */
  readonly believesUnasked?: boolean;
  /** Static entries as `setStatic` takes them; what was here at the last boot and isn't goes. */
  readonly static?: Readonly<Record<string, string>>;
  /** Names of remotes ("10.0.0.2") that may seed this host; any that is pulled unless given. */
  readonly peers?: readonly string[];
  /** See HistoryOptions. */
  readonly commitsKept?: number;
  readonly collect?: () => Promise<unknown>;
}

/** A stack's ARP cache with its history: give `arp.policy` to the stack, then `start`. */
export class VersionedArp {
  readonly history: NeighborHistory;
  readonly queue: ChangeQueue;
  /** What a stack is made with; of one stack only. */
  readonly policy: ArpPolicy;
  /** The program's, for who serves the store to others. */
  readonly timers: TimerQueue;
  /** Who may seed this host; null: any that is pulled. */
  readonly peers: readonly string[] | null;
  private readonly table: NeighborTable;
  private readonly configured: Readonly<Record<string, string>>;

  constructor(options: VersionedArpOptions) {
    const { timers, clock, entropy, repository, log, times, believesUnasked = false } = options;
    this.timers = timers;
    this.configured = options.static ?? {};
    this.peers = options.peers ?? null;
    const host = hostOf(options.host);
    const kept = { freshTime, staleTime, requestInterval, requestsMax, ...times };
    const lifetime = (kept.freshTime + kept.staleTime) as Duration;
    this.table = new NeighborTable({ timers, clock, entropy, host, lifetime });
    this.queue = new ChangeQueue(() => this.table.records());
    this.table.queue = this.queue;
    this.policy = { ...kept, table: this.table, believesUnasked };
    const { branch, peers, commitsKept, collect } = options;
    this.history = new NeighborHistory({
      repository,
      table: this.table,
      queue: this.queue,
      timers,
      log,
      host,
      ...(branch === undefined ? {} : { branch }),
      ...(peers === undefined ? {} : { peers }),
      ...(commitsKept === undefined ? {} : { commitsKept }),
      ...(collect === undefined ? {} : { collect }),
    });
  }

  /** The store, with contents of its types. */
  get repository(): Repository<NeighborShape> {
    return this.history.repository;
  }

  /** Reads the store, then merges what each of `seeds` has; a seed that fails is skipped. */
  async start(seeds: readonly NeighborRemote[] = []): Promise<Outcome<void>> {
    const configured = new Map<Ipv4Address, Uint8Array>();
    for (const [address, mac] of Object.entries(this.configured)) {
      const entry = stationAt(address, mac);
      if (entry === null) return err(`${address} can't be at ${mac}`);
      configured.set(...entry);
    }
    const started = await this.history.start();
    if (!started.ok) return started;
    if (!this.table.configure(configured)) return err(`more than ${staticsMax} static entries`);
    for (const seed of seeds) await this.pull(seed);
    return started;
  }

  pull(remote: NeighborRemote): Promise<Outcome<boolean>> {
    return this.history.pull(remote);
  }

  push(remote: NeighborRemote): Promise<Outcome<void>> {
    return this.history.push(remote);
  }

  /** "10.0.0.5" and "52:54:00:00:00:05": stays until it is removed. False: no such thing can be. */
  setStatic(address: string, mac: string): boolean {
    const entry = stationAt(address, mac);
    return entry !== null && this.table.setStatic(...entry);
  }

  /** Also a static one of this host's. False: it isn't there. */
  remove(address: string): boolean {
    const at = parseIpv4Address(address);
    return at !== null && this.table.remove(at);
  }

  /** What is known now and ends, committed or not, with who said so. */
  records(): ReadonlyMap<RecordPath, NeighborRecord> {
    const known = new Map<RecordPath, NeighborRecord>();
    for (const [path, content] of this.table.records()) {
      if ('mac' in content && content.mac !== null) known.set(path, content);
    }
    return known;
  }

  /** What packets are sent to now, static or not: "52:54:00:00:00:05" by "10.0.0.5". */
  neighbors(): ReadonlyMap<string, string> {
    return this.table.neighbors();
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.table.counters, ...this.queue.counters, ...this.history.counters };
  }

  checkInvariants(): void {
    this.table.checkInvariants();
    this.queue.checkInvariants();
  }
}

/** Null: no station can be there. */
function stationAt(address: string, mac: string): [Ipv4Address, Uint8Array] | null {
  const at = parseIpv4Address(address);
  if (at === null || !isHostAddress(at) || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return null;
  const bytes = macBytes(mac);
  return isStationMac(bytes) ? [at, bytes] : null;
}
