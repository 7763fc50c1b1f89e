/** A client's WebSocket as a channel for syncing: a browser's, or Node's. */

import type { Later, SyncChannel, SyncChannelHandler } from '#store/sync';

/** Above so many bytes that haven't left, `drained` is told when they have. */
const QUEUED_BYTES_LOW = 65_536;
const LOOK_MS = 20;
/** Of a close frame's reason, RFC 6455 §5.5: 123 bytes. */
const REASON_LETTERS_MAX = 40;

/**
 * Resolves when it is open; null: the server can't be reached. `later`: a browser doesn't tell
 * when its queue is empty, so it is looked at.
 */
export function webSocketChannel(url: string, later: Later): Promise<SyncChannel | null> {
  return new Promise((resolve) => {
    let socket: WebSocket;
    try {
      socket = new WebSocket(url);
    } catch {
      resolve(null);
      return;
    }
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => resolve(new WebSocketChannel(socket, later));
    socket.onclose = () => resolve(null);
  });
}

class WebSocketChannel implements SyncChannel {
  private readonly socket: WebSocket;
  private readonly later: Later;
  private handler: SyncChannelHandler | null = null;
  private isLooking = false;
  private isPaused = false;
  private readonly waiting: (string | Uint8Array)[] = [];

  constructor(socket: WebSocket, later: Later) {
    this.socket = socket;
    this.later = later;
    socket.onmessage = ({ data }) => {
      this.deliver(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer));
    };
    socket.onclose = ({ code, reason }) => {
      const { handler } = this;
      this.handler = null;
      handler?.closed(code, reason);
    };
  }

  get queuedBytes(): number {
    return this.socket.bufferedAmount;
  }

  attach(handler: SyncChannelHandler): void {
    this.handler = handler;
  }

  send(message: string | Uint8Array): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(message as string | Uint8Array<ArrayBuffer>);
    if (this.queuedBytes > QUEUED_BYTES_LOW && !this.isLooking) this.look();
  }

  close(code = 1_000, reason = ''): void {
    this.socket.close(code, reason.slice(0, REASON_LETTERS_MAX));
  }

  /** The socket can't be: what comes waits here. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    while (!this.isPaused && this.waiting.length > 0) this.deliver(this.waiting.shift()!);
  }

  private deliver(message: string | Uint8Array): void {
    if (this.isPaused) this.waiting.push(message);
    else this.handler?.message(message);
  }

  private look(): void {
    this.isLooking = this.queuedBytes > QUEUED_BYTES_LOW && this.handler !== null;
    if (this.isLooking) this.later(LOOK_MS, () => this.look());
    else this.handler?.drained();
  }
}
