/**
 * ServerHello, RFC 8446 §4.1.3, RFC 5246 §7.4.1.3; and the HelloRetryRequest that looks like one,
 * RFC 8446 §4.1.4. Arrays of bytes are views of the parsed ones.
 */

import { hot, type Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { RANDOM_BYTES, SESSION_ID_BYTES_MAX } from './client-hello.ts';
import { cipherSuiteNameOf } from './code-points.ts';
import {
  type HelloRetryExtensions,
  helloRetryExtensions,
  type ServerHelloExtensions,
  serverHelloExtensions,
} from './extensions.ts';

/** SHA-256 of "HelloRetryRequest": a ServerHello with this random is one (RFC 8446 §4.1.3). */
export const HELLO_RETRY_RANDOM = Uint8Array.of(
  ...[0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8],
  ...[0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8],
  ...[0x33, 0x9c],
);

/** Last bytes of the random of a server that could do TLS 1.3 and was asked for less. */
const DOWNGRADE_TO_12 = hot.utf8Encode('DOWNGRD\u0001');
const DOWNGRADE_TO_11 = hot.utf8Encode('DOWNGRD\u0000');
export const DOWNGRADE_BYTES = 8;

interface Common {
  /** legacy_version of TLS 1.3. */
  readonly version: number;
  /** legacy_session_id_echo of TLS 1.3. */
  readonly sessionId: Uint8Array;
  readonly suite: number;
  readonly compression: number;
}

export interface ServerHello extends Common {
  readonly kind: 'hello';
  readonly random: Uint8Array;
  /** Without any when TLS 1.2's hello ends before them. */
  readonly extensions: ServerHelloExtensions;
}

export interface HelloRetryRequest extends Common {
  readonly kind: 'retry';
  readonly extensions: HelloRetryExtensions;
}

export function parseServerHello(
  body: Uint8Array,
): Result<ServerHello | HelloRetryRequest, TlsFault> {
  const from = new ByteReader(body);
  const version = from.u16();
  const random = from.take(RANDOM_BYTES);
  const sessionId = from.vector(1, 0, SESSION_ID_BYTES_MAX);
  const common = { version, sessionId, suite: from.u16(), compression: from.u8() };
  if (isRetryRandom(random)) {
    const extensions = helloRetryExtensions.read(from);
    return from.finish({ kind: 'retry' as const, ...common, extensions });
  }
  const extensions =
    from.leftBytes === 0 ? serverHelloExtensions.of({}) : serverHelloExtensions.read(from);
  return from.finish({ kind: 'hello' as const, ...common, random, extensions });
}

const isRetryRandom = (random: Uint8Array): boolean =>
  random.length === RANDOM_BYTES && hot.equal(random, 0, HELLO_RETRY_RANDOM, 0, RANDOM_BYTES);

/** A hello is written without a block of extensions when there are none. */
export function emitServerHello(to: ByteWriter, hello: ServerHello | HelloRetryRequest): void {
  to.u16(hello.version);
  to.put(hello.kind === 'retry' ? HELLO_RETRY_RANDOM : hello.random);
  to.vector(1, hello.sessionId);
  to.u16(hello.suite);
  to.u8(hello.compression);
  if (hello.kind === 'retry') helloRetryExtensions.write(to, hello.extensions);
  else if (hello.extensions.codes.length > 0) serverHelloExtensions.write(to, hello.extensions);
}

export const formatServerHello = ({ kind, suite }: ServerHello | HelloRetryRequest): string =>
  `server_hello (${kind}) ${cipherSuiteNameOf(suite) ?? `0x${suite.toString(16)}`}`;

/**
 * Marks `random` (RANDOM_BYTES, in place) of a server that can do TLS 1.3 and answers with 1.2, RFC
 * 8446 §4.1.3.
 */
export function markDowngrade(random: Uint8Array): void {
  hot.copy(random, RANDOM_BYTES - DOWNGRADE_BYTES, DOWNGRADE_TO_12, 0, DOWNGRADE_BYTES);
}

/** Whether a server of TLS 1.3 says in `random` (RANDOM_BYTES) that it was asked for less. */
export function isDowngradeMarked(random: Uint8Array): boolean {
  const markAt = RANDOM_BYTES - DOWNGRADE_BYTES;
  return (
    hot.equal(random, markAt, DOWNGRADE_TO_12, 0, DOWNGRADE_BYTES) ||
    hot.equal(random, markAt, DOWNGRADE_TO_11, 0, DOWNGRADE_BYTES)
  );
}
