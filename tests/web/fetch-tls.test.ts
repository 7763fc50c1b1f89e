/**
 * `fetch` of https: URLs over host sockets, against node:https: whom it believes, what it says when
 * it doesn't, redirects between schemes, connections that are kept.
 */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import { after, before, test } from 'node:test';
import { type WallTime, wallTimeOfMillis } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { CertificateAuthority, pemEncode, privateKeyToPem } from '#x509';
import { fetch } from '../../packages/http/client/fetch.ts';
import { SecureClient } from '../../packages/morgana/tls/secure.ts';
import { installNetwork, installWeb } from '../../packages/web/index.ts';
import { HostStack } from '../../targets/node/host-stack.ts';
import { createMachine } from '../../targets/node/launch.ts';
import { NodeLoop } from '../../targets/node/loop.ts';

const DAY_MS = 86_400_000;
const days = (count: number): WallTime => wallTimeOfMillis(Date.now() + count * DAY_MS);
const entropy = { fill: (out: Uint8Array) => void out.set(randomBytes(out.length)) };
const tools = { crypto: nodeCrypto, entropy };
const authority = (name: string): CertificateAuthority =>
  CertificateAuthority.create(tools, { name, notBefore: days(-9), notAfter: days(9) });
const [trusted, unknown] = [authority('Trusted'), authority('Unknown')];

const large = randomBytes(1_048_576);
const servers: (http.Server | https.Server)[] = [];
let sockets = 0;

function listening(server: http.Server | https.Server): Promise<number> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });
}

interface Leaf {
  readonly names?: readonly string[];
  readonly by?: CertificateAuthority;
  readonly notAfter?: WallTime;
  readonly options?: https.ServerOptions;
}

function secureServer({
  names = ['localhost', '127.0.0.1'],
  by = trusted,
  notAfter = days(1),
  options = {},
}: Leaf = {}): Promise<number> {
  const key = nodeCrypto.generatePrivateKey('P-256', entropy);
  const validity = { notBefore: days(-2), notAfter };
  const leaf = by.issue({ names, spki: key.spki, purposes: ['serverAuth'], ...validity });
  const pair = { cert: pemEncode('CERTIFICATE', leaf), key: privateKeyToPem(key) };
  const server = https.createServer({ ...pair, ...options }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'https://x');
    if (pathname === '/large') response.end(large);
    else if (pathname === '/to') {
      response.writeHead(307, { location: searchParams.get('where')! }).end();
    } else if (pathname === '/cut') {
      response.writeHead(200, { 'content-length': 10 });
      // Without close_notify: an attacker on the way can do that.
      response.write('half', () => request.socket.destroy());
    } else request.pipe(response.writeHead(200, { 'x-host': request.headers.host! }));
  });
  server.on('secureConnection', () => {
    sockets += 1;
  });
  return listening(server);
}

const loop = new NodeLoop();
const stack = new HostStack(loop);
const machine = createMachine(loop, { bootArguments: [], content: {}, publish: [] });
let good = '';
let plain = '';

before(async () => {
  installWeb(machine);
  const { raw } = trusted.certificate;
  const secure = new SecureClient(machine, nodeCrypto, [Buffer.from(raw).toString('base64')], []);
  const connect = stack.connect.bind(stack);
  installNetwork({ connect, connectSecure: secure.http(connect) });
  good = `https://localhost:${await secureServer()}`;
  const redirector = http.createServer((request, response) => {
    const where = new URL(request.url!, 'http://x').searchParams.get('where');
    if (where === null) response.end('plain');
    else response.writeHead(302, { location: where }).end();
  });
  plain = `http://127.0.0.1:${await listening(redirector)}`;
});
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** What became of asking `url`: the message, and the fault that caused it. */
async function refusal(url: string): Promise<[string, unknown]> {
  try {
    await (await fetch(url)).text();
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
    const cause = error.cause as { error?: { fault?: string; alert?: string } } | undefined;
    return [error.message.replace(/:\d+/g, ''), cause?.error?.alert];
  }
  return assert.fail('it was believed');
}

test('a server of a trusted CA › by name and by address; connections are kept', async () => {
  const before = sockets;
  for (let i = 0; i < 3; i++) {
    const response = await fetch(`${good}/`, { method: 'POST', body: `hello ${i}` });
    assert.equal(await response.text(), `hello ${i}`);
    assert.equal(response.headers.get('x-host'), new URL(good).host);
  }
  assert.equal(sockets, before + 1);
  const byAddress = await fetch(good.replace('localhost', '127.0.0.1'));
  assert.equal(byAddress.status, 200);
});

test('1 MiB › as it is', async () => {
  const response = await fetch(`${good}/large`);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), large);
});

test('redirects › from http to https, back, and on', async () => {
  const there = `${plain}/?where=${encodeURIComponent(`${good}/`)}`;
  const secure = await fetch(there);
  assert.deepEqual([secure.url, secure.redirected], [`${good}/`, true]);
  const back = await fetch(`${good}/to?where=${encodeURIComponent(`${plain}/`)}`);
  assert.equal(await back.text(), 'plain');
  assert.equal(back.url, `${plain}/`);
});

// size-exempt: table
const REFUSED: readonly [string, Leaf, RegExp, string | undefined][] = [
  ['another name', { names: ['other.example'] }, /TLS: name mismatch/, 'bad_certificate'],
  [
    'no name at all but a wider one',
    { names: ['*.localhost.example'] },
    /name mismatch/,
    undefined,
  ],
  ['expired', { notAfter: days(-1) }, /TLS: expired/, 'certificate_expired'],
  ['an unknown CA', { by: unknown }, /TLS: unknown issuer/, 'unknown_ca'],
  [
    'no version in common',
    { options: { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } },
    /TLS: the server refused: protocol_version/,
    'protocol_version',
  ],
  [
    'another protocol',
    { options: { ALPNProtocols: ['h2'] } },
    /TLS: the server refused: no_application_protocol/,
    'no_application_protocol',
  ],
];
for (const [what, leaf, message, alert] of REFUSED) {
  test(`${what} › a TypeError that names the fault`, async () => {
    const [said, sent] = await refusal(`https://localhost:${await secureServer(leaf)}/`);
    assert.match(said, /^fetch: no connection to localhost: TLS: /);
    assert.match(said, message);
    if (alert !== undefined) assert.equal(sent, alert);
  });
}

test('no TLS there, nobody there › a TypeError that says so', async () => {
  const [noTls] = await refusal(plain.replace('http:', 'https:'));
  assert.match(noTls, /^fetch: no connection to 127\.0\.0\.1: TLS: /);
  const [nobody] = await refusal('https://localhost:1/');
  assert.equal(nobody, 'fetch: no connection to localhost: refused');
});

test('a redirect to a server that is not believed › nothing of it', async () => {
  const port = await secureServer({ by: unknown });
  const where = encodeURIComponent(`https://localhost:${port}/`);
  assert.match((await refusal(`${plain}/?where=${where}`))[0], /unknown issuer/);
});

test('a response that is cut › not taken for a whole one', async () => {
  const [said] = await refusal(`${good}/cut`);
  assert.match(said, /closed the connection too early/);
});

test('a program without CAs › says what to do, also after a redirect', async () => {
  const connect = stack.connect.bind(stack);
  installNetwork({ connect });
  const what =
    /needs TLS, and this program was built without CAs to trust: build it with --ca=FILE/;
  assert.match((await refusal(good))[0], what);
  assert.match((await refusal(`${plain}/?where=${encodeURIComponent(good)}`))[0], what);
  installNetwork(null);
});
