/**
 * Where a script plays: our whole stack on one end of a simulated Ethernet link without delay, and
 * the script on the other, in virtual time. Not here: what the script says (runner.ts).
 */

import { after, type Instant, instantOfMicros, micros } from '#core';
import { type ArpPolicy, ipv4AddressOf, TCP_LIMITS } from '#net';
import { PcapRecorder, type SimHost, SimWorld } from '#targets/sim/index';
import { StackHost } from '../sim/stack-host.ts';
import { App } from './app.ts';
import { arp } from './notation/arp.ts';
import { macBytes, readPacket, writeFrame } from './notation/envelope.ts';
import { mld } from './notation/mld.ts';
import { ndp } from './notation/ndp.ts';
import type { Head, Script } from './script.ts';
import { bytesOfHex } from './words.ts';

const PCAP_FRAMES_MAX = 100_000;
const WARM_MICROS = 10_000_000;
const ARP_REQUEST = 1;
const NEIGHBOR_SOLICITATION = 135;

export interface Captured {
  readonly at: Instant;
  readonly frame: Uint8Array;
}

/** The policy that our stack is made with. */
export type MakeArp = (world: SimWorld) => ArpPolicy;

export class Stage {
  readonly world: SimWorld;
  readonly app: App;
  readonly pcap = new PcapRecorder(PCAP_FRAMES_MAX);
  /** Frames that our stack sent and no step has looked at. */
  readonly captured: Captured[] = [];
  /** Frames that went into our stack, as they were. */
  readonly injected: Uint8Array[] = [];
  /** Told of every frame that is kept, when it leaves. */
  onFrame: (frame: Uint8Array) => void = () => {};
  /** The script's zero. */
  readonly start: Instant;
  private readonly script: Script;
  private readonly wire: SimHost;

  constructor(script: Script, arp?: MakeArp) {
    const { head, scene } = script;
    this.script = script;
    this.world = new SimWorld(head.seed);
    this.world.network.faults.delay = micros(0);
    this.world.network.tap = this.pcap.tap;
    const limits = { ...TCP_LIMITS, ...head.tcpLimits };
    const host = new StackHost(this.world, 'us', deviceOptions(script), {
      tcp: { limits, nagle: head.nagle },
      memoryBytes: head.memoryBytes,
      ...(arp === undefined ? {} : { arp: arp(this.world) }),
    });
    this.app = new App(host, scene);
    this.app.tellsDrained = head.shown.has('drained');
    // Whatever isn't for us is for the script, whoever's address it bears.
    this.wire = this.world.addHost('script', { mtuBytes: 65_535, mac: macBytes(WIRE_MAC) });
    this.wire.device.attach({ receive: (frame) => this.receive(frame), transmitReady() {} });
    if (head.shown.has('configuration')) this.watchConfiguration();
    if (head.isConfigured) {
      const ours = { address: scene.us.address, prefixBits: scene.prefixBits };
      host.net.configure({
        addresses: [ours],
        gateway: scene.gateway,
        dnsServers: [],
        domain: null,
        mtuBytes: null,
      });
    }
    if (head.ipv6 !== null) this.startIpv6(head.ipv6);
    const isWatched = head.shown.size > 0 || !head.isConfigured;
    this.world.run(instantOfMicros(head.warm ?? (isWatched ? 0 : WARM_MICROS)));
    if (head.warm !== null || !isWatched) this.captured.length = 0;
    this.start = this.world.timers.now;
  }

  /** Microseconds since the script's zero. */
  get now(): number {
    return this.world.timers.now - this.start;
  }

  /** Everything that happens before `at`, not what happens at it. */
  runBefore(at: number): void {
    const limit = this.instant(at - 1);
    if (limit > this.world.timers.now) this.world.run(limit);
  }

  /** Everything that happens up to `at`. */
  runTo(at: number): void {
    this.world.run(this.instant(at));
  }

  /** Runs until `isDone` or `at`. */
  runUntil(isDone: () => boolean, at: number): void {
    const limit = this.instant(at);
    while (!isDone() && this.world.step(limit));
  }

  inject(frame: Uint8Array): void {
    this.injected.push(frame.slice());
    const { world, wire } = this;
    world.network.carry(wire.device, { bytes: frame, partial: null, borrowed: null }, now(world));
  }

  private instant(at: number): Instant {
    return after(this.start, micros(at));
  }

  private receive(frame: Uint8Array): void {
    const kept = frame.slice();
    if (!this.script.head.shown.has('arp') && this.answersArp(kept)) return;
    if (this.hidesIpv6(kept)) return;
    this.captured.push({ at: this.world.timers.now, frame: kept });
    this.onFrame(kept);
  }

  /** Stands in for the hosts of the scene, so that scripts about other things needn't. */
  private answersArp(frame: Uint8Array): boolean {
    const { scene } = this.script;
    const request = arp.recognise(readPacket(frame), scene);
    if (request === null) return false;
    const asked = scene.neighbor(ipv4AddressOf(Number(request.tpa)));
    if (request.op === ARP_REQUEST && asked !== null && request.spa !== request.tpa) {
      const answer = { op: 2, spa: asked.address, sha: asked.mac };
      this.inject(writeFrame(arp, { smac: asked.mac }, answer, scene));
    }
    return true;
  }

  private startIpv6(how: 'fixed' | 'auto'): void {
    const { head, scene } = this.script;
    const { net } = this.app.host;
    if (head.shown.has('configuration')) {
      net.onNames(() => this.app.note(0, `addresses ${net.addresses().join(' ')}`));
    }
    const fixed = {
      address: scene.ipv6('us6'),
      prefixBits: scene.prefixBits6,
      gateway: scene.gateway6 === null ? null : scene.ipv6(scene.gateway6),
    };
    const secret = head.ipv6Secret === '' ? null : bytesOfHex(head.ipv6Secret);
    net.startIpv6({ secret, fixed: how === 'fixed' ? fixed : null });
  }

  /** As answersArp, for neighbour discovery; and what a host says about its groups. */
  private hidesIpv6(frame: Uint8Array): boolean {
    const { head, scene } = this.script;
    const packet = readPacket(frame);
    if (!head.shown.has('mld') && mld.recognise(packet, scene) !== null) return true;
    const message = head.shown.has('ndp') ? null : ndp.recognise(packet, scene);
    if (message === null) return false;
    const asked = message.type === NEIGHBOR_SOLICITATION ? scene.neighbor(message.target!) : null;
    const { src } = packet.envelope;
    if (asked === null || src === '::') return true;
    const answer = { type: 136, target: message.target!, flags: 'SO', tll: asked.mac };
    const envelope = { src: message.target!, dst: src!, ttl: 255, smac: asked.mac };
    this.inject(writeFrame(ndp, envelope, answer, scene));
    return true;
  }

  private watchConfiguration(): void {
    const { net } = this.app.host;
    net.onConfiguration((configuration) => {
      const addresses = net.addresses().join(' ');
      this.app.note(0, configuration === null ? 'deconfigured' : `configured ${addresses}`);
    });
  }
}

const WIRE_MAC = '02:ff:ff:ff:ff:ff';
const now = (world: SimWorld): Instant => world.timers.now;

function deviceOptions({ head, scene }: Script): Partial<Head> & { readonly mac: Uint8Array } {
  const { mtuBytes, transmitChecksum, segmentBytesMax, queueFramesMax, bitsPerSecond } = head;
  const mac = macBytes(scene.us.mac);
  return { mac, mtuBytes, transmitChecksum, segmentBytesMax, queueFramesMax, bitsPerSecond };
}
