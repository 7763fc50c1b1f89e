/** A client's WebSocket as a channel for syncing: a browser's, or Node's. */

import type { SyncChannel, SyncChannelHandler } from '#store/sync';

/** Above so many bytes that haven't left, `drained` is told when they have. */
const QUEUED_BYTES_LOW = 65_536;
const LOOK_MS = 20;
/** Of a close frame's reason, RFC 6455 §5.5: 123 bytes. */
const REASON_LETTERS_MAX = 40;

/**
 * Resolves when it is open; null: the server can't be reached. `wait`: a browser doesn't tell when
 * its queue is empty, so it is looked at.
 */
export function webSocketChannel(
  url: string,
  wait: (millis: number) => Promise<void>,
): Promise<SyncChannel | null> {
  return new Promise((resolve) => {
    let socket: WebSocket;
    try {
      socket = new WebSocket(url);
    } catch {
      resolve(null);
      return;
    }
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => resolve(new WebSocketChannel(socket, wait));
    socket.onclose = () => resolve(null);
  });
}

class WebSocketChannel implements SyncChannel {
  private readonly socket: WebSocket;
  private readonly wait: (millis: number) => Promise<void>;
  private handler: SyncChannelHandler | null = null;
  private isLooking = false;
  private isPaused = false;
  private readonly waiting: (string | Uint8Array)[] = [];

  constructor(socket: WebSocket, wait: (millis: number) => Promise<void>) {
    this.socket = socket;
    this.wait = wait;
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
    if (this.queuedBytes > QUEUED_BYTES_LOW && !this.isLooking) void this.look();
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

  private async look(): Promise<void> {
    this.isLooking = true;
    while (this.queuedBytes > QUEUED_BYTES_LOW && this.handler !== null) await this.wait(LOOK_MS);
    this.isLooking = false;
    this.handler?.drained();
  }
}
