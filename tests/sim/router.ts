/**
 * An IPv4 router of the tests' own: forwards between segments as RFC 1812 says, with a queue that
 * overflows, MTUs that differ, and ICMP errors about what it drops. It answers ARP and echo, and
 * pings hosts. Not here: the segments themselves (targets/sim), and whom to route where
 * (topology.ts).
 */

import { after, seconds, Timer } from '#core';
import { type Ipv4Address, netmaskOf } from '#net';
import {
  ARP_REPLY,
  ARP_REQUEST,
  ETHERNET_HEADER_BYTES,
  emitArp,
  emitEthernetHeader,
  emitIcmpv4,
  emitIpv4,
  ICMPV4_CODE_FRAGMENTATION_NEEDED,
  ICMPV4_ECHO_REPLY,
  ICMPV4_ECHO_REQUEST,
  ICMPV4_TIME_EXCEEDED,
  ICMPV4_UNREACHABLE,
  type Ipv4Repr,
  MAC_BROADCAST,
  parseArp,
  parseEthernet,
  parseIcmpv4,
  parseIpv4,
} from '#net/wire';
import type { SimNetDevice, SimNetDeviceOptions, SimSwitch, SimWorld } from '#targets/sim/index';

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const PROTOCOL_ICMP = 1;
const IP_HEADER_BYTES = 20;
const NO_MAC = new Uint8Array(6);
const CODE_NET = 0;
const CODE_HOST = 1;
/** Packets that wait for one link address. */
const WAITING_MAX = 16;
const ARP_REQUESTS_MAX = 3;

interface Neighbor {
  mac: Uint8Array | null;
  asked: number;
  readonly waiting: Ipv4Repr[];
}

export interface RouterInterface {
  readonly device: SimNetDevice;
  readonly address: Ipv4Address;
  readonly prefixBits: number;
  readonly neighbors: Map<number, Neighbor>;
}

interface RouteEntry {
  readonly prefix: number;
  readonly prefixBits: number;
  readonly by: RouterInterface;
  /** Null: the destination itself. */
  readonly via: Ipv4Address | null;
}

export class SimRouter {
  readonly interfaces: RouterInterface[] = [];
  readonly counters = { forwarded: 0, overflows: 0, fragments: 0, errors: 0, arpFailures: 0 };
  /** Drops what is too large without a word: a path MTU black hole (RFC 2923 §2.1). */
  isBlackHole = false;
  /** Told of echo replies: identifier, number, and bytes of data. */
  onEchoReply: (from: Ipv4Address, number: number, body: Uint8Array) => void = () => {};
  private readonly world: SimWorld;
  private readonly name: string;
  private readonly routes: RouteEntry[] = [];
  private identification = 0;
  /** Fragments of echo messages to us, by sender and identification, then by place. */
  private readonly pieces = new Map<string, Map<number, Ipv4Repr>>();

  constructor(world: SimWorld, name: string) {
    this.world = world;
    this.name = name;
  }

  addInterface(
    network: SimSwitch,
    address: Ipv4Address,
    prefixBits: number,
    options: Partial<SimNetDeviceOptions>,
  ): RouterInterface {
    const name = `${this.name}.${this.interfaces.length}`;
    const { device } = this.world.addHost(name, options, network);
    const added: RouterInterface = { device, address, prefixBits, neighbors: new Map() };
    device.attach({ receive: (frame) => this.receive(added, frame), transmitReady() {} });
    this.interfaces.push(added);
    this.addRoute(address, prefixBits, added, null);
    return added;
  }

  addRoute(
    prefix: Ipv4Address,
    prefixBits: number,
    by: RouterInterface,
    via: Ipv4Address | null,
  ): void {
    this.routes.push({ prefix: prefix & netmaskOf(prefixBits), prefixBits, by, via });
    this.routes.sort((a, b) => b.prefixBits - a.prefixBits);
  }

  /** Sends an echo request, in fragments when it is large. */
  ping(destination: Ipv4Address, number: number, body: Uint8Array): void {
    const message = new Uint8Array(8 + body.length);
    emitIcmpv4(message, 0, { type: ICMPV4_ECHO_REQUEST, code: 0, word0: 1, word1: number, body });
    const route = this.lookUp(destination);
    if (route === null) return;
    this.route(this.packet(route.by.address, destination, message));
  }

  private receive(at: RouterInterface, frame: Uint8Array): void {
    const parsed = parseEthernet(frame);
    if (!parsed.ok) return;
    const { etherType, payload } = parsed.value;
    if (etherType === ETHERTYPE_ARP) this.receiveArp(at, payload);
    if (etherType !== ETHERTYPE_IPV4) return;
    const ip = parseIpv4(payload);
    if (!ip.ok) return;
    // The frame goes back to the device; what is forwarded may wait.
    const packet = { ...ip.value, payload: ip.value.payload.slice() };
    if (this.interfaces.some(({ address }) => address === packet.destination)) this.accept(packet);
    else if ((frame[0]! & 1) === 0) this.forward(packet);
  }

  private accept(arrived: Ipv4Repr): void {
    const packet = arrived.protocol === PROTOCOL_ICMP ? this.reassemble(arrived) : null;
    if (packet === null) return;
    const parsed = parseIcmpv4(packet.payload);
    if (!parsed.ok) return;
    const { type, word0, word1, body } = parsed.value;
    if (type === ICMPV4_ECHO_REPLY) this.onEchoReply(packet.source, word1, body);
    if (type !== ICMPV4_ECHO_REQUEST) return;
    const reply = new Uint8Array(packet.payload.length);
    emitIcmpv4(reply, 0, { type: ICMPV4_ECHO_REPLY, code: 0, word0, word1, body });
    this.route(this.packet(packet.destination, packet.source, reply));
  }

  /** The whole packet, or null while parts of it are missing. Never forgets: runs are short. */
  private reassemble(packet: Ipv4Repr): Ipv4Repr | null {
    if (!packet.moreFragments && packet.fragmentOffset === 0) return packet;
    const key = `${packet.source} ${packet.identification}`;
    const pieces = this.pieces.get(key) ?? new Map<number, Ipv4Repr>();
    pieces.set(packet.fragmentOffset * 8, packet);
    this.pieces.set(key, pieces);
    const payload: number[] = [];
    for (;;) {
      const next = pieces.get(payload.length);
      if (next === undefined) return null;
      payload.push(...next.payload);
      if (next.moreFragments) continue;
      this.pieces.delete(key);
      return { ...packet, payload: Uint8Array.from(payload) };
    }
  }

  private forward(packet: Ipv4Repr): void {
    if (packet.ttl <= 1) {
      this.error(packet, ICMPV4_TIME_EXCEEDED, 0, 0);
      return;
    }
    this.counters.forwarded += 1;
    this.route({ ...packet, ttl: packet.ttl - 1 });
  }

  private route(packet: Ipv4Repr): void {
    const route = this.lookUp(packet.destination);
    if (route === null) {
      this.error(packet, ICMPV4_UNREACHABLE, CODE_NET, 0);
      return;
    }
    const { mtuBytes } = route.by.device;
    const headerBytes = IP_HEADER_BYTES + packet.options.length;
    const isTooLarge = headerBytes + packet.payload.length > mtuBytes;
    if (isTooLarge && packet.dontFragment) {
      if (this.isBlackHole) return;
      this.error(packet, ICMPV4_UNREACHABLE, ICMPV4_CODE_FRAGMENTATION_NEEDED, mtuBytes);
      return;
    }
    const next = route.via ?? packet.destination;
    if (!isTooLarge) {
      this.resolve(route.by, next, packet);
      return;
    }
    const pieceBytes = (mtuBytes - headerBytes) & ~7;
    for (let at = 0; at < packet.payload.length; at += pieceBytes) {
      const end = Math.min(packet.payload.length, at + pieceBytes);
      this.counters.fragments += 1;
      this.resolve(route.by, next, {
        ...packet,
        fragmentOffset: packet.fragmentOffset + at / 8,
        moreFragments: packet.moreFragments || end < packet.payload.length,
        payload: packet.payload.subarray(at, end),
      });
    }
  }

  private lookUp(destination: Ipv4Address): RouteEntry | null {
    const fits = ({ prefix, prefixBits }: RouteEntry) =>
      (destination & netmaskOf(prefixBits)) === prefix;
    return this.routes.find(fits) ?? null;
  }

  private resolve(by: RouterInterface, next: Ipv4Address, packet: Ipv4Repr): void {
    let neighbor = by.neighbors.get(next);
    if (neighbor === undefined) {
      neighbor = { mac: null, asked: 0, waiting: [] };
      by.neighbors.set(next, neighbor);
    }
    if (neighbor.mac !== null) {
      this.transmit(by, neighbor.mac, packet);
      return;
    }
    if (neighbor.waiting.length < WAITING_MAX) neighbor.waiting.push(packet);
    if (neighbor.asked === 0) this.ask(by, next, neighbor);
  }

  /** Once a second, and then the packets that wait come back as unreachable. */
  private ask(by: RouterInterface, next: Ipv4Address, neighbor: Neighbor): void {
    if (neighbor.mac !== null) return;
    if (neighbor.asked >= ARP_REQUESTS_MAX) {
      neighbor.asked = 0;
      this.counters.arpFailures += 1;
      for (const packet of neighbor.waiting.splice(0)) {
        this.error(packet, ICMPV4_UNREACHABLE, CODE_HOST, 0);
      }
      return;
    }
    neighbor.asked += 1;
    this.sendArp(by, MAC_BROADCAST, {
      operation: ARP_REQUEST,
      senderMac: by.device.mac,
      senderAddress: by.address,
      targetMac: NO_MAC,
      targetAddress: next,
    });
    const { timers } = this.world;
    timers.arm(new Timer(() => this.ask(by, next, neighbor)), after(timers.now, seconds(1)));
  }

  private receiveArp(at: RouterInterface, payload: Uint8Array): void {
    const parsed = parseArp(payload);
    if (!parsed.ok) return;
    const { operation, senderMac, senderAddress, targetAddress } = parsed.value;
    const known = at.neighbors.get(senderAddress);
    if (known !== undefined) {
      known.mac = senderMac;
      known.asked = 0;
      for (const packet of known.waiting.splice(0)) this.transmit(at, senderMac, packet);
    }
    if (operation !== ARP_REQUEST || targetAddress !== at.address) return;
    this.sendArp(at, senderMac, {
      operation: ARP_REPLY,
      senderMac: at.device.mac,
      senderAddress: at.address,
      targetMac: senderMac,
      targetAddress: senderAddress,
    });
  }

  private sendArp(by: RouterInterface, to: Uint8Array, repr: Parameters<typeof emitArp>[2]): void {
    const frame = by.device.reserve();
    if (frame === null) return;
    emitEthernetHeader(frame, 0, to, by.device.mac, ETHERTYPE_ARP);
    by.device.commit(ETHERNET_HEADER_BYTES + emitArp(frame, ETHERNET_HEADER_BYTES, repr), [], null);
  }

  private transmit(by: RouterInterface, mac: Uint8Array, packet: Ipv4Repr): void {
    const frame = by.device.reserve();
    if (frame === null) {
      this.counters.overflows += 1;
      return;
    }
    emitEthernetHeader(frame, 0, mac, by.device.mac, ETHERTYPE_IPV4);
    const bytes = emitIpv4(frame, ETHERNET_HEADER_BYTES, packet);
    by.device.commit(ETHERNET_HEADER_BYTES + bytes, [], null);
  }

  /** Never about ICMP errors, groups, or fragments but the first (RFC 1812 §4.3.2.7). */
  private error(about: Ipv4Repr, type: number, code: number, mtuBytes: number): void {
    const isIcmp = about.protocol === PROTOCOL_ICMP;
    const isEcho = isIcmp && (about.payload[0] === 8 || about.payload[0] === 0);
    const back = this.lookUp(about.source);
    if ((isIcmp && !isEcho) || about.fragmentOffset > 0 || back === null) return;
    this.counters.errors += 1;
    const quoted = new Uint8Array(60 + about.payload.length);
    const length = emitIpv4(quoted, 0, about);
    const body = quoted.subarray(0, Math.min(length, IP_HEADER_BYTES + about.options.length + 8));
    const message = new Uint8Array(8 + body.length);
    emitIcmpv4(message, 0, { type, code, word0: 0, word1: mtuBytes, body });
    this.route(this.packet(back.by.address, about.source, message));
  }

  private packet(source: Ipv4Address, destination: Ipv4Address, message: Uint8Array): Ipv4Repr {
    this.identification = (this.identification + 1) & 0xffff;
    return {
      trafficClass: 0,
      identification: this.identification,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: PROTOCOL_ICMP,
      source,
      destination,
      options: new Uint8Array(0),
      payload: message,
    };
  }
}
