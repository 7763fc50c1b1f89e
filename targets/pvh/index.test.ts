/** `launch` on a simulated base; a booted image has the same in tests/boot/launch.test.ts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitKvPack, type Machine } from '#device';
import { SimulatedExit } from '../base/simulated-base.ts';
import { EXIT, launch } from './index.ts';
import { SimulatedBase } from './virtio/simulated-base.ts';
import { SimulatedDevice } from './virtio/simulated-device.ts';
import { nicConfig, SimulatedNic } from './virtio/simulated-nic.ts';

const CONFIG = { receiveBuffers: 8, transmitBuffers: 16, bufferBytes: 2048 };
const NIC = {
  address: 0x1000,
  gsi: 9,
  deviceId: 1,
  features: 0x10028,
  queueSizes: [64, 64],
  config: nicConfig([2, 0, 0, 0, 0, 1]),
};

/** Launches a program that never ends and returns the machine it got. */
function machineOf(base: SimulatedBase): Machine {
  let got: Machine | null = null;
  launch(
    (machine) => {
      got = machine;
      return new Promise(() => {});
    },
    CONFIG,
    base,
  );
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

test('machine › has what the base and the command line give', () => {
  const base = new SimulatedBase();
  base.cmdline = 'virtio_mmio.device=512@0x1000:9 -- a "b c"';
  base.payload = [{ name: 'site', bytes: emitKvPack([]) }];
  new SimulatedNic(base, NIC);
  const machine = machineOf(base);
  assert.equal(machine.target, 'pvh');
  assert.deepEqual(machine.bootArguments, ['a', 'b c']);
  assert.equal(machine.interfaces.length, 1);
  assert.equal(machine.clock.wall(), 1_700_000_000_000);
  assert.deepEqual(machine.content('site')?.paths(), []);
  assert.equal(machine.content('other'), null);
  machine.console.writeLine('line');
  assert.equal(base.console, 'line\n');
  const bytes = new Uint8Array(4);
  machine.entropy.fill(bytes);
  assert.deepEqual(bytes, new Uint8Array(4).fill(0x5a));
});

test('unreadable command line or content › one sentence, bad image', () => {
  const line = new SimulatedBase();
  line.cmdline = 'virtio_mmio.device=x';
  assert.equal(
    exitCode(() => machineOf(line)),
    EXIT.badImage,
  );
  assert.match(line.console, /^error: can't read "virtio_mmio.device=x" in the command line\n$/);
  const content = new SimulatedBase();
  content.payload = [{ name: 'site', bytes: new Uint8Array(3) }];
  assert.equal(
    exitCode(() => machineOf(content)),
    EXIT.badImage,
  );
  assert.match(content.console, /content "site" is cut short/);
});

test('entropy › none › the image refuses to start; RDRAND that stops › ends it', () => {
  const base = new SimulatedBase();
  base.hasEntropy = false;
  assert.equal(
    exitCode(() => machineOf(base)),
    EXIT.noEntropy,
  );
  base.hasEntropy = true;
  const machine = machineOf(base);
  base.hasEntropy = false;
  assert.equal(
    exitCode(() => machine.entropy.fill(new Uint8Array(1))),
    EXIT.noEntropy,
  );
});

test('devices that can’t be opened › reported, the program starts without them', () => {
  const base = new SimulatedBase();
  base.cmdline = [1, 2, 3, 4, 5].map((i) => `virtio_mmio.device=512@0x${i}000:${i}`).join(' ');
  new SimulatedDevice(base, { ...NIC, refusesFeatures: true });
  new SimulatedDevice(base, { ...NIC, address: 0x2000, deviceId: 4, queueSizes: [0] });
  new SimulatedDevice(base, { ...NIC, address: 0x3000, deviceId: 3, queueSizes: [0] });
  new SimulatedDevice(base, { ...NIC, address: 0x4000, deviceId: 2, queueSizes: [0] });
  // No driver of ours: left alone, without a word.
  new SimulatedDevice(base, { ...NIC, address: 0x5000, deviceId: 16 });
  const machine = machineOf(base);
  assert.deepEqual(machine.interfaces, []);
  assert.deepEqual(machine.blocks, []);
  const lines = base.console.trimEnd().split('\n');
  assert.equal(lines.length, 4);
  for (const [i, line] of lines.entries()) assert.ok(line.includes(`virtio-mmio 0x${i + 1}000 `));
});

test('network device that lies › one sentence, code deviceFailed', () => {
  const base = new SimulatedBase();
  base.cmdline = 'virtio_mmio.device=512@0x1000:9';
  const nic = new SimulatedNic(base, NIC);
  machineOf(base);
  base.run();
  nic.device.complete(0, 77, 100);
  assert.equal(
    exitCode(() => base.run()),
    EXIT.deviceFailed,
  );
  assert.match(base.console, /^error: virtio-mmio 0x1000 completed buffer 77 of queue 0/);
});

test('exit › frames still to be sent › leave first; a stuck device does not hold it up', () => {
  const base = new SimulatedBase();
  base.cmdline = 'virtio_mmio.device=512@0x1000:9';
  const nic = new SimulatedNic(base, NIC);
  let sent = 0;
  nic.onFrame = () => sent++;
  const machine = machineOf(base);
  const [net] = machine.interfaces;
  assert.ok(net !== undefined);
  assert.ok(net.reserve());
  net.commit(60, [], null);
  assert.equal(
    exitCode(() => machine.exit(5)),
    5,
  );
  assert.equal(sent, 1);
  nic.stuck = true;
  assert.ok(net.reserve());
  net.commit(60, [], null);
  assert.equal(
    exitCode(() => machine.exit(6)),
    6,
  );
});

test('program › ends or is rejected › its code, or message and code uncaught', async () => {
  const codes: number[] = [];
  const run = async (program: (machine: Machine) => Promise<number>): Promise<string> => {
    const base = new SimulatedBase();
    base.exit = (code) => {
      codes.push(code);
      return undefined as never;
    };
    launch(program, CONFIG, base);
    await new Promise((resolve) => setImmediate(resolve));
    return base.console;
  };
  assert.equal(await run(async () => 3), '');
  assert.match(await run(() => Promise.reject(new RangeError('no'))), /^error: RangeError: no\n/);
  assert.match(await run(() => Promise.reject('plain')), /^error: the program ended with plain\n/);
  assert.deepEqual(codes, [3, EXIT.uncaught, EXIT.uncaught]);
});
