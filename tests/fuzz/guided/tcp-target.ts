/**
 * The input path of TCP: an input is a program of eight-byte records, each a segment of one of six
 * hostile peers, time that goes by, something that the application does, or an ICMP error. Numbers
 * are near those that matter (the window's edges, what is in flight, half of the number space). A
 * seventh peer is a good one, and must be served to the end. All bytes of a stream follow from
 * their sequence numbers, so that whatever overlaps, one delivery only is right.
 */

import { seconds, toU32 } from '#core';
import { memoryBytesDefault, memoryBytesMin, parseIpv4Address } from '#net';
import {
  emitEthernetHeader,
  emitIcmpv4,
  emitIpv4,
  emptyTcpOptions,
  TCP_ACK,
  TCP_FIN,
  TCP_SYN,
  type TcpOptions,
} from '#net/wire';
import type { SimRandom } from '#targets/sim/index';
import { Peer, streamByte } from './peer.ts';
import { type FuzzFlow, GATEWAY_MAC, Subject, US } from './subject.ts';
import type { GuidedTarget } from './target.ts';

const RECORD_BYTES = 8;
/** A first record that begins so is about the machine. */
const OPTIONS = 0xcf;
const SERVED_PORT = 80;
const ECHO_PORT = 81;
const PASSIVE_PEERS = 4;
const PEERS = 6;
const HOSTILE = parseIpv4Address('10.0.0.2')!;
const GOOD = parseIpv4Address('10.0.0.3')!;
const FIRST_PEER_PORT = 5_000;
const GOOD_PORT = 6_000;
const FLOOD_PORT = 20_000;
/** SYNs of floods in one program. */
const FLOOD_MAX = 600;
/** Written and not taken by peers; what more a program writes is left out. */
const QUEUED_BYTES_MAX = 200_000;
/** Frames in answer to one record: a burst of a whole window, and a little. */
const ANSWERS_MAX = 400;

const OFFSETS = [0, 0, 0, 0, 1, -1, 2, -2, 10, -10, 536, 1_460, -1_460, 4_000, 30_000, 65_534];
const FAR = [65_535, 65_536, -65_535, 0x7fff_ffff, -0x7fff_ffff, 0x4000_0000, 1 << 20, -(1 << 20)];
const LENGTHS = [0, 0, 0, 1, 2, 7, 100, 536, 1_000, 1_459, 1_460];
const WINDOWS = [65_535, 65_535, 0, 1, 100, 536, 1_000, 8_192, 512];
const WAITS = [0, 1_000, 10_000, 40_000, 200_000, 500_000, 1e6, 3e6, 11e6, 61e6];
const COMMON_FLAGS = [
  0x10, 0x10, 0x10, 0x18, 0x02, 0x12, 0x11, 0x19, 0x04, 0x14, 0x01, 0x00, 0xd0, 0xc2,
];

const pick = (table: readonly number[], byte: number): number => table[byte % table.length]!;
/** Mostly near, now and then far. */
const offsetOf = (byte: number): number => (byte < 200 ? pick(OFFSETS, byte) : pick(FAR, byte));

class Program {
  private readonly subject: Subject;
  private readonly isPoor: boolean;
  private readonly peers: Peer[] = [];
  private readonly good: Peer;
  private readonly words = new Set<string>();
  private readonly flooders = new Map<number, Peer>();
  private flooded = 0;
  private queued = 0;
  private echoed = 0;

  /** Bits: the device sums and cuts; memory is as small as it may be. */
  constructor(options: number) {
    this.isPoor = (options & 2) !== 0;
    this.subject = new Subject((frame) => this.hear(frame), {
      hasOffload: (options & 1) !== 0,
      memoryBytes: this.isPoor ? memoryBytesMin : memoryBytesDefault,
    });
    for (let i = 0; i < PEERS; i++) {
      const isPassive = i < PASSIVE_PEERS;
      const port = isPassive ? FIRST_PEER_PORT + i : FIRST_PEER_PORT + 1_000 + i;
      const iss = [0x7fff_fff0, 0xffff_fff0, 1, 0x8000_0000, 77, 0xffff_ff00][i]!;
      this.peers.push(new Peer(this.subject, HOSTILE, port, isPassive ? SERVED_PORT : 0, iss));
    }
    this.subject.listen(SERVED_PORT, (flow) => this.checkStream(flow));
    this.subject.listen(ECHO_PORT, (flow) => {
      flow.onData = (_position, bytes) => flow.flow.write(bytes.slice());
    });
    this.good = new Peer(this.subject, GOOD, GOOD_PORT, ECHO_PORT, 1_000);
    this.good.onHeard = ({ flags, seq, payload }) => this.goodHears(flags, seq, payload);
    if (!this.isPoor) this.meetGood();
  }

  run(input: readonly Uint8Array[]): readonly string[] {
    for (const record of input) {
      const before = this.subject.wire.sent;
      const isWait = this.perform(record);
      if ((record[0]! & 0x80) === 0) this.subject.turn();
      const answers = this.subject.wire.sent - before;
      if (!isWait && answers > ANSWERS_MAX)
        throw new RangeError(`${answers} answers to one record`);
    }
    this.subject.wire.ready();
    this.subject.turn();
    if (!this.isPoor) this.exchange(1_000);
    const hear = this.good.onHeard;
    this.good.onHeard = () => {};
    this.subject.expectNothingLeft();
    // With little memory the good peer may have been refused before, but no more.
    if (this.isPoor) {
      this.good.onHeard = hear;
      this.meetGood();
    }
    for (const [name, count] of Object.entries(this.subject.tcp.counters())) {
      if (count > 0) this.words.add(`${name} ${Math.min(4, Math.ceil(Math.log2(count + 1)))}`);
    }
    return [...this.words];
  }

  private meetGood(): void {
    this.good.say(TCP_SYN);
    this.subject.turn();
    this.exchange(10);
  }

  /** True when time went by. */
  private perform(record: Uint8Array): boolean {
    const [kind = 0, a = 0, b = 0, c = 0] = record;
    switch (kind & 15) {
      case 9:
        this.flood(a, b, c);
        return false;
      case 10:
        this.subject.wait(pick(WAITS, a) + b * 97);
        return true;
      case 11:
        this.write(a, 1 + b * c);
        return false;
      case 12:
        this.act(a, b);
        return false;
      case 13:
        this.icmp(record);
        return false;
      case 14:
        this.connect(PASSIVE_PEERS + (a % (PEERS - PASSIVE_PEERS)));
        return false;
      case 15:
        this.subject.wire.room = a < 128 ? a % 8 : Number.POSITIVE_INFINITY;
        if (a >= 128) this.subject.wire.ready();
        return false;
      default:
        this.segment(record);
        return false;
    }
  }

  private segment(record: Uint8Array): void {
    const [
      ,
      flagByte = 0,
      seqByte = 0,
      ackByte = 0,
      length = 0,
      window = 0,
      options = 0,
      last = 0,
    ] = record;
    const peer = this.peers[last % PEERS]!;
    const flags = flagByte < 128 ? pick(COMMON_FLAGS, flagByte) : flagByte;
    const isSyn = (flags & TCP_SYN) !== 0;
    const seqBase = isSyn && seqByte < 128 ? peer.iss : seqByte % 3 === 0 ? peer.ourAck : peer.next;
    const seq = toU32(seqBase + offsetOf(seqByte));
    const ack = toU32(peer.ourNext + (ackByte < 160 ? 0 : offsetOf(ackByte)));
    const bytes = isSyn ? length % 3 : pick(LENGTHS, length);
    const payload = Uint8Array.from({ length: bytes }, (_, i) =>
      streamByte(seq + i + (isSyn ? 1 : 0)),
    );
    const isGood = seq === peer.next || (isSyn && seq === peer.iss);
    if (isSyn) peer.syns.push(seq);
    if (isGood) peer.next = toU32(seq + bytes + (isSyn ? 1 : 0) + (flags & TCP_FIN));
    this.words.add(`${this.stateOf(peer)} ${flags & 0x17}`);
    const hasMalformed = (options & 0xf0) === 0xe0;
    peer.send({
      flags,
      seq,
      ack: (flags & TCP_ACK) !== 0 ? ack : 0,
      window: pick(WINDOWS, window),
      urgent: (flags & 0x20) !== 0 ? bytes : 0,
      payload,
      options: this.optionsOf(peer, options, ack, window),
      ...(hasMalformed ? { extra: Uint8Array.of(options, window, length, last) } : {}),
      isBroken: last >= 250,
    });
  }

  private optionsOf(peer: Peer, bits: number, ack: number, param: number): TcpOptions {
    const options = emptyTcpOptions();
    if ((bits & 1) !== 0) options.mss = pick([1_460, 536, 0, 1, 88, 9_000, 65_535], param);
    if ((bits & 2) !== 0) options.windowShift = pick([0, 7, 14, 15, 255], param);
    if ((bits & 4) !== 0) options.sackPermitted = true;
    if ((bits & 8) !== 0) {
      options.hasTimestamps = true;
      const now = this.subject.timers.now / 1_000;
      options.timestamp = (now + (param < 200 ? 0 : offsetOf(param))) | 0;
      options.timestampEcho = peer.ourTimestamp + (param % 16 === 15 ? offsetOf(param) : 0);
    }
    if ((bits & 16) !== 0) {
      // All options together have 40 bytes.
      options.sackCount = (bits & 7) === 0 ? 1 + (param % 3) : 1;
      for (let i = 0; i < options.sackCount; i++) {
        const left = ack + offsetOf((param * (i + 3)) & 0xff) + i * 1_460;
        options.sack[2 * i] = left;
        options.sack[2 * i + 1] = left + pick([1_460, 1, 2_920, 0, -1, 100_000], param + i);
      }
    }
    return options;
  }

  /** SYNs of many, from ports that come again; with `answers`, those who got a SYN-ACK open. */
  private flood(count: number, from: number, answers: number): void {
    const ports = Array.from({ length: count }, (_, i) => FLOOD_PORT + ((from * 16 + i) % 512));
    for (const port of ports) {
      if (this.flooded >= FLOOD_MAX) return;
      this.flooded += 1;
      let peer = this.flooders.get(port);
      if (peer === undefined) {
        peer = new Peer(this.subject, HOSTILE, port, SERVED_PORT, port * 65_537);
        this.flooders.set(port, peer);
      }
      peer.next = peer.iss;
      peer.syns.push(peer.iss);
      peer.say(TCP_SYN);
    }
    if (answers % 2 === 0) return;
    this.subject.turn();
    for (const port of ports) this.flooders.get(port)?.say(TCP_ACK, Uint8Array.of());
  }

  private peerAt(port: number): Peer | undefined {
    return this.flooders.get(port) ?? this.peers.find((peer) => peer.port === port);
  }

  private write(which: number, count: number): void {
    const { flows } = this.subject;
    const flow = flows[which % Math.max(1, flows.length)];
    if (flow === undefined || this.queued + count > QUEUED_BYTES_MAX) return;
    this.queued += count;
    flow.flow.write(new Uint8Array(count));
  }

  private act(which: number, what: number): void {
    const { flows } = this.subject;
    const flow = flows[which % Math.max(1, flows.length)]?.flow;
    // The good peer's flow is not for hostile hands.
    if (flow === undefined || flow.local.port === ECHO_PORT) return;
    if (what % 5 === 0) flow.shutdown();
    else if (what % 5 === 1) flow.abort();
    else if (what % 5 === 2) flow.pause();
    else if (what % 5 === 3) flow.resume();
    else if (what % 10 === 4) flow.lowWaterBytes = what * 16;
    else flow.askIfAlive(what < 128 ? seconds(what) : null);
  }

  private connect(index: number): void {
    const peer = this.peers[index]!;
    this.subject.tcp.connect(HOSTILE, peer.port, (result) => {
      if (!result.ok) return;
      this.subject.listenTo(result.value, (flow) => this.checkStream(flow));
    });
  }

  private icmp(record: Uint8Array): void {
    const [, kind = 0, code = 0, seqByte = 0, mtuHigh = 0, mtuLow = 0, , last = 0] = record;
    const peer = this.peers[last % PEERS]!;
    const inner = new DataView(new ArrayBuffer(28));
    inner.setUint16(20, peer.ourPort);
    inner.setUint16(22, peer.port);
    inner.setUint32(24, toU32(peer.ourNext + offsetOf(seqByte) - 1));
    // The header speaks of the whole packet, of which the start is quoted.
    const whole = new Uint8Array(1_500);
    emitIpv4(whole, 0, {
      ...HEADER,
      source: US,
      destination: HOSTILE,
      payload: new Uint8Array(whole.length - 20),
    });
    const quoted = whole.subarray(0, 28);
    quoted.set(new Uint8Array(inner.buffer, 20), 20);
    const message = new Uint8Array(36);
    emitIcmpv4(message, 0, {
      type: pick([3, 3, 3, 11, 12], kind),
      code: pick([4, 3, 2, 1, 0, 13], code),
      word0: 0,
      word1: (mtuHigh << 8) | mtuLow,
      body: quoted,
    });
    const frame = new Uint8Array(14 + 56);
    emitEthernetHeader(frame, 0, this.subject.wire.mac, GATEWAY_MAC, 0x0800);
    emitIpv4(frame, 14, {
      ...HEADER,
      protocol: 1,
      source: HOSTILE,
      destination: US,
      payload: message,
    });
    this.subject.wire.inject(frame);
  }

  private stateOf(peer: Peer): string {
    const ends = `10.0.0.2:${peer.port}`;
    const found = this.subject.tcp
      .connections()
      .find(({ remote, local }) => remote === ends && `${local}`.endsWith(`:${peer.ourPort}`));
    return String(found?.state ?? 'none');
  }

  /** Every byte that is delivered must be the one of its sequence number. */
  private checkStream(flow: FuzzFlow): void {
    const peer = this.peerAt(flow.flow.remote.port);
    if (peer === undefined) throw new RangeError('a connection with nobody');
    // Whichever of its SYNs was taken: the stream begins after it.
    let starts = peer.syns.map((seq) => seq + 1);
    flow.onData = (position, bytes) => {
      starts = starts.filter((start) =>
        bytes.every((byte, i) => byte === streamByte(start + position + i)),
      );
      if (starts.length === 0) throw new RangeError('the application got bytes that were not sent');
    };
  }

  private hear(frame: Uint8Array): void {
    if (frame[12] !== 8 || frame[13] !== 0 || frame[23] !== 6) return;
    const port = (frame[36]! << 8) | frame[37]!;
    if (port === GOOD_PORT) this.good.hear(frame);
    else this.peerAt(port)?.hear(frame);
  }

  private goodHears(flags: number, seq: number, payload: Uint8Array): void {
    if ((flags & 4) !== 0) throw new RangeError('the good peer got a RST');
    const isOld = toU32(seq + payload.length) !== this.good.ourNext;
    if (!isOld) this.echoed += payload.length;
    if (payload.length === 0 && (flags & TCP_SYN) === 0 && !isOld) return;
    this.subject.later(() => this.good.say(TCP_ACK));
  }

  /** The good peer sends so many bytes, and they come back within ten seconds. */
  private exchange(count: number): void {
    const wanted = this.echoed + count;
    this.good.say(
      0x18,
      Uint8Array.from({ length: count }, (_, i) => i),
    );
    for (let i = 0; i < 100 && this.echoed < wanted; i++) this.subject.wait(100_000);
    if (this.echoed !== wanted) throw new RangeError('the good peer is not served');
  }
}

const HEADER = {
  trafficClass: 0,
  identification: 1,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: 6,
  options: new Uint8Array(0),
};

const record = (...bytes: number[]): Uint8Array =>
  Uint8Array.from({ length: RECORD_BYTES }, (_, i) => bytes[i] ?? 0);

function draw(random: SimRandom): Uint8Array {
  const drawn = new Uint8Array(RECORD_BYTES);
  random.fill(drawn);
  // Mostly segments, mostly of the first peer: a program with one theme gets further.
  drawn[0] =
    (random.chance(0.7) ? random.below(10) : random.between(10, 15)) |
    (random.chance(0.1) ? 0x80 : 0);
  if (random.chance(0.6)) drawn[7] = 0;
  if (random.chance(0.5)) drawn[2] = 0;
  if (random.chance(0.6)) drawn[3] = 0;
  if (random.chance(0.7)) drawn[1] = random.below(COMMON_FLAGS.length);
  return drawn;
}

export const tcpTarget: GuidedTarget = {
  name: 'tcp',
  isMeasured: (url) => url.includes('/packages/net/tcp/'),
  seeds: () => [
    // SYN, ACK, data, FIN; and the application answers.
    [record(0, 4, 0, 0, 0, 0, 7), record(0, 0), record(0, 3, 0, 0, 6), record(11, 1, 50, 50)],
    [
      record(14, 0),
      record(0, 5, 0, 0, 0, 0, 7, 4),
      record(0, 3, 0, 0, 6, 0, 0, 4),
      record(0, 6, 0, 0, 0, 0, 0, 4),
    ],
    [
      record(0, 4, 0, 0, 0, 0, 15),
      record(0, 0),
      record(11, 1, 200, 200),
      record(10, 7),
      record(0, 0, 0, 170),
    ],
    [record(0, 4), record(0, 0), record(12, 1, 0), record(0, 6), record(10, 8)],
    [record(OPTIONS, 1), record(0, 4), record(0, 0), record(11, 0, 250, 250), record(0, 0)],
    [record(OPTIONS, 2), record(0, 4), record(0, 0), record(11, 0, 250, 250), record(0, 0)],
    [record(OPTIONS, 2), record(9, 255, 0, 0), record(9, 255, 16, 1), record(0, 4), record(0, 0)],
    [record(0, 4), record(0, 0), record(12, 1, 9), record(10, 9), record(10, 9), record(10, 9)],
    // A loss, three duplicate acknowledgments with SACK, the recovery, and a timeout.
    [
      ...[record(0, 4, 0, 0, 0, 0, 15), record(0, 0, 0, 0, 0, 0, 8), record(11, 1, 200, 200)],
      ...[172, 172, 172, 172, 172].map((ack) => record(0, 0, 0, ack, 0, 6, 24)),
      ...[record(10, 5), record(0, 0, 0, 0, 0, 0, 8), record(11, 1, 200, 50), record(10, 7)],
      ...[record(0, 0, 0, 160, 0, 0, 8), record(13, 0, 0, 0, 2, 80), record(10, 9)],
    ],
    // Out of order and again, into a paused reader; a window that closes and opens.
    [
      ...[record(0, 4, 0, 0, 0, 0, 4), record(0, 0), record(12, 1, 2)],
      ...[8, 10, 9, 8, 0].map((seq) => record(0, 3, seq, 0, 6)),
      ...[record(0, 3, 0, 0, 10), record(12, 1, 3), record(11, 1, 100, 100)],
      ...[record(0, 0, 0, 0, 0, 2), record(10, 6), record(0, 0, 0, 0, 0, 0)],
    ],
  ],
  draw,
  mutate(bytes, random) {
    if (random.chance(0.1)) return draw(random);
    const at = random.below(RECORD_BYTES);
    const kind = random.below(3);
    if (kind === 0) bytes[at] = random.u32();
    else if (kind === 1) bytes[at] = bytes[at]! ^ (1 << random.below(8));
    else bytes[at] = bytes[at]! + random.pick([1, 255, 16, 240]);
    return bytes;
  },
  run(input) {
    const [first] = input;
    const isOptions = first?.[0] === OPTIONS;
    const program = new Program(isOptions ? (first?.[1] ?? 0) : 0);
    return program.run(isOptions ? input.slice(1) : input);
  },
};
