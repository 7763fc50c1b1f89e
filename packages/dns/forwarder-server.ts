/**
 * Clients of a forwarder: datagrams, and streams with two bytes of length before each message (RFC
 * 1035 §4.2.2, RFC 7766). Answers on a stream come in the order in which they are known.
 */

import { after, assert, hot, readU16be, Timer, writeU16be } from '#core';
import type {
  DatagramHandler,
  DatagramSocket,
  Endpoint,
  Flow,
  FlowHandler,
  Listener,
} from '#device';
import type { Forwarder } from './forwarder.ts';
import { DNS_HEADER_BYTES } from './wire/index.ts';

export class ForwarderServer implements DatagramHandler {
  readonly counters = {
    dnsStreamsServed: 0,
    dnsStreamsFull: 0,
    dnsStreamsHostFull: 0,
    dnsStreamsIdle: 0,
    /** Clients that took no answers: their questions wait. */
    dnsStreamsPaused: 0,
    dnsNotSent: 0,
  };
  readonly forwarder: Forwarder;
  private socket: DatagramSocket | null = null;
  private listener: Listener | null = null;
  private readonly streams = new Set<ClientStream>();

  constructor(forwarder: Forwarder) {
    this.forwarder = forwarder;
  }

  /**
   * Answers come from `socket`, which was bound with this as its handler; `listener` gives its
   * connections to `accept`. Both are its own from now on.
   */
  serve(socket: DatagramSocket, listener: Listener): void {
    this.socket = socket;
    this.listener = listener;
  }

  receive(bytes: Uint8Array, from: Endpoint, to: string): void {
    this.forwarder.handle(bytes, {
      key: `udp ${from.address} ${from.port}`,
      host: from.address,
      isStream: false,
      answer: (answer) => {
        if (this.socket?.send(answer, from, to) !== true) this.counters.dnsNotSent += 1;
      },
    });
  }

  /** A client's connection; to be given to `listen`. */
  accept(flow: Flow): void {
    const { counters, forwarder, streams } = this;
    const { streamsMax, streamsPerHostMax } = forwarder.limits;
    const host = flow.remote.address;
    let ofHost = 0;
    for (const stream of streams) if (stream.host === host) ofHost += 1;
    if (streams.size >= streamsMax || ofHost >= streamsPerHostMax) {
      if (streams.size >= streamsMax) counters.dnsStreamsFull += 1;
      else counters.dnsStreamsHostFull += 1;
      flow.attach(NOBODY);
      flow.abort();
      return;
    }
    counters.dnsStreamsServed += 1;
    streams.add(new ClientStream(this, flow, host, counters.dnsStreamsServed));
  }

  /** Called by ClientStream. */
  closed(stream: ClientStream): void {
    this.streams.delete(stream);
  }

  close(): void {
    this.socket?.close();
    this.listener?.close();
    this.socket = null;
    this.listener = null;
    for (const stream of [...this.streams]) stream.abort();
    this.forwarder.close();
  }

  checkInvariants(): void {
    assert(this.streams.size <= this.forwarder.limits.streamsMax);
    this.forwarder.checkInvariants();
  }
}

const NOBODY: FlowHandler = { data() {}, drained() {}, end() {}, closed() {} };

class ClientStream implements FlowHandler {
  readonly host: string;
  private readonly owner: ForwarderServer;
  private readonly flow: Flow;
  private readonly key: string;
  private readonly timer = new Timer(() => this.idle());
  /** Length and message of the next question, as far as they came. */
  private readonly begun: Uint8Array;
  private begunBytes = 0;
  /** Questions that aren't answered yet. */
  private pending = 0;
  private isEnded = false;
  private isOver = false;
  private isPaused = false;

  constructor(owner: ForwarderServer, flow: Flow, host: string, number: number) {
    this.host = host;
    this.owner = owner;
    this.flow = flow;
    this.key = `tcp ${number}`;
    this.begun = new Uint8Array(2 + owner.forwarder.limits.streamQueryBytesMax);
    flow.attach(this);
    flow.lowWaterBytes = owner.forwarder.limits.streamAnswerBytesMax;
    this.arm();
  }

  data(bytes: Uint8Array): void {
    this.arm();
    let at = 0;
    while (at < bytes.length && !this.isOver) {
      const wanted = this.begunBytes < 2 ? 2 : 2 + readU16be(this.begun, 0);
      const count = Math.min(wanted - this.begunBytes, bytes.length - at);
      hot.copy(this.begun, this.begunBytes, bytes, at, count);
      this.begunBytes += count;
      at += count;
      if (this.begunBytes >= 2 && !this.takeMessage()) return;
    }
    // A client that asks and doesn't listen is asked to wait.
    if (this.isOver || this.isPaused || this.flow.queuedBytes <= this.flow.lowWaterBytes) return;
    this.isPaused = true;
    this.owner.counters.dnsStreamsPaused += 1;
    this.flow.pause();
  }

  drained(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.flow.resume();
  }

  end(): void {
    this.isEnded = true;
    if (this.pending === 0) this.flow.shutdown();
  }

  closed(): void {
    this.isOver = true;
    this.owner.forwarder.timers.stop(this.timer);
    this.owner.closed(this);
  }

  abort(): void {
    this.flow.abort();
  }

  /** Handles the question when it is whole; false when the stream is given up. */
  private takeMessage(): boolean {
    const { forwarder } = this.owner;
    const { limits } = forwarder;
    const length = readU16be(this.begun, 0);
    const isWrong = length < DNS_HEADER_BYTES || length > limits.streamQueryBytesMax;
    if (isWrong || this.pending >= limits.streamQueriesMax) {
      this.abort();
      return false;
    }
    if (this.begunBytes < 2 + length) return true;
    this.begunBytes = 0;
    this.pending += 1;
    const isTaken = forwarder.handle(this.begun.subarray(2, 2 + length), {
      key: this.key,
      host: this.host,
      isStream: true,
      answer: (answer) => this.answer(answer),
    });
    if (!isTaken) this.pending -= 1;
    return true;
  }

  private answer(answer: Uint8Array): void {
    this.pending -= 1;
    if (this.isOver) return;
    const bytes = new Uint8Array(2 + answer.length);
    writeU16be(bytes, 0, answer.length);
    bytes.set(answer, 2);
    this.flow.write(bytes);
    this.arm();
    if (this.isEnded && this.pending === 0) this.flow.shutdown();
  }

  private arm(): void {
    const { timers, limits } = this.owner.forwarder;
    timers.arm(this.timer, after(timers.now, limits.streamIdle));
  }

  private idle(): void {
    this.owner.counters.dnsStreamsIdle += 1;
    this.abort();
  }
}
