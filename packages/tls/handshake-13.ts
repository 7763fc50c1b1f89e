/**
 * What both roles of a TLS 1.3 handshake keep and do alike: transcript, secrets, signatures,
 * Finished. RFC 8446 §4.4 and §7. Not here: messages and their order (client-13.ts, server-13.ts).
 */

import { hot } from '#core';
import { constantTimeEqual, wipe } from '#crypto';
import type { CryptoPrimitives, PrivateKey, PublicKey, SignatureScheme } from '#device';
import type { TlsEngine } from './engine.ts';
import { finishedMac, KeySchedule, protectionOf } from './key-schedule.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { fitsScheme, isFor13 } from './schemes.ts';
import type { CipherSuite } from './suites.ts';
import type { Transcript } from './transcript.ts';
import { emitCertificate13 } from './wire/certificate.ts';
import { emitCertificateVerify, parseCertificateVerify } from './wire/certificate-verify.ts';
import { signatureScheme, signatureSchemeNameOf } from './wire/code-points.ts';
import { certificateExtensions } from './wire/extensions.ts';
import { HANDSHAKE_HEADER_BYTES, handshakeMessage, handshakeType } from './wire/handshake.ts';
import { emitFinished, parseFinished } from './wire/small-messages.ts';

const NOTHING = new Uint8Array(0);

export type Side = 'client' | 'server';

export const bodyOf = (message: Uint8Array): Uint8Array => message.subarray(HANDSHAKE_HEADER_BYTES);

/** What CertificateVerify signs, RFC 8446 §4.4.3. */
function signedContent(signer: Side, transcriptHash: Uint8Array): Uint8Array {
  const text = `${' '.repeat(64)}TLS 1.3, ${signer} CertificateVerify\0`;
  const content = new Uint8Array(text.length + transcriptHash.length);
  hot.writeLatin1(content, 0, text);
  hot.copy(content, text.length, transcriptHash, 0, transcriptHash.length);
  return content;
}

export class Handshake13 {
  readonly engine: TlsEngine;
  readonly suite: CipherSuite;
  readonly transcript: Transcript;
  private readonly crypto: CryptoPrimitives;
  private readonly schedule: KeySchedule;
  /** Traffic secrets of the present stage; empty before the first. */
  private readonly secrets: Record<Side, Uint8Array> = {
    client: new Uint8Array(0),
    server: new Uint8Array(0),
  };

  /** `preSharedKey`, if any, stays the caller's. `transcript` has the hellos up to the server's. */
  constructor(
    engine: TlsEngine,
    suite: CipherSuite,
    transcript: Transcript,
    preSharedKey: Uint8Array | null,
  ) {
    this.engine = engine;
    this.crypto = engine.env.crypto;
    this.suite = suite;
    this.transcript = transcript;
    this.schedule = new KeySchedule(this.crypto, suite, preSharedKey);
  }

  /** After both hellos: secrets of the handshake. `shared` is wiped. */
  startHandshake(shared: Uint8Array): void {
    this.schedule.mixShared(shared);
    this.deriveTraffic('c hs traffic', 's hs traffic');
    this.schedule.mixNothing();
  }

  /** The application's traffic secrets, from the transcript up to the server's Finished. */
  applicationSecrets(): Record<Side, Uint8Array> {
    const digest = this.transcript.digest();
    return {
      client: this.schedule.derive('c ap traffic', digest),
      server: this.schedule.derive('s ap traffic', digest),
    };
  }

  /** After the client's Finished, RFC 8446 §7.1. */
  resumptionSecret(): Uint8Array {
    return this.schedule.derive('res master', this.transcript.digest());
  }

  /** Writes under the keys of `secret`, by default the handshake's of `side`. */
  protectWriting(side: Side, secret = this.secrets[side]): void {
    this.engine.setWriteProtection(protectionOf(this.crypto, this.suite, secret));
  }

  protectReading(side: Side, secret = this.secrets[side]): void {
    this.engine.reader.setProtection(protectionOf(this.crypto, this.suite, secret));
  }

  /** Adds a message of ours to the transcript, and queues it. */
  send<R>(type: number, emit: Parameters<typeof handshakeMessage<R>>[1], repr: R): void {
    const message = handshakeMessage(type, emit, repr);
    this.transcript.add(message);
    this.engine.sendMessage(message);
  }

  sendCertificateVerify(signer: Side, key: PrivateKey, scheme: SignatureScheme): void {
    const content = signedContent(signer, this.transcript.digest());
    const signature = key.sign(scheme, content, this.engine.env.entropy);
    const verify = { scheme: signatureScheme[scheme], signature };
    this.send(handshakeType.certificate_verify, emitCertificateVerify, verify);
  }

  /** Our chain, with the staple at the leaf; an empty one says that there is none. */
  sendCertificate(chain: readonly Uint8Array[], staple: Uint8Array | null): void {
    const entries = chain.map((der, index) => ({
      der,
      extensions: certificateExtensions.of({ statusRequest: index === 0 ? staple : null }),
    }));
    this.send(handshakeType.certificate, emitCertificate13, { context: NOTHING, entries });
  }

  sendFinished(side: Side): void {
    const verifyData = this.finished(side);
    this.send(handshakeType.finished, emitFinished, { verifyData });
  }

  /** Checks the peer's signature; the scheme's name, or a refusal. Adds it to the transcript. */
  takeCertificateVerify(
    signer: Side,
    key: PublicKey,
    offered: readonly SignatureScheme[],
    message: Uint8Array,
  ): SignatureScheme | Refusal {
    const parsed = parseCertificateVerify(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate_verify');
    const scheme = signatureSchemeNameOf(parsed.value.scheme);
    if (scheme === null || !offered.includes(scheme) || !isFor13(scheme)) {
      return refuse('illegal_parameter', 'signed with a scheme that was not offered');
    }
    if (!fitsScheme(key, scheme)) {
      return refuse('illegal_parameter', `signed with ${scheme}, which is not for this key`);
    }
    const content = signedContent(signer, this.transcript.digest());
    if (!key.verify(scheme, content, parsed.value.signature)) {
      return refuse('decrypt_error', 'the signature of the handshake is wrong');
    }
    this.transcript.add(message);
    return scheme;
  }

  /** Checks the peer's Finished and adds it to the transcript. */
  takeFinished(side: Side, message: Uint8Array): Refusal | null {
    const parsed = parseFinished(bodyOf(message), this.suite.hashBytes);
    if (!parsed.ok) return refuseMalformed(parsed.error, 'finished');
    if (!constantTimeEqual(parsed.value.verifyData, this.finished(side))) {
      return refuse('decrypt_error', 'Finished is wrong');
    }
    this.transcript.add(message);
    return null;
  }

  destroy(): void {
    this.schedule.destroy();
    wipe(this.secrets.client);
    wipe(this.secrets.server);
  }

  private finished(side: Side): Uint8Array {
    return finishedMac(this.crypto, this.suite, this.secrets[side], this.transcript.digest());
  }

  private deriveTraffic(client: 'c hs traffic', server: 's hs traffic'): void {
    const digest = this.transcript.digest();
    this.secrets.client = this.schedule.derive(client, digest);
    this.secrets.server = this.schedule.derive(server, digest);
  }
}
