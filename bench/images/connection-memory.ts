/**
 * An image that measures what connections cost in its own engine: it plays their peers, frame by
 * frame, on a device of no more than one frame, and prints heap bytes by state. Peers keep nothing.
 * `connection-memory.ts` of the folder above builds and runs it.
 */

import { instantOfMicros, Log, TimerQueue, writeU16be, writeU32be } from '#core';
import type { Clock, Entropy, Flow, KvReadOnly, Machine, NetDevice, NetHandler } from '#device';
import { HttpServer, StaticSite } from '#http';
import { type Ipv4Address, MemoryBudget, NetStack, PROTOCOL_TCP, TcpStack } from '#net';
import { emitArp, emitTcp, emptyTcpOptions, IPV4_HEADER_BYTES, pseudoHeaderSum } from '#net/wire';
import { launch } from '#targets/process/index';

const OURS = 0x0a000001 as Ipv4Address;
const GATEWAY = 0x0a0000fe as Ipv4Address;
const GATEWAY_MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);
const OUR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const TCP_AT = 14 + IPV4_HEADER_BYTES;
const COUNT = 1_000;
const FIN = 1;
const SYN = 2;
const PSH = 8;
const ACK = 16;
const HEAD = 'GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: measure\r\nAccept: */*\r\n\r\n';

const { heapBytes } = (
  globalThis as unknown as { readonly __base: { readonly memory: { heapBytes(): number } } }
).__base.memory;

/** Keeps the last TCP segment's numbers that it was given. */
class Wire implements NetDevice {
  readonly mac = OUR_MAC;
  readonly mtuBytes = 1_500;
  readonly offload = { transmitChecksum: false, segmentBytesMax: 0 };
  handler!: NetHandler;
  /** Of the last segment. */
  seq = 0;
  payloadBytes = 0;
  private readonly memory = new Uint8Array(1_514);
  private readonly view = new DataView(this.memory.buffer);

  attach(handler: NetHandler): void {
    this.handler = handler;
  }

  reserve(): Uint8Array {
    return this.memory;
  }

  commit(headBytes: number): void {
    if (this.memory[23] !== PROTOCOL_TCP) return;
    this.seq = this.view.getInt32(TCP_AT + 4);
    this.payloadBytes = headBytes - TCP_AT - (this.memory[TCP_AT + 12]! >> 4) * 4;
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }
}

class Bench {
  readonly wire = new Wire();
  readonly net: NetStack;
  readonly tcp: TcpStack;
  readonly timers: TimerQueue;
  private readonly frame = new Uint8Array(1_514);
  private readonly seqs = new Int32Array(COUNT);

  constructor(timers: TimerQueue, entropy: Entropy, log: Log) {
    this.timers = timers;
    const memory = new MemoryBudget(64 * 1_048_576);
    const logger = log.source('net');
    this.net = new NetStack({ device: this.wire, timers, entropy, logger, memory });
    const { ip } = this.net;
    const { offload } = this.wire;

    this.tcp = new TcpStack({ ip, timers, entropy, log: logger, offload, memory });
    this.net.registerTransport(PROTOCOL_TCP, this.tcp, this.tcp);
    this.net.configure({
      addresses: [{ address: OURS, prefixBits: 24 }],
      gateway: GATEWAY,
      dnsServers: [],
      domain: null,
      mtuBytes: null,
    });
    const arp = new Uint8Array(60);
    arp.set(OUR_MAC);
    arp.set(GATEWAY_MAC, 6);
    writeU16be(arp, 12, 0x0806);
    emitArp(arp, 14, {
      operation: 2,
      senderMac: GATEWAY_MAC,
      senderAddress: GATEWAY,
      targetMac: OUR_MAC,
      targetAddress: OURS,
    });
    this.wire.handler.receive(arp, false);
  }

  /** A segment of peer `i`: one address for all, or one for each. */
  segment(i: number, isOneAddress: boolean, flags: number, seq: number, text = '', at = 0): void {
    const peer = (isOneAddress ? 0x0b000001 : 0x0b000001 + i) as Ipv4Address;
    const payload = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k++) payload[k] = text.charCodeAt(k);
    const options = emptyTcpOptions();
    if (flags & SYN) Object.assign(options, { mss: 1_460, windowShift: 7, sackPermitted: true });
    const f = this.frame;
    const repr = {
      sourcePort: 10_000 + i,
      destinationPort: 80,
      seq: (1_000 + seq + at) as never,
      ack: (flags & ACK ? this.seqs[i]! : 0) as never,
      flags,
      window: 65_535,
      urgent: 0,
      options,
      payload,
    };
    const bytes = emitTcp(f, TCP_AT, repr, pseudoHeaderSum(peer, OURS, PROTOCOL_TCP, 0));
    f.set(OUR_MAC);
    f.set(GATEWAY_MAC, 6);
    writeU16be(f, 12, 0x0800);
    f.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, PROTOCOL_TCP, 0, 0], 14);
    writeU16be(f, 16, IPV4_HEADER_BYTES + bytes);
    writeU32be(f, 26, peer);
    writeU32be(f, 30, OURS);
    let sum = 0;
    for (let k = 14; k < TCP_AT; k += 2) sum += (f[k]! << 8) | f[k + 1]!;
    sum = (sum & 0xffff) + (sum >> 16);
    writeU16be(f, 24, ~(sum + (sum >> 16)) & 0xffff);
    this.wire.handler.receive(f.subarray(0, TCP_AT + bytes), true);
    if (flags & SYN) this.seqs[i] = (this.wire.seq + 1) | 0;
    this.timers.run(this.timers.now);
  }

  /** The peer has `bytes` more of ours. */
  acknowledge(i: number, bytes: number): void {
    this.seqs[i] = (this.seqs[i]! + bytes) | 0;
  }

  open(i: number, isOneAddress: boolean): void {
    this.segment(i, isOneAddress, SYN, -1);
    this.segment(i, isOneAddress, ACK, 0);
  }
}

const SITE: KvReadOnly = {
  get: (path) =>
    path === 'index.html'
      ? { bytes: new Uint8Array(300), modifiedSeconds: 0, digest: '0'.repeat(32), variants: [] }
      : null,
  paths: () => ['index.html'],
};

type Make = (timers: TimerQueue, entropy: Entropy, clock: Clock, log: Log) => Bench;
type Do = (bench: Bench, i: number) => void;

const NOTHING = { data() {}, drained() {}, end() {}, closed() {} };

/** A server that keeps nothing for its connections but the flows. */
const bare: Make = (timers, entropy, _clock, log) => {
  const bench = new Bench(timers, entropy, log);
  bench.tcp.listen(80, (flow: Flow) => flow.attach(NOTHING));
  return bench;
};
const paused: Make = (timers, entropy, _clock, log) => {
  const bench = new Bench(timers, entropy, log);
  bench.tcp.listen(80, (flow: Flow) => {
    flow.attach(NOTHING);
    flow.pause();
  });
  return bench;
};
const site: Make = (timers, entropy, clock, log) => {
  const bench = new Bench(timers, entropy, log);
  const handler = new StaticSite(SITE, clock);
  const limits = { connectionsMax: 4 * COUNT };
  const server = new HttpServer({ handler, timers, clock, log: log.source('http'), limits });
  bench.tcp.listen(80, (flow: Flow) => server.accept(flow));
  return bench;
};

const CASES: readonly (readonly [string, Make, Do])[] = [
  ['half-open, one address', bare, (b, i) => b.segment(i, true, SYN, -1)],
  ['half-open, an address each', bare, (b, i) => b.segment(i, false, SYN, -1)],
  ['established, one address', bare, (b, i) => b.open(i, true)],
  ['established, an address each', bare, (b, i) => b.open(i, false)],
  [
    'established, 1 byte after a hole',
    bare,
    (b, i) => {
      b.open(i, true);
      b.segment(i, true, ACK, 0, 'x', 10);
    },
  ],
  [
    'established, 1 byte unread',
    paused,
    (b, i) => {
      b.open(i, true);
      b.segment(i, true, ACK | PSH, 0, 'x');
    },
  ],
  [
    'TIME_WAIT, one address',
    (timers, entropy, _clock, log) => {
      const bench = new Bench(timers, entropy, log);
      bench.tcp.listen(80, (flow: Flow) => {
        flow.attach(NOTHING);
        flow.shutdown();
      });
      return bench;
    },
    (b, i) => {
      b.open(i, true);
      b.acknowledge(i, 1);
      b.segment(i, true, ACK | FIN, 0);
    },
  ],
  ['static site, connected', site, (b, i) => b.open(i, true)],
  [
    'static site, reset by the peer',
    site,
    (b, i) => {
      b.open(i, true);
      b.segment(i, true, 4, 0);
    },
  ],
  [
    'static site, kept alive after a request',
    site,
    (b, i) => {
      b.open(i, true);
      b.segment(i, true, ACK | PSH, 0, HEAD);
      b.acknowledge(i, b.wire.payloadBytes);
      b.segment(i, true, ACK, HEAD.length);
    },
  ],
  [
    'static site, half a head',
    site,
    (b, i) => {
      b.open(i, true);
      b.segment(i, true, ACK | PSH, 0, HEAD.slice(0, 20));
    },
  ],
];

function measure(machine: Machine, log: Log, [name, make, act]: (typeof CASES)[number]): void {
  const timers = new TimerQueue(instantOfMicros(0));
  const bench = make(timers, machine.entropy, machine.clock, log);
  // What the first ones make once isn't theirs.
  for (let i = 0; i < COUNT; i++) {
    if (i === 8) started = heapBytes();
    act(bench, i);
  }
  // Idle for a while: timers that have nothing left to do find out.
  timers.run(instantOfMicros(2e6));
  const bytes = (heapBytes() - started) / (COUNT - 8);
  const { connections, timeWait } = bench.tcp.counters();
  const charged = Math.round(bench.net.memory.usedBytes / COUNT);
  machine.console.writeLine(
    `${name}|${Math.round(bytes)}|${charged}|${connections} connections, ${timeWait} waiting`,
  );
}

let started = 0;
launch((machine) => {
  const log = new Log((line) => machine.console.writeLine(line), 'warn');
  for (const one of CASES) measure(machine, log, one);
  return Promise.resolve(0);
});
