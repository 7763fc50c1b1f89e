import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '#core';
import { ByteWriter } from './byte-writer.ts';
import { parseCertificate13 } from './certificate.ts';
import { parseCertificateRequest12, parseCertificateRequest13 } from './certificate-request.ts';
import { type ClientHello, emitClientHello, parseClientHello } from './client-hello.ts';
import {
  alert,
  alertNameOf,
  bindersBytes,
  checkRecordHeader,
  clientHelloExtensions,
  emitServerHello,
  HELLO_RETRY_RANDOM,
  handshakeBodyBytes,
  handshakeMessage,
  handshakeType,
  handshakeTypeAt,
  handshakeTypeNameOf,
  isDowngradeMarked,
  markDowngrade,
  PLAINTEXT_BYTES_MAX,
  parseAlert,
  parseCertificate12,
  parseCertificateStatus,
  parseChangeCipherSpec,
  parseClientKeyExchange,
  parseEmptyMessage,
  parseEncryptedExtensions,
  parseFinished,
  parseKeyUpdate,
  parseNewSessionTicket13,
  parseServerHello,
  parseServerKeyExchange,
  type TlsFault,
} from './index.ts';

const bytes = (hex: string): Uint8Array =>
  new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));

const alertOf = (result: Result<unknown, TlsFault>): string =>
  result.ok ? 'accepted' : result.error.alert;

const SHARES = '0033 0008 0006 001d 0002 abcd';
const RANDOM = '11'.repeat(32);

/** A ClientHello with these extensions, each as hex with its code and length. */
const helloOf = (...extensions: string[]): Uint8Array => {
  const block = bytes(extensions.join(''));
  const length = block.length.toString(16).padStart(4, '0');
  return bytes(`0303 ${RANDOM} 00 0002 1301 01 00 ${length} ${extensions.join('')}`);
};

test('client_hello › all that browsers send › read, unknown ones kept as bytes', () => {
  const parsed = parseClientHello(
    helloOf(
      '1a1a 0000',
      '0000 000a 0008 00 0005 612e636f6d',
      '000a 0006 0004 1a1a 001d',
      '0010 0005 0003 02 6832',
      '002b 0003 02 0304',
      SHARES,
      '0015 0002 0000',
    ),
  );
  assert.ok(parsed.ok);
  const { extensions } = parsed.value;
  assert.equal(extensions.serverName, 'a.com');
  assert.deepEqual(extensions.supportedGroups, [0x1a1a, 29]);
  assert.deepEqual(extensions.alpn, ['h2']);
  assert.deepEqual(extensions.supportedVersions, [0x0304]);
  assert.deepEqual(extensions.keyShare, [{ group: 29, keyExchange: bytes('abcd') }]);
  assert.equal(extensions.cookie, null);
  assert.deepEqual(extensions.codes, [0x1a1a, 0, 10, 16, 43, 51, 21]);
  assert.deepEqual(
    extensions.others.map(({ code }) => code),
    [0x1a1a, 21],
  );
});

test('client_hello › without a block of extensions (RFC 5246 §7.4.1.2) › none', () => {
  const parsed = parseClientHello(bytes(`0303 ${RANDOM} 00 0002 c02b 01 00`));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.extensions.codes, []);
});

const ONE_PSK = '0029 0030 0009 0003 616263 00000000 0021 20';
const PSK = ONE_PSK.replace('0030', '002e') + '22'.repeat(32);

const badHellos: readonly [what: string, hello: Uint8Array, alert: string][] = [
  ['nothing', bytes(''), 'decode_error'],
  ['an odd list of suites', bytes(`0303 ${RANDOM} 00 0003 130100 01 00`), 'decode_error'],
  ['no suites', bytes(`0303 ${RANDOM} 00 0000 01 00`), 'decode_error'],
  ['no compression methods', bytes(`0303 ${RANDOM} 00 0002 1301 00`), 'decode_error'],
  [
    'a session id of 33 bytes',
    bytes(`0303 ${RANDOM} 21 ${'00'.repeat(33)} 0002 1301 01 00`),
    'decode_error',
  ],
  ['a byte after the block', bytes(`0303 ${RANDOM} 00 0002 1301 01 00 0000 00`), 'decode_error'],
  ['half a length of the block', bytes(`0303 ${RANDOM} 00 0002 1301 01 00 00`), 'decode_error'],
  ['an extension twice', helloOf(SHARES, SHARES), 'illegal_parameter'],
  ['an unknown extension twice', helloOf('1a1a 0000', '1a1a 0000'), 'illegal_parameter'],
  ['an extension of another message', helloOf('0030 0002 0000'), 'illegal_parameter'],
  ['an extension that is cut off', helloOf('000a 0006 0004 001d'), 'decode_error'],
  ['bytes after a value', helloOf('002b 0004 02 0304 00'), 'decode_error'],
  ['an empty list of groups', helloOf('000a 0002 0000'), 'decode_error'],
  ['an odd list of groups', helloOf('000a 0003 0001 00'), 'decode_error'],
  ['an empty list of schemes', helloOf('000d 0002 0000'), 'decode_error'],
  ['no versions', helloOf('002b 0001 00'), 'decode_error'],
  ['an empty list of names', helloOf('0000 0002 0000'), 'decode_error'],
  ['an empty name', helloOf('0000 0005 0003 00 0000'), 'decode_error'],
  ['no server_name list', helloOf('0000 0000'), 'decode_error'],
  ['a name of another type', helloOf('0000 0006 0004 01 0001 61'), 'decode_error'],
  ['two names', helloOf('0000 000a 0008 00 0001 61 00 0001 62'), 'illegal_parameter'],
  ['a zero in a name', helloOf('0000 0008 0006 00 0003 610062'), 'illegal_parameter'],
  ['a byte after a name', helloOf('0000 0007 0005 00 0001 61 62'), 'decode_error'],
  ['an empty protocol', helloOf('0010 0003 0001 00'), 'decode_error'],
  ['no protocols', helloOf('0010 0002 0000'), 'decode_error'],
  ['no point formats', helloOf('000b 0001 00'), 'decode_error'],
  ['a record size limit of 63', helloOf('001c 0002 003f'), 'illegal_parameter'],
  ['something in extended_master_secret', helloOf('0017 0001 00'), 'decode_error'],
  ['an empty cookie', helloOf('002c 0002 0000'), 'decode_error'],
  ['no psk modes', helloOf('002d 0001 00'), 'decode_error'],
  ['an empty key share', helloOf('0033 0006 0004 001d 0000'), 'decode_error'],
  [
    'a group with two shares',
    helloOf('0033 000c 000a 001d 0001 01 001d 0001 02'),
    'illegal_parameter',
  ],
  ['a psk that is not the last', helloOf(PSK, SHARES), 'illegal_parameter'],
  [
    'more binders than identities',
    helloOf(`0029 004f 0009 0003 616263 00000000 0042 ${`20${'22'.repeat(32)}`.repeat(2)}`),
    'illegal_parameter',
  ],
  [
    'a binder of 31 bytes',
    helloOf(`0029 002d 0009 0003 616263 00000000 0020 1f ${'22'.repeat(31)}`),
    'decode_error',
  ],
];

for (const [what, hello, expected] of badHellos) {
  test(`client_hello › ${what} › ${expected}`, () => {
    assert.equal(alertOf(parseClientHello(hello)), expected);
  });
}

test('client_hello › extension values at their bounds › read', () => {
  const atBounds = ['001c 0002 0040', '0033 0002 0000', PSK];
  assert.equal(alertOf(parseClientHello(helloOf(...atBounds))), 'accepted');
});

test('server_name › a type that nobody knows beside the name, before or after › ignored', () => {
  for (const list of ['00 0001 61 01 0001 ff', '01 0001 ff 00 0001 61']) {
    const parsed = parseClientHello(helloOf(`0000 000a 0008 ${list}`));
    assert.equal(parsed.ok && parsed.value.extensions.serverName, 'a');
  }
});

test('pre_shared_key › bytes that binders do not cover › the list with its length', () => {
  const hello: ClientHello = {
    version: 0x0303,
    random: new Uint8Array(32),
    sessionId: new Uint8Array(0),
    suites: [0x1301],
    compressions: Uint8Array.of(0),
    extensions: clientHelloExtensions.of({
      preSharedKey: {
        identities: [{ identity: bytes('aa'), obfuscatedAge: 1 }],
        binders: [new Uint8Array(32), new Uint8Array(48)],
      },
    }),
  };
  const psk = hello.extensions.preSharedKey;
  assert.ok(psk !== null);
  assert.equal(bindersBytes(psk), 2 + 33 + 49);
  const writer = new ByteWriter();
  emitClientHello(writer, hello);
  const body = writer.finish();
  assert.equal(body[body.length - bindersBytes(psk) + 1], 33 + 49);
});

test('extensions › made from values › in the order of the table, pre_shared_key last', () => {
  const { codes } = clientHelloExtensions.of({
    preSharedKey: { identities: [], binders: [] },
    keyShare: [],
    serverName: 'a',
  });
  assert.deepEqual(codes, [0, 51, 41]);
});

const serverHelloOf = (random: string, extensions: string): Uint8Array => {
  const block = bytes(extensions);
  const length = block.length.toString(16).padStart(4, '0');
  return bytes(`0303 ${random} 00 1301 00 ${length} ${extensions}`);
};

test('server_hello › its random is that of a retry › a group, not a share', () => {
  const random = Buffer.from(HELLO_RETRY_RANDOM).toString('hex');
  const retry = parseServerHello(serverHelloOf(random, '0033 0002 0017 002b 0002 0304'));
  assert.ok(retry.ok && retry.value.kind === 'retry');
  assert.equal(retry.value.extensions.keyShare, 0x17);
  const hello = parseServerHello(serverHelloOf(RANDOM, '0033 0005 0017 0001 aa'));
  assert.ok(hello.ok && hello.value.kind === 'hello');
  assert.deepEqual(hello.value.extensions.keyShare, { group: 0x17, keyExchange: bytes('aa') });
  assert.equal(
    alertOf(parseServerHello(serverHelloOf(random, '0029 0002 0000'))),
    'illegal_parameter',
  );
});

test('server_hello › two protocols, or a list of versions › decode_error', () => {
  for (const extension of ['0010 0006 0004 0161 0162', '002b 0003 02 0304', '0000 0001 00']) {
    assert.equal(alertOf(parseServerHello(serverHelloOf(RANDOM, extension))), 'decode_error');
  }
  assert.equal(
    alertOf(parseServerHello(serverHelloOf(RANDOM, '002c 0003 0001 61'))),
    'illegal_parameter',
  );
});

test('server random › marked as downgraded › seen; another is not', () => {
  const random = new Uint8Array(32).fill(7);
  assert.equal(isDowngradeMarked(random), false);
  markDowngrade(random);
  assert.equal(Buffer.from(random.subarray(24)).toString('hex'), '444f574e47524401');
  assert.equal(isDowngradeMarked(random), true);
  random[31] = 0;
  assert.equal(isDowngradeMarked(random), true);
  random[31] = 2;
  assert.equal(isDowngradeMarked(random), false);
});

const badMessages: readonly [what: string, result: Result<unknown, TlsFault>, alert: string][] = [
  ['encrypted_extensions without a block', parseEncryptedExtensions(bytes('')), 'decode_error'],
  [
    'encrypted_extensions with key_share',
    parseEncryptedExtensions(bytes('0006 0033 0002 001d')),
    'illegal_parameter',
  ],
  [
    'certificate of 1.3, an empty one',
    parseCertificate13(bytes('00 000005 000000 0000')),
    'decode_error',
  ],
  [
    'certificate of 1.3, no extensions',
    parseCertificate13(bytes('00 000004 000001 aa')),
    'decode_error',
  ],
  ['certificate of 1.2, an empty one', parseCertificate12(bytes('000003 000000')), 'decode_error'],
  ['certificate of 1.2, bytes after it', parseCertificate12(bytes('000000 00')), 'decode_error'],
  [
    'certificate_status of another type',
    parseCertificateStatus(bytes('02 000001 aa')),
    'illegal_parameter',
  ],
  ['certificate_status, empty', parseCertificateStatus(bytes('01 000000')), 'decode_error'],
  [
    'certificate_request of 1.3, no extension',
    parseCertificateRequest13(bytes('00 0000')),
    'decode_error',
  ],
  [
    'certificate_request of 1.2, no type',
    parseCertificateRequest12(bytes('00 0002 0403 0000')),
    'decode_error',
  ],
  [
    'certificate_request of 1.2, no scheme',
    parseCertificateRequest12(bytes('01 40 0000 0000')),
    'decode_error',
  ],
  [
    'new_session_ticket of 1.3, empty',
    parseNewSessionTicket13(bytes('00000001 00000001 00 0000 0000')),
    'decode_error',
  ],
  [
    'server_key_exchange, an explicit curve',
    parseServerKeyExchange(bytes('01 001d 01 aa 0403 0000')),
    'illegal_parameter',
  ],
  [
    'server_key_exchange, an empty point',
    parseServerKeyExchange(bytes('03 001d 00 0403 0000')),
    'decode_error',
  ],
  ['client_key_exchange, empty', parseClientKeyExchange(bytes('')), 'decode_error'],
  ['client_key_exchange, an empty point', parseClientKeyExchange(bytes('00')), 'decode_error'],
  [
    'client_key_exchange, a byte after it',
    parseClientKeyExchange(bytes('01 aa 00')),
    'decode_error',
  ],
  ['finished, one byte short', parseFinished(new Uint8Array(11), 12), 'decode_error'],
  ['finished, one byte long', parseFinished(new Uint8Array(13), 12), 'decode_error'],
  ['key_update of 2', parseKeyUpdate(bytes('02')), 'illegal_parameter'],
  ['key_update, empty', parseKeyUpdate(bytes('')), 'decode_error'],
  ['server_hello_done with a body', parseEmptyMessage(bytes('00')), 'decode_error'],
  ['change_cipher_spec of 2', parseChangeCipherSpec(bytes('02')), 'unexpected_message'],
  ['alert of one byte', parseAlert(bytes('02')), 'decode_error'],
  ['alert of three bytes', parseAlert(bytes('020000')), 'decode_error'],
];

for (const [what, result, expected] of badMessages) {
  test(`${what} › parsed › ${expected}`, () => assert.equal(alertOf(result), expected));
}

test('handshake header › a message is made › its type and length can be read', () => {
  const message = handshakeMessage(handshakeType.server_hello, emitServerHello, {
    kind: 'retry',
    version: 0x0303,
    sessionId: new Uint8Array(0),
    suite: 0x1301,
    compression: 0,
    extensions: { supportedVersions: 0x304, keyShare: null, cookie: null, codes: [43], others: [] },
  });
  assert.equal(handshakeTypeNameOf(handshakeTypeAt(message, 0)), 'server_hello');
  assert.equal(handshakeBodyBytes(message, 0), message.length - 4);
  assert.equal(handshakeTypeNameOf(3), null);
  assert.equal(alertNameOf(alert.decode_error), 'decode_error');
  assert.equal(alertNameOf(1), null);
});

const headers: readonly [what: string, hex: string, outcome: string | null][] = [
  ['a handshake record', '16 0301 0200', null],
  ['the largest', '17 0303 4000', null],
  ['one byte more', '17 0303 4001', 'record_overflow'],
  ['HTTP', '474554202f', 'unexpected_message'],
  ['SSL 2', '802e0100 02', 'unexpected_message'],
  ['heartbeat', '18 0303 0003', 'unexpected_message'],
  ['another major version', '16 0203 0010', 'protocol_version'],
  ['four bytes', '16 0303 00', 'decode_error'],
];

for (const [what, hex, outcome] of headers) {
  test(`record header › ${what} › ${outcome ?? 'accepted'}`, () => {
    const fault = checkRecordHeader(bytes(`ff${hex}`), 1, PLAINTEXT_BYTES_MAX);
    assert.equal(fault?.alert ?? null, outcome);
  });
}
