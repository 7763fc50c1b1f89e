/**
 * The control channel of a process: a UNIX stream socket of its supervisor's, connected before the
 * sandbox closed. When it is closed the program goes on, and nothing can be connected any more.
 * Required reading: base.ts, packages/device/control.ts.
 */

import { assert } from '#core';
import {
  CONTROL_QUEUE_BYTES_LOW,
  CONTROL_QUEUE_BYTES_MAX,
  type ControlChannel,
  type ControlHandler,
} from '#device';
import type { RareDevice } from '../base/loop.ts';
import { LINK, type ProcessBase, WAIT } from './base.ts';

/** What one read takes at most. */
const RECEIVE_BYTES = 16_384;

export class ControlLink implements ControlChannel, RareDevice {
  queuedBytes = 0;
  readonly wakeBits: number;
  private readonly base: ProcessBase;
  private readonly link: number;
  private handler: ControlHandler | null = null;
  private into: Uint8Array = new Uint8Array(0);
  /** The first has been written up to `writtenBytes`. */
  private readonly queue: Uint8Array[] = [];
  private writtenBytes = 0;
  private wasHigh = false;
  private asksForRoom = false;
  private isClosed = false;
  private readonly tally = { received: 0, sent: 0, refused: 0, lost: 0 };

  constructor(base: ProcessBase, link: number) {
    this.base = base;
    this.link = link;
    this.wakeBits = 1 << link;
    // Until somebody reads, what comes wakes nobody.
    base.linkWaitsFor(link, WAIT.nothing);
  }

  attach(handler: ControlHandler): void {
    assert(this.handler === null, 'attached already');
    this.handler = handler;
    this.into = new Uint8Array(RECEIVE_BYTES);
    if (!this.isClosed) this.base.linkWaitsFor(this.link, WAIT.bytes);
  }

  write(bytes: Uint8Array): boolean {
    if (this.isClosed) {
      this.tally.lost += bytes.length;
      return true;
    }
    if (this.queuedBytes + bytes.length > CONTROL_QUEUE_BYTES_MAX) {
      this.tally.refused += bytes.length;
      return false;
    }
    this.queue.push(bytes);
    this.queuedBytes += bytes.length;
    if (this.queue.length === 1) this.send();
    if (this.queuedBytes >= CONTROL_QUEUE_BYTES_LOW) this.wasHigh = true;
    return true;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.tally, open: this.isClosed ? 0 : 1 };
  }

  poll(): boolean {
    const { handler } = this;
    if (handler === null || this.isClosed) return false;
    if (this.queue.length > 0) this.send();
    if (this.wasHigh && this.queuedBytes < CONTROL_QUEUE_BYTES_LOW) {
      this.wasHigh = false;
      handler.drained();
    }
    const count = this.base.linkReceive(this.link, this.into, 0, RECEIVE_BYTES);
    if (count === LINK.gone) this.close();
    if (count <= 0) return false;
    this.tally.received += count;
    handler.data(this.into.subarray(0, count));
    return true;
  }

  /** Gives the socket what it takes; with something left, room for it wakes the loop. */
  private send(): void {
    const { base, link, queue } = this;
    let isFull = false;
    while (queue.length > 0 && !isFull) {
      const bytes = queue[0]!;
      const left = bytes.length - this.writtenBytes;
      const sent = base.linkSend(link, bytes, this.writtenBytes, left, null);
      if (sent === LINK.gone) {
        this.close();
        return;
      }
      isFull = sent < left;
      if (sent > 0) this.advance(sent, isFull);
    }
    if (isFull === this.asksForRoom) return;
    this.asksForRoom = isFull;
    base.linkWaitsFor(link, isFull ? WAIT.bytesOrRoom : WAIT.bytes);
  }

  /** So much more of the first in the queue has been written, or all of it. */
  private advance(bytes: number, isMoreLeft: boolean): void {
    this.tally.sent += bytes;
    this.queuedBytes -= bytes;
    this.writtenBytes += bytes;
    if (isMoreLeft) return;
    this.queue.shift();
    this.writtenBytes = 0;
  }

  private close(): void {
    this.isClosed = true;
    this.base.linkWaitsFor(this.link, WAIT.nothing);
    this.tally.lost += this.queuedBytes;
    this.queue.length = 0;
    this.queuedBytes = 0;
  }
}
