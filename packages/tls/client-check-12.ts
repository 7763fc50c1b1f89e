/** What a client of TLS 1.2 checks in a ServerHello: RFC 5246 §7.4.1.3, RFC 5746 §3.4, RFC 8422. */

import { hot } from '#core';
import type { ClientOffer } from './client-offer.ts';
import { type Refusal, refuse } from './refusal.ts';
import { extensionCode, POINT_UNCOMPRESSED } from './wire/code-points.ts';
import type { ServerHello } from './wire/server-hello.ts';

/** Of a ticket whose server doesn't say, and of sessions by identifier. */
export const TICKET_LIFETIME_UNKNOWN_SECONDS = 3_600;

/** Extensions that a ServerHello has in TLS 1.3 only. */
const ONLY_13: readonly number[] = [extensionCode.key_share, extensionCode.pre_shared_key];

/** Everything but the version, the suite, and whether a session is resumed. */
export function checkServerHello12(offer: ClientOffer, hello: ServerHello): Refusal | null {
  const { extensions } = hello;
  const offered = offer.hello.extensions;
  if (hello.compression !== 0) return refuse('illegal_parameter', 'the server compresses');
  if (extensions.codes.some((code) => !offered.codes.includes(code))) {
    return refuse('unsupported_extension', 'the server sent an extension that was not offered');
  }
  if (extensions.codes.some((code) => ONLY_13.includes(code))) {
    return refuse('illegal_parameter', 'an extension that this server_hello may not have');
  }
  const { alpn, ecPointFormats, renegotiationInfo } = extensions;
  // RFC 5746 §4.1: without it somebody may have spoken before us.
  if (renegotiationInfo === null || renegotiationInfo.length > 0) {
    return refuse('handshake_failure', 'the server has no secure renegotiation');
  }
  if (ecPointFormats !== null && !ecPointFormats.includes(POINT_UNCOMPRESSED)) {
    return refuse('illegal_parameter', 'no uncompressed points');
  }
  if (alpn !== null && !offered.alpn!.includes(alpn)) {
    return refuse('illegal_parameter', 'a protocol that was not offered');
  }
  return null;
}

export const isSameId = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && hot.equal(a, 0, b, 0, a.length);
