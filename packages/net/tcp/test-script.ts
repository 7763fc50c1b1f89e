/**
 * One stack and a test that plays its peer, segment by segment, in virtual time. Sequence numbers
 * are relative: the peer's to PEER_ISS, ours to the first SYN that we sent.
 */

import assert from 'node:assert/strict';
import { hot, instantOfMicros, Log, seqOf, TimerQueue } from '#core';
import type { Flow, FlowEnd, FlowHandler, NetOffload } from '#device';
import { type IpAddress, PROTOCOL_TCP } from '../ip.ts';
import { memoryBytesDefault } from '../limits.ts';
import { MemoryBudget } from '../memory-budget.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { emitTcp, emptyTcpOptions, parseTcp, type TcpOptions, type TcpRepr } from '../wire/tcp.ts';
import { Connection } from './connection.ts';
import { DEFAULT_LIMITS, type TcpLimits } from './limits.ts';
import { TcpStack } from './stack.ts';
import { FakeIp, HERE, NO_OFFLOAD, seededEntropy, THERE } from './test-link.ts';

export const PEER_ISS = 0x7fff_fff0; // Wraps to negative numbers within the first bytes.
export const PEER_PORT = 4000;
export const OUR_PORT = 80;
const AT = 34;
const FLAGS = 'FSRP.U';

export interface SegmentOptions {
  readonly payload?: Uint8Array | string;
  readonly window?: number;
  readonly options?: Partial<TcpOptions>;
  readonly peerPort?: number;
  readonly peer?: IpAddress;
  readonly ourPort?: number;
  readonly urgent?: number;
}

export const text = (bytes: Uint8Array): string => hot.latin1(bytes, 0, bytes.length);
export const bytesOf = (content: string): Uint8Array => {
  const bytes = new Uint8Array(content.length);
  hot.writeLatin1(bytes, 0, content);
  return bytes;
};

/** What a handler was told, in words: 'data abc', 'end', 'closed reset', 'drained'. */
export class Journal implements FlowHandler {
  readonly events: string[] = [];
  received = '';
  onData: (() => void) | null = null;

  data(bytes: Uint8Array): void {
    this.received += text(bytes);
    this.events.push(`data ${text(bytes)}`);
    this.onData?.();
  }

  drained(): void {
    this.events.push('drained');
  }

  end(): void {
    this.events.push('end');
  }

  closed(how: FlowEnd): void {
    this.events.push(`closed ${how}`);
  }
}

export interface ScriptOptions {
  readonly limits?: Partial<TcpLimits>;
  /** The budget; 2 MiB unless given. */
  readonly memoryBytes?: number;
  readonly mtuBytes?: number;
  readonly nagle?: boolean;
  readonly timestamps?: boolean;
  readonly offload?: NetOffload;
}

export class Script {
  readonly timers = new TimerQueue(instantOfMicros(1_000_000));
  readonly stack: TcpStack;
  readonly ip: FakeIp;
  readonly logged: string[] = [];
  readonly journal = new Journal();
  flow: Flow | null = null;
  /** Segments not yet looked at. */
  out: { repr: TcpRepr; to: IpAddress }[] = [];
  private iss: number | null = null;

  constructor(options: ScriptOptions = {}) {
    const { limits, nagle, timestamps, offload = NO_OFFLOAD } = options;
    this.ip = new FakeIp(HERE, options.mtuBytes ?? 1500, (segment, source, destination) => {
      const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_TCP, segment.length);
      const parsed = parseTcp(segment, pseudo);
      if (!parsed.ok) assert.fail(JSON.stringify(parsed));
      if (this.iss === null && parsed.value.flags & 2) this.iss = parsed.value.seq;
      this.out.push({ repr: parsed.value, to: destination });
    });
    this.stack = new TcpStack({
      ip: this.ip,
      timers: this.timers,
      entropy: seededEntropy(1),
      log: new Log((line) => this.logged.push(line), 'debug').source('tcp'),
      offload,
      limits: { ...DEFAULT_LIMITS, ...limits },
      memory: new MemoryBudget(options.memoryBytes ?? memoryBytesDefault),
      ...(nagle === undefined ? {} : { nagle }),
      ...(timestamps === undefined ? {} : { timestamps }),
    });
  }

  /**
   * A segment from the peer: flags as in "S", ".", "P.", "F."; then what is due at this instant
   * happens.
   */
  in(flags: string, seq: number, ack: number | null, segment: SegmentOptions = {}): void {
    this.inject(flags, seq, ack, segment);
    this.timers.run(this.timers.now);
    this.check();
  }

  /** As `in`, within a turn that goes on. */
  inject(flags: string, seq: number, ack: number | null, segment: SegmentOptions = {}): void {
    const { payload = '', window = 65_535, peer = THERE } = segment;
    let bits = 0;
    for (const flag of flags) bits |= 1 << FLAGS.indexOf(flag);
    const repr: TcpRepr = {
      sourcePort: segment.peerPort ?? PEER_PORT,
      destinationPort: segment.ourPort ?? OUR_PORT,
      seq: seqOf(PEER_ISS + seq),
      ack: ack === null ? 0 : seqOf((this.iss ?? 0) + ack),
      flags: bits,
      window,
      urgent: segment.urgent ?? 0,
      options: { ...emptyTcpOptions(), ...segment.options },
      payload: typeof payload === 'string' ? bytesOf(payload) : payload,
    };
    const frame = new Uint8Array(AT + 60 + repr.payload.length).fill(0xa5);
    const length = emitTcp(frame, AT, repr, 0);
    this.raw(frame.subarray(AT, AT + length), peer);
  }

  /** The bytes of a segment, with the right checksum unless told otherwise. */
  raw(segment: Uint8Array, peer: IpAddress = THERE, fixChecksum = true): void {
    const frame = new Uint8Array(AT + segment.length);
    frame.set(segment, AT);
    if (fixChecksum && segment.length >= 20) {
      frame[AT + 16] = 0;
      frame[AT + 17] = 0;
      const pseudo = pseudoHeaderSum(peer, HERE, PROTOCOL_TCP, segment.length);
      const sum = 0xffff - hot.checksum(frame, AT, segment.length, pseudo);
      frame[AT + 16] = sum >> 8;
      frame[AT + 17] = sum;
    }
    this.stack.packet(frame, AT, frame.length, peer, HERE, false);
    // The frame was borrowed for the call only.
    frame.fill(0xee);
  }

  /** Time goes by. */
  wait(micros: number): void {
    const end = this.timers.now + micros;
    for (;;) {
      const next = this.timers.nextDeadline();
      if (next > end) break;
      this.timers.run(instantOfMicros(Math.max(next, this.timers.now)));
    }
    this.timers.run(instantOfMicros(end));
    this.check();
  }

  /** The end of the event loop's turn. */
  turn(): void {
    this.wait(0);
  }

  /**
   * What we sent since the last look, one line a segment: "P. 1:4 ack 1". Windows and options
   * aside.
   */
  sent(): string[] {
    const lines = this.out.map(({ repr }) => this.line(repr));
    this.out = [];
    return lines;
  }

  /** The last segment that we sent, parsed; and forgets all. */
  last(): TcpRepr {
    const last = this.out[this.out.length - 1];
    assert.ok(last !== undefined, 'nothing was sent');
    this.out = [];
    return last.repr;
  }

  /** Opens from the peer's side and returns our flow; nothing is left in `out`. */
  accept(segment: SegmentOptions = {}): Flow {
    const listening = this.stack.listen(OUR_PORT, (flow) => {
      this.flow = flow;
      flow.attach(this.journal);
    });
    assert.ok(listening.ok);
    this.in('S', 0, null, segment);
    this.in('.', 1, 1, segment.window === undefined ? {} : { window: segment.window });
    assert.ok(this.flow !== null);
    this.out = [];
    return this.flow;
  }

  /** Our first SYN's sequence number, 0 before it. */
  get firstSeq(): number {
    return this.iss ?? 0;
  }

  /** The only connection, for what no segment shows. */
  connection(): Connection {
    assert.ok(this.flow instanceof Connection);
    return this.flow;
  }

  /** Counts our sequence numbers from `iss` on, as if the first SYN had had that. */
  origin(iss: number): void {
    this.iss = iss;
  }

  count(name: string): number {
    const value = this.stack.counters()[name];
    assert.ok(value !== undefined, name);
    return value;
  }

  /** Memory of what arrived and waits. */
  received(): number {
    const { received, outOfOrder } = this.stack.tcpMemory;
    return received.usedBytes + outOfOrder.usedBytes;
  }

  check(): void {
    this.stack.checkInvariants();
    this.timers.checkInvariants();
  }

  private line(repr: TcpRepr): string {
    const flags = [...FLAGS].filter((_, bit) => (repr.flags >> bit) & 1).join('');
    const seq = seqOf(repr.seq - (this.iss ?? 0));
    const length = repr.payload.length;
    const range = length > 0 ? `${seq}:${seq + length}` : `${seq}`;
    if ((repr.flags & 16) === 0) return `${flags} ${range}`;
    const ack = repr.ack === 0 ? 0 : seqOf(repr.ack - PEER_ISS);
    return `${flags} ${range} ack ${ack}`;
  }
}
