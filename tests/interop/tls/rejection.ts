/**
 * Handshakes that must fail because of the other end's certificate: no byte of application data
 * reaches whoever has no good one, and the alert says why. A client of TLS 1.3 may believe that
 * its handshake succeeded before the alert comes (RFC 8446 §E.1.2): bytes are what counts.
 */

import assert from 'node:assert/strict';
import { type Certificates, SERVER_NAME, SPOILED, type Spoiled } from './certificates.ts';
import {
  type ClientOutcome,
  type ClientSettings,
  ECHO,
  type Party,
  type ServerSettings,
  type Serving,
  type Version,
} from './party.ts';

export const REASONS = ['none', ...SPOILED] as const;
export type Reason = (typeof REASONS)[number];

const HANDSHAKE_FAILURE = 40;
const BAD_CERTIFICATE = 42;
const UNSUPPORTED_CERTIFICATE = 43;
const CERTIFICATE_EXPIRED = 45;
const CERTIFICATE_UNKNOWN = 46;
const UNKNOWN_CA = 48;
const DECODE_ERROR = 50;
const DECRYPT_ERROR = 51;
const CERTIFICATE_REQUIRED = 116;

/** "Some other issue", RFC 8446 §6.2, may be said of all that has no alert of its own. */
const SOME_ISSUE = [BAD_CERTIFICATE, CERTIFICATE_UNKNOWN];

/** The alerts that fit, RFC 8446 §6.2 and RFC 5246 §7.2.2. */
const ALERTS: Readonly<Record<Reason, readonly number[]>> = {
  none: [CERTIFICATE_REQUIRED],
  'self-signed': [UNKNOWN_CA],
  expired: [CERTIFICATE_EXPIRED],
  'not yet valid': [CERTIFICATE_EXPIRED, BAD_CERTIFICATE],
  'wrong extended key usage': [UNSUPPORTED_CERTIFICATE, ...SOME_ISSUE],
  'CA:true leaf': [UNSUPPORTED_CERTIFICATE, ...SOME_ISSUE],
  'wrong key': [DECRYPT_ERROR],
  'missing link': [UNKNOWN_CA],
  'wrong anchor': [UNKNOWN_CA, BAD_CERTIFICATE],
  'name constraint violated': SOME_ISSUE,
  'malformed DER': [...SOME_ISSUE, DECODE_ERROR],
  'BER boolean': [...SOME_ISSUE, DECODE_ERROR],
};

export const alertsOf = (reason: Reason, version: Version): readonly number[] =>
  reason === 'none' && version === '1.2' ? [HANDSHAKE_FAILURE] : ALERTS[reason];

/** What is wrong with what came out; null when nothing is. */
export type Verdict = string | null;

const common = (made: Certificates, version: Version) => ({
  versions: [version],
  suites: null,
  groups: null,
  alpn: [],
  anchors: made.anchors,
  recordBytes: null,
});

export const strictServer = (made: Certificates): ServerSettings => ({
  ...common(made, '1.3'),
  versions: ['1.2', '1.3'],
  credentials: [made.good('server', 'p256')],
  clientAuth: 'required',
  resumption: 'tickets',
});

/** The server requires a certificate; the client's is spoiled, or there is none. */
export async function refusesClient(
  serving: Serving,
  client: Party,
  version: Version,
  reason: Reason,
  made: Certificates,
): Promise<Verdict> {
  const credential = reason === 'none' ? null : made.spoiled('client', reason);
  const settings: ClientSettings = {
    ...common(made, version),
    serverName: SERVER_NAME,
    schemes: null,
    credential,
    verify: true,
  };
  const before = serving.outcomes().length;
  const outcome = await client.connect(serving.port, settings, ECHO);
  await serving.told(before + 1);
  const served = serving.outcomes().slice(before);
  return verdict(outcome, () => {
    assert.equal(outcome.received.length, 0, 'application bytes reached the client');
    assert.equal(served.length, 1);
    assert.equal(served[0]!.established, false, 'the server thinks that all is well');
    checkAlert(reason, version, outcome.alertIn ?? served[0]!.alertOut);
    if (version === '1.2') assert.equal(outcome.established, false);
  });
}

/** The client verifies; the server's certificate is spoiled. */
export async function refusesServer(
  server: Party,
  client: Party,
  version: Version,
  reason: Spoiled,
  made: Certificates,
): Promise<Verdict> {
  const serving = await server.serve({
    ...strictServer(made),
    versions: [version],
    credentials: [made.spoiled('server', reason)],
    clientAuth: 'none',
  });
  const settings: ClientSettings = {
    ...common(made, version),
    serverName: SERVER_NAME,
    schemes: null,
    credential: null,
    verify: true,
  };
  const outcome = await client.connect(serving.port, settings, ECHO);
  await serving.told(1);
  await serving.stop();
  const served = serving.outcomes();
  return verdict(outcome, () => {
    assert.equal(outcome.established, false, 'the client thinks that all is well');
    assert.equal(outcome.received.length, 0, 'application bytes reached the client');
    assert.equal(serving.received()?.length ?? 0, 0, 'application bytes reached the server');
    assert.equal(served.length, 1);
    checkAlert(reason, version, served[0]!.alertIn ?? outcome.alertOut);
  });
}

function checkAlert(reason: Reason, version: Version, alert: number | null): void {
  const fitting = alertsOf(reason, version);
  if (alert !== null && fitting.includes(alert)) return;
  assert.fail(`alert ${alert}, not ${fitting.join(' or ')}`);
}

function verdict(outcome: ClientOutcome, check: () => void): Verdict {
  try {
    check();
    return null;
  } catch (error) {
    return `${(error as Error).message}\n${outcome.words}`;
  }
}
