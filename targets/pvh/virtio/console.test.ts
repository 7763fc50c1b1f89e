import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtioConsole } from './console.ts';
import { SimulatedBase } from './simulated-base.ts';
import { SimulatedDevice } from './simulated-device.ts';
import { MmioTransport } from './transport-mmio.ts';

const ADDRESS = 0xfeb00000;

/** `features`: 7 with several ports. */
function rig(queueSizes = [64, 4], features = 5, config = new Uint8Array(12)) {
  const base = new SimulatedBase();
  const device = new SimulatedDevice(base, {
    address: ADDRESS,
    deviceId: 3,
    features,
    queueSizes,
    config,
  });
  const probed = MmioTransport.probe(base, { address: ADDRESS, bytes: 512, gsi: 5 });
  assert.ok(probed.ok && probed.value !== null);
  return { device, opened: VirtioConsole.open(base, probed.value, () => assert.fail()) };
}

const text = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString();

test('writeLine › arrives with a newline; no feature is taken but that of several ports', () => {
  const { device, opened } = rig();
  assert.ok(opened.ok);
  assert.equal(device.driverFeatures, 0);
  opened.value.writeLine('grüß');
  const chain = device.take(1)!;
  assert.equal(text(chain.readable), 'grüß\n');
  opened.value.writeLine('x'.repeat(2000));
  assert.equal(text(device.take(1)!.readable).length, 512);
});

test('writeLine › the device is slow › lines are lost, later ones arrive', () => {
  const { device, opened } = rig();
  assert.ok(opened.ok);
  for (let i = 0; i < 10; i++) opened.value.writeLine(`${i}`);
  const chains = [0, 1, 2, 3].map(() => device.take(1)!);
  assert.deepEqual(
    chains.map((chain) => text(chain.readable)),
    ['0\n', '1\n', '2\n', '3\n'],
  );
  assert.equal(device.take(1), null);
  for (const chain of chains) device.complete(1, chain.head, 0);
  opened.value.writeLine('again');
  assert.equal(text(device.take(1)!.readable), 'again\n');
});

test('writeLine › the device lies › it is stopped and nothing else happens', () => {
  const { device, opened } = rig();
  assert.ok(opened.ok);
  device.complete(1, 9, 0);
  opened.value.writeLine('a');
  opened.value.writeLine('b');
  assert.ok((device.status & 128) !== 0);
  assert.equal(device.take(1), null);
});

test('a device with one port at most, whatever it offers › there is no control channel', () => {
  const one = new Uint8Array(12);
  one[4] = 1;
  for (const { opened, device } of [rig(), rig([64, 4, 8, 8], 7, one)]) {
    assert.ok(opened.ok && opened.value.control === null);
    opened.value.writeLine('here');
    assert.equal(text(device.take(1)!.readable), 'here\n');
  }
});

test('open › missing queues › a fault', () => {
  const two = new Uint8Array(12);
  two[4] = 2;
  const several = [
    [64, 4],
    [64, 4, 8],
    [64, 4, 8, 8],
    [64, 4, 8, 8, 8],
  ];
  for (const sizes of several) {
    const { opened } = rig(sizes, 7, two);
    assert.ok(!opened.ok && opened.error.kind === 'malformed');
  }
  for (const sizes of [[0, 4], [4], []]) {
    const { opened } = rig(sizes);
    assert.ok(!opened.ok && opened.error.kind === 'malformed');
  }
});
