/** For tests: a TestNetwork that routes IPv6, whose peers are all hosts of their links. */

import { hot, writeU16be, writeU32be } from '#core';
import { type Ipv6Address, parseIpv6Address } from '#net';
import {
  ETHERTYPE_IPV6,
  emitEthernet,
  emitIcmpv6,
  emitIpv6,
  emitNdp,
  emitUdp,
  type Icmpv6Repr,
  type Ipv6Repr,
  isNdpType,
  PROTOCOL_ICMPV6,
  parseIcmpv6,
  parseIpv6,
  parseNdp,
  pseudoHeaderSum,
  sumIcmpv6,
} from '#net/wire';
import type { SimNetDeviceOptions } from '#targets/sim/index';
import { type Peer, TestNetwork } from '../test-network.ts';
import { type FirewallOptions, Router6 } from './router6.ts';

export function ip6(text: string): Ipv6Address {
  const address = parseIpv6Address(text);
  if (address === null) throw new TypeError(text);
  return address;
}

export const INSIDE6 = ip6('2001:db8:7::1');
export const HOST6 = ip6('2001:db8:7::10');
export const OTHER6 = ip6('2001:db8:7::11');
export const OUTSIDE6 = ip6('2001:db8:1::2');
export const GATEWAY6 = ip6('2001:db8:1::1');
export const REMOTE6 = ip6('2001:db8:ffff::5');
export const REMOTE6B = ip6('2001:db8:ffff::6');

export class TestNetwork6 extends TestNetwork {
  readonly router6: Router6;
  readonly heardInside: Ipv6Repr[] = [];
  readonly heardOutside: Ipv6Repr[] = [];
  answers6 = true;

  constructor(
    firewall: FirewallOptions | null = { rules: [] },
    outside: Partial<SimNetDeviceOptions> = {},
  ) {
    super({ nat: null, outside });
    const fix = (address: Ipv6Address, gateway: Ipv6Address | null) => ({
      secret: new Uint8Array(16),
      fixed: { address, prefixBits: 64, gateway },
    });
    this.insideStack.startIpv6(fix(INSIDE6, null));
    this.outsideStack.startIpv6(fix(OUTSIDE6, GATEWAY6));
    const { timers } = this.world;
    const stacks = { inside: this.insideStack, outside: this.outsideStack };
    this.router6 = new Router6({ ...stacks, timers, firewall });
    this.world.onCheck(() => this.router6.checkInvariants());
    this.inside.onIpv6 = (frame) => this.heard(this.inside, this.heardInside, frame);
    this.outside.onIpv6 = (frame) => this.heard(this.outside, this.heardOutside, frame);
    this.wait(3_000);
    this.heardInside.length = 0;
    this.heardOutside.length = 0;
  }

  counter6(name: string): number {
    const value = this.router6.counters()[name];
    if (value === undefined) throw new TypeError(`no counter ${name}`);
    return value;
  }

  /** An inside host sends; what the outside hears. */
  out6(repr: Partial<Ipv6Repr>): Ipv6Repr[] {
    this.send6(this.inside, this.insideStack.device.mac, repr);
    this.wait();
    return this.heardOutside.splice(0);
  }

  in6(repr: Partial<Ipv6Repr>): Ipv6Repr[] {
    this.send6(this.outside, this.outsideStack.device.mac, repr);
    this.wait();
    return this.heardInside.splice(0);
  }

  private send6(peer: Peer, destination: Uint8Array, repr: Partial<Ipv6Repr>): void {
    const payload = packet6(repr);
    const frame = new Uint8Array(14 + payload.length);
    const source = peer.device.mac;
    emitEthernet(frame, { destination, source, etherType: ETHERTYPE_IPV6, payload });
    peer.send(frame);
  }

  private heard(peer: Peer, into: Ipv6Repr[], frame: Uint8Array): void {
    const parsed = parseIpv6(frame.slice(14));
    if (!parsed.ok) throw new TypeError(JSON.stringify(parsed.error));
    const { nextHeader, payload, source } = parsed.value;
    const isNdp = nextHeader === PROTOCOL_ICMPV6 && isNdpType(payload[0]!);
    if (!isNdp) {
      // Reports of groups come with a hop-by-hop header.
      if (nextHeader !== 0) into.push(parsed.value);
      return;
    }
    const ndp = parseNdp(payload);
    if (!ndp.ok || ndp.value.type !== 135 || !this.answers6 || source.w0 === 0) return;
    const { target } = ndp.value;
    const message = new Uint8Array(64);
    const bytes = emitNdp(message, 0, {
      type: 136,
      isRouter: false,
      isSolicited: true,
      isOverride: true,
      target,
      options: [{ kind: 'link address', type: 2, mac: peer.device.mac }],
    });
    sumIcmpv6(message, 0, bytes, pseudoHeaderSum(target, source, PROTOCOL_ICMPV6, bytes));
    const answer = { source: target, destination: source, nextHeader: PROTOCOL_ICMPV6 };
    const whole = { ...answer, hopLimit: 255, payload: message.subarray(0, bytes) };
    this.send6(peer, frame.slice(6, 12), whole);
  }
}

/** A whole packet, from HOST6 to REMOTE6 unless said otherwise. */
export function packet6(repr: Partial<Ipv6Repr>): Uint8Array {
  const whole: Ipv6Repr = {
    trafficClass: 0,
    flowLabel: 0,
    nextHeader: 17,
    hopLimit: 64,
    source: HOST6,
    destination: REMOTE6,
    payload: new Uint8Array(0),
    ...repr,
  };
  const bytes = new Uint8Array(40 + whole.payload.length);
  emitIpv6(bytes, 0, whole);
  return bytes;
}

export function udp6(
  source: Ipv6Address,
  sourcePort: number,
  destination: Ipv6Address,
  destinationPort: number,
  body = new Uint8Array(5),
): Partial<Ipv6Repr> & { readonly payload: Uint8Array } {
  const payload = new Uint8Array(8 + body.length);
  const sum = pseudoHeaderSum(source, destination, 17, payload.length);
  emitUdp(payload, 0, { sourcePort, destinationPort, payload: body }, sum);
  return { nextHeader: 17, source, destination, payload };
}

export function tcp6(
  source: Ipv6Address,
  sourcePort: number,
  destination: Ipv6Address,
  destinationPort: number,
  flags: number,
  ack = 0,
): Partial<Ipv6Repr> {
  const payload = new Uint8Array(20);
  writeU16be(payload, 0, sourcePort);
  writeU16be(payload, 2, destinationPort);
  writeU32be(payload, 4, 1);
  writeU32be(payload, 8, ack);
  payload[12] = 0x50;
  payload[13] = flags;
  const sum = pseudoHeaderSum(source, destination, 6, payload.length);
  writeU16be(payload, 16, 0xffff - hot.checksum(payload, 0, payload.length, sum));
  return { nextHeader: 6, source, destination, payload };
}

export function icmp6(
  source: Ipv6Address,
  destination: Ipv6Address,
  repr: Partial<Icmpv6Repr>,
): Partial<Ipv6Repr> {
  const whole = { type: 128, code: 0, word: 0x70001, body: new Uint8Array(8), ...repr };
  const payload = new Uint8Array(8 + whole.body.length);
  const sum = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, payload.length);
  emitIcmpv6(payload, 0, whole, sum);
  return { nextHeader: PROTOCOL_ICMPV6, source, destination, payload };
}

/** The message of a packet; throws when its checksum is wrong. */
export function seenIcmp6(repr: Ipv6Repr | undefined): Icmpv6Repr {
  if (repr === undefined || repr.nextHeader !== PROTOCOL_ICMPV6) throw new TypeError('no ICMPv6');
  const { source, destination, payload } = repr;
  const sum = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, payload.length);
  const parsed = parseIcmpv6(payload, sum);
  if (!parsed.ok) throw new TypeError(JSON.stringify(parsed.error));
  return parsed.value;
}
