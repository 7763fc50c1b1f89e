/**
 * A handshake that is cut off after any byte, in every flight, and first bytes that are no TLS:
 * neither end believes anything, and the right alert is sent.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import type { TlsVersion } from './config.ts';
import { quickCrypto } from './test-quick-crypto.ts';
import { deliver, makeEnvironment, type TestEnd, TestPair } from './test-session.ts';
import { recordOf } from './test-tamper.ts';
import { PLAINTEXT_BYTES_MAX } from './wire/record.ts';

/** Always the same pair: both say the same bytes each time. */
const pairOf = (version: TlsVersion): TestPair => {
  const env = { ...makeEnvironment(quickCrypto), entropy: new SimRandom(5_246) };
  return new TestPair({ env, server: { versions: [version] } });
};

/** Carries `flights` whole flights, the client's first. */
function carry(pair: TestPair, flights: number): { to: TestEnd; flight: Uint8Array } {
  for (let i = 0; ; i++) {
    const [from, to] = i % 2 === 0 ? [pair.client, pair.server] : [pair.server, pair.client];
    const flight = from.takeSent();
    if (i === flights) return { to, flight };
    deliver(to, flight);
  }
}

/** Flights up to the one that completes the receiver's handshake. */
const cases: readonly [TlsVersion, flights: number][] = [
  ['TLS 1.3', 3],
  ['TLS 1.2', 4],
];

for (const [version, flights] of cases) {
  for (let before = 0; before < flights; before++) {
    test(`${version} › flight ${before + 1} is cut off after any byte › truncated`, () => {
      const { flight } = carry(pairOf(version), before);
      assert(flight.length > 40);
      for (let count = 0; count < flight.length; count++) {
        // A client says the same each time, so it takes the answer to another one; what comes later
        // depends on signatures.
        const pair = pairOf(version);
        const { to, flight: own } = before < 2 ? { to: pair.client, flight } : carry(pair, before);
        const end = before === 0 ? pair.server : to;
        if (count >= own.length) break;
        deliver(end, own.subarray(0, count));
        end.engine.receiveEnd();
        assert.equal(end.failure?.kind, 'truncated', `after ${count}`);
        assert.equal(end.session, null);
      }
    });
  }

  test(`${version} › every flight comes a byte at a time › the same handshake`, () => {
    const pair = pairOf(version);
    for (let i = 0; i < flights; i++) {
      const { to, flight } = carry(pair, i % 2 === 0 ? 0 : 1);
      for (const byte of flight) deliver(to, Uint8Array.of(byte));
      if (i % 2 === 0) deliver(pair.client, pair.server.takeSent());
    }
    pair.run();
    assert.equal(pair.client.session?.version, version);
    assert.equal(pair.server.session?.version, version);
  });
}

const text = (content: string): Uint8Array => new Uint8Array(Buffer.from(content, 'latin1'));

const SSL2_HELLO = Buffer.concat([
  Uint8Array.of(0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10),
  new Uint8Array(0x25),
]);
const SSL3_HELLO = Uint8Array.of(1, 0, 0, 41, 3, 0, ...new Uint8Array(33), 0, 2, 0, 5, 1, 0);
const OLD_HELLO = Uint8Array.of(1, 0, 0, 41, 3, 2, ...new Uint8Array(33), 0, 2, 0xc0, 0x2b, 1, 0);

const firsts: readonly [what: string, bytes: Uint8Array, alert: string][] = [
  ['HTTP', text('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 'unexpected_message'],
  ['SSH', text('SSH-2.0-OpenSSH_9.2\r\n'), 'unexpected_message'],
  ["SSL 2's hello", new Uint8Array(SSL2_HELLO), 'unexpected_message'],
  ["SSL 3's hello", recordOf(22, SSL3_HELLO, 0x0300), 'protocol_version'],
  ["TLS 1.1's hello", recordOf(22, OLD_HELLO, 0x0301), 'protocol_version'],
  ['a heartbeat', recordOf(24, Uint8Array.of(1, 0x40, 0)), 'unexpected_message'],
  ['zeros', new Uint8Array(64), 'unexpected_message'],
  ['data', recordOf(23, text('data')), 'unexpected_message'],
  ['change_cipher_spec', recordOf(20, Uint8Array.of(1)), 'unexpected_message'],
  ['another major version', recordOf(22, SSL3_HELLO, 0x0403), 'protocol_version'],
  [
    'a record of one byte too many',
    recordOf(22, new Uint8Array(PLAINTEXT_BYTES_MAX + 1)),
    'record_overflow',
  ],
  ['an empty record', recordOf(22, new Uint8Array(0)), 'unexpected_message'],
  ['a hello of 16 MB', recordOf(22, Uint8Array.of(1, 0xff, 0xff, 0xff)), 'decode_error'],
  ['an empty hello', recordOf(22, Uint8Array.of(1, 0, 0, 0)), 'decode_error'],
  ['Finished', recordOf(22, Uint8Array.of(20, 0, 0, 0)), 'unexpected_message'],
];

for (const [what, bytes, alert] of firsts) {
  test(`server › first comes: ${what} › ${alert}, fatal, in a record of its own`, () => {
    const { server } = pairOf('TLS 1.3');
    deliver(server, bytes);
    assert.equal(server.alert, `sent ${alert}`);
    const sent = server.takeSent();
    assert.deepEqual([...sent.subarray(0, 6)], [21, 3, 3, 0, 2, 2]);
    assert.equal(sent.length, 7);
    deliver(server, bytes);
    assert.equal(server.takeSent().length, 0);
  });
}
