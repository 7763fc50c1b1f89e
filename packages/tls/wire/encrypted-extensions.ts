/** EncryptedExtensions, RFC 8446 §4.3.1. */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { type EncryptedExtensions, encryptedExtensions } from './extensions.ts';

export function parseEncryptedExtensions(body: Uint8Array): Result<EncryptedExtensions, TlsFault> {
  const from = new ByteReader(body);
  return from.finish(encryptedExtensions.read(from));
}

export const emitEncryptedExtensions = (to: ByteWriter, extensions: EncryptedExtensions): void =>
  encryptedExtensions.write(to, extensions);

export const formatEncryptedExtensions = ({ codes }: EncryptedExtensions): string =>
  `encrypted_extensions ${codes.join(' ')}`;
