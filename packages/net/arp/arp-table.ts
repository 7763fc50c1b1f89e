/**
 * What ARP remembers beside the entries that packets use now, and whom it tells what it learns. The
 * cache (neighbor-cache.ts) asks its table once when an entry is made and tells it once for each
 * frame that taught something: no packet ever meets it. Two implementations: `FORGETFUL`, and the
 * one with a history (packages/versioned-arp). Read first: RFC 826, RFC 5227 §1.1.
 */

import type { Duration, Instant } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { arpRequestInterval, arpRequestsMax, neighborLifetime } from '../limits.ts';

/** What kind of frame taught us. */
export type ArpCause =
  /** A reply while we asked. */
  | 'answer'
  /** A request for one of our addresses: whoever asks will be talked to (RFC 826). */
  | 'request'
  /** A station says its own address to all (RFC 5227 §3). */
  | 'announcement'
  /** A reply that nobody here asked for. */
  | 'unasked reply'
  /** A request for somebody else's address. */
  | 'overheard';

export interface ArpRecord {
  /** A station's, six bytes. */
  readonly mac: Uint8Array;
  /** Not used from then on; FOREVER: static, which no frame changes. */
  readonly until: Instant;
}

/** The entries that packets use, as a table sees them. */
export interface ArpEntries {
  /** What the table knows of `address` changed: waiting packets leave, or its next use looks. */
  reread(address: Ipv4Address): void;
  /** Whether a neighbour can have it: a host's, on our link and not ours; any until we have one. */
  mayHave(address: Ipv4Address): boolean;
}

/** Nothing may be awaited inside, and nothing thrown: the cache calls while a frame is handled. */
export interface ArpTable {
  /** Called once, by the cache that asks this table. `mac`, borrowed, is the interface's. */
  attach(entries: ArpEntries, mac: Uint8Array): void;
  /** What is known and not over; null: nothing. Not called for each packet. */
  find(address: Ipv4Address): ArpRecord | null;
  /** A frame said that `mac`, borrowed, has `address`; it may be as it was before. */
  learned(address: Ipv4Address, mac: Uint8Array, cause: ArpCause, until: Instant): void;
  /** Asked as often as may be, and nobody answered. */
  silent(address: Ipv4Address): void;
  /** Another station uses `address`, which is ours; `mac` is borrowed. */
  conflict(address: Ipv4Address, mac: Uint8Array): void;
}

export interface ArpPolicy {
  readonly table: ArpTable;
  /** After it, without confirmation, the next use asks again. */
  readonly freshTime: Duration;
  /** How much longer an entry may be used while that is so. */
  readonly staleTime: Duration;
  /** Between requests for one address, and how many there are before we give up. */
  readonly requestInterval: Duration;
  readonly requestsMax: number;
  /** Whether replies and announcements make or change entries though nobody asked. */
  readonly believesUnasked: boolean;
}

/** Knows nothing beside the entries themselves. */
const FORGETFUL: ArpTable = {
  attach() {},
  find: () => null,
  learned() {},
  silent() {},
  conflict() {},
};

/** RFC 1122 §2.3.2. */
export const ARP_POLICY: ArpPolicy = {
  table: FORGETFUL,
  freshTime: neighborLifetime,
  staleTime: neighborLifetime,
  requestInterval: arpRequestInterval,
  requestsMax: arpRequestsMax,
  believesUnasked: false,
};
