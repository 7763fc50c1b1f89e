/**
 * The Piñata as a booted machine: who gets its secret, and who doesn't. The peers are OpenSSL, in
 * its own program and in Node; certificates of its published authority are made by openssl.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createSecureContext, TLSSocket } from 'node:tls';
import { TEST_AUTHORITY, TEST_KEY } from '../../../examples/pinata/test-authority.ts';
import { freePort, type Tool, Workspace } from '../../cli/cli.ts';
import { buildImage, cannotBoot, output } from '../../helpers/machine.ts';
import { type Certificates, type Credential, temporaryCertificates } from './certificates.ts';
import { openssl } from './openssl.ts';
import { type ClientOutcome, VERSIONS, type Version } from './party.ts';
import { alertsOf, REASONS, type Reason } from './rejection.ts';

const SECRET = 'papier-mache, sweets and a private key';
const PORTS = [80, 443, 10_000, 10_001, 10_002] as const;
type Port = (typeof PORTS)[number];
const CALL_BACK_PORT = 40_001;
const MEMORY_MIB = 6;
const WAIT_MS = 60_000;
/** RFC 8446 §5.1 */
const APPLICATION_DATA = 23;
const RECORD_HEADER_BYTES = 5;

const work = new Workspace();
let tool: Tool;
let made: Certificates & { remove(): void };
const at = new Map<Port, number>();
const portOf = (port: Port): number => at.get(port)!;

/** Boots it, published; `machine` ends it. */
async function hang(image: string, name: string, ...args: string[]): Promise<Tool> {
  const published: string[] = [];
  for (const port of PORTS) {
    at.set(port, await freePort());
    published.push(`--publish=${portOf(port)}:${port}`);
  }
  const words = ['run', image, `--name=${name}`, `--memory=${MEMORY_MIB}`, ...published];
  const started = work.start([...words, '--', ...args]);
  await started.wrote(/info \S+: listening on/);
  return started;
}

async function takeDown(one: Tool): Promise<void> {
  one.child.kill('SIGTERM');
  await one.ended;
}

const visit = (port: Port, version: Version, credential: Credential | null) =>
  openssl.connect(
    portOf(port),
    {
      versions: [version],
      suites: null,
      groups: null,
      alpn: [],
      anchors: work.path('authority.pem'),
      recordBytes: null,
      serverName: null,
      schemes: null,
      credential,
      verify: false,
    },
    { send: Buffer.alloc(0), untilBytes: 1_000_000 },
  );

/** Is the TLS server on a connection, and gives what came; the alert when it was refused. */
async function serveOn(socket: Socket, version: Version, { chain, key }: Credential) {
  const secureContext = createSecureContext({
    cert: readFileSync(chain),
    key: readFileSync(key),
    minVersion: `TLSv${version}`,
    maxVersion: `TLSv${version}`,
  });
  const options = { isServer: true, requestCert: true, rejectUnauthorized: false };
  const secure = new TLSSocket(socket, { ...options, secureContext });
  const received: Buffer[] = [];
  let alert: number | null = null;
  secure.on('data', (bytes: Buffer) => received.push(bytes));
  secure.on('error', (error) => {
    alert = Number(/alert number (\d+)/.exec(error.message)?.[1] ?? Number.NaN);
  });
  await Promise.race([once(socket, 'close'), delay(WAIT_MS, null, { ref: false })]);
  secure.destroy();
  return { received: Buffer.concat(received).toString(), alert };
}

function refused(outcome: ClientOutcome, version: Version, reason: Reason): void {
  assert.equal(outcome.received.length, 0, outcome.words);
  const fitting = alertsOf(reason, version);
  assert.ok(fitting.includes(outcome.alertIn ?? -1), `${reason}: ${outcome.words}`);
}

/**
 * Carries bytes between two connections until both have said all, and gives them. It keeps the ends
 * to itself: QEMU's user networking loses what comes after one.
 */
async function between(one: Socket, other: Socket): Promise<Buffer[]> {
  const directions = [one, other].map((from, index) => {
    const bytes: Buffer[] = [];
    from.on('data', (piece: Buffer) => bytes.push(piece));
    from.on('error', () => {});
    from.pipe(index === 0 ? other : one, { end: false });
    return bytes;
  });
  const ends = Promise.all([once(one, 'end'), once(other, 'end')]);
  await Promise.race([ends, delay(WAIT_MS, null, { ref: false })]);
  one.destroy();
  other.destroy();
  return directions.map((pieces) => Buffer.concat(pieces));
}

/** That both ends gave the secret, and that nobody between them could read it. */
function checkSelfTalk(directions: readonly Buffer[]): void {
  for (const bytes of directions) {
    assert.equal(bytes.includes(SECRET), false);
    const lengths: number[] = [];
    for (let i = 0; i < bytes.length; i += RECORD_HEADER_BYTES + bytes.readUInt16BE(i + 3)) {
      if (bytes[i] === APPLICATION_DATA) lengths.push(bytes.readUInt16BE(i + 3));
    }
    // The secret, its type and its tag.
    assert.ok(lengths.includes(SECRET.length + 1 + 16), `${lengths}`);
  }
}

/** How many connections the machine has on its port. */
async function connectionsOn(port: Port): Promise<number> {
  const { stdout } = await work.run(['inspect', 'pinata', '--json']);
  const { list } = JSON.parse(stdout).stacks.stack.connections;
  return list.filter(({ local }: { local: string }) => local.endsWith(`:${port}`)).length;
}

/** What isn't TLS, of one kind or another; it must end. */
async function throwAt(port: Port, kind: number): Promise<void> {
  const socket = connect(portOf(port), '127.0.0.1').resume();
  socket.on('error', () => {});
  socket.write(kind % 3 === 0 ? 'GET / HTTP/1.1\r\n\r\n' : Buffer.alloc(1_000, kind));
  await Promise.race([once(socket, 'close'), delay(WAIT_MS, null, { ref: false })]);
  assert.ok(socket.destroyed);
}

/** Listens where the Piñata calls back; others may have that port for a moment. */
async function calledBack(): Promise<Socket> {
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  for (let attempt = 0; ; attempt++) {
    server.listen(CALL_BACK_PORT, '127.0.0.1');
    const heard = await Promise.race([
      once(server, 'listening').then(() => null),
      once(server, 'error').then(([error]) => error as Error),
    ]);
    if (heard === null) break;
    if (attempt === 50) throw heard;
    await delay(200);
  }
  const knock = connect(portOf(10_001), '127.0.0.1');
  knock.on('error', () => {});
  const [socket] = await Promise.all([accepted, once(knock, 'close')]);
  server.close();
  return socket;
}

describe('the Piñata', { skip: cannotBoot, timeout: 180_000 }, () => {
  let image = '';
  before(async () => {
    image = await buildImage('examples/pinata');
    made = await temporaryCertificates({ certificate: TEST_AUTHORITY, key: TEST_KEY });
    tool = await hang(image, 'pinata', `--secret=${SECRET}`, '--test-ca');
  });
  after(async () => {
    if (tool !== undefined) await takeDown(tool);
    made?.remove();
    work.remove();
  });

  test('its page › on 80 and 443, with the authority and what is linked', async () => {
    const plain = await output('curl', ['-sS', `http://127.0.0.1:${portOf(80)}/anything`]);
    const authority = /-----BEGIN CERT[^<]+/.exec(plain)?.[0] ?? '';
    assert.equal(authority.trim(), TEST_AUTHORITY.trim());
    assert.match(plain, / {2}Mbed TLS 3\.6\.\d+\n/);
    assert.match(plain, / {2}morgana\/tls\n/);
    assert.equal(plain.includes(SECRET), false);
    work.write('authority.pem', authority);
    const url = `https://www.pinata.example:${portOf(443)}/`;
    const to = `www.pinata.example:${portOf(443)}:127.0.0.1`;
    const ca = ['--cacert', work.path('authority.pem')];
    assert.equal(await output('curl', ['-sS', ...ca, '--resolve', to, url]), plain);
  });

  for (const version of VERSIONS) {
    test(`port 10000 › TLS ${version} › clients`, async () => {
      const good = await visit(10_000, version, made.good('client', 'p256'));
      assert.equal(good.received.toString(), SECRET, good.words);
      for (const reason of REASONS) {
        const credential = reason === 'none' ? null : made.spoiled('client', reason);
        refused(await visit(10_000, version, credential), version, reason);
      }
    });

    test(`port 10002 › TLS ${version} › servers`, async () => {
      const serve = (credential: Credential) =>
        serveOn(connect(portOf(10_002), '127.0.0.1'), version, credential);
      assert.equal((await serve(made.good('server', 'p256'))).received, SECRET);
      for (const reason of REASONS) {
        // OpenSSL has no cipher of TLS 1.2 for extensions that it can't read itself.
        if (reason === 'none' || (version === '1.2' && reason === 'malformed DER')) continue;
        const { received, alert } = await serve(made.spoiled('server', reason));
        assert.equal(received, '', reason);
        assert.ok(alertsOf(reason, version).includes(alert ?? -1), `${reason}: alert ${alert}`);
      }
    });
  }

  test('port 10001 › it calls back, with the same checks', async () => {
    const good = await serveOn(await calledBack(), '1.3', made.good('server', 'p256'));
    assert.equal(good.received, SECRET);
    const bad = await serveOn(await calledBack(), '1.3', made.spoiled('server', 'wrong anchor'));
    assert.deepEqual(bad, { received: '', alert: 48 });
  });

  test('it talks to itself › both ends give the secret, the man in the middle sees none', async () => {
    const [server, client] = ([10_000, 10_002] as const).map((port) =>
      connect({ port: portOf(port), host: '127.0.0.1', allowHalfOpen: true }),
    );
    checkSelfTalk(await between(server!, client!));
    const called = await calledBack();
    called.allowHalfOpen = true;
    const again = connect({ port: portOf(10_000), host: '127.0.0.1', allowHalfOpen: true });
    checkSelfTalk(await between(again, called));
  });

  test('garbage, silence and slow peers › ended in time, and nothing is kept', async () => {
    const silent = ([10_000, 10_002] as const).map((port) => {
      const socket = connect(portOf(port), '127.0.0.1').resume();
      socket.on('error', () => {});
      return Promise.race([once(socket, 'close'), delay(WAIT_MS, null, { ref: false })]);
    });
    // It has the page, and never ends its side.
    const lingering = connect({ port: portOf(80), host: '127.0.0.1', allowHalfOpen: true });
    await once(lingering.resume(), 'end');
    assert.equal(await connectionsOn(80), 1);
    // Two at a time: QEMU's user networking lets no more wait. The machine has room for some 300 of
    // the 3.4 KB that a failed handshake leaves to the garbage collector.
    for (let round = 0; round < 200; round++) {
      await Promise.all([throwAt(10_000, round), throwAt(10_002, round + 1)]);
    }
    for (const ended of await Promise.all(silent)) assert.notEqual(ended, null);
    assert.equal(await connectionsOn(80), 0);
    lingering.destroy();
    const good = await visit(10_000, '1.3', made.good('client', 'p256'));
    assert.equal(good.received.toString(), SECRET, good.words);
  });

  test('without --test-ca › an authority of its own at each boot', async () => {
    const authorities: string[] = [];
    for (const boot of [1, 2]) {
      const other = await hang(image, `boot-${boot}`);
      const page = await output('curl', ['-sS', `http://127.0.0.1:${portOf(80)}/`]);
      authorities.push(/-----BEGIN CERT[^<]+/.exec(page)?.[0] ?? '');
      const outcome = await visit(10_000, '1.3', made.good('client', 'p256'));
      refused(outcome, '1.3', 'wrong anchor');
      await takeDown(other);
    }
    assert.notEqual(authorities[0], authorities[1]);
    assert.ok(authorities.every((pem) => pem.length > 500));
  });
});
