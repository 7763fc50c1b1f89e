/** A control channel in memory, with a supervisor at its other end that has clients. */

import assert from 'node:assert/strict';
import {
  CONTROL_PAYLOAD_BYTES_MAX,
  CONTROL_QUEUE_BYTES_LOW,
  CONTROL_QUEUE_BYTES_MAX,
  type ControlChannel,
  type ControlHandler,
  ControlReader,
  controlFrame,
  controlMark,
} from '#device';
import { ControlClient } from './control-client.ts';

export class TestChannel implements ControlChannel {
  /** The other side takes nothing while this is set. */
  holds = false;
  readonly queue: Uint8Array[] = [];
  /** Clients that the unikernel closed. */
  readonly closed: number[] = [];
  private handler: ControlHandler | null = null;
  private readonly clients = new Map<number, ControlClient>();
  private reader = this.newReader();

  get queuedBytes(): number {
    return this.queue.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  attach(handler: ControlHandler): void {
    assert.equal(this.handler, null);
    this.handler = handler;
  }

  write(bytes: Uint8Array): boolean {
    if (this.queuedBytes + bytes.length > CONTROL_QUEUE_BYTES_MAX) return false;
    this.queue.push(bytes);
    if (!this.holds) this.release();
    return true;
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  /** The other side takes all that is queued, and what comes when there is room. */
  release(): void {
    while (this.queue.length > 0) {
      const wasHigh = this.queuedBytes >= CONTROL_QUEUE_BYTES_LOW;
      for (const bytes of this.queue.splice(0)) assert.equal(this.reader.push(bytes), null);
      if (wasHigh) this.handler?.drained();
    }
  }

  /** Bytes from the supervisor, in pieces of `pieceBytes`, which don't outlive the call. */
  receive(bytes: Uint8Array, pieceBytes = bytes.length): void {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.slice(at, at + pieceBytes);
      this.handler?.data(piece);
      piece.fill(0xa5);
    }
  }

  /** The supervisor's client `number`, whose bytes come in pieces of `pieceBytes`. */
  client(number: number, pieceBytes?: number): ControlClient {
    const client = new ControlClient((payload) => this.send(number, payload, pieceBytes));
    this.clients.set(number, client);
    return client;
  }

  /** Raw bytes of client `number`. */
  send(number: number, payload: Uint8Array, pieceBytes?: number): void {
    for (let at = 0; at < payload.length; at += CONTROL_PAYLOAD_BYTES_MAX) {
      const part = payload.subarray(at, at + CONTROL_PAYLOAD_BYTES_MAX);
      this.receive(controlFrame(number, part), pieceBytes);
    }
  }

  /** Client `number` goes. */
  leave(number: number): void {
    this.receive(controlFrame(number, new Uint8Array(0)));
    this.clients.delete(number);
  }

  /** The supervisor goes, and another comes. */
  reopen(): void {
    this.queue.length = 0;
    this.clients.clear();
    this.reader = this.newReader();
    this.handler?.reopened?.();
    this.receive(controlMark());
  }

  private newReader(): ControlReader {
    return new ControlReader({
      piece: (client, bytes) => this.clients.get(client)?.receive(bytes),
      end: (client) => {
        this.closed.push(client);
        this.clients.get(client)?.end('closed');
      },
    });
  }
}
