/**
 * Guests' datagrams to the world. A guest's address and port have one socket of the host, whatever
 * they speak to (RFC 4787 REQ-1, endpoint-independent mapping); what comes from elsewhere than
 * where they spoke to is dropped (§5, address and port-dependent filtering).
 */

import { assert, type Instant, since, type TimerQueue } from '#core';
import type { DatagramHandler, DatagramSocket, Endpoint, Stack } from '#device';
import type { ForeignUdpFlow, ForeignUdpFlowHandler, ForeignUdpHandler } from '#net';
import type { Destinations } from './destinations.ts';
import {
  udpMappingEvictIdle,
  udpMappingsMax,
  udpMappingsPerGuestMax,
  udpWaitingBytesMax,
  udpWaitingMax,
} from './limits.ts';

export class UdpNat implements ForeignUdpHandler {
  readonly counters = {
    udpNatMappings: 0,
    udpNatProhibited: 0,
    /** No place for another mapping, of all or of one guest; no socket of the host. */
    udpNatFull: 0,
    udpNatGuestFull: 0,
    udpNatHostFull: 0,
    /** Given up for another one. */
    udpNatEvicted: 0,
    udpNatWaitingFull: 0,
    /** The host didn't take a datagram. */
    udpNatNotSent: 0,
    /** From where no guest spoke to. */
    udpNatFiltered: 0,
  };
  readonly host: Stack;
  private readonly destinations: Destinations;
  private readonly timers: TimerQueue;
  private readonly mappings = new Map<string, Mapping>();
  /** How many each guest's address has. */
  private readonly mappingsOf = new Map<string, number>();
  /** In all mappings. */
  waitingBytes = 0;

  constructor(host: Stack, destinations: Destinations, timers: TimerQueue) {
    this.host = host;
    this.destinations = destinations;
    this.timers = timers;
  }

  get size(): number {
    return this.mappings.size;
  }

  opening(flow: ForeignUdpFlow): ForeignUdpFlowHandler | null {
    const to = this.destinations.onHost(flow.destination);
    if (to === null) {
      this.counters.udpNatProhibited += 1;
      return null;
    }
    const key = `${flow.peer} ${flow.sourcePort}`;
    let mapping = this.mappings.get(key);
    if (mapping === undefined) {
      if (!this.makeRoom(flow.peer)) return null;
      mapping = new Mapping(this, key, flow.peer);
      this.mappings.set(key, mapping);
      this.mappingsOf.set(flow.peer, this.countOf(flow.peer) + 1);
      this.counters.udpNatMappings += 1;
    }
    return mapping.add(flow, { address: to, port: flow.port });
  }

  /** Called by a mapping without flows. */
  ended(key: string, guest: string): void {
    this.mappings.delete(key);
    const left = this.countOf(guest) - 1;
    if (left > 0) this.mappingsOf.set(guest, left);
    else this.mappingsOf.delete(guest);
  }

  checkInvariants(): void {
    assert(this.mappings.size <= udpMappingsMax && this.waitingBytes <= udpWaitingBytesMax);
    assert(this.mappings.size > 0 || this.waitingBytes === 0);
    let sum = 0;
    for (const count of this.mappingsOf.values()) {
      assert(count > 0 && count <= udpMappingsPerGuestMax);
      sum += count;
    }
    assert(sum === this.mappings.size);
    for (const mapping of this.mappings.values()) mapping.checkInvariants();
  }

  private countOf(guest: string): number {
    return this.mappingsOf.get(guest) ?? 0;
  }

  /** For one mapping more of this guest's: no guest takes what others need. */
  private makeRoom(guest: string): boolean {
    const own = this.countOf(guest);
    if (own >= udpMappingsPerGuestMax) {
      const isRoom = this.evict(guest, true);
      if (!isRoom) this.counters.udpNatGuestFull += 1;
      return isRoom;
    }
    if (this.mappings.size < udpMappingsMax) return true;
    const [holder, most] = this.largest();
    const isRoom = most > own + 1 ? this.evict(holder, false) : this.evict(null, true);
    if (!isRoom) this.counters.udpNatFull += 1;
    return isRoom;
  }

  private largest(): [guest: string, count: number] {
    let found: [string, number] = ['', 0];
    for (const entry of this.mappingsOf) if (entry[1] > found[1]) found = entry;
    return found;
  }

  /**
   * Closes the mapping, of a guest or of all, that was used longest ago; with `isIdleOnly` only if
   * that was long ago. O(flows).
   */
  private evict(guest: string | null, isIdleOnly: boolean): boolean {
    let oldest: Mapping | null = null;
    let usedAt = Number.POSITIVE_INFINITY as Instant;
    for (const mapping of this.mappings.values()) {
      if (guest !== null && mapping.guest !== guest) continue;
      const at = mapping.usedAt;
      if (at >= usedAt) continue;
      oldest = mapping;
      usedAt = at;
    }
    const isLong = oldest !== null && since(usedAt, this.timers.now) >= udpMappingEvictIdle;
    if (oldest === null || (isIdleOnly && !isLong)) return false;
    this.counters.udpNatEvicted += 1;
    oldest.evict();
    return true;
  }
}

const keyOf = ({ address, port }: Endpoint): string => `${address} ${port}`;

/** One guest's address and port. */
class Mapping implements DatagramHandler {
  private readonly owner: UdpNat;
  private readonly key: string;
  readonly guest: string;
  /** By where they lead on the host. */
  private readonly flows = new Map<string, ForeignUdpFlow>();
  /** Null until the host gave it; and what waits until then. */
  private socket: DatagramSocket | null = null;
  private waiting: { readonly bytes: Uint8Array; readonly to: Endpoint }[] = [];
  private isOpen = true;

  constructor(owner: UdpNat, key: string, guest: string) {
    this.owner = owner;
    this.key = key;
    this.guest = guest;
    void owner.host.bind(0, this).then((bound) => {
      if (!bound.ok) {
        owner.counters.udpNatHostFull += 1;
        this.evict();
      } else if (!this.isOpen) bound.value.close();
      else this.bound(bound.value);
    });
  }

  /** When one of its flows was used last; O(flows). */
  get usedAt(): Instant {
    let last = 0 as Instant;
    for (const flow of this.flows.values()) if (flow.usedAt > last) last = flow.usedAt;
    return last;
  }

  /** Ends all of its flows, and so itself. */
  evict(): void {
    for (const flow of [...this.flows.values()]) flow.close();
  }

  add(flow: ForeignUdpFlow, to: Endpoint): ForeignUdpFlowHandler {
    const key = keyOf(to);
    this.flows.set(key, flow);
    return {
      datagram: (bytes) => this.send(bytes, to),
      closed: () => {
        if (this.flows.get(key) === flow) this.flows.delete(key);
        if (this.flows.size === 0) this.close();
      },
    };
  }

  receive(bytes: Uint8Array, from: Endpoint): void {
    const flow = this.flows.get(keyOf(from));
    if (flow === undefined) this.owner.counters.udpNatFiltered += 1;
    else flow.send(bytes);
  }

  unreachable(to: Endpoint): void {
    this.flows.get(keyOf(to))?.unreachable();
  }

  checkInvariants(): void {
    assert(this.isOpen && this.flows.size > 0);
    assert(this.waiting.length <= udpWaitingMax);
    assert(this.socket === null || this.waiting.length === 0);
  }

  private send(bytes: Uint8Array, to: Endpoint): void {
    const { socket, owner, waiting } = this;
    if (socket !== null) {
      if (!socket.send(bytes, to)) owner.counters.udpNatNotSent += 1;
      return;
    }
    const isFull =
      waiting.length >= udpWaitingMax || owner.waitingBytes + bytes.length > udpWaitingBytesMax;
    if (isFull) {
      owner.counters.udpNatWaitingFull += 1;
      return;
    }
    owner.waitingBytes += bytes.length;
    waiting.push({ bytes: bytes.slice(), to });
  }

  private bound(socket: DatagramSocket): void {
    this.socket = socket;
    for (const { bytes, to } of this.takeWaiting()) this.send(bytes, to);
  }

  private takeWaiting(): readonly { readonly bytes: Uint8Array; readonly to: Endpoint }[] {
    const { waiting } = this;
    this.waiting = [];
    for (const { bytes } of waiting) this.owner.waitingBytes -= bytes.length;
    return waiting;
  }

  private close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.takeWaiting();
    this.socket?.close();
    this.owner.ended(this.key, this.guest);
  }
}
