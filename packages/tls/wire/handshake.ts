/**
 * The header of a handshake message (RFC 8446 §4, RFC 5246 §7.4). Each message's own file parses
 * the body, which is what follows the header.
 */

import { readU16be } from '#core';
import { ByteWriter } from './byte-writer.ts';

export const HANDSHAKE_HEADER_BYTES = 4;

export const handshakeType = {
  hello_request: 0,
  client_hello: 1,
  server_hello: 2,
  new_session_ticket: 4,
  end_of_early_data: 5,
  encrypted_extensions: 8,
  certificate: 11,
  server_key_exchange: 12,
  certificate_request: 13,
  server_hello_done: 14,
  certificate_verify: 15,
  client_key_exchange: 16,
  finished: 20,
  certificate_status: 22,
  key_update: 24,
  message_hash: 254,
} as const;
export type HandshakeTypeName = keyof typeof handshakeType;

const NAMES = new Map<number, HandshakeTypeName>(
  (Object.keys(handshakeType) as HandshakeTypeName[]).map((name) => [handshakeType[name], name]),
);

/** Null for a type that `handshakeType` doesn't have. */
export const handshakeTypeNameOf = (type: number): HandshakeTypeName | null =>
  NAMES.get(type) ?? null;

/** The type of the message at `messageAt`, whose header must be there. */
export const handshakeTypeAt = (b: Uint8Array, messageAt: number): number => b[messageAt]!;
/** Bytes of the body of the message at `messageAt`, whose header must be there. */
export const handshakeBodyBytes = (b: Uint8Array, messageAt: number): number =>
  b[messageAt + 1]! * 0x10000 + readU16be(b, messageAt + 2);

/** A whole message, header first, in a fresh array. */
export function handshakeMessage<R>(
  type: number,
  emit: (to: ByteWriter, repr: R) => void,
  repr: R,
): Uint8Array {
  const to = new ByteWriter();
  to.u8(type);
  to.within(3, () => emit(to, repr));
  return to.finish();
}
