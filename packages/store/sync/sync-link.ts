/**
 * One side of a channel of messages: what is said, and bodies as streams, each held back by whoever
 * is slower. Read first: sync-message.ts. Not here: who says what when.
 */

import {
  BODY_QUEUE_BYTES_BROKEN,
  BODY_QUEUE_BYTES_MAX,
  CHANNEL_QUEUE_BYTES_MAX,
  PIECE_BYTES_MAX,
  PIECE_COST_BYTES,
} from './limits.ts';
import { formatSyncMessage, parseSyncMessage, type SyncMessage } from './sync-message.ts';

export interface SyncChannelHandler {
  message(message: string | Uint8Array): void;
  /** `queuedBytes` is low again. */
  drained(): void;
  closed(code: number, reason: string): void;
}

/** Ordered messages both ways: a WebSocket's end, the server's or a client's. */
export interface SyncChannel {
  readonly queuedBytes: number;
  /** Queues a message; bytes are copied, or never changed afterwards. Ignored once closed. */
  send(message: string | Uint8Array): void;
  attach(handler: SyncChannelHandler): void;
  close(code?: number, reason?: string): void;
  /** No messages, where that can be. */
  pause(): void;
  resume(): void;
}

/** RFC 6455 §7.4.1, IANA's registry: "try again later". */
export const CLOSE_TRY_LATER = 1_013;
/** For the close frame: RFC 6455 §7.4.2 leaves 4000 and above to applications. */
export const CLOSE_REFUSED = 4_001;
export const CLOSE_BROKEN = 4_002;

/** The channel ended while a body came, or was sent. */
export class ChannelGone extends Error {
  override readonly name = 'ChannelGone';
}

export interface SyncLinkEvents {
  /** All but pieces and ends of bodies. */
  said(message: SyncMessage): void;
  /** Once. */
  gone(reason: string): void;
  /** The peer said what it mustn't; before `gone`. */
  broken?(why: string): void;
  /** A body begins to wait for the peer to read, or goes on. */
  stalled?(isStalled: boolean): void;
}

export class SyncLink implements SyncChannelHandler {
  private readonly channel: SyncChannel;
  private readonly events: SyncLinkEvents;
  /** Messages that came. */
  heard = 0;
  private body: BodyQueue | null = null;
  private wake: (() => void) | null = null;
  private isGone = false;

  constructor(channel: SyncChannel, events: SyncLinkEvents) {
    this.channel = channel;
    this.events = events;
    channel.attach(this);
  }

  get isOver(): boolean {
    return this.isGone;
  }

  say(message: SyncMessage): void {
    if (!this.isGone) this.channel.send(formatSyncMessage(message));
  }

  /** Binary messages go here from now on, up to the next 'end' or 'failed'. */
  expectBody(): BodyQueue {
    this.body = new BodyQueue(this.channel);
    return this.body;
  }

  /** Sends pieces as the peer takes them; false: it is gone, or `isWanted` no longer. */
  async sendBody(
    pieces: AsyncIterable<Uint8Array>,
    isWanted: () => boolean = () => true,
  ): Promise<boolean> {
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; at += PIECE_BYTES_MAX) {
        while (this.channel.queuedBytes > CHANNEL_QUEUE_BYTES_MAX && !this.isGone) {
          this.events.stalled?.(true);
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
          this.events.stalled?.(false);
        }
        if (this.isGone || !isWanted()) return false;
        this.channel.send(piece.subarray(at, at + PIECE_BYTES_MAX));
      }
    }
    return !this.isGone;
  }

  /** The peer said what it mustn't. */
  break(why: string): void {
    if (!this.isGone) this.events.broken?.(why);
    this.end(CLOSE_BROKEN, why);
  }

  end(code: number, why: string): void {
    if (this.isGone) return;
    this.channel.close(code, why);
    this.closed(code, why);
  }

  message(message: string | Uint8Array): void {
    if (this.isGone) return;
    this.heard += 1;
    if (typeof message !== 'string') {
      if (this.body === null) this.break('bytes that belong to nothing');
      else if (!this.body.push(message)) this.break('more bytes than can wait');
      return;
    }
    const said = parseSyncMessage(message);
    if (said === null) {
      this.break('no message of this protocol');
      return;
    }
    if (said.say === 'end' || said.say === 'failed') {
      const { body } = this;
      this.body = null;
      if (body === null) this.break('the end of nothing');
      else body.finish(said.say === 'failed' ? new Error(said.why) : null);
      return;
    }
    this.events.said(said);
  }

  drained(): void {
    this.wake?.();
    this.wake = null;
  }

  closed(_code: number, reason: string): void {
    if (this.isGone) return;
    this.isGone = true;
    this.body?.finish(new ChannelGone(reason));
    this.body = null;
    this.drained();
    this.events.gone(reason);
  }
}

/** A body that comes, as a stream that is read once. */
export class BodyQueue implements AsyncIterable<Uint8Array> {
  private readonly channel: SyncChannel;
  private pieces: Uint8Array[] = [];
  private bytes = 0;
  private isPaused = false;
  private isDone = false;
  private isDropped = false;
  private failure: Error | null = null;
  private wake: (() => void) | null = null;

  constructor(channel: SyncChannel) {
    this.channel = channel;
  }

  /** False: too many wait. */
  push(piece: Uint8Array): boolean {
    if (this.isDropped) return true;
    this.pieces.push(piece);
    this.bytes += piece.length + PIECE_COST_BYTES;
    if (this.bytes > BODY_QUEUE_BYTES_MAX && !this.isPaused) {
      this.isPaused = true;
      this.channel.pause();
    }
    this.wake?.();
    return this.bytes <= BODY_QUEUE_BYTES_BROKEN;
  }

  finish(failure: Error | null): void {
    this.isDone = true;
    this.failure = failure;
    this.wake?.();
  }

  /** Nobody reads the rest. */
  drop(): void {
    this.isDropped = true;
    this.pieces = [];
    this.bytes = 0;
    this.resume();
  }

  /** All of it came, or nothing more will. */
  get isOver(): boolean {
    return this.isDone;
  }

  /** Resolves when all of it came, read or not. */
  async whole(): Promise<void> {
    while (!this.isDone) await this.next();
    if (this.failure instanceof ChannelGone) throw this.failure;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const piece = this.pieces.shift();
        if (piece !== undefined) {
          this.bytes -= piece.length + PIECE_COST_BYTES;
          if (this.bytes <= BODY_QUEUE_BYTES_MAX / 2) this.resume();
          yield piece;
        } else if (this.failure !== null) throw this.failure;
        else if (this.isDone) return;
        else {
          await this.next();
        }
      }
    } finally {
      this.drop();
    }
  }

  private async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    this.wake = null;
  }

  private resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.channel.resume();
  }
}
