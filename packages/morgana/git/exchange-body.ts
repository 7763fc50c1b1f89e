/**
 * An exchange's two bodies as streams of bytes, each held back by whoever is slower: pieces of the
 * request wait here up to a bound and then in the peer, pieces of the response are asked for when
 * the peer has taken those before.
 */

import type { Exchange, ExchangeHandler } from '#http';
import { type ByteSource, Inflating } from '#web';

/** Of the request that waits to be read; above it the peer is held back. */
const REQUEST_QUEUE_BYTES_MAX = 262_144;
/** What a piece costs beside its bytes: a peer may send each byte as a chunk of its own. */
const PIECE_COST_BYTES = 128;
/** Bytes of the response that the peer has yet to take; above it nothing is asked for. */
const RESPONSE_QUEUE_BYTES_MAX = 262_144;

/** Why a body ended early: the peer left, or broke a limit of the server's. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone';

  constructor() {
    super('the client closed the connection');
  }
}

export class ExchangeBody implements ExchangeHandler, ByteSource {
  readonly exchange: Exchange;
  private queue: Uint8Array[] = [];
  private queueBytes = 0;
  private isPaused = false;
  private hasEnded = false;
  private isGone = false;
  private wakeReader: (() => void) | null = null;
  private wakeWriter: (() => void) | null = null;

  /** Attaches itself: the body comes from now on. */
  constructor(exchange: Exchange) {
    this.exchange = exchange;
    exchange.attach(this);
  }

  /**
   * The request's body, with its Content-Encoding undone. Rejects with PeerGone, or a TypeError.
   */
  async *pieces(): AsyncGenerator<Uint8Array, void, void> {
    const coding = this.exchange.head.get('content-encoding')?.toLowerCase() ?? '';
    const source = coding === 'gzip' || coding === 'x-gzip' ? new Inflating(this) : this;
    for (;;) {
      const piece = await source.read();
      if (piece === null) return;
      yield piece;
    }
  }

  async read(): Promise<Uint8Array | null> {
    while (this.queue.length === 0 && !this.hasEnded && !this.isGone) {
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve;
      });
    }
    const piece = this.queue.shift();
    if (piece === undefined) {
      if (this.hasEnded) return null;
      throw new PeerGone();
    }
    this.queueBytes -= piece.length + PIECE_COST_BYTES;
    if (this.isPaused && this.queueBytes <= REQUEST_QUEUE_BYTES_MAX / 2) {
      this.isPaused = false;
      this.exchange.resume();
    }
    return piece;
  }

  cancel(_reason: unknown): void {
    this.queue = [];
    this.queueBytes = 0;
  }

  /** Sends `bytes`, and resolves when more may be sent; false: there is nobody to send it to. */
  async write(bytes: Uint8Array): Promise<boolean> {
    const { exchange } = this;
    if (this.isGone) return false;
    exchange.write(bytes);
    while (exchange.queuedBytes > RESPONSE_QUEUE_BYTES_MAX && !this.isGone) {
      await new Promise<void>((resolve) => {
        this.wakeWriter = resolve;
      });
    }
    return !this.isGone;
  }

  data(bytes: Uint8Array): void {
    // Not slice(): that of Node's Buffer is no copy.
    this.queue.push(new Uint8Array(bytes));
    this.queueBytes += bytes.length + PIECE_COST_BYTES;
    if (this.queueBytes > REQUEST_QUEUE_BYTES_MAX && !this.isPaused) {
      this.isPaused = true;
      this.exchange.pause();
    }
    this.wakeReader?.();
    this.wakeReader = null;
  }

  end(): void {
    this.hasEnded = true;
    this.wakeReader?.();
    this.wakeReader = null;
  }

  drained(): void {
    this.wakeWriter?.();
    this.wakeWriter = null;
  }

  aborted(): void {
    this.isGone = true;
    this.wakeReader?.();
    this.wakeReader = null;
    this.drained();
  }
}
