/**
 * For tests: a NetStack on a simulated link, and at the other end a peer that sends and sees raw
 * frames.
 */

import { instantOfMicros } from '#core';
import type { SimNetDevice, SimNetDeviceOptions } from '#targets/sim/index';
import { SimWorld } from '#targets/sim/index';
import { ARP_POLICY, type ArpPolicy } from './arp/arp-table.ts';
import type { Ipv4Address } from './ip.ts';
import { parseIpv4Address } from './ip-address.ts';
import { type NetConfiguration, NetStack } from './net-stack.ts';
import {
  type ArpRepr,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  emitArp,
  emitEthernet,
  emitIpv4,
  type Ipv4Repr,
  parseArp,
  parseEthernet,
  parseIpv4,
} from './wire/index.ts';

/** The address, or the test is wrong. */
export function ip(text: string): Ipv4Address {
  const address = parseIpv4Address(text);
  if (address === null) throw new TypeError(text);
  return address;
}

export const OURS = ip('10.0.2.15');
export const PEER = ip('10.0.2.2');

export const STATIC: NetConfiguration = {
  addresses: [{ address: OURS, prefixBits: 24 }],
  gateway: PEER,
  dnsServers: [],
  domain: null,
  mtuBytes: null,
};

export class TestLink {
  readonly world: SimWorld;
  readonly stack: NetStack;
  readonly peer: SimNetDevice;
  /** Frames that the stack sent, copies. */
  readonly heard: Uint8Array[] = [];

  constructor(options: Partial<SimNetDeviceOptions> = {}, arp: ArpPolicy = ARP_POLICY) {
    this.world = new SimWorld(7);
    const host = this.world.addHost('ours', options);
    this.peer = this.world.addHost('peer').device;
    this.peer.attach({
      receive: (frame) => this.heard.push(frame.slice()),
      transmitReady() {},
    });
    this.stack = new NetStack({
      device: host.device,
      timers: this.world.timers,
      entropy: host.entropy,
      logger: host.log.source('net'),
      arp,
    });
    this.world.onCheck(() => this.stack.checkInvariants());
  }

  /** Runs virtual time for `millis` more. */
  wait(millis: number): void {
    this.world.run(instantOfMicros(this.world.timers.now + millis * 1000));
  }

  /** The peer sends a frame as it is, and a millisecond passes. */
  send(frame: Uint8Array): void {
    const memory = this.peer.reserve();
    if (memory === null) throw new RangeError('the peer has no room');
    memory.set(frame);
    this.peer.commit(frame.length, [], null);
    this.wait(1);
  }

  sendEthernet(etherType: number, payload: Uint8Array, destination = this.stack.device.mac): void {
    const frame = new Uint8Array(14 + payload.length);
    emitEthernet(frame, { destination, source: this.peer.mac, etherType, payload });
    this.send(frame);
  }

  sendArp(repr: Partial<ArpRepr>, destination?: Uint8Array): void {
    const bytes = new Uint8Array(28);
    emitArp(bytes, 0, {
      operation: 1,
      senderMac: this.peer.mac,
      senderAddress: PEER,
      targetMac: new Uint8Array(6),
      targetAddress: OURS,
      ...repr,
    });
    this.sendEthernet(ETHERTYPE_ARP, bytes, destination);
  }

  sendIpv4(repr: Partial<Ipv4Repr>, destination?: Uint8Array): void {
    this.sendEthernet(ETHERTYPE_IPV4, ipv4Packet(repr), destination);
  }

  /** ARP packets heard since the last call of a `take` method; other frames are dropped. */
  takeArp(): ArpRepr[] {
    return this.take(ETHERTYPE_ARP).flatMap((payload) => {
      const parsed = parseArp(payload);
      return parsed.ok ? [parsed.value] : [];
    });
  }

  /** As takeArp, for IPv4; throws when one is malformed. */
  takeIpv4(): Ipv4Repr[] {
    return this.take(ETHERTYPE_IPV4).map((payload) => {
      const parsed = parseIpv4(payload);
      if (!parsed.ok) throw new TypeError(`sent a bad packet: ${JSON.stringify(parsed.error)}`);
      return parsed.value;
    });
  }

  /** Configures statically, and lets announcements pass. */
  configure(): void {
    this.stack.configure(STATIC);
    this.wait(3_000);
    this.heard.length = 0;
  }

  /** Configures, and lets the stack know the peer's link address. */
  introduce(): void {
    this.configure();
    this.sendArp({});
    this.heard.length = 0;
  }

  counter(name: string): number {
    const value = this.stack.counters()[name];
    if (value === undefined) throw new TypeError(`no counter ${name}`);
    return value;
  }

  private take(etherType: number): Uint8Array[] {
    return this.heard.splice(0).flatMap((frame) => {
      const parsed = parseEthernet(frame);
      return parsed.ok && parsed.value.etherType === etherType ? [parsed.value.payload] : [];
    });
  }
}

/** A packet from the peer to us, UDP unless said otherwise. */
export function ipv4Packet(repr: Partial<Ipv4Repr>): Uint8Array {
  const whole: Ipv4Repr = {
    trafficClass: 0,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: 17,
    source: PEER,
    destination: OURS,
    options: new Uint8Array(0),
    payload: new Uint8Array(0),
    ...repr,
  };
  const bytes = new Uint8Array(60 + whole.payload.length);
  return bytes.slice(0, emitIpv4(bytes, 0, whole));
}
