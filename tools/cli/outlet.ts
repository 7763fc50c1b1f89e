/**
 * A socket that somebody may not read: what waits in it is charged with what it costs here, which
 * for a byte of its own is far more than a byte.
 */

import type { Socket } from 'node:net';

/** Of each write, whatever it is: Node's own records, the callback, the array. */
export const WRITE_COST_BYTES = 512;
/** Smaller pieces are copied: else one would hold the whole chunk that it came in. */
const COPY_BYTES_MAX = 32_768;

export class Outlet {
  readonly socket: Socket;
  /** What waits to be taken, and what keeping it costs. */
  queuedBytes = 0;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** `bytes` may be a part of something larger. */
  write(bytes: Uint8Array): void {
    const isPart = bytes.length < bytes.buffer.byteLength && bytes.length < COPY_BYTES_MAX;
    const cost = bytes.length + WRITE_COST_BYTES;
    this.queuedBytes += cost;
    this.socket.write(isPart ? new Uint8Array(bytes) : bytes, () => {
      this.queuedBytes -= cost;
    });
  }
}
