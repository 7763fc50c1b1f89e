/** What an end of TLS 1.2 is told that it must refuse, and with which alert. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateAuthority } from '#x509';
import { CLIENT_HELLO_BYTES_MAX, MESSAGE_BYTES_MAX, WARNINGS_MAX } from './limits.ts';
import {
  clientExtensions,
  clientHello,
  OLD,
  serverExtensions,
  serverHello,
} from './test-hellos-12.ts';
import {
  anchors,
  credentials,
  deliver,
  makeCredentials,
  type PairOptions,
  TestPair,
  tools,
  VALIDITY,
} from './test-session.ts';
import { changing, recordOf, runTampered, type Tamper } from './test-tamper.ts';
import {
  emitCertificate12,
  emitCertificateStatus,
  parseCertificate12,
} from './wire/certificate.ts';
import { emitCertificateVerify, parseCertificateVerify } from './wire/certificate-verify.ts';
import { emitClientHello } from './wire/client-hello.ts';
import { clientHelloExtensions, serverHelloExtensions } from './wire/extensions.ts';
import { handshakeMessage, handshakeType } from './wire/handshake.ts';
import {
  emitClientKeyExchange,
  emitServerKeyExchange,
  parseClientKeyExchange,
  parseServerKeyExchange,
  type ServerKeyExchange,
} from './wire/key-exchange.ts';

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

const fallback = clientHello(({ suites }) => ({ suites: [...suites, 0x5600] }));
const older = clientHello(({ suites }) => ({ suites: [...suites, 0x5600], version: 0x0302 }));

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
    fallback,
    'inappropriate_fallback',
    { server: { versions: ['TLS 1.3', 'TLS 1.2'] }, client: { versions: ['TLS 1.2'] } },
  ],
  ['a fallback to TLS 1.1', older, 'inappropriate_fallback', { client: { versions: ['TLS 1.2'] } }],
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

/** A hello of that many bytes in all. */
const helloOf =
  (bytes: number): Tamper =>
  (message) => {
    if (message[0] !== handshakeType.client_hello) return [message];
    const data = new Uint8Array(bytes - message.length - 4);
    const longer = clientHello(({ extensions }) => ({
      extensions: clientHelloExtensions.of(extensions, [
        ...extensions.others,
        { code: 0xfafa, data },
      ]),
    }));
    return longer(message);
  };

for (const [bytes, alert] of [
  [MESSAGE_BYTES_MAX, 'none'],
  [MESSAGE_BYTES_MAX + 1, 'sent handshake_failure'],
] as const) {
  test(`server that keeps the hello for a signature › ${bytes} bytes › alert: ${alert}`, () => {
    const auth = { clientAuth: 'required', clientAnchors: anchors } as const;
    const pair = new TestPair({ server: { ...OLD.server, ...auth }, client: { credentials } });
    runTampered(pair, { toServer: helloOf(bytes) });
    // The client signed another hello.
    const expected = alert === 'none' ? 'sent decrypt_error' : alert;
    assert.equal(pair.server.alert, expected);
  });
}

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

test('start › a fallback to the best that the server has (RFC 7507 §3) › goes on', () => {
  const pair = new TestPair({ ...OLD, client: { versions: ['TLS 1.2'] } });
  runTampered(pair, { toServer: fallback });
  assert.notEqual(pair.server.alert, 'sent inappropriate_fallback');
});

test('start › a hello that is as long as any may be › answered', () => {
  const pair = new TestPair({ ...OLD, client: { versions: ['TLS 1.2'] } });
  const message = handshakeMessage(handshakeType.client_hello, emitClientHello, {
    version: 0x0303,
    random: new Uint8Array(32),
    sessionId: new Uint8Array(32),
    suites: [...Array.from({ length: 32_766 }, (_, i) => (i % 0x5000) + 1), 0xc02b],
    compressions: new Uint8Array(255),
    extensions: clientHelloExtensions.of({ supportedGroups: [23], signatureAlgorithms: [0x0403] }, [
      { code: 80, data: new Uint8Array(65_535 - 2 * 8 - 4) },
    ]),
  });
  assert.equal(message.length, 4 + CLIENT_HELLO_BYTES_MAX);
  for (let at = 0; at < message.length; at += 16_384) {
    deliver(pair.server, recordOf(22, message.slice(at, at + 16_384)));
  }
  assert.equal(pair.server.failure, null);
  assert.equal(pair.server.engine.state, 'server 1.2: client_key_exchange');
  const longer = new TestPair(OLD).server;
  const length = CLIENT_HELLO_BYTES_MAX + 1;
  deliver(longer, recordOf(22, Uint8Array.of(1, length >> 16, length >> 8, length)));
  assert.equal(longer.alert, 'sent decode_error');
});

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
