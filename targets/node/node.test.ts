/**
 * The device conformance suite on host sockets, and what else a Node process promises a program.
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { millis, Timer } from '#core';
import type { Flow, FlowHandler } from '#device';
import { type FlowNetwork, flowCases, kvCases, stackCases } from '#device/conformance';
import { hostStackConnector } from './connector.ts';
import { readContent, readDirectory } from './directory.ts';
import { HostStack } from './host-stack.ts';
import { createMachine } from './launch.ts';
import { NodeLoop } from './loop.ts';

const PATIENCE_MS = 60_000;
const HOST = '127.0.0.1';

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it took too long');
    await setImmediate();
  }
}

function newNetwork(): FlowNetwork {
  const stack = new HostStack(new NodeLoop());
  return {
    until,
    async connect(clientHandler: FlowHandler, serverHandler: FlowHandler) {
      let server: Flow | null = null;
      const listening = await stack.listen(0, (flow) => {
        flow.attach(serverHandler);
        server = flow;
      });
      assert.ok(listening.ok);
      const client = await new Promise<Flow>((resolve, reject) => {
        stack.connect(HOST, listening.value.port, (result) => {
          if (!result.ok) return reject(new Error(result.error.kind));
          result.value.attach(clientHandler);
          resolve(result.value);
        });
      });
      await until(() => server !== null);
      listening.value.close();
      return { client, server: server! };
    },
  };
}

for (const { name, run } of flowCases) test(`Flow › ${name}`, () => run(newNetwork()));

for (const { name, run } of stackCases) {
  test(`Stack › ${name}`, () => {
    const stack = new HostStack(new NodeLoop());
    return run({ client: stack, server: stack, serverAddress: HOST, until });
  });
}

test('HostStack › publish › bound where it says, under its own number to the program', async () => {
  const free = net.createServer().listen(0, HOST);
  await until(() => free.listening);
  const { port: hostPort } = free.address() as net.AddressInfo;
  free.close();
  await until(() => !free.listening);
  const publish = [{ hostAddress: HOST, hostPort, guestPort: 80, protocol: 'tcp' as const }];
  const listening = await new HostStack(new NodeLoop(), publish).listen(80, () => assert.fail());
  assert.ok(listening.ok);
  assert.equal(listening.value.port, 80);
  const taken = await new HostStack(new NodeLoop(), publish).listen(80, () => assert.fail());
  assert.deepEqual(taken, { ok: false, error: { kind: 'port in use', port: 80 } });
  listening.value.close();
});

test('HostStack › no more sockets to be had › no port', async () => {
  const server = net.createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const program = `
    const { HostStack } = await import(process.env.FOLDER + '/host-stack.ts');
    const { NodeLoop } = await import(process.env.FOLDER + '/loop.ts');
    const stack = new HostStack(new NodeLoop());
    let left = 60;
    for (let i = 0; i < 60; i++) stack.connect('${HOST}', ${port}, (result) => {
      if (result.ok) result.value.attach({ data() {}, drained() {}, end() {}, closed() {} });
      else if (result.error.kind !== 'no port') process.exit(1);
      else process.exitCode = 7;
      if (--left === 0) process.exit();
    });`;
  const node = [process.execPath, '--input-type=module', '-e', program];
  const child = spawn('sh', ['-c', 'ulimit -n 50 && exec "$@"', 'sh', ...node], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, FOLDER: import.meta.dirname },
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 7);
  server.close();
});

test('HostDatagramSocket › too long › RangeError; port 0 › dropped', async () => {
  const stack = new HostStack(new NodeLoop());
  const bound = await stack.bind(0, { receive: () => assert.fail() });
  assert.ok(bound.ok);
  const to = { address: HOST, port: 9 };
  assert.throws(() => bound.value.send(new Uint8Array(65_508), to), RangeError);
  assert.equal(bound.value.send(new Uint8Array(1), { address: HOST, port: 0 }), false);
  assert.equal(stack.counters().datagramsDropped, 1);
  bound.value.close();
});

test('NodeLoop › timers › fire in order, also those armed by promises', async () => {
  const loop = new NodeLoop();
  const fired: number[] = [];
  const arm = (wait: number) => {
    const timer = new Timer(() => fired.push(wait));
    loop.timers.arm(timer, (loop.timers.now + millis(wait)) as typeof loop.timers.now);
    return timer;
  };
  loop.turn(() => {
    arm(20);
    const stopped = arm(1);
    Promise.resolve().then(() => arm(5));
    loop.timers.stop(stopped);
  });
  await until(() => fired.length === 2);
  assert.deepEqual(fired, [5, 20]);
});

const directory = mkdtempSync(path.join(tmpdir(), 'morgana-node-'));
after(() => rmSync(directory, { recursive: true }));

for (const { name, run } of kvCases) {
  test(`a directory, and its tar › ${name}`, () =>
    run(async (files) => {
      const root = mkdtempSync(path.join(tmpdir(), 'morgana-kv-'));
      after(() => rmSync(root, { recursive: true }));
      const directory = path.join(root, 'files');
      mkdirSync(directory);
      for (const { path: file, bytes } of files) {
        mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
        writeFileSync(path.join(directory, file), bytes);
      }
      const tar = path.join(root, 'files.tar');
      const done = spawnSync('tar', ['-C', directory, '--format=pax', '-cf', tar, '.']);
      assert.equal(done.status, 0, String(done.stderr));
      const read = readContent(directory);
      const unpacked = readContent(tar);
      assert.deepEqual(unpacked.paths(), read.paths());
      for (const file of read.paths()) assert.deepEqual(unpacked.get(file), read.get(file));
      return read;
    }));
}

test('readDirectory › files below, with digest and date', () => {
  const root = path.join(directory, 'site');
  mkdirSync(path.join(root, 'a'), { recursive: true });
  writeFileSync(path.join(root, 'a', 'x.txt'), 'abc');
  writeFileSync(path.join(root, 'Z'), '');
  utimesSync(path.join(root, 'a', 'x.txt'), 1_700_000_000.9, 1_700_000_000.9);
  symlinkSync('nowhere', path.join(root, 'dangling'));
  mkdirSync(path.join(root, '.git'));
  mkdirSync(path.join(root, '.well-known'));
  for (const name of ['.env', '.git/config', 'a/.hidden', '.well-known/security.txt']) {
    writeFileSync(path.join(root, name), '');
  }
  const content = readDirectory(root);
  assert.deepEqual(content.paths(), ['.well-known/security.txt', 'Z', 'a/x.txt']);
  const entry = content.get('a/x.txt')!;
  assert.equal(new TextDecoder().decode(entry.bytes), 'abc');
  // FIPS 180-2 appendix B.1, the first half.
  assert.equal(entry.digest, 'ba7816bf8f01cfea414140de5dae2223');
  assert.equal(entry.modifiedSeconds, 1_700_000_000);
  assert.equal(content.get('a'), null);
  assert.equal(content.get('/a/x.txt'), null);
  assert.throws(() => readDirectory(path.join(root, 'none')), { code: 'ENOENT' });
});

test('machine › content, entropy, clock, connector', async () => {
  const options = { bootArguments: ['--a'], content: { site: directory }, publish: [] };
  const machine = createMachine(new NodeLoop(), options);
  assert.equal(machine.content('site'), machine.content('site'));
  assert.equal(machine.content('other'), null);
  assert.equal(machine.content('toString'), null);
  const bytes = new Uint8Array(64);
  machine.entropy.fill(bytes);
  assert.ok(bytes.some((byte) => byte !== 0));
  assert.ok(Math.abs(machine.clock.wall() - Date.now()) < 1_000);
  assert.equal(await hostStackConnector.connect({ machine }), machine.stack);
  const { stack: _stack, ...bare } = machine;
  assert.ok('lacks' in (await hostStackConnector.connect({ machine: bare })));
});

const launchPath = JSON.stringify(path.join(import.meta.dirname, 'launch.ts'));
/** A process that runs `program` (the body of a Program). */
const argumentsFor = (program: string) => [
  '--input-type=module-typescript',
  '-e',
  `import { launch } from ${launchPath}; launch(async (machine) => { ${program} });`,
];
const runProgram = (program: string) =>
  spawnSync(process.execPath, argumentsFor(program), { encoding: 'utf8' });

test('launch › exit codes', () => {
  assert.equal(runProgram('return 7;').status, 7);
  assert.equal(runProgram('machine.exit(3);').status, 3);
  const failed = runProgram('throw new TypeError("gives up");');
  assert.equal(failed.status, 124);
  assert.match(failed.stderr, /error: TypeError: gives up/);
});

test('launch › nothing left to wait for › the process ends', () => {
  const ended = runProgram('machine.console.writeLine("hi"); await new Promise(() => {});');
  assert.equal(ended.status, 0);
  assert.equal(ended.stdout, 'hi\n');
});

test('launch › SIGTERM, SIGINT › 0', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const serve = `const l = await machine.stack.listen(0, () => {});
      machine.console.writeLine('ready'); await new Promise(() => {});`;
    const child = spawn(process.execPath, argumentsFor(serve), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdout.once('data', () => child.kill(signal));
    assert.equal(await ended, 0);
  }
});
