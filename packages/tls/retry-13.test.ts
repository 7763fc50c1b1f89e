/** What a client expects of a server_hello that comes after a HelloRetryRequest. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PairOptions, TestPair } from './test-session.ts';
import { changing, runTampered, type Tamper } from './test-tamper.ts';
import { TLS_1_2, TLS_1_3 } from './wire/code-points.ts';
import { serverHelloExtensions } from './wire/extensions.ts';
import { handshakeType } from './wire/handshake.ts';
import { emitServerHello, parseServerHello, type ServerHello } from './wire/server-hello.ts';

/** Without change_cipher_spec, which would end the tampering. */
const RETRIED = {
  client: { groups: ['x25519', 'secp256r1'], middleboxCompatibility: false },
  server: { groups: ['secp256r1'] },
} as const satisfies PairOptions;

/** Changes the hello, not the retry before it. */
const secondHello = (change: (hello: ServerHello) => Partial<ServerHello>): Tamper =>
  changing(handshakeType.server_hello, parseServerHello, emitServerHello, (hello) =>
    hello.kind === 'hello' ? { ...hello, ...change(hello) } : hello,
  );

const secondVersion = (supportedVersions: number | null): Tamper =>
  secondHello(({ extensions }) => ({
    extensions: serverHelloExtensions.of({ ...extensions, supportedVersions }),
  }));

test('retry › the hello is of the same version › goes on', () => {
  const pair = runTampered(new TestPair(RETRIED), { toClient: secondVersion(TLS_1_3) });
  assert.equal(pair.client.session?.group, 'secp256r1');
});

// RFC 8446 §4.1.4.
for (const [what, tamper] of [
  ['says no version', secondVersion(null)],
  ['is of TLS 1.2', secondVersion(TLS_1_2)],
  ['is of a version that nobody knows', secondVersion(0x1234)],
  ['has another legacy_version', secondHello(() => ({ version: 0x0305 }))],
] as const) {
  test(`retry › the hello ${what} › illegal_parameter`, () => {
    const { client } = runTampered(new TestPair(RETRIED), { toClient: tamper });
    assert.equal(client.session, null);
    assert.equal(client.alert, 'sent illegal_parameter');
  });
}
