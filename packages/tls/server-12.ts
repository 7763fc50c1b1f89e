/**
 * A server's handshake of TLS 1.2, RFC 5246 §7.3, from the ClientHello on. Read first: states.ts,
 * handshake-12.ts. Not here: choices (server-choice-12.ts), what tickets hold (ticket-12.ts), what
 * follows the handshake (open-12.ts).
 */

import { wipe } from '#crypto';
import type { KeyAgreement, PublicKey, SignatureScheme } from '#device';
import type { TlsServerConfig } from './config.ts';
import type { TlsEngine } from './engine.ts';
import { Handshake12, limitRecords12 } from './handshake-12.ts';
import { bodyOf } from './handshake-13.ts';
import { MESSAGE_BYTES_MAX } from './limits.ts';
import type { Machine } from './machine.ts';
import { Open12 } from './open-12.ts';
import { checkPeerChain } from './peer-certificate.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { algorithm12, fitsScheme12 } from './schemes-12.ts';
import { type Choice12, checkHello12, chooseFull12, chooseResumed12 } from './server-choice-12.ts';
import { chooseAlpn, serverNameOf } from './server-hello-choice.ts';
import type { CipherSuite } from './suites.ts';
import { type ServerSession, ticketContents12 } from './ticket-12.ts';
import { ByteWriter } from './wire/byte-writer.ts';
import {
  emitCertificate12,
  emitCertificateStatus,
  parseCertificate12,
} from './wire/certificate.ts';
import { ECDSA_SIGN, emitCertificateRequest12, RSA_SIGN } from './wire/certificate-request.ts';
import { parseCertificateVerify } from './wire/certificate-verify.ts';
import { type ClientHello, RANDOM_BYTES } from './wire/client-hello.ts';
import {
  EMPTY_RENEGOTIATION_INFO_SCSV,
  namedGroup,
  POINT_UNCOMPRESSED,
  signatureScheme,
  signatureSchemeNameOf,
  TLS_1_2,
} from './wire/code-points.ts';
import { serverHelloExtensions } from './wire/extensions.ts';
import { handshakeType } from './wire/handshake.ts';
import {
  emitServerKeyExchange,
  emitServerKeyParams,
  parseClientKeyExchange,
} from './wire/key-exchange.ts';
import { emitNewSessionTicket12 } from './wire/new-session-ticket.ts';
import { emitServerHello, markDowngrade } from './wire/server-hello.ts';
import { emitEmptyMessage } from './wire/small-messages.ts';

const NOTHING = new Uint8Array(0);

export class Server12 implements Machine {
  private readonly engine: TlsEngine;
  private readonly config: TlsServerConfig;
  private handshake: Handshake12 | null = null;
  private agreement: KeyAgreement | null = null;
  /** A NewSessionTicket was promised. */
  private givesTicket = false;
  /** Under which the session will be kept; empty: it won't. */
  private sessionId: Uint8Array = NOTHING;

  // What the session will say.
  private choice: Choice12 | null = null;
  private serverName: string | null = null;
  private alpn: string | null = null;
  private peerChain: readonly Uint8Array[] = [];
  private peerKey: PublicKey | null = null;
  private peerScheme: SignatureScheme | null = null;

  constructor(engine: TlsEngine, config: TlsServerConfig) {
    this.engine = engine;
    this.config = config;
  }

  message(type: number, message: Uint8Array): Refusal | null {
    switch (type) {
      case handshakeType.certificate:
        return this.certificate(message);
      case handshakeType.client_key_exchange:
        return this.clientKeyExchange(message);
      case handshakeType.certificate_verify:
        return this.certificateVerify(message);
      default:
        return this.finished(message);
    }
  }

  changeCipherSpec(): Refusal | null {
    this.handshake!.protectReading('client');
    this.engine.enter('server 1.2: finished', this);
    return null;
  }

  renewKey(): Refusal | null {
    return null;
  }

  destroy(): void {
    this.handshake?.destroy();
    this.agreement?.destroy();
  }

  /** The ClientHello: answers with the server's flight, or resumes. */
  start(hello: ClientHello, message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const wrong = checkHello12(hello);
    if (wrong !== null) return wrong;
    this.serverName = serverNameOf(hello);
    const alpn = chooseAlpn(config, hello);
    if (alpn !== null && typeof alpn !== 'string') return alpn;
    this.alpn = alpn;
    const resumed = chooseResumed12(engine.env, config, hello, this.serverName);
    if (resumed !== null && 'alert' in resumed) return resumed;
    if (resumed !== null) {
      this.resume(hello, message, resumed);
      return null;
    }
    // It would have to be kept until the client's CertificateVerify signs it (Handshake12).
    if (config.clientAuth !== 'none' && message.length > MESSAGE_BYTES_MAX) {
      return refuse('handshake_failure', 'a hello too long to be signed');
    }
    const choice = chooseFull12(config, hello, this.serverName);
    if ('alert' in choice) return choice;
    this.choice = choice;
    this.sendFlight(hello, message, choice);
    return null;
  }

  /** RFC 5246 §7.3, figure 2: the server finishes first. */
  private resume(hello: ClientHello, message: Uint8Array, session: ServerSession): void {
    const { engine } = this;
    const handshake = this.sendHello(hello, message, session.suite, hello.sessionId, true, null);
    handshake.resume(session.master);
    handshake.protectWriting('server');
    handshake.sendFinished('server');
    engine.enter('server 1.2: change_cipher_spec', this);
  }

  /** ServerHello to ServerHelloDone. */
  private sendFlight(hello: ClientHello, message: Uint8Array, choice: Choice12): void {
    const { config, engine } = this;
    const { credentials, group, suite } = choice;
    const { extendedMasterSecret, sessionTicket, statusRequest } = hello.extensions;
    const mayResume = extendedMasterSecret !== null && config.clientAuth === 'none';
    this.givesTicket = mayResume && config.tickets !== null && sessionTicket !== null;
    if (mayResume && !this.givesTicket && config.sessions !== null) {
      this.sessionId = config.sessions.makeId();
    }
    const staple = statusRequest?.type === 'ocsp' ? (credentials.ocsp ?? null) : null;
    const handshake = this.sendHello(hello, message, suite, this.sessionId, false, staple);
    handshake.send(handshakeType.certificate, emitCertificate12, { chain: credentials.chain });
    if (staple !== null) {
      handshake.send(handshakeType.certificate_status, emitCertificateStatus, { ocsp: staple });
    }
    this.agreement = engine.env.crypto.generateKeyAgreement(group, engine.env.entropy);
    this.sendKeyExchange(handshake, choice, this.agreement.publicKey);
    const asksClient = config.clientAuth !== 'none';
    if (asksClient) {
      handshake.send(handshakeType.certificate_request, emitCertificateRequest12, {
        types: Uint8Array.of(ECDSA_SIGN, RSA_SIGN),
        schemes: config.schemes.map((scheme) => signatureScheme[scheme]),
        authorities: [],
      });
    }
    handshake.send(handshakeType.server_hello_done, emitEmptyMessage, null);
    const next = asksClient ? 'server 1.2: certificate' : 'server 1.2: client_key_exchange';
    engine.enter(next, this);
  }

  private sendHello(
    hello: ClientHello,
    message: Uint8Array,
    suite: CipherSuite,
    sessionId: Uint8Array,
    isResumed: boolean,
    staple: Uint8Array | null,
  ): Handshake12 {
    const { config, engine } = this;
    const { extensions } = hello;
    const random = new Uint8Array(RANDOM_BYTES);
    engine.env.entropy.fill(random);
    if (config.versions.includes('TLS 1.3')) markDowngrade(random);
    const isExtended = extensions.extendedMasterSecret !== null;
    const randoms = { client: hello.random, server: random };
    const isLogged = !isResumed && config.clientAuth !== 'none';
    const handshake = new Handshake12(engine, suite, isExtended, randoms, isLogged);
    this.handshake = handshake;
    handshake.add(message);
    const knowsRenegotiation =
      extensions.renegotiationInfo !== null || hello.suites.includes(EMPTY_RENEGOTIATION_INFO_SCSV);
    const peerLimit = extensions.recordSizeLimit;
    const ourLimit = limitRecords12(engine, config.recordSizeLimit, peerLimit);
    handshake.send(handshakeType.server_hello, emitServerHello, {
      kind: 'hello',
      version: TLS_1_2,
      random,
      sessionId,
      suite: suite.code,
      compression: 0,
      extensions: serverHelloExtensions.of({
        // RFC 6066 §3: not in a resumption.
        serverName: this.serverName !== null && !isResumed ? true : null,
        extendedMasterSecret: isExtended ? true : null,
        renegotiationInfo: knowsRenegotiation ? NOTHING : null,
        ecPointFormats:
          extensions.ecPointFormats !== null ? Uint8Array.of(POINT_UNCOMPRESSED) : null,
        sessionTicket: this.givesTicket ? true : null,
        alpn: this.alpn,
        statusRequest: staple !== null ? true : null,
        recordSizeLimit: peerLimit !== null ? ourLimit : null,
      }),
    });
    return handshake;
  }

  private sendKeyExchange(handshake: Handshake12, choice: Choice12, point: Uint8Array): void {
    const { credentials, group, scheme } = choice;
    const params = new ByteWriter();
    emitServerKeyParams(params, { group: namedGroup[group], point });
    const signed = handshake.signedParams(params.finish());
    const { entropy } = this.engine.env;
    handshake.send(handshakeType.server_key_exchange, emitServerKeyExchange, {
      group: namedGroup[group],
      point,
      scheme: signatureScheme[scheme],
      signature: credentials.key.sign(algorithm12(scheme), signed, entropy),
    });
  }

  private certificate(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const handshake = this.handshake!;
    const parsed = parseCertificate12(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate');
    handshake.add(message);
    if (parsed.value.chain.length === 0) {
      // RFC 5246 §7.4.6.
      if (config.clientAuth === 'required') {
        return refuse('handshake_failure', 'the client has no certificate');
      }
      handshake.dropLog();
      engine.enter('server 1.2: client_key_exchange', this);
      return null;
    }
    const chain = parsed.value.chain.map((der) => der.slice());
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
    engine.enter('server 1.2: client_key_exchange', this);
    return null;
  }

  private clientKeyExchange(message: Uint8Array): Refusal | null {
    const { engine } = this;
    const handshake = this.handshake!;
    const parsed = parseClientKeyExchange(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'client_key_exchange');
    const agreement = this.agreement!;
    const premaster = agreement.agree(parsed.value.point);
    agreement.destroy();
    this.agreement = null;
    if (premaster === null) {
      return refuse('illegal_parameter', `the client's point is no key of ${this.choice!.group}`);
    }
    handshake.add(message);
    handshake.agree(premaster);
    const next =
      this.peerKey === null ? 'server 1.2: change_cipher_spec' : 'server 1.2: certificate_verify';
    engine.enter(next, this);
    return null;
  }

  private certificateVerify(message: Uint8Array): Refusal | null {
    const { config, engine } = this;
    const handshake = this.handshake!;
    const peerKey = this.peerKey!;
    const parsed = parseCertificateVerify(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'certificate_verify');
    const scheme = signatureSchemeNameOf(parsed.value.scheme);
    if (scheme === null || !config.schemes.includes(scheme) || !fitsScheme12(peerKey, scheme)) {
      return refuse('illegal_parameter', 'signed with a scheme that was not asked for');
    }
    if (!handshake.verifyMessages(peerKey, scheme, parsed.value.signature)) {
      return refuse('decrypt_error', 'the signature of the handshake is wrong');
    }
    handshake.dropLog();
    handshake.add(message);
    this.peerScheme = scheme;
    engine.enter('server 1.2: change_cipher_spec', this);
    return null;
  }

  private finished(message: Uint8Array): Refusal | null {
    const { engine } = this;
    const handshake = this.handshake!;
    const wrong = handshake.takeFinished('client', message);
    if (wrong !== null) return wrong;
    if (this.choice !== null) {
      this.keepSession(handshake);
      handshake.protectWriting('server');
      handshake.sendFinished('server');
    }
    const { suite } = handshake;
    handshake.destroy();
    const { config, sessionId } = this;
    new Open12(engine, 'server', suite, sessionId.length > 0 ? config.sessions : null, sessionId);
    engine.complete({
      version: 'TLS 1.2',
      suite: suite.name,
      group: this.choice?.group ?? null,
      peerScheme: this.peerScheme,
      serverName: this.serverName,
      alpn: this.alpn,
      resumed: this.choice === null,
      peerChain: this.peerChain,
      ocsp: null,
    });
    return null;
  }

  /** Gives the ticket that was promised, or remembers the session by its identifier. */
  private keepSession(handshake: Handshake12): void {
    const { config, engine, serverName, sessionId } = this;
    const { now } = engine.env.timers;
    const session = { suite: handshake.suite, master: handshake.master, serverName };
    if (sessionId.length > 0) config.sessions!.put(sessionId, session, now);
    if (!this.givesTicket) return;
    const tickets = config.tickets!;
    const contents = ticketContents12(session);
    handshake.send(handshakeType.new_session_ticket, emitNewSessionTicket12, {
      lifetimeSeconds: tickets.lifetimeSeconds,
      ticket: tickets.seal(contents, now),
    });
    wipe(contents);
  }
}
