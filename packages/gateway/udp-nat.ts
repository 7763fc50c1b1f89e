/**
 * Guests' datagrams to the world. A guest's address and port have one socket of the host, whatever
 * they speak to (RFC 4787 REQ-1, endpoint-independent mapping); what comes from elsewhere than
 * where they spoke to is dropped (§5, address and port-dependent filtering).
 */

import { assert } from '#core';
import type { DatagramHandler, DatagramSocket, Endpoint, Stack } from '#device';
import type { ForeignUdpFlow, ForeignUdpFlowHandler, ForeignUdpHandler } from '#net';
import type { Destinations } from './destinations.ts';
import { udpMappingsMax, udpWaitingBytesMax, udpWaitingMax } from './limits.ts';

export class UdpNat implements ForeignUdpHandler {
  readonly counters = {
    udpNatMappings: 0,
    udpNatProhibited: 0,
    /** No place for another mapping; no socket of the host. */
    udpNatFull: 0,
    udpNatHostFull: 0,
    udpNatWaitingFull: 0,
    /** The host didn't take a datagram. */
    udpNatNotSent: 0,
    /** From where no guest spoke to. */
    udpNatFiltered: 0,
  };
  readonly host: Stack;
  private readonly destinations: Destinations;
  private readonly mappings = new Map<string, Mapping>();
  /** In all mappings. */
  waitingBytes = 0;

  constructor(host: Stack, destinations: Destinations) {
    this.host = host;
    this.destinations = destinations;
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
      if (this.mappings.size >= udpMappingsMax) {
        this.counters.udpNatFull += 1;
        return null;
      }
      mapping = new Mapping(this, key);
      this.mappings.set(key, mapping);
      this.counters.udpNatMappings += 1;
    }
    return mapping.add(flow, { address: to, port: flow.port });
  }

  /** Called by a mapping without flows. */
  ended(key: string): void {
    this.mappings.delete(key);
  }

  checkInvariants(): void {
    assert(this.mappings.size <= udpMappingsMax && this.waitingBytes <= udpWaitingBytesMax);
    assert(this.mappings.size > 0 || this.waitingBytes === 0);
    for (const mapping of this.mappings.values()) mapping.checkInvariants();
  }
}

const keyOf = ({ address, port }: Endpoint): string => `${address} ${port}`;

/** One guest's address and port. */
class Mapping implements DatagramHandler {
  private readonly owner: UdpNat;
  private readonly key: string;
  /** By where they lead on the host. */
  private readonly flows = new Map<string, ForeignUdpFlow>();
  /** Null until the host gave it; and what waits until then. */
  private socket: DatagramSocket | null = null;
  private waiting: { readonly bytes: Uint8Array; readonly to: Endpoint }[] = [];
  private isOpen = true;

  constructor(owner: UdpNat, key: string) {
    this.owner = owner;
    this.key = key;
    void owner.host.bind(0, this).then((bound) => {
      if (!bound.ok) {
        owner.counters.udpNatHostFull += 1;
        for (const flow of [...this.flows.values()]) flow.close();
      } else if (!this.isOpen) bound.value.close();
      else this.bound(bound.value);
    });
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
    this.owner.ended(this.key);
  }
}
