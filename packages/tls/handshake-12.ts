/**
 * What both roles of a TLS 1.2 handshake keep and do alike: transcript, master secret, keys,
 * Finished (RFC 5246 §7.4, §8). Not here: messages and their order (client-12.ts, server-12.ts).
 */

import { hot } from '#core';
import { constantTimeEqual, wipe } from '#crypto';
import type { CryptoPrimitives, PrivateKey, PublicKey, SignatureScheme } from '#device';
import type { TlsEngine } from './engine.ts';
import { connectionKeys, type Keys12, masterSecret, verifyData } from './prf.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { algorithm12 } from './schemes-12.ts';

import type { CipherSuite } from './suites.ts';
import { Transcript } from './transcript.ts';
import type { ByteWriter } from './wire/byte-writer.ts';
import { HANDSHAKE_HEADER_BYTES, handshakeMessage, handshakeType } from './wire/handshake.ts';
import { PLAINTEXT_BYTES_MAX } from './wire/record.ts';
import { emitFinished, parseFinished, VERIFY_DATA_BYTES_12 } from './wire/small-messages.ts';

type Side = 'client' | 'server';

const NOTHING = new Uint8Array(0);

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    hot.copy(out, at, part, 0, part.length);
    at += part.length;
  }
  return out;
}

export class Handshake12 {
  readonly engine: TlsEngine;
  readonly suite: CipherSuite;
  /** Both sides have extended_master_secret, so the session may be resumed (RFC 7627 §5). */
  readonly isExtended: boolean;
  /** Empty before `agree` or `resume`. */
  master: Uint8Array = NOTHING;
  private readonly crypto: CryptoPrimitives;
  private readonly transcript: Transcript;
  /** All messages so far, while a client's CertificateVerify may have to sign them (§7.4.8). */
  private log: Uint8Array[] | null;
  private readonly clientRandom: Uint8Array;
  private readonly serverRandom: Uint8Array;
  private keys: Keys12 | null = null;

  constructor(
    engine: TlsEngine,
    suite: CipherSuite,
    isExtended: boolean,
    randoms: { readonly client: Uint8Array; readonly server: Uint8Array },
    isLogged: boolean,
  ) {
    this.engine = engine;
    this.crypto = engine.env.crypto;
    this.suite = suite;
    this.isExtended = isExtended;
    this.transcript = new Transcript(this.crypto, suite.hash);
    this.clientRandom = randoms.client.slice();
    this.serverRandom = randoms.server.slice();
    this.log = isLogged ? [] : null;
  }

  /** A message of the peer's, borrowed. */
  add(message: Uint8Array): void {
    this.transcript.add(message);
    this.log?.push(message.slice());
  }

  /** Adds a message of ours, and queues it. */
  send<R>(type: number, emit: (to: ByteWriter, repr: R) => void, repr: R): void {
    const message = handshakeMessage(type, emit, repr);
    this.add(message);
    this.engine.sendMessage(message);
  }

  /** No CertificateVerify will come. */
  dropLog(): void {
    this.log = null;
  }

  /** What ServerKeyExchange signs, RFC 8422 §5.4. */
  signedParams(params: Uint8Array): Uint8Array {
    return joined(this.clientRandom, this.serverRandom, params);
  }

  /** What CertificateVerify signs. */
  private signedMessages(): Uint8Array {
    return joined(...(this.log ?? []));
  }

  signMessages(key: PrivateKey, scheme: SignatureScheme): Uint8Array {
    const signed = this.signedMessages();
    return key.sign(algorithm12(scheme), signed, this.engine.env.entropy);
  }

  verifyMessages(key: PublicKey, scheme: SignatureScheme, signature: Uint8Array): boolean {
    return key.verify(algorithm12(scheme), this.signedMessages(), signature);
  }

  /** After ClientKeyExchange: the master secret and the keys. `premaster` is wiped. */
  agree(premaster: Uint8Array): void {
    const { clientRandom, crypto, isExtended, serverRandom, suite } = this;
    const seed = isExtended ? this.transcript.digest() : joined(clientRandom, serverRandom);
    this.resume(masterSecret(crypto, suite, premaster, isExtended, seed));
  }

  /** Keys from the master secret of an earlier session, which is wiped in the end. */
  resume(master: Uint8Array): void {
    this.master = master;
    const randoms = joined(this.serverRandom, this.clientRandom);
    this.keys = connectionKeys(this.crypto, this.suite, master, randoms);
  }

  /** Behind change_cipher_spec: each once. */
  protectWriting(side: Side): void {
    this.engine.sendChangeCipherSpec();
    this.engine.setWriteProtection(this.keys![side]);
  }

  protectReading(side: Side): void {
    this.engine.reader.setProtection(this.keys![side]);
  }

  sendFinished(side: Side): void {
    this.send(handshakeType.finished, emitFinished, { verifyData: this.finished(side) });
  }

  /** Checks the peer's Finished and adds it. */
  takeFinished(side: Side, message: Uint8Array): Refusal | null {
    const body = message.subarray(HANDSHAKE_HEADER_BYTES);
    const parsed = parseFinished(body, VERIFY_DATA_BYTES_12);
    if (!parsed.ok) return refuseMalformed(parsed.error, 'finished');
    if (!constantTimeEqual(parsed.value.verifyData, this.finished(side))) {
      return refuse('decrypt_error', 'Finished is wrong');
    }
    this.add(message);
    return null;
  }

  /** The keys in use stay with the reader and the writer. */
  destroy(): void {
    wipe(this.master);
    this.log = null;
  }

  private finished(side: Side): Uint8Array {
    return verifyData(this.crypto, this.suite, this.master, side, this.transcript.digest());
  }
}

/**
 * What each side takes in a record from now on, when both have record_size_limit (RFC 8449 §4: in
 * TLS 1.2 the content). Returns what we say: `ours` counts the type's byte of TLS 1.3.
 */
export function limitRecords12(
  { reader, writer }: TlsEngine,
  ours: number,
  theirs: number | null,
): number {
  const limit = Math.min(ours, PLAINTEXT_BYTES_MAX);
  if (theirs === null) return limit;
  reader.contentBytesMax = limit;
  writer.contentBytesMax = Math.min(writer.contentBytesMax, theirs);
  return limit;
}
