/**
 * One test, from the client's cookie to its last word. The client leads: it asks for a test, opens
 * the streams, says when it is over; then both tell what they counted.
 */

import type { Endpoint, Flow } from 'morgana';
import { Gatherer, jsonBytes, type Parameters, readParameters, STATE } from './control.ts';
import { DatagramStream, FlowStream, type Stream, sameEndpoint } from './streams.ts';

export interface IperfHost {
  /** Microseconds. */
  now(): number;
  sendDatagram(bytes: Uint8Array, to: Endpoint): boolean;
  /** The test is over; a line for the log. */
  ended(line: string): void;
}

/** A client's first datagram and our answer to it, iperf 3.10 and later. */
const UDP_CONNECT_REPLY = Uint8Array.of(0x36, 0x37, 0x38, 0x39);
const UDP_CONNECT_BYTES = 4;
const UDP_BITS_PER_SECOND = 1_048_576;
/** iperf_api.h, IEUNIMP: not implemented. */
const ERROR_UNIMPLEMENTED = 13;
const EMPTY = new Uint8Array(0);

type Phase = 'parameters' | 'streams' | 'running' | 'results' | 'over';

export class IperfTest {
  readonly cookie: string;
  private readonly control: Flow;
  private readonly host: IperfHost;
  private readonly gathered = new Gatherer();
  private phase: Phase = 'parameters';
  private parameters: Parameters | null = null;
  private readonly streams: Stream[] = [];
  private readonly ends: { readonly from: Endpoint; readonly stream: DatagramStream }[] = [];
  private startedAt = 0;
  private seconds = 0;

  /** The server is busy. */
  static refuse(flow: Flow): void {
    flow.attach({ data() {}, drained() {}, end() {}, closed() {} });
    flow.write(Uint8Array.of(STATE.accessDenied));
    flow.shutdown();
  }

  constructor(cookie: string, control: Flow, host: IperfHost) {
    this.cookie = cookie;
    this.control = control;
    this.host = host;
    control.attach({
      data: (bytes) => this.heard(bytes),
      drained() {},
      end: () => this.finish(),
      closed: () => this.finish(),
    });
    this.say(STATE.paramExchange);
  }

  /** A data connection; `rest` came behind its cookie. */
  addFlow(flow: Flow, rest: Uint8Array): void {
    if (this.phase !== 'streams' || this.parameters!.udp) {
      IperfTest.refuse(flow);
      return;
    }
    const stream = new FlowStream(this.nextId(), flow, this.parameters!.lengthBytes);
    stream.bytes = rest.length;
    this.add(stream);
  }

  datagram(bytes: Uint8Array, from: Endpoint): void {
    const known = this.ends.find((end) => sameEndpoint(end.from, from));
    if (known !== undefined) {
      if (this.phase === 'running') known.stream.receive(bytes);
      return;
    }
    const { phase, parameters, host } = this;
    if (phase !== 'streams' || !parameters!.udp || bytes.length !== UDP_CONNECT_BYTES) return;
    host.sendDatagram(UDP_CONNECT_REPLY, from);
    const { lengthBytes, bitsPerSecond } = parameters!;
    const rate = bitsPerSecond > 0 ? bitsPerSecond : UDP_BITS_PER_SECOND;
    const send = (block: Uint8Array): boolean => host.sendDatagram(block, from);
    const stream = new DatagramStream(this.nextId(), lengthBytes, rate, () => host.now(), send);
    this.ends.push({ from, stream });
    this.add(stream);
  }

  private say(state: number, more: Uint8Array = EMPTY): void {
    this.control.write(Uint8Array.of(state, ...more));
  }

  /** iperf3 counts its streams 1, 3, 4 and so on. */
  private nextId(): number {
    return this.streams.length === 0 ? 1 : this.streams.length + 2;
  }

  private add(stream: Stream): void {
    this.streams.push(stream);
    if (this.streams.length < this.parameters!.parallel) return;
    this.phase = 'running';
    this.startedAt = this.host.now();
    this.say(STATE.testStart, Uint8Array.of(STATE.testRunning));
    if (this.parameters!.reverse) for (const each of this.streams) each.send();
  }

  private heard(bytes: Uint8Array): void {
    this.gathered.add(bytes);
    try {
      while (this.step());
    } catch {
      // No JSON, or too much of it: this is no client of ours.
      this.control.abort();
    }
  }

  /** Takes one message; false when there is no whole one. */
  private step(): boolean {
    if (this.phase === 'parameters') return this.takeParameters(this.gathered.takeJson());
    if (this.phase === 'results') return this.takeResults(this.gathered.takeJson());
    const state = this.gathered.take(1)?.[0];
    if (state === undefined) return false;
    if (state === STATE.testEnd && this.phase === 'running') this.stop();
    else if (state === STATE.done || state === STATE.clientTerminate) this.finish();
    return true;
  }

  private takeParameters(json: unknown): boolean {
    if (json === null) return false;
    const parameters = readParameters(json);
    if (typeof parameters === 'string') {
      this.say(STATE.serverError, Uint8Array.of(0, 0, 0, ERROR_UNIMPLEMENTED, 0, 0, 0, 0));
      this.finish();
      return false;
    }
    this.parameters = parameters;
    this.phase = 'streams';
    this.say(STATE.createStreams);
    return true;
  }

  private stop(): void {
    for (const stream of this.streams) stream.stop();
    this.seconds = (this.host.now() - this.startedAt) / 1_000_000;
    this.phase = 'results';
    this.say(STATE.exchangeResults);
  }

  /** The client's results say nothing to us; ours go back. */
  private takeResults(json: unknown): boolean {
    if (json === null) return false;
    const streams = this.streams.map(({ id, bytes, packets, errors, jitterSeconds }) => {
      const counts = { id, bytes, retransmits: -1, jitter: jitterSeconds, errors, packets };
      return { ...counts, start_time: 0, end_time: this.seconds };
    });
    const load = { cpu_util_total: 0, cpu_util_user: 0, cpu_util_system: 0 };
    this.control.write(jsonBytes({ ...load, sender_has_retransmits: 0, streams }));
    this.phase = 'over';
    this.say(STATE.displayResults);
    return true;
  }

  private finish(): void {
    if (this.startedAt < 0) return;
    this.startedAt = -1;
    this.control.shutdown();
    for (const stream of this.streams) stream.close();
    const bytes = this.streams.reduce((sum, stream) => sum + stream.bytes, 0);
    const megabits = this.seconds > 0 ? (bytes * 8) / this.seconds / 1e6 : 0;
    this.host.ended(
      `${this.streams.length} streams, ${bytes} bytes, ${megabits.toFixed(1)} Mbit/s`,
    );
  }
}
