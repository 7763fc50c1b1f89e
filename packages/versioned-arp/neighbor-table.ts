/**
 * The table that ARP asks: all in memory, synchronous, bounded. What changes in it is told to a
 * queue, with the reason; refreshes of what didn't change are told together and seldom. Read first:
 * packages/net/arp/arp-table.ts, record.ts. Not here: commits (neighbor-history.ts).
 */

import {
  after,
  assert,
  type Duration,
  FOREVER,
  type Instant,
  instantOfMicros,
  readU32be,
  Timer,
  type TimerQueue,
} from '#core';
import type { Clock, Entropy } from '#device';
import {
  type ArpCause,
  type ArpEntries,
  type ArpRecord,
  type ArpTable,
  formatIpv4Address,
  type Ipv4Address,
  parseIpv4Address,
} from '#net';
import { formatMac } from '#net/wire';
import type { ChangeQueue, RecordPath, Records } from './change-queue.ts';
import { conflictsMax, recordsMax, refreshAhead, sweepDitherMax, sweepInterval } from './limits.ts';
import { macBytes, type NeighborRecord, type Reason } from './record.ts';

export interface TableOptions {
  readonly timers: TimerQueue;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Who learns, as records have it. */
  readonly host: string;
  /** An entry from elsewhere lives no longer than one that we learn. */
  readonly lifetime: Duration;
}

/** What is known of one address. */
interface Entry {
  readonly mac: Uint8Array;
  readonly macText: string;
  readonly reason: Reason;
  readonly host: string;
  /** FOREVER: static. */
  until: Instant;
  /** What the store says, or will when the queue is empty. */
  committedUntil: Instant;
}

const NEIGHBORS = 'neighbors/';
const CONFLICTS = 'conflicts/';
const MICROS = 1_000_000;

const SAYS: Readonly<Record<ArpCause, string>> = {
  answer: 'it answered our question',
  request: 'it asked for us',
  announcement: 'it announced itself',
  'unasked reply': 'it said so, unasked',
  overheard: 'it asked for another',
};

export class NeighborTable implements ArpTable {
  readonly counters = {
    recordsLearned: 0,
    recordsMoved: 0,
    recordsRefreshed: 0,
    recordsExpired: 0,
    recordsSilent: 0,
    recordsEvicted: 0,
    recordsRefused: 0,
    recordsAdopted: 0,
    conflictsNoted: 0,
  };
  /** Told after each change; set by whoever commits. */
  onChange: () => void = () => {};
  queue!: ChangeQueue;
  private readonly options: TableOptions;
  private readonly timers: TimerQueue;
  private readonly entries = new Map<Ipv4Address, Entry>();
  private readonly conflicts = new Map<Ipv4Address, Entry>();
  private readonly timer = new Timer((now) => this.sweep(now));
  private readonly random = new Uint8Array(4);
  private cache: ArpEntries | null = null;
  /** Of the link, for messages. */
  private interfaceName = 'none';

  constructor(options: TableOptions) {
    this.options = options;
    this.timers = options.timers;
  }

  attach(entries: ArpEntries, mac: Uint8Array): void {
    assert(this.cache === null, 'two caches on one table');
    this.cache = entries;
    this.interfaceName = formatMac(mac);
  }

  find(address: Ipv4Address): ArpRecord | null {
    const entry = this.entries.get(address);
    return entry !== undefined && entry.until > this.timers.now ? entry : null;
  }

  learned(address: Ipv4Address, mac: Uint8Array, cause: ArpCause, until: Instant): void {
    const known = this.entries.get(address);
    const macText = formatMac(mac);
    if (known?.until === FOREVER) return;
    if (known !== undefined && known.macText === macText && known.until > this.timers.now) {
      this.counters.recordsRefreshed += 1;
      if (until > known.until) known.until = until;
      return;
    }
    if (known === undefined && !this.makeRoom()) return;
    const isMoved = known !== undefined && known.macText !== macText;
    const from = isMoved ? `, no longer ${known.macText}` : '';
    if (!isMoved) this.counters.recordsLearned += 1;
    else this.counters.recordsMoved += 1;
    this.put(address, { macText, reason: cause, until });
    const text = formatIpv4Address(address);
    this.tell(`learn ${text} is ${macText}: ${SAYS[cause]}${from}`, [NEIGHBORS + text], macText);
  }

  silent(address: Ipv4Address): void {
    const entry = this.entries.get(address);
    if (entry === undefined || entry.until === FOREVER) return;
    this.counters.recordsSilent += 1;
    this.entries.delete(address);
    const text = formatIpv4Address(address);
    this.tell(`forget ${text}: ${entry.macText} doesn't answer`, [NEIGHBORS + text]);
  }

  conflict(address: Ipv4Address, mac: Uint8Array): void {
    const macText = formatMac(mac);
    const known = this.conflicts.get(address);
    const until = after(this.timers.now, this.options.lifetime);
    if (known?.macText === macText) {
      known.until = until;
      return;
    }
    if (known === undefined && this.conflicts.size >= conflictsMax) {
      for (const oldest of this.conflicts.keys()) {
        this.conflicts.delete(oldest);
        this.push(`forget a conflict: too many`, [CONFLICTS + formatIpv4Address(oldest)]);
        break;
      }
    }
    this.counters.conflictsNoted += 1;
    const { host } = this.options;
    const entry = { mac: mac.slice(), macText, reason: 'conflict' as const, host, until };
    this.conflicts.set(address, { ...entry, committedUntil: until });
    this.arm();
    const text = formatIpv4Address(address);
    this.tell(
      `note a conflict: ${macText} says that it is ${text}, ours`,
      [CONFLICTS + text],
      macText,
    );
  }

  /** Never expires, and no frame changes it. False: the table is full of such. */
  setStatic(address: Ipv4Address, mac: Uint8Array): boolean {
    const macText = formatMac(mac);
    const known = this.entries.get(address);
    if (known?.until === FOREVER && known.macText === macText) return true;
    if (known === undefined && !this.makeRoom()) return false;
    this.put(address, { macText, reason: 'command', until: FOREVER });
    const text = formatIpv4Address(address);
    this.tell(`set ${text} is ${macText}: static, by command`, [NEIGHBORS + text], macText);
    this.cache?.reread(address);
    return true;
  }

  /** By command, static or not. False: there is none. */
  remove(address: Ipv4Address): boolean {
    if (!this.entries.delete(address)) return false;
    const text = formatIpv4Address(address);
    this.tell(`remove ${text}: by command`, [NEIGHBORS + text]);
    this.cache?.reread(address);
    return true;
  }

  /** All that isn't over, as it would be committed now. O(records). */
  records(): Records {
    const { now } = this.timers;
    const made = new Map<RecordPath, NeighborRecord>();
    for (const [prefix, entries] of this.kinds()) {
      for (const [address, entry] of entries) {
        if (entry.until <= now) continue;
        made.set(prefix + formatIpv4Address(address), this.recordOf(entry));
      }
    }
    return made;
  }

  /**
   * The store has it so now, by a merge or from before; null: it has none. What waits to be
   * committed is newer, and so is a refresh that isn't committed yet.
   */
  adopt(path: RecordPath, record: NeighborRecord | null): void {
    const isConflict = path.startsWith(CONFLICTS);
    if ((!isConflict && !path.startsWith(NEIGHBORS)) || this.queue.has(path)) return;
    const address = parseIpv4Address(path.slice((isConflict ? CONFLICTS : NEIGHBORS).length));
    if (address === null) return;
    const entries = isConflict ? this.conflicts : this.entries;
    if (record === null) {
      if (entries.delete(address) && !isConflict) this.cache?.reread(address);
      return;
    }
    const until = this.untilOf(record);
    const known = entries.get(address);
    if (known !== undefined && known.until > until && known.until > known.committedUntil) return;
    if (known === undefined && entries.size >= (isConflict ? conflictsMax : recordsMax)) {
      // Others' knowledge must not push out ours; nobody would ever sweep it from the store.
      this.counters.recordsRefused += 1;
      this.tell(`forget ${formatIpv4Address(address)}: no room for what others know`, [path]);
      return;
    }
    this.counters.recordsAdopted += 1;
    const { mac: macText, reason, host } = record;
    entries.set(address, {
      mac: macBytes(macText),
      macText,
      reason,
      host,
      until,
      committedUntil: until,
    });
    this.arm();
    if (!isConflict) this.cache?.reread(address);
  }

  checkInvariants(): void {
    assert(this.entries.size <= recordsMax && this.conflicts.size <= conflictsMax);
    for (const entry of this.entries.values()) assert(entry.committedUntil <= entry.until);
    const isDynamic = [...this.entries.values(), ...this.conflicts.values()].some(
      ({ until }) => until !== FOREVER,
    );
    assert(!isDynamic || this.timer.at !== FOREVER, 'entries that nobody will sweep');
  }

  private *kinds(): Iterable<readonly [string, Map<Ipv4Address, Entry>]> {
    yield [NEIGHBORS, this.entries];
    yield [CONFLICTS, this.conflicts];
  }

  private put(
    address: Ipv4Address,
    made: { readonly macText: string; readonly reason: Reason; readonly until: Instant },
  ): void {
    const { host } = this.options;
    const { macText: mac, until } = made;
    this.entries.set(address, { ...made, mac: macBytes(mac), host, committedUntil: until });
    this.arm();
  }

  /** Room for one more; false: all are static. O(records) when full. */
  private makeRoom(): boolean {
    if (this.entries.size < recordsMax) return true;
    let victim: Ipv4Address | null = null;
    let soonest = FOREVER;
    for (const [address, { until }] of this.entries) {
      if (until < soonest) [victim, soonest] = [address, until];
    }
    if (victim === null) {
      this.counters.recordsRefused += 1;
      return false;
    }
    this.counters.recordsEvicted += 1;
    this.entries.delete(victim);
    const text = formatIpv4Address(victim);
    this.push(`forget ${text}: more than ${recordsMax} addresses`, [NEIGHBORS + text]);
    return true;
  }

  private arm(): void {
    if (this.timer.at !== FOREVER) return;
    this.options.entropy.fill(this.random);
    const dither = (readU32be(this.random, 0) / 0x100000000) * sweepDitherMax;
    this.timers.arm(
      this.timer,
      instantOfMicros(Math.round(this.timers.now + sweepInterval + dither)),
    );
  }

  /** What is over leaves; what was refreshed and ends soon in the store is committed again. */
  private sweep(now: Instant): void {
    const over: RecordPath[] = [];
    const refreshed: RecordPath[] = [];
    let isDynamic = false;
    for (const [prefix, entries] of this.kinds()) {
      for (const [address, entry] of entries) {
        if (entry.until === FOREVER) continue;
        if (entry.until <= now) {
          entries.delete(address);
          over.push(prefix + formatIpv4Address(address));
          continue;
        }
        isDynamic = true;
        const isNear = entry.committedUntil - now <= refreshAhead;
        if (!isNear || entry.until === entry.committedUntil) continue;
        entry.committedUntil = entry.until;
        refreshed.push(prefix + formatIpv4Address(address));
      }
    }
    if (isDynamic) this.arm();
    this.counters.recordsExpired += over.length;
    if (over.length > 0) this.tell(`expire ${listOf(over)}`, over);
    if (refreshed.length > 0) this.tell(`refresh ${listOf(refreshed)}`, refreshed);
  }

  private tell(subject: string, paths: readonly RecordPath[], mac?: string): void {
    this.push(subject, paths, mac);
    this.onChange();
  }

  private push(subject: string, paths: readonly RecordPath[], mac?: string): void {
    const station = mac === undefined ? '' : `Station: ${mac}\n`;
    const uptime = (this.timers.now / MICROS).toFixed(3);
    const trailer = `${station}Interface: ${this.interfaceName}\nUptime: ${uptime} s\n`;
    const writes = new Map<RecordPath, NeighborRecord | null>();
    for (const path of paths) writes.set(path, this.recordAt(path));
    this.queue.push(`${subject}\n\n${trailer}`, writes);
  }

  private recordAt(path: RecordPath): NeighborRecord | null {
    for (const [prefix, entries] of this.kinds()) {
      if (!path.startsWith(prefix)) continue;
      const entry = entries.get(parseIpv4Address(path.slice(prefix.length))!);
      return entry === undefined ? null : this.recordOf(entry);
    }
    return null;
  }

  private recordOf({ macText: mac, reason, host, until }: Entry): NeighborRecord {
    if (until === FOREVER) return { mac, reason, host, expires: null };
    const wallMicros = this.options.clock.wall() * 1_000;
    const expires = Math.round((wallMicros + until - this.timers.now) / MICROS);
    return { mac, reason, host, expires };
  }

  /** By our clock, and no later than if we had learned it now: others' clocks may be wrong. */
  private untilOf({ expires }: NeighborRecord): Instant {
    if (expires === null) return FOREVER;
    const leftMicros = (expires * 1_000 - this.options.clock.wall()) * 1_000;
    const bounded = Math.min(Math.max(leftMicros, 0), this.options.lifetime);
    return after(this.timers.now, Math.round(bounded) as Duration);
  }
}

const LISTED_MAX = 4;

/** "10.0.0.5, 10.0.0.6 and 3 more". */
function listOf(paths: readonly RecordPath[]): string {
  const names = paths.slice(0, LISTED_MAX).map((path) => path.slice(path.indexOf('/') + 1));
  const more = paths.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
