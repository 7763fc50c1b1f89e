/**
 * An IPv6 router of the tests' own: advertises a prefix on each of its links, answers who asks for
 * it, forwards between them, and says when a packet is too big or has travelled too far (RFC 4861
 * §6.2, RFC 8200, RFC 4443). Not here: links (targets/sim).
 */

import { after, millis, seconds, Timer } from '#core';
import {
  hasPrefix,
  type Ipv6Address,
  isIpv6Multicast,
  parseIpv6Address,
  solicitedNodeOf,
} from '#net';
import {
  ETHERTYPE_IPV6,
  emitEthernet,
  emitIcmpv6,
  emitIpv6,
  emitNdp,
  groupMacOfIpv6,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_TIME_EXCEEDED,
  type Ipv6Repr,
  isNdpType,
  type NdpOption,
  type NdpRepr,
  PROTOCOL_ICMPV6,
  parseEthernet,
  parseIpv6,
  parseNdp,
  pseudoHeaderSum,
  type RouterAdvertisement,
  sumIcmpv6,
} from '#net/wire';
import type { SimHost, SimNetDevice, SimWorld } from '#targets/sim/index';

const PREFIX_BITS = 64;
const NDP_HOP_LIMIT = 255;
const ERROR_BYTES_MAX = 1_232;
const ALL_NODES = parseIpv6Address('ff02::1')!;
const LINK_LOCAL = parseIpv6Address('fe80::1')!;
/** Packets that wait for one link address. */
const WAITING_MAX = 8;

interface Neighbor {
  mac: Uint8Array | null;
  readonly waiting: Ipv6Repr[];
}

interface Link {
  readonly device: SimNetDevice;
  readonly prefix: Ipv6Address;
  /** By text, as this isn't a stack. */
  readonly neighbors: Map<string, Neighbor>;
}

const textOf = (a: Ipv6Address): string => `${a.w0},${a.w1},${a.w2},${a.w3}`;

export class RaRouter {
  readonly counters = { forwarded: 0, tooBig: 0, expired: 0, solicitations: 0 };
  /** What every advertisement says, beside prefix and link address. */
  message: Partial<RouterAdvertisement> = {};
  options: readonly NdpOption[] = [];
  /** Lifetimes of the prefixes, in seconds. */
  lifetimes = { validSeconds: 86_400, preferredSeconds: 14_400 };
  /** Advertises nothing by itself, and answers nobody. */
  isSilent = false;
  private readonly world: SimWorld;
  private readonly links: Link[] = [];
  private readonly timer = new Timer(() => this.advertiseAll());

  constructor(world: SimWorld, host: SimHost, prefix: string) {
    this.world = world;
    this.addLink(host, prefix);
    this.world.timers.arm(this.timer, after(world.timers.now, seconds(200)));
  }

  addLink(host: SimHost, prefix: string): void {
    const parsed = parseIpv6Address(prefix);
    if (parsed === null) throw new TypeError(prefix);
    const link: Link = { device: host.device, prefix: parsed, neighbors: new Map() };
    host.device.attach({ receive: (frame) => this.receive(link, frame), transmitReady() {} });
    this.links.push(link);
  }

  advertiseAll(): void {
    for (const link of this.links) this.advertise(link);
    this.world.timers.arm(this.timer, after(this.world.timers.now, seconds(200)));
  }

  private advertise(link: Link): void {
    if (this.isSilent) return;
    this.sendNdp(link, ALL_NODES, groupMacOfIpv6(ALL_NODES), {
      type: 134,
      hopLimit: 64,
      isManaged: false,
      isOther: false,
      preference: 0,
      lifetimeSeconds: 1_800,
      reachableMillis: 0,
      retransmitMillis: 0,
      ...this.message,
      options: [
        { kind: 'link address', type: 1, mac: link.device.mac },
        {
          kind: 'prefix',
          prefixBits: PREFIX_BITS,
          isOnLink: true,
          isAutonomous: true,
          prefix: link.prefix,
          ...this.lifetimes,
        },
        ...this.options,
      ],
    });
  }

  private receive(link: Link, frame: Uint8Array): void {
    const ethernet = parseEthernet(frame);
    if (!ethernet.ok || ethernet.value.etherType !== ETHERTYPE_IPV6) return;
    const parsed = parseIpv6(ethernet.value.payload);
    if (!parsed.ok) return;
    const packet = parsed.value;
    const isControl = packet.nextHeader === PROTOCOL_ICMPV6 && isNdpType(packet.payload[0] ?? 0);
    if (isControl) this.control(link, packet, ethernet.value.source.slice());
    else if (!isIpv6Multicast(packet.destination)) this.forward(link, packet);
  }

  private control(link: Link, packet: Ipv6Repr, mac: Uint8Array): void {
    const ndp = parseNdp(packet.payload);
    if (!ndp.ok || packet.hopLimit !== NDP_HOP_LIMIT) return;
    const message = ndp.value;
    if (message.type === 133) {
      this.counters.solicitations += 1;
      // RFC 4861 §6.2.6 waits up to half a second at random; a test wants to know when.
      const timer = new Timer(() => this.advertise(link));
      this.world.timers.arm(timer, after(this.world.timers.now, millis(5)));
    } else if (message.type === 135 && message.target.equals(LINK_LOCAL)) {
      const isProbe = textOf(packet.source) === '0,0,0,0';
      this.sendNdp(link, isProbe ? ALL_NODES : packet.source, mac, {
        type: 136,
        isRouter: true,
        isSolicited: !isProbe,
        isOverride: true,
        target: LINK_LOCAL,
        options: [{ kind: 'link address', type: 2, mac: link.device.mac }],
      });
    } else if (message.type === 136) this.learn(link, message.target, mac);
  }

  private learn(link: Link, address: Ipv6Address, mac: Uint8Array): void {
    const neighbor = link.neighbors.get(textOf(address));
    if (neighbor === undefined) return;
    neighbor.mac = mac;
    for (const packet of neighbor.waiting.splice(0)) this.send(link, mac, packet);
  }

  private forward(from: Link, packet: Ipv6Repr): void {
    const to = this.links.find(({ prefix }) => hasPrefix(packet.destination, prefix, PREFIX_BITS));
    if (to === undefined || to === from) return;
    if (packet.hopLimit <= 1) {
      this.counters.expired += 1;
      this.complain(from, packet, ICMPV6_TIME_EXCEEDED, 0);
      return;
    }
    const { mtuBytes } = to.device;
    if (40 + packet.payload.length > mtuBytes) {
      this.counters.tooBig += 1;
      this.complain(from, packet, ICMPV6_PACKET_TOO_BIG, mtuBytes);
      return;
    }
    this.counters.forwarded += 1;
    const payload = packet.payload.slice();
    this.deliver(to, { ...packet, hopLimit: packet.hopLimit - 1, payload });
  }

  private deliver(link: Link, packet: Ipv6Repr): void {
    const key = textOf(packet.destination);
    const neighbor = link.neighbors.get(key) ?? { mac: null, waiting: [] };
    link.neighbors.set(key, neighbor);
    if (neighbor.mac !== null) {
      this.send(link, neighbor.mac, packet);
      return;
    }
    if (neighbor.waiting.length < WAITING_MAX) neighbor.waiting.push(packet);
    const group = solicitedNodeOf(packet.destination);
    this.sendNdp(link, group, groupMacOfIpv6(group), {
      type: 135,
      target: packet.destination,
      options: [{ kind: 'link address', type: 1, mac: link.device.mac }],
    });
  }

  /** An error about `packet` to its sender; from fe80::1, which it can still answer to. */
  private complain(link: Link, packet: Ipv6Repr, type: number, word: number): void {
    const whole = new Uint8Array(40 + packet.payload.length);
    emitIpv6(whole, 0, packet);
    const body = whole.subarray(0, ERROR_BYTES_MAX);
    const payload = new Uint8Array(8 + body.length);
    const sum = pseudoHeaderSum(LINK_LOCAL, packet.source, PROTOCOL_ICMPV6, payload.length);
    emitIcmpv6(payload, 0, { type, code: 0, word, body }, sum);
    this.deliver(link, this.packetOf(packet.source, payload, 64));
  }

  private sendNdp(link: Link, to: Ipv6Address, mac: Uint8Array, repr: NdpRepr): void {
    const message = new Uint8Array(1_280);
    const bytes = emitNdp(message, 0, repr);
    sumIcmpv6(message, 0, bytes, pseudoHeaderSum(LINK_LOCAL, to, PROTOCOL_ICMPV6, bytes));
    this.send(link, mac, this.packetOf(to, message.subarray(0, bytes), NDP_HOP_LIMIT));
  }

  private packetOf(destination: Ipv6Address, payload: Uint8Array, hopLimit: number): Ipv6Repr {
    const none = { trafficClass: 0, flowLabel: 0 };
    const nextHeader = PROTOCOL_ICMPV6;
    return { ...none, nextHeader, hopLimit, source: LINK_LOCAL, destination, payload };
  }

  private send(link: Link, destination: Uint8Array, packet: Ipv6Repr): void {
    const { device } = link;
    const memory = device.reserve();
    if (memory === null) return; // A queue that is full, as routers have them.
    const payload = new Uint8Array(40 + packet.payload.length);
    emitIpv6(payload, 0, packet);
    const frame = { destination, source: device.mac, etherType: ETHERTYPE_IPV6, payload };
    device.commit(emitEthernet(memory, frame), [], null);
  }
}
