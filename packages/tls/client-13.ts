/**
 * A client's handshake of TLS 1.3, RFC 8446 §2 and §4, from the server's first answer on. Read
 * first: states.ts, handshake-13.ts, client-offer.ts. Not here: what follows it (open-13.ts).
 */

import { type WallTime, wallTimeOfMillis } from '#core';
import type { GroupName, PublicKey, SignatureScheme } from '#device';
import { type ClientOffer, destroyOffer, makeSecondOffer } from './client-offer.ts';
import type { TlsClientConfig } from './config.ts';
import type { TlsEngine } from './engine.ts';
import { bodyOf, Handshake13 } from './handshake-13.ts';
import type { Machine } from './machine.ts';
import { Open13 } from './open-13.ts';
import { checkPeerChain } from './peer-certificate.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { chooseScheme13 } from './schemes.ts';
import type { StoredSession } from './session-cache.ts';
import { type CipherSuite, suiteOfCode } from './suites.ts';
import { TicketTaker } from './ticket-taker.ts';
import { Transcript } from './transcript.ts';
import { parseCertificate13 } from './wire/certificate.ts';
import { parseCertificateRequest13 } from './wire/certificate-request.ts';
import {
  extensionCode,
  namedGroup,
  namedGroupNameOf,
  TLS_1_2,
  TLS_1_3,
} from './wire/code-points.ts';
import { parseEncryptedExtensions } from './wire/encrypted-extensions.ts';
import { handshakeType } from './wire/handshake.ts';
import { type HelloRetryRequest, parseServerHello, type ServerHello } from './wire/server-hello.ts';

/** What a ServerHello of TLS 1.3 may have, RFC 8446 §4.2. */
const SERVER_HELLO_EXTENSIONS: readonly number[] = [
  extensionCode.supported_versions,
  extensionCode.key_share,
  extensionCode.pre_shared_key,
];

export class Client13 implements Machine {
  private readonly engine: TlsEngine;
  private readonly config: TlsClientConfig;
  private readonly server: string;
  /** Null once the server has chosen. */
  private offer: ClientOffer | null;
  private transcript: Transcript | null = null;
  private retriedSuite: CipherSuite | null = null;
  private handshake: Handshake13 | null = null;
  private isCompatible = false;

  // What the session will say.
  private group: GroupName = 'x25519';
  private resumed: StoredSession | null = null;
  private alpn: string | null = null;
  private peerChain: readonly Uint8Array[] = [];
  private provedUntil: WallTime = wallTimeOfMillis(0);
  private peerKey: PublicKey | null = null;
  private peerScheme: SignatureScheme | null = null;
  private ocsp: Uint8Array | null = null;
  /** Schemes of the server's CertificateRequest; null: it didn't ask. */
  private requested: readonly number[] | null = null;

  constructor(engine: TlsEngine, config: TlsClientConfig, server: string, offer: ClientOffer) {
    this.engine = engine;
    this.config = config;
    this.server = server;
    this.offer = offer;
    this.isCompatible = config.middleboxCompatibility;
  }

  message(type: number, message: Uint8Array): Refusal | null {
    switch (type) {
      case handshakeType.server_hello: {
        const parsed = parseServerHello(bodyOf(message));
        if (!parsed.ok) return refuseMalformed(parsed.error, 'server_hello');
        return this.start(parsed.value, message);
      }
      case handshakeType.encrypted_extensions:
        return this.encryptedExtensions(message);
      case handshakeType.certificate_request:
        return this.certificateRequest(message);
      case handshakeType.certificate:
        return this.certificate(message);
      case handshakeType.certificate_verify:
        return this.certificateVerify(message);
      default:
        return this.finished(message);
    }
  }

  changeCipherSpec(): Refusal | null {
    return null;
  }

  renewKey(): Refusal | null {
    return null;
  }

  destroy(): void {
    if (this.offer !== null) destroyOffer(this.offer);
    this.handshake?.destroy();
  }

  /** The server's answer to either hello, of which only the version has been looked at. */
  start(hello: ServerHello | HelloRetryRequest, message: Uint8Array): Refusal | null {
    this.engine.enter('client 1.3: server_hello after retry', this);
    const { hello: ours, message: ourMessage } = this.offer!;
    const suite = suiteOfCode(hello.suite);
    if (!equalIds(hello.sessionId, ours.sessionId) || hello.compression !== 0) {
      return refuse('illegal_parameter', 'session id or compression is not what was offered');
    }
    if (suite === null || suite.signature !== null || !ours.suites.includes(suite.code)) {
      return refuse('illegal_parameter', 'the server chose a suite that was not offered');
    }
    // RFC 8446 §4.1.4: what the retry chose stays.
    if (hello.extensions.supportedVersions !== TLS_1_3 || hello.version !== TLS_1_2) {
      return refuse('illegal_parameter', 'the server chose another version than before');
    }
    if (this.retriedSuite !== null && this.retriedSuite !== suite) {
      return refuse('illegal_parameter', 'the server chose another suite than before');
    }
    if (hello.extensions.others.length > 0) {
      return refuse('unsupported_extension', 'the server sent an extension that was not offered');
    }
    this.transcript ??= new Transcript(this.engine.env.crypto, suite.hash);
    this.transcript.add(ourMessage);
    return hello.kind === 'retry'
      ? this.retry(hello, message, suite)
      : this.serverHello(hello, message, suite);
  }

  private retry(
    { extensions }: HelloRetryRequest,
    message: Uint8Array,
    suite: CipherSuite,
  ): Refusal | null {
    if (this.retriedSuite !== null) {
      return refuse('unexpected_message', 'a second HelloRetryRequest');
    }
    const { cookie, keyShare } = extensions;
    const group = keyShare === null ? null : namedGroupNameOf(keyShare);
    const offer = this.offer!;
    if (keyShare !== null) {
      // RFC 8446 §4.2.8: one that was offered, and no share of it sent.
      const isOffered = group !== null && this.config.groups.includes(group);
      if (!isOffered || group === offer.agreement!.group) {
        return refuse('illegal_parameter', 'the server asks for a group it cannot ask for');
      }
    } else if (cookie === null) {
      return refuse('illegal_parameter', 'a HelloRetryRequest that asks for nothing');
    }
    this.retriedSuite = suite;
    const transcript = this.transcript!;
    transcript.replaceByHash();
    transcript.add(message);
    const { engine } = this;
    if (this.isCompatible) engine.sendChangeCipherSpec();
    this.offer = this.secondOffer(offer, group, cookie, suite);
    engine.sendMessage(this.offer.message);
    return null;
  }

  /** `first` is used up; null for `group`: the same share again. */
  protected secondOffer(
    first: ClientOffer,
    group: GroupName | null,
    cookie: Uint8Array | null,
    suite: CipherSuite,
  ): ClientOffer {
    return makeSecondOffer(this.engine.env, first, group, cookie, suite, this.transcript!);
  }

  private serverHello(
    { extensions }: ServerHello,
    message: Uint8Array,
    suite: CipherSuite,
  ): Refusal | null {
    const { agreement, session } = this.offer!;
    if (extensions.codes.some((code) => !SERVER_HELLO_EXTENSIONS.includes(code))) {
      return refuse('illegal_parameter', 'an extension that a server_hello may not have');
    }
    const { keyShare, preSharedKey } = extensions;
    if (keyShare === null) return refuse('missing_extension', 'key_share is needed');
    if (keyShare.group !== namedGroup[agreement!.group]) {
      return refuse('illegal_parameter', 'the server chose a group that was not offered');
    }
    if (preSharedKey !== null) {
      const isOurs = session?.version === 'TLS 1.3' && preSharedKey === 0;
      if (!isOurs || session.suite.hash !== suite.hash) {
        return refuse('illegal_parameter', 'the server chose a key that was not offered');
      }
      this.resumed = session;
      this.peerChain = session.peerChain;
      this.provedUntil = session.provedUntil;
    }
    const shared = agreement!.agree(keyShare.keyExchange);
    if (shared === null) return refuse('illegal_parameter', 'a key share that is no key');
    const { engine } = this;
    this.group = agreement!.group;
    const transcript = this.transcript!;
    transcript.add(message);
    const handshake = new Handshake13(engine, suite, transcript, this.resumed?.secret ?? null);
    this.handshake = handshake;
    destroyOffer(this.offer!);
    this.offer = { ...this.offer!, agreement: null, session: null };
    if (this.isCompatible && this.retriedSuite === null) engine.sendChangeCipherSpec();
    handshake.startHandshake(shared);
    handshake.protectWriting('client');
    handshake.protectReading('server');
    engine.enter('client 1.3: encrypted_extensions', this);
    return null;
  }

  private encryptedExtensions(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const parsed = parseEncryptedExtensions(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'encrypted_extensions');
    const { alpn, recordSizeLimit, earlyData, others, serverName } = parsed.value;
    const offered = this.offer!.hello.extensions;
    const isUnasked =
      others.length > 0 ||
      earlyData !== null ||
      (alpn !== null && offered.alpn === null) ||
      (serverName !== null && offered.serverName === null);
    if (isUnasked) return refuse('unsupported_extension', 'an extension that was not offered');
    if (alpn !== null && !offered.alpn!.includes(alpn)) {
      return refuse('illegal_parameter', 'a protocol that was not offered');
    }
    this.alpn = alpn;
    if (recordSizeLimit !== null) {
      const { reader, writer } = engine;
      writer.contentBytesMax = Math.min(writer.contentBytesMax, recordSizeLimit - 1);
      reader.contentBytesMax = config.recordSizeLimit - 1;
    }
    this.handshake!.transcript.add(message);
    const isFull = this.resumed === null;
    engine.enter(isFull ? 'client 1.3: certificate or request' : 'client 1.3: finished', this);
    return null;
  }

  private certificateRequest(message: Uint8Array): Refusal | null {
    const parsed = parseCertificateRequest13(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate_request');
    const { context, extensions } = parsed.value;
    if (context.length > 0) return refuse('illegal_parameter', 'a context within a handshake');
    if (extensions.signatureAlgorithms === null) {
      return refuse('missing_extension', 'signature_algorithms is needed');
    }
    this.requested = extensions.signatureAlgorithms;
    this.handshake!.transcript.add(message);
    this.engine.enter('client 1.3: certificate', this);
    return null;
  }

  private certificate(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const parsed = parseCertificate13(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate');
    const { context, entries } = parsed.value;
    if (context.length > 0) return refuse('illegal_parameter', 'a context that nobody gave');
    const [leaf] = entries;
    if (leaf === undefined) return refuse('decode_error', 'the server has no certificate');
    if (entries.some(({ extensions }) => extensions.others.length > 0)) {
      return refuse('unsupported_extension', 'a certificate has an extension nobody asked for');
    }
    const chain = entries.map(({ der }) => der.slice());
    const checked = checkPeerChain({
      crypto: engine.env.crypto,
      chain,
      anchors: config.anchors,
      at: engine.env.clock.wall(),
      purpose: 'serverAuth',
      name: config.serverName,
      revocationLists: config.revocationLists,
    });
    if ('refusal' in checked) return checked.refusal;
    this.peerChain = chain;
    this.peerKey = checked.key;
    this.provedUntil = checked.until;
    this.ocsp = leaf.extensions.statusRequest?.slice() ?? null;
    this.handshake!.transcript.add(message);
    engine.enter('client 1.3: certificate_verify', this);
    return null;
  }

  private certificateVerify(message: Uint8Array): Refusal | null {
    const { schemes } = this.config;
    const taken = this.handshake!.takeCertificateVerify('server', this.peerKey!, schemes, message);
    if (typeof taken !== 'string') return taken;
    this.peerScheme = taken;
    this.engine.enter('client 1.3: finished', this);
    return null;
  }

  /** The server's Finished; then ours, with a certificate before it when it was asked for. */
  private finished(message: Uint8Array): Refusal | null {
    const handshake = this.handshake!;
    const wrong = handshake.takeFinished('server', message);
    if (wrong !== null) return wrong;
    const { client, server } = handshake.applicationSecrets();
    if (this.requested !== null) this.sendCertificate(this.requested);
    handshake.sendFinished('client');
    handshake.protectWriting('client', client);
    handshake.protectReading('server', server);
    this.complete(handshake, client, server);
    return null;
  }

  private sendCertificate(requested: readonly number[]): void {
    const { config } = this;
    const { credentials } = config;
    const handshake = this.handshake!;
    const scheme =
      credentials === null ? null : chooseScheme13(config.schemes, requested, credentials.key);
    if (credentials === null || scheme === null) {
      handshake.sendCertificate([], null);
      return;
    }
    handshake.sendCertificate(credentials.chain, null);
    handshake.sendCertificateVerify('client', credentials.key, scheme);
  }

  private complete(handshake: Handshake13, writeSecret: Uint8Array, readSecret: Uint8Array): void {
    const { config, engine, peerChain, provedUntil, server } = this;
    const { sessions } = config;
    const { suite } = handshake;
    const tickets =
      sessions === null
        ? null
        : new TicketTaker({
            env: engine.env,
            sessions,
            server,
            suite,
            resumptionSecret: handshake.resumptionSecret(),
            peerChain,
            provedUntil,
          });
    handshake.destroy();
    new Open13(engine, 'client', suite, { readSecret, writeSecret, tickets });
    engine.complete({
      version: 'TLS 1.3',
      suite: suite.name,
      group: this.group,
      peerScheme: this.peerScheme,
      serverName: this.offer!.hello.extensions.serverName,
      alpn: this.alpn,
      resumed: this.resumed !== null,
      peerChain,
      ocsp: this.ocsp,
    });
  }
}

const equalIds = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);
