/** What independent judges say of our server: sslscan, curl. A browser: tests/cli/https.test.ts. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { TlsFlow } from '#tls';
import { type Certificates, SERVER_NAME, temporaryCertificates } from './certificates.ts';
import { OUR_VERSIONS, type OurServing, serverConfigOf, serveWith } from './ours.ts';

const run = promisify(execFile);
const PAGE = '<!doctype html><title>Over TLS</title>\n';

let made: Certificates & { remove(): void };
let serving: OurServing;
before(async () => {
  made = await temporaryCertificates();
  const config = serverConfigOf({
    credentials: [made.good('server', 'p256'), made.good('server', 'rsa')],
    versions: OUR_VERSIONS,
    suites: null,
    groups: null,
    alpn: ['http/1.1'],
    anchors: made.anchors,
    clientAuth: 'none',
    resumption: 'tickets',
    recordBytes: null,
  });
  serving = await serveWith(config, answer);
});
after(async () => {
  await serving.stop();
  made.remove();
});

/** One page to whoever asks for anything. */
function answer(flow: TlsFlow): void {
  const head = `Content-Type: text/html\r\nContent-Length: ${PAGE.length}\r\nConnection: close`;
  flow.attach({
    data() {
      flow.write(Uint8Array.from(Buffer.from(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${PAGE}`)));
      flow.shutdown();
    },
    drained() {},
    end: () => flow.shutdown(),
    closed() {},
  });
}

test('sslscan › all that it finds › is what we mean to offer', async () => {
  const args = ['--no-colour', '--no-check-certificate', `--sni-name=${SERVER_NAME}`];
  const { stdout } = await run('sslscan', [...args, `127.0.0.1:${serving.port}`]);
  const lines = stdout.split('\n').map((line) => line.replace(/\s+/g, ' ').trim());
  for (const line of [
    'SSLv2 disabled',
    'SSLv3 disabled',
    'TLSv1.0 disabled',
    'TLSv1.1 disabled',
    'TLSv1.2 enabled',
    'TLSv1.3 enabled',
    'Server supports TLS Fallback SCSV',
    'Session renegotiation not supported',
    'TLSv1.3 not vulnerable to heartbleed',
    'TLSv1.2 not vulnerable to heartbleed',
  ])
    assert.ok(lines.includes(line), `${line}\n${stdout}`);
  const suites = lines.filter((line) => /^(Preferred|Accepted) /.test(line));
  assert.deepEqual(
    suites.map((line) => line.replace(/ Curve.*/, '')),
    [
      'Preferred TLSv1.3 128 bits TLS_AES_128_GCM_SHA256',
      'Accepted TLSv1.3 256 bits TLS_AES_256_GCM_SHA384',
      'Accepted TLSv1.3 256 bits TLS_CHACHA20_POLY1305_SHA256',
      'Preferred TLSv1.2 128 bits ECDHE-ECDSA-AES128-GCM-SHA256',
      'Accepted TLSv1.2 256 bits ECDHE-ECDSA-AES256-GCM-SHA384',
      'Accepted TLSv1.2 256 bits ECDHE-ECDSA-CHACHA20-POLY1305',
      'Accepted TLSv1.2 128 bits ECDHE-RSA-AES128-GCM-SHA256',
      'Accepted TLSv1.2 256 bits ECDHE-RSA-AES256-GCM-SHA384',
      'Accepted TLSv1.2 256 bits ECDHE-RSA-CHACHA20-POLY1305',
    ],
  );
  const groups = lines.filter((line) => /^TLSv1\.3 \d+ bits /.test(line));
  assert.deepEqual(groups.map((line) => line.split(' ')[3]).sort(), [
    'secp256r1',
    'secp384r1',
    'x25519',
  ]);
});

const curl = (...args: string[]) =>
  run('curl', [
    ...['-sS', '--max-time', '10', '--cacert', made.anchors],
    ...['--resolve', `${SERVER_NAME}:${serving.port}:127.0.0.1`, ...args],
    `https://${SERVER_NAME}:${serving.port}/`,
  ]);

for (const version of OUR_VERSIONS) {
  test(`curl › TLS ${version} › verifies us and gets the page`, async () => {
    const { stdout } = await curl(`--tlsv${version}`, '--tls-max', version);
    assert.equal(stdout, PAGE);
  });
}

test('curl › TLS 1.1 at most, or another CA › refused', async () => {
  const old = curl('--tls-max', '1.1', '--tlsv1.0', '--ciphers', 'DEFAULT@SECLEVEL=0');
  await assert.rejects(old, /protocol version/);
  const other = made.spoiled('server', 'self-signed').leaf;
  await assert.rejects(curl('--cacert', other), /SSL certificate problem/);
});
