/**
 * Messages of a field or none: Finished (RFC 8446 §4.4.4, RFC 5246 §7.4.9), KeyUpdate (RFC 8446
 * §4.6.3), those without a body (HelloRequest, ServerHelloDone, EndOfEarlyData), and the
 * ChangeCipherSpec that is no handshake message (RFC 5246 §7.1).
 */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

/** Of TLS 1.2; in 1.3 it is the hash's length. */
export const VERIFY_DATA_BYTES_12 = 12;

export interface Finished {
  /** A view of the parsed bytes. */
  readonly verifyData: Uint8Array;
}

/** `verifyDataBytes` is what the version and the suite say. */
export function parseFinished(
  body: Uint8Array,
  verifyDataBytes: number,
): Result<Finished, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({ verifyData: from.take(verifyDataBytes) });
}

export const emitFinished = (to: ByteWriter, { verifyData }: Finished): void => to.put(verifyData);

export interface KeyUpdate {
  /** Whether the receiver must answer with its own. */
  readonly isRequested: boolean;
}

export function parseKeyUpdate(body: Uint8Array): Result<KeyUpdate, TlsFault> {
  const from = new ByteReader(body);
  const valueAt = from.at;
  const value = from.u8();
  if (value > 1) from.fail(valueAt, 'illegal_parameter');
  return from.finish({ isRequested: value === 1 });
}

export const emitKeyUpdate = (to: ByteWriter, { isRequested }: KeyUpdate): void =>
  to.u8(isRequested ? 1 : 0);

/** HelloRequest, ServerHelloDone, EndOfEarlyData. */
export const parseEmptyMessage = (body: Uint8Array): Result<null, TlsFault> =>
  new ByteReader(body).finish(null);

export function emitEmptyMessage(): void {}

/** The content of a change_cipher_spec record: one byte, 1. */
export function parseChangeCipherSpec(content: Uint8Array): Result<null, TlsFault> {
  const from = new ByteReader(content);
  const valueAt = from.at;
  if (from.u8() !== 1) from.fail(valueAt, 'unexpected_message');
  return from.finish(null);
}

export const emitChangeCipherSpec = (to: ByteWriter): void => to.u8(1);
