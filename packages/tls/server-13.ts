/**
 * A server's handshake of TLS 1.3, RFC 8446 §2 and §4, from the ClientHello on. Read first:
 * states.ts, handshake-13.ts. Not here: choices (server-hello-choice.ts), tickets' contents
 * (ticket-13.ts), what follows the handshake (open-13.ts).
 */

import { constantTimeEqual, wipe } from '#crypto';
import type { GroupName, PublicKey, SignatureScheme } from '#device';
import type { Credentials, TlsServerConfig } from './config.ts';
import type { TlsEngine } from './engine.ts';
import { bodyOf, Handshake13, type Side } from './handshake-13.ts';
import { EARLY_DATA_BYTES_MAX } from './limits.ts';
import type { Machine } from './machine.ts';
import { Open13 } from './open-13.ts';
import { checkPeerChain } from './peer-certificate.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { chooseScheme13, knownSchemes } from './schemes.ts';
import {
  chooseAlpn,
  chooseGroup,
  chooseSuite13,
  type GroupChoice,
  serverNameOf,
  unchangeableDigest,
} from './server-hello-choice.ts';
import type { CipherSuite } from './suites.ts';
import { type OfferedTicket, sendTickets, takeTicket } from './ticket-13.ts';
import { Transcript } from './transcript.ts';
import { parseCertificate13 } from './wire/certificate.ts';
import { emitCertificateRequest13 } from './wire/certificate-request.ts';
import { type ClientHello, parseClientHello, RANDOM_BYTES } from './wire/client-hello.ts';
import { namedGroup, PSK_DHE_KE, signatureScheme, TLS_1_2, TLS_1_3 } from './wire/code-points.ts';
import { emitEncryptedExtensions } from './wire/encrypted-extensions.ts';
import {
  certificateRequestExtensions,
  type EncryptedExtensions,
  encryptedExtensions,
  type HelloRetryExtensions,
  helloRetryExtensions,
  serverHelloExtensions,
} from './wire/extensions.ts';
import { handshakeMessage, handshakeType } from './wire/handshake.ts';
import { emitServerHello } from './wire/server-hello.ts';

const NOTHING = new Uint8Array(0);

/** What was said in a HelloRetryRequest. */
interface Retry {
  readonly suite: CipherSuite;
  readonly group: GroupName;
  readonly unchangeable: Uint8Array;
}

/** What a full handshake proves the server with. */
interface Proof {
  readonly credentials: Credentials;
  readonly scheme: SignatureScheme;
}

export class Server13 implements Machine {
  private readonly engine: TlsEngine;
  private readonly config: TlsServerConfig;
  private transcript: Transcript | null = null;
  private retry: Retry | null = null;
  private handshake: Handshake13 | null = null;
  private application: Record<Side, Uint8Array> | null = null;

  // What the session will say.
  private group: GroupName = 'x25519';
  private serverName: string | null = null;
  private alpn: string | null = null;
  private isResumed = false;
  private mayHaveTickets = false;
  private peerChain: readonly Uint8Array[] = [];
  private peerKey: PublicKey | null = null;
  private peerScheme: SignatureScheme | null = null;

  constructor(engine: TlsEngine, config: TlsServerConfig) {
    this.engine = engine;
    this.config = config;
  }

  message(type: number, message: Uint8Array): Refusal | null {
    switch (type) {
      case handshakeType.client_hello:
        return this.secondHello(message);
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
    this.handshake?.destroy();
    if (this.application === null) return;
    wipe(this.application.client);
    wipe(this.application.server);
  }

  /** The first ClientHello: answers with a HelloRetryRequest, or with the server's flight. */
  start(hello: ClientHello, message: Uint8Array): Refusal | null {
    const { reader } = this.engine;
    const suite = chooseSuite13(this.config, hello);
    const wrong = checkHello(hello);
    if (wrong !== null) return wrong;
    if (suite === null) return refuse('handshake_failure', 'no cipher suite in common');
    const choice = chooseGroup(this.config, hello);
    if ('alert' in choice) return choice;
    this.transcript = new Transcript(this.engine.env.crypto, suite.hash);
    if (hello.extensions.earlyData !== null) reader.earlyDataBytesLeft = EARLY_DATA_BYTES_MAX;
    if (choice.share === null) {
      this.sendRetry(hello, message, suite, choice.group);
      return null;
    }
    return this.answer(hello, message, suite, choice);
  }

  private sendRetry(
    hello: ClientHello,
    message: Uint8Array,
    suite: CipherSuite,
    group: GroupName,
  ): void {
    const transcript = this.transcript!;
    transcript.add(message);
    transcript.replaceByHash();
    const request = handshakeMessage(handshakeType.server_hello, emitServerHello, {
      kind: 'retry',
      version: TLS_1_2,
      sessionId: hello.sessionId,
      suite: suite.code,
      compression: 0,
      extensions: this.retryExtensions(group),
    });
    transcript.add(request);
    this.engine.sendMessage(request);
    if (hello.sessionId.length > 0) this.engine.sendChangeCipherSpec();
    const { crypto } = this.engine.env;
    const unchangeable = unchangeableDigest(crypto, suite.hash, bodyOf(message));
    this.retry = { suite, group, unchangeable };
    this.engine.enter('server 1.3: client_hello after retry', this);
  }

  /** Without a cookie: what is needed of the first hello is kept. */
  protected retryExtensions(group: GroupName): HelloRetryExtensions {
    return helloRetryExtensions.of({ keyShare: namedGroup[group], supportedVersions: TLS_1_3 });
  }

  private secondHello(message: Uint8Array): Refusal | null {
    const { suite, group, unchangeable } = this.retry!;
    const parsed = parseClientHello(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'client_hello');
    const hello = parsed.value;
    const { keyShare, earlyData } = hello.extensions;
    const wrong = checkHello(hello);
    if (wrong !== null) return wrong;
    const digest = unchangeableDigest(this.engine.env.crypto, suite.hash, bodyOf(message));
    if (!constantTimeEqual(digest, unchangeable) || earlyData !== null) {
      return refuse('illegal_parameter', 'the second hello is another one');
    }
    if (keyShare === null) return refuse('missing_extension', 'key_share is needed');
    const [share] = keyShare;
    if (keyShare.length !== 1 || share!.group !== namedGroup[group]) {
      return refuse('illegal_parameter', 'the second hello has not the share that was asked for');
    }
    this.engine.reader.earlyDataBytesLeft = 0;
    return this.answer(hello, message, suite, { group, share: share! });
  }

  /** Everything up to the server's Finished. */
  private answer(
    hello: ClientHello,
    message: Uint8Array,
    suite: CipherSuite,
    { group, share }: GroupChoice,
  ): Refusal | null {
    const { config, engine } = this;
    const transcript = this.transcript!;
    this.group = group;
    this.serverName = serverNameOf(hello);
    const alpn = chooseAlpn(config, hello);
    if (alpn !== null && typeof alpn !== 'string') return alpn;
    this.alpn = alpn;
    const modes = hello.extensions.pskKeyExchangeModes;
    const mayResume = config.tickets !== null && config.clientAuth === 'none';
    this.mayHaveTickets = mayResume && modes?.includes(PSK_DHE_KE) === true;
    let resumed: OfferedTicket | null = null;
    if (this.mayHaveTickets && hello.extensions.preSharedKey !== null) {
      const taken = takeTicket(engine.env, config, suite, this.serverName, transcript, {
        offered: hello.extensions.preSharedKey,
        message,
      });
      if (taken !== null && 'alert' in taken) return taken;
      resumed = taken;
    }
    this.isResumed = resumed !== null;
    let proof: Proof | null = null;
    if (resumed === null) {
      const chosen = this.chooseProof(hello);
      if ('alert' in chosen) return chosen;
      proof = chosen;
    }
    transcript.add(message);
    const wrong = this.sendHello(hello, suite, share!.keyExchange, resumed);
    if (wrong !== null) return wrong;
    this.sendFlight(hello, proof);
    return null;
  }

  private chooseProof({ extensions }: ClientHello): Proof | Refusal {
    const { config, serverName } = this;
    const { alpn, signatureAlgorithms } = extensions;
    if (signatureAlgorithms === null) {
      return refuse('missing_extension', 'signature_algorithms is needed');
    }
    const credentials = config.credentials(
      serverName,
      knownSchemes(signatureAlgorithms),
      alpn ?? [],
    );
    if (credentials === null) {
      return serverName === null
        ? refuse('handshake_failure', 'no certificate for a client that names no server')
        : refuse('unrecognized_name', 'no certificate for this name');
    }
    const scheme = chooseScheme13(config.schemes, signatureAlgorithms, credentials.key);
    if (scheme === null) return refuse('handshake_failure', 'no signature scheme in common');
    return { credentials, scheme };
  }

  /** ServerHello, and the keys that both hellos give. */
  private sendHello(
    hello: ClientHello,
    suite: CipherSuite,
    peerShare: Uint8Array,
    resumed: OfferedTicket | null,
  ): Refusal | null {
    const { engine, group } = this;
    const { crypto, entropy } = engine.env;
    const random = new Uint8Array(RANDOM_BYTES);
    entropy.fill(random);
    const agreement = crypto.generateKeyAgreement(group, entropy);
    const shared = agreement.agree(peerShare);
    const keyExchange = agreement.publicKey;
    agreement.destroy();
    if (shared === null) {
      if (resumed !== null) wipe(resumed.key);
      return refuse('illegal_parameter', `the client's key share is no key of ${group}`);
    }
    const handshake = new Handshake13(engine, suite, this.transcript!, resumed?.key ?? null);
    this.handshake = handshake;
    if (resumed !== null) wipe(resumed.key);
    handshake.send(handshakeType.server_hello, emitServerHello, {
      kind: 'hello',
      version: TLS_1_2,
      random,
      sessionId: hello.sessionId,
      suite: suite.code,
      compression: 0,
      extensions: serverHelloExtensions.of({
        keyShare: { group: namedGroup[group], keyExchange },
        preSharedKey: resumed?.index ?? null,
        supportedVersions: TLS_1_3,
      }),
    });
    if (this.retry === null && hello.sessionId.length > 0) engine.sendChangeCipherSpec();
    handshake.startHandshake(shared);
    handshake.protectWriting('server');
    handshake.protectReading('client');
    return null;
  }

  /** EncryptedExtensions to Finished; then the application's keys for writing. */
  private sendFlight({ extensions }: ClientHello, proof: Proof | null): void {
    const { config, engine } = this;
    const handshake = this.handshake!;
    const peerLimit = extensions.recordSizeLimit;
    const answers = this.encryptedExtensions(peerLimit !== null, proof !== null);
    handshake.send(handshakeType.encrypted_extensions, emitEncryptedExtensions, answers);
    if (peerLimit !== null) {
      const { reader, writer } = engine;
      writer.contentBytesMax = Math.min(writer.contentBytesMax, peerLimit - 1);
      reader.contentBytesMax = config.recordSizeLimit - 1;
    }
    const asksClient = proof !== null && config.clientAuth !== 'none';
    if (asksClient) {
      handshake.send(handshakeType.certificate_request, emitCertificateRequest13, {
        context: NOTHING,
        extensions: certificateRequestExtensions.of({
          signatureAlgorithms: config.schemes.map((scheme) => signatureScheme[scheme]),
        }),
      });
    }
    if (proof !== null) this.sendProof(proof, extensions.statusRequest?.type === 'ocsp');
    handshake.sendFinished('server');
    this.application = handshake.applicationSecrets();
    handshake.protectWriting('server', this.application.server);
    engine.enter(asksClient ? 'server 1.3: certificate' : 'server 1.3: finished', this);
  }

  /** What a client is told that it asked for; a name only where a certificate was chosen by it. */
  protected encryptedExtensions(hasLimit: boolean, isFull: boolean): EncryptedExtensions {
    return encryptedExtensions.of({
      serverName: isFull && this.serverName !== null ? true : null,
      alpn: this.alpn,
      recordSizeLimit: hasLimit ? this.config.recordSizeLimit : null,
    });
  }

  private sendProof({ credentials, scheme }: Proof, wantsOcsp: boolean): void {
    const handshake = this.handshake!;
    const staple = wantsOcsp ? (credentials.ocsp ?? null) : null;
    handshake.sendCertificate(credentials.chain, staple);
    handshake.sendCertificateVerify('server', credentials.key, scheme);
  }

  private certificate(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const parsed = parseCertificate13(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate');
    const { context, entries } = parsed.value;
    if (context.length > 0) return refuse('illegal_parameter', 'a context that nobody gave');
    if (entries.some(({ extensions }) => extensions.codes.length > 0)) {
      return refuse('unsupported_extension', 'a certificate has an extension nobody asked for');
    }
    this.handshake!.transcript.add(message);
    if (entries.length === 0) {
      if (config.clientAuth === 'required') {
        return refuse('certificate_required', 'the client has no certificate');
      }
      engine.enter('server 1.3: finished', this);
      return null;
    }
    const chain = entries.map(({ der }) => der.slice());
    const checked = checkPeerChain({
      crypto: engine.env.crypto,
      chain,
      anchors: config.clientAnchors!,
      at: engine.env.clock.wall(),
      purpose: 'clientAuth',
      name: null,
      revocationLists: config.revocationLists,
    });
    if ('refusal' in checked) return checked.refusal;
    this.peerChain = chain;
    this.peerKey = checked.key;
    engine.enter('server 1.3: certificate_verify', this);
    return null;
  }

  private certificateVerify(message: Uint8Array): Refusal | null {
    const { schemes } = this.config;
    const taken = this.handshake!.takeCertificateVerify('client', this.peerKey!, schemes, message);
    if (typeof taken !== 'string') return taken;
    this.peerScheme = taken;
    this.engine.enter('server 1.3: finished', this);
    return null;
  }

  private finished(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const handshake = this.handshake!;
    const application = this.application!;
    const wrong = handshake.takeFinished('client', message);
    if (wrong !== null) return wrong;
    handshake.protectReading('client', application.client);
    if (this.mayHaveTickets) sendTickets(config.tickets!, handshake, this.serverName);
    const { suite } = handshake;
    handshake.destroy();
    new Open13(engine, 'server', suite, {
      readSecret: application.client,
      writeSecret: application.server,
      tickets: null,
    });
    engine.complete({
      version: 'TLS 1.3',
      suite: suite.name,
      group: this.group,
      peerScheme: this.peerScheme,
      serverName: this.serverName,
      alpn: this.alpn,
      resumed: this.isResumed,
      peerChain: this.peerChain,
      ocsp: null,
    });
    return null;
  }
}

/** What every ClientHello of TLS 1.3 must be, RFC 8446 §4.1.2 and §4.2.9. */
function checkHello({ compressions, extensions }: ClientHello): Refusal | null {
  if (compressions.length !== 1 || compressions[0] !== 0) {
    return refuse('illegal_parameter', 'compression is offered');
  }
  if (extensions.preSharedKey !== null && extensions.pskKeyExchangeModes === null) {
    return refuse('missing_extension', 'pre_shared_key without psk_key_exchange_modes');
  }
  return null;
}
