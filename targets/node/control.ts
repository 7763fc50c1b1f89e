/**
 * The control channel of a Node process: a UNIX stream socket of its supervisor's, to which it
 * connects once, at its start. It keeps nobody alive; when it is closed the program goes on.
 */

import net from 'node:net';
import { assert } from '#core';
import {
  CONTROL_QUEUE_BYTES_LOW,
  CONTROL_QUEUE_BYTES_MAX,
  type ControlChannel,
  type ControlHandler,
} from '#device';
import type { NodeLoop } from './loop.ts';

export class NodeControl implements ControlChannel {
  private readonly loop: NodeLoop;
  private readonly socket: net.Socket;
  private handler: ControlHandler | null = null;
  private wasHigh = false;
  private readonly tally = { received: 0, sent: 0, refused: 0, lost: 0 };

  constructor(loop: NodeLoop, path: string) {
    this.loop = loop;
    this.socket = net.connect(path);
    this.socket.unref();
    this.socket.on('error', () => this.socket.destroy());
  }

  attach(handler: ControlHandler): void {
    assert(this.handler === null, 'attached already');
    this.handler = handler;
    this.socket.on('data', (chunk: Uint8Array) => this.receive(chunk, handler));
  }

  get queuedBytes(): number {
    return this.socket.destroyed ? 0 : this.socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (this.socket.destroyed) {
      this.tally.lost += bytes.length;
      return true;
    }
    if (this.queuedBytes + bytes.length > CONTROL_QUEUE_BYTES_MAX) {
      this.tally.refused += bytes.length;
      return false;
    }
    this.socket.write(bytes, () => this.written());
    this.tally.sent += bytes.length;
    if (this.queuedBytes >= CONTROL_QUEUE_BYTES_LOW) this.wasHigh = true;
    return true;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.tally, open: this.socket.destroyed ? 0 : 1 };
  }

  private written(): void {
    if (!this.wasHigh || this.queuedBytes >= CONTROL_QUEUE_BYTES_LOW) return;
    this.wasHigh = false;
    this.loop.turn(() => this.handler?.drained());
  }

  private receive(chunk: Uint8Array, handler: ControlHandler): void {
    this.tally.received += chunk.length;
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    this.loop.turn(() => handler.data(bytes));
  }
}
