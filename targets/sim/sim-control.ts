/** The control channel of a simulated machine; the other end is the test's. */

import { assert } from '#core';
import {
  CONTROL_QUEUE_BYTES_LOW,
  CONTROL_QUEUE_BYTES_MAX,
  type ControlChannel,
  type ControlHandler,
  controlMark,
} from '#device';

export class SimControl implements ControlChannel {
  queuedBytes = 0;
  /** What was written and taken, in order. */
  readonly taken: Uint8Array[] = [];
  private readonly queue: Uint8Array[] = [];
  private handler: ControlHandler | null = null;
  private refused = 0;
  private isHeld = false;
  private wasHigh = false;

  attach(handler: ControlHandler): void {
    assert(this.handler === null, 'attached already');
    this.handler = handler;
  }

  write(bytes: Uint8Array): boolean {
    if (this.queuedBytes + bytes.length > CONTROL_QUEUE_BYTES_MAX) {
      this.refused++;
      return false;
    }
    this.queue.push(bytes);
    this.queuedBytes += bytes.length;
    if (!this.isHeld) this.take();
    else if (this.queuedBytes >= CONTROL_QUEUE_BYTES_LOW) this.wasHigh = true;
    return true;
  }

  counters(): Readonly<Record<string, number>> {
    return { refused: this.refused };
  }

  /** The other end sends; what it sent is overwritten when the call is over, as it is borrowed. */
  send(bytes: Uint8Array): void {
    const lent = bytes.slice();
    this.handler?.data(lent);
    lent.fill(0xa5);
  }

  /** From now on the other end doesn't read, until `release`. */
  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    this.take();
    if (!this.wasHigh) return;
    this.wasHigh = false;
    this.handler?.drained();
  }

  /** Another end comes in place of the one that there was: its stream begins with a mark. */
  reopen(): void {
    this.queue.length = 0;
    this.queuedBytes = 0;
    this.wasHigh = false;
    this.handler?.reopened?.();
    this.send(controlMark());
  }

  private take(): void {
    this.taken.push(...this.queue);
    this.queue.length = 0;
    this.queuedBytes = 0;
  }
}
