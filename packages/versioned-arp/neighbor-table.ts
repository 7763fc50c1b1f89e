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
import { formatMac, isStationMac } from '#net/wire';
import type { ChangeQueue, Contents, RecordPath } from './change-queue.ts';
import {
  conflictsMax,
  pulledAheadMax,
  recordsMax,
  refreshAhead,
  staticsKeptMax,
  staticsMax,
  sweepDitherMax,
  sweepInterval,
} from './limits.ts';
import { type Entry, EntryTimes, listOf } from './neighbor-entry.ts';
import type { Content } from './neighbor-store.ts';
import { macBytes, type NeighborRecord, type Reason } from './record.ts';
import { StaticEntries } from './static-entries.ts';
import type { StaticEntry, StaticOrigin, StaticTable } from './static-table.ts';

export interface TableOptions {
  readonly timers: TimerQueue;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Who learns, as records have it. */
  readonly host: string;
  /** An entry from elsewhere lives no longer than one that we learn. */
  readonly lifetime: Duration;
}

const NEIGHBORS = 'neighbors/';
const CONFLICTS = 'conflicts/';
const STATIC = 'static/';
const PREFIXES = [NEIGHBORS, CONFLICTS, STATIC] as const;
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
    recordsImplausible: 0,
    recordsDoubted: 0,
    conflictsNoted: 0,
    staticsRefused: 0,
    staticsKept: 0,
  };
  /** Told after each change; set by whoever commits. */
  onChange: () => void = () => {};
  queue!: ChangeQueue;
  private readonly options: TableOptions;
  private readonly timers: TimerQueue;
  private readonly entries = new Map<Ipv4Address, Entry>();
  private readonly conflicts = new Map<Ipv4Address, Entry>();
  private readonly statics = new StaticEntries();
  private readonly times: EntryTimes;
  private readonly timer = new Timer((now) => this.sweep(now));
  private readonly random = new Uint8Array(4);
  private cache: ArpEntries | null = null;
  /** Of the link, for messages. */
  private interfaceName = 'none';

  constructor(options: TableOptions) {
    this.options = options;
    this.timers = options.timers;
    this.times = new EntryTimes(options);
  }

  attach(entries: ArpEntries, mac: Uint8Array): void {
    assert(this.cache === null, 'two caches on one table');
    this.cache = entries;
    this.interfaceName = formatMac(mac);
  }

  find(address: Ipv4Address): ArpRecord | null {
    const fixed = this.statics.find(address);
    if (fixed !== null) return { mac: fixed, until: FOREVER };
    const entry = this.entries.get(address);
    const { now } = this.timers;
    if (entry !== undefined && entry.until > now) {
      return entry.mac === null ? null : { mac: entry.mac, until: entry.until };
    }
    // Asked again before its time is over, as what was learned is: others may be wrong.
    const heard = this.statics.findHeard(address);
    return heard === null ? null : { mac: heard, until: after(now, this.options.lifetime) };
  }

  learned(address: Ipv4Address, mac: Uint8Array, cause: ArpCause, until: Instant): void {
    if (this.statics.find(address) !== null) return;
    const known = this.entries.get(address);
    const macText = formatMac(mac);
    const isSame = known?.macText === macText && known.mac !== null;
    if (isSame && known.until > this.timers.now) {
      this.counters.recordsRefreshed += 1;
      known.isOwn = true;
      if (until > known.until) known.until = until;
      return;
    }
    if (known === undefined) this.makeRoom();
    const before = known?.macText ?? null;
    const isMoved = before !== null && before !== macText;
    const from = isMoved ? `, no longer ${before}` : '';
    if (!isMoved) this.counters.recordsLearned += 1;
    else this.counters.recordsMoved += 1;
    this.put(address, { macText, reason: cause, until });
    const text = formatIpv4Address(address);
    this.tell(`learn ${text} is ${macText}: ${SAYS[cause]}${from}`, [NEIGHBORS + text], macText);
  }

  silent(address: Ipv4Address): void {
    const entry = this.entries.get(address);
    if (entry === undefined || entry.macText === null) return;
    this.counters.recordsSilent += 1;
    const text = formatIpv4Address(address);
    this.putRemoved(address, 'silent');
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
    const reason = 'conflict' as const;
    const entry = { mac: mac.slice(), macText, reason, host, isOwn: true, until };
    this.conflicts.set(address, { ...entry, committedUntil: until });
    this.arm();
    const text = formatIpv4Address(address);
    this.tell(
      `note a conflict: ${macText} says that it is ${text}, ours`,
      [CONFLICTS + text],
      macText,
    );
  }

  /** Never expires, and no frame changes it. False: there are too many. */
  setStatic(address: Ipv4Address, mac: Uint8Array): boolean {
    const text = formatIpv4Address(address);
    const macText = formatMac(mac);
    const { entries } = this.statics;
    if (entries.get(text)?.mac === macText) return true;
    if (!entries.has(text) && entries.size >= staticsMax) {
      this.counters.staticsRefused += 1;
      return false;
    }
    const made = new Map(entries).set(text, { mac: macText, origin: 'command' });
    const subject = `set ${text} is ${macText}: static, by command`;
    this.setStatics(made, subject, [address], macText);
    return true;
  }

  /** What the configuration says now; what it said before and doesn't any more goes. */
  configure(configured: ReadonlyMap<Ipv4Address, Uint8Array>): boolean {
    const made = new Map<string, StaticEntry>();
    for (const [text, entry] of this.statics.entries) {
      if (entry.origin === 'command') made.set(text, entry);
    }
    const origin: StaticOrigin = 'configuration';
    for (const [address, mac] of configured) {
      made.set(formatIpv4Address(address), { mac: formatMac(mac), origin });
    }
    if (made.size > staticsMax) {
      this.counters.staticsRefused += made.size - staticsMax;
      return false;
    }
    const before = this.statics.entries;
    const isChanged = (text: string) =>
      before.get(text)?.mac !== made.get(text)?.mac ||
      before.get(text)?.origin !== made.get(text)?.origin;
    const changed = [...new Set([...before.keys(), ...made.keys()])].filter(isChanged);
    if (changed.length === 0) return true;
    const subject = `configure static entries: ${listOf(changed)}`;
    this.setStatics(
      made,
      subject,
      changed.map((text) => parseIpv4Address(text)!),
    );
    return true;
  }

  /** By command, static or not. False: there is none of ours, and none that ends. */
  remove(address: Ipv4Address): boolean {
    const text = formatIpv4Address(address);
    const subject = `remove ${text}: by command`;
    const { entries } = this.statics;
    const isKnown = (this.entries.get(address)?.macText ?? null) !== null;
    if (isKnown) this.putRemoved(address, 'command');
    if (entries.has(text)) {
      const made = new Map(entries);
      made.delete(text);
      this.setStatics(made, subject, [address]);
    } else if (isKnown) {
      this.tell(subject, [NEIGHBORS + text]);
      this.cache?.reread(address);
    }
    return isKnown || entries.has(text);
  }

  /** What this host answers itself with, by address. O(all entries). */
  neighbors(): ReadonlyMap<string, string> {
    const known = new Map<string, string>();
    const all = [...this.statics.heard(), ...this.entries.keys()].map(formatIpv4Address);
    for (const text of [...all, ...this.statics.entries.keys()]) {
      const record = this.find(parseIpv4Address(text)!);
      if (record !== null) known.set(text, formatMac(record.mac));
    }
    return known;
  }

  /** All that isn't over, as it would be committed now. O(records). */
  records(): Contents {
    const { now } = this.timers;
    const made = new Map<RecordPath, Content>();
    const { table } = this.statics;
    if (table !== null) made.set(STATIC + this.options.host, table);
    for (const [prefix, entries] of this.kinds()) {
      for (const [address, entry] of entries) {
        if (entry.until <= now) continue;
        made.set(prefix + formatIpv4Address(address), this.times.recordOf(entry));
      }
    }
    return made;
  }

  /**
   * The store has it so now, by a merge or from before; null: it has none. What waits to be
   * committed is newer, and so is a refresh that isn't committed yet. `isPulled`: another host says
   * so, who has no say in our static entries.
   */
  adopt(path: RecordPath, content: Content | null, isPulled: boolean): void {
    const kind = PREFIXES.find((prefix) => path.startsWith(prefix));
    if (kind === undefined || this.queue.has(path)) return;
    const name = path.slice(kind.length);
    if (kind === STATIC) this.adoptStatics(name, content as StaticTable | null, isPulled);
    else this.adoptRecord(kind, name, content as NeighborRecord | null);
  }

  private adoptRecord(
    kind: typeof NEIGHBORS | typeof CONFLICTS,
    name: string,
    record: NeighborRecord | null,
  ): void {
    const address = parseIpv4Address(name);
    if (address === null) return;
    const isConflict = kind === CONFLICTS;
    const entries = isConflict ? this.conflicts : this.entries;
    if (record === null) {
      if (entries.delete(address) && !isConflict) this.cache?.reread(address);
      return;
    }
    const until = this.times.untilOf(record);
    const known = entries.get(address);
    if (known !== undefined && this.isLater(known, record, until)) return;
    if (known === undefined && entries.size >= (isConflict ? conflictsMax : recordsMax)) {
      // Others' knowledge must not push out ours; nobody would ever sweep it from the store.
      this.counters.recordsRefused += 1;
      this.tell(`forget ${name}: no room for what others know`, [kind + name]);
      return;
    }
    this.counters.recordsAdopted += 1;
    const { mac: macText, reason, host } = record;
    const mac = this.stationOf(record, isConflict ? null : address);
    const isOwn = known?.isOwn === true && known.macText === macText;
    entries.set(address, { mac, macText, reason, host, isOwn, until, committedUntil: until });
    this.arm();
    if (!isConflict) this.cache?.reread(address);
  }

  /** Whether what we know counts more: it was learned later, or theirs can't be from then. */
  private isLater(known: Entry, record: NeighborRecord, until: Instant): boolean {
    if (known.until > until && known.until > known.committedUntil) return true;
    const isDisputed = known.isOwn && known.mac !== null && known.macText !== record.mac;
    if (!isDisputed || known.until <= this.timers.now) return false;
    if (known.until < until && this.times.aheadOf(record) <= MICROS) return false;
    this.counters.recordsDoubted += 1;
    return true;
  }

  /** Null: it isn't to be used. `address`: null for a note of a conflict. */
  private stationOf(record: NeighborRecord, address: Ipv4Address | null): Uint8Array | null {
    if (record.mac === null) return null;
    const mac = macBytes(record.mac);
    const isPlaced = address === null || (this.cache?.mayHave(address) ?? true);
    if (isPlaced && isStationMac(mac) && this.times.aheadOf(record) <= pulledAheadMax) return mac;
    this.counters.recordsImplausible += 1;
    return null;
  }

  private adoptStatics(host: string, table: StaticTable | null, isPulled: boolean): void {
    const { statics, options } = this;
    if (host !== options.host) {
      const before = [...statics.heard()];
      if (!statics.hear(host, table)) this.counters.staticsRefused += 1;
      for (const address of new Set([...before, ...statics.heard()])) this.cache?.reread(address);
      return;
    }
    if (!isPulled) {
      const before = statics.entries;
      statics.adopt(table);
      this.rereadAll([...before.keys(), ...statics.entries.keys()]);
      return;
    }
    if (this.counters.staticsKept >= staticsKeptMax) return;
    this.counters.staticsKept += 1;
    statics.outlast(table, this.nowSeconds);
    this.tell(`keep the static entries of ${host}: others had changed them`, [STATIC + host]);
  }

  checkInvariants(): void {
    assert(this.entries.size <= recordsMax && this.conflicts.size <= conflictsMax);
    for (const entry of this.entries.values()) assert(entry.committedUntil <= entry.until);
    const count = this.entries.size + this.conflicts.size;
    assert(count === 0 || this.timer.at !== FOREVER, 'entries that nobody will sweep');
    this.statics.checkInvariants();
  }

  private *kinds(): Iterable<readonly [string, Map<Ipv4Address, Entry>]> {
    yield [NEIGHBORS, this.entries];
    yield [CONFLICTS, this.conflicts];
  }

  private get nowSeconds(): number {
    return Math.floor(this.options.clock.wall() / 1_000);
  }

  private put(
    address: Ipv4Address,
    made: {
      readonly macText: string | null;
      readonly reason: Reason;
      readonly until: Instant;
    },
  ): void {
    const { host } = this.options;
    const { macText, until } = made;
    const mac = macText === null ? null : macBytes(macText);
    this.entries.set(address, { ...made, mac, host, isOwn: true, committedUntil: until });
    this.arm();
  }

  /** Remembered for as long as anybody may have it from before now. */
  private putRemoved(address: Ipv4Address, reason: Reason): void {
    const until = after(this.timers.now, this.options.lifetime);
    this.put(address, { macText: null, reason, until });
  }

  /** These are our static entries now; of `changed` nothing else is known any more. */
  private setStatics(
    entries: ReadonlyMap<string, StaticEntry>,
    subject: string,
    changed: readonly Ipv4Address[],
    mac?: string,
  ): void {
    this.statics.set(entries, this.nowSeconds);
    const paths = [STATIC + this.options.host];
    for (const address of changed) {
      const text = formatIpv4Address(address);
      const known = this.entries.get(address);
      if (known === undefined) continue;
      if (entries.has(text)) this.entries.delete(address);
      paths.push(NEIGHBORS + text);
    }
    this.tell(subject, paths, mac);
    for (const address of changed) this.cache?.reread(address);
  }

  private rereadAll(addresses: readonly string[]): void {
    for (const text of new Set(addresses)) this.cache?.reread(parseIpv4Address(text)!);
  }

  /** Room for one more. O(records) when full. */
  private makeRoom(): void {
    if (this.entries.size < recordsMax) return;
    let victim: Ipv4Address | null = null;
    let soonest = FOREVER;
    let isOwn = true;
    for (const [address, entry] of this.entries) {
      // What others told goes before what we learned ourselves.
      if (entry.isOwn === isOwn ? entry.until >= soonest : entry.isOwn) continue;
      [victim, soonest, isOwn] = [address, entry.until, entry.isOwn];
    }
    assert(victim !== null);
    this.counters.recordsEvicted += 1;
    this.entries.delete(victim);
    const text = formatIpv4Address(victim);
    this.push(`forget ${text}: more than ${recordsMax} addresses`, [NEIGHBORS + text]);
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
    const writes = new Map<RecordPath, Content | null>();
    for (const path of paths) writes.set(path, this.recordAt(path));
    this.queue.push(`${subject}\n\n${trailer}`, writes);
  }

  private recordAt(path: RecordPath): Content | null {
    if (path.startsWith(STATIC)) return this.statics.table;
    for (const [prefix, entries] of this.kinds()) {
      if (!path.startsWith(prefix)) continue;
      const entry = entries.get(parseIpv4Address(path.slice(prefix.length))!);
      return entry === undefined ? null : this.times.recordOf(entry);
    }
    return null;
  }
}
