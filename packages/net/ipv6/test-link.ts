/** For tests: a TestLink whose stack speaks IPv6, and whose peer plays router and neighbours. */

import assert from 'node:assert/strict';
import type { Ipv6Address } from '../ipv6-address.ts';
import { formatIpv6Address, parseIpv6Address } from '../ipv6-text.ts';
import { TestLink } from '../test-link.ts';
import {
  ETHERTYPE_IPV6,
  emitIcmpv6,
  emitIpv6,
  emitNdp,
  formatNdp,
  groupMacOfIpv6,
  type Icmpv6Repr,
  type Ipv6Repr,
  isNdpType,
  NDP_ROUTER_ADVERTISEMENT,
  NDP_SOURCE_LINK_ADDRESS,
  type NdpOption,
  type NdpRepr,
  PROTOCOL_ICMPV6,
  parseEthernet,
  parseIcmpv6,
  parseIpv6,
  parseNdp,
  pseudoHeaderSum,
  type RouterAdvertisement,
  sumIcmpv6,
} from '../wire/index.ts';
import type { Ipv6Settings } from './ipv6.ts';

/** The address, or the test is wrong. */
export function ip6(text: string): Ipv6Address {
  const address = parseIpv6Address(text);
  assert.ok(address !== null, text);
  return address;
}

export const ROUTER = ip6('fe80::1');
export const NEIGHBOR = ip6('fe80::2');
export const SECRET = Uint8Array.from({ length: 16 }, (_, i) => i);
const AUTO: Ipv6Settings = { secret: SECRET, fixed: null };

/** A packet of ours, with its message when it is ICMPv6. */
export interface Heard {
  readonly ip: Ipv6Repr;
  readonly macTo: Uint8Array;
  readonly icmp: Icmpv6Repr | null;
  readonly ndp: NdpRepr | null;
}

export class Ipv6TestLink extends TestLink {
  start(settings: Partial<Ipv6Settings> = {}): this {
    assert.ok(this.stack.startIpv6({ ...AUTO, ...settings }));
    return this;
  }

  /** Started, duplicate detection over, a router known with 2001:db8:0:1::/64. */
  online(): this {
    this.start();
    this.wait(2_000);
    this.advertise();
    this.wait(3_000);
    this.heard.length = 0;
    return this;
  }

  /** "fe80::...", and those from prefixes. */
  get linkLocal(): Ipv6Address {
    return this.own(0);
  }

  get global(): Ipv6Address {
    return this.own(1);
  }

  own(index: number): Ipv6Address {
    const own = this.stack.ipv6?.addresses[index];
    assert.ok(own !== undefined, 'no such address');
    return own.address;
  }

  sendIpv6(repr: Partial<Ipv6Repr>, macTo?: Uint8Array): void {
    const whole: Ipv6Repr = {
      trafficClass: 0,
      flowLabel: 0,
      nextHeader: PROTOCOL_ICMPV6,
      hopLimit: 64,
      source: NEIGHBOR,
      destination: this.linkLocal,
      payload: new Uint8Array(0),
      ...repr,
    };
    const bytes = new Uint8Array(40 + whole.payload.length);
    emitIpv6(bytes, 0, whole);
    const isGroup = whole.destination.w0 >>> 24 === 0xff;
    const to = isGroup ? groupMacOfIpv6(whole.destination) : this.stack.device.mac;
    this.sendEthernet(ETHERTYPE_IPV6, bytes, macTo ?? to);
  }

  sendIcmpv6(repr: Partial<Icmpv6Repr>, ip: Partial<Ipv6Repr> = {}): void {
    const { source = NEIGHBOR, destination = this.linkLocal } = ip;
    const whole = { type: 128, code: 0, word: 0x10002, body: new Uint8Array(0), ...repr };
    const payload = new Uint8Array(8 + whole.body.length);
    const sum = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, payload.length);
    emitIcmpv6(payload, 0, whole, sum);
    this.sendIpv6({ source, destination, ...ip, payload });
  }

  sendNdp(repr: NdpRepr, ip: Partial<Ipv6Repr> = {}): void {
    const { source = NEIGHBOR, destination = this.linkLocal } = ip;
    const message = new Uint8Array(1_280);
    const bytes = emitNdp(message, 0, repr);
    const sum = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, bytes);
    sumIcmpv6(message, 0, bytes, sum);
    const payload = message.subarray(0, bytes);
    this.sendIpv6({ hopLimit: 255, source, destination, ...ip, payload });
  }

  /** An advertisement for 2001:db8:0:1::/64, unless said otherwise. */
  advertise(message: Partial<RouterAdvertisement> = {}, ip: Partial<Ipv6Repr> = {}): void {
    this.sendNdp(
      {
        type: NDP_ROUTER_ADVERTISEMENT,
        hopLimit: 0,
        isManaged: false,
        isOther: false,
        preference: 0,
        lifetimeSeconds: 1_800,
        reachableMillis: 0,
        retransmitMillis: 0,
        options: [this.linkAddress(), prefixOption()],
        ...message,
      },
      { source: ROUTER, destination: ip6('ff02::1'), ...ip },
    );
  }

  /** The peer's. */
  linkAddress(type: 1 | 2 = NDP_SOURCE_LINK_ADDRESS): NdpOption {
    return { kind: 'link address', type, mac: this.peer.mac };
  }

  /** IPv6 packets heard since the last call of a `take` method; throws when one is malformed. */
  takeIpv6(): Heard[] {
    return this.heard.splice(0).flatMap((frame) => {
      const ethernet = parseEthernet(frame);
      if (!ethernet.ok || ethernet.value.etherType !== ETHERTYPE_IPV6) return [];
      return [heardOf(ethernet.value.payload, ethernet.value.destination)];
    });
  }

  /** "fe80::1 > ff02::1 who has ... [options]", of neighbour discovery only. */
  takeNdp(): string[] {
    return this.takeIpv6().flatMap(({ ip, ndp }) => {
      if (ndp === null) return [];
      assert.equal(ip.hopLimit, 255);
      const way = `${formatIpv6Address(ip.source)} > ${formatIpv6Address(ip.destination)}`;
      return [`${way} ${formatNdp(ndp)}`];
    });
  }
}

export function prefixOption(
  more: Partial<Extract<NdpOption, { kind: 'prefix' }>> = {},
): NdpOption {
  return {
    kind: 'prefix',
    prefixBits: 64,
    isOnLink: true,
    isAutonomous: true,
    validSeconds: 86_400,
    preferredSeconds: 14_400,
    prefix: ip6('2001:db8:0:1::'),
    ...more,
  };
}

function heardOf(bytes: Uint8Array, macTo: Uint8Array): Heard {
  const parsed = parseIpv6(bytes);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const ip = parsed.value;
  const isPlain = ip.nextHeader === PROTOCOL_ICMPV6;
  const isAlert = ip.nextHeader === 0;
  if (!isPlain && !isAlert) return { ip, macTo, icmp: null, ndp: null };
  const message = isAlert ? ip.payload.subarray(8) : ip.payload;
  const sum = pseudoHeaderSum(ip.source, ip.destination, PROTOCOL_ICMPV6, message.length);
  const icmp = parseIcmpv6(message, sum);
  assert.ok(icmp.ok, JSON.stringify(icmp));
  if (!isNdpType(icmp.value.type)) return { ip, macTo, icmp: icmp.value, ndp: null };
  const ndp = parseNdp(message);
  assert.ok(ndp.ok, JSON.stringify(ndp));
  return { ip, macTo, icmp: icmp.value, ndp: ndp.value };
}
