/** A whole handshake of TLS 1.2 between our own ends, in each way that it can go. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { AES_GCM_RECORDS_MAX, RENEGOTIATIONS_REFUSED_MAX, SEALED_AT_ONCE_BYTES } from './limits.ts';
import { Protection12 } from './record/protection-12.ts';
import { SessionCache } from './session-cache.ts';
import {
  anchors,
  deliver,
  entropy,
  makeCredentials,
  makeEnvironment,
  openPair,
  type PairOptions,
  TestPair,
} from './test-session.ts';
import { ServerSessions } from './ticket-12.ts';
import { TicketKeys } from './ticket-keys.ts';
import type { CipherSuiteName } from './wire/code-points.ts';

const rsa = makeCredentials('RSA-2048');
const p384 = makeCredentials('P-384');
const ecdsa = makeCredentials('P-256');
const ed25519 = makeCredentials('Ed25519');

/** Options of a pair whose server speaks TLS 1.2 only. */
const old = (options: PairOptions = {}): PairOptions => ({
  ...options,
  server: { versions: ['TLS 1.2'], ...options.server },
});

const suites: readonly [CipherSuiteName, typeof rsa][] = [
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', ecdsa],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', p384],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', ed25519],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', rsa],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', rsa],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', rsa],
];

for (const [suite, credentials] of suites) {
  test(`start › ${suite} › both agree, data goes both ways`, () => {
    const server = { suites: [suite], credentials: () => credentials };
    const pair = openPair(old({ server }));
    const { client, server: end } = pair;
    assert.equal(client.session?.version, 'TLS 1.2');
    assert.equal(client.session?.suite, suite);
    assert.deepEqual(client.session?.peerChain, credentials.chain);
    assert.deepEqual(
      { ...client.session, peerScheme: null, peerChain: [] },
      { ...end.session, peerScheme: null, peerChain: [] },
    );
    for (const text of ['', 'ping', 'x'.repeat(40_000)]) {
      client.write(text);
      end.write(text);
      pair.run();
      assert.equal(end.takeText(), text);
      assert.equal(client.takeText(), text);
    }
  });
}

for (const group of ['x25519', 'secp256r1', 'secp384r1'] as const) {
  test(`start › ${group} is all that the server has › it is used`, () => {
    const { client } = openPair(old({ server: { groups: [group] } }));
    assert.equal(client.session?.group, group);
  });
}

test('start › neither end has TLS 1.3 › TLS 1.2', () => {
  const { server } = openPair(old({ client: { versions: ['TLS 1.2'] } }));
  assert.equal(server.session?.version, 'TLS 1.2');
});

for (const clientAuth of ['optional', 'required'] as const) {
  for (const credentials of [rsa, p384, ed25519]) {
    test(`certificate › ${clientAuth}, the client has ${credentials.key.type} › shown`, () => {
      const { server } = openPair(
        old({ server: { clientAuth, clientAnchors: anchors }, client: { credentials } }),
      );
      assert.deepEqual(server.session?.peerChain, credentials.chain);
      assert.notEqual(server.session?.peerScheme, null);
    });
  }
}

test('certificate › optional, the client has none › goes on', () => {
  const { server } = openPair(old({ server: { clientAuth: 'optional', clientAnchors: anchors } }));
  assert.deepEqual(server.session?.peerChain, []);
});

test('certificate › required, the client has none › handshake_failure', () => {
  const server = { clientAuth: 'required', clientAnchors: anchors } as const;
  const pair = new TestPair(old({ server })).run();
  assert.equal(pair.server.alert, 'sent handshake_failure');
  assert.equal(pair.client.alert, 'received handshake_failure');
  assert.equal(pair.server.session, null);
});

test('certificate › with an OCSP response that the client asks for › passed on', () => {
  const stapled = { ...ecdsa, ocsp: Uint8Array.of(1, 2, 3) };
  const { client } = openPair(old({ server: { credentials: () => stapled } }));
  assert.deepEqual(client.session?.ocsp, stapled.ocsp);
});

test('start › both have a protocol in common › agreed; else no_application_protocol', () => {
  const server = { alpn: ['h2', 'http/1.1'] };
  const pair = openPair(old({ server, client: { alpn: ['http/1.1'] } }));
  assert.equal(pair.client.session?.alpn, 'http/1.1');
  const none = new TestPair(old({ server, client: { alpn: ['spdy'] } })).run();
  assert.equal(none.client.alert, 'received no_application_protocol');
});

for (const kind of ['ticket', 'identifier'] as const) {
  test(`session › kept by ${kind} › resumed twice, without certificates`, () => {
    const env = makeEnvironment();
    const server =
      kind === 'ticket'
        ? { tickets: new TicketKeys(env.crypto, entropy, env.timers.now) }
        : { sessions: new ServerSessions(entropy) };
    const options = old({ env, server, client: { sessions: new SessionCache() } });
    const first = openPair(options);
    assert.equal(first.client.session?.resumed, false);
    for (let again = 0; again < 2; again++) {
      const { client, server: end } = openPair(options);
      assert.equal(client.session?.resumed, true);
      assert.equal(end.session?.resumed, true);
      assert.equal(client.session?.group, null);
      assert.deepEqual(client.session?.peerChain, first.client.session?.peerChain);
    }
  });
}

test('open › either side wants to renegotiate › a warning, and it goes on', () => {
  const pair = openPair(old());
  const { client, server } = pair;
  client.engine.sendMessage(Uint8Array.of(1, 0, 0, 0));
  client.engine.flush();
  server.engine.sendMessage(Uint8Array.of(0, 0, 0, 0));
  server.engine.flush();
  client.write('ping');
  server.write('pong');
  pair.run();
  assert.equal(server.takeText(), 'ping');
  assert.equal(client.takeText(), 'pong');
});

test('open › renegotiation is asked for once more than may be › unexpected_message', () => {
  const { server, client } = openPair(old());
  const requests = Array.from({ length: RENEGOTIATIONS_REFUSED_MAX }, () => [1, 0, 0, 0]);
  client.engine.sendMessage(Uint8Array.from(requests.flat()));
  client.engine.flush();
  deliver(server, client.takeSent());
  assert.equal(server.alert, null);
  client.engine.sendMessage(Uint8Array.of(1, 0, 0, 0));
  client.engine.flush();
  deliver(server, client.takeSent());
  assert.equal(server.alert, 'sent unexpected_message');
});

test('open › a key is used up › internal_error, and nothing more under it', () => {
  const { client } = openPair(old());
  const key = nodeCrypto.aead('AES-128-GCM', new Uint8Array(16));
  const protection = new Protection12(key, new Uint8Array(4));
  protection.records = AES_GCM_RECORDS_MAX - 1;
  client.engine.writer.setProtection(protection);
  client.write('the last');
  assert.equal(client.alert, null);
  client.write('one more');
  assert.equal(client.alert, 'sent internal_error');
});

test('open › 2^32 records of ChaCha20-Poly1305 › internal_error before a nonce comes again', () => {
  for (const what of ['data', 'refused renegotiations'] as const) {
    const { client, server } = openPair(
      old({ server: { suites: ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256'] } }),
    );
    const key = nodeCrypto.aead('CHACHA20-POLY1305', new Uint8Array(32));
    const protection = new Protection12(key, new Uint8Array(12));
    protection.records = 0xffff_fffe;
    server.engine.writer.setProtection(protection);
    server.engine.writer.contentBytesMax = 64;
    if (what === 'data') server.write(new Uint8Array(SEALED_AT_ONCE_BYTES));
    for (let i = 0; i < 4 && what !== 'data'; i++) {
      client.engine.sendMessage(Uint8Array.of(1, 0, 0, 0));
      client.engine.flush();
      deliver(server, client.takeSent());
    }
    assert.ok(protection.records <= 0xffff_ffff, `${what}: ${protection.records}`);
    assert.equal(server.alert, 'sent internal_error');
  }
});
