/** `launch` on a simulated base; a real process has the same in tests/process/. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitKvPack, type Machine } from '#device';
import { type BlockCase, blockCases, readOnlyBlockCases } from '#device/conformance';
import { SimulatedExit } from '../base/simulated-base.ts';
import { FileBlock } from './file-block.ts';
import { EXIT, launch } from './index.ts';
import { SimulatedProcess, SimulatedStream, SimulatedTap } from './simulated-base.ts';

/** Launches a program that never ends and returns the machine it got. */
function machineOf(base: SimulatedProcess): Machine {
  let got: Machine | null = null;
  launch((machine) => {
    got = machine;
    return new Promise(() => {});
  }, base);
  assert.ok(got !== null);
  return got;
}

function exitCode(run: () => unknown): number {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof SimulatedExit, String(error));
    return error.code;
  }
  return -1;
}

test('machine › has what the base gives', () => {
  const base = new SimulatedProcess();
  base.bootArguments = ['a', 'b c'];
  base.payload = [{ name: 'site', bytes: emitKvPack([]) }];
  base.addLink(new SimulatedTap(1));
  base.addLink(new SimulatedStream(2));
  base.addDisk('data', 8192, false);
  const machine = machineOf(base);
  assert.equal(machine.target, 'process');
  assert.deepEqual(machine.bootArguments, ['a', 'b c']);
  assert.deepEqual(
    machine.interfaces.map(({ mac }) => mac[5]),
    [1, 2],
  );
  assert.deepEqual(
    machine.blocks.map(({ name, blockCount }) => [name, blockCount]),
    [['data', 16]],
  );
  assert.deepEqual(machine.content('site')?.paths(), []);
  machine.console.writeLine('line');
  assert.equal(base.console, 'line\n');
  assert.equal(
    exitCode(() => machine.exit(3)),
    3,
  );
});

test('no random bytes › one sentence, its code', () => {
  const base = new SimulatedProcess();
  base.hasEntropy = false;
  assert.equal(
    exitCode(() => machineOf(base)),
    EXIT.noEntropy,
  );
  assert.match(base.console, /^error: the host has no random bytes\n$/);
});

test('a link that its peer closes › one sentence with its name, device failed', () => {
  const base = new SimulatedProcess();
  const stream = new SimulatedStream(1);
  base.addLink(stream);
  machineOf(base);
  stream.isClosed = true;
  assert.equal(
    exitCode(() => base.run()),
    EXIT.deviceFailed,
  );
  assert.equal(base.console, 'error: the link unix:s1 was closed by its peer\n');
});

test('exit › what was committed leaves first', () => {
  const base = new SimulatedProcess();
  const stream = new SimulatedStream(1);
  stream.cut = () => 1;
  base.addLink(stream);
  const machine = machineOf(base);
  const [device] = machine.interfaces;
  device!.reserve()!.fill(1, 0, 60);
  device!.commit(60, [], null);
  assert.equal(
    exitCode(() => machine.exit(0)),
    0,
  );
  assert.equal(stream.sent.length, 64);
});

test('exit › a peer that never reads › is not waited for', () => {
  const base = new SimulatedProcess();
  const stream = new SimulatedStream(1);
  stream.bytesMax = 0;
  base.addLink(stream);
  const machine = machineOf(base);
  const [device] = machine.interfaces;
  device!.reserve();
  device!.commit(60, [], null);
  assert.equal(
    exitCode(() => machine.exit(0)),
    0,
  );
  assert.ok(base.nowMicros > 50_000 && base.nowMicros < 60_000);
});

const suites: [string, boolean, readonly BlockCase[]][] = [
  ['file', false, blockCases],
  ['file, read only', true, readOnlyBlockCases],
];
for (const [kind, isReadOnly, cases] of suites) {
  for (const { name, run } of cases) {
    test(`${kind} › ${name}`, async () => {
      const base = new SimulatedProcess();
      base.addDisk('disk', 32 * 512, isReadOnly);
      await run(new FileBlock(base, 0));
    });
  }
}

test('file › more than one call takes › in pieces', async () => {
  const base = new SimulatedProcess();
  base.addDisk('disk', 3 * 1_048_576, false);
  const disk = new FileBlock(base, 0);
  const bytes = new Uint8Array(2 * 1_048_576 + 512).fill(7);
  assert.ok((await disk.write(1, bytes)).ok);
  const read = new Uint8Array(bytes.length);
  assert.ok((await disk.read(1, read)).ok);
  assert.deepEqual(read, bytes);
});

test('file › the host fails › its error number', async () => {
  const base = new SimulatedProcess();
  base.addDisk('disk', 8192, false);
  base.diskFailure = 5;
  const disk = new FileBlock(base, 0);
  const failed = { ok: false, error: { kind: 'device', code: 5 } };
  assert.deepEqual(await disk.read(0, new Uint8Array(512)), failed);
  assert.deepEqual(await disk.write(0, new Uint8Array(512)), failed);
  assert.deepEqual(await disk.flush(), failed);
});
