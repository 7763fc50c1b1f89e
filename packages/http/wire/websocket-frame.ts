/**
 * WebSocket frames, RFC 6455 §5.2: the head before each payload, and what a close frame says
 * (§5.5.1). Strict: no extension's bits, shortest lengths only. Not here: messages of several
 * frames, and which frames may come when (websocket/frame-reader.ts).
 */

import { assert, err, hot, ok, type Result, readU16be, type WireFault, writeU16be } from '#core';

export const OPCODE_CONTINUATION = 0;
export const OPCODE_TEXT = 1;
export const OPCODE_BINARY = 2;
export const OPCODE_CLOSE = 8;
export const OPCODE_PING = 9;
export const OPCODE_PONG = 10;

/** Opcodes from here on are of control frames, whose payloads are at most 125 bytes. */
export const CONTROL_MIN = 8;
export const CONTROL_BYTES_MAX = 125;
const MASK_BYTES = 4;
export const FRAME_HEAD_BYTES_MAX = 14;
/** Of a close frame's reason: two bytes are its code. */
const CLOSE_REASON_BYTES_MAX = CONTROL_BYTES_MAX - 2;

const FINAL_BIT = 0x80;
const RESERVED_MASK = 0x70;
const OPCODE_MASK = 0x0f;
const MASKED_BIT = 0x80;
const LENGTH_MASK = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const OPCODES: ReadonlySet<number> = new Set([
  OPCODE_CONTINUATION,
  OPCODE_TEXT,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
]);

export interface FrameHead {
  readonly isFinal: boolean;
  readonly opcode: number;
  /** Four bytes, a copy; null: not masked. */
  readonly mask: Uint8Array | null;
  /** A safe integer. */
  readonly payloadBytes: number;
  readonly headBytes: number;
}

/** The head at [at, end); 'short' tells how many bytes it has at least. */
export function parseFrameHead(
  b: Uint8Array,
  at: number,
  end: number,
): Result<FrameHead, WireFault> {
  const haveBytes = end - at;
  if (haveBytes < 2) return short(2, haveBytes);
  const [first, second] = [b[at]!, b[at + 1]!];
  const opcode = first & OPCODE_MASK;
  const isFinal = (first & FINAL_BIT) !== 0;
  if ((first & RESERVED_MASK) !== 0 || !OPCODES.has(opcode)) return field(0, first);
  const said = second & LENGTH_MASK;
  const isControl = opcode >= CONTROL_MIN;
  if (isControl && (!isFinal || said > CONTROL_BYTES_MAX)) return field(1, second);
  const lengthBytes = said === LENGTH_16 ? 2 : said === LENGTH_64 ? 8 : 0;
  const isMasked = (second & MASKED_BIT) !== 0;
  const headBytes = 2 + lengthBytes + (isMasked ? MASK_BYTES : 0);
  if (haveBytes < headBytes) return short(headBytes, haveBytes);
  const payloadBytes = lengthBytes === 0 ? said : lengthAt(b, at + 2, lengthBytes);
  if (payloadBytes < 0) return field(2, b[at + 2]!);
  const maskAt = at + 2 + lengthBytes;
  const mask = isMasked ? b.slice(maskAt, maskAt + MASK_BYTES) : null;
  return ok({ isFinal, opcode, mask, payloadBytes, headBytes });
}

/** -1 for what is longer than it must be, or than a number holds. */
function lengthAt(b: Uint8Array, at: number, lengthBytes: number): number {
  if (lengthBytes === 2) {
    const length = readU16be(b, at);
    return length < LENGTH_16 ? -1 : length;
  }
  let length = 0;
  for (let i = 0; i < 8; i++) length = length * 256 + b[at + i]!;
  return length > 0xffff && length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/** Writes a head at `at`; returns its length, at most FRAME_HEAD_BYTES_MAX. */
export function emitFrameHead(
  to: Uint8Array,
  at: number,
  { isFinal, opcode, mask, payloadBytes }: Omit<FrameHead, 'headBytes'>,
): number {
  assert(OPCODES.has(opcode) && Number.isSafeInteger(payloadBytes) && payloadBytes >= 0);
  assert(opcode < CONTROL_MIN || (isFinal && payloadBytes <= CONTROL_BYTES_MAX));
  const maskedBit = mask === null ? 0 : MASKED_BIT;
  to[at] = (isFinal ? FINAL_BIT : 0) + opcode;
  let next = at + 2;
  if (payloadBytes < LENGTH_16) to[at + 1] = maskedBit + payloadBytes;
  else if (payloadBytes <= 0xffff) {
    to[at + 1] = maskedBit + LENGTH_16;
    writeU16be(to, next, payloadBytes);
    next += 2;
  } else {
    to[at + 1] = maskedBit + LENGTH_64;
    let rest = payloadBytes;
    for (let i = 7; i >= 0; i--) {
      to[next + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    next += 8;
  }
  if (mask !== null) {
    assert(mask.length === MASK_BYTES);
    hot.copy(to, next, mask, 0, MASK_BYTES);
    next += MASK_BYTES;
  }
  return next - at;
}

/** Masks or unmasks `count` bytes into `to`; `phase`: how many of the payload came before. */
export function maskBytes(
  to: Uint8Array,
  toAt: number,
  from: Uint8Array,
  fromAt: number,
  count: number,
  mask: Uint8Array,
  phase: number,
): void {
  for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]! ^ mask[(phase + i) & 3]!;
}

export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}

/** RFC 6455 §7.1.5: a close frame without a code. */
const NO_CODE = 1005;

/** Whether a close frame may carry it (RFC 6455 §7.4, and the registry since). */
export const isCloseCode = (code: number): boolean =>
  (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code < 5000);

/** What a close frame's payload, unmasked, says. */
export function parseClose(b: Uint8Array): Result<CloseReason, WireFault> {
  if (b.length === 0) return ok({ code: NO_CODE, reason: '' });
  if (b.length < 2) return short(2, b.length);
  const code = readU16be(b, 0);
  if (!isCloseCode(code)) return field(0, code);
  if (b.length > CONTROL_BYTES_MAX) return field(CONTROL_BYTES_MAX, b[CONTROL_BYTES_MAX]!);
  const reason = hot.utf8Decode(b, 2, b.length, true);
  return reason === null ? field(2, b[2] ?? 0) : ok({ code, reason });
}

/** A payload of at most 125 bytes: the reason is cut after a whole character. */
export function emitClose({ code, reason }: CloseReason): Uint8Array {
  if (code === NO_CODE) return new Uint8Array(0);
  assert(isCloseCode(code));
  let text = hot.utf8Encode(reason);
  if (text.length > CLOSE_REASON_BYTES_MAX) {
    let end = CLOSE_REASON_BYTES_MAX;
    while ((text[end]! & 0xc0) === 0x80) end--;
    text = text.subarray(0, end);
  }
  const payload = new Uint8Array(2 + text.length);
  writeU16be(payload, 0, code);
  hot.copy(payload, 2, text, 0, text.length);
  return payload;
}

const short = (needBytes: number, haveBytes: number): Result<never, WireFault> =>
  err({ kind: 'short', needBytes, haveBytes });
const field = (offset: number, value: number): Result<never, WireFault> =>
  err({ kind: 'field', offset, value });
