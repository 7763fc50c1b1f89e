/**
 * A whole stack on a FuzzWire, with an application that must never be told wrong things, and what
 * must hold however the network behaves.
 */

import { instantOfMicros, Log, TimerQueue } from '#core';
import type { Flow, FlowEnd } from '#device';
import {
  memoryBytesDefault,
  type NetStack,
  parseIpv4Address,
  parseIpv6Address,
  type TcpStack,
} from '#net';
import { emitArp, emitEthernetHeader, parseArp } from '#net/wire';
import { joinStacks } from '#stack';
import { SimRandom } from '#targets/sim/index';
import { FuzzWire } from './wire.ts';

export const US = parseIpv4Address('10.0.0.1')!;
export const GATEWAY_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
const START_MICROS = 1_000_000;
const US6 = parseIpv6Address('2001:db8::1')!;
const PREFIX_BITS = 24;
const PREFIX_BITS6 = 64;
const ROUNDS_MAX = 1_000;

/** The application's end of a connection: notes what it is told, in order. */
export class FuzzFlow {
  readonly flow: Flow;
  /** Checks the bytes of this place in the stream; throws. */
  onData: (position: number, bytes: Uint8Array) => void = () => {};
  received = 0;
  isEnded = false;
  how: FlowEnd | null = null;

  constructor(flow: Flow) {
    this.flow = flow;
    flow.attach({
      data: (bytes) => {
        if (this.isEnded || this.how !== null) throw new RangeError('data after the end');
        if (bytes.length === 0) throw new RangeError('no data');
        this.onData(this.received, bytes);
        this.received += bytes.length;
      },
      drained: () => {
        if (this.how !== null) throw new RangeError('drained after closed');
      },
      end: () => {
        if (this.isEnded || this.how !== null) throw new RangeError('end told twice');
        this.isEnded = true;
      },
      closed: (how) => {
        if (this.how !== null) throw new RangeError('closed told twice');
        if (how === 'closed' && !this.isEnded) throw new RangeError('closed without end');
        this.how = how;
      },
    });
  }
}

export interface SubjectOptions {
  readonly hasIpv6?: boolean;
  /** The device sums, and cuts segments. */
  readonly hasOffload?: boolean;
  readonly memoryBytes?: number;
}

export class Subject {
  readonly timers = new TimerQueue(instantOfMicros(START_MICROS));
  readonly wire: FuzzWire;
  readonly net: NetStack;
  readonly tcp: TcpStack;
  readonly flows: FuzzFlow[] = [];
  private readonly pending: (() => void)[] = [];

  /** `hear` gets IP frames that the stack sends; ARP is answered for every address. */
  constructor(hear: (frame: Uint8Array) => void, options: SubjectOptions = {}) {
    this.wire = new FuzzWire(options.hasOffload ?? false, (frame) => {
      if (frame[12] === 8 && frame[13] === 6) this.answerArp(frame);
      else hear(frame);
    });
    const log = new Log(() => {}, 'error').source('fuzz');
    const entropy = new SimRandom(7);
    const { timers, wire: device } = this;
    const { net, tcp } = joinStacks({
      device,
      timers,
      entropy,
      netLog: log,
      tcpLog: log,
      memoryBytes: options.memoryBytes ?? memoryBytesDefault,
    });
    this.net = net;
    this.tcp = tcp;
    net.configure({
      addresses: [{ address: US, prefixBits: PREFIX_BITS }],
      gateway: null,
      dnsServers: [],
      domain: null,
      mtuBytes: null,
    });
    if (options.hasIpv6 === true) {
      const fixed = { address: US6, prefixBits: PREFIX_BITS6, gateway: null };
      net.startIpv6({ secret: new Uint8Array(16), fixed });
    }
  }

  /** Has `act` done between turns: a device never calls back from within a call. */
  later(act: () => void): void {
    this.pending.push(act);
  }

  /** The end of a turn, and the answers of good peers; then all invariants hold. */
  turn(): void {
    this.timers.run(this.timers.now);
    for (let rounds = 0; this.pending.length > 0; rounds++) {
      if (rounds > ROUNDS_MAX) throw new RangeError('it goes on and on');
      for (const act of this.pending.splice(0)) act();
      this.timers.run(this.timers.now);
    }
    this.net.checkInvariants();
    this.tcp.checkInvariants();
    this.timers.checkInvariants();
  }

  /** Time goes by, timer by timer. */
  wait(micros: number): void {
    const end = this.timers.now + micros;
    for (;;) {
      const next = this.timers.nextDeadline();
      if (next > end) break;
      this.timers.run(instantOfMicros(Math.max(next, this.timers.now)));
      this.turn();
    }
    this.timers.run(instantOfMicros(end));
    this.turn();
  }

  listen(port: number, accepted: (flow: FuzzFlow) => void): void {
    this.tcp.listen(port, (flow) => this.listenTo(flow, accepted));
  }

  /** The application takes a flow that opened. */
  listenTo(flow: Flow, accepted: (flow: FuzzFlow) => void): void {
    const added = new FuzzFlow(flow);
    this.flows.push(added);
    accepted(added);
  }

  /** The application gives all up: in a while nothing may be left. */
  expectNothingLeft(): void {
    this.wire.ready();
    for (const { flow } of this.flows) flow.abort();
    this.turn();
    // Half-open connections and TIME_WAIT pass by themselves; connects in vain take three minutes.
    this.wait(400e6);
    const { connections, timeWait } = this.tcp.counters();
    if (connections !== 0 || timeWait !== 0) {
      throw new RangeError(`${connections} connections are left, ${timeWait} in TIME_WAIT`);
    }
    const held = Object.entries(this.net.memory.use()).filter(([, bytes]) => bytes !== 0);
    if (held.length > 0) throw new RangeError(`memory is left: ${held.join('; ')}`);
    if (this.flows.some(({ how }) => how === null)) throw new RangeError('a flow was not closed');
  }

  private answerArp(frame: Uint8Array): void {
    const parsed = parseArp(frame.subarray(14));
    if (!parsed.ok || parsed.value.senderAddress === parsed.value.targetAddress) return;
    const { targetAddress, senderMac, senderAddress } = parsed.value;
    const reply = new Uint8Array(42);
    emitEthernetHeader(reply, 0, senderMac, GATEWAY_MAC, 0x0806);
    emitArp(reply, 14, {
      operation: 2,
      senderMac: GATEWAY_MAC,
      senderAddress: targetAddress,
      targetMac: senderMac,
      targetAddress: senderAddress,
    });
    this.later(() => this.wire.inject(reply));
  }
}
