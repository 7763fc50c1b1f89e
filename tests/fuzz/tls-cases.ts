/** Messages of TLS 1.3 and 1.2, as entries of the registry. */

import type { Result } from '#core';
import type { SimRandom } from '#targets/sim/index';
import {
  ByteWriter,
  certificateExtensions,
  certificateRequestExtensions,
  clientHelloExtensions,
  emitAlert,
  emitCertificate12,
  emitCertificate13,
  emitCertificateRequest12,
  emitCertificateRequest13,
  emitCertificateStatus,
  emitCertificateVerify,
  emitChangeCipherSpec,
  emitClientHello,
  emitClientKeyExchange,
  emitEmptyMessage,
  emitEncryptedExtensions,
  emitFinished,
  emitKeyUpdate,
  emitNewSessionTicket12,
  emitNewSessionTicket13,
  emitRecordHeader,
  emitServerHello,
  emitServerKeyExchange,
  encryptedExtensions,
  formatAlert,
  formatCertificate12,
  formatCertificate13,
  formatCertificateRequest12,
  formatCertificateRequest13,
  formatCertificateStatus,
  formatCertificateVerify,
  formatClientHello,
  formatClientKeyExchange,
  formatEncryptedExtensions,
  formatNewSessionTicket,
  formatRecordHeader,
  formatServerHello,
  formatServerKeyExchange,
  helloRetryExtensions,
  parseAlert,
  parseCertificate12,
  parseCertificate13,
  parseCertificateRequest12,
  parseCertificateRequest13,
  parseCertificateStatus,
  parseCertificateVerify,
  parseChangeCipherSpec,
  parseClientHello,
  parseClientKeyExchange,
  parseEmptyMessage,
  parseEncryptedExtensions,
  parseFinished,
  parseKeyUpdate,
  parseNewSessionTicket12,
  parseNewSessionTicket13,
  parseRecordHeader,
  parseServerHello,
  parseServerKeyExchange,
  serverHelloExtensions,
  type TlsFault,
  ticketExtensions,
} from '#tls/wire';
import { bytesOf, type WireCase, wireCase } from './wire-case.ts';

interface TlsFormat<R> {
  readonly name: string;
  parse(b: Uint8Array): Result<R, TlsFault>;
  emit(to: ByteWriter, repr: R): void;
  format?(repr: R): string;
  reprs(random: SimRandom): R[];
}

function tlsCase<R>({ name, parse, emit, format, reprs }: TlsFormat<R>): WireCase {
  const write = (repr: R): Uint8Array => {
    const writer = new ByteWriter(1);
    emit(writer, repr);
    return writer.finish().slice();
  };
  return wireCase<R>({
    name: `tls ${name}`,
    parse,
    emit(to, repr) {
      const bytes = write(repr);
      to.set(bytes);
      return bytes.length;
    },
    ...(format === undefined ? {} : { format }),
    seeds: (random) => reprs(random).map(write),
  });
}

const grease = (random: SimRandom) => ({ code: 0x1a1a, data: bytesOf(random, random.below(5)) });

const clientHello = tlsCase({
  name: 'client_hello',
  parse: parseClientHello,
  emit: emitClientHello,
  format: formatClientHello,
  reprs(random) {
    const hello = {
      version: 0x0303,
      random: bytesOf(random, 32),
      sessionId: bytesOf(random, 32),
      suites: [0x1a1a, 0x1301, 0xc02b, 0x00ff],
      compressions: Uint8Array.of(0),
    };
    const modern = clientHelloExtensions.of({
      serverName: 'www.example.org',
      supportedGroups: [0x1a1a, 29, 23],
      alpn: ['h2', 'http/1.1'],
      statusRequest: {
        type: 'ocsp',
        responderIds: [bytesOf(random, 3)],
        requestExtensions: bytesOf(random, 2),
      },
      signatureAlgorithms: [0x0403, 0x0804],
      signatureAlgorithmsCert: [0x0401],
      recordSizeLimit: 1_024,
      supportedVersions: [0x1a1a, 0x0304],
      cookie: bytesOf(random, 4),
      pskKeyExchangeModes: Uint8Array.of(1),
      keyShare: [
        { group: 0x1a1a, keyExchange: bytesOf(random, 1) },
        { group: 29, keyExchange: bytesOf(random, 32) },
      ],
      certificateAuthorities: [bytesOf(random, 9)],
      postHandshakeAuth: true,
      earlyData: true,
    });
    const old = clientHelloExtensions.of(
      {
        extendedMasterSecret: true,
        renegotiationInfo: new Uint8Array(0),
        ecPointFormats: Uint8Array.of(0),
        sessionTicket: bytesOf(random, 7),
        statusRequest: { type: 2, data: bytesOf(random, 3) },
      },
      [grease(random), { code: 21, data: new Uint8Array(9) }],
    );
    const resuming = clientHelloExtensions.of({
      supportedVersions: [0x0304],
      preSharedKey: {
        identities: [{ identity: bytesOf(random, 20), obfuscatedAge: random.u32() }],
        binders: [bytesOf(random, 32)],
      },
    });
    const none = clientHelloExtensions.of({});
    return [modern, old, resuming, none].map((extensions) => ({ ...hello, extensions }));
  },
});

const serverHello = tlsCase({
  name: 'server_hello',
  parse: parseServerHello,
  emit: emitServerHello,
  format: formatServerHello,
  reprs(random) {
    const common = {
      version: 0x0303,
      sessionId: bytesOf(random, 32),
      suite: 0x1301,
      compression: 0,
    };
    const hello = { kind: 'hello' as const, ...common, random: bytesOf(random, 32) };
    return [
      {
        ...hello,
        extensions: serverHelloExtensions.of({
          supportedVersions: 0x0304,
          keyShare: { group: 29, keyExchange: bytesOf(random, 32) },
          preSharedKey: 0,
        }),
      },
      {
        ...hello,
        extensions: serverHelloExtensions.of({
          serverName: true,
          extendedMasterSecret: true,
          renegotiationInfo: bytesOf(random, 24),
          supportedGroups: [29],
          ecPointFormats: Uint8Array.of(0),
          sessionTicket: true,
          alpn: 'http/1.1',
          statusRequest: true,
          recordSizeLimit: 64,
        }),
      },
      { ...hello, sessionId: new Uint8Array(0), extensions: serverHelloExtensions.of({}) },
      {
        kind: 'retry',
        ...common,
        extensions: helloRetryExtensions.of({
          supportedVersions: 0x0304,
          keyShare: 23,
          cookie: bytesOf(random, 6),
        }),
      },
    ];
  },
});

const encrypted = tlsCase({
  name: 'encrypted_extensions',
  parse: parseEncryptedExtensions,
  emit: emitEncryptedExtensions,
  format: formatEncryptedExtensions,
  reprs: (random) => [
    encryptedExtensions.of({}),
    encryptedExtensions.of(
      { serverName: true, supportedGroups: [29], alpn: 'h2', recordSizeLimit: 99, earlyData: true },
      [grease(random)],
    ),
  ],
});

const certificate13 = tlsCase({
  name: 'certificate of 1.3',
  parse: parseCertificate13,
  emit: emitCertificate13,
  format: formatCertificate13,
  reprs: (random) => [
    { context: bytesOf(random, 3), entries: [] },
    {
      context: new Uint8Array(0),
      entries: [
        {
          der: bytesOf(random, 300),
          extensions: certificateExtensions.of({ statusRequest: bytesOf(random, 5) }),
        },
        { der: bytesOf(random, 9), extensions: certificateExtensions.of({}, [grease(random)]) },
      ],
    },
  ],
});

const certificate12 = tlsCase({
  name: 'certificate of 1.2',
  parse: parseCertificate12,
  emit: emitCertificate12,
  format: formatCertificate12,
  reprs: (random) => [{ chain: [] }, { chain: [bytesOf(random, 300), bytesOf(random, 1)] }],
});

const certificateStatus = tlsCase({
  name: 'certificate_status',
  parse: parseCertificateStatus,
  emit: emitCertificateStatus,
  format: formatCertificateStatus,
  reprs: (random) => [{ ocsp: bytesOf(random, 40) }],
});

const certificateRequest13 = tlsCase({
  name: 'certificate_request of 1.3',
  parse: parseCertificateRequest13,
  emit: emitCertificateRequest13,
  format: formatCertificateRequest13,
  reprs: (random) => [
    {
      context: bytesOf(random, 2),
      extensions: certificateRequestExtensions.of(
        {
          signatureAlgorithms: [0x0403],
          signatureAlgorithmsCert: [0x0401, 0x1a1a],
          certificateAuthorities: [bytesOf(random, 4)],
          oidFilters: [{ oid: bytesOf(random, 3), values: bytesOf(random, 4) }],
          statusRequest: new Uint8Array(0),
        },
        [grease(random)],
      ),
    },
  ],
});

const certificateRequest12 = tlsCase({
  name: 'certificate_request of 1.2',
  parse: parseCertificateRequest12,
  emit: emitCertificateRequest12,
  format: formatCertificateRequest12,
  reprs: (random) => [
    {
      types: Uint8Array.of(1, 64),
      schemes: [0x0403, 0x1a1a],
      authorities: [bytesOf(random, 4), bytesOf(random, 5)],
    },
  ],
});

const certificateVerify = tlsCase({
  name: 'certificate_verify',
  parse: parseCertificateVerify,
  emit: emitCertificateVerify,
  format: formatCertificateVerify,
  reprs: (random) => [{ scheme: 0x0403, signature: bytesOf(random, 70) }],
});

const newSessionTicket13 = tlsCase({
  name: 'new_session_ticket of 1.3',
  parse: parseNewSessionTicket13,
  emit: emitNewSessionTicket13,
  format: formatNewSessionTicket,
  reprs: (random) => [
    {
      lifetimeSeconds: random.u32(),
      ageAdd: random.u32(),
      nonce: bytesOf(random, 8),
      ticket: bytesOf(random, 60),
      extensions: ticketExtensions.of({ earlyData: random.u32() }, [grease(random)]),
    },
  ],
});

const newSessionTicket12 = tlsCase({
  name: 'new_session_ticket of 1.2',
  parse: parseNewSessionTicket12,
  emit: emitNewSessionTicket12,
  format: formatNewSessionTicket,
  reprs: (random) => [{ lifetimeSeconds: random.u32(), ticket: bytesOf(random, 60) }],
});

const serverKeyExchange = tlsCase({
  name: 'server_key_exchange',
  parse: parseServerKeyExchange,
  emit: emitServerKeyExchange,
  format: formatServerKeyExchange,
  reprs: (random) => [
    { group: 29, point: bytesOf(random, 32), scheme: 0x0804, signature: bytesOf(random, 256) },
  ],
});

const clientKeyExchange = tlsCase({
  name: 'client_key_exchange',
  parse: parseClientKeyExchange,
  emit: emitClientKeyExchange,
  format: formatClientKeyExchange,
  reprs: (random) => [{ point: bytesOf(random, 65) }],
});

const finished = [12, 32, 48].map((count) =>
  tlsCase({
    name: `finished of ${count} bytes`,
    parse: (b) => parseFinished(b, count),
    emit: emitFinished,
    reprs: (random) => [{ verifyData: bytesOf(random, count) }],
  }),
);

const keyUpdate = tlsCase({
  name: 'key_update',
  parse: parseKeyUpdate,
  emit: emitKeyUpdate,
  reprs: () => [{ isRequested: true }, { isRequested: false }],
});

const empty = tlsCase({
  name: 'message without a body',
  parse: parseEmptyMessage,
  emit: emitEmptyMessage,
  reprs: () => [null],
});

const changeCipherSpec = tlsCase({
  name: 'change_cipher_spec',
  parse: parseChangeCipherSpec,
  emit: emitChangeCipherSpec,
  reprs: () => [null],
});

const alerts = tlsCase({
  name: 'alert',
  parse: parseAlert,
  emit: emitAlert,
  format: formatAlert,
  reprs: (random) => [{ level: 2, description: random.below(256) }],
});

const recordHeader = tlsCase({
  name: 'record header',
  parse: parseRecordHeader,
  emit: emitRecordHeader,
  format: formatRecordHeader,
  reprs: (random) => [{ type: 22, version: 0x0301, lengthBytes: random.below(18_432) }],
});

export const tlsCases: readonly WireCase[] = [
  clientHello,
  serverHello,
  encrypted,
  certificate13,
  certificate12,
  certificateStatus,
  certificateRequest13,
  certificateRequest12,
  certificateVerify,
  newSessionTicket13,
  newSessionTicket12,
  serverKeyExchange,
  clientKeyExchange,
  ...finished,
  keyUpdate,
  empty,
  changeCipherSpec,
  alerts,
  recordHeader,
];
