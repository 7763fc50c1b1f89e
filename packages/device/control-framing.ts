/**
 * Frames on a control channel, both ways:
 *
 *     u32be payload bytes | u32be client | payload
 *
 * A client is a number that the supervisor chose; its payloads, put together, are one stream of
 * bytes, and a frame without payload ends it, whoever sends it. Numbers aren't used again while the
 * channel is open. Not here: what the clients' streams say (packages/inspect).
 *
 * The stream of whoever connects to a channel begins with a mark, eight bytes 0xff, which no frame
 * can begin with: where another connection takes the place of the last one, what still comes of the
 * old stream (`restart`) is told from the new one by it. The machine's begins with one too where
 * that can be. Between frames bytes 0xff mean nothing.
 */

import { readU32be, type WireFault, writeU32be } from '#core';

export const CONTROL_HEAD_BYTES = 8;
/** A longer stretch of a client's stream goes in several frames, so that others get a turn. */
export const CONTROL_PAYLOAD_BYTES_MAX = 65_536;

const MARK_BYTE = 0xff;
const MARK_BYTES = 8;

/** What a stream begins with, in memory of its own. */
export const controlMark = (): Uint8Array => new Uint8Array(MARK_BYTES).fill(MARK_BYTE);

const at = { payloadBytes: 0, client: 4 } as const;

/** Writes a frame's head at `from`; the payload belongs behind it. */
export function emitControlHead(
  to: Uint8Array,
  from: number,
  client: number,
  payloadBytes: number,
): void {
  writeU32be(to, from + at.payloadBytes, payloadBytes);
  writeU32be(to, from + at.client, client);
}

/** One frame in memory of its own; `payload` is copied, CONTROL_PAYLOAD_BYTES_MAX at most. */
export function controlFrame(client: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(CONTROL_HEAD_BYTES + payload.length);
  emitControlHead(frame, 0, client, payload.length);
  frame.set(payload, CONTROL_HEAD_BYTES);
  return frame;
}

export interface ControlFrames {
  /** Some of a client's stream, one byte at least; borrowed for the call. */
  piece(client: number, bytes: Uint8Array): void;
  /** The client's stream ended. */
  end(client: number): void;
}

/** Reads frames from a stream that comes in any pieces. Holds a head at most, never a payload. */
export class ControlReader {
  private readonly frames: ControlFrames;
  private readonly head = new Uint8Array(CONTROL_HEAD_BYTES);
  private headBytes = 0;
  private client = 0;
  /** What the frame whose head was read still lacks. */
  private payloadLeft = 0;
  /** How much of a mark is still to be found; 0 when none is looked for. */
  private markLeft = 0;
  private fault: WireFault | null = null;

  constructor(frames: ControlFrames) {
    this.frames = frames;
  }

  /**
   * Takes the stream's next bytes, borrowed for the call. A fault is final: behind a length that no
   * frame has nothing can be found any more.
   */
  push(bytes: Uint8Array): WireFault | null {
    let from = 0;
    while (from < bytes.length && this.fault === null) {
      if (this.markLeft > 0) from = this.findMark(bytes, from);
      else if (this.payloadLeft > 0) from = this.readPayload(bytes, from);
      else from = this.readHead(bytes, from);
    }
    return this.fault;
  }

  /** Another stream follows: forgets the old one, and skips all that comes before the next mark. */
  restart(): void {
    this.headBytes = 0;
    this.payloadLeft = 0;
    this.fault = null;
    this.markLeft = MARK_BYTES;
  }

  private findMark(bytes: Uint8Array, from: number): number {
    for (let next = from; next < bytes.length; next++) {
      if (bytes[next] !== MARK_BYTE) this.markLeft = MARK_BYTES;
      else if (--this.markLeft === 0) return next + 1;
    }
    return bytes.length;
  }

  private readPayload(bytes: Uint8Array, from: number): number {
    const count = Math.min(this.payloadLeft, bytes.length - from);
    this.payloadLeft -= count;
    this.frames.piece(this.client, bytes.subarray(from, from + count));
    return from + count;
  }

  private readHead(bytes: Uint8Array, from: number): number {
    const { head } = this;
    let next = from;
    if (this.headBytes === 0) while (bytes[next] === MARK_BYTE) next++;
    while (this.headBytes < CONTROL_HEAD_BYTES && next < bytes.length) {
      head[this.headBytes++] = bytes[next++]!;
    }
    if (this.headBytes < CONTROL_HEAD_BYTES) return next;
    this.headBytes = 0;
    const payloadBytes = readU32be(head, at.payloadBytes);
    if (payloadBytes > CONTROL_PAYLOAD_BYTES_MAX) {
      this.fault = { kind: 'field', offset: at.payloadBytes, value: payloadBytes };
      return next;
    }
    this.client = readU32be(head, at.client);
    this.payloadLeft = payloadBytes;
    if (payloadBytes === 0) this.frames.end(this.client);
    return next;
  }
}
