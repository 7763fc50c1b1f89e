/**
 * Sending IPv6: finding the way, and headers from a template, as ipv4/ipv4-output.ts does; there is
 * no header checksum, so a packet costs one copy and two byte stores. Read first: ip.ts, RFC 8200,
 * RFC 4861 §5.2. Not here: which router (ndp/router-discovery.ts), messages of the link
 * (ndp/link-messages.ts).
 */

import { assert, hot, readI32be, toU32, writeU16be, writeU32be } from '#core';
import type { ChecksumRequest, Entropy, NetDevice } from '#device';
import type { ForeignAddresses } from '../foreign.ts';
import { type IpOutput, PROTOCOL_TCP, PROTOCOL_TCP_ECT, type Route } from '../ip.ts';
import {
  IPV6_ANY,
  type Ipv6Address,
  isIpv6HostAddress,
  isIpv6Multicast,
  writeIpv6Address,
} from '../ipv6-address.ts';
import type { Neighbor } from '../link/neighbor.ts';
import { Ipv6Neighbor, type NdpNeighbors } from '../ndp/ndp-neighbors.ts';
import type { PathMtuCache } from '../path-mtu.ts';
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV6,
  emitEthernetHeader,
  groupMacOfIpv6,
} from '../wire/ethernet.ts';
import { IPV6_HEADER_BYTES, IPV6_MTU_BYTES_MIN, IPV6_PAYLOAD_BYTES_MAX } from '../wire/ipv6.ts';
import {
  emitFragmentHeader,
  FRAGMENT_HEADER_BYTES,
  HEADER_FRAGMENT,
} from '../wire/ipv6-extensions.ts';
import { hopLimitDefault, ipv6WaysMax } from './limits.ts';

/** Offsets in the frame; single constants, which the bundler puts where they are used. */
const VERSION_AT = 14;
/** Its high half is the low one of the traffic class: RFC 8200 §3, RFC 3168 §5. */
const CLASS_AT = 15;
const ECT_0 = 0x20;
const PAYLOAD_BYTES_AT = 18;
const NEXT_HEADER_AT = 20;
const HOP_LIMIT_AT = 21;
const SOURCE_AT = 22;
const DESTINATION_AT = 38;
const HEADERS_BYTES = 54;
assert(HEADERS_BYTES === ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES);
const NO_PARTS: readonly Uint8Array[] = [];
/** Of what goes to groups, unless a protocol says otherwise (RFC 3493 §5.2). */
const HOP_LIMIT_MULTICAST = 1;

/** What decides the way: our addresses, the prefixes on the link, the routers. */
export interface Ipv6Ways {
  /** This stack's object. */
  intern(address: Ipv6Address): Ipv6Address;
  /** The neighbour to send to; null: no way. Not asked about groups. */
  nextHop(destination: Ipv6Address): Ipv6Address | null;
  /** Null: none. */
  sourceFor(destination: Ipv6Address): Ipv6Address | null;
  isOurs(address: Ipv6Address): boolean;
}

class Ipv6Route implements Route {
  readonly output: Ipv6Output;
  readonly source: Ipv6Address;
  readonly destination: Ipv6Address;
  readonly transportAt: number = HEADERS_BYTES;
  readonly headerBytes: number = IPV6_HEADER_BYTES;
  readonly isForMany: boolean;
  /** Of the path, at most the link's. */
  mtuBytes = 0;
  linkMtuBytes = 0;
  neighbor: Neighbor<Ipv6Address>;
  /** The neighbour's epoch when `template` was made; -1 before. */
  epoch = -1;
  /** The caller let us choose the source. */
  readonly isDefault: boolean;
  /** RFC 6437: the same for all packets between two addresses, and 20 random bits. */
  readonly flowLabel: number;
  /** Headers of a TCP packet with length zero. */
  readonly template = new Uint8Array(HEADERS_BYTES);

  constructor(
    output: Ipv6Output,
    source: Ipv6Address,
    destination: Ipv6Address,
    neighbor: Neighbor<Ipv6Address>,
    isDefault: boolean,
    flowLabel: number,
  ) {
    this.output = output;
    this.source = source;
    this.destination = destination;
    this.isForMany = isIpv6Multicast(destination);
    this.neighbor = neighbor;
    this.isDefault = isDefault;
    this.flowLabel = flowLabel;
  }
}

export class Ipv6Output implements IpOutput {
  readonly counters = {
    ipv6Sent: 0,
    ipv6NoRoute: 0,
    ipv6TransmitFull: 0,
    ipv6Queued: 0,
    ipv6TooLarge: 0,
    ipv6FragmentsSent: 0,
  };
  /** What routers say (RFC 4861 §6.3.4); changed, `reset` must follow. */
  hopLimit = hopLimitDefault;
  /** Whose addresses packets may leave from beside ours; null: nobody's. */
  foreign: ForeignAddresses | null = null;
  private readonly device: NetDevice;
  private readonly ways: Ipv6Ways;
  private readonly neighbors: NdpNeighbors;
  private readonly paths: PathMtuCache;
  private readonly entropy: Entropy;
  private readonly routes = new Map<number, Ipv6Route>();
  /** Stands in for a neighbour on ways to groups. */
  private readonly group: Neighbor<Ipv6Address>;
  private mtuBytes: number;
  private reserved: Uint8Array | null = null;
  private sent = 0;
  private readonly random = new Uint8Array(4);

  constructor(
    device: NetDevice,
    ways: Ipv6Ways,
    neighbors: NdpNeighbors,
    group: Neighbor<Ipv6Address>,
    paths: PathMtuCache,
    entropy: Entropy,
  ) {
    this.device = device;
    this.ways = ways;
    this.neighbors = neighbors;
    this.group = group;
    this.paths = paths;
    this.entropy = entropy;
    this.mtuBytes = device.mtuBytes;
  }

  get linkMtuBytes(): number {
    return this.mtuBytes;
  }

  /** Our addresses, the routers or the MTU changed: every way is looked up again. */
  reset(mtuBytes: number): void {
    assert(mtuBytes <= this.device.mtuBytes && mtuBytes >= IPV6_MTU_BYTES_MIN);
    this.mtuBytes = mtuBytes;
    this.routes.clear();
    this.neighbors.touch();
    this.group.epoch = this.neighbors.nextEpoch();
  }

  /** The way to `destination`, from `source` when given; null when there is none. */
  route(destination: Ipv6Address, source?: Ipv6Address): Route | null {
    const to = this.ways.intern(destination);
    const known = this.routes.get(to.key);
    if (known?.destination.equals(to)) {
      if (source === undefined ? known.isDefault : known.source.equals(source)) return known;
    }
    const neighbor = this.nextHop(to);
    const from = source === undefined ? this.ways.sourceFor(to) : this.ways.intern(source);
    if (neighbor === null || from === null || !this.isSource(from, to)) return null;
    const flowLabel = toU32(this.randomWord()) % 0x10_0000;
    const route = new Ipv6Route(this, from, to, neighbor, source === undefined, flowLabel);
    this.setMtu(route);
    // Each is its connection's own: there are as many as hosts that we stand in for.
    if (this.foreign !== null && !this.ways.isOurs(from)) return route;
    if (this.routes.size >= ipv6WaysMax) {
      for (const oldest of this.routes.keys()) {
        this.routes.delete(oldest);
        break;
      }
    }
    this.routes.set(to.key, route);
    return route;
  }

  /** This stack's object for an address. */
  intern(address: Ipv6Address): Ipv6Address {
    return this.ways.intern(address);
  }

  begin(): Uint8Array | null {
    const frame = this.device.reserve();
    this.reserved = frame;
    if (frame === null) this.counters.ipv6TransmitFull += 1;
    return frame;
  }

  finish(
    route: Route,
    protocol: number,
    transportBytes: number,
    parts: readonly Uint8Array[],
    checksum: ChecksumRequest | null,
  ): void {
    const way = route as Ipv6Route;
    const frame = this.reserved;
    if (frame === null) assert(false, 'finish without begin');
    let isReachable = way.epoch === way.neighbor.epoch;
    if (!isReachable) {
      if (!this.refresh(way)) {
        this.counters.ipv6NoRoute += 1;
        return;
      }
      isReachable = way.epoch === way.neighbor.epoch;
    }
    let payloadBytes = transportBytes;
    for (let i = 0; i < parts.length; i++) payloadBytes += parts[i]!.length;
    if (payloadBytes + IPV6_HEADER_BYTES > way.linkMtuBytes) {
      if (checksum === null || checksum.segmentBytes === 0) {
        // The way's MTU was larger when the sender cut this: it finds the new one in its route.
        this.counters.ipv6TooLarge += 1;
        return;
      }
      assert(payloadBytes <= IPV6_PAYLOAD_BYTES_MAX);
    }
    hot.copy(frame, 0, way.template, 0, HEADERS_BYTES);
    frame[PAYLOAD_BYTES_AT] = payloadBytes >> 8;
    frame[PAYLOAD_BYTES_AT + 1] = payloadBytes;
    if (protocol === PROTOCOL_TCP_ECT) frame[CLASS_AT]! |= ECT_0;
    else if (protocol !== PROTOCOL_TCP) frame[NEXT_HEADER_AT] = protocol;
    this.sent += 1;
    if (isReachable) {
      this.reserved = null;
      this.device.commit(HEADERS_BYTES + transportBytes, parts, checksum);
    } else {
      this.enqueue(way, frame, HEADERS_BYTES + transportBytes, parts, checksum);
    }
  }

  burst(route: Route, transportBytes: number, head: Uint8Array): boolean {
    const way = route as Ipv6Route;
    const totalBytes = IPV6_HEADER_BYTES + transportBytes;
    if (way.epoch !== way.neighbor.epoch || totalBytes > way.linkMtuBytes) return false;
    hot.copy(head, 0, way.template, 0, HEADERS_BYTES);
    writeU16be(head, PAYLOAD_BYTES_AT, transportBytes);
    return true;
  }

  commitBurst(frameBytes: number): void {
    this.sent += 1;
    this.commitFrame(frameBytes);
  }

  /** RFC 8200 §4.5: the source cuts, nobody on the way does. */
  sendDatagram(route: Route, protocol: number, transport: Uint8Array): boolean {
    assert(protocol !== PROTOCOL_TCP && transport.length <= IPV6_PAYLOAD_BYTES_MAX);
    const way = route as Ipv6Route;
    if (way.epoch !== way.neighbor.epoch && !this.refresh(way)) {
      this.counters.ipv6NoRoute += 1;
      return false;
    }
    if (IPV6_HEADER_BYTES + transport.length <= way.mtuBytes) {
      return this.sendPiece(way, protocol, transport, 0, transport.length, null);
    }
    const identification = toU32(this.randomWord()); // RFC 7739 §5.3.
    const room = way.mtuBytes - IPV6_HEADER_BYTES - FRAGMENT_HEADER_BYTES;
    const pieceBytesMax = room - (room % 8);
    for (let at = 0; at < transport.length; at += pieceBytesMax) {
      const count = Math.min(pieceBytesMax, transport.length - at);
      if (!this.sendPiece(way, protocol, transport, at, count, identification)) return false;
      this.counters.ipv6FragmentsSent += 1;
    }
    return true;
  }

  /** A router said so about packets to `destination`, and a transport believes it (RFC 8201 §4). */
  lowerPathMtu(destination: Ipv6Address, mtuBytes: number): void {
    // Less than every link carries is no news (RFC 8201 §4, RFC 8021).
    const bytes = Math.max(mtuBytes, IPV6_MTU_BYTES_MIN);
    const { key } = this.ways.intern(destination);
    if (!this.paths.lower(key, bytes)) return;
    const known = this.routes.get(key);
    if (known !== undefined) this.setMtu(known);
  }

  /** Folds the hot path's counter into the named ones. */
  snapshot(): Readonly<Record<string, number>> {
    this.counters.ipv6Sent = this.sent;
    return this.counters;
  }

  checkInvariants(): void {
    assert(this.routes.size <= ipv6WaysMax);
    for (const [key, route] of this.routes) assert(route.destination.key === key);
  }

  /** `identification`: of a fragment, null when the piece is all. */
  private sendPiece(
    way: Ipv6Route,
    protocol: number,
    transport: Uint8Array,
    offset: number,
    count: number,
    identification: number | null,
  ): boolean {
    const frame = this.begin();
    if (frame === null) return false;
    let at = HEADERS_BYTES;
    hot.copy(frame, 0, way.template, 0, HEADERS_BYTES);
    frame[NEXT_HEADER_AT] = protocol;
    if (identification !== null) {
      frame[NEXT_HEADER_AT] = HEADER_FRAGMENT;
      const isMore = offset + count < transport.length;
      at += emitFragmentHeader(frame, at, { nextHeader: protocol, offset, isMore, identification });
    }
    hot.copy(frame, at, transport, offset, count);
    writeU16be(frame, PAYLOAD_BYTES_AT, at + count - HEADERS_BYTES);
    this.sent += 1;
    if (way.epoch === way.neighbor.epoch) this.commitFrame(at + count);
    else this.enqueue(way, frame, at + count, NO_PARTS, null);
    return true;
  }

  private commitFrame(frameBytes: number): void {
    this.reserved = null;
    this.device.commit(frameBytes, NO_PARTS, null);
  }

  /** Keeps the packet until the neighbour answers; the reserved memory is free again. */
  private enqueue(
    route: Ipv6Route,
    frame: Uint8Array,
    headBytes: number,
    parts: readonly Uint8Array[],
    checksum: ChecksumRequest | null,
  ): void {
    const { neighbor } = route;
    assert(neighbor instanceof Ipv6Neighbor);
    this.counters.ipv6Queued += 1;
    this.reserved = null;
    this.neighbors.enqueue(neighbor, {
      head: frame.slice(0, headBytes),
      parts: parts.length === 0 ? NO_PARTS : [...parts],
      checksum: checksum === null ? null : { ...checksum },
    });
  }

  /**
   * Makes the template anew after a change at the neighbour, in our addresses or in the routers.
   * Leaves `route.epoch` unequal to the neighbour's when its link address isn't known. False when
   * there is no way any more.
   */
  private refresh(route: Ipv6Route): boolean {
    const neighbor = this.isSource(route.source, route.destination)
      ? this.nextHop(route.destination)
      : null;
    if (neighbor === null) return false;
    route.neighbor = neighbor;
    this.setMtu(route);
    const isUsable = !(neighbor instanceof Ipv6Neighbor) || this.neighbors.use(neighbor);
    const mac = neighbor === this.group ? groupMacOfIpv6(route.destination) : neighbor.mac;
    this.writeTemplate(route, mac);
    route.epoch = isUsable ? neighbor.epoch : -1;
    return true;
  }

  private writeTemplate(route: Ipv6Route, mac: Uint8Array): void {
    const b = route.template;
    const isGroup = isIpv6Multicast(route.destination);
    emitEthernetHeader(b, 0, mac, this.device.mac, ETHERTYPE_IPV6);
    writeU32be(b, VERSION_AT, 0x60000000 + route.flowLabel);
    b[NEXT_HEADER_AT] = PROTOCOL_TCP;
    b[HOP_LIMIT_AT] = isGroup ? HOP_LIMIT_MULTICAST : this.hopLimit;
    writeIpv6Address(b, SOURCE_AT, route.source);
    writeIpv6Address(b, DESTINATION_AT, route.destination);
  }

  private setMtu(route: Ipv6Route): void {
    route.linkMtuBytes = this.mtuBytes;
    route.mtuBytes = Math.min(this.mtuBytes, this.paths.bytes(route.destination.key));
  }

  /** The unspecified address only speaks to groups, before there is another. */
  private isSource(source: Ipv6Address, destination: Ipv6Address): boolean {
    if (source.equals(IPV6_ANY)) return isIpv6Multicast(destination);
    return this.ways.isOurs(source) || (this.foreign?.takes(source) ?? false);
  }

  private nextHop(destination: Ipv6Address): Neighbor<Ipv6Address> | null {
    if (isIpv6Multicast(destination)) return this.group;
    if (!isIpv6HostAddress(destination) || this.ways.isOurs(destination)) return null;
    const next = this.ways.nextHop(destination);
    return next === null ? null : this.neighbors.neighbor(next);
  }

  private randomWord(): number {
    this.entropy.fill(this.random);
    return readI32be(this.random, 0);
  }
}
