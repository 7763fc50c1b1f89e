/**
 * 'tls.acme': a 'tls.server' whose certificate comes from an authority (packages/acme) when the
 * boot-time argument --acme names one. Until the first one is there, clients of HTTPS are refused
 * with unrecognized_name: docs/decisions has why. Read first: packages/acme/README.md.
 */

import {
  ACME_TLS_ALPN,
  AlpnAnswers,
  answerHttp01,
  type Certified,
  type ChallengeType,
  DEFAULT_LIMITS,
  HttpTransport,
  identifierOf,
  type KeepOptions,
  keepCertificate,
  Proofs,
} from '#acme';
import { fromBase64url, parseUrl } from '#acme/wire';
import { assert, err, ok, type Result, Timer } from '#core';
import { primitives } from '#crypto/platform';
import type { Stack } from '#device';
import type { TlsFlow } from '#tls';
import type { Connector, ConnectRequest } from '../run.ts';
import { ACME_ARGS, TLS_SERVER_ARGS } from '../standard-args.ts';
import { CredentialShelf } from './credential-shelf.ts';
import { makeTlsServer, tlsServerConnector } from './server-connector.ts';
import type { TlsServer } from './tls-server.ts';

/** What the arguments say. */
type Asked = Pick<
  KeepOptions,
  'directory' | 'email' | 'agreesToTerms' | 'externalAccount' | 'identifiers' | 'challenges'
>;

export const acmeConnector: Connector<'tls.acme'> = {
  args: { ...TLS_SERVER_ARGS, ...ACME_ARGS },
  async connect(request) {
    const { args, secure, log, inspection } = request;
    const asked = readArguments(args);
    if (!asked.ok) return { lacks: asked.error };
    if (asked.value === null) return tlsServerConnector.connect(request);
    if (secure === null) return { lacks: '--acme: whom to trust: build it with --ca=system' };
    const made = await makeTlsServer(request, null);
    if (!made.ok) return { lacks: made.error };
    const server = made.value;
    const proofs = new Proofs();
    answerProofs(server, proofs);
    const { machine, needs } = request;
    const stack = needs[0] as Stack;
    const connect = secure.http(stack.connect.bind(stack));
    const { timers, clock, entropy } = machine;
    const keeper = await keepCertificate({
      ...asked.value,
      crypto: primitives,
      entropy,
      clock,
      timers,
      log: log.source('acme'),
      transport: new HttpTransport(connect, timers),
      device: machine.blocks.find(({ name }) => name === args['acme-disk']) ?? null,
      responder: proofs,
      install: (certified) => install(server, certified),
    });
    if (!keeper.ok) return { lacks: keeper.error };
    const { value } = keeper;
    server.reload = async () => {
      timers.arm(new Timer(() => value.renewNow()), timers.now);
      return ok('another certificate is asked for');
    };
    inspection?.commands.inspector.section('acme', () => ({
      goodUntilMillis: value.goodUntil,
      ...value.counters,
    }));
    return server;
  },
};

/** RFC 8555 §7.3: one address, and nothing that a mailto URL gives a meaning. */
const MAILBOX = /^[^\s@,?&%]+@[^\s@,?&%]+$/;

/** Null: there is to be no ACME. */
function readArguments(args: ConnectRequest['args']): Result<Asked | null, string> {
  const text = (name: string): string => String(args[name]);
  const others = ['acme-names', 'acme-email', 'acme-eab-kid', 'acme-eab-key'];
  if (text('acme') === '') {
    const idle = others.find((name) => text(name) !== '');
    return idle === undefined ? ok(null) : err(`--${idle} needs --acme`);
  }
  const given = ['tls-certificate', 'tls-key'].find((name) => text(name) !== '');
  if (given !== undefined) return err(`--acme and --${given}: it is one or the other`);
  const directory = parseUrl(text('acme'));
  if (!directory.ok) return err(`--acme=${text('acme')}: expected an https:// URL`);
  const identifiers = namesOf(text('acme-names'));
  if (!identifiers.ok) return identifiers;
  const challenge = (['http-01', 'tls-alpn-01'] as const).find(
    (one) => one === text('acme-challenge'),
  );
  if (challenge === undefined) {
    return err(`--acme-challenge=${text('acme-challenge')}: expected http-01 or tls-alpn-01`);
  }
  if (challenge === 'http-01' && args['http-port'] === 0) {
    return err('--acme-challenge=http-01 needs --http-port, the port of plain HTTP');
  }
  const externalAccount = accountOf(text('acme-eab-kid'), text('acme-eab-key'));
  if (!externalAccount.ok) return externalAccount;
  const email = text('acme-email');
  if (email !== '' && !MAILBOX.test(email)) {
    return err(`--acme-email=${email}: expected an address`);
  }
  return ok({
    directory: directory.value,
    email: email === '' ? null : email,
    agreesToTerms: args['acme-agree-terms'] === true,
    externalAccount: externalAccount.value,
    identifiers: identifiers.value,
    challenges: [challenge] satisfies ChallengeType[],
  });
}

function namesOf(text: string): Result<KeepOptions['identifiers'], string> {
  if (text === '') return err('--acme needs --acme-names: what the certificate is for');
  const identifiers = new Map<string, KeepOptions['identifiers'][number]>();
  for (const name of text.split(',')) {
    const identifier = identifierOf(name);
    if (identifier === null) {
      return err(`--acme-names: '${name}' is neither a host name without wildcard nor an address`);
    }
    identifiers.set(identifier.value, identifier);
  }
  const { namesMax } = DEFAULT_LIMITS;
  if (identifiers.size > namesMax) return err(`--acme-names: more than ${namesMax} names`);
  return ok([...identifiers.values()]);
}

function accountOf(kid: string, key: string): Result<KeepOptions['externalAccount'], string> {
  if (kid === '' && key === '') return ok(null);
  if (kid === '' || key === '') return err('--acme-eab-kid and --acme-eab-key go together');
  const hmacKey = fromBase64url(key.replace(/=+$/, ''));
  return hmacKey === null ? err('--acme-eab-key is not base64url') : ok({ kid, hmacKey });
}

/** On the port of plain HTTP, and on those of HTTPS. */
function answerProofs(server: TlsServer, proofs: Proofs): void {
  server.answerInPlain = (exchange) => answerHttp01(proofs, exchange);
  const alpn = new AlpnAnswers(proofs, server.env);
  server.prefer((serverName, _schemes, offered) => alpn.answer(serverName, offered));
  // RFC 8737 §4: nothing is said after the handshake.
  server.protocols.set(ACME_TLS_ALPN, (flow: TlsFlow) => {
    flow.attach({ data() {}, drained() {}, end() {}, closed() {} });
    flow.shutdown();
  });
}

/** From the next handshake on. */
function install(server: TlsServer, { chain, key }: Certified): void {
  const blocks = [
    ...chain.map((bytes) => ({ label: 'CERTIFICATE', bytes })),
    { label: 'PRIVATE KEY', bytes: key.pkcs8() },
  ];
  const shelf = CredentialShelf.from([{ name: '--acme', blocks }], primitives);
  assert(shelf.ok, 'a certificate that was checked');
  server.replaceShelf(shelf.value);
}
