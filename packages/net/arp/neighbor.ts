/**
 * One entry of the ARP cache. Routes hold it, and compare `epoch` to learn that something changed.
 */

import type { Instant, Timer } from '#core';
import type { ChecksumRequest } from '#device';
import type { Ipv4Address } from '../ip.ts';
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

export class Neighbor {
  readonly address: Ipv4Address;
  /** Valid when usable. */
  readonly mac = new Uint8Array(MAC_BYTES);
  state: NeighborState = 'new';
  /** Changes whenever a holder of `mac` must look again. */
  epoch: number;
  confirmedAt: Instant;
  /** Whether we ever sent to it, as opposed to having only heard from it. */
  used = false;
  requestsSent = 0;
  readonly waiting: WaitingPacket[] = [];
  readonly timer: Timer;

  constructor(address: Ipv4Address, epoch: number, now: Instant, timer: Timer) {
    this.address = address;
    this.epoch = epoch;
    this.confirmedAt = now;
    this.timer = timer;
  }

  get isUsable(): boolean {
    return this.state === 'reachable' || this.state === 'stale' || this.state === 'probing';
  }
}
