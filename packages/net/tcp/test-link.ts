// tidy: int32
/**
 * Two TCP stacks, or one and a test that plays the peer, on a link in virtual time. IP is only a
 * route and an offset. Loss, duplication and reordering come from a seed.
 */

import { hot, instantOfMicros, Log, TimerQueue } from '#core';
import type { ChecksumRequest, Entropy, NetOffload } from '#device';
import {
  type IpAddress,
  type IpOutput,
  type IpRouter,
  type Ipv4Address,
  PROTOCOL_TCP,
  type Route,
} from '../ip.ts';
import { sameAddress } from '../ip-family.ts';
import { Ipv6Address } from '../ipv6-address.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import type { TcpLimits } from './limits.ts';
import { TcpStack } from './stack.ts';

export const NO_OFFLOAD: NetOffload = { transmitChecksum: false, segmentBytesMax: 0 };
export const HERE = 0x0a000001 as Ipv4Address;
export const THERE = 0x0a000002 as Ipv4Address;
export const HERE6 = new Ipv6Address(0x20010db8, 0, 0, 1, 6);
export const THERE6 = new Ipv6Address(0x20010db8, 0, 0, 2, 6);
const TRANSPORT_AT = 34;

/** Mulberry32: small, seeded, good enough to draw losses. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** 0 <= x < 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }
}

export const seededEntropy = (seed: number): Entropy => {
  const random = new Random(seed);
  return {
    fill(out) {
      for (let i = 0; i < out.length; i++) out[i] = Math.floor(random.next() * 256);
    },
  };
};

export interface LinkOptions {
  readonly seed?: number;
  readonly delayMicros?: number;
  readonly bitsPerSecond?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  /** Share of packets that are held for up to five delays more. */
  readonly reorder?: number;
  readonly mtuBytes?: number;
  /** Both ends by IPv6, every packet's addresses as new objects. */
  readonly ipv6?: boolean;
  readonly offload?: NetOffload;
  readonly limits?: TcpLimits;
  readonly nagle?: boolean;
}

export type Deliver = (segment: Uint8Array, source: IpAddress, destination: IpAddress) => void;

interface Arrival {
  readonly at: number;
  readonly segment: Uint8Array;
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

/**
 * IP for one host: builds packets in fresh memory filled with 0xa5 and hands the bytes of each to
 * `send`.
 */
export class FakeIp implements IpRouter, IpOutput {
  /** Packets that `begin` has room for; counted down. */
  room = Number.POSITIVE_INFINITY;
  private readonly address: IpAddress;
  /** May change: it holds for routes made before, too. Segments that don't fit are dropped. */
  mtuBytes: number;
  private readonly deviceMtuBytes: number;
  private readonly send: Deliver;
  private frame: Uint8Array | null = null;
  private burstRoute: Route | null = null;

  constructor(address: IpAddress, mtuBytes: number, send: Deliver) {
    this.address = address;
    this.mtuBytes = mtuBytes;
    this.deviceMtuBytes = mtuBytes;
    this.send = send;
  }

  route(destination: IpAddress, source: IpAddress = this.address): Route | null {
    if (destination === 0) return null;
    const mtu = () => this.mtuBytes;
    return {
      source,
      destination,
      output: this,
      transportAt: TRANSPORT_AT,
      headerBytes: typeof destination === 'number' ? 20 : 40,
      isForMany: false,
      get mtuBytes() {
        return mtu();
      },
    };
  }

  begin(): Uint8Array | null {
    if (this.room <= 0) return null;
    this.frame ??= new Uint8Array(14 + this.deviceMtuBytes).fill(0xa5);
    return this.frame;
  }

  finish(
    route: Route,
    protocol: number,
    transportBytes: number,
    parts: readonly Uint8Array[],
    checksum: ChecksumRequest | null,
  ): void {
    if ((protocol & 0xff) !== PROTOCOL_TCP || this.frame === null)
      throw new Error('finish without begin');
    this.room -= 1;
    if (transportBytes + 20 > this.mtuBytes) return;
    const head = this.frame.subarray(TRANSPORT_AT, TRANSPORT_AT + transportBytes);
    this.frame = null;
    const segment = new Uint8Array(Buffer.concat([head, ...parts]));
    const { source, destination } = route;
    if (checksum === null) {
      this.send(segment, source, destination);
      return;
    }
    if (checksum.startAt !== TRANSPORT_AT || checksum.fieldAt !== 16) throw new Error('request');
    for (const piece of cut(segment, checksum)) {
      setChecksum(piece, source, destination);
      this.send(piece, source, destination);
    }
  }

  sendDatagram(): boolean {
    throw new Error('TCP sends no datagrams');
  }

  burst(route: Route, transportBytes: number, head: Uint8Array): boolean {
    this.burstRoute = route;
    head.fill(0x5a, 0, TRANSPORT_AT);
    return transportBytes + 20 <= this.mtuBytes;
  }

  commitBurst(frameBytes: number): void {
    if (this.frame?.[0] !== 0x5a || this.burstRoute === null) throw new Error('not a burst');
    this.finish(this.burstRoute, PROTOCOL_TCP, frameBytes - TRANSPORT_AT, [], null);
  }
}

/** Another object of the same IPv6 address. */
const copyOf = (a: IpAddress): IpAddress =>
  typeof a === 'number' ? a : new Ipv6Address(a.w0, a.w1, a.w2, a.w3, a.key);

const isHere = (a: IpAddress): boolean => sameAddress(a, HERE) || sameAddress(a, HERE6);

/** What a device does with a segment that is too large for a frame. */
function cut(segment: Uint8Array, request: ChecksumRequest): Uint8Array[] {
  if (request.segmentBytes === 0) return [segment];
  const headerBytes = request.headerBytes - TRANSPORT_AT;
  const pieces: Uint8Array[] = [];
  const view = new DataView(segment.buffer);
  for (let at = headerBytes; at < segment.length; at += request.segmentBytes) {
    const end = Math.min(segment.length, at + request.segmentBytes);
    const piece = new Uint8Array(headerBytes + end - at);
    piece.set(segment.subarray(0, headerBytes));
    piece.set(segment.subarray(at, end), headerBytes);
    new DataView(piece.buffer).setInt32(4, view.getInt32(4) + at - headerBytes);
    if (end < segment.length) piece[13]! &= ~9;
    pieces.push(piece);
  }
  return pieces;
}

export function setChecksum(segment: Uint8Array, source: IpAddress, destination: IpAddress): void {
  segment[16] = 0;
  segment[17] = 0;
  const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_TCP, segment.length);
  const sum = 0xffff - hot.checksum(segment, 0, segment.length, pseudo);
  segment[16] = sum >> 8;
  segment[17] = sum & 0xff;
}

/** The link and both ends; `here` is 10.0.0.1, `there` 10.0.0.2. */
export class TestLink {
  readonly timers = new TimerQueue(instantOfMicros(1_000_000));
  readonly here: TcpStack;
  readonly there: TcpStack;
  readonly thereAddress: IpAddress;
  readonly hereIp: FakeIp;
  readonly thereIp: FakeIp;
  readonly logged: string[] = [];
  sent = 0;
  lost = 0;
  private readonly options: LinkOptions;
  private readonly random: Random;
  private arrivals: Arrival[] = [];
  private readonly freeAt = new Map<boolean, number>();

  constructor(options: LinkOptions = {}) {
    this.options = options;
    this.random = new Random(options.seed ?? 1);
    const mtuBytes = options.mtuBytes ?? 1500;
    const [here, there] = options.ipv6 === true ? [HERE6, THERE6] : [HERE, THERE];
    this.thereAddress = there;
    this.hereIp = new FakeIp(here, mtuBytes, (...packet) => this.transmit(...packet));
    this.thereIp = new FakeIp(there, mtuBytes, (...packet) => this.transmit(...packet));
    this.here = this.stack(this.hereIp, 11);
    this.there = this.stack(this.thereIp, 12);
  }

  get now(): number {
    return this.timers.now;
  }

  /** Runs until nothing happens before `micros` from now. */
  run(micros: number): void {
    const end = this.timers.now + micros;
    for (;;) {
      const next = Math.min(this.arrivals[0]?.at ?? Number.POSITIVE_INFINITY, this.deadline());
      if (next > end) break;
      this.step(Math.max(next, this.timers.now));
    }
    this.timers.run(instantOfMicros(end));
    this.check();
  }

  /** Runs until `done` or `micros` have passed; true when done. */
  runUntil(done: () => boolean, micros: number): boolean {
    const end = this.timers.now + micros;
    while (!done()) {
      const next = Math.min(this.arrivals[0]?.at ?? Number.POSITIVE_INFINITY, this.deadline());
      if (next > end) return false;
      this.step(Math.max(next, this.timers.now));
    }
    return true;
  }

  check(): void {
    this.here.checkInvariants();
    this.there.checkInvariants();
    this.timers.checkInvariants();
  }

  private deadline(): number {
    return this.timers.nextDeadline();
  }

  private step(at: number): void {
    this.timers.now = instantOfMicros(at);
    while (this.arrivals.length > 0 && this.arrivals[0]!.at <= at) {
      const { segment, source, destination } = this.arrivals.shift()!;
      const frame = new Uint8Array(TRANSPORT_AT + segment.length);
      frame.set(segment, TRANSPORT_AT);
      const to = isHere(destination) ? this.here : this.there;
      to.packet(frame, TRANSPORT_AT, frame.length, copyOf(source), copyOf(destination), false);
    }
    this.timers.run(instantOfMicros(at));
  }

  private transmit(segment: Uint8Array, source: IpAddress, destination: IpAddress): void {
    const { delayMicros = 1_000, bitsPerSecond = 1e9, loss = 0, duplicate = 0 } = this.options;
    this.sent += 1;
    const start = Math.max(this.timers.now, this.freeAt.get(isHere(source)) ?? 0);
    const leaves = start + ((segment.length + 34) * 8e6) / bitsPerSecond;
    this.freeAt.set(isHere(source), leaves);
    if (this.random.next() < loss) {
      this.lost += 1;
      return;
    }
    let at = Math.round(leaves + delayMicros);
    if (this.random.next() < (this.options.reorder ?? 0)) {
      at += Math.round(this.random.next() * 5 * delayMicros);
    }
    this.enqueue({ at, segment, source, destination });
    if (this.random.next() < duplicate) this.enqueue({ at: at + 10, segment, source, destination });
  }

  private enqueue(arrival: Arrival): void {
    let i = this.arrivals.length;
    while (i > 0 && this.arrivals[i - 1]!.at > arrival.at) i--;
    this.arrivals.splice(i, 0, arrival);
  }

  private stack(ip: FakeIp, seed: number): TcpStack {
    const { limits, nagle, offload = NO_OFFLOAD } = this.options;
    return new TcpStack({
      ip,
      timers: this.timers,
      entropy: seededEntropy(seed + (this.options.seed ?? 0) * 100),
      log: new Log((line) => this.logged.push(line), 'debug').source('tcp'),
      offload,
      ...(limits === undefined ? {} : { limits }),
      ...(nagle === undefined ? {} : { nagle }),
    });
  }
}
