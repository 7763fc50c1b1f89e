/**
 * ServerKeyExchange and ClientKeyExchange of ECDHE, TLS 1.2: RFC 8422 §5.4, §5.7. Arrays of bytes
 * are views of the parsed ones.
 */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { namedGroupNameOf, signatureSchemeNameOf } from './code-points.ts';

/** The only ECCurveType that RFC 8422 §5.4 leaves. */
const NAMED_CURVE = 3;

export interface ServerKeyExchange {
  readonly group: number;
  readonly point: Uint8Array;
  readonly scheme: number;
  /** Of both randoms and `serverKeyParams`. */
  readonly signature: Uint8Array;
}

export function parseServerKeyExchange(body: Uint8Array): Result<ServerKeyExchange, TlsFault> {
  const from = new ByteReader(body);
  const typeAt = from.at;
  if (from.u8() !== NAMED_CURVE) from.fail(typeAt, 'illegal_parameter');
  return from.finish({
    group: from.u16(),
    point: from.vector(1, 1),
    scheme: from.u16(),
    signature: from.vector(2),
  });
}

export function emitServerKeyExchange(to: ByteWriter, exchange: ServerKeyExchange): void {
  emitServerKeyParams(to, exchange);
  to.u16(exchange.scheme);
  to.vector(2, exchange.signature);
}

/** ServerECDHParams: the part of the message that is signed. */
export function emitServerKeyParams(
  to: ByteWriter,
  { group, point }: Pick<ServerKeyExchange, 'group' | 'point'>,
): void {
  to.u8(NAMED_CURVE);
  to.u16(group);
  to.vector(1, point);
}

export function formatServerKeyExchange({ group, scheme }: ServerKeyExchange): string {
  const signed = signatureSchemeNameOf(scheme) ?? `0x${scheme.toString(16)}`;
  return `server_key_exchange ${namedGroupNameOf(group) ?? group} ${signed}`;
}

export interface ClientKeyExchange {
  readonly point: Uint8Array;
}

export function parseClientKeyExchange(body: Uint8Array): Result<ClientKeyExchange, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({ point: from.vector(1, 1) });
}

export const emitClientKeyExchange = (to: ByteWriter, { point }: ClientKeyExchange): void =>
  to.vector(1, point);

export const formatClientKeyExchange = ({ point }: ClientKeyExchange): string =>
  `client_key_exchange, ${point.length} bytes`;
