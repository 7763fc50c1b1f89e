/** What an end of TLS 1.3 must refuse in a handshake, and with which alert. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wallTimeOfMillis } from '#core';
import type { PrivateKey } from '#device';
import { CertificateAuthority } from '#x509';
import type { TlsServerConfig } from './config.ts';
import {
  anchors,
  credentials,
  makeCredentials,
  NOW,
  type PairOptions,
  root,
  type TestEnd,
  TestPair,
  tools,
  VALIDITY,
} from './test-session.ts';
import { changing, type Tamper } from './test-tamper.ts';
import { type Certificate13, emitCertificate13, parseCertificate13 } from './wire/certificate.ts';
import {
  type CertificateRequest13,
  emitCertificateRequest13,
  parseCertificateRequest13,
} from './wire/certificate-request.ts';
import {
  type CertificateVerify,
  emitCertificateVerify,
  parseCertificateVerify,
} from './wire/certificate-verify.ts';
import { emitEncryptedExtensions, parseEncryptedExtensions } from './wire/encrypted-extensions.ts';
import {
  certificateExtensions,
  certificateRequestExtensions,
  type EncryptedExtensions,
  encryptedExtensions,
} from './wire/extensions.ts';
import { handshakeType } from './wire/handshake.ts';

const NOTHING = new Uint8Array(0);
const OTHER = { code: 0x2a2a, data: NOTHING };
const _SECP256R1 = 23;
const _X25519 = 29;

/** What `end` says goes through `tamper` before it is sealed; its own transcript doesn't know. */
function tamperSealed(end: TestEnd, tamper: Tamper): void {
  const { engine } = end;
  const { sendMessage } = engine;
  engine.sendMessage = (message) => {
    for (const one of tamper(message)) sendMessage.call(engine, one);
  };
}

const without =
  (type: number): Tamper =>
  (message) =>
    message[0] === type ? [] : [message];

const twice =
  (type: number): Tamper =>
  (message) =>
    message[0] === type ? [message, message] : [message];

const flip =
  (type: number, fromEnd: number): Tamper =>
  (message) => {
    if (message[0] !== type) return [message];
    const changed = message.slice();
    changed[changed.length - fromEnd]! ^= 1;
    return [changed];
  };

/** With its length, one byte shorter or longer. */
const resized =
  (type: number, by: number): Tamper =>
  (message) => {
    if (message[0] !== type) return [message];
    const changed = new Uint8Array(message.length + by);
    changed.set(message.subarray(0, changed.length));
    const bytes = changed.length - 4;
    changed.set([bytes >> 16, (bytes >> 8) % 256, bytes % 256], 1);
    return [changed];
  };

const extensions = (change: Partial<EncryptedExtensions>): Tamper =>
  changing(
    handshakeType.encrypted_extensions,
    parseEncryptedExtensions,
    emitEncryptedExtensions,
    (before) => encryptedExtensions.of({ ...before, ...change }, change.others ?? []),
  );

const certificate = (change: (repr: Certificate13) => Partial<Certificate13>): Tamper =>
  changing(handshakeType.certificate, parseCertificate13, emitCertificate13, (repr) => ({
    ...repr,
    ...change(repr),
  }));

const request = (change: Partial<CertificateRequest13>): Tamper =>
  changing(
    handshakeType.certificate_request,
    parseCertificateRequest13,
    emitCertificateRequest13,
    (repr) => ({ ...repr, ...change }),
  );

const verify = (change: Partial<CertificateVerify>): Tamper =>
  changing(
    handshakeType.certificate_verify,
    parseCertificateVerify,
    emitCertificateVerify,
    (repr) => ({ ...repr, ...change }),
  );

const { certificate_verify, encrypted_extensions, finished } = handshakeType;
const AUTH: PairOptions = {
  server: { clientAuth: 'required', clientAnchors: anchors },
  client: { credentials },
};

const sealedToClient: readonly [string, Tamper, string, PairOptions?][] = [
  ['no encrypted extensions', without(encrypted_extensions), 'unexpected_message'],
  ['encrypted extensions twice', twice(encrypted_extensions), 'unexpected_message'],
  ['encrypted extensions cut', resized(encrypted_extensions, -1), 'decode_error'],
  ['a protocol nobody offered', extensions({ alpn: 'h2' }), 'unsupported_extension'],
  [
    'another protocol',
    extensions({ alpn: 'h3' }),
    'illegal_parameter',
    { client: { alpn: ['h2'] } },
  ],
  ['early data accepted', extensions({ earlyData: true }), 'unsupported_extension'],
  ['an extension nobody knows', extensions({ others: [OTHER] }), 'unsupported_extension'],
  [
    'a name nobody asked for',
    extensions({ serverName: true }),
    'unsupported_extension',
    { client: { serverName: null } },
  ],
  ['no certificate', without(handshakeType.certificate), 'unexpected_message'],
  ['an empty certificate', certificate(() => ({ entries: [] })), 'decode_error'],
  ['a context', certificate(() => ({ context: Uint8Array.of(1) })), 'illegal_parameter'],
  [
    'an extension of a certificate',
    certificate(({ entries }) => ({
      entries: entries.map(({ der }) => ({
        der,
        extensions: certificateExtensions.of({}, [OTHER]),
      })),
    })),
    'unsupported_extension',
  ],
  [
    'no certificate but bytes',
    certificate(({ entries }) => ({ entries: [{ ...entries[0]!, der: Uint8Array.of(48, 0) }] })),
    'bad_certificate',
  ],
  ['no signature', without(certificate_verify), 'unexpected_message'],
  ['a wrong signature', flip(certificate_verify, 1), 'decrypt_error'],
  ['a scheme not offered', verify({ scheme: 0x0201 }), 'illegal_parameter'],
  ['a scheme of another key', verify({ scheme: 0x0804 }), 'illegal_parameter'],
  ['a scheme for certificates', verify({ scheme: 0x0401 }), 'illegal_parameter'],
  ['a signature twice', twice(certificate_verify), 'unexpected_message'],
  ['no Finished, so nothing', without(finished), ''],
  ['a wrong Finished', flip(finished, 1), 'decrypt_error'],
  ['a short Finished', resized(finished, -1), 'decode_error'],
  ['a long Finished', resized(finished, 1), 'decode_error'],
  ['two Finished', twice(finished), 'unexpected_message'],
  ['a request with a context', request({ context: Uint8Array.of(1) }), 'illegal_parameter', AUTH],
  [
    'a request without schemes',
    request({ extensions: certificateRequestExtensions.of({}, [OTHER]) }),
    'missing_extension',
    AUTH,
  ],
  ['two requests', twice(handshakeType.certificate_request), 'unexpected_message', AUTH],
];

for (const [what, tamper, alert, options] of sealedToClient) {
  test(`client › ${what} › ${alert || 'waits'}`, () => {
    const pair = new TestPair(options);
    tamperSealed(pair.server, (message) => (message[0] === 2 ? [message] : tamper(message)));
    pair.run();
    assert.equal(pair.client.alert, alert === '' ? null : `sent ${alert}`);
    assert.equal(pair.client.session, null);
    assert.equal(pair.server.alert, alert === '' ? null : `received ${alert}`);
    assert.equal(pair.server.session, null);
  });
}

const sealedToServer: readonly [string, Tamper, string, PairOptions?][] = [
  ['a wrong Finished', flip(finished, 1), 'decrypt_error'],
  ['a short Finished', resized(finished, -1), 'decode_error'],
  ['a long Finished', resized(finished, 1), 'decode_error'],
  ['two Finished', twice(finished), 'unexpected_message'],
  [
    'a certificate nobody asked for',
    (message) =>
      message[0] === finished ? [Uint8Array.of(11, 0, 0, 4, 0, 0, 0, 0), message] : [message],
    'unexpected_message',
  ],
  ['no certificate message', without(handshakeType.certificate), 'unexpected_message', AUTH],
  ['an empty certificate', certificate(() => ({ entries: [] })), 'certificate_required', AUTH],
  ['a context', certificate(() => ({ context: Uint8Array.of(1) })), 'illegal_parameter', AUTH],
  ['no signature', without(certificate_verify), 'unexpected_message', AUTH],
  ['a wrong signature', flip(certificate_verify, 1), 'decrypt_error', AUTH],
  ['an empty signature', verify({ signature: NOTHING }), 'decrypt_error', AUTH],
  ['a scheme not asked for', verify({ scheme: 0x0203 }), 'illegal_parameter', AUTH],
  [
    'a client without certificate',
    (message) => [message],
    'certificate_required',
    { server: AUTH.server! },
  ],
];

for (const [what, tamper, alert, options] of sealedToServer) {
  test(`server › ${what} › ${alert}`, () => {
    const pair = new TestPair(options);
    tamperSealed(pair.client, tamper);
    pair.run();
    assert.equal(pair.server.alert, `sent ${alert}`);
    assert.equal(pair.server.session, null);
    assert.equal(pair.client.alert, `received ${alert}`);
  });
}

const stranger = CertificateAuthority.create(tools, { name: 'Stranger', ...VALIDITY });
const DAY_MS = 86_400_000;
const issued = (change: Partial<Parameters<typeof root.issue>[0]>): Partial<TlsServerConfig> => {
  const leaf = root.issue({
    names: ['example.com'],
    spki: credentials.key.spki,
    purposes: ['serverAuth'],
    ...VALIDITY,
    ...change,
  });
  return { credentials: () => ({ chain: [leaf], key: credentials.key }) };
};

const certificates: readonly [string, Partial<TlsServerConfig>, string][] = [
  [
    'of a stranger',
    { credentials: () => makeCredentials('P-256', ['serverAuth'], stranger) },
    'unknown_ca',
  ],
  [
    'that is self-signed',
    {
      credentials: () => ({ ...credentials, chain: [stranger.certificate.raw] }),
    },
    'unknown_ca',
  ],
  ['expired', issued({ notAfter: wallTimeOfMillis(NOW - DAY_MS / 2) }), 'certificate_expired'],
  ['of tomorrow', issued({ notBefore: wallTimeOfMillis(NOW + DAY_MS) }), 'certificate_expired'],
  ['of a client', issued({ purposes: ['clientAuth'] }), 'unsupported_certificate'],
  ['of another name', issued({ names: ['example.org'] }), 'bad_certificate'],
  ['of another key', issued({ spki: makeCredentials().key.spki }), 'decrypt_error'],
];

for (const [what, server, alert] of certificates) {
  test(`client › a certificate ${what} › ${alert}, no data`, () => {
    const pair = new TestPair({ server }).run();
    assert.equal(pair.client.alert, `sent ${alert}`);
    assert.equal(pair.client.session, null);
    assert.equal(pair.server.session, null);
  });
}

test('server › no certificate for the name › unrecognized_name', () => {
  const pair = new TestPair({ server: { credentials: () => null } }).run();
  assert.equal(pair.server.alert, 'sent unrecognized_name');
});

test('server › no certificate, and no name › handshake_failure', () => {
  const pair = new TestPair({
    server: { credentials: () => null },
    client: { serverName: null },
  }).run();
  assert.equal(pair.server.alert, 'sent handshake_failure');
});

test('CertificateVerify › signed well, with a scheme that is for certificates only › refused', () => {
  const rsa = makeCredentials('RSA-2048');
  const { key } = rsa;
  const signer: PrivateKey = {
    type: key.type,
    curve: key.curve,
    bits: key.bits,
    pss: key.pss,
    spki: key.spki,
    sign: (_, data, chance) => key.sign('rsa_pkcs1_sha256', data, chance),
    pkcs8: () => key.pkcs8(),
    destroy: () => key.destroy(),
  };
  const pair = new TestPair({ server: { credentials: () => ({ ...rsa, key: signer }) } });
  const { engine } = pair.server;
  const { sendMessage } = engine;
  engine.sendMessage = (message) => {
    if (message[0] === handshakeType.certificate_verify) message.set([4, 1], 4);
    sendMessage.call(engine, message);
  };
  pair.run();
  assert.equal(pair.client.alert, 'sent illegal_parameter');
});
