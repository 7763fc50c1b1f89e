/**
 * Our end of the Ethernet: takes every frame from the device, and sorts by station and type. The
 * offsets of the Ethernet and the plain IPv4 header are read together, in one native call. Not
 * here: VLANs.
 */

import { hot, readI32be, readU16be } from '#core';
import type { NetDevice, NetHandler } from '#device';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethernetType } from '../wire/ethernet.ts';

/** Destination, type; version, total length, fragment, protocol, source and destination of IPv4. */
const LAYOUT = 'hwxxxxxxhbxhxxhxbxxww';
const LAYOUT_BYTES = 34;
/** Where `fields` has what: the numbers are indexes, not offsets. */
export const field = {
  macHigh: 0,
  macLow: 1,
  etherType: 2,
  version: 3,
  totalBytes: 4,
  fragment: 5,
  protocol: 6,
  source: 7,
  destination: 8,
} as const;

/** Of 01:00:5e:00:00:00, the last four bytes. */
const MULTICAST_LOW = 0x5e000000;
const MULTICAST_MASK = -0x800000;

/** RFC 2464 §7. */
const IPV6_GROUP_MAC_HIGH = 0x3333;

export interface LinkInput {
  /**
   * A frame for our station or for all (`isGroup`), of at least 34 bytes. `fields`: see `field`.
   * Both are borrowed for this call.
   */
  frame(frame: Uint8Array, fields: Int32Array, isGroup: boolean, checksumGood: boolean): void;
}

/** Takes IPv6 frames for our station, or for a group of stations; as LinkInput. */
export interface Ipv6LinkInput {
  receive(frame: Uint8Array, isGroup: boolean, checksumGood: boolean): void;
}

export class EthernetLink implements NetHandler {
  readonly counters = { linkShort: 0, linkOtherStation: 0, linkUnknownType: 0 };
  private readonly fields = new Int32Array(9);
  private readonly macHigh: number;
  private readonly macLow: number;
  /** Our own IPv4, or a forwarder before it. */
  ipv4: LinkInput;
  private readonly arp: (frame: Uint8Array) => void;
  /** Null while there is no IPv6. */
  ipv6: Ipv6LinkInput | null = null;
  private readonly ready: () => void;

  /** Attaches itself to `device`. `ready`: the device has room again. */
  constructor(
    device: NetDevice,
    ipv4: LinkInput,
    arp: (frame: Uint8Array) => void,
    ready: () => void,
  ) {
    this.macHigh = readU16be(device.mac, 0);
    this.macLow = readI32be(device.mac, 2);
    this.ipv4 = ipv4;
    this.arp = arp;
    this.ready = ready;
    device.attach(this);
  }

  receive(frame: Uint8Array, checksumGood: boolean): void {
    // ARP is longer, and so is any IPv4 packet: shorter ones carry nothing for us.
    if (frame.length < LAYOUT_BYTES) {
      this.counters.linkShort += 1;
      return;
    }
    const fields = this.fields;
    hot.unpack(LAYOUT, frame, 0, fields);
    if (fields[1] === this.macLow && fields[0] === this.macHigh && fields[2] === ETHERTYPE_IPV4) {
      this.ipv4.frame(frame, fields, false, checksumGood);
      return;
    }
    this.receiveOther(frame, checksumGood);
  }

  transmitReady(): void {
    this.ready();
  }

  private receiveOther(frame: Uint8Array, checksumGood: boolean): void {
    const { fields, ipv6 } = this;
    if (fields[field.etherType] === ETHERTYPE_IPV6 && ipv6 !== null) {
      this.receiveIpv6(ipv6, frame, checksumGood);
      return;
    }
    const high = fields[field.macHigh];
    const low = fields[field.macLow]!;
    // Multicast for IPv4 (RFC 1112 §6.4): 23 bits of the group say little, IP looks at all of them.
    const isIpv4Group = high === 0x0100 && (low & MULTICAST_MASK) === MULTICAST_LOW;
    const isGroup = isIpv4Group || (high === 0xffff && low === -1);
    if (!isGroup && (high !== this.macHigh || low !== this.macLow)) {
      this.counters.linkOtherStation += 1;
      return;
    }
    switch (ethernetType(frame)) {
      case ETHERTYPE_IPV4:
        this.ipv4.frame(frame, fields, isGroup, checksumGood);
        return;
      case ETHERTYPE_ARP:
        this.arp(frame);
        return;
      default:
        this.counters.linkUnknownType += 1;
    }
  }

  private receiveIpv6(ipv6: Ipv6LinkInput, frame: Uint8Array, checksumGood: boolean): void {
    const high = this.fields[field.macHigh];
    if (high === this.macHigh && this.fields[field.macLow] === this.macLow) {
      ipv6.receive(frame, false, checksumGood);
    } else if (high === IPV6_GROUP_MAC_HIGH) ipv6.receive(frame, true, checksumGood);
    else this.counters.linkOtherStation += 1;
  }
}
