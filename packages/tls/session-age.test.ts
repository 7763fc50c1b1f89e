/** How long a client believes a server by what was proved once: RFC 8446 §4.6.1. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wallTimeOfMillis } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { TICKET_LIFETIME_SECONDS_MAX } from './limits.ts';
import { SessionCache } from './session-cache.ts';
import {
  entropy,
  makeEnvironment,
  NOW,
  openPair,
  type PairOptions,
  root,
  TestPair,
  VALIDITY,
} from './test-session.ts';
import { ServerSessions } from './ticket-12.ts';
import { TicketKeys } from './ticket-keys.ts';

const HOUR_SECONDS = 3_600;
const KINDS = ['a ticket of TLS 1.3', 'a ticket of TLS 1.2', 'an identifier of TLS 1.2'] as const;

/** The same client and server again and again; the server's certificate lasts `hours`. */
function resuming(kind: (typeof KINDS)[number], hours: number): PairOptions {
  const env = makeEnvironment();
  const key = nodeCrypto.generatePrivateKey('P-256', entropy);
  const notAfter = wallTimeOfMillis(NOW + hours * HOUR_SECONDS * 1_000);
  const names = ['example.com'];
  const purposes = ['serverAuth'] as const;
  const leaf = root.issue({ ...VALIDITY, names, spki: key.spki, purposes, notAfter });
  const isById = kind === 'an identifier of TLS 1.2';
  return {
    env,
    server: {
      versions: [kind === 'a ticket of TLS 1.3' ? 'TLS 1.3' : 'TLS 1.2'],
      credentials: () => ({ chain: [leaf], key }),
      tickets: isById ? null : new TicketKeys(nodeCrypto, entropy, env.timers.now),
      sessions: isById ? new ServerSessions(entropy) : null,
    },
    client: { sessions: new SessionCache() },
  };
}

for (const kind of KINDS) {
  test(`${kind} › the certificate has meanwhile expired › not resumed, and refused`, () => {
    const options = resuming(kind, 0.5);
    const isResumed = (pair: TestPair) => pair.client.session?.resumed;
    assert.equal(isResumed(openPair(options)), false);
    const later = openPair(options);
    assert.equal(isResumed(later), true);
    later.pass(0.5 * HOUR_SECONDS + 1);
    const late = new TestPair(options).run();
    assert.equal(late.client.alert, 'sent certificate_expired');
    assert.equal(late.server.session, null);
  });
}

test('resumed again and again › the server proves itself anew once a week', () => {
  const options = resuming('a ticket of TLS 1.3', 1_000);
  let full = 0;
  for (let hour = 0; hour <= TICKET_LIFETIME_SECONDS_MAX / HOUR_SECONDS + 12; hour += 12) {
    const pair = openPair(options);
    if (pair.client.session?.resumed === false) full++;
    pair.pass(12 * HOUR_SECONDS);
  }
  assert.equal(full, 2);
});
