/**
 * Two flows as one connection: what comes on one leaves on the other, with its end (half-close),
 * its breaking off (RST) and its slowness: a side that doesn't read stops the other one. Read
 * first: device/flow.ts.
 */

import { assert } from '#core';
import type { Flow, FlowEnd, FlowHandler } from '#device';
import {
  relayBytesMax,
  relayBytesMin,
  relayBytesTotalMax,
  relayIdleAsk,
  relaysMax,
  relaysPerGuestMax,
} from './limits.ts';

/** All relays of a gateway: how many, and what each may hold. */
export class Relays {
  readonly counters = {
    relaysOpened: 0,
    relaysEnded: 0,
    relaysBroken: 0,
    /** No place: relaysMax, relaysPerGuestMax. */
    relaysFull: 0,
    relaysGuestFull: 0,
    relayPauses: 0,
  };
  private readonly open = new Set<Relay>();
  /** Places that each guest's address has, and their sum: relays, and those to come. */
  private readonly placesOf = new Map<string, number>();
  private places = 0;

  get size(): number {
    return this.open.size;
  }

  /** Bytes that may wait in one direction. */
  get shareBytes(): number {
    const share = Math.floor(relayBytesTotalMax / Math.max(1, this.open.size));
    return Math.max(relayBytesMin, Math.min(relayBytesMax, share));
  }

  /** A place for a connection of the guest's, to be given to `start` or `free`; false: none. */
  take(guest: string): boolean {
    const own = this.placesOf.get(guest) ?? 0;
    if (this.places >= relaysMax) this.counters.relaysFull += 1;
    else if (own >= relaysPerGuestMax) this.counters.relaysGuestFull += 1;
    else {
      this.places += 1;
      this.placesOf.set(guest, own + 1);
      return true;
    }
    return false;
  }

  free(guest: string): void {
    this.places -= 1;
    const left = (this.placesOf.get(guest) ?? 0) - 1;
    if (left > 0) this.placesOf.set(guest, left);
    else this.placesOf.delete(guest);
  }

  /** A connection of which one flow is there, and waits, in a place that was taken. */
  start(first: Flow, guest: string): Relay {
    assert(this.placesOf.has(guest));
    this.counters.relaysOpened += 1;
    const relay = new Relay(this, first, guest);
    this.open.add(relay);
    return relay;
  }

  /** Called by Relay when both of its flows are gone. */
  ended(relay: Relay, isBroken: boolean): void {
    this.open.delete(relay);
    this.free(relay.guest);
    if (isBroken) this.counters.relaysBroken += 1;
    else this.counters.relaysEnded += 1;
  }

  /** Breaks all off. */
  abort(): void {
    for (const relay of [...this.open]) relay.abort();
  }

  checkInvariants(): void {
    assert(this.open.size <= this.places && this.places <= relaysMax);
    let sum = 0;
    for (const count of this.placesOf.values()) {
      assert(count > 0 && count <= relaysPerGuestMax);
      sum += count;
    }
    assert(sum === this.places);
    for (const relay of this.open) relay.checkInvariants();
  }
}

export class Relay {
  readonly guest: string;
  private readonly owner: Relays;
  private readonly first: Side;
  private second: Side | null = null;
  private isBroken = false;
  private isOver = false;
  /** Told when `first` went before `join`. */
  lost: () => void = () => {};

  constructor(owner: Relays, first: Flow, guest: string) {
    this.owner = owner;
    this.guest = guest;
    this.first = new Side(this, first);
    first.attach(this.first);
    first.pause();
  }

  get shareBytes(): number {
    return this.owner.shareBytes;
  }

  /** The other flow is there: both go on from here. Broken off at once if the first one is gone. */
  join(second: Flow): void {
    assert(this.second === null);
    const side = new Side(this, second);
    this.second = side;
    second.attach(side);
    side.other = this.first;
    this.first.other = side;
    if (this.first.isGone) {
      second.abort();
      return;
    }
    // Hosts vanish as guests do: the machine goes from one network to another.
    this.first.flow.askIfAlive(relayIdleAsk);
    second.askIfAlive(relayIdleAsk);
    if (this.first.isEnded) second.shutdown();
    this.first.flow.resume();
  }

  abort(): void {
    this.isBroken = true;
    this.first.flow.abort();
    this.second?.flow.abort();
    if (this.second === null) this.finish();
  }

  /** Called by a side that is gone. */
  gone(side: Side, how: FlowEnd): void {
    if (how !== 'closed') this.isBroken = true;
    if (this.second === null) {
      this.lost();
      this.finish();
      return;
    }
    if (how !== 'closed' && side.other?.isGone === false) side.other.flow.abort();
    if (this.first.isGone && this.second.isGone) this.finish();
  }

  countPause(): void {
    this.owner.counters.relayPauses += 1;
  }

  checkInvariants(): void {
    assert(!this.isOver);
    assert(this.second === null || !(this.first.isGone && this.second.isGone));
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.owner.ended(this, this.isBroken);
  }
}

class Side implements FlowHandler {
  readonly flow: Flow;
  other: Side | null = null;
  isGone = false;
  /** Its peer sends no more. */
  isEnded = false;
  private isPaused = false;
  private readonly relay: Relay;

  constructor(relay: Relay, flow: Flow) {
    this.relay = relay;
    this.flow = flow;
    flow.lowWaterBytes = relayBytesMin;
    // What the other side's sender held back is held back already.
    flow.noDelay = true;
  }

  data(bytes: Uint8Array): void {
    const to = this.other;
    assert(to !== null, 'data before there is anywhere to go');
    if (to.isGone) return;
    to.flow.write(bytes.slice());
    if (this.isPaused || to.flow.queuedBytes <= this.relay.shareBytes) return;
    this.isPaused = true;
    this.relay.countPause();
    this.flow.pause();
  }

  drained(): void {
    const from = this.other;
    if (from === null || !from.isPaused) return;
    from.isPaused = false;
    if (!from.isGone) from.flow.resume();
  }

  end(): void {
    this.isEnded = true;
    if (this.other?.isGone === false) this.other.flow.shutdown();
  }

  closed(how: FlowEnd): void {
    this.isGone = true;
    this.relay.gone(this, how);
  }
}
