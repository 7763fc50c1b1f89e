/**
 * For tests: a router between two simulated links, and on each link a peer that sends and sees raw
 * packets. Every address of a link but the router's is the peer's.
 */

import { hot, instantOfMicros, readU16be, writeU16be, writeU32be } from '#core';
import { type Ipv4Address, NetStack, parseIpv4Address } from '#net';
import {
  ARP_REPLY,
  ARP_REQUEST,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  emitArp,
  emitEthernet,
  emitIcmpv4,
  emitIpv4,
  emitUdp,
  type Icmpv4Repr,
  type Ipv4Repr,
  parseArp,
  parseEthernet,
  parseIcmpv4,
  parseIpv4,
  parseUdp,
  pseudoHeaderSum,
} from '#net/wire';
import { type SimNetDevice, type SimNetDeviceOptions, SimWorld } from '#targets/sim/index';
import { type NatOptions, Router, type RouterOptions } from './router.ts';

export function ip(text: string): Ipv4Address {
  const address = parseIpv4Address(text);
  if (address === null) throw new TypeError(text);
  return address;
}

/** The router's addresses, with hosts of each link. */
export const INSIDE = ip('192.168.7.1');
export const HOST = ip('192.168.7.10');
export const OTHER = ip('192.168.7.11');
export const OUTSIDE = ip('198.51.100.2');
export const GATEWAY = ip('198.51.100.1');
export const REMOTE = ip('203.0.113.5');
export const REMOTE2 = ip('203.0.113.6');

/** A link's other end: all hosts there. */
export class Peer {
  readonly device: SimNetDevice;
  readonly heard: Uint8Array[] = [];
  /** Whether it answers ARP requests. */
  answers = true;
  /** Addresses that were asked for. */
  readonly asked: Ipv4Address[] = [];
  onIpv6: (frame: Uint8Array) => void = () => {};
  private readonly stack: NetStack;
  private readonly own: Ipv4Address;

  constructor(device: SimNetDevice, stack: NetStack, own: Ipv4Address) {
    this.device = device;
    this.stack = stack;
    this.own = own;
    device.attach({ receive: (frame) => this.receive(frame.slice()), transmitReady() {} });
  }

  send(frame: Uint8Array): void {
    const memory = this.device.reserve();
    if (memory === null) throw new RangeError('the peer has no room');
    memory.set(frame);
    this.device.commit(frame.length, [], null);
  }

  sendIpv4(repr: Partial<Ipv4Repr>, destination = this.stack.device.mac): void {
    const payload = packet(repr);
    const frame = new Uint8Array(14 + payload.length);
    emitEthernet(frame, { destination, source: this.device.mac, etherType: 0x0800, payload });
    this.send(frame);
  }

  /** IPv4 packets heard since the last call; throws when one has a bad header. */
  take(): Ipv4Repr[] {
    return this.heard.splice(0).map((bytes) => {
      const parsed = parseIpv4(bytes);
      if (!parsed.ok) throw new TypeError(`a bad packet: ${JSON.stringify(parsed.error)}`);
      return parsed.value;
    });
  }

  private receive(frame: Uint8Array): void {
    const parsed = parseEthernet(frame);
    if (!parsed.ok) return;
    const { etherType, payload } = parsed.value;
    if (etherType === ETHERTYPE_IPV4) this.heard.push(payload);
    if (etherType === ETHERTYPE_IPV6) this.onIpv6(frame);
    if (etherType !== ETHERTYPE_ARP || !this.answers) return;
    const arp = parseArp(payload);
    if (!arp.ok || arp.value.operation !== ARP_REQUEST) return;
    const { senderMac, senderAddress, targetAddress } = arp.value;
    if (targetAddress === this.own || senderAddress === 0) return;
    this.asked.push(targetAddress);
    const bytes = new Uint8Array(28);
    emitArp(bytes, 0, {
      operation: ARP_REPLY,
      senderMac: this.device.mac,
      senderAddress: targetAddress,
      targetMac: senderMac,
      targetAddress: senderAddress,
    });
    const reply = new Uint8Array(42);
    const source = this.device.mac;
    emitEthernet(reply, { destination: senderMac, source, etherType: 0x0806, payload: bytes });
    this.send(reply);
  }
}

export interface TestOptions {
  readonly nat?: Partial<NatOptions> | null;
  readonly router?: Partial<RouterOptions>;
  readonly inside?: Partial<SimNetDeviceOptions>;
  readonly outside?: Partial<SimNetDeviceOptions>;
}

export class TestNetwork {
  readonly world = new SimWorld(11);
  readonly router: Router;
  readonly inside: Peer;
  readonly outside: Peer;
  readonly insideStack: NetStack;
  readonly outsideStack: NetStack;

  constructor({ nat = {}, router = {}, inside = {}, outside = {} }: TestOptions = {}) {
    const { world } = this;
    const outer = world.addSwitch();
    const hosts = [world.addHost('inside', inside), world.addHost('outside', outside, outer)];
    const [insideStack, outsideStack] = hosts.map(
      ({ device, entropy, log }) =>
        new NetStack({ device, timers: world.timers, entropy, logger: log.source('net') }),
    );
    this.insideStack = insideStack!;
    this.outsideStack = outsideStack!;
    const jumbo = { mtuBytes: 1500 };
    this.inside = new Peer(world.addHost('hosts', jumbo).device, this.insideStack, INSIDE);
    this.outside = new Peer(
      world.addHost('remotes', jumbo, outer).device,
      this.outsideStack,
      OUTSIDE,
    );
    this.router = new Router({
      inside: this.insideStack,
      outside: this.outsideStack,
      timers: world.timers,
      entropy: hosts[0]!.entropy,
      nat: nat === null ? null : { forwards: [], ...nat },
      ...router,
    });
    world.onCheck(() => {
      this.router.checkInvariants();
      this.insideStack.checkInvariants();
      this.outsideStack.checkInvariants();
    });
    const none = { dnsServers: [], domain: null, mtuBytes: null };
    this.insideStack.configure({
      addresses: [{ address: INSIDE, prefixBits: 24 }],
      gateway: null,
      ...none,
    });
    this.outsideStack.configure({
      addresses: [{ address: OUTSIDE, prefixBits: 24 }],
      gateway: GATEWAY,
      ...none,
    });
    this.wait(4_000);
    this.inside.heard.length = 0;
    this.outside.heard.length = 0;
  }

  /** Runs virtual time for `millis` more. */
  wait(millis = 5): void {
    this.world.run(instantOfMicros(this.world.timers.now + millis * 1_000));
  }

  counter(name: string): number {
    const value = this.router.counters()[name];
    if (value === undefined) throw new TypeError(`no counter ${name}`);
    return value;
  }

  /** An inside host sends; what the outside hears within some milliseconds. */
  out(repr: Partial<Ipv4Repr>): Ipv4Repr[] {
    this.inside.sendIpv4(repr);
    this.wait();
    return this.outside.take();
  }

  /** Somebody outside sends; what the inside hears. */
  in(repr: Partial<Ipv4Repr>): Ipv4Repr[] {
    this.outside.sendIpv4(repr);
    this.wait();
    return this.inside.take();
  }
}

/** A whole packet, UDP from HOST to REMOTE unless said otherwise. */
export function packet(repr: Partial<Ipv4Repr>): Uint8Array {
  const whole: Ipv4Repr = {
    trafficClass: 0,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: 17,
    source: HOST,
    destination: REMOTE,
    options: new Uint8Array(0),
    payload: new Uint8Array(0),
    ...repr,
  };
  const bytes = new Uint8Array(60 + whole.payload.length);
  return bytes.slice(0, emitIpv4(bytes, 0, whole));
}

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A UDP datagram with its checksum. */
export function udp(
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  destinationPort: number,
  body: string | Uint8Array = 'hello',
): Partial<Ipv4Repr> {
  const data = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const payload = new Uint8Array(8 + data.length);
  const sum = pseudoHeaderSum(source, destination, 17, payload.length);
  emitUdp(payload, 0, { sourcePort, destinationPort, payload: data }, sum);
  return { protocol: 17, source, destination, payload };
}

export interface SeenUdp {
  readonly source: Ipv4Address;
  readonly sourcePort: number;
  readonly destination: Ipv4Address;
  readonly destinationPort: number;
  readonly body: string;
  readonly ttl: number;
}

/** The datagram of a packet; throws when its checksum is wrong. */
export function seenUdp(repr: Ipv4Repr | undefined): SeenUdp {
  if (repr === undefined || repr.protocol !== 17) throw new TypeError('no datagram');
  const { source, destination, payload, ttl } = repr;
  const parsed = parseUdp(payload, pseudoHeaderSum(source, destination, 17, payload.length));
  if (!parsed.ok) throw new TypeError(JSON.stringify(parsed.error));
  const { sourcePort, destinationPort } = parsed.value;
  return {
    ...{ source, sourcePort, destination, destinationPort, ttl },
    body: text(parsed.value.payload),
  };
}

export function icmp(
  source: Ipv4Address,
  destination: Ipv4Address,
  repr: Partial<Icmpv4Repr>,
): Partial<Ipv4Repr> {
  const whole = { type: 8, code: 0, word0: 77, word1: 1, body: new Uint8Array(8), ...repr };
  const payload = new Uint8Array(8 + whole.body.length);
  emitIcmpv4(payload, 0, whole);
  return { protocol: 1, source, destination, payload };
}

/** The message of a packet; throws when its checksum is wrong. */
export function seenIcmp(repr: Ipv4Repr | undefined): Icmpv4Repr {
  if (repr === undefined || repr.protocol !== 1) throw new TypeError('no ICMP');
  const parsed = parseIcmpv4(repr.payload);
  if (!parsed.ok) throw new TypeError(JSON.stringify(parsed.error));
  return parsed.value;
}

export interface TcpParts {
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly options: Uint8Array;
  readonly body: Uint8Array;
}

/** A segment with its checksum. */
export function tcp(
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  destinationPort: number,
  parts: Partial<TcpParts>,
): Partial<Ipv4Repr> {
  const { flags = 0x10, seq = 1, ack = 0 } = parts;
  const { options = new Uint8Array(0), body = new Uint8Array(0) } = parts;
  const headerBytes = 20 + options.length;
  const payload = new Uint8Array(headerBytes + body.length);
  writeU16be(payload, 0, sourcePort);
  writeU16be(payload, 2, destinationPort);
  writeU32be(payload, 4, seq);
  writeU32be(payload, 8, ack);
  payload[12] = (headerBytes / 4) << 4;
  payload[13] = flags;
  payload.set(options, 20);
  payload.set(body, headerBytes);
  const sum = pseudoHeaderSum(source, destination, 6, payload.length);
  writeU16be(payload, 16, 0xffff - hot.checksum(payload, 0, payload.length, sum));
  return { protocol: 6, source, destination, payload, dontFragment: true };
}

export interface SeenTcp {
  readonly source: Ipv4Address;
  readonly sourcePort: number;
  readonly destination: Ipv4Address;
  readonly destinationPort: number;
  readonly flags: number;
}

/** The segment of a packet; throws when its checksum is wrong. */
export function seenTcp(repr: Ipv4Repr | undefined): SeenTcp {
  if (repr === undefined || repr.protocol !== 6) throw new TypeError('no segment');
  const { source, destination, payload } = repr;
  const sum = pseudoHeaderSum(source, destination, 6, payload.length);
  if (hot.checksum(payload, 0, payload.length, sum) !== 0xffff) throw new TypeError('bad sum');
  return {
    source,
    sourcePort: readU16be(payload, 0),
    destination,
    destinationPort: readU16be(payload, 2),
    flags: payload[13]!,
  };
}
