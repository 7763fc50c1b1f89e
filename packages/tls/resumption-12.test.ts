/** Resumption of TLS 1.2, and the extended master secret that it needs: RFC 5077, RFC 7627 §5. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionCache } from './session-cache.ts';
import {
  clientExtensions,
  clientHello,
  OLD,
  serverExtensions,
  serverHello,
  withoutMaster,
} from './test-hellos-12.ts';
import {
  anchors,
  entropy,
  makeEnvironment,
  openPair,
  type PairOptions,
  TestPair,
} from './test-session.ts';
import { runTampered } from './test-tamper.ts';
import { ServerSessions } from './ticket-12.ts';
import { TicketKeys } from './ticket-keys.ts';
import type { ServerHelloExtensions } from './wire/extensions.ts';
import type { ServerHello } from './wire/server-hello.ts';

test('hellos › changed on the way so that both go on › the keys differ, or Finished', () => {
  const name = new TestPair(OLD);
  runTampered(name, { toServer: clientExtensions({ serverName: null }) });
  assert.equal(name.server.alert, 'sent bad_record_mac');
  const master = runTampered(new TestPair(OLD), { toServer: withoutMaster });
  assert.equal(master.server.alert, 'sent decrypt_error');
});

test('extended_master_secret › the client has it not › goes on, and nothing is kept', () => {
  const env = makeEnvironment();
  const sessions = new ServerSessions(entropy);
  const tickets = new TicketKeys(env.crypto, entropy, env.timers.now);
  const kept = new SessionCache();
  const pair = new TestPair({
    env,
    server: { ...OLD.server, sessions, tickets },
    client: { sessions: kept },
  });
  // Both transcripts differ, so it ends with Finished: what counts is what was promised before.
  let hello: ServerHello | null = null;
  runTampered(pair, {
    toServer: withoutMaster,
    toClient: serverHello((given) => {
      hello = given;
      return {};
    }),
  });
  const { extensions, sessionId } = hello!;
  assert.equal((extensions as ServerHelloExtensions).extendedMasterSecret, null);
  assert.equal((extensions as ServerHelloExtensions).sessionTicket, null);
  assert.equal((sessionId as Uint8Array).length, 0);
  assert.equal(sessions.size + kept.size, 0);
});

for (const kind of ['ticket', 'identifier'] as const) {
  const resuming = (): { options: PairOptions; sessions: ServerSessions | null } => {
    const env = makeEnvironment();
    const tickets = kind === 'ticket' ? new TicketKeys(env.crypto, entropy, env.timers.now) : null;
    const sessions = kind === 'ticket' ? null : new ServerSessions(entropy);
    const server = { ...OLD.server, tickets, sessions };
    const options = { env, server, client: { sessions: new SessionCache() } };
    openPair(options);
    return { options, sessions };
  };

  test(`resumption by ${kind} › without extended_master_secret › handshake_failure`, () => {
    const pair = runTampered(new TestPair(resuming().options), { toServer: withoutMaster });
    assert.equal(pair.server.alert, 'sent handshake_failure');
    const { options } = resuming();
    const other = runTampered(new TestPair(options), {
      toClient: serverExtensions({ extendedMasterSecret: null }),
    });
    assert.equal(other.client.alert, 'sent handshake_failure');
  });

  test(`resumption by ${kind} › with another suite › illegal_parameter`, () => {
    const pair = runTampered(new TestPair(resuming().options), {
      toServer: clientHello(() => ({ suites: [0xc02c] })),
    });
    assert.equal(pair.server.alert, 'sent illegal_parameter');
    const other = runTampered(new TestPair(resuming().options), {
      toClient: serverHello(() => ({ suite: 0xc02c })),
    });
    assert.equal(other.client.alert, 'sent illegal_parameter');
  });

  test(`resumption by ${kind} › for another name › a full handshake`, () => {
    const { options } = resuming();
    const name = clientExtensions({ serverName: 'other.example' });
    const pair = runTampered(new TestPair(options), { toServer: name });
    // Not resumed: certificates came, and only the keys tell that the name was changed.
    assert.equal(pair.server.alert, 'sent bad_record_mac');
  });

  test(`resumption by ${kind} › too old › a full handshake`, () => {
    const { options } = resuming();
    const late = new TestPair(options);
    late.pass(8 * 86_400);
    assert.equal(late.run().client.session?.resumed, false);
  });
}

test('session by identifier › ended by an alert › not resumed (RFC 5246 §7.2.2)', () => {
  const sessions = new ServerSessions(entropy);
  const options = { server: { ...OLD.server, sessions }, client: { sessions: new SessionCache() } };
  const pair = openPair(options);
  assert.equal(sessions.size, 1);
  pair.server.engine.receive(Uint8Array.of(23, 3, 3, 0, 24, ...new Uint8Array(24)));
  assert.equal(pair.server.alert, 'sent bad_record_mac');
  assert.equal(sessions.size, 0);
  assert.equal(openPair(options).client.session?.resumed, false);
});

test('server sessions › one more than the bound › the oldest is forgotten', () => {
  const sessions = new ServerSessions(entropy, 2);
  const options = { server: { ...OLD.server, sessions } };
  for (let count = 1; count <= 3; count++) {
    openPair(options);
    assert.equal(sessions.size, Math.min(count, 2));
    sessions.checkInvariants();
  }
  sessions.clear();
  assert.equal(sessions.size, 0);
});

test('resumption › the server asks for certificates now › a full handshake, which has one', () => {
  for (const kind of ['ticket', 'identifier'] as const) {
    const env = makeEnvironment();
    const tickets = kind === 'ticket' ? new TicketKeys(env.crypto, entropy, env.timers.now) : null;
    const sessions = kind === 'ticket' ? null : new ServerSessions(entropy);
    const server = { ...OLD.server, tickets, sessions };
    const client = { sessions: new SessionCache() };
    openPair({ env, server, client });
    const strict = { ...server, clientAuth: 'required', clientAnchors: anchors } as const;
    const pair = new TestPair({ env, server: strict, client }).run();
    assert.equal(pair.server.alert, 'sent handshake_failure', kind);
    assert.equal(pair.server.session, null);
  }
});
