/** A Flow over a node:net socket, for these tests only: enough to serve a website from a laptop. */

import type { Socket } from 'node:net';
import type { Endpoint, Flow, FlowHandler } from '#device';

export class NodeFlow implements Flow {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  lowWaterBytes = 65_536;
  private readonly socket: Socket;
  private handler: FlowHandler | null = null;
  private wasAbove = false;
  private isReset = false;

  constructor(socket: Socket) {
    this.socket = socket;
    this.local = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    this.remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.handler?.data(bytes));
    socket.on('end', () => this.handler?.end());
    socket.on('error', () => {
      this.isReset = true;
    });
    socket.on('close', () => {
      this.handler?.closed(this.isReset ? 'reset' : 'closed');
      this.handler = null;
    });
  }

  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    this.socket.write(bytes, () => this.written());
    if (this.queuedBytes > this.lowWaterBytes) this.wasAbove = true;
  }

  shutdown(): void {
    this.socket.end();
  }

  abort(): void {
    this.isReset = true;
    this.socket.resetAndDestroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  private written(): void {
    if (!this.wasAbove || this.queuedBytes > this.lowWaterBytes) return;
    this.wasAbove = false;
    this.handler?.drained();
  }
}
