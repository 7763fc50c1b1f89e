/**
 * ICMPv6 messages that never leave the link (neighbour discovery, MLD): written whole, with the
 * link address given or that of a group, and nobody asked for it. Everything else goes through
 * ipv6/ipv6-output.ts.
 */

import { assert, writeU16be, writeU32be } from '#core';
import type { NetDevice } from '#device';
import { type Ipv6Address, isIpv6Multicast, writeIpv6Address } from '../ipv6-address.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV6,
  emitEthernetHeader,
  groupMacOfIpv6,
} from '../wire/ethernet.ts';
import { PROTOCOL_ICMPV6, sumIcmpv6 } from '../wire/icmpv6.ts';
import { IPV6_HEADER_BYTES } from '../wire/ipv6.ts';
import {
  emitOptionsHeader,
  HEADER_HOP_BY_HOP,
  OPTION_ROUTER_ALERT,
} from '../wire/ipv6-extensions.ts';

/** RFC 2711 §2.1: for messages of MLD. */
const ALERT = {
  nextHeader: PROTOCOL_ICMPV6,
  options: [{ type: OPTION_ROUTER_ALERT, value: Uint8Array.of(0, 0) }],
};

export interface LinkMessage {
  readonly source: Ipv6Address;
  readonly destination: Ipv6Address;
  /** Of the neighbour; null when the destination is a group. */
  readonly mac: Uint8Array | null;
  readonly hopLimit: number;
  /** Routers are to look at it. */
  readonly isAlert: boolean;
  /** Writes the ICMPv6 message at `at` and returns its length; the checksum is filled in. */
  emit(to: Uint8Array, at: number): number;
}

export class LinkMessages {
  readonly counters = { linkMessagesSent: 0, linkMessagesTransmitFull: 0 };
  private readonly device: NetDevice;

  constructor(device: NetDevice) {
    this.device = device;
  }

  /** False when the device has no room: then it is lost like any message. */
  send(message: LinkMessage): boolean {
    const { source, destination, mac, hopLimit, isAlert } = message;
    assert(mac !== null || isIpv6Multicast(destination));
    const frame = this.device.reserve();
    if (frame === null) {
      this.counters.linkMessagesTransmitFull += 1;
      return false;
    }
    const ip = ETHERNET_HEADER_BYTES;
    const to = mac ?? groupMacOfIpv6(destination);
    emitEthernetHeader(frame, 0, to, this.device.mac, ETHERTYPE_IPV6);
    let at = ip + IPV6_HEADER_BYTES;
    if (isAlert) at += emitOptionsHeader(frame, at, ALERT);
    const bytes = message.emit(frame, at);
    writeU32be(frame, ip, 0x60000000);
    writeU16be(frame, ip + 4, at + bytes - ip - IPV6_HEADER_BYTES);
    frame[ip + 6] = isAlert ? HEADER_HOP_BY_HOP : PROTOCOL_ICMPV6;
    frame[ip + 7] = hopLimit;
    writeIpv6Address(frame, ip + 8, source);
    writeIpv6Address(frame, ip + 24, destination);
    sumIcmpv6(frame, at, bytes, pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, bytes));
    this.device.commit(at + bytes, [], null);
    this.counters.linkMessagesSent += 1;
    return true;
  }
}
