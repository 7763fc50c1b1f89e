import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPair } from './test-session.ts';

test('start › both ends meet › agree on the session, and data goes both ways', () => {
  const { client, server } = openPair();
  assert.equal(client.session?.version, 'TLS 1.3');
  assert.deepEqual(
    { ...client.session, peerScheme: null, peerChain: [] },
    { ...server.session, peerScheme: null, peerChain: [] },
  );
  assert.equal(client.session?.peerScheme, 'ecdsa_secp256r1_sha256');
});

test('open › data and close_notify, both ways › arrive, and it is over', () => {
  const pair = openPair();
  const { client, server } = pair;
  client.write('ping');
  server.write('pong');
  pair.run();
  assert.equal(server.takeText(), 'ping');
  assert.equal(client.takeText(), 'pong');
  client.engine.close();
  pair.run();
  assert.ok(server.isPeerClosed);
  server.write('last');
  server.engine.close();
  pair.run();
  assert.equal(client.takeText(), 'last');
  assert.ok(client.isPeerClosed && client.engine.isOver && server.engine.isOver);
});
