/**
 * ClientHello: RFC 8446 §4.1.2, RFC 5246 §7.4.1.2. Arrays of bytes are views of the parsed ones.
 */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { cipherSuiteNameOf, extensionCode } from './code-points.ts';
import { type ClientHelloExtensions, clientHelloExtensions } from './extensions.ts';

export const RANDOM_BYTES = 32;
export const SESSION_ID_BYTES_MAX = 32;

export interface ClientHello {
  /** legacy_version of TLS 1.3. */
  readonly version: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly suites: readonly number[];
  readonly compressions: Uint8Array;
  /** Without any when TLS 1.2's hello ends before them. */
  readonly extensions: ClientHelloExtensions;
}

/** Faults: decode_error; illegal_parameter where a value is one that no hello may have. */
export function parseClientHello(body: Uint8Array): Result<ClientHello, TlsFault> {
  const from = new ByteReader(body);
  const hello = {
    version: from.u16(),
    random: from.take(RANDOM_BYTES),
    sessionId: from.vector(1, 0, SESSION_ID_BYTES_MAX),
    suites: from.u16s(2, 2),
    compressions: from.vector(1, 1),
    extensions:
      from.leftBytes === 0 ? clientHelloExtensions.of({}) : clientHelloExtensions.read(from),
  };
  const { codes, preSharedKey } = hello.extensions;
  // RFC 8446 §4.2.11: its binders cover all that comes before them.
  if (preSharedKey !== null && codes.at(-1) !== extensionCode.pre_shared_key) {
    from.fail(body.length, 'illegal_parameter');
  }
  return from.finish(hello);
}

/** Without a block of extensions when there are none. */
export function emitClientHello(to: ByteWriter, hello: ClientHello): void {
  to.u16(hello.version);
  to.put(hello.random);
  to.vector(1, hello.sessionId);
  to.u16s(2, hello.suites);
  to.vector(1, hello.compressions);
  if (hello.extensions.codes.length > 0) clientHelloExtensions.write(to, hello.extensions);
}

export function formatClientHello({ suites, extensions }: ClientHello): string {
  const names = suites.map((suite) => cipherSuiteNameOf(suite) ?? `0x${suite.toString(16)}`);
  return `client_hello for ${extensions.serverName ?? 'no name'}: ${names.join(' ')}`;
}
