import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, Log, seconds } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import type { TlsFlow } from '#tls';
import { pemDecode } from '#x509';
import { FakeFlow } from '../../http/test-flow.ts';
import { CredentialShelf } from './credential-shelf.ts';
import { HANDSHAKES_MAX, KEYS_KEPT } from './limits.ts';
import { makeEnvironment, makePair, type TestPair } from './test-certificates.ts';
import { TlsServer } from './tls-server.ts';

const a = makePair(['a.example']);
const b = makePair(['b.example']);

function shelfOf(pair: TestPair): CredentialShelf {
  const decoded = pemDecode(pair.certificate + pair.key);
  assert.ok(decoded.ok);
  const shelf = CredentialShelf.from([{ name: 'x', blocks: decoded.value }], nodeCrypto);
  assert.ok(shelf.ok);
  return shelf.value;
}

function bench(shelf = shelfOf(a)) {
  const env = makeEnvironment();
  const log = new Log(() => {}, 'off').source('tls');
  const none = { clientAuth: 'none', clientAnchors: null } as const;
  const server = new TlsServer({ env, log, shelf, ...none });
  const opened: TlsFlow[] = [];
  const accept = (gate = server.gate()): FakeFlow => {
    const flow = new FakeFlow();
    gate.accept(flow, (session) => opened.push(session));
    return flow;
  };
  const pass = (count: number): void => void env.timers.run(after(env.timers.now, seconds(count)));
  return { env, server, opened, accept, pass };
}

test('handshakes in progress › at the bound and one past it › the oldest is broken off', () => {
  const { server, accept } = bench();
  const gate = server.gate({ handshakesMax: 3 });
  const flows = [1, 2, 3].map(() => accept(gate));
  gate.checkInvariants();
  assert.deepEqual(
    flows.map(({ isAborted }) => isAborted),
    [false, false, false],
  );
  accept(gate);
  gate.checkInvariants();
  assert.deepEqual(
    flows.map(({ isAborted }) => isAborted),
    [true, false, false],
  );
  assert.equal(gate.handshakes, 3);
  const { handshakesEvicted, handshakesFailed } = server.counts;
  assert.deepEqual([handshakesEvicted, handshakesFailed], [1, 1]);
});

test('as many as a port may have › refused none', () => {
  const { server, accept } = bench();
  const gate = server.gate();
  const flows = Array.from({ length: HANDSHAKES_MAX }, () => accept(gate));
  assert.ok(flows.every(({ isAborted }) => !isAborted));
  assert.equal(server.counts.handshakesEvicted, 0);
});

test('a handshake that fails › counted by how', () => {
  const { server, accept, pass, opened } = bench();
  const gate = server.gate();
  accept(gate).send('GET / HTTP/1.1\r\n\r\n');
  accept(gate).close('reset');
  accept(gate);
  pass(11);
  assert.equal(gate.handshakes, 0);
  assert.equal(opened.length, 0);
  const { handshakesFailed, handshakesTimedOut, handshakesCut } = server.counts;
  assert.deepEqual([handshakesFailed, handshakesTimedOut, handshakesCut], [3, 1, 1]);
  const sent = Object.values(server.snapshot().alertsSent);
  assert.deepEqual(sent, [1]);
});

test('certificates that are replaced › told at once; the keys before go later', () => {
  const before = shelfOf(a);
  const { server, pass } = bench(before);
  assert.equal(server.firstName, 'a.example');
  server.replaceShelf(shelfOf(b));
  assert.equal(server.firstName, 'b.example');
  assert.deepEqual(server.snapshot().certificates[0]!.names, ['b.example']);
  const { key } = before.all[0]!;
  pass(KEYS_KEPT / 1e6 - 1);
  assert.ok(key.pkcs8().length > 0, 'a handshake may still sign with it');
  pass(2);
  assert.throws(() => key.pkcs8());
});
