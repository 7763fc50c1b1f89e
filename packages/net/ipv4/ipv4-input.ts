/**
 * Receiving IPv4: what is plain and for our primary address goes to its transport after one
 * comparison chain; everything else is looked at again slowly, and each reason to drop has a
 * counter. Read first: RFC 791, RFC 1122 §3.2. Not here: reassembly (fragments are dropped and
 * counted), forwarding.
 */

import { assert, hot } from '#core';
import { type Ipv4Address, PROTOCOL_TCP, PROTOCOL_UDP, type TransportInput } from '../ip.ts';
import { IPV4_ANY, IPV4_BROADCAST, isHostAddress } from '../ip-address.ts';
import type { LinkInput } from '../link/ethernet-link.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import {
  checkIpv4,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES,
  IPV4_MORE_FRAGMENTS_BIT,
  ipv4Destination,
  ipv4Fragment,
  ipv4HeaderBytes,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalBytes,
} from '../wire/ipv4.ts';
import type { InterfaceAddresses } from './interface-addresses.ts';

/** No 32-bit address equals it. */
const NO_SOURCE = 0x100000000;
const FRAGMENT_MASK = IPV4_MORE_FRAGMENTS_BIT | IPV4_FRAGMENT_OFFSET_MASK;
const TRANSPORT_AT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;

/** Told about a packet whose protocol nobody handles. */
export type UnknownProtocol = (frame: Uint8Array, at: number, end: number) => void;

export class Ipv4Input implements LinkInput {
  readonly counters = {
    ipv4Received: 0,
    ipv4Malformed: 0,
    ipv4BadChecksum: 0,
    ipv4Fragments: 0,
    ipv4Martian: 0,
    ipv4NotOurs: 0,
    ipv4GroupForTcp: 0,
    ipv4UnknownProtocol: 0,
  };
  /**
   * While we have no address: UDP to any address that came to our station is delivered, for a DHCP
   * server that sends to the address it gives (RFC 2131 §4.1).
   */
  acceptsAnyDestination = false;
  private readonly addresses: InterfaceAddresses;
  private readonly transports: (TransportInput | null)[] = new Array(256).fill(null);
  private readonly unknownProtocol: UnknownProtocol;
  private received = 0;
  /** A source that passed `isGoodSource` since the last `reset`. */
  private goodSource: number = NO_SOURCE;

  constructor(addresses: InterfaceAddresses, unknownProtocol: UnknownProtocol) {
    this.addresses = addresses;
    this.unknownProtocol = unknownProtocol;
  }

  /** Once a protocol (0..255). */
  register(protocol: number, transport: TransportInput): void {
    assert(this.transports[protocol] === null, 'protocol registered twice');
    this.transports[protocol] = transport;
  }

  /** Our addresses changed. */
  reset(): void {
    this.goodSource = NO_SOURCE;
  }

  frame(frame: Uint8Array, fields: Int32Array, isGroup: boolean, checksumGood: boolean): void {
    // The indexes are those of `field` in link/ethernet-link.ts; named lookups would double this
    // path's cost.
    const totalBytes = fields[4]!;
    const source = fields[7] as Ipv4Address;
    const destination = this.addresses.primary;
    if (
      fields[3] === 0x45 &&
      fields[8] === destination &&
      (fields[5]! & FRAGMENT_MASK) === 0 &&
      totalBytes >= IPV4_HEADER_BYTES &&
      totalBytes + ETHERNET_HEADER_BYTES <= frame.length &&
      (source === this.goodSource || this.isGoodSource(source)) &&
      !isGroup &&
      destination !== IPV4_ANY &&
      hot.checksum(frame, ETHERNET_HEADER_BYTES, IPV4_HEADER_BYTES, 0) === 0xffff
    ) {
      const transport = this.transports[fields[6]!];
      if (transport) {
        this.received += 1;
        const end = totalBytes + ETHERNET_HEADER_BYTES;
        transport.packet(frame, TRANSPORT_AT, end, source, destination, checksumGood);
        return;
      }
    }
    this.receiveSlowly(frame, isGroup, checksumGood);
  }

  /** Folds the hot path's counter into the named ones. */
  snapshot(): Readonly<Record<string, number>> {
    this.counters.ipv4Received = this.received;
    return this.counters;
  }

  private receiveSlowly(frame: Uint8Array, isGroup: boolean, checksumGood: boolean): void {
    const b = frame.subarray(ETHERNET_HEADER_BYTES);
    const fault = checkIpv4(b);
    if (fault !== null) {
      if (fault.kind === 'checksum') this.counters.ipv4BadChecksum += 1;
      else this.counters.ipv4Malformed += 1;
      return;
    }
    const source = ipv4Source(b);
    const destination = ipv4Destination(b);
    const protocol = ipv4Protocol(b);
    // A host that asks for its address has none (RFC 1122 §3.2.1.3 (a)).
    const isAsking =
      source === IPV4_ANY && destination === IPV4_BROADCAST && protocol === PROTOCOL_UDP;
    if (!isAsking && !this.isGoodSource(source)) {
      this.counters.ipv4Martian += 1;
      return;
    }
    if (!this.isForUs(destination, protocol, isGroup)) {
      this.counters.ipv4NotOurs += 1;
      return;
    }
    if ((ipv4Fragment(b) & FRAGMENT_MASK) !== 0) {
      this.counters.ipv4Fragments += 1;
      return;
    }
    const at = ETHERNET_HEADER_BYTES + ipv4HeaderBytes(b);
    const end = ETHERNET_HEADER_BYTES + ipv4TotalBytes(b);
    const isForAll = isGroup || this.addresses.isBroadcast(destination);
    if (protocol === PROTOCOL_TCP && isForAll) {
      this.counters.ipv4GroupForTcp += 1; // RFC 9293 §3.9.2.3.
      return;
    }
    const transport = this.transports[protocol];
    if (!transport) {
      this.counters.ipv4UnknownProtocol += 1;
      if (!isForAll) this.unknownProtocol(frame, at, end);
      return;
    }
    this.received += 1;
    transport.packet(frame, at, end, source, destination, checksumGood);
  }

  private isForUs(destination: Ipv4Address, protocol: number, isGroup: boolean): boolean {
    if (this.addresses.isBroadcast(destination)) return true;
    if (this.acceptsAnyDestination && protocol === PROTOCOL_UDP) return isHostAddress(destination);
    // One host's address in a frame for all stations is somebody's mistake (RFC 1122 §3.3.6).
    return !isGroup && this.addresses.isOurs(destination);
  }

  /** One host that isn't us (RFC 1122 §3.2.1.3); remembers the last good one. */
  private isGoodSource(source: Ipv4Address): boolean {
    if (!isHostAddress(source)) return false;
    if (this.addresses.isOurs(source) || this.addresses.isBroadcast(source)) return false;
    this.goodSource = source;
    return true;
  }
}
