/** What an end of TLS 1.2 is told that it must refuse, and with which alert. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateAuthority } from '#x509';
import { WARNINGS_MAX } from './limits.ts';
import { SessionCache } from './session-cache.ts';
import {
  anchors,
  credentials,
  deliver,
  entropy,
  makeCredentials,
  makeEnvironment,
  openPair,
  type PairOptions,
  TestPair,
  tools,
  VALIDITY,
} from './test-session.ts';
import { changing, recordOf, runTampered, type Tamper } from './test-tamper.ts';
import { ServerSessions } from './ticket-12.ts';
import { TicketKeys } from './ticket-keys.ts';
import {
  emitCertificate12,
  emitCertificateStatus,
  parseCertificate12,
} from './wire/certificate.ts';
import { emitCertificateVerify, parseCertificateVerify } from './wire/certificate-verify.ts';
import { type ClientHello, emitClientHello, parseClientHello } from './wire/client-hello.ts';
import {
  type ClientHelloExtensions,
  clientHelloExtensions,
  type ServerHelloExtensions,
  serverHelloExtensions,
} from './wire/extensions.ts';
import { handshakeMessage, handshakeType } from './wire/handshake.ts';
import {
  emitClientKeyExchange,
  emitServerKeyExchange,
  parseClientKeyExchange,
  parseServerKeyExchange,
  type ServerKeyExchange,
} from './wire/key-exchange.ts';
import { emitServerHello, parseServerHello, type ServerHello } from './wire/server-hello.ts';

const OLD = { server: { versions: ['TLS 1.2'] } } as const satisfies PairOptions;

const clientHello = (change: (hello: ClientHello) => Partial<ClientHello>): Tamper =>
  changing(handshakeType.client_hello, parseClientHello, emitClientHello, (hello) => ({
    ...hello,
    ...change(hello),
  }));

const clientExtensions = (change: Partial<ClientHelloExtensions>): Tamper =>
  clientHello(({ extensions }) => ({
    extensions: clientHelloExtensions.of({ ...extensions, ...change }, extensions.others),
  }));

const serverHello = (change: (hello: ServerHello) => Partial<ServerHello>): Tamper =>
  changing(handshakeType.server_hello, parseServerHello, emitServerHello, (hello) => {
    assert(hello.kind === 'hello');
    return { ...hello, ...change(hello) };
  });

const serverExtensions = (change: Partial<ServerHelloExtensions>): Tamper =>
  serverHello(({ extensions }) => ({
    extensions: serverHelloExtensions.of({ ...extensions, ...change }, extensions.others),
  }));

const serverKey = (change: (exchange: ServerKeyExchange) => Partial<ServerKeyExchange>): Tamper =>
  changing(
    handshakeType.server_key_exchange,
    parseServerKeyExchange,
    emitServerKeyExchange,
    (exchange) => ({ ...exchange, ...change(exchange) }),
  );

const serverCertificate = (chain: readonly Uint8Array[]): Tamper =>
  changing(handshakeType.certificate, parseCertificate12, emitCertificate12, () => ({ chain }));

const clientPoint = (point: Uint8Array): Tamper =>
  changing(
    handshakeType.client_key_exchange,
    parseClientKeyExchange,
    emitClientKeyExchange,
    () => ({ point }),
  );

const drop =
  (type: number): Tamper =>
  (message) =>
    message[0] === type ? [] : [message];

const NO_BYTES = new Uint8Array(0);
const GREASE = { code: 0x1a1a, data: NO_BYTES };
const point = (first: number, count: number): Uint8Array => {
  const bytes = new Uint8Array(count);
  bytes[0] = first;
  return bytes;
};

/** What a server refuses in what the client says. */
const toServer: readonly [what: string, tamper: Tamper, alert: string, options?: PairOptions][] = [
  [
    'TLS 1.1 only',
    clientHello(() => ({ version: 0x0302 })),
    'protocol_version',
    {
      client: { versions: ['TLS 1.2'] },
    },
  ],
  ['SSL 3.0', clientHello(() => ({ version: 0x0300 })), 'protocol_version'],
  [
    'no TLS 1.2 among the versions',
    clientExtensions({ supportedVersions: [0x0303 - 1] }),
    'protocol_version',
  ],
  [
    'compression only',
    clientHello(() => ({ compressions: Uint8Array.of(1) })),
    'illegal_parameter',
  ],
  ['no suite of ours', clientHello(() => ({ suites: [0x002f, 0xc013] })), 'handshake_failure'],
  [
    'suites of the other certificate',
    clientHello(() => ({ suites: [0xc02f] })),
    'handshake_failure',
  ],
  ['no group of ours', clientExtensions({ supportedGroups: [256] }), 'handshake_failure'],
  ["not the certificate's curve", clientExtensions({ supportedGroups: [29] }), 'handshake_failure'],
  ['no scheme of ours', clientExtensions({ signatureAlgorithms: [0x0201] }), 'handshake_failure'],
  ['no schemes: SHA-1', clientExtensions({ signatureAlgorithms: null }), 'handshake_failure'],
  [
    'no uncompressed points',
    clientExtensions({ ecPointFormats: Uint8Array.of(1) }),
    'illegal_parameter',
  ],
  [
    'a renegotiation',
    clientExtensions({ renegotiationInfo: new Uint8Array(12) }),
    'handshake_failure',
  ],
  [
    'a fallback',
    clientHello(({ suites }) => ({ suites: [...suites, 0x5600] })),
    'inappropriate_fallback',
    {
      server: { versions: ['TLS 1.3', 'TLS 1.2'] },
      client: { versions: ['TLS 1.2'] },
    },
  ],
  [
    'a point that is none',
    clientPoint(point(4, 65)),
    'illegal_parameter',
    { server: { groups: ['secp256r1'] } },
  ],
  [
    'a compressed point',
    clientPoint(point(2, 33)),
    'illegal_parameter',
    { server: { groups: ['secp256r1'] } },
  ],
  ['a point of order one', clientPoint(point(0, 32)), 'illegal_parameter'],
  ['a short point', clientPoint(point(9, 31)), 'illegal_parameter'],
  ['a long point', clientPoint(point(9, 33)), 'illegal_parameter'],
  [
    'no change_cipher_spec before it',
    drop(handshakeType.client_key_exchange),
    'unexpected_message',
  ],
];

for (const [what, tamper, alert, options] of toServer) {
  test(`server › the client says: ${what} › ${alert}`, () => {
    const pair = new TestPair({ ...options, server: { ...OLD.server, ...options?.server } });
    runTampered(pair, { toServer: tamper });
    assert.equal(pair.server.alert, `sent ${alert}`);
    assert.equal(pair.server.session, null);
  });
}

const otherRoot = CertificateAuthority.create(tools, { name: 'Other root', ...VALIDITY });
const rsa = makeCredentials('RSA-2048');
const stranger = makeCredentials('P-256', ['serverAuth'], otherRoot);
const clientOnly = makeCredentials('P-256', ['clientAuth']);
const flipped = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));

/** What a client refuses in what the server says. */
const toClient: readonly [what: string, tamper: Tamper, alert: string, options?: PairOptions][] = [
  ['TLS 1.1', serverHello(() => ({ version: 0x0302 })), 'protocol_version'],
  [
    'TLS 1.2 in supported_versions',
    serverExtensions({ supportedVersions: 0x0303 }),
    'illegal_parameter',
  ],
  ['a suite that was not offered', serverHello(() => ({ suite: 0xc013 })), 'illegal_parameter'],
  ['a suite of TLS 1.3', serverHello(() => ({ suite: 0x1301 })), 'illegal_parameter'],
  ['the other suite', serverHello(() => ({ suite: 0xc02f })), 'illegal_parameter'],
  ['compression', serverHello(() => ({ compression: 1 })), 'illegal_parameter'],
  [
    'a downgrade',
    serverHello(() => ({})),
    'illegal_parameter',
    {
      server: { versions: ['TLS 1.3', 'TLS 1.2'] },
    },
  ],
  ['no secure renegotiation', serverExtensions({ renegotiationInfo: null }), 'handshake_failure'],
  [
    'a renegotiation',
    serverExtensions({ renegotiationInfo: new Uint8Array(24) }),
    'handshake_failure',
  ],
  ['a protocol when none was offered', serverExtensions({ alpn: 'h2' }), 'unsupported_extension'],
  [
    'a protocol that was not offered',
    serverExtensions({ alpn: 'h2' }),
    'illegal_parameter',
    {
      client: { alpn: ['http/1.1'] },
    },
  ],
  [
    'no uncompressed points',
    serverExtensions({ ecPointFormats: Uint8Array.of(1) }),
    'illegal_parameter',
  ],
  ['a pre-shared key', serverExtensions({ preSharedKey: 0 }), 'unsupported_extension'],
  [
    'a key share',
    serverExtensions({ keyShare: { group: 29, keyExchange: point(9, 32) } }),
    'illegal_parameter',
  ],
  [
    'a ticket to one that wants none',
    serverExtensions({ sessionTicket: true }),
    'unsupported_extension',
  ],
  [
    'an extension that nobody knows',
    serverHello(({ extensions }) => ({
      extensions: serverHelloExtensions.of(extensions, [GREASE]),
    })),
    'unsupported_extension',
  ],
  ['no certificate', serverCertificate([]), 'decode_error'],
  ['no certificate at all', drop(handshakeType.certificate), 'unexpected_message'],
  ['a certificate that is none', serverCertificate([Uint8Array.of(48, 0)]), 'bad_certificate'],
  ['a certificate of strangers', serverCertificate(stranger.chain), 'unknown_ca'],
  ['a certificate for clients', serverCertificate(clientOnly.chain), 'unsupported_certificate'],
  ['a key of the wrong kind', serverCertificate(rsa.chain), 'illegal_parameter'],
  ["another's certificate", serverCertificate(makeCredentials().chain), 'decrypt_error'],
  [
    'an OCSP response that nobody announced',
    (message) =>
      message[0] === handshakeType.server_key_exchange
        ? [
            handshakeMessage(handshakeType.certificate_status, emitCertificateStatus, {
              ocsp: Uint8Array.of(1),
            }),
            message,
          ]
        : [message],
    'unexpected_message',
  ],
  ['a group that was not offered', serverKey(() => ({ group: 30 })), 'illegal_parameter'],
  ['a scheme that was not offered', serverKey(() => ({ scheme: 0x0203 })), 'illegal_parameter'],
  ['a scheme for another key', serverKey(() => ({ scheme: 0x0804 })), 'illegal_parameter'],
  ['another hash than was signed', serverKey(() => ({ scheme: 0x0503 })), 'decrypt_error'],
  [
    'another point than was signed',
    serverKey(({ point: b }) => ({ point: flipped(b) })),
    'decrypt_error',
  ],
  [
    'a wrong signature',
    serverKey(({ signature: b }) => ({ signature: flipped(b) })),
    'decrypt_error',
  ],
  ['an empty signature', serverKey(() => ({ signature: NO_BYTES })), 'decrypt_error'],
  [
    'another random than was signed',
    serverHello(() => ({ random: new Uint8Array(32) })),
    'decrypt_error',
  ],
  ['no key exchange', drop(handshakeType.server_key_exchange), 'unexpected_message'],
];

for (const [what, tamper, alert, options] of toClient) {
  test(`client › the server says: ${what} › ${alert}`, () => {
    const pair = new TestPair({ ...options, server: { ...OLD.server, ...options?.server } });
    const older = clientExtensions({ supportedVersions: null, keyShare: null });
    runTampered(pair, {
      toClient: tamper,
      ...(what === 'a downgrade' ? { toServer: older } : {}),
    });
    assert.equal(pair.client.alert, `sent ${alert}`);
    assert.equal(pair.client.session, null);
    assert.equal(pair.server.session, null);
  });
}

test('client › the server says: the session id of a client that resumes nothing', () => {
  const pair = new TestPair(OLD);
  let sessionId = NO_BYTES;
  runTampered(pair, {
    toServer: clientHello((hello) => {
      sessionId = hello.sessionId.slice();
      return {};
    }),
    toClient: serverHello(() => ({ sessionId })),
  });
  assert.equal(sessionId.length, 32);
  assert.equal(pair.client.alert, 'sent illegal_parameter');
});

const asking = {
  server: { ...OLD.server, clientAuth: 'required', clientAnchors: anchors },
} as const;
const verify = (scheme: number, signature: Uint8Array): Tamper =>
  changing(
    handshakeType.certificate_verify,
    parseCertificateVerify,
    emitCertificateVerify,
    (given) => ({ scheme, signature: signature.length > 0 ? signature : given.signature }),
  );

const fromClients: readonly [what: string, tamper: Tamper, alert: string][] = [
  ['a scheme that was not asked for', verify(0x0203, NO_BYTES), 'illegal_parameter'],
  ['a scheme for another key', verify(0x0401, NO_BYTES), 'illegal_parameter'],
  ['a wrong signature', verify(0x0403, Uint8Array.of(48, 0)), 'decrypt_error'],
  ["another's certificate", serverCertificate(makeCredentials().chain), 'decrypt_error'],
  ['a certificate of strangers', serverCertificate(stranger.chain), 'unknown_ca'],
  [
    'a certificate for servers',
    serverCertificate(makeCredentials('P-256', ['serverAuth']).chain),
    'unsupported_certificate',
  ],
  ['a certificate that is none', serverCertificate([Uint8Array.of(1, 2, 3)]), 'bad_certificate'],
  ['none after all', serverCertificate([]), 'handshake_failure'],
  ['no certificate at all', drop(handshakeType.certificate), 'unexpected_message'],
  ['no certificate_verify', drop(handshakeType.certificate_verify), 'unexpected_message'],
];

for (const [what, tamper, alert] of fromClients) {
  test(`server that asks › the client shows: ${what} › ${alert}, no data`, () => {
    const pair = new TestPair({ ...asking, client: { credentials } });
    runTampered(pair, { toServer: tamper });
    assert.equal(pair.server.alert, `sent ${alert}`);
    assert.equal(pair.server.session, null);
  });
}

// RFC 7627 §5.3.
const withoutMaster = clientExtensions({ extendedMasterSecret: null });

test('hellos › changed on the way so that both go on › the keys differ, or Finished', () => {
  const name = new TestPair(OLD);
  runTampered(name, { toServer: clientExtensions({ serverName: null }) });
  assert.equal(name.server.alert, 'sent bad_record_mac');
  const master = runTampered(new TestPair(OLD), { toServer: withoutMaster });
  assert.equal(master.server.alert, 'sent decrypt_error');
});

test('extended_master_secret › the client has it not › goes on, and nothing is kept', () => {
  const env = makeEnvironment();
  const sessions = new ServerSessions(entropy);
  const tickets = new TicketKeys(env.crypto, entropy, env.timers.now);
  const kept = new SessionCache();
  const pair = new TestPair({
    env,
    server: { ...OLD.server, sessions, tickets },
    client: { sessions: kept },
  });
  // Both transcripts differ, so it ends with Finished: what counts is what was promised before.
  let hello: ServerHello | null = null;
  runTampered(pair, {
    toServer: withoutMaster,
    toClient: serverHello((given) => {
      hello = given;
      return {};
    }),
  });
  const { extensions, sessionId } = hello!;
  assert.equal((extensions as ServerHelloExtensions).extendedMasterSecret, null);
  assert.equal((extensions as ServerHelloExtensions).sessionTicket, null);
  assert.equal((sessionId as Uint8Array).length, 0);
  assert.equal(sessions.size + kept.size, 0);
});

for (const kind of ['ticket', 'identifier'] as const) {
  const resuming = (): { options: PairOptions; sessions: ServerSessions | null } => {
    const env = makeEnvironment();
    const tickets = kind === 'ticket' ? new TicketKeys(env.crypto, entropy, env.timers.now) : null;
    const sessions = kind === 'ticket' ? null : new ServerSessions(entropy);
    const server = { ...OLD.server, tickets, sessions };
    const options = { env, server, client: { sessions: new SessionCache() } };
    openPair(options);
    return { options, sessions };
  };

  test(`resumption by ${kind} › without extended_master_secret › handshake_failure`, () => {
    const pair = runTampered(new TestPair(resuming().options), { toServer: withoutMaster });
    assert.equal(pair.server.alert, 'sent handshake_failure');
    const { options } = resuming();
    const other = runTampered(new TestPair(options), {
      toClient: serverExtensions({ extendedMasterSecret: null }),
    });
    assert.equal(other.client.alert, 'sent handshake_failure');
  });

  test(`resumption by ${kind} › with another suite › illegal_parameter`, () => {
    const pair = runTampered(new TestPair(resuming().options), {
      toServer: clientHello(() => ({ suites: [0xc02c] })),
    });
    assert.equal(pair.server.alert, 'sent illegal_parameter');
    const other = runTampered(new TestPair(resuming().options), {
      toClient: serverHello(() => ({ suite: 0xc02c })),
    });
    assert.equal(other.client.alert, 'sent illegal_parameter');
  });

  test(`resumption by ${kind} › for another name › a full handshake`, () => {
    const { options } = resuming();
    const name = clientExtensions({ serverName: 'other.example' });
    const pair = runTampered(new TestPair(options), { toServer: name });
    // Not resumed: certificates came, and only the keys tell that the name was changed.
    assert.equal(pair.server.alert, 'sent bad_record_mac');
  });

  test(`resumption by ${kind} › too old › a full handshake`, () => {
    const { options } = resuming();
    const late = new TestPair(options);
    late.pass(8 * 86_400);
    assert.equal(late.run().client.session?.resumed, false);
  });
}

test('start › change_cipher_spec before a ServerHello of TLS 1.2 › unexpected_message', () => {
  const pair = new TestPair(OLD);
  deliver(pair.client, recordOf(20, Uint8Array.of(1)));
  assert.equal(pair.run().client.alert, 'sent unexpected_message');
});

test('start › a warning before the ServerHello › ignored; one more than may be is not', () => {
  const pair = new TestPair(OLD);
  const warning = recordOf(21, Uint8Array.of(1, 112));
  for (let count = 0; count < WARNINGS_MAX; count++) deliver(pair.client, warning);
  assert.notEqual(pair.run().client.session, null);
  const other = new TestPair(OLD);
  for (let count = 0; count <= WARNINGS_MAX; count++) deliver(other.client, warning);
  assert.equal(other.client.alert, 'sent unexpected_message');
});

test('session by identifier › ended by an alert › not resumed (RFC 5246 §7.2.2)', () => {
  const sessions = new ServerSessions(entropy);
  const options = { server: { ...OLD.server, sessions }, client: { sessions: new SessionCache() } };
  const pair = openPair(options);
  assert.equal(sessions.size, 1);
  pair.server.engine.receive(Uint8Array.of(23, 3, 3, 0, 24, ...new Uint8Array(24)));
  assert.equal(pair.server.alert, 'sent bad_record_mac');
  assert.equal(sessions.size, 0);
  assert.equal(openPair(options).client.session?.resumed, false);
});

test('server sessions › one more than the bound › the oldest is forgotten', () => {
  const sessions = new ServerSessions(entropy, 2);
  const options = { server: { ...OLD.server, sessions } };
  for (let count = 1; count <= 3; count++) {
    openPair(options);
    assert.equal(sessions.size, Math.min(count, 2));
    sessions.checkInvariants();
  }
  sessions.clear();
  assert.equal(sessions.size, 0);
});
