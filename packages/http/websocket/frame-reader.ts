/**
 * Frames into messages, from pieces of any size (RFC 6455 §5.4, §5.5, §8.1): a synchronous machine
 * that keeps at most one message and one control frame. Read first: wire/websocket-frame.ts. Not
 * here: what is answered, and when (web-socket.ts).
 */

import { assert, hot } from '#core';
import {
  CONTROL_BYTES_MAX,
  CONTROL_MIN,
  FRAME_HEAD_BYTES_MAX,
  type FrameHead,
  maskBytes,
  OPCODE_CONTINUATION,
  OPCODE_TEXT,
  parseFrameHead,
} from '../wire/websocket-frame.ts';
import { messageBytesFirst } from './limits.ts';

/** RFC 6455 §7.4.1. */
export const CLOSE_PROTOCOL = 1002;
const CLOSE_NOT_TEXT = 1007;
export const CLOSE_POLICY = 1008;
const CLOSE_TOO_BIG = 1009;

export interface FrameEvents {
  /** True: no message is wanted now. */
  readonly isPaused: boolean;
  /** A text, or bytes that are the listener's from now on. */
  message(message: string | Uint8Array): void;
  /** `payload` is borrowed. */
  control(opcode: number, payload: Uint8Array): void;
  /** A frame that carries nothing: an empty piece of a message, or a control frame. */
  idle(): void;
  /** The peer broke a rule; nothing is read after it. */
  broken(code: number, why: string): void;
}

export class FrameReader {
  private readonly events: FrameEvents;
  private readonly bytesMax: number;
  /** True: frames must be masked (we are the server); false: they must not. */
  private readonly isMasked: boolean;
  private readonly head = new Uint8Array(FRAME_HEAD_BYTES_MAX);
  private headBytes = 0;
  /** The frame whose payload comes; null: a head comes. */
  private frame: FrameHead | null = null;
  private frameBytes = 0;
  /** The message that isn't complete, its opcode; -1: none. */
  private opcode = -1;
  private message = new Uint8Array(0);
  private messageBytes = 0;
  private readonly controlPayload = new Uint8Array(CONTROL_BYTES_MAX);
  private isStopped = false;

  constructor(events: FrameEvents, bytesMax: number, isMasked: boolean) {
    this.events = events;
    this.bytesMax = bytesMax;
    this.isMasked = isMasked;
  }

  /** Nothing is read, and no event comes, from now on. */
  stop(): void {
    this.isStopped = true;
    this.message = new Uint8Array(0);
  }

  /**
   * Takes what it may of `bytes`, borrowed: all, unless a listener pauses. Returns the offset of
   * the rest.
   */
  take(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !this.events.isPaused) {
      if (this.isStopped) return bytes.length;
      at = this.frame === null ? this.takeHead(bytes, at) : this.takePayload(this.frame, bytes, at);
    }
    return at;
  }

  checkInvariants(): void {
    assert(this.messageBytes <= this.bytesMax && this.headBytes < FRAME_HEAD_BYTES_MAX);
    assert(this.opcode !== -1 || this.messageBytes === 0);
    assert(this.frame === null || this.frameBytes < this.frame.payloadBytes);
  }

  private takeHead(bytes: Uint8Array, from: number): number {
    const { head, headBytes: before } = this;
    // Some of it may be payload, which is not taken here.
    const count = Math.min(FRAME_HEAD_BYTES_MAX - before, bytes.length - from);
    hot.copy(head, before, bytes, from, count);
    const parsed = parseFrameHead(head, 0, before + count);
    if (parsed.ok) {
      this.headBytes = 0;
      this.begin(parsed.value);
      return from + parsed.value.headBytes - before;
    }
    this.headBytes = before + count;
    if (parsed.error.kind !== 'short') this.break(CLOSE_PROTOCOL, 'a malformed frame');
    return from + count;
  }

  private begin(frame: FrameHead): void {
    const { opcode, payloadBytes } = frame;
    if ((frame.mask !== null) !== this.isMasked) {
      this.break(CLOSE_PROTOCOL, this.isMasked ? 'a frame without a mask' : 'a frame with a mask');
      return;
    }
    if (opcode < CONTROL_MIN) {
      if ((opcode === OPCODE_CONTINUATION) !== (this.opcode !== -1)) {
        this.break(CLOSE_PROTOCOL, 'pieces of messages out of order');
        return;
      }
      if (payloadBytes > this.bytesMax - this.messageBytes) {
        this.break(CLOSE_TOO_BIG, `a message of more than ${this.bytesMax} bytes`);
        return;
      }
      if (opcode !== OPCODE_CONTINUATION) this.opcode = opcode;
    }
    this.frame = frame;
    this.frameBytes = 0;
    if (opcode >= CONTROL_MIN || payloadBytes === 0) this.events.idle();
    if (payloadBytes === 0 && !this.isStopped) this.end(frame);
  }

  private takePayload(frame: FrameHead, bytes: Uint8Array, at: number): number {
    const count = Math.min(frame.payloadBytes - this.frameBytes, bytes.length - at);
    const isControl = frame.opcode >= CONTROL_MIN;
    if (!isControl) this.grow(count);
    const to = isControl ? this.controlPayload : this.message;
    const toAt = isControl ? this.frameBytes : this.messageBytes;
    if (frame.mask === null) hot.copy(to, toAt, bytes, at, count);
    else maskBytes(to, toAt, bytes, at, count, frame.mask, this.frameBytes);
    this.frameBytes += count;
    if (!isControl) this.messageBytes += count;
    if (this.frameBytes === frame.payloadBytes) this.end(frame);
    return at + count;
  }

  /** Makes room for `count` more bytes. */
  private grow(count: number): void {
    const need = this.messageBytes + count;
    if (need <= this.message.length) return;
    const size = Math.min(
      Math.max(need, messageBytesFirst, 2 * this.message.length),
      this.bytesMax,
    );
    const grown = new Uint8Array(size);
    hot.copy(grown, 0, this.message, 0, this.messageBytes);
    this.message = grown;
  }

  private end(frame: FrameHead): void {
    this.frame = null;
    if (frame.opcode >= CONTROL_MIN) {
      this.events.control(frame.opcode, this.controlPayload.subarray(0, frame.payloadBytes));
      return;
    }
    if (!frame.isFinal) return;
    const { message, messageBytes, opcode } = this;
    this.message = new Uint8Array(0);
    this.messageBytes = 0;
    this.opcode = -1;
    if (opcode !== OPCODE_TEXT) {
      // Seldom more than half empty; whoever keeps it keeps what it holds only.
      const isTight = message.length === messageBytes;
      this.events.message(isTight ? message : message.slice(0, messageBytes));
      return;
    }
    const text = hot.utf8Decode(message, 0, messageBytes, true);
    if (text === null) this.break(CLOSE_NOT_TEXT, 'text that is no UTF-8');
    else this.events.message(text);
  }

  private break(code: number, why: string): void {
    this.stop();
    this.messageBytes = 0;
    this.opcode = -1;
    this.frame = null;
    this.headBytes = 0;
    this.events.broken(code, why);
  }
}
