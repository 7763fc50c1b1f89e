/**
 * A website with `--tls --acme` and Pebble: as a Node process, and as a Linux process with our own
 * TCP/IP, Mbed TLS's primitives and a disk that keeps what it got.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { truncateSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { after, afterEach, before, describe, test } from 'node:test';
import { HostStack } from '../../targets/node/host-stack.ts';
import { NodeLoop } from '../../targets/node/loop.ts';
import { freePort, Tool, Workspace } from '../cli/cli.ts';
import { address, TestDnsServer } from '../helpers/dns-server.ts';
import { leashed } from '../helpers/machine.ts';
import { noPebble, Pebble } from '../helpers/pebble.ts';
import { cannotRun } from '../process/process.ts';

const NAME = 'site.example';
const loop = new NodeLoop();
const stack = new HostStack(loop);
const work = new Workspace({ 'site/index.html': 'hello\n', disk: '' });
const BUILD = ['--tls', '--acme', '--ca=ca.pem'];
const GOT = /acme: a certificate for site\.example, good until/;

let httpPort = 0;
let tlsPort = 0;
let dns: TestDnsServer;
let pebble: Pebble;
let root = '';

/** Status and body of "/", or why there is none. */
function ask(secure: boolean): Promise<string> {
  const port = secure ? tlsPort : httpPort;
  const headers = { host: NAME };
  const options = { host: '127.0.0.1', port, headers, agent: false };
  return new Promise((resolve) => {
    const request = secure
      ? https.request({ ...options, servername: NAME, ca: root })
      : http.request(options);
    request.once('error', (error) => resolve(error.message));
    request.once('response', (response) => {
      let text = `${response.statusCode} ${response.headers.location ?? ''}`;
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('end', () => resolve(text.trim()));
    });
    request.end();
  });
}

const running: Tool[] = [];

const acmeArguments = (directory: string, challenge: string): string[] => [
  `--acme=${directory}`,
  `--acme-names=${NAME}`,
  `--acme-challenge=${challenge}`,
  '--acme-agree-terms',
];

/** As built for target node, on ports of this machine. */
function onHost(directory: string): Tool {
  const ports = [`--port=${tlsPort}`, `--http-port=${httpPort}`];
  const words = [work.path('site.mjs'), ...ports, ...acmeArguments(directory, 'tls-alpn-01')];
  const env = { ...process.env, MORGANA_CONTENT: JSON.stringify({ site: work.path('site') }) };
  const child = spawn(...leashed(process.execPath, words), { env });
  const tool = new Tool(child);
  running.push(tool);
  return tool;
}

/** A Linux process on a network of this machine. */
function onNetwork(directory: string): Tool {
  const ports = [`--publish=${httpPort}:80`, `--publish=${tlsPort}:443`];
  const network = ['--network=acme', '--allow-host', '--disk=acme=disk'];
  const flags = ['--target=process', ...BUILD, ...ports, ...network];
  const tool = work.start(['run', 'site', ...flags, '--', ...acmeArguments(directory, 'http-01')]);
  running.push(tool);
  return tool;
}

async function stopAll(): Promise<void> {
  for (const tool of running.splice(0)) {
    tool.child.kill('SIGINT');
    await tool.ended;
  }
}

describe('a website with --acme', { skip: noPebble || cannotRun, timeout: 180_000 }, () => {
  before(async () => {
    [httpPort, tlsPort] = [await freePort(), await freePort()];
    dns = await new TestDnsServer([address(NAME, '127.0.0.1')]).serve(stack, 0);
    const entropy = { fill: (out: Uint8Array) => void randomFillSync(out) };
    pebble = await Pebble.start({ entropy, dnsPort: dns.port, httpPort, tlsPort });
    root = await pebble.root();
    work.write('ca.pem', pebble.httpsRoot);
    const flags = ['--target=node', ...BUILD, '--output=site.mjs'];
    const built = await work.run(['build', 'site', ...flags]);
    assert.equal(built.code, 0, built.stderr);
  });
  afterEach(stopAll);
  after(() => {
    dns.close();
    // When it didn't start, that is what is told.
    (pebble as Pebble | undefined)?.stop();
    loop.stop();
    work.remove();
  });

  test('an authority that isn’t there › HTTPS is refused with an alert, HTTP redirects', async () => {
    const site = onHost('https://127.0.0.1:1/directory');
    await site.wrote(/listening on port \d+ \(HTTP,/);
    assert.match(await ask(true), /unrecognized name/);
    assert.match(await ask(false), /^308 https:\/\/site\.example/);
  });

  test('tls-alpn-01 on the port of HTTPS › then it serves with a chain to the root', async () => {
    const site = onHost(pebble.directory);
    await site.wrote(GOT);
    assert.equal(await ask(true), '200 hello');
  });

  test('http-01 beside the redirect, with a disk › a restart goes on with what it had', async () => {
    truncateSync(work.path('disk'), 1_048_576);
    const directory = pebble.directory.replace('127.0.0.1', 'host.internal');
    await onNetwork(directory).wrote(GOT);
    assert.equal(await ask(true), '200 hello');
    await stopAll();
    // Without the authority: nothing is asked of it.
    pebble.stop();
    const second = onNetwork(directory);
    await second.wrote(/listening on port 443/);
    assert.match(second.stdout, GOT);
    assert.equal(await ask(true), '200 hello');
  });
});
