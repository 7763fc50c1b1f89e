/**
 * Sending IPv4: finding the way, and headers from a template. A Route keeps the 34 bytes of both
 * headers with the sum of their constant part, so a packet costs one copy and four byte stores.
 * Read first: ip.ts, RFC 791. Not here: fragmentation (what exceeds the MTU is the transport's
 * mistake), path MTU discovery.
 */

import { assert, hot, readU16be, writeU16be, writeU32be } from '#core';
import type { ChecksumRequest, Entropy, NetDevice } from '#device';
import type { Neighbor } from '../arp/neighbor.ts';
import type { NeighborCache } from '../arp/neighbor-cache.ts';
import { type IpOutput, type Ipv4Address, PROTOCOL_TCP, type Route } from '../ip.ts';
import { IPV4_ANY, IPV4_BROADCAST, isHostAddress, isMulticast } from '../ip-address.ts';
import { routesMax, ttlDefault } from '../limits.ts';
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV4,
  emitEthernetHeader,
  MAC_BROADCAST,
  MAC_BYTES,
} from '../wire/ethernet.ts';
import { IPV4_BYTES_MAX, IPV4_DONT_FRAGMENT_BIT, IPV4_HEADER_BYTES } from '../wire/ipv4.ts';
import type { InterfaceAddresses } from './interface-addresses.ts';

/** Offsets in the frame; single constants, which the bundler puts where they are used. */
const VERSION_AT = 14;
const TOTAL_BYTES_AT = 16;
const IDENTIFICATION_AT = 18;
const FRAGMENT_AT = 20;
const TTL_AT = 22;
const PROTOCOL_AT = 23;
const CHECKSUM_AT = 24;
const SOURCE_AT = 26;
const DESTINATION_AT = 30;
const HEADERS_BYTES = 34;
assert(HEADERS_BYTES === ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES);
const NO_PARTS: readonly Uint8Array[] = [];

class Ipv4Route implements Route {
  readonly output: Ipv4Output;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly transportAt: number = HEADERS_BYTES;
  readonly headerBytes: number = IPV4_HEADER_BYTES;
  mtuBytes: number;
  neighbor: Neighbor;
  /** The neighbour's epoch when `template` was made; -1 before. */
  epoch = -1;
  /** Headers of a TCP packet with length and checksum zero. */
  readonly template = new Uint8Array(HEADERS_BYTES);
  /** Folded sum of the IP header in `template`. */
  sum = 0;

  constructor(
    output: Ipv4Output,
    source: Ipv4Address,
    destination: Ipv4Address,
    mtuBytes: number,
    neighbor: Neighbor,
  ) {
    this.output = output;
    this.source = source;
    this.destination = destination;
    this.mtuBytes = mtuBytes;
    this.neighbor = neighbor;
  }
}

export class Ipv4Output implements IpOutput {
  readonly counters = {
    ipv4Sent: 0,
    ipv4NoRoute: 0,
    ipv4TransmitFull: 0,
    ipv4Queued: 0,
    ipv4TooLarge: 0,
  };
  private readonly device: NetDevice;
  private readonly addresses: InterfaceAddresses;
  private readonly arp: NeighborCache;
  private readonly routes = new Map<Ipv4Address, Ipv4Route>();
  /**
   * Stands in for a neighbour on ways to groups, whose link address follows from the destination.
   */
  private readonly group: Neighbor;
  private identification: number;
  private mtuBytes: number;
  private reserved: Uint8Array | null = null;
  private sent = 0;

  constructor(
    device: NetDevice,
    addresses: InterfaceAddresses,
    arp: NeighborCache,
    group: Neighbor,
    entropy: Entropy,
  ) {
    this.device = device;
    this.addresses = addresses;
    this.arp = arp;
    this.group = group;
    this.mtuBytes = device.mtuBytes;
    const random = new Uint8Array(2);
    entropy.fill(random);
    this.identification = readU16be(random, 0);
  }

  /** Our addresses or the MTU changed: every way is looked up again. */
  reset(mtuBytes: number): void {
    assert(mtuBytes <= this.device.mtuBytes);
    this.mtuBytes = mtuBytes;
    this.routes.clear();
    this.arp.flush();
    this.group.epoch = this.arp.nextEpoch();
  }

  /** The way to `destination`, from `source` when given; null when there is none. */
  route(destination: Ipv4Address, source?: Ipv4Address): Route | null {
    const from = source ?? this.addresses.primary;
    const known = this.routes.get(destination);
    if (known !== undefined && known.source === from) return known;
    const neighbor = this.nextHop(destination, from);
    if (neighbor === null) return null;
    const route = new Ipv4Route(this, from, destination, this.mtuBytes, neighbor);
    if (this.routes.size >= routesMax) {
      for (const oldest of this.routes.keys()) {
        this.routes.delete(oldest);
        break;
      }
    }
    this.routes.set(destination, route);
    return route;
  }

  begin(): Uint8Array | null {
    const frame = this.device.reserve();
    this.reserved = frame;
    if (frame === null) this.counters.ipv4TransmitFull += 1;
    return frame;
  }

  finish(
    route: Route,
    protocol: number,
    transportBytes: number,
    parts: readonly Uint8Array[],
    checksum: ChecksumRequest | null,
  ): void {
    // Only `route` makes routes; checking it for each packet would cost more than the copy below.
    const way = route as Ipv4Route;
    const frame = this.reserved;
    if (frame === null) assert(false, 'finish without begin');
    let isReachable = way.epoch === way.neighbor.epoch;
    if (!isReachable) {
      if (!this.refresh(way)) {
        this.counters.ipv4NoRoute += 1;
        return;
      }
      isReachable = way.epoch === way.neighbor.epoch;
    }
    let totalBytes = HEADERS_BYTES - VERSION_AT + transportBytes;
    for (let i = 0; i < parts.length; i++) totalBytes += parts[i]!.length;
    if (totalBytes > way.mtuBytes) {
      if (checksum === null || checksum.segmentBytes === 0) {
        // The way's MTU was larger when the sender cut this: it finds the new one in its route.
        this.counters.ipv4TooLarge += 1;
        return;
      }
      assert(totalBytes <= IPV4_BYTES_MAX);
    }
    hot.copy(frame, 0, way.template, 0, HEADERS_BYTES);
    frame[TOTAL_BYTES_AT] = totalBytes >> 8;
    frame[TOTAL_BYTES_AT + 1] = totalBytes;
    let sum = way.sum + totalBytes;
    if (protocol !== PROTOCOL_TCP) sum += this.patchForProtocol(frame, protocol);
    // Fewer than six 16-bit terms: two folds leave 16 bits.
    sum = (sum & 0xffff) + (sum >> 16);
    sum = 0xffff - ((sum & 0xffff) + (sum >> 16));
    frame[CHECKSUM_AT] = sum >> 8;
    frame[CHECKSUM_AT + 1] = sum;
    this.sent += 1;
    if (isReachable) {
      this.reserved = null;
      this.device.commit(HEADERS_BYTES + transportBytes, parts, checksum);
    } else {
      this.enqueue(way, frame, HEADERS_BYTES + transportBytes, parts, checksum);
    }
  }

  burst(route: Route, transportBytes: number, head: Uint8Array): boolean {
    const way = route as Ipv4Route;
    const totalBytes = IPV4_HEADER_BYTES + transportBytes;
    if (way.epoch !== way.neighbor.epoch || totalBytes > way.mtuBytes) return false;
    hot.copy(head, 0, way.template, 0, HEADERS_BYTES);
    writeU16be(head, TOTAL_BYTES_AT, totalBytes);
    const sum = hot.checksum(head, VERSION_AT, IPV4_HEADER_BYTES, 0);
    writeU16be(head, CHECKSUM_AT, 0xffff - sum);
    return true;
  }

  commitBurst(frameBytes: number): void {
    this.sent += 1;
    this.reserved = null;
    this.device.commit(frameBytes, NO_PARTS, null);
  }

  /** Folds the hot path's counter into the named ones. */
  snapshot(): Readonly<Record<string, number>> {
    this.counters.ipv4Sent = this.sent;
    return this.counters;
  }

  /** Undoes what the template has for TCP; returns what that adds to the sum. */
  private patchForProtocol(frame: Uint8Array, protocol: number): number {
    // TCP's packets are atomic, their identification is 0 (RFC 6864 §4.1); others may be fragmented
    // on the way.
    this.identification = (this.identification + 1) & 0xffff;
    writeU16be(frame, IDENTIFICATION_AT, this.identification);
    writeU16be(frame, FRAGMENT_AT, 0);
    frame[PROTOCOL_AT] = protocol;
    const removed = IPV4_DONT_FRAGMENT_BIT + PROTOCOL_TCP;
    // Subtraction in ones' complement is adding the inverse.
    return this.identification + protocol + (0xffff - removed);
  }

  /** Keeps the packet until ARP answers; the reserved memory is free again. */
  private enqueue(
    route: Ipv4Route,
    frame: Uint8Array,
    headBytes: number,
    parts: readonly Uint8Array[],
    checksum: ChecksumRequest | null,
  ): void {
    this.counters.ipv4Queued += 1;
    this.reserved = null;
    this.arp.enqueue(route.neighbor, {
      head: frame.slice(0, headBytes),
      parts: parts.length === 0 ? NO_PARTS : [...parts],
      checksum: checksum === null ? null : { ...checksum },
    });
  }

  /**
   * Makes the template anew after a change at the neighbour or in our addresses. Leaves
   * `route.epoch` unequal to the neighbour's when its link address isn't known. False when there is
   * no way any more.
   */
  private refresh(route: Ipv4Route): boolean {
    const neighbor = this.nextHop(route.destination, route.source);
    if (neighbor === null) return false;
    route.neighbor = neighbor;
    route.mtuBytes = this.mtuBytes;
    const isUsable = neighbor === this.group || this.arp.use(neighbor);
    const mac = neighbor === this.group ? groupMac(route.destination) : neighbor.mac;
    this.writeTemplate(route, mac);
    route.epoch = isUsable ? neighbor.epoch : -1;
    return true;
  }

  private writeTemplate(route: Ipv4Route, mac: Uint8Array): void {
    const b = route.template;
    emitEthernetHeader(b, 0, mac, this.device.mac, ETHERTYPE_IPV4);
    b[VERSION_AT] = 0x45;
    writeU16be(b, FRAGMENT_AT, IPV4_DONT_FRAGMENT_BIT);
    b[TTL_AT] = ttlDefault;
    b[PROTOCOL_AT] = PROTOCOL_TCP;
    writeU32be(b, SOURCE_AT, route.source);
    writeU32be(b, DESTINATION_AT, route.destination);
    route.sum = hot.checksum(b, VERSION_AT, IPV4_HEADER_BYTES, 0);
  }

  /**
   * The neighbour that packets from `source` to `destination` go to (RFC 1122 §3.3.1.1), or null.
   */
  private nextHop(destination: Ipv4Address, source: Ipv4Address): Neighbor | null {
    if (source === IPV4_ANY) {
      // Only to find out our address (RFC 1122 §3.2.1.3 (a)).
      return destination === IPV4_BROADCAST ? this.group : null;
    }
    if (!this.addresses.isOurs(source)) return null;
    if (this.addresses.isBroadcast(destination) || isMulticast(destination)) return this.group;
    if (!isHostAddress(destination) || this.addresses.isOurs(destination)) return null;
    if (this.addresses.isOnLink(destination)) return this.arp.neighbor(destination);
    const gateway = this.addresses.gateway;
    return gateway === null ? null : this.arp.neighbor(gateway);
  }
}

/** RFC 1112 §6.4 for multicast groups, else the broadcast address. */
function groupMac(destination: Ipv4Address): Uint8Array {
  if (!isMulticast(destination)) return MAC_BROADCAST;
  const mac = new Uint8Array(MAC_BYTES);
  mac[0] = 0x01;
  mac[2] = 0x5e;
  mac[3] = (destination >> 16) & 0x7f;
  mac[4] = destination >> 8;
  mac[5] = destination;
  return mac;
}
