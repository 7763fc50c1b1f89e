import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { certVerb } from '../../tools/cli/cert/cert.ts';
import { asFailure } from '../../tools/cli/failure.ts';
import { type CommandLine, parseCommandLine } from '../../tools/cli/flags.ts';
import { VERBS } from '../../tools/cli/verbs.ts';
import { Workspace } from './cli.ts';

const work = new Workspace();
after(() => work.remove());
const CA = work.path('.ca/ca.pem');
const modeOf = (file: string): number => statSync(work.path(file)).mode & 0o777;

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** For this process, which has no directory of its own. */
function parsed(words: readonly string[]): CommandLine<typeof VERBS.cert.flags> {
  const ca = words.some((word) => word.startsWith('--ca=')) ? [] : [`--ca=${work.path('.ca')}`];
  const line = parseCommandLine([...words, ...ca], VERBS.cert.flags, VERBS.cert.wordsMax);
  assert.ok(line.ok);
  return line.value;
}

/** In this process: what it would end with. */
function fails(words: readonly string[], code: number, message: RegExp): void {
  assert.throws(
    () => certVerb(parsed([...words, `--out=${work.directory}`])),
    (error) => {
      const failure = asFailure(error);
      assert.equal(failure?.exitCode, code);
      // From the workspace's neighbour paths are told relative to it, from elsewhere in full.
      const places = [`${path.relative(process.cwd(), work.directory)}/`, `${work.directory}/`];
      const text = places.reduce((told, place) => told.replaceAll(place, ''), failure.message);
      assert.match(text, message);
      return true;
    },
  );
}

test('a CA that isn’t there › two at once make one, and openssl believes both', async () => {
  const names = [
    ['localhost', '127.0.0.1', '::1', '--out=tls'],
    ['*.bücher.example', '--key=RSA-2048', '--for=both', '--days=3', '--json'],
  ];
  const ended = await Promise.all(names.map((words) => work.run(['cert', ...words])));
  for (const { code, stderr } of ended) assert.equal(code, 0, stderr);
  assert.match(ended[0]!.stdout, /^tls\/localhost.pem\n {2}for localhost, 127.0.0.1, ::1\n/);
  const strict = ['verify', '-x509_strict', '-check_ss_sig', '-CAfile', CA];
  const leaf = work.path('tls/localhost.pem');
  for (const how of [
    ['hostname', 'localhost'],
    ['ip', '127.0.0.1'],
    ['ip', '::1'],
  ]) {
    openssl(...strict, '-purpose', 'sslserver', `-verify_${how[0]}`, how[1]!, leaf);
  }
  assert.throws(() => openssl(...strict, '-purpose', 'sslclient', leaf));
  assert.throws(() => openssl(...strict, '-verify_hostname', 'example.com', leaf));
  const told = JSON.parse(ended[1]!.stdout) as Record<string, string>;
  assert.equal(told.ca, CA);
  assert.deepEqual(told.names, ['*.xn--bcher-kva.example']);
  const inDays = (Date.parse(told.notAfter!) - Date.now()) / 86_400_000;
  assert.ok(inDays > 2.9 && inDays <= 3);
  for (const purpose of ['sslserver', 'sslclient']) {
    const name = ['-verify_hostname', 'a.xn--bcher-kva.example'];
    openssl(...strict, '-purpose', purpose, ...name, told.certificate!);
  }
  assert.equal(modeOf('.ca'), 0o700);
  for (const key of ['.ca/ca-key.pem', 'tls/localhost-key.pem']) assert.equal(modeOf(key), 0o600);
});

test('a server with what was made › curl trusts it by the CA alone', async () => {
  const [key, cert] = ['tls/localhost-key.pem', 'tls/localhost.pem'].map((file) =>
    readFileSync(work.path(file)),
  );
  const server = createServer({ key, cert }, (_, response) => response.end('served'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const curl = (...args: string[]) =>
    promisify(execFile)('curl', ['-sS', '--noproxy', '*', '--max-time', '10', ...args]);
  try {
    const url = `https://127.0.0.1:${port}/`;
    assert.equal((await curl('--cacert', CA, url)).stdout, 'served');
    await assert.rejects(curl(url), { code: 60 });
    const resolve = ['--resolve', `else.example:${port}:127.0.0.1`];
    await assert.rejects(curl('--cacert', CA, ...resolve, `https://else.example:${port}/`), {
      code: 60,
    });
  } finally {
    server.close();
  }
});

test('made again › replaced, by the same CA', (t) => {
  const before = [readFileSync(CA, 'utf8'), readFileSync(work.path('tls/localhost.pem'), 'utf8')];
  t.mock.method(process.stdout, 'write', () => true);
  assert.equal(certVerb(parsed(['localhost', `--out=${work.path('tls')}`])), 0);
  assert.equal(readFileSync(CA, 'utf8'), before[0]);
  assert.notEqual(readFileSync(work.path('tls/localhost.pem'), 'utf8'), before[1]);
  assert.equal(certVerb(parsed([])), 0);
});

test('what can’t be done › one sentence', () => {
  fails(['a b'], 1, /^'a b' is neither a host's name nor an address, as localhost/);
  fails(['*.com'], 1, /^'\*\.com' is neither/);
  work.write('own.pem', readFileSync(CA, 'utf8').slice(0, 100));
  fails(['own'], 2, /^own.pem is there already, and not from \.ca\/ca\.pem, remove/);
  work.write('bare-key.pem', '');
  fails(['bare'], 2, /^bare-key.pem is there already, without a certificate, remove/);
  work.write('full/file', '');
  fails(['a', `--ca=${work.path('full')}`], 2, /^full has other files in it, and no CA, name an/);
  for (const at of ['/proc/none', '/dev/null/none']) {
    const said =
      /^the development CA can't be made in \S+none: (no such|not a) [^,]+, name another/;
    fails(['a', `--ca=${at}`], 2, said);
  }
});

test('a CA that can’t be used › one sentence', () => {
  const key = work.path('.ca/ca-key.pem');
  chmodSync(key, 0o640);
  fails(['a'], 2, /^others may read the CA's key \.ca\/ca-key\.pem, /);
  chmodSync(key, 0o600);
  work.write('.ca/ca.pem', readFileSync(work.path('tls/localhost.pem'), 'utf8'));
  fails(['a'], 2, /^the CA in \.ca can't be used \(the key is not/);
  rmSync(key);
  fails(['a'], 2, /ca-key\.pem: no such file or directory/);
});
