/**
 * Sending IPv4: finding the way, and headers from a template. A Route keeps the 34 bytes of both
 * headers with the sum of their constant part, so a packet costs one copy and four byte stores.
 * What is larger than the way's MTU leaves in fragments, but never TCP's. Read first: ip.ts, RFC
 * 791, routing-table.ts.
 *
 * Strong end system for sending (RFC 1122 §3.3.4.2): a packet leaves by the interface that its
 * source address belongs to. With one interface a packet that comes for any of our addresses is
 * ours.
 */

import { assert, hot, readU16be, writeU16be, writeU32be } from '#core';
import type { ChecksumRequest, Entropy, NetDevice } from '#device';
import type { NeighborCache } from '../arp/neighbor-cache.ts';
import type { ForeignAddresses } from '../foreign.ts';
import {
  type IpOutput,
  type Ipv4Address,
  PROTOCOL_TCP,
  PROTOCOL_TCP_ECT,
  type Route,
} from '../ip.ts';
import { IPV4_ANY, isHostAddress, isMulticast } from '../ip-address.ts';
import { routesMax, ttlDefault, ttlMulticast } from '../limits.ts';
import type { Neighbor } from '../link/neighbor.ts';
import type { PathMtuCache } from '../path-mtu.ts';
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV4,
  emitEthernetHeader,
  MAC_BROADCAST,
  MAC_BYTES,
} from '../wire/ethernet.ts';
import {
  IPV4_BYTES_MAX,
  IPV4_DONT_FRAGMENT_BIT,
  IPV4_HEADER_BYTES,
  IPV4_MORE_FRAGMENTS_BIT,
} from '../wire/ipv4.ts';
import type { InterfaceAddresses } from './interface-addresses.ts';
import type { RoutingTable } from './routing-table.ts';

/** Offsets in the frame; single constants, which the bundler puts where they are used. */
const VERSION_AT = 14;
const CLASS_AT = 15;
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
/** RFC 3168 §5. */
const ECT_0 = 2;
const NO_PARTS: readonly Uint8Array[] = [];
/** No identification was drawn yet. */
const NONE = -1;

/** Where packets to a destination go next, and how. */
interface Hop {
  readonly neighbor: Neighbor;
  readonly source: Ipv4Address;
  /** Of the interface and the table's entry, not the path. */
  readonly mtuBytes: number;
}

class Ipv4Route implements Route {
  readonly output: Ipv4Output;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly transportAt: number = HEADERS_BYTES;
  readonly headerBytes: number = IPV4_HEADER_BYTES;
  readonly isForMany: boolean;
  mtuBytes: number;
  /** What the first link carries: a TCP segment may find out that the path carries less. */
  linkMtuBytes: number;
  /** Found without asking for a source. */
  readonly isDefault: boolean;
  neighbor: Neighbor;
  /** The neighbour's epoch when `template` was made; -1 before. */
  epoch = -1;
  /** Headers of a TCP packet with length and checksum zero. */
  readonly template = new Uint8Array(HEADERS_BYTES);
  /** Folded sum of the IP header in `template`. */
  sum = 0;
  /**
   * Of the last packet that others may fragment. Each destination has its own sequence from a
   * random start: no other host learns from ours what it is (RFC 7739), and it repeats after
   * 65,536 packets (RFC 6864 §4.3).
   */
  identification = NONE;

  constructor(
    output: Ipv4Output,
    destination: Ipv4Address,
    hop: Hop,
    isDefault: boolean,
    isForMany: boolean,
  ) {
    this.output = output;
    this.isForMany = isForMany;
    this.source = hop.source;
    this.destination = destination;
    this.mtuBytes = hop.mtuBytes;
    this.linkMtuBytes = hop.mtuBytes;
    this.isDefault = isDefault;
    this.neighbor = hop.neighbor;
  }
}

export class Ipv4Output implements IpOutput {
  readonly counters = {
    ipv4Sent: 0,
    ipv4NoRoute: 0,
    ipv4TransmitFull: 0,
    ipv4Queued: 0,
    ipv4TooLarge: 0,
    ipv4FragmentsSent: 0,
  };
  /** Whose addresses packets may leave from beside ours; null: nobody's. */
  foreign: ForeignAddresses | null = null;
  private readonly device: NetDevice;
  private readonly addresses: InterfaceAddresses;
  private readonly table: RoutingTable;
  private readonly paths: PathMtuCache;
  private readonly arp: NeighborCache;
  private readonly routes = new Map<Ipv4Address, Ipv4Route>();
  /**
   * Stands in for a neighbour on ways to groups, whose link address follows from the destination.
   */
  private readonly group: Neighbor;
  private readonly entropy: Entropy;
  private readonly random = new Uint8Array(2);
  private mtuBytes: number;
  private reserved: Uint8Array | null = null;
  private sent = 0;

  constructor(
    device: NetDevice,
    addresses: InterfaceAddresses,
    table: RoutingTable,
    paths: PathMtuCache,
    arp: NeighborCache,
    group: Neighbor,
    entropy: Entropy,
  ) {
    this.device = device;
    this.addresses = addresses;
    this.table = table;
    this.paths = paths;
    this.arp = arp;
    this.group = group;
    this.mtuBytes = device.mtuBytes;
    this.entropy = entropy;
  }

  get linkMtuBytes(): number {
    return this.mtuBytes;
  }

  /** Our addresses, the table or the MTU changed: every way is looked up again. */
  reset(mtuBytes: number): void {
    assert(mtuBytes <= this.device.mtuBytes);
    this.mtuBytes = mtuBytes;
    this.routes.clear();
    this.paths.clear();
    this.arp.flush();
    this.group.epoch = this.arp.nextEpoch();
  }

  /** The way to `destination`, from `source` when given; null when there is none. */
  route(destination: Ipv4Address, source?: Ipv4Address): Route | null {
    const known = this.routes.get(destination);
    if (known !== undefined) {
      if (source === undefined ? known.isDefault : known.source === source) return known;
    }
    const hop = this.nextHop(destination, source);
    if (hop === null) return null;
    const route = new Ipv4Route(
      this,
      destination,
      hop,
      source === undefined,
      hop.neighbor === this.group,
    );
    route.mtuBytes = Math.min(hop.mtuBytes, this.paths.bytes(destination));
    // Each is its connection's own: there are as many as hosts that we stand in for.
    if (this.foreign !== null && !this.addresses.isOurs(hop.source)) return route;
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
    if (totalBytes > way.linkMtuBytes) {
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
    if (protocol !== PROTOCOL_TCP) sum += this.patchForProtocol(way, frame, protocol);
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
    if (way.epoch !== way.neighbor.epoch || totalBytes > way.linkMtuBytes) return false;
    hot.copy(head, 0, way.template, 0, HEADERS_BYTES);
    writeU16be(head, TOTAL_BYTES_AT, totalBytes);
    const sum = hot.checksum(head, VERSION_AT, IPV4_HEADER_BYTES, 0);
    writeU16be(head, CHECKSUM_AT, 0xffff - sum);
    return true;
  }

  commitBurst(frameBytes: number): void {
    this.sent += 1;
    this.commitFrame(frameBytes);
  }

  sendDatagram(route: Route, protocol: number, transport: Uint8Array): boolean {
    assert(protocol !== PROTOCOL_TCP);
    assert(IPV4_HEADER_BYTES + transport.length <= IPV4_BYTES_MAX);
    const way = route as Ipv4Route;
    if (way.epoch !== way.neighbor.epoch && !this.refresh(way)) {
      this.counters.ipv4NoRoute += 1;
      return false;
    }
    const identification = this.nextIdentification(way);
    const isWhole = IPV4_HEADER_BYTES + transport.length <= way.mtuBytes;
    // All but the last are multiples of 8 (RFC 791 §3.2).
    const pieceBytesMax = Math.floor((way.mtuBytes - IPV4_HEADER_BYTES) / 8) * 8;
    for (let at = 0; at === 0 || at < transport.length; at += pieceBytesMax) {
      const count = isWhole ? transport.length : Math.min(pieceBytesMax, transport.length - at);
      const frame = this.begin();
      if (frame === null) return false;
      const isMore = at + count < transport.length;
      hot.copy(frame, 0, way.template, 0, HEADERS_BYTES);
      writeU16be(frame, TOTAL_BYTES_AT, IPV4_HEADER_BYTES + count);
      writeU16be(frame, IDENTIFICATION_AT, identification);
      writeU16be(frame, FRAGMENT_AT, (isMore ? IPV4_MORE_FRAGMENTS_BIT : 0) + at / 8);
      frame[PROTOCOL_AT] = protocol;
      const sum = hot.checksum(frame, VERSION_AT, IPV4_HEADER_BYTES, 0);
      writeU16be(frame, CHECKSUM_AT, 0xffff - sum);
      hot.copy(frame, HEADERS_BYTES, transport, at, count);
      this.sent += 1;
      if (!isWhole) this.counters.ipv4FragmentsSent += 1;
      if (way.epoch === way.neighbor.epoch) this.commitFrame(HEADERS_BYTES + count);
      else this.enqueue(way, frame, HEADERS_BYTES + count, NO_PARTS, null);
      if (isWhole) break;
    }
    return true;
  }

  /**
   * A router said that packets to `destination` may have `mtuBytes` at most, and a transport
   * believes it.
   */
  lowerPathMtu(destination: Ipv4Address, mtuBytes: number): void {
    if (!this.paths.lower(destination, mtuBytes)) return;
    const known = this.routes.get(destination);
    // Other ways to it hear when they are refreshed, within the lifetime of their neighbour.
    if (known !== undefined) {
      known.mtuBytes = Math.min(known.linkMtuBytes, this.paths.bytes(destination));
    }
  }

  /** Folds the hot path's counter into the named ones. */
  snapshot(): Readonly<Record<string, number>> {
    this.counters.ipv4Sent = this.sent;
    return this.counters;
  }

  private commitFrame(frameBytes: number): void {
    this.reserved = null;
    this.device.commit(frameBytes, NO_PARTS, null);
  }

  private nextIdentification(route: Ipv4Route): number {
    if (route.identification === NONE) {
      this.entropy.fill(this.random);
      route.identification = readU16be(this.random, 0);
    }
    route.identification = (route.identification + 1) & 0xffff;
    return route.identification;
  }

  /** Undoes what the template has for TCP; returns what that adds to the sum. */
  private patchForProtocol(route: Ipv4Route, frame: Uint8Array, protocol: number): number {
    if (protocol === PROTOCOL_TCP_ECT) {
      frame[CLASS_AT] = ECT_0;
      return ECT_0;
    }
    // TCP's packets are atomic, their identification is 0 (RFC 6864 §4.1); others may be fragmented
    // on the way.
    const identification = this.nextIdentification(route);
    writeU16be(frame, IDENTIFICATION_AT, identification);
    writeU16be(frame, FRAGMENT_AT, 0);
    frame[PROTOCOL_AT] = protocol;
    const removed = IPV4_DONT_FRAGMENT_BIT + PROTOCOL_TCP;
    // Subtraction in ones' complement is adding the inverse.
    return identification + protocol + (0xffff - removed);
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
    const hop = this.nextHop(route.destination, route.source);
    if (hop === null) return false;
    const { neighbor, mtuBytes } = hop;
    route.neighbor = neighbor;
    route.linkMtuBytes = mtuBytes;
    route.mtuBytes = Math.min(mtuBytes, this.paths.bytes(route.destination));
    const isUsable = neighbor === this.group || this.arp.use(neighbor);
    const mac = neighbor === this.group ? groupMacOf(route.destination) : neighbor.mac;
    this.writeTemplate(route, mac);
    route.epoch = isUsable ? neighbor.epoch : -1;
    return true;
  }

  private writeTemplate(route: Ipv4Route, mac: Uint8Array): void {
    const b = route.template;
    emitEthernetHeader(b, 0, mac, this.device.mac, ETHERTYPE_IPV4);
    b[VERSION_AT] = 0x45;
    writeU16be(b, FRAGMENT_AT, IPV4_DONT_FRAGMENT_BIT);
    b[TTL_AT] = isMulticast(route.destination) ? ttlMulticast : ttlDefault;
    b[PROTOCOL_AT] = PROTOCOL_TCP;
    writeU32be(b, SOURCE_AT, route.source);
    writeU32be(b, DESTINATION_AT, route.destination);
    route.sum = hot.checksum(b, VERSION_AT, IPV4_HEADER_BYTES, 0);
  }

  private isSource(source: Ipv4Address): boolean {
    return this.addresses.isOurs(source) || (this.foreign?.takes(source) ?? false);
  }

  /**
   * Where packets to `destination` go (RFC 1122 §3.3.1.1), from `source` when given; null when
   * there is no way.
   */
  private nextHop(destination: Ipv4Address, source: Ipv4Address | undefined): Hop | null {
    const { addresses, group, mtuBytes } = this;
    const isForMany = addresses.isBroadcast(destination) || isMulticast(destination);
    if (source === IPV4_ANY) {
      // Only to find out our address, or to tell of groups before there is one (RFC 1122 §3.2.1.3
      // (a), RFC 3376 §4.2.13).
      return isForMany ? { neighbor: group, source, mtuBytes } : null;
    }
    if (source === undefined ? addresses.primary === IPV4_ANY : !this.isSource(source)) {
      return null;
    }
    if (isForMany) {
      return { neighbor: group, source: source ?? addresses.sourceFor(destination), mtuBytes };
    }
    if (!isHostAddress(destination) || addresses.isOurs(destination)) return null;
    const entry = this.table.lookup(destination);
    if (entry === null) return null;
    const next = entry.gateway ?? destination;
    return {
      neighbor: this.arp.neighbor(next),
      source: source ?? entry.source ?? addresses.sourceFor(next),
      mtuBytes: Math.min(mtuBytes, entry.mtuBytes ?? mtuBytes),
    };
  }
}

/** RFC 1112 §6.4 for multicast groups, else the broadcast address. */
export function groupMacOf(destination: Ipv4Address): Uint8Array {
  if (!isMulticast(destination)) return MAC_BROADCAST;
  const mac = new Uint8Array(MAC_BYTES);
  mac[0] = 0x01;
  mac[2] = 0x5e;
  mac[3] = (destination >> 16) & 0x7f;
  mac[4] = destination >> 8;
  mac[5] = destination;
  return mac;
}
