/**
 * Our ACME client and Pebble, over our own HTTP and TLS on the loopback of this machine: both kinds
 * of proof, renewal, revocation, another account key, accounts bound to others, and nonces of which
 * a good part is refused.
 */

import assert from 'node:assert/strict';
import { randomFillSync, X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import {
  ACME_TLS_ALPN,
  AcmeSession,
  AlpnAnswers,
  answerHttp01,
  type CertificateKeeper,
  type Certified,
  type ChallengeType,
  DEFAULT_LIMITS,
  type Failure,
  formatAcmeError,
  HttpTransport,
  identifierOf,
  keepCertificate,
  type Procedure,
  Proofs,
  RevocationProcedure,
  RolloverProcedure,
  runProcedure,
} from '#acme';
import { parseUrl } from '#acme/wire';
import { err, Log, millis, ok, wallTimeOfMillis } from '#core';
import type { Listener, PrivateKey, Stack } from '#device';
import { HttpServer } from '#http';
import { nodeCrypto } from '#targets/node/crypto';
import { acceptTls, connectTls, tlsClientConfig, tlsServerConfig } from '#tls';
import {
  CertificateAuthority,
  parseCertificate,
  pemEncode,
  TrustAnchors,
  validatePath,
} from '#x509';
import { HostStack } from '../../targets/node/host-stack.ts';
import { NodeLoop } from '../../targets/node/loop.ts';
import { freePort } from '../cli/cli.ts';
import { address, TestDnsServer } from '../helpers/dns-server.ts';
import { noPebble, Pebble } from '../helpers/pebble.ts';

const NAMES = ['site.example', 'www.site.example'];
const HOST = '127.0.0.1';

const loop = new NodeLoop();
const { timers } = loop;
const stack = new HostStack(loop);
const entropy = { fill: (out: Uint8Array) => void randomFillSync(out) };
const clock = { wall: () => wallTimeOfMillis(Date.now()) };
const env = { crypto: nodeCrypto, entropy, clock, timers };
const proofs = new Proofs();
const alpn = new AlpnAnswers(proofs, env);
const lines: string[] = [];
const log = new Log((line) => lines.push(line), 'debug').source('acme');

let httpPort = 0;
let tlsPort = 0;
let dns: TestDnsServer;
let pebble: Pebble;
/** What port 443 serves. */
let serving: Certified | null = null;
const keepers: CertificateKeeper[] = [];
const listeners: Listener[] = [];

async function listen(port: number, accept: Parameters<Stack['listen']>[1]): Promise<void> {
  const listening = await stack.listen(port, accept);
  assert.ok(listening.ok);
  listeners.push(listening.value);
}

/** Port 80, and port 443 with an echo behind it. */
async function serve(): Promise<void> {
  const handler = {
    answer: () => null,
    request: (exchange: Parameters<typeof answerHttp01>[1]) => {
      if (!answerHttp01(proofs, exchange)) exchange.respond(404, [], new Uint8Array(0));
    },
  };
  const server = new HttpServer({ handler, timers, clock, log });
  await listen(httpPort, (flow) => server.accept(flow));
  const config = tlsServerConfig({
    alpn: ['http/1.1', ACME_TLS_ALPN],
    credentials: (name, _schemes, offered) => alpn.answer(name, offered) ?? serving,
  });
  await listen(tlsPort, (flow) =>
    acceptTls(flow, config, env, (opened) => {
      if (!opened.ok) return;
      const { value } = opened;
      const isAcme = value.session.alpn === ACME_TLS_ALPN;
      value.attach({
        data: (bytes) => value.write(bytes.slice()),
        drained() {},
        end: () => value.shutdown(),
        closed() {},
      });
      if (isAcme) value.shutdown();
    }),
  );
}

type Authority = Pick<Pebble, 'directory' | 'httpsRoot'>;

/** Opens TLS with `authority`'s own certificate checked. */
function connectTo(authority: Authority): Stack['connect'] {
  const anchors = TrustAnchors.fromPem(authority.httpsRoot);
  assert.ok(anchors.ok);
  return (host, port, opened) =>
    stack.connect(host, port, (connected) => {
      if (!connected.ok) return opened(connected);
      const config = tlsClientConfig({ serverName: host, anchors: anchors.value });
      connectTls(connected.value, config, env, (result) =>
        opened(result.ok ? ok(result.value) : err({ kind: 'refused' })),
      );
    });
}

function directoryOf(authority: Authority) {
  const url = parseUrl(authority.directory);
  assert.ok(url.ok);
  return url.value;
}

const optionsFor = (authority: Authority) => ({
  ...env,
  limits: DEFAULT_LIMITS,
  directory: directoryOf(authority),
  email: 'admin@site.example',
  agreesToTerms: true,
  externalAccount: null,
});

/** What `settled` gives within so many seconds. */
function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  const limit = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(lines.join('\n'))), seconds * 1_000).unref();
  });
  return Promise.race([work, limit]);
}

/** Keeps a certificate; each one that is installed, in turn. */
async function keep(names: readonly string[], challenges: readonly ChallengeType[]) {
  const waiting: ((certified: Certified) => void)[] = [];
  const kept = await keepCertificate({
    ...optionsFor(pebble),
    transport: new HttpTransport(connectTo(pebble), timers),
    device: null,
    limits: { pollFirst: millis(100) },
    log,
    identifiers: names.map((name) => identifierOf(name)!),
    challenges,
    responder: proofs,
    install(certified) {
      serving = certified;
      waiting.shift()?.(certified);
    },
  });
  assert.ok(kept.ok);
  keepers.push(kept.value);
  loop.turn(() => {});
  const next = () => within(60, new Promise<Certified>((resolve) => waiting.push(resolve)));
  return { keeper: kept.value, next };
}

async function pathOf({ chain }: Certified, name: string) {
  const anchors = TrustAnchors.fromPem(await pebble.root());
  assert.ok(anchors.ok);
  const at = clock.wall();
  const crypto = nodeCrypto;
  return validatePath({ crypto, chain, anchors: anchors.value, at, purpose: 'serverAuth', name });
}

function sessionWith(authority: Authority, accountKey: PrivateKey, more = {}): AcmeSession {
  return new AcmeSession({ ...optionsFor(authority), accountKey, ...more });
}

function run(authority: Authority, session: AcmeSession, procedure: Procedure) {
  const transport = new HttpTransport(connectTo(authority), timers);
  const done = new Promise<Failure | null>((resolve) => {
    loop.turn(() => runProcedure(session, procedure, transport, timers, resolve));
  });
  return within(60, done);
}

const succeed = async (...args: Parameters<typeof run>): Promise<void> => {
  const failure = await run(...args);
  assert.equal(failure, null, failure === null ? '' : formatAcmeError(failure.error));
};

const newKey = () => nodeCrypto.generatePrivateKey('P-256', entropy);
const serialOf = ({ chain }: Certified) => new X509Certificate(chain[0]!).serialNumber;

/** A client of Node's that asks for `name`; the serial number that it was shown. */
function connectToSite(name: string): Promise<tls.TLSSocket> {
  const options = { host: HOST, port: tlsPort, servername: name, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const socket = tls.connect(options, () => resolve(socket));
    socket.once('error', reject);
  });
}

const echo = (socket: tls.TLSSocket, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    socket.once('data', (bytes) => resolve(String(bytes)));
    socket.once('close', () => reject(new Error('closed')));
    socket.write(text);
  });

describe('Pebble', { skip: noPebble, timeout: 180_000 }, () => {
  before(async () => {
    [httpPort, tlsPort] = [await freePort(), await freePort()];
    dns = await new TestDnsServer(NAMES.map((name) => address(name, HOST))).serve(stack, 0);
    await serve();
    const ports = { httpPort, tlsPort, dnsPort: dns.port };
    pebble = await Pebble.start({ entropy, ...ports, nonceReject: 30 });
  });
  after(() => {
    for (const listener of listeners) listener.close();
    dns.close();
    // When it didn't start, that is what is told.
    (pebble as Pebble | undefined)?.stop();
    loop.stop();
  });

  test('http-01 › two names and an address › a chain to its root, with many nonces refused', async () => {
    const { next } = await keep([...NAMES, HOST], ['http-01']);
    const certified = await next();
    for (const name of [...NAMES, HOST]) assert.ok((await pathOf(certified, name)).ok, name);
    assert.equal((await pathOf(certified, 'other.example')).ok, false);
    assert.equal(proofs.size, 0);
  });

  test('tls-alpn-01 › renewal › new connections see it, the old one goes on', async () => {
    const { keeper, next } = await keep(NAMES, ['tls-alpn-01']);
    const first = await next();
    assert.ok((await pathOf(first, NAMES[0]!)).ok);
    const early = await connectToSite(NAMES[0]!);
    assert.equal(early.getPeerCertificate().serialNumber, serialOf(first));
    loop.turn(() => keeper.renewNow());
    const second = await next();
    assert.notEqual(serialOf(second), serialOf(first));
    const late = await connectToSite(NAMES[1]!);
    assert.equal(late.getPeerCertificate().serialNumber, serialOf(second));
    assert.equal(await echo(early, 'still here'), 'still here');
    assert.equal(await echo(late, 'too'), 'too');
    early.destroy();
    late.destroy();
    assert.equal(keeper.counters.acmeFailures, 0);
  });

  test('a certificate › revoked with its own key › Pebble says so', async () => {
    assert.ok(serving !== null);
    const { chain, key } = serving;
    const parsed = parseCertificate(chain[0]!);
    assert.ok(parsed.ok);
    assert.equal((await pebble.status(parsed.value.serial)).Status, 'Valid');
    const session = sessionWith(pebble, newKey());
    await succeed(pebble, session, new RevocationProcedure(chain[0]!, 'superseded', key));
    const { Status, Reason } = await pebble.status(parsed.value.serial);
    assert.deepEqual([Status, Reason], ['Revoked', 4]);
    await succeed(pebble, session, new RevocationProcedure(chain[0]!, 'superseded', key));
  });

  test('an account › another key › the old one is nobody any more', async () => {
    const [first, second] = [newKey(), newKey()];
    const session = sessionWith(pebble, first);
    await succeed(pebble, session, new RolloverProcedure(entropy, second));
    const { accountUrl } = session;
    session.replaceKey(second);
    const again = sessionWith(pebble, second);
    await succeed(pebble, again, new RolloverProcedure(entropy, first));
    assert.equal(again.accountUrl?.text, accountUrl?.text);
    const failure = await run(pebble, session, new RolloverProcedure(entropy, newKey()));
    assert.ok(failure?.error.kind === 'problem', JSON.stringify(failure));
  });

  test('accounts must be bound to others › with the right key, a wrong one, none', async () => {
    const secret = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    const ports = { httpPort, tlsPort, dnsPort: dns.port };
    const other = await Pebble.start({ entropy, ...ports, externalAccounts: { 'kid-1': secret } });
    try {
      const bound = (hmacKey: Uint8Array) => ({ externalAccount: { kid: 'kid-1', hmacKey } });
      const rollover = () => new RolloverProcedure(entropy, newKey());
      const right = Buffer.from(secret, 'base64url');
      await succeed(other, sessionWith(other, newKey(), bound(right)), rollover());
      const wrong = sessionWith(other, newKey(), bound(Buffer.from('wrong')));
      const refused = await run(other, wrong, rollover());
      assert.equal(refused?.error.kind, 'problem', JSON.stringify(refused));
      const none = await run(other, sessionWith(other, newKey()), rollover());
      assert.deepEqual(none?.error, { kind: 'external account required' });
    } finally {
      other.stop();
    }
  });

  test('a certificate of its HTTPS that nobody vouches for › order › no request is made', async () => {
    const stranger = CertificateAuthority.create(env, {
      name: 'Stranger',
      notBefore: wallTimeOfMillis(Date.now() - 1_000),
      notAfter: wallTimeOfMillis(Date.now() + 86_400_000),
    });
    const httpsRoot = pemEncode('CERTIFICATE', stranger.certificate.raw);
    const session = sessionWith(pebble, newKey(), { limits: { ...DEFAULT_LIMITS, retriesMax: 0 } });
    const untrusting = { directory: pebble.directory, httpsRoot };
    const failure = await run(untrusting, session, new RolloverProcedure(entropy, newKey()));
    assert.equal(failure?.error.kind, 'transport');
  });
});
