/**
 * What a program asks of others over TLS: names of unbound (RFC 7858), the log to rsyslogd with
 * GnuTLS (RFC 5425), `fetch` of node:https; first over this machine's sockets, then all three from
 * a unikernel of target process.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import https from 'node:https';
import { after, before, describe, test } from 'node:test';
import { setTimeout as patience } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Log, type WallTime, wallTimeOfMillis } from '#core';
import { dnsType, type Outcome, Resolver, StackTransport } from '#dns';
import { parseSyslogServer, SyslogSender } from '#inspect';
import { nodeCrypto } from '#targets/node/crypto';
import { CertificateAuthority, pemEncode, privateKeyToPem } from '#x509';
import { SecureClient } from '../../packages/morgana/tls/secure.ts';
import { HostStack } from '../../targets/node/host-stack.ts';
import { createMachine } from '../../targets/node/launch.ts';
import { NodeLoop } from '../../targets/node/loop.ts';
import { freePort, Workspace } from '../cli/cli.ts';
import { cannotBoot, leashed } from '../helpers/machine.ts';
import { messages, rsyslogTlsCommand } from '../inspect/rsyslog.ts';

const TOOLS = [
  '/usr/sbin/unbound',
  '/usr/sbin/rsyslogd',
  '/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so',
  '/usr/bin/dig',
];
const missing = TOOLS.filter((tool) => !existsSync(tool));
const skip = missing.length === 0 ? false : `not installed: ${missing.join(', ')}; npm run setup`;
/** This machine's loopback, as a unikernel of the network sees it. */
const NETWORK = '10.99.7.0/24';
const HOST = '10.99.7.2';

const DAY_MS = 86_400_000;
const days = (count: number): WallTime => wallTimeOfMillis(Date.now() + count * DAY_MS);
const entropy = { fill: (out: Uint8Array) => void out.set(randomBytes(out.length)) };
const tools = { crypto: nodeCrypto, entropy };
const validity = { notBefore: days(-1), notAfter: days(1) };
const [trusted, unknown] = ['Trusted', 'Unknown'].map((name) =>
  CertificateAuthority.create(tools, { name, ...validity }),
) as [CertificateAuthority, CertificateAuthority];

const work = new Workspace({
  'fetcher.ts': `export default {
  async fetch(request: Request): Promise<Response> {
    const to = new URL(request.url).searchParams.get('to')!;
    try {
      return new Response(await (await fetch(to)).text());
    } catch (error) {
      return new Response(String(error), { status: 502 });
    }
  },
};
`,
});

/** PEM files of a server with these names. */
function leaf(stem: string, names: readonly string[]): { cert: string; key: string } {
  const key = nodeCrypto.generatePrivateKey('P-256', entropy);
  const raw = trusted.issue({ names, spki: key.spki, purposes: ['serverAuth'], ...validity });
  const pair = { cert: pemEncode('CERTIFICATE', raw), key: privateKeyToPem(key) };
  work.write(`${stem}.pem`, pair.cert);
  work.write(`${stem}.key`, pair.key);
  return pair;
}

const loop = new NodeLoop();
const stack = new HostStack(loop);
const machine = createMachine(loop, { bootArguments: [], content: {}, publish: [] });
const secureBy = ({ certificate }: CertificateAuthority): SecureClient =>
  new SecureClient(machine, nodeCrypto, [Buffer.from(certificate.raw).toString('base64')], []);
const running: ChildProcess[] = [];
const start = ([command = '', ...words]: string[]): void =>
  void running.push(spawn(...leashed(command, words), { stdio: 'ignore' }));

let dnsPort = 0;
let syslogPort = 0;
let webPort = 0;
let web: https.Server;

function resolverOf(secure: SecureClient, tlsName: string | null): Resolver {
  const transport = secure.names(new StackTransport(stack), stack.connect.bind(stack));
  const resolver = new Resolver({ transport, timers: loop.timers, entropy });
  const server = { address: '127.0.0.1', port: dnsPort, tlsName };
  resolver.configure({ servers: [server], search: [], ndots: 1 });
  return resolver;
}

const ask = (resolver: Resolver, name: string): Promise<Outcome> =>
  new Promise((resolve) => {
    loop.turn(() => resolver.resolve(name, dnsType.a, resolve));
  });

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < end, what);
    await patience(50);
  }
}

describe('over TLS', { skip }, () => {
  before(async () => {
    [dnsPort, syslogPort] = [await freePort(), await freePort()];
    work.write('ca.pem', pemEncode('CERTIFICATE', trusted.certificate.raw));
    leaf('dns', ['dns.example', '127.0.0.1']);
    leaf('syslog', ['logs.example', '127.0.0.1', HOST]);
    web = https.createServer(leaf('web', ['web.example']), (request, response) =>
      response.end(`secure ${request.headers.host}`),
    );
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    webPort = (web.address() as { port: number }).port;
    work.write(
      'unbound.conf',
      `server:
  interface: 127.0.0.1@${dnsPort}
  tls-port: ${dnsPort}
  tls-service-key: "${work.path('dns.key')}"
  tls-service-pem: "${work.path('dns.pem')}"
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  directory: "${work.directory}"
  num-threads: 1
  local-zone: "example." static
  local-data: "web.example. IN A ${HOST}"
remote-control:
  control-enable: no
`,
    );
    start(['unbound', '-d', '-c', work.path('unbound.conf')]);
    start(rsyslogTlsCommand(work, '127.0.0.1', syslogPort));
    const resolver = resolverOf(secureBy(trusted), 'dns.example');
    await until('unbound does not start', async () => (await ask(resolver, 'web.example')).ok);
  });
  after(() => {
    for (const child of running) child.kill('SIGKILL');
    web.close();
    web.closeAllConnections();
    work.remove();
  });

  test('unbound › as dig +tls has it, by name and by address, over one session', async () => {
    const words = ['+short', '+tls', '@127.0.0.1', '-p', String(dnsPort), 'web.example'];
    const { stdout } = await promisify(execFile)('dig', words);
    for (const tlsName of ['dns.example', null]) {
      const resolver = resolverOf(secureBy(trusted), tlsName);
      const outcomes = await Promise.all(
        ['web.example', 'none.example', 'web.example.'].map((name) => ask(resolver, name)),
      );
      const [found, none] = outcomes;
      assert.ok(found?.ok);
      const [first] = found.value.records;
      assert.ok(first?.kind === 'address');
      assert.equal(first.address, stdout.trim());
      assert.equal(none?.ok === false && none.error.kind, 'name not found');
      assert.equal(resolver.counters().dnsTlsConnections, 1);
    }
  });

  test('unbound › another name, another CA › no answer, and nothing in the open', async () => {
    for (const resolver of [
      resolverOf(secureBy(trusted), 'other.example'),
      resolverOf(secureBy(unknown), 'dns.example'),
    ]) {
      const outcome = await ask(resolver, 'web.example');
      assert.equal(outcome.ok === false && outcome.error.kind, 'name servers silent');
      const { dnsTlsConnections, dnsTlsFailures } = resolver.counters();
      assert.equal(dnsTlsConnections, 0);
      assert.ok(dnsTlsFailures! >= 3);
    }
  });

  const sender = (secure: SecureClient, log: Log, app: string): SyslogSender =>
    new SyslogSender({
      stack,
      connectSecure: secure.over(stack.connect.bind(stack)),
      timers: loop.timers,
      clock: machine.clock,
      log,
      server: parseSyslogServer(`tls://127.0.0.1:${syslogPort}`)!,
      origin: () => ({ hostName: 'host', app }),
    });

  test('rsyslogd with GnuTLS › every line, in order', async () => {
    const log = new Log(() => {}, 'info');
    const syslog = sender(secureBy(trusted), log, 'sender');
    loop.turn(() => {
      for (let i = 0; i < 50; i++) log.source('app').info(`line ${i}`);
    });
    await until('not all came', () => messages(work, 'sender').length === 50);
    const texts = messages(work, 'sender').map((line) => /line \d+$/.exec(line)?.[0]);
    assert.deepEqual(
      texts,
      Array.from({ length: 50 }, (_, i) => `line ${i}`),
    );
    loop.turn(() => syslog.close());
  });

  test('rsyslogd › another CA › says why it has no connection, and sends nothing', async () => {
    const log = new Log(() => {}, 'info');
    const syslog = sender(secureBy(unknown), log, 'stranger');
    loop.turn(() => log.source('app').info('secret'));
    await until('it did not fail', () => syslog.fault !== null);
    assert.equal(syslog.fault, 'tls: unknown issuer');
    assert.equal(syslog.counters.syslogSent, 0);
    loop.turn(() => syslog.close());
    assert.deepEqual(messages(work, 'stranger'), []);
  });

  test('a unikernel › names, log and fetch over TLS, at once', { skip: cannotBoot }, async () => {
    const network = work.start([
      'switch',
      '--network=tls-clients',
      `--gateway=${NETWORK}`,
      '--allow-host',
    ]);
    await network.wrote(/./);
    const port = await freePort();
    const flags = ['--target=process', '--network=tls-clients', '--allow-host'];
    const linked = ['--ca=ca.pem', '--management', `--publish=${port}:80`];
    // The certificate of the name servers names no address of this network: only the name counts.
    const servers = `--nameservers=tls://${HOST}:${dnsPort}#dns.example`;
    const syslog = `--syslog=tls://${HOST}:${syslogPort}`;
    const tool = work.start(['run', 'fetcher.ts', ...flags, ...linked, '--', servers, syslog]);
    try {
      await tool.wrote(/answered \d+ ms after start/);
      const through = async (to: string): Promise<string> =>
        (await fetch(`http://127.0.0.1:${port}/?to=${encodeURIComponent(to)}`)).text();
      assert.equal(
        await through(`https://web.example:${webPort}/`),
        `secure web.example:${webPort}`,
      );
      assert.match(await through(`https://${HOST}:${webPort}/`), /TLS: name mismatch/);
      await until('the log did not come', () => messages(work, 'fetcher').length > 0);
    } finally {
      for (const { child } of [tool, network]) child.kill('SIGINT');
      await Promise.all([tool.ended, network.ended]);
    }
  });
});
