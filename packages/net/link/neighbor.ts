/**
 * One entry of ARP's cache (arp/) or of neighbour discovery's (ndp/), and what both do alike about
 * their entries. Routes hold one, and compare `epoch` to learn that something changed.
 */

import { FOREVER, type Instant, type Timer } from '#core';
import type { ChecksumRequest } from '#device';
import type { IpAddress, Ipv4Address } from '../ip.ts';
import { waitingPacketOverheadBytes } from '../limits.ts';
import { MAC_BYTES } from '../wire/ethernet.ts';

export type NeighborState =
  /** Nothing known, nothing asked yet. */
  | 'new'
  /** Asked; packets wait. */
  | 'asking'
  /** Confirmed within the entry's lifetime. */
  | 'reachable'
  /** Confirmed, but longer ago: usable; the next use asks again. */
  | 'stale'
  /** Usable, and used since it became stale: asked again unless confirmed soon (RFC 4861 DELAY). */
  | 'delayed'
  /** Usable while we ask again. */
  | 'probing'
  /** No longer in the cache: look it up again. */
  | 'gone';

/** A packet that waits for the link address in its first six bytes. */
export interface WaitingPacket {
  readonly head: Uint8Array;
  readonly parts: readonly Uint8Array[];
  readonly checksum: ChecksumRequest | null;
}

export class Neighbor<A extends IpAddress = Ipv4Address> {
  readonly address: A;
  /** Valid when usable. */
  readonly mac = new Uint8Array(MAC_BYTES);
  state: NeighborState = 'new';
  /** Changes whenever a holder of `mac` must look again. */
  epoch: number;
  confirmedAt: Instant;
  /** ARP's: what is known is over then; FOREVER: static. NDP has no such time. */
  until: Instant = FOREVER;
  /** Whether we ever sent to it, as opposed to having only heard from it. */
  used = false;
  requestsSent = 0;
  readonly waiting: WaitingPacket[] = [];
  readonly timer: Timer;

  constructor(address: A, epoch: number, now: Instant, timer: Timer) {
    this.address = address;
    this.epoch = epoch;
    this.confirmedAt = now;
    this.timer = timer;
  }

  get isUsable(): boolean {
    const { state } = this;
    return state !== 'new' && state !== 'asking' && state !== 'gone';
  }
}

/** What a waiting packet takes of the budget: without `parts`, which are their writer's. */
export const costOf = ({ head }: WaitingPacket): number => head.length + waitingPacketOverheadBytes;

/** What all packets that wait for `entries` take of it. */
export function waitingBytesOf(entries: Iterable<Neighbor<IpAddress>>): number {
  let bytes = 0;
  for (const { waiting } of entries) for (const packet of waiting) bytes += costOf(packet);
  return bytes;
}

/**
 * Who leaves a full cache: one that we never sent to, else one that has never answered (packets
 * from addresses that nobody has make many of those, RFC 6583 §7.1), else any; of equals the one
 * confirmed longest ago. Null when there is none. O(entries).
 */
export function victimOf<N extends Neighbor<IpAddress>>(entries: Iterable<N>): N | null {
  let victim: N | null = null;
  for (const entry of entries) {
    const difference = victim === null ? -1 : worthOf(entry) - worthOf(victim);
    const isWorse =
      victim === null ||
      difference < 0 ||
      (difference === 0 && entry.confirmedAt < victim.confirmedAt);
    if (isWorse) victim = entry;
  }
  return victim;
}

const worthOf = ({ used, isUsable }: Neighbor<IpAddress>): number => (!used ? 0 : isUsable ? 2 : 1);
