import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACME_ARGS, TLS_SERVER_ARGS } from '../standard-args.ts';
import { acmeConnector } from './acme-connector.ts';

const DEFAULTS = Object.fromEntries(
  Object.entries({ ...TLS_SERVER_ARGS, ...ACME_ARGS }).map(([name, spec]) => [name, spec.default]),
);
const GOOD = { acme: 'https://ca.example/directory', 'acme-names': 'a.example,192.0.2.1' };

/** What the device lacks with these arguments, on a machine that trusts nobody. */
async function lacks(args: Record<string, string | boolean | number>): Promise<string> {
  const request = { args: { ...DEFAULTS, ...args }, secure: null };
  const connected = await acmeConnector.connect(request as never);
  return (connected as { lacks: string }).lacks;
}

test('an authority and names › nobody is trusted › what to build', async () => {
  assert.equal(await lacks(GOOD), '--acme: whom to trust: build it with --ca=system');
});

// size-exempt: table
for (const [args, sentence] of [
  [{ acme: 'http://ca.example/' }, '--acme=http://ca.example/: expected an https:// URL'],
  [{ acme: 'ca.example' }, '--acme=ca.example: expected an https:// URL'],
  [{ 'acme-names': '' }, '--acme needs --acme-names: what the certificate is for'],
  [
    { 'acme-names': 'a.example,*.example' },
    "--acme-names: '*.example' is neither a host name without wildcard nor an address",
  ],
  [
    { 'acme-names': 'a.example,' },
    "--acme-names: '' is neither a host name without wildcard nor an address",
  ],
  [
    { 'acme-names': Array.from({ length: 101 }, (_, i) => `a${i}.example`).join() },
    '--acme-names: more than 100 names',
  ],
  [{ 'acme-challenge': 'dns-01' }, '--acme-challenge=dns-01: expected http-01 or tls-alpn-01'],
  [{ 'http-port': 0 }, '--acme-challenge=http-01 needs --http-port, the port of plain HTTP'],
  [{ 'acme-email': 'nobody' }, '--acme-email=nobody: expected an address'],
  [{ 'acme-email': 'a@b,c@d' }, '--acme-email=a@b,c@d: expected an address'],
  [{ 'acme-eab-kid': 'x' }, '--acme-eab-kid and --acme-eab-key go together'],
  [{ 'acme-eab-key': 'x' }, '--acme-eab-kid and --acme-eab-key go together'],
  [{ 'acme-eab-kid': 'x', 'acme-eab-key': '!' }, '--acme-eab-key is not base64url'],
  [{ 'tls-certificate': 'x' }, '--acme and --tls-certificate: it is one or the other'],
  [{ 'tls-key': 'x' }, '--acme and --tls-key: it is one or the other'],
  [{ acme: '' }, '--acme-names needs --acme'],
] as const) {
  test(`${JSON.stringify(args).slice(0, 60)} › connect › refused in one sentence`, async () => {
    assert.equal(await lacks({ ...GOOD, ...args }), sentence);
  });
}

test('as many names as a certificate may have › connect › taken', async () => {
  const names = Array.from({ length: 100 }, (_, i) => `a${i}.example`).join();
  assert.match(await lacks({ ...GOOD, 'acme-names': names }), /^--acme: whom to trust/);
});
