/**
 * What a client and a unikernel say to each other, both ways: `u32be bytes | u8 kind | body`,
 * where `bytes` counts kind and body. Kind 0 is JSON in UTF-8; kind 1 is `u32be id | bytes`, a
 * piece of the stream that belongs to request `id`. Requests are
 * `{"id": 1, "ask": "snapshot", ...}`, answers `{"id": 1, "value": ...}` or
 * `{"id": 1, "error": "..."}`; a stream ends with its answer.
 */

import { err, hot, ok, type Result, readU32be, type WireFault, writeU32be } from '#core';
import { askCharactersMax } from '../limits.ts';
import { LENGTH_BYTES } from './length-reader.ts';

const KIND_JSON = 0;
const KIND_PIECE = 1;
/** Before a piece's bytes: length, kind, id. */
export const PIECE_HEADER_BYTES = 9;

export type ControlMessage =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'piece'; readonly id: number; readonly bytes: Uint8Array };

/** A message without its length; a piece's bytes are a view into `b`. */
export function parseControlMessage(b: Uint8Array): Result<ControlMessage, WireFault> {
  if (b.length < 1) return err({ kind: 'short', needBytes: 1, haveBytes: 0 });
  if (b[0] === KIND_PIECE) {
    if (b.length < 5) return err({ kind: 'short', needBytes: 5, haveBytes: b.length });
    return ok({ kind: 'piece', id: readU32be(b, 1), bytes: b.subarray(5) });
  }
  if (b[0] !== KIND_JSON) return err({ kind: 'field', offset: 0, value: b[0]! });
  const text = hot.utf8Decode(b, 1, b.length, true);
  if (text === null) return err({ kind: 'field', offset: 1, value: 0 });
  try {
    return ok({ kind: 'json', value: JSON.parse(text) });
  } catch {
    return err({ kind: 'field', offset: 1, value: 0 });
  }
}

/** The whole message, in a fresh array. */
export function emitJson(value: unknown): Uint8Array {
  const text = hot.utf8Encode(JSON.stringify(value));
  const bytes = new Uint8Array(LENGTH_BYTES + 1 + text.length);
  writeU32be(bytes, 0, 1 + text.length);
  bytes[LENGTH_BYTES] = KIND_JSON;
  hot.copy(bytes, LENGTH_BYTES + 1, text, 0, text.length);
  return bytes;
}

/** As `emitJson`. */
export function emitPiece(id: number, piece: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PIECE_HEADER_BYTES + piece.length);
  writeU32be(bytes, 0, bytes.length - LENGTH_BYTES);
  bytes[LENGTH_BYTES] = KIND_PIECE;
  writeU32be(bytes, LENGTH_BYTES + 1, id);
  hot.copy(bytes, PIECE_HEADER_BYTES, piece, 0, piece.length);
  return bytes;
}

export interface ControlRequest {
  /** The client's choice, 0..2^32-1; one of its requests at a time has it. */
  readonly id: number;
  readonly ask: string;
  /** What the command takes. */
  readonly [option: string]: unknown;
}

/** Null for what isn't one. */
export function requestOf(value: unknown): ControlRequest | null {
  if (!isRecord(value) || !isId(value.id)) return null;
  const { ask } = value;
  if (typeof ask !== 'string' || ask.length > askCharactersMax) return null;
  return value as unknown as ControlRequest;
}

export type ControlAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/** Null for what isn't one. */
export function answerOf(value: unknown): ControlAnswer | null {
  if (!isRecord(value) || !isId(value.id)) return null;
  if (typeof value.error === 'string') return { id: value.id, error: value.error };
  return Object.hasOwn(value, 'value') ? { id: value.id, value: value.value } : null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isId = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
