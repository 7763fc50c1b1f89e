/** A Flow on a socket of the host: TCP by the operating system. */

import type { Socket } from 'node:net';
import { assert, type Duration } from '#core';
import type { Endpoint, Flow, FlowEnd, FlowHandler } from '#device';
import type { NodeLoop } from './loop.ts';

const LOW_WATER_BYTES = 65_536;

/** Dual-stack sockets show IPv4 peers as ::ffff:1.2.3.4. */
export const plainAddress = (address: string | undefined): string =>
  (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');

export class HostFlow implements Flow {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  lowWaterBytes = LOW_WATER_BYTES;
  private readonly socket: Socket;
  private readonly loop: NodeLoop;
  private handler: FlowHandler | null = null;
  private above = false;
  private corked = false;
  /** How it ends, once known; 'closed' unless something went wrong. */
  private how: FlowEnd = 'closed';
  private silent = false;
  private isUndelayed = true;

  /** `socket` must be connected, and made with allowHalfOpen. */
  constructor(socket: Socket, loop: NodeLoop) {
    this.socket = socket;
    this.loop = loop;
    this.local = { address: plainAddress(socket.localAddress), port: socket.localPort ?? 0 };
    this.remote = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      // A plain array: a Buffer's slice() isn't what a Uint8Array's is.
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      this.tell((handler) => handler.data(bytes));
    });
    socket.on('end', () => this.tell((handler) => handler.end()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.how = error.code === 'ETIMEDOUT' ? 'timeout' : 'reset';
    });
    socket.on('close', () => {
      this.tell((handler) => {
        this.silent = true;
        handler.closed(this.how);
      });
    });
  }

  get noDelay(): boolean {
    return this.isUndelayed;
  }

  set noDelay(isUndelayed: boolean) {
    this.isUndelayed = isUndelayed;
    this.socket.setNoDelay(isUndelayed);
  }

  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    const { socket } = this;
    if (!socket.writable || bytes.length === 0) return;
    if (!this.corked) {
      this.corked = true;
      socket.cork();
      process.nextTick(() => {
        this.corked = false;
        socket.uncork();
      });
    }
    socket.write(bytes, () => this.taken());
    if (socket.writableLength > this.lowWaterBytes) this.above = true;
  }

  shutdown(): void {
    if (this.socket.writable) this.socket.end();
  }

  abort(): void {
    if (this.socket.destroyed) return;
    this.how = 'reset';
    this.socket.resetAndDestroy();
  }

  askIfAlive(idle: Duration | null): void {
    // In whole seconds; how often it asks, and how long, is the host's affair.
    this.socket.setKeepAlive(idle !== null, idle === null ? 0 : Math.max(1_000, idle / 1_000));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Bytes left for the host. */
  private taken(): void {
    if (!this.above || this.socket.writableLength > this.lowWaterBytes) return;
    this.above = false;
    if (!this.socket.destroyed) this.tell((handler) => handler.drained());
  }

  private tell(event: (handler: FlowHandler) => void): void {
    if (this.silent) return;
    const { handler } = this;
    assert(handler !== null, 'nobody attached a handler to the flow');
    this.loop.turn(() => event(handler));
  }
}
