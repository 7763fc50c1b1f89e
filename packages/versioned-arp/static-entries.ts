/**
 * Static entries in memory: this host's, which nothing that frames or other hosts say changes, and
 * those that others tell of, which count where nothing better is known. Read first:
 * static-table.ts. Not here: commits (neighbor-table.ts says what changed).
 */

import { assert } from '#core';
import { type Ipv4Address, parseIpv4Address } from '#net';
import { isStationMac } from '#net/wire';
import { heardStaticsMax, staticHostsMax, staticsMax } from './limits.ts';
import { macBytes } from './record.ts';
import { type StaticEntry, type StaticTable, sameStatics } from './static-table.ts';

export class StaticEntries {
  /** This host's, by address. */
  private own: ReadonlyMap<string, StaticEntry> = new Map();
  /** When they became so, as others are told; 0: there never were any. */
  private since = 0;
  private readonly others = new Map<string, StaticTable['entries']>();
  private ownMacs = new Map<Ipv4Address, Uint8Array>();
  private heardMacs = new Map<Ipv4Address, Uint8Array>();

  get entries(): ReadonlyMap<string, StaticEntry> {
    return this.own;
  }

  /** As it is kept; null: there is nothing to keep. */
  get table(): StaticTable | null {
    return this.since === 0 ? null : { since: this.since, entries: this.own };
  }

  find(address: Ipv4Address): Uint8Array | null {
    return this.ownMacs.get(address) ?? null;
  }

  /** What others say. */
  findHeard(address: Ipv4Address): Uint8Array | null {
    return this.heardMacs.get(address) ?? null;
  }

  heard(): Iterable<Ipv4Address> {
    return this.heardMacs.keys();
  }

  /** From now on, later than whatever we said before. False: nothing changes. */
  set(entries: ReadonlyMap<string, StaticEntry>, nowSeconds: number): boolean {
    assert(entries.size <= staticsMax);
    if (sameStatics(entries, this.own)) return false;
    this.put({ since: Math.max(nowSeconds, this.since + 1), entries });
    return true;
  }

  /** Later than `theirs`, which somebody else wrote in our name. */
  outlast(theirs: StaticTable | null, nowSeconds: number): void {
    this.since = Math.max(nowSeconds, this.since, (theirs?.since ?? 0) + 1);
  }

  /** Somebody who may has changed our file, or it is from before this boot. */
  adopt(table: StaticTable | null): void {
    this.put(table ?? { since: this.since, entries: new Map() });
  }

  /** Another host's; null: it has none any more. False: no room. O(the others' entries). */
  hear(host: string, table: StaticTable | null): boolean {
    if (table === null) this.others.delete(host);
    else if (this.others.has(host) || this.others.size < staticHostsMax) {
      this.others.set(host, table.entries);
    } else return false;
    this.listHeard();
    return true;
  }

  private listHeard(): void {
    this.heardMacs = new Map();
    let count = 0;
    for (const name of [...this.others.keys()].sort()) {
      const entries = this.others.get(name)!;
      count += entries.size;
      if (count > heardStaticsMax) return;
      for (const [address, mac] of stations(entries)) {
        if (!this.heardMacs.has(address)) this.heardMacs.set(address, mac);
      }
    }
  }

  checkInvariants(): void {
    assert(this.own.size <= staticsMax && this.heardMacs.size <= heardStaticsMax);
    assert(this.ownMacs.size <= this.own.size && (this.own.size === 0 || this.since > 0));
  }

  private put({ since, entries }: StaticTable): void {
    this.since = since;
    this.own = entries;
    this.ownMacs = new Map(stations(entries));
  }
}

function* stations(entries: StaticTable['entries']): Iterable<[Ipv4Address, Uint8Array]> {
  for (const [text, { mac }] of entries) {
    const address = parseIpv4Address(text);
    const bytes = macBytes(mac);
    if (address !== null && isStationMac(bytes)) yield [address, bytes];
  }
}
