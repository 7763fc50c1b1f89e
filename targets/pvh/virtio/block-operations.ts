/**
 * Operations on a block device that are under way: each is done in pieces, as requests of the
 * device's size, in the order in which they were asked for. Not here: requests (block.ts).
 */

import { assert, err, ok, type Result } from '#core';
import type { BlockError } from '#device';

export type Outcome = Result<void, BlockError>;

export class BlockOperation {
  readonly type: number;
  readonly firstSector: number;
  /** What is read into or written; null when no bytes go either way. */
  readonly bytes: Uint8Array | null;
  readonly done: Promise<Outcome>;
  /** Bytes of the pieces that were begun. */
  begun = 0;
  private readonly totalBytes: number;
  private readonly pieceBytesMax: number;
  private pieces = 0;
  private isBegun = false;
  private error: BlockError | null = null;
  private readonly resolve: (outcome: Outcome) => void;

  /** `totalBytes` may be 0: then it is one piece without bytes. */
  constructor(
    type: number,
    firstSector: number,
    bytes: Uint8Array | null,
    totalBytes: number,
    pieceBytesMax: number,
  ) {
    assert(totalBytes === 0 || pieceBytesMax > 0);
    this.type = type;
    this.firstSector = firstSector;
    this.bytes = bytes;
    this.totalBytes = totalBytes;
    this.pieceBytesMax = pieceBytesMax;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.done = promise;
    this.resolve = resolve;
  }

  /** After an error nothing more is begun. */
  get isAllBegun(): boolean {
    return this.isBegun && (this.begun === this.totalBytes || this.error !== null);
  }

  /** The bytes of the next piece, which is begun by that. */
  takePiece(): number {
    const bytes = Math.min(this.pieceBytesMax, this.totalBytes - this.begun);
    this.isBegun = true;
    this.begun += bytes;
    this.pieces++;
    return bytes;
  }

  /** The first error is the one that counts. */
  failed(error: BlockError): void {
    this.error ??= error;
  }

  /** True when that was the last piece, and the operation is over. */
  pieceDone(): boolean {
    assert(this.pieces > 0);
    this.pieces--;
    if (this.pieces > 0 || !this.isAllBegun) return false;
    this.end();
    return true;
  }

  end(): void {
    this.resolve(this.error === null ? ok(undefined) : err(this.error));
  }
}

export class OperationQueue {
  /** Operations that found no room. */
  refused = 0;
  /** Operations that aren't over, in the queue or with the device. */
  count = 0;
  private readonly max: number;
  private readonly waiting: BlockOperation[] = [];

  constructor(max: number) {
    this.max = max;
  }

  /** False when there are too many. */
  add(operation: BlockOperation): boolean {
    if (this.count === this.max) {
      this.refused++;
      return false;
    }
    this.count++;
    this.waiting.push(operation);
    return true;
  }

  /** The first operation that has a piece to begin; it stays until all of them are. */
  next(): BlockOperation | null {
    for (;;) {
      const first = this.waiting[0];
      if (first === undefined) return null;
      if (!first.isAllBegun) return first;
      this.waiting.shift();
    }
  }

  /** One of them is over, maybe with an error before all of it was begun. */
  ended(operation: BlockOperation): void {
    this.count--;
    if (this.waiting[0] === operation) this.waiting.shift();
  }

  /** Ends those that wait and `begun` with 'gone'. */
  abandon(begun: readonly BlockOperation[]): void {
    for (const operation of new Set([...begun, ...this.waiting.splice(0)])) {
      operation.failed({ kind: 'gone' });
      operation.end();
    }
    this.count = 0;
  }

  checkInvariants(): void {
    assert(this.count <= this.max, 'a bounded number');
    assert(this.waiting.length <= this.count, 'each is counted');
  }
}
