/**
 * HTTPS as users meet it, on all three targets: `run --tls` with the development CA, curl and a
 * browser, redirects, certificates that change under load, clients with certificates.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { cannotBoot } from '../helpers/machine.ts';
import { freePort, type Tool, Workspace } from './cli.ts';

const LARGE = randomBytes(1_048_576);
const work = new Workspace({
  'htdocs/index.html': '<!doctype html><title>secure</title><h1>hello</h1>\n',
  'app.ts': `import type { FetchInfo } from 'morgana';
import { tlsSession } from 'morgana/tls';
export default {
  fetch(request: Request, info: FetchInfo) {
    const session = tlsSession(info.flow);
    const [version, alpn, peers] = [session?.version, session?.alpn, session?.peerChain.length];
    return Response.json({ url: request.url, version, alpn, peers });
  },
};
`,
});
after(() => work.remove());
writeFileSync(work.path('htdocs/large'), LARGE);
const CA = work.path('.ca/ca.pem');

/** Standard output of curl; its complaint when it fails. */
async function curl(...words: string[]): Promise<string> {
  const all = ['-sS', '--max-time', '20', '--cacert', CA, ...words];
  const { stdout } = await promisify(execFile)('curl', all, { maxBuffer: 16_777_216 });
  return stdout;
}

interface Served {
  readonly tool: Tool;
  readonly secure: number;
  readonly plain: number;
}

/** Runs `app` with --tls until the test's end. */
async function serve(app: string, flags: string[], args: string[] = []): Promise<Served> {
  const [secure, plain] = [await freePort(), await freePort()];
  const publish = [`--publish=${secure}:443`, `--publish=${plain}:80`];
  const tool = work.start(['run', app, '--tls', ...publish, ...flags, '--', ...args]);
  after(() => tool.child.kill('SIGINT'));
  await tool.wrote(/\(HTTP, redirects to HTTPS\)/);
  return { tool, secure, plain };
}

async function end({ tool }: Served): Promise<void> {
  tool.child.kill('SIGINT');
  await tool.ended;
}

const TARGETS = [
  ['node', ['--target=node']],
  ['process', ['--target=process', '--network=https-test']],
  ['pvh', ['--target=pvh', '--memory=16']],
] as const;

for (const [target, flags] of TARGETS) {
  const skip = target === 'node' ? false : cannotBoot;
  test(`${target} › curl and a browser, the development CA, redirects`, { skip }, async () => {
    const served = await serve('htdocs', [...flags], ['--hsts=300']);
    const { secure, plain, tool } = served;
    await tool.wrote(new RegExp(`https://localhost:${secure} answered`));
    assert.match(tool.stderr, /certificate for localhost from the development CA; trust \S+ca.pem/);
    const url = `https://localhost:${secure}`;
    for (const version of ['1.2', '1.3']) {
      const text = await curl(`--tlsv${version}`, '--tls-max', version, '-D', '-', `${url}/`);
      assert.match(text, /^HTTP\/1.1 200 OK\r\n/);
      assert.match(text, /\r\nStrict-Transport-Security: max-age=300\r\n/);
      assert.match(text, /<h1>hello<\/h1>/);
    }
    // Two on one connection, then a large file.
    await curl('-o', work.path('got'), `${url}/large`, '-o', '/dev/null', `${url}/`);
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    assert.equal(digest(readFileSync(work.path('got'))), digest(LARGE));
    // Plain HTTP leads there, with the same path, and says nothing of HSTS.
    const redirect = await curl('-D', '-', `http://localhost:${plain}/large?x=y`);
    assert.match(redirect, /^HTTP\/1.1 308 /);
    assert.match(redirect, new RegExp(`\r\nLocation: https://localhost:${secure}/large\\?x=y\r\n`));
    assert.doesNotMatch(redirect, /strict-transport/i);
    const followed = await curl('-L', '-w', '%{url_effective}', `http://127.0.0.1:${plain}/`);
    assert.match(followed, new RegExp(`https://127.0.0.1:${secure}/$`));
    // Another CA, another name: curl refuses; other protocols: we do.
    const system = ['--cacert', '/etc/ssl/certs/ca-certificates.crt'];
    await assert.rejects(curl(...system, `${url}/`), /certificate|SSL/);
    const elsewhere = ['--resolve', `other.example:${secure}:127.0.0.1`];
    await assert.rejects(curl(...elsewhere, `https://other.example:${secure}/`), /subject name/);
    await assert.rejects(
      new Promise((resolve, reject) => {
        const options = { port: secure, ALPNProtocols: ['h2'], rejectUnauthorized: false };
        tls.connect(options, () => resolve(null)).once('error', reject);
      }),
      /no application protocol/i,
    );
    assert.equal(await titleOf(`${url}/`), 'secure');
    await end(served);
  });
}

/** As a browser sees it that trusts the development CA, by the digest of its key. */
async function titleOf(url: string): Promise<string> {
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'];
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
  try {
    // Chromium reads trust from a store of the user's; a test's CA isn't to be put there.
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const response = await page.goto(url);
    const details = await response?.securityDetails();
    assert.match(details?.issuer ?? '', /Morgana development CA/);
    assert.equal(details?.protocol, 'TLS 1.3');
    return await page.title();
  } finally {
    await browser.close();
  }
}

describe('certificates', () => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  before(async () => {
    const made = await Promise.all(
      [
        ['one.example', '127.0.0.1', '--out=certs'],
        ['two.example', '127.0.0.1', '--out=fresh'],
        ['client.example', '--for=client', '--out=client'],
      ].map((words) => work.run(['cert', ...words])),
    );
    for (const { code, stderr } of made) assert.equal(code, 0, stderr);
  });
  after(() => agent.destroy());
  const ask = (port: number, options: https.RequestOptions = {}) =>
    new Promise<{ names: string; body: string; reused: boolean }>((resolve, reject) => {
      const trust = { ca: readFileSync(CA), ALPNProtocols: ['http/1.1'] };
      const given = { host: '127.0.0.1', port, ...trust, ...options };
      const request = https.get(given, (response) => {
        const names = (response.socket as tls.TLSSocket).getPeerCertificate().subjectaltname ?? '';
        let body = '';
        response.setEncoding('utf8').on('data', (text) => {
          body += text;
        });
        response.on('end', () => resolve({ names, body, reused: request.reusedSocket }));
      });
      request.on('error', reject);
    });

  test('files that change under load › new ones for new connections, open ones go on', async () => {
    const files = ['--tls-files=certs', '--target=node', '--name=reloading'];
    const served = await serve('htdocs', files);
    const { secure, tool } = served;
    const first = await ask(secure, { agent, servername: 'one.example' });
    assert.match(first.names, /one\.example/);
    let isOver = false;
    let loaded = 0;
    const load = (async () => {
      while (!isOver) {
        const next = await ask(secure, { agent, servername: 'one.example' });
        assert.ok(next.reused, 'the connection goes on');
        loaded += 1;
      }
    })();
    // Half of it first: it doesn't fit, so what was there stays.
    copyFileSync(work.path('fresh/two.example.pem'), work.path('certs/one.example.pem'));
    const inspect = await work.run(['inspect', 'reloading', '--reload-certificates']);
    assert.equal(inspect.code, 2);
    assert.match(inspect.stderr, /certificates stay as they were: there is no certificate for/);
    const none = { agent: false as const };
    assert.match((await ask(secure, { ...none, servername: 'one.example' })).names, /one\.example/);
    copyFileSync(work.path('fresh/two.example-key.pem'), work.path('certs/one.example-key.pem'));
    await tool.wrote(/certificates read again, for two\.example, 127\.0\.0\.1/);
    assert.match((await ask(secure, { ...none, servername: 'two.example' })).names, /two\.example/);
    isOver = true;
    await load;
    assert.ok(loaded > 3, `${loaded} requests meanwhile`);
    const { stdout } = await work.run(['inspect', 'reloading', '--json']);
    const { tls: told } = JSON.parse(stdout);
    assert.equal(told.certificates[0].names[0], 'two.example');
    assert.deepEqual([told.counters.reloads, told.counters.reloadsFailed >= 1], [1, true]);
    const [session] = told.sessions.list;
    assert.deepEqual([session.version, session.alpn], ['TLS 1.3', 'http/1.1']);
    assert.equal(session.serverName, 'one.example');
    const text = await work.run(['inspect', 'reloading', '--once']);
    assert.match(text.stdout, /^tls: \d+ sessions, \d+ handshakes/m);
    assert.match(text.stdout, /TLS 1\.3 +TLS_AES_\S+ +x25519 +http\/1\.1 +one\.example/);
    await end(served);
  });

  test('clients with certificates › the handler knows; without, or from elsewhere › refused', async () => {
    const args = ['--tls-client-auth=required', `--tls-client-ca=${CA}`];
    const served = await serve('app.ts', ['--target=node'], args);
    const { secure } = served;
    const own = {
      cert: readFileSync(work.path('client/client.example.pem')),
      key: readFileSync(work.path('client/client.example-key.pem')),
    };
    const { body } = await ask(secure, { agent: false, ...own });
    const { url, version, alpn, peers } = JSON.parse(body);
    assert.equal(version, 'TLS 1.3');
    assert.ok(peers >= 1);
    assert.equal(url, `https://127.0.0.1:${secure}/`);
    assert.equal(alpn, 'http/1.1');
    await assert.rejects(ask(secure, { agent: false }), /certificate required/);
    const server = {
      cert: readFileSync(work.path('fresh/two.example.pem')),
      key: readFileSync(work.path('fresh/two.example-key.pem')),
    };
    await assert.rejects(ask(secure, { agent: false, ...server }), /alert/);
    await end(served);
  });

  test('none, half of one, or a flag that fits nothing › one clear sentence', async () => {
    const port = await freePort();
    const run = (...words: string[]) =>
      work.run(['run', 'htdocs', '--target=node', `--publish=${port}:443`, ...words]);
    const image = work.path('site.mjs');
    const built = await work.run([
      'build',
      'app.ts',
      '--tls',
      '--target=node',
      `--output=${image}`,
    ]);
    assert.equal(built.code, 0, built.stderr);
    const { stdout } = await promisify(execFile)(process.execPath, [image], {}).catch(
      (error) => error,
    );
    assert.match(stdout, /device 'tls' \(tls\.server\): no certificate: give it --tls-certificate/);
    const half = await run(
      '--tls',
      '--',
      `--tls-certificate=${work.path('certs/one.example.pem')}`,
    );
    assert.equal(half.code, 69);
    assert.match(half.stdout, /there is no private key/);
    const wrong = await run('--tls', '--', '--tls-client-auth=required');
    assert.match(wrong.stdout, /--tls-client-auth=required needs --tls-client-ca/);
    const files = await run('--tls-files=certs');
    assert.match(files.stderr, /--tls-files goes with --tls/);
  });
});

test('plain HTTP on the port of HTTPS › an alert, and no answer', async () => {
  const served = await serve('htdocs', ['--target=node']);
  await assert.rejects(
    new Promise((resolve, reject) => {
      http.get({ port: served.secure }, resolve).on('error', reject);
    }),
    /Parse Error|socket hang up|ECONNRESET/,
  );
  await end(served);
});
