/**
 * A client's handshake of TLS 1.2, RFC 5246 §7.3, from the ServerHello on. Read first: states.ts,
 * handshake-12.ts, client-offer.ts. Not here: what follows it (open-12.ts).
 */

import { type WallTime, wallTimeOfMillis } from '#core';
import type { GroupName, PublicKey, SignatureScheme } from '#device';
import {
  checkServerHello12,
  isSameId,
  TICKET_LIFETIME_UNKNOWN_SECONDS,
} from './client-check-12.ts';
import { type ClientOffer, destroyOffer } from './client-offer.ts';
import type { TlsClientConfig } from './config.ts';
import type { TlsEngine } from './engine.ts';
import { Handshake12, limitRecords12 } from './handshake-12.ts';
import { bodyOf } from './handshake-13.ts';
import { TICKET_BYTES_MAX, TICKET_LIFETIME_SECONDS_MAX, WARNINGS_MAX } from './limits.ts';
import type { Machine } from './machine.ts';
import { Open12 } from './open-12.ts';
import { checkPeerChain } from './peer-certificate.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { algorithm12, chooseScheme12, fitsScheme12, suiteSignature } from './schemes-12.ts';
import type { StoredSession } from './session-cache.ts';
import { type CipherSuite, suiteOfCode } from './suites.ts';
import { ByteWriter } from './wire/byte-writer.ts';
import {
  emitCertificate12,
  parseCertificate12,
  parseCertificateStatus,
} from './wire/certificate.ts';
import {
  type CertificateRequest12,
  ECDSA_SIGN,
  parseCertificateRequest12,
  RSA_SIGN,
} from './wire/certificate-request.ts';
import { emitCertificateVerify } from './wire/certificate-verify.ts';
import { namedGroupNameOf, signatureScheme, signatureSchemeNameOf } from './wire/code-points.ts';
import { handshakeType } from './wire/handshake.ts';
import {
  emitClientKeyExchange,
  emitServerKeyParams,
  parseServerKeyExchange,
} from './wire/key-exchange.ts';
import { parseNewSessionTicket12 } from './wire/new-session-ticket.ts';
import type { ServerHello } from './wire/server-hello.ts';
import { parseEmptyMessage } from './wire/small-messages.ts';

const NOTHING = new Uint8Array(0);

export class Client12 implements Machine {
  private readonly engine: TlsEngine;
  private readonly config: TlsClientConfig;
  private readonly server: string;
  private readonly offer: ClientOffer;
  private handshake: Handshake12 | null = null;
  private helloRequests = 0;
  /** The server's point, until ours is agreed with it. */
  private point: Uint8Array = NOTHING;
  private request: CertificateRequest12 | null = null;
  /** The server promised a CertificateStatus, a NewSessionTicket. */
  private hasStatus = false;
  private hasTicket = false;
  private sessionId: Uint8Array = NOTHING;
  private ticket: Uint8Array = NOTHING;
  private ticketSeconds = 0;

  // What the session will say.
  private group: GroupName | null = null;
  private resumed: StoredSession | null = null;
  private alpn: string | null = null;
  private peerChain: readonly Uint8Array[] = [];
  private provedUntil: WallTime = wallTimeOfMillis(0);
  private peerKey: PublicKey | null = null;
  private peerScheme: SignatureScheme | null = null;
  private ocsp: Uint8Array | null = null;

  /** `offer` is the machine's from now on. */
  constructor(engine: TlsEngine, config: TlsClientConfig, server: string, offer: ClientOffer) {
    this.engine = engine;
    this.config = config;
    this.server = server;
    this.offer = offer;
  }

  message(type: number, message: Uint8Array): Refusal | null {
    switch (type) {
      case handshakeType.hello_request:
        return this.helloRequest(message);
      case handshakeType.certificate:
        return this.certificate(message);
      case handshakeType.certificate_status:
        return this.certificateStatus(message);
      case handshakeType.server_key_exchange:
        return this.serverKeyExchange(message);
      case handshakeType.certificate_request:
        return this.certificateRequest(message);
      case handshakeType.server_hello_done:
        return this.serverHelloDone(message);
      case handshakeType.new_session_ticket:
        return this.newSessionTicket(message);
      default:
        return this.finished(message);
    }
  }

  changeCipherSpec(): Refusal | null {
    this.handshake!.protectReading('server');
    this.engine.enter('client 1.2: finished', this);
    return null;
  }

  renewKey(): Refusal | null {
    return null;
  }

  destroy(): void {
    destroyOffer(this.offer);
    this.handshake?.destroy();
  }

  /** The ServerHello, of which only the version has been looked at. */
  start(hello: ServerHello, message: Uint8Array): Refusal | null {
    const { config, engine, offer } = this;
    const suite = suiteOfCode(hello.suite);
    const wrong = checkServerHello12(offer, hello);
    if (wrong !== null) return wrong;
    if (suite === null || suite.signature === null || !offer.hello.suites.includes(suite.code)) {
      return refuse('illegal_parameter', 'the server chose a suite that was not offered');
    }
    const { extensions } = hello;
    const isExtended = extensions.extendedMasterSecret !== null;
    const refusal = this.chooseResumed(hello, suite, isExtended);
    if (refusal !== null) return refusal;
    this.alpn = extensions.alpn;
    this.hasStatus = extensions.statusRequest !== null;
    this.hasTicket = extensions.sessionTicket !== null;
    this.sessionId = isExtended ? hello.sessionId.slice() : NOTHING;
    limitRecords12(engine, config.recordSizeLimit, extensions.recordSizeLimit);
    const randoms = { client: offer.hello.random, server: hello.random };
    const handshake = new Handshake12(engine, suite, isExtended, randoms, this.resumed === null);
    this.handshake = handshake;
    handshake.add(offer.message);
    handshake.add(message);
    if (this.resumed === null) {
      engine.enter('client 1.2: certificate', this);
      return null;
    }
    handshake.resume(this.resumed.secret.slice());
    this.peerChain = this.resumed.peerChain;
    this.provedUntil = this.resumed.provedUntil;
    this.awaitChange();
    return null;
  }

  /** Whether the server goes on with the session that was offered, RFC 5246 §7.4.1.3. */
  private chooseResumed(
    { sessionId }: ServerHello,
    suite: CipherSuite,
    isExtended: boolean,
  ): Refusal | null {
    const { hello, session } = this.offer;
    if (sessionId.length === 0 || !isSameId(sessionId, hello.sessionId)) return null;
    if (session?.version !== 'TLS 1.2') {
      return refuse('illegal_parameter', 'the server resumes a session that was not offered');
    }
    if (session.suite !== suite) {
      return refuse('illegal_parameter', 'the server resumes with another cipher suite');
    }
    // RFC 7627 §5.3: our sessions all have it.
    if (!isExtended) return refuse('handshake_failure', 'resumed without extended_master_secret');
    this.resumed = session;
    return null;
  }

  /** RFC 5246 §7.4.1.1: ignored within a handshake, and not part of it. */
  private helloRequest(message: Uint8Array): Refusal | null {
    const parsed = parseEmptyMessage(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'hello_request');
    if (++this.helloRequests <= WARNINGS_MAX) return null;
    return refuse('unexpected_message', 'too many hello_request');
  }

  private certificate(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const handshake = this.handshake!;
    const parsed = parseCertificate12(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate');
    if (parsed.value.chain.length === 0) {
      return refuse('decode_error', 'the server has no certificate');
    }
    const chain = parsed.value.chain.map((der) => der.slice());
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
    if (suiteSignature(checked.key) !== handshake.suite.signature) {
      return refuse('illegal_parameter', "the certificate's key is not for the cipher suite");
    }
    this.peerChain = chain;
    this.peerKey = checked.key;
    this.provedUntil = checked.until;
    handshake.add(message);
    engine.enter(
      this.hasStatus ? 'client 1.2: status or key exchange' : 'client 1.2: server_key_exchange',
      this,
    );
    return null;
  }

  private certificateStatus(message: Uint8Array): Refusal | null {
    const parsed = parseCertificateStatus(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate_status');
    this.ocsp = parsed.value.ocsp.slice();
    this.handshake!.add(message);
    this.engine.enter('client 1.2: server_key_exchange', this);
    return null;
  }

  private serverKeyExchange(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const handshake = this.handshake!;
    const key = this.peerKey!;
    const parsed = parseServerKeyExchange(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'server_key_exchange');
    const { group, point, scheme: code, signature } = parsed.value;
    const name = namedGroupNameOf(group);
    if (name === null || !config.groups.includes(name)) {
      return refuse('illegal_parameter', 'the server chose a group that was not offered');
    }
    const scheme = signatureSchemeNameOf(code);
    if (scheme === null || !config.schemes.includes(scheme) || !fitsScheme12(key, scheme)) {
      return refuse('illegal_parameter', 'signed with a scheme that was not offered');
    }
    const params = new ByteWriter();
    emitServerKeyParams(params, { group, point });
    const signed = handshake.signedParams(params.finish());
    if (!key.verify(algorithm12(scheme), signed, signature)) {
      return refuse('decrypt_error', "the signature of the server's key is wrong");
    }
    this.group = name;
    this.point = point.slice();
    this.peerScheme = scheme;
    handshake.add(message);
    engine.enter('client 1.2: request or done', this);
    return null;
  }

  private certificateRequest(message: Uint8Array): Refusal | null {
    const copy = message.slice();
    const parsed = parseCertificateRequest12(bodyOf(copy));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate_request');
    this.request = parsed.value;
    this.handshake!.add(message);
    this.engine.enter('client 1.2: server_hello_done', this);
    return null;
  }

  /** Then our flight: certificate when asked for, key, Finished. */
  private serverHelloDone(message: Uint8Array): Refusal | null {
    const { engine } = this;
    const handshake = this.handshake!;
    const parsed = parseEmptyMessage(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'server_hello_done');
    handshake.add(message);
    const signing = this.request === null ? null : this.sendCertificate(this.request);
    if (signing === null) handshake.dropLog();
    const { crypto, entropy } = engine.env;
    const agreement = crypto.generateKeyAgreement(this.group!, entropy);
    const premaster = agreement.agree(this.point);
    const { publicKey } = agreement;
    agreement.destroy();
    if (premaster === null) {
      return refuse('illegal_parameter', `the server's point is no key of ${this.group}`);
    }
    handshake.send(handshakeType.client_key_exchange, emitClientKeyExchange, { point: publicKey });
    handshake.agree(premaster);
    if (signing !== null) {
      const signature = handshake.signMessages(this.config.credentials!.key, signing);
      handshake.dropLog();
      handshake.send(handshakeType.certificate_verify, emitCertificateVerify, {
        scheme: signatureScheme[signing],
        signature,
      });
    }
    handshake.protectWriting('client');
    handshake.sendFinished('client');
    this.awaitChange();
    return null;
  }

  /** Ours, or none (RFC 5246 §7.4.6). What it will be signed with; null: nothing to sign. */
  private sendCertificate({ schemes, types }: CertificateRequest12): SignatureScheme | null {
    const { config } = this;
    const { credentials } = config;
    let scheme: SignatureScheme | null = null;
    if (credentials !== null) {
      const type = suiteSignature(credentials.key) === 'RSA' ? RSA_SIGN : ECDSA_SIGN;
      if (types.includes(type)) scheme = chooseScheme12(config.schemes, schemes, credentials.key);
    }
    const chain = scheme === null ? [] : credentials!.chain;
    this.handshake!.send(handshakeType.certificate, emitCertificate12, { chain });
    return scheme;
  }

  private awaitChange(): void {
    const next = this.hasTicket
      ? 'client 1.2: new_session_ticket'
      : 'client 1.2: change_cipher_spec';
    this.engine.enter(next, this);
  }

  private newSessionTicket(message: Uint8Array): Refusal | null {
    const parsed = parseNewSessionTicket12(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'new_session_ticket');
    const { ticket, lifetimeSeconds } = parsed.value;
    if (ticket.length <= TICKET_BYTES_MAX) this.ticket = ticket.slice();
    this.ticketSeconds = lifetimeSeconds;
    this.handshake!.add(message);
    this.engine.enter('client 1.2: change_cipher_spec', this);
    return null;
  }

  private finished(message: Uint8Array): Refusal | null {
    const { engine, resumed } = this;
    const handshake = this.handshake!;
    const wrong = handshake.takeFinished('server', message);
    if (wrong !== null) return wrong;
    if (resumed !== null) {
      handshake.protectWriting('client');
      handshake.sendFinished('client');
    }
    this.keepSession(handshake);
    const { suite } = handshake;
    this.destroy();
    new Open12(engine, 'client', suite, null, NOTHING);
    engine.complete({
      version: 'TLS 1.2',
      suite: suite.name,
      group: this.group,
      peerScheme: this.peerScheme,
      serverName: this.offer.hello.extensions.serverName,
      alpn: this.alpn,
      resumed: resumed !== null,
      peerChain: this.peerChain,
      ocsp: this.ocsp,
    });
    return null;
  }

  /** By its ticket, or else by its identifier; one that was resumed goes on being good. */
  private keepSession({ isExtended, master, suite }: Handshake12): void {
    const { config, engine, peerChain, provedUntil, resumed, server } = this;
    const { now } = engine.env.timers;
    if (config.sessions === null || !isExtended) return;
    const secret = master.slice();
    const proof = { peerChain, provedUntil };
    const common = { version: 'TLS 1.2', suite, secret, ageAdd: 0, ...proof } as const;
    if (this.ticket.length > 0 || resumed === null) {
      if (this.ticket.length === 0 && this.sessionId.length === 0) return;
      const lifetimeSeconds = Math.min(
        this.ticketSeconds > 0 ? this.ticketSeconds : TICKET_LIFETIME_UNKNOWN_SECONDS,
        TICKET_LIFETIME_SECONDS_MAX,
      );
      const id = this.ticket.length > 0 ? NOTHING : this.sessionId;
      const { ticket } = this;
      config.sessions.put(server, { ...common, ticket, id, receivedAt: now, lifetimeSeconds });
      return;
    }
    config.sessions.put(server, { ...resumed, secret });
  }
}
