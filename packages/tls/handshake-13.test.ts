import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GroupName, PrivateKeyType } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import type { Credentials } from './config.ts';
import { SessionCache } from './session-cache.ts';
import {
  anchors,
  credentials,
  entropy,
  makeCredentials,
  makeEnvironment,
  NOW,
  openPair,
  type PairOptions,
  root,
  TestPair,
} from './test-session.ts';
import { TicketKeys } from './ticket-keys.ts';
import type { CipherSuiteName } from './wire/code-points.ts';

function exchange(options: PairOptions): TestPair {
  const pair = openPair(options);
  const { client, server } = pair;
  client.write('ping');
  server.write('pong');
  pair.run();
  assert.equal(server.takeText(), 'ping');
  assert.equal(client.takeText(), 'pong');
  return pair;
}

/** The same server and client again and again. */
function resumable(server: PairOptions['server'] = {}, client: PairOptions['client'] = {}) {
  const env = makeEnvironment();
  const tickets = new TicketKeys(nodeCrypto, entropy, env.timers.now);
  const sessions = new SessionCache();
  const options: PairOptions = {
    env,
    server: { tickets, ...server },
    client: { sessions, ...client },
  };
  return { env, tickets, sessions, options };
}

test('start › both ends meet › agree on the session, and data goes both ways', () => {
  const { client, server } = exchange({});
  const told = { peerScheme: null, peerChain: [] };
  assert.deepEqual({ ...client.session, ...told }, { ...server.session, ...told });
  assert.deepEqual(server.session, {
    version: 'TLS 1.3',
    suite: 'TLS_AES_128_GCM_SHA256',
    group: 'x25519',
    peerScheme: null,
    serverName: 'example.com',
    alpn: null,
    resumed: false,
    peerChain: [],
    ocsp: null,
  });
  assert.equal(client.session?.peerScheme, 'ecdsa_secp256r1_sha256');
  assert.deepEqual(client.session?.peerChain, credentials.chain);
});

const SUITES: CipherSuiteName[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];
const GROUPS: GroupName[] = ['x25519', 'secp256r1', 'secp384r1'];

for (const suite of SUITES) {
  for (const group of GROUPS) {
    test(`start › only ${suite} over ${group} › agreed on`, () => {
      const { client } = exchange({ server: { suites: [suite] }, client: { groups: [group] } });
      assert.equal(client.session?.suite, suite);
      assert.equal(client.session?.group, group);
    });
    test(`start › ${suite}, a server with ${group} only › asks for its share, agreed on`, () => {
      const { client } = exchange({ server: { suites: [suite], groups: [group] } });
      assert.equal(client.session?.group, group);
    });
  }
}

const KEYS: [PrivateKeyType, string][] = [
  ['P-256', 'ecdsa_secp256r1_sha256'],
  ['P-384', 'ecdsa_secp384r1_sha384'],
  ['Ed25519', 'ed25519'],
  ['RSA-2048', 'rsa_pss_rsae_sha256'],
];

for (const [type, scheme] of KEYS) {
  test(`start › both ends have a key ${type} › both sign with it`, () => {
    const theirs = makeCredentials(type);
    const { client, server } = exchange({
      server: { credentials: () => theirs, clientAuth: 'required', clientAnchors: anchors },
      client: { credentials: theirs },
    });
    assert.equal(client.session?.peerScheme, scheme);
    assert.equal(server.session?.peerScheme, scheme);
    assert.deepEqual(server.session?.peerChain, theirs.chain);
  });
}

test('start › a client without certificate, which is optional › is let in as nobody', () => {
  const { server } = exchange({ server: { clientAuth: 'optional', clientAnchors: anchors } });
  assert.deepEqual(server.session?.peerChain, []);
  assert.equal(server.session?.peerScheme, null);
});

test('start › a client whose key the server takes no signature of › is let in as nobody', () => {
  const { server } = exchange({
    server: {
      clientAuth: 'optional',
      clientAnchors: anchors,
      schemes: ['ecdsa_secp256r1_sha256'],
    },
    client: { credentials: makeCredentials('P-384') },
  });
  assert.deepEqual(server.session?.peerChain, []);
});

test('start › protocols of both › the first of the server that the client has', () => {
  const { client, server } = exchange({
    server: { alpn: ['h2', 'http/1.1'] },
    client: { alpn: ['spdy', 'http/1.1', 'h2'] },
  });
  assert.equal(client.session?.alpn, 'h2');
  assert.equal(server.session?.alpn, 'h2');
});

test('start › a client without protocols › none, and it goes on', () => {
  const { client } = exchange({ server: { alpn: ['h2'] } });
  assert.equal(client.session?.alpn, null);
});

test('start › a name, schemes and protocols › the server chooses its certificate by them', () => {
  const asked: unknown[] = [];
  exchange({
    server: {
      alpn: ['acme'],
      credentials(name, schemes, alpn) {
        asked.push(name, schemes, alpn);
        return credentials;
      },
    },
    client: { alpn: ['acme'], schemes: ['ecdsa_secp256r1_sha256', 'rsa_pkcs1_sha256'] },
  });
  const schemes = ['ecdsa_secp256r1_sha256', 'rsa_pkcs1_sha256'];
  assert.deepEqual(asked, ['example.com', schemes, ['acme']]);
});

test('start › an address as the name › is checked and not sent', () => {
  const { server } = exchange({ client: { serverName: '192.0.2.1' } });
  assert.equal(server.session?.serverName, null);
});

test('start › a stapled response › is passed on, as it is', () => {
  const stapled: Credentials = { ...credentials, ocsp: Uint8Array.of(48, 3, 10, 1, 0) };
  const { client } = exchange({ server: { credentials: () => stapled } });
  assert.deepEqual(client.session?.ocsp, stapled.ocsp);
});

test('start › a chain with an intermediate › is validated', () => {
  const validity = {
    notBefore: root.certificate.notBefore,
    notAfter: root.certificate.notAfter,
  };
  const middle = root.createIntermediate({ name: 'Middle', ...validity });
  const leaf = makeCredentials('P-256', ['serverAuth'], middle);
  const chain = [...leaf.chain, middle.certificate.raw];
  const { client } = exchange({ server: { credentials: () => ({ ...leaf, chain }) } });
  assert.equal(client.session?.peerChain.length, 2);
});

test('start › no compatibility with middleboxes › no session id, no change_cipher_spec', () => {
  const pair = new TestPair({ client: { middleboxCompatibility: false } });
  const seen: number[] = [];
  for (const end of [pair.client, pair.server]) {
    const { sendRecords } = end;
    end.sendRecords = (records) => {
      seen.push(records[0]!);
      sendRecords.call(end, records);
    };
  }
  pair.run();
  assert.ok(pair.server.session !== null);
  assert.ok(!seen.includes(20));
});

test('open › a second connection › resumes, without certificates, with new secrets', () => {
  const { options, sessions } = resumable();
  const first = exchange(options);
  assert.equal(first.client.session?.resumed, false);
  assert.equal(sessions.size, 2);
  const second = exchange(options);
  assert.equal(second.client.session?.resumed, true);
  assert.equal(second.server.session?.resumed, true);
  assert.equal(second.client.session?.peerScheme, null);
  // The one who was proven the first time.
  assert.deepEqual(second.client.session?.peerChain, credentials.chain);
  assert.equal(second.server.session?.serverName, 'example.com');
});

for (const suite of SUITES) {
  test(`open › a second connection with ${suite} that must ask again › resumes`, () => {
    const { options } = resumable({ suites: [suite], groups: ['secp384r1'] });
    exchange(options);
    const { client } = exchange(options);
    assert.equal(client.session?.resumed, true);
    assert.equal(client.session?.group, 'secp384r1');
  });
}

test('open › another hash than the ticket has › a full handshake', () => {
  const { env, options, tickets } = resumable();
  exchange(options);
  const server = { tickets, suites: ['TLS_AES_256_GCM_SHA384'] as const };
  const { client } = exchange({ ...options, env, server });
  assert.equal(client.session?.resumed, false);
});

test('open › another hash, and a share must be asked for › the ticket is dropped', () => {
  const { options, tickets } = resumable();
  exchange(options);
  const server: PairOptions['server'] = {
    tickets,
    suites: ['TLS_AES_256_GCM_SHA384'],
    groups: ['secp256r1'],
  };
  assert.equal(exchange({ ...options, server }).client.session?.resumed, false);
});

test('open › the ticket is too old for the client › a full handshake', () => {
  const { options, env } = resumable();
  exchange(options).pass(24 * 3_600);
  assert.equal(env.timers.now, 24 * 3_600e6);
  assert.equal(exchange(options).client.session?.resumed, false);
});

test('open › the ticket is as old as it may be › resumes; a second later it does not', () => {
  const lifetimeSeconds = 3_600;
  for (const [wait, resumed] of [
    [3_600, true],
    [3_601, false],
  ] as const) {
    const env = makeEnvironment();
    const tickets = new TicketKeys(nodeCrypto, entropy, env.timers.now, { lifetimeSeconds });
    const ticket = tickets.seal(Uint8Array.of(1, 2, 3), env.timers.now);
    const pair = new TestPair({ env });
    pair.pass(wait);
    const opened = tickets.open(ticket, env.timers.now);
    assert.deepEqual(opened, resumed ? Uint8Array.of(1, 2, 3) : null);
  }
});

test('open › the server has other keys › a full handshake', () => {
  const { options } = resumable();
  exchange(options);
  const other = resumable();
  const server = { tickets: other.tickets };
  assert.equal(exchange({ ...options, server }).client.session?.resumed, false);
});

test('open › another name asked for with the ticket › a full handshake', () => {
  const { options, sessions, env } = resumable();
  exchange({ ...options, client: { sessions, serverName: null } });
  const session = sessions.take('example.com 443', env.timers.now, NOW);
  assert.ok(session !== null);
  sessions.put('example.com 443', session);
  const { client } = exchange(options);
  assert.equal(client.session?.resumed, false);
});

test('open › a server that asks for certificates › gives no tickets and takes none', () => {
  const auth = { clientAuth: 'optional', clientAnchors: anchors } as const;
  const { options, sessions, tickets } = resumable(auth);
  exchange(options);
  assert.equal(sessions.size, 0);
  exchange({ ...options, server: { tickets } });
  assert.equal(sessions.size, 2);
  assert.equal(exchange(options).client.session?.resumed, false);
});

test('keys of tickets › rotation › old tickets stay good, until none can be', () => {
  const env = makeEnvironment();
  const pair = new TestPair({ env });
  const keys = new TicketKeys(nodeCrypto, entropy, env.timers.now, { lifetimeSeconds: 7_200 });
  const first = keys.seal(Uint8Array.of(7), env.timers.now);
  pair.pass(12 * 3_600);
  assert.equal(keys.open(first, env.timers.now), null);
  const second = keys.seal(Uint8Array.of(8), env.timers.now);
  assert.notDeepEqual(first.slice(0, 16), second.slice(0, 16));
  pair.pass(3_600);
  const third = keys.seal(Uint8Array.of(9), env.timers.now);
  assert.deepEqual(second.slice(0, 16), third.slice(0, 16));
  assert.deepEqual(keys.open(second, env.timers.now), Uint8Array.of(8));
  const damaged = second.slice();
  damaged[40]! ^= 1;
  assert.equal(keys.open(damaged, env.timers.now), null);
  assert.equal(keys.open(second.slice(0, 20), env.timers.now), null);
  keys.destroy();
  assert.equal(keys.open(second, env.timers.now), null);
});

test('session cache › one more than it keeps › the oldest goes', () => {
  const { sessions, options, env } = resumable();
  exchange(options);
  const session = sessions.take('example.com 443', env.timers.now, NOW)!;
  const cache = new SessionCache(4);
  for (const server of ['a', 'b', 'c', 'd']) {
    cache.put(server, { ...session, secret: session.secret.slice() });
  }
  assert.equal(cache.size, 4);
  cache.put('e', session);
  assert.equal(cache.size, 4);
  assert.equal(cache.take('a', env.timers.now, NOW), null);
  assert.ok(cache.take('b', env.timers.now, NOW) !== null);
  // Each is used once.
  assert.equal(cache.take('b', env.timers.now, NOW), null);
  cache.clear();
  assert.equal(cache.size, 0);
  assert.ok(session.secret.every((byte) => byte === 0));
});
