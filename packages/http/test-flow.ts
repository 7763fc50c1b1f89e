/** A flow without a network, for tests: what the server wrote, and a client's side to drive. */

import { after, instantOfMicros, Log, micros, TimerQueue, wallTimeOfMillis } from '#core';
import type { Flow, FlowEnd, FlowHandler } from '#device';
import type { HeaderField, HttpHandler } from './exchange.ts';
import type { HttpLimits } from './limits.ts';
import { HttpServer } from './server.ts';

export class FakeFlow implements Flow {
  readonly local = { address: '192.0.2.1', port: 80 };
  readonly remote = { address: '192.0.2.2', port: 40_000 };
  lowWaterBytes = 65_536;
  noDelay = false;
  queuedBytes = 0;
  isPaused = false;
  isShutDown = false;
  isAborted = false;
  /** Arrays as they were written. */
  readonly writes: Uint8Array[] = [];
  private handler: FlowHandler | null = null;
  /** False: written bytes wait until `acknowledge`. */
  isReading = true;

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    if (this.isShutDown || this.isAborted) return;
    this.writes.push(bytes);
    if (!this.isReading) this.queuedBytes += bytes.length;
  }

  askIfAlive(): void {}

  shutdown(): void {
    this.isShutDown = true;
  }

  abort(): void {
    if (this.isAborted) return;
    this.isAborted = true;
    this.close('reset');
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** The client sends `text`, in one event; the memory is overwritten after it. */
  send(text: string): void {
    if (this.isPaused) throw new Error('sent to a paused flow');
    const bytes = Buffer.from(text, 'latin1');
    this.handler?.data(bytes);
    bytes.fill(0xa5);
  }

  /** The client takes `count` of the queued bytes. */
  acknowledge(count: number): void {
    const wasAbove = this.queuedBytes > this.lowWaterBytes;
    this.queuedBytes = Math.max(0, this.queuedBytes - count);
    if (wasAbove && this.queuedBytes <= this.lowWaterBytes) this.handler?.drained();
  }

  end(): void {
    this.handler?.end();
  }

  close(how: FlowEnd): void {
    const handler = this.handler;
    this.handler = null;
    handler?.closed(how);
  }

  /** All that was written, and forgotten now. */
  takeText(): string {
    const text = Buffer.concat(this.writes).toString('latin1');
    this.writes.length = 0;
    return text;
  }
}

/** A server in virtual time, with what it logged. */
export class Bench {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly lines: string[] = [];
  readonly server: HttpServer;
  /** 2027-01-15T08:00:00Z at the beginning. */
  private readonly wallMillisAtStart = 1_800_000_000_000;
  readonly clock = {
    wall: () => wallTimeOfMillis(this.wallMillisAtStart + Math.floor(this.timers.now / 1_000)),
  };

  constructor(
    handler: HttpHandler,
    limits: Partial<HttpLimits> = {},
    fields: readonly HeaderField[] = [],
  ) {
    const log = new Log((line) => this.lines.push(line), 'warn').source('http');
    const { timers, clock } = this;
    this.server = new HttpServer({ handler, timers, clock, log, limits, fields });
  }

  connect(): FakeFlow {
    const flow = new FakeFlow();
    this.server.accept(flow);
    return flow;
  }

  /** Lets `count` seconds pass, with all timers in between. */
  pass(count: number): void {
    const end = after(this.timers.now, micros(Math.round(count * 1_000_000)));
    for (;;) {
      const next = this.timers.nextDeadline();
      if (next > end) break;
      this.timers.run(next);
      this.server.checkInvariants();
    }
    this.timers.run(end);
  }
}
