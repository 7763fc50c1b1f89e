/**
 * The body of a response that comes, as a source for its one reader: what isn't read yet waits
 * here, up to a bound, and then in the server.
 */

import { hot } from '#core';
import { type ByteSource, DOMException } from '#web';
import type { ClientExchange } from './exchange.ts';

/** Bytes that wait for the app to read; above it the server is held back. */
export const RESPONSE_BODY_BYTES_MAX = 65_536;

export class ResponseBody implements ByteSource {
  private readonly exchange: ClientExchange;
  private queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private isPaused = false;
  private isEnded = false;
  private failure: { readonly reason: unknown } | null = null;
  private waiting: (() => void) | null = null;
  /** Called once no more will come, or be wanted. */
  private readonly over: () => void;

  constructor(exchange: ClientExchange, over: () => void) {
    this.exchange = exchange;
    this.over = over;
  }

  /** `bytes` is borrowed. */
  push(bytes: Uint8Array): void {
    if (this.failure !== null) return;
    this.queue.push(new Uint8Array(bytes));
    this.queuedBytes += bytes.length;
    if (this.queuedBytes > RESPONSE_BODY_BYTES_MAX && !this.isPaused) {
      this.isPaused = true;
      this.exchange.pause();
    }
    this.wake();
  }

  /** All of it has come. */
  end(): void {
    if (this.failure !== null) return;
    this.isEnded = true;
    this.over();
    this.wake();
  }

  /** No more will come; what waits isn't given any more (Fetch §2.2.4 has it so for aborts). */
  fail(reason: unknown): void {
    if (this.isEnded || this.failure !== null) return;
    this.failure = { reason };
    this.queue = [];
    this.queuedBytes = 0;
    this.over();
    this.wake();
  }

  async read(): Promise<Uint8Array | null> {
    while (this.queuedBytes === 0 && !this.isEnded && this.failure === null) {
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
    }
    if (this.failure !== null) throw this.failure.reason;
    return this.queuedBytes === 0 ? null : this.takeQueue();
  }

  cancel(reason: unknown): void {
    if (this.failure !== null) return;
    this.exchange.abort();
    this.isEnded = false;
    this.fail(reason ?? new DOMException('The body was cancelled', 'AbortError'));
  }

  private takeQueue(): Uint8Array {
    const { queue, queuedBytes } = this;
    this.queue = [];
    this.queuedBytes = 0;
    if (this.isPaused) {
      this.isPaused = false;
      this.exchange.resume();
    }
    if (queue.length === 1) return queue[0]!;
    const all = new Uint8Array(queuedBytes);
    let at = 0;
    for (const bytes of queue) {
      hot.copy(all, at, bytes, 0, bytes.length);
      at += bytes.length;
    }
    return all;
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = null;
    waiting?.();
  }
}
