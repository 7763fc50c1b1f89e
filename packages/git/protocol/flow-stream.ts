/**
 * A flow as a stream of bytes each way: pieces that came wait here up to a bound, and then in the
 * peer; what is written waits until the peer took what was written before.
 */

import { after, assert, type Duration, Timer, type TimerQueue } from '#core';
import type { Flow, FlowEnd, FlowHandler } from '#device';

/** Bytes that wait to be read; above it the peer is held back. */
const QUEUE_BYTES_MAX = 262_144;
/** Bytes that the peer has yet to take; above it `write` waits. */
const WRITTEN_BYTES_MAX = 262_144;

/** Why a stream can't be read or written any more. */
export class FlowBroken extends Error {
  override readonly name = 'FlowBroken';
}

export class FlowStream implements FlowHandler {
  private readonly flow: Flow;
  private readonly timers: TimerQueue;
  private readonly stallMax: Duration;
  private readonly stall = new Timer(() => this.abort('nothing came for too long'));
  private queue: Uint8Array[] = [];
  private queueBytes = 0;
  private isPaused = false;
  private hasEnded = false;
  private broken: FlowBroken | null = null;
  private wakeReader: (() => void) | null = null;
  private wakeWriter: (() => void) | null = null;

  /** Attaches itself. The flow breaks when for `stallMax` nothing comes that is waited for. */
  constructor(flow: Flow, timers: TimerQueue, stallMax: Duration) {
    this.flow = flow;
    this.timers = timers;
    this.stallMax = stallMax;
    flow.attach(this);
  }

  /** The pieces from here on, without an end to the flow when nobody reads on. */
  pieces(): AsyncIterable<Uint8Array> {
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const piece = await this.read();
      return piece === null ? { done: true, value: undefined } : { done: false, value: piece };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  /** The next piece; null at the end. Rejects with FlowBroken. One call at a time. */
  async read(): Promise<Uint8Array | null> {
    while (this.queue.length === 0 && !this.hasEnded && this.broken === null) {
      assert(this.wakeReader === null, 'one reader');
      this.timers.arm(this.stall, after(this.timers.now, this.stallMax));
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve;
      });
      this.timers.stop(this.stall);
    }
    const piece = this.queue.shift();
    if (piece === undefined) {
      if (this.broken !== null) throw this.broken;
      return null;
    }
    this.queueBytes -= piece.length;
    if (this.isPaused && this.queueBytes <= QUEUE_BYTES_MAX / 2) {
      this.isPaused = false;
      this.flow.resume();
    }
    return piece;
  }

  /** Resolves when more may be written. Rejects with FlowBroken. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.broken === null) this.flow.write(bytes);
    while (this.broken === null && this.flow.queuedBytes > WRITTEN_BYTES_MAX) {
      await new Promise<void>((resolve) => {
        this.wakeWriter = resolve;
      });
    }
    if (this.broken !== null) throw this.broken;
  }

  /** The last words, which nobody waits for. */
  writeLast(bytes: Uint8Array): void {
    if (this.broken === null) this.flow.write(bytes);
  }

  /** Breaks the connection; whoever waits gets `why`. */
  abort(why: string): void {
    this.broken ??= new FlowBroken(why);
    this.flow.abort();
    this.wake();
    this.drained();
  }

  /** Nothing more is read or written; what was written still goes out. */
  close(): void {
    this.timers.stop(this.stall);
    if (this.broken === null) this.flow.shutdown();
    if (this.isPaused) this.flow.abort();
    this.queue = [];
    this.queueBytes = 0;
  }

  data(bytes: Uint8Array): void {
    // Not slice(): that of Node's Buffer is no copy.
    this.queue.push(new Uint8Array(bytes));
    this.queueBytes += bytes.length;
    if (this.queueBytes > QUEUE_BYTES_MAX && !this.isPaused) {
      this.isPaused = true;
      this.flow.pause();
    }
    this.wake();
  }

  drained(): void {
    this.wakeWriter?.();
    this.wakeWriter = null;
  }

  end(): void {
    this.hasEnded = true;
    this.wake();
  }

  closed(how: FlowEnd): void {
    if (how !== 'closed' || !this.hasEnded) {
      this.broken ??= new FlowBroken(`the connection ended: ${how}`);
    }
    this.timers.stop(this.stall);
    this.wake();
    this.drained();
  }

  private wake(): void {
    this.wakeReader?.();
    this.wakeReader = null;
  }
}
