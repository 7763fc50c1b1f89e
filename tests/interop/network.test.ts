/**
 * One network of three kinds of unikernel, as a newcomer starts them: a virtual machine, a process,
 * a Node process, each with its own TCP/IP. They reach each other by name; curl reaches them
 * through published ports; tcpdump reads what passed.
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, symlinkSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort, root, Tool, Workspace } from '../cli/cli.ts';
import { cannotBoot, output } from '../helpers/machine.ts';
import { without } from '../helpers/namespace.ts';

const TARGETS = ['pvh', 'process', 'node'] as const;
const APP = `export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const name = url.searchParams.get('ask');
    if (name === null) return new Response('nobody asked ' + url.hostname);
    const answer = await fetch('http://' + name + '/');
    return new Response(name + ' says: ' + await answer.text());
  },
};
`;

const MAIN = path.join(root, 'tools/cli/main.ts');
const work = new Workspace({ 'app.ts': APP });
const runtime = work.path('rt');
const env = { MORGANA_RUNTIME_DIR: runtime };
const ports = new Map<string, number>();
const tools: Tool[] = [];

const curl = (name: string, target: string): Promise<string> =>
  output('curl', ['-sS', '-m', '20', `http://127.0.0.1:${ports.get(name)}${target}`]);

const skip = cannotBoot || without('curl', 'tcpdump');

describe('one network', { skip, timeout: 180_000 }, () => {
  before(async () => {
    mkdirSync(runtime, { mode: 0o700 });
    const words = ['--network=lab', '--gateway=10.78.0.0/24', '--pcap=lab.pcap', '--allow-host'];
    const network = work.start(['switch', ...words], env);
    tools.push(network);
    await network.wrote(/gateway 10\.78\.0\.1: DHCP for 10\.78\.0\.0\/24, DNS, and this machine's/);
    for (const target of TARGETS) {
      const port = await freePort();
      ports.set(target, port);
      const own = [`--target=${target}`, `--name=${target}`, `--publish=${port}:80`];
      tools.push(work.start(['run', 'app.ts', ...own, '--network=lab'], env));
    }
    for (const tool of tools.slice(1)) await tool.wrote(/answered \d+ ms after start/);
  });
  after(async () => {
    for (const tool of tools) tool.child.kill('SIGINT');
    for (const tool of tools) await tool.ended;
    work.remove();
  });

  for (const from of TARGETS) {
    test(`${from} › curl through its published port; fetch to the others by name`, async () => {
      for (const to of TARGETS.filter((name) => name !== from)) {
        assert.equal(await curl(from, `/?ask=${to}`), `${to} says: nobody asked ${to}`);
      }
      assert.equal(
        await curl(from, '/?ask=gateway.internal').catch(() => 'none'),
        'Internal Server Error\n',
      );
    });
  }

  test('each › fetch to a server of this machine’s loopback, as host.internal', async () => {
    const server = http.createServer((_, response) => response.end('the host'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const place = `host.internal:${(server.address() as AddressInfo).port}`;
    for (const from of TARGETS) {
      assert.equal(await curl(from, `/?ask=${place}`), `${place} says: the host`);
    }
    server.closeAllConnections();
    server.close();
  });

  test('status › names, leases, ports; tcpdump › reads the capture while it is written', async () => {
    const { stdout } = await work.run(['switch', '--network=lab', '--status', '--json'], env);
    const status = JSON.parse(stdout);
    const addresses = status.names.map(({ address }: { address: string }) => address);
    assert.equal(new Set(addresses).size, 3, stdout);
    for (const address of addresses) assert.match(address, /^10\.78\.0\.\d+$/);
    assert.equal(status.ports.length, 4);
    assert.equal(status.published.length, 3);
    const text = await output('tcpdump', ['-n', '-r', work.path('lab.pcap')]);
    const [pvh] = addresses.filter((_: string, i: number) => status.names[i].name === 'pvh');
    const escaped = pvh.replaceAll('.', '\\.');
    assert.match(text, new RegExp(`IP ${escaped}\\.\\d+ > 10\\.78\\.0\\.1\\.53: .* (A|AAAA)\\? `));
    assert.match(text, new RegExp(`ARP, Request who-has ${escaped} `));
    assert.match(text, new RegExp(`IP 10\\.78\\.0\\.\\d+\\.\\d+ > ${escaped}\\.80: Flags \\[S`));
    assert.match(text, /BOOTP\/DHCP, Reply/);
  });

  test('--pcap=- into tcpdump, which leaves › it reads at once; the switch stays', async () => {
    const tcpdump = spawn('tcpdump', ['-l', '-n', '-r', '-', '-c', '1'], { stdio: 'pipe' });
    const words = [MAIN, 'switch', '--network=pipe', '--pcap=-'];
    const network = spawn(process.execPath, words, {
      stdio: ['ignore', tcpdump.stdin, 'pipe'],
      env: { ...process.env, ...env },
    });
    tcpdump.stdin.destroy();
    let said = '';
    const left = new Promise<void>((resolve) => {
      network.stderr!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('the capture has ended: its reader left')) resolve();
      });
    });
    const read = String((await once(tcpdump.stdout, 'data'))[0]);
    assert.match(read, /ARP, Request who-has 10\.77\.\d+\.1 tell 10\.77/);
    await left;
    const { code } = await work.run(['switch', '--network=pipe', '--status'], env);
    assert.equal(code, 0);
    network.kill('SIGTERM');
    assert.deepEqual(await once(network, 'exit'), [0, null]);
  });

  test('a unikernel ends › its name and its published port go with it', async () => {
    const [, pvh] = tools;
    pvh!.child.kill('SIGTERM');
    assert.equal((await pvh!.ended).code, 143);
    await assert.rejects(curl('pvh', '/'), /Failed to connect|Couldn't connect/);
    const { stdout } = await work.run(['switch', '--network=lab', '--status'], env);
    assert.doesNotMatch(stdout, /^ {4}pvh /m);
  });
});

const NOBODY = 65_534;
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--inh-caps=-all'];
const mayRead = spawnSync('setpriv', [...AS_NOBODY, 'test', '-r', MAIN]).status === 0;
const noNobody = mayRead ? false : 'needs root, and a checkout that everybody may read';

test('neither root nor QEMU › a process on a network, reached by its published port', {
  skip: noNobody || without('curl'),
  timeout: 180_000,
}, async () => {
  const place = new Workspace({ 'app.ts': APP });
  // All of the system's programs that it may need: none of them is QEMU.
  mkdirSync(place.path('bin'));
  for (const name of ['flock', 'setpriv'])
    symlinkSync(`/usr/bin/${name}`, place.path(`bin/${name}`));
  chownSync(place.directory, NOBODY, NOBODY);
  const port = await freePort();
  const words = ['--target=process', '--network=lab', `--publish=${port}:80`];
  const child = spawn(
    '/usr/bin/setpriv',
    [...AS_NOBODY, process.execPath, MAIN, 'run', 'app.ts', ...words],
    {
      cwd: place.directory,
      env: {
        PATH: place.path('bin'),
        HOME: place.directory,
        MORGANA_CACHE: place.path('cache'),
        MORGANA_RUNTIME_DIR: place.path('rt'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const tool = new Tool(child);
  await tool.wrote(/answered \d+ ms after start/);
  const page = await output('curl', ['-sS', '-m', '20', `http://127.0.0.1:${port}/`]);
  assert.equal(page, 'nobody asked 127.0.0.1');
  child.kill('SIGINT');
  await tool.ended;
  place.remove();
});
