/** What an end of TLS 1.3 must refuse in hellos, its own or others, and with which alert. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { chooseGroup } from './server-hello-choice.ts';
import { SessionCache } from './session-cache.ts';
import {
  entropy,
  makeEnvironment,
  openPair,
  type PairOptions,
  serverConfig,
  TestPair,
} from './test-session.ts';
import { changing, runTampered, type Tamper } from './test-tamper.ts';
import { TicketKeys } from './ticket-keys.ts';
import { type ClientHello, emitClientHello, parseClientHello } from './wire/client-hello.ts';
import {
  type ClientHelloExtensions,
  clientHelloExtensions,
  type HelloRetryExtensions,
  helloRetryExtensions,
  type ServerHelloExtensions,
  serverHelloExtensions,
} from './wire/extensions.ts';
import { handshakeType } from './wire/handshake.ts';
import {
  emitServerHello,
  type HelloRetryRequest,
  parseServerHello,
  type ServerHello,
} from './wire/server-hello.ts';

const NOTHING = new Uint8Array(0);
const OTHER = { code: 0x2a2a, data: NOTHING };
const SECP256R1 = 23;
const X25519 = 29;

const clientHello = (change: (hello: ClientHello) => Partial<ClientHello>): Tamper =>
  changing(handshakeType.client_hello, parseClientHello, emitClientHello, (hello) => ({
    ...hello,
    ...change(hello),
  }));

const clientExtensions = (
  change: (extensions: ClientHelloExtensions) => Partial<ClientHelloExtensions>,
): Tamper =>
  clientHello(({ extensions }) => ({
    extensions: clientHelloExtensions.of(
      { ...extensions, ...change(extensions) },
      change(extensions).others ?? extensions.others,
    ),
  }));

/** Only the second hello goes through `tamper`. */
function secondly(tamper: Tamper): Tamper {
  let hellos = 0;
  return (message) =>
    message[0] === handshakeType.client_hello && ++hellos === 1 ? [message] : tamper(message);
}

const serverHello = (change: (hello: ServerHello) => Partial<ServerHello>): Tamper =>
  changing(handshakeType.server_hello, parseServerHello, emitServerHello, (hello) =>
    hello.kind === 'hello' ? { ...hello, ...change(hello) } : hello,
  );

const serverExtensions = (change: Partial<ServerHelloExtensions>): Tamper =>
  serverHello(({ extensions }) => ({
    extensions: serverHelloExtensions.of({ ...extensions, ...change }, change.others ?? []),
  }));

const retry = (change: (hello: HelloRetryRequest) => Partial<HelloRetryRequest>): Tamper =>
  changing(handshakeType.server_hello, parseServerHello, emitServerHello, (hello) =>
    hello.kind === 'retry' ? { ...hello, ...change(hello) } : hello,
  );

const retryExtensions = (change: Partial<HelloRetryExtensions>): Tamper =>
  retry(({ extensions }) => ({
    extensions: helloRetryExtensions.of({ ...extensions, ...change }, change.others ?? []),
  }));

const share = (group: number, bytes: number) => ({ group, keyExchange: new Uint8Array(bytes) });
/** No change_cipher_spec: the second hello is looked at too. */
const RETRIED = {
  server: { groups: ['secp256r1'] },
  client: { middleboxCompatibility: false },
} as const satisfies PairOptions;

/** What a server refuses in hellos. */
const toServer: readonly [what: string, tamper: Tamper, alert: string, options?: PairOptions][] = [
  ['SSL 3.0', clientHello(() => ({ version: 0x0300 })), 'protocol_version'],
  ['older versions', clientExtensions(() => ({ supportedVersions: [0x0302] })), 'protocol_version'],
  ['compression', clientHello(() => ({ compressions: Uint8Array.of(0, 1) })), 'illegal_parameter'],
  ['other compression', clientHello(() => ({ compressions: NOTHING })), 'decode_error'],
  ['no suite of ours', clientHello(() => ({ suites: [0x1304, 0x0a0a] })), 'handshake_failure'],
  ['no groups', clientExtensions(() => ({ supportedGroups: null })), 'missing_extension'],
  ['no key shares', clientExtensions(() => ({ keyShare: null })), 'missing_extension'],
  [
    'no signature algorithms',
    clientExtensions(() => ({ signatureAlgorithms: null })),
    'missing_extension',
  ],
  [
    'no group of ours',
    clientExtensions(() => ({ supportedGroups: [256, 257], keyShare: [] })),
    'handshake_failure',
  ],
  [
    'a share of a group not offered',
    clientExtensions(() => ({ supportedGroups: [SECP256R1] })),
    'illegal_parameter',
  ],
  [
    'two shares of a group',
    clientExtensions(({ keyShare }) => ({ keyShare: [keyShare![0]!, keyShare![0]!] })),
    'illegal_parameter',
  ],
  [
    'a share too short',
    clientExtensions(() => ({ keyShare: [share(X25519, 31)] })),
    'illegal_parameter',
  ],
  [
    'a share of zeros',
    clientExtensions(() => ({ keyShare: [share(X25519, 32)] })),
    'illegal_parameter',
  ],
  [
    'a point that is none',
    clientExtensions(() => ({ keyShare: [share(SECP256R1, 65)] })),
    'illegal_parameter',
    { client: { groups: ['secp256r1'] } },
  ],
  [
    'no scheme of ours',
    clientExtensions(() => ({ signatureAlgorithms: [0x0201, 0x0403 + 0x200] })),
    'handshake_failure',
  ],
  [
    'only a scheme that is for certificates',
    clientExtensions(() => ({ signatureAlgorithms: [0x0401] })),
    'handshake_failure',
  ],
  [
    'no protocol of ours',
    clientExtensions(() => ({ alpn: ['h3'] })),
    'no_application_protocol',
    { server: { alpn: ['h2'] } },
  ],
  ['an empty protocol', clientExtensions(() => ({ alpn: [''] })), 'decode_error'],
  [
    'a record size limit too small',
    clientExtensions(() => ({ recordSizeLimit: 63 })),
    'illegal_parameter',
  ],
  [
    'a fallback',
    clientHello(({ suites, extensions }) => ({
      suites: [...suites, 0x5600],
      extensions: clientHelloExtensions.of({ ...extensions, supportedVersions: [0x0303] }),
    })),
    'inappropriate_fallback',
  ],
  [
    'a second hello of another suite',
    secondly(clientHello(() => ({ suites: [0x1302] }))),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a second hello with one more extension',
    secondly(clientExtensions(() => ({ others: [OTHER] }))),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a second hello without shares',
    secondly(clientExtensions(() => ({ keyShare: [] }))),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a second hello with no key_share',
    secondly(clientExtensions(() => ({ keyShare: null }))),
    'missing_extension',
    RETRIED,
  ],
  [
    'a second hello with a share of another group',
    secondly(clientExtensions(() => ({ keyShare: [share(X25519, 32)] }))),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a second hello with two shares',
    secondly(clientExtensions(({ keyShare }) => ({ keyShare: [...keyShare!, share(X25519, 32)] }))),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a second hello with early data',
    secondly(clientExtensions(() => ({ earlyData: true }))),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a second hello that has another random',
    secondly(clientHello(() => ({ random: new Uint8Array(32) }))),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a second hello with compression',
    secondly(clientHello(() => ({ compressions: Uint8Array.of(1) }))),
    'illegal_parameter',
    RETRIED,
  ],
];

for (const [what, tamper, alert, options] of toServer) {
  test(`server › ${what} › ${alert}`, () => {
    const pair = runTampered(new TestPair(options), { toServer: tamper });
    assert.equal(pair.server.alert, `sent ${alert}`);
    assert.equal(pair.client.alert, `received ${alert}`);
    assert.equal(pair.server.session, null);
  });
}

/** What a client refuses in hellos. */
const toClient: readonly [what: string, tamper: Tamper, alert: string, options?: PairOptions][] = [
  [
    'another session id',
    serverHello(() => ({ sessionId: new Uint8Array(32) })),
    'illegal_parameter',
  ],
  ['no session id', serverHello(() => ({ sessionId: NOTHING })), 'illegal_parameter'],
  ['compression', serverHello(() => ({ compression: 1 })), 'illegal_parameter'],
  ['a suite not offered', serverHello(() => ({ suite: 0x1304 })), 'illegal_parameter'],
  ['a suite of TLS 1.2', serverHello(() => ({ suite: 0xc02b })), 'illegal_parameter'],
  ['TLS 1.3 in the old place', serverHello(() => ({ version: 0x0304 })), 'illegal_parameter'],
  ['a draft', serverExtensions({ supportedVersions: 0x7f1c }), 'illegal_parameter'],
  [
    'TLS 1.2 in the new place',
    serverExtensions({ supportedVersions: 0x0303 }),
    'illegal_parameter',
  ],
  ['no key share', serverExtensions({ keyShare: null }), 'missing_extension'],
  [
    'a share of another group',
    serverExtensions({ keyShare: share(SECP256R1, 65) }),
    'illegal_parameter',
  ],
  ['a share of zeros', serverExtensions({ keyShare: share(X25519, 32) }), 'illegal_parameter'],
  ['a key not offered', serverExtensions({ preSharedKey: 0 }), 'illegal_parameter'],
  [
    'an extension for another message',
    serverExtensions({ alpn: 'h2' }),
    'illegal_parameter',
    { client: { alpn: ['h2'] } },
  ],
  ['an extension nobody knows', serverExtensions({ others: [OTHER] }), 'unsupported_extension'],
  [
    'a mark of TLS 1.3 on TLS 1.2',
    serverHello(({ random }) => {
      const marked = random.slice();
      marked.set(Buffer.from('DOWNGRD\x01', 'latin1'), 24);
      const extensions = serverHelloExtensions.of({});
      return { random: marked, suite: 0xc02b, extensions };
    }),
    'illegal_parameter',
  ],
  [
    'TLS 1.1',
    serverHello(() => ({ version: 0x0302, extensions: serverHelloExtensions.of({}) })),
    'protocol_version',
  ],
  [
    'supported_versions that was not offered',
    serverExtensions({ supportedVersions: 0x0303, keyShare: null }),
    'unsupported_extension',
    { client: { versions: ['TLS 1.2'] } },
  ],
  [
    'a retry with the same group',
    retryExtensions({ keyShare: X25519 }),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a retry with an unknown group',
    retryExtensions({ keyShare: 256 }),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a retry that asks for nothing',
    retryExtensions({ keyShare: null }),
    'illegal_parameter',
    RETRIED,
  ],
  [
    'a retry without version',
    retryExtensions({ supportedVersions: null }),
    'missing_extension',
    RETRIED,
  ],
  [
    'a retry with something new',
    retryExtensions({ others: [OTHER] }),
    'unsupported_extension',
    RETRIED,
  ],
  [
    'a retry of a suite not offered',
    retry(() => ({ suite: 0x1304 })),
    'illegal_parameter',
    RETRIED,
  ],
  ['a retry, and another suite', retry(() => ({ suite: 0x1302 })), 'illegal_parameter', RETRIED],
];

for (const [what, tamper, alert, options] of toClient) {
  test(`client › ${what} › ${alert}`, () => {
    const pair = runTampered(new TestPair(options), { toClient: tamper });
    assert.equal(pair.client.alert, `sent ${alert}`);
    assert.equal(pair.client.session, null);
  });
}

test('client › a second retry › unexpected_message', () => {
  let first: Uint8Array | null = null;
  const pair = runTampered(new TestPair(RETRIED), {
    toClient(message) {
      first ??= message;
      return [first];
    },
  });
  assert.equal(pair.client.alert, 'sent unexpected_message');
});

test('client › a retry with a cookie › shows it again', () => {
  const cookie = Uint8Array.of(1, 2, 3);
  let shown: Uint8Array | null = null;
  runTampered(new TestPair(RETRIED), {
    toClient: retryExtensions({ cookie }),
    toServer: clientExtensions((extensions) => {
      shown = extensions.cookie?.slice() ?? null;
      return {};
    }),
  });
  assert.deepEqual(shown, cookie);
});

/** A client with a ticket. */
function withTicket(): PairOptions {
  const env = makeEnvironment();
  const tickets = new TicketKeys(nodeCrypto, entropy, env.timers.now);
  const options: PairOptions = {
    env,
    server: { tickets },
    client: { sessions: new SessionCache() },
  };
  openPair(options);
  return options;
}

const ofTickets: readonly [string, Tamper, string][] = [
  [
    'no key exchange modes',
    clientExtensions(() => ({ pskKeyExchangeModes: null })),
    'missing_extension',
  ],
  [
    'a wrong binder',
    (message) => {
      const changed = message.slice();
      changed[changed.length - 1]! ^= 1;
      return [changed];
    },
    'decrypt_error',
  ],
  [
    'a binder of another length',
    clientExtensions(({ preSharedKey }) => ({
      preSharedKey: { ...preSharedKey!, binders: [new Uint8Array(33)] },
    })),
    'decrypt_error',
  ],
  [
    'more binders than keys',
    clientExtensions(({ preSharedKey }) => ({
      preSharedKey: {
        ...preSharedKey!,
        binders: [...preSharedKey!.binders, ...preSharedKey!.binders],
      },
    })),
    'illegal_parameter',
  ],
  [
    'an extension after pre_shared_key',
    clientExtensions(() => ({ others: [OTHER] })),
    'illegal_parameter',
  ],
];

for (const [what, tamper, alert] of ofTickets) {
  test(`server › a ticket, ${what} › ${alert}`, () => {
    const pair = runTampered(new TestPair(withTicket()), { toServer: tamper });
    assert.equal(pair.server.alert, `sent ${alert}`);
  });
}

test('client › the server takes a key that was not offered › illegal_parameter', () => {
  const pair = runTampered(new TestPair(withTicket()), {
    toClient: serverExtensions({ preSharedKey: 1 }),
  });
  assert.equal(pair.client.alert, 'sent illegal_parameter');
});

test('server › psk_ke only › a full handshake', () => {
  const pair = runTampered(new TestPair(withTicket()), {
    toServer: clientExtensions(() => ({ pskKeyExchangeModes: Uint8Array.of(0) })),
  });
  // The hello was changed, so keys differ; the server chose certificates and saw no binder.
  assert.equal(pair.server.session, null);
  assert.equal(pair.client.alert, 'sent bad_record_mac');
});

test('both › unknown suites, groups, schemes, versions, extensions › are passed over', () => {
  const pair = runTampered(new TestPair(), {
    toServer: clientHello(({ suites, extensions }) => ({
      suites: [0x0a0a, ...suites],
      extensions: clientHelloExtensions.of(
        {
          ...extensions,
          supportedGroups: [0x1a1a, ...extensions.supportedGroups!],
          supportedVersions: [0x2a2a, ...extensions.supportedVersions!],
          signatureAlgorithms: [0x3a3a, ...extensions.signatureAlgorithms!],
          keyShare: [{ group: 0x1a1a, keyExchange: Uint8Array.of(0) }, ...extensions.keyShare!],
          pskKeyExchangeModes: Uint8Array.of(0x0b, 1),
          alpn: ['\x0a\x0a'],
        },
        [{ code: 0x4a4a, data: Uint8Array.of(0) }],
      ),
    })),
  });
  // Somebody changed the hello, so the keys differ; nothing in it was refused.
  assert.equal(pair.server.alert, 'sent bad_record_mac');
  assert.equal(pair.client.alert, 'sent bad_record_mac');
});

test('ClientHello › shares of very many groups › the list of groups is not searched for each', () => {
  const groups = Array.from({ length: 2_000 }, (_, i) => 0x2000 + i);
  let searches = 0;
  const includes = (group: number): boolean => {
    searches++;
    return Array.prototype.includes.call(groups, group);
  };
  const extensions = clientHelloExtensions.of({
    supportedGroups: Object.assign(groups.slice(), { includes }),
    keyShare: groups.slice(-1_000).map((group) => share(group, 1)),
  });
  const chosen = chooseGroup(serverConfig(), { extensions } as ClientHello);
  assert.ok('alert' in chosen && chosen.alert === 'handshake_failure');
  assert.ok(searches < 10, `${searches} searches`);
});

test('ServerHello › goes on with a ticket, by a suite of another hash › illegal_parameter', () => {
  const env = makeEnvironment();
  const tickets = new TicketKeys(nodeCrypto, entropy, env.timers.now);
  const options = { env, server: { tickets }, client: { sessions: new SessionCache() } };
  openPair(options);
  const pair = runTampered(new TestPair(options), {
    toClient: serverHello(() => ({ suite: 0x1302 })),
  });
  assert.equal(pair.client.alert, 'sent illegal_parameter');
});
