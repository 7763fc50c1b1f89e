import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntropyError, VirtioRng } from './rng.ts';
import { SimulatedBase } from './simulated-base.ts';
import { SimulatedDevice } from './simulated-device.ts';
import { MmioTransport } from './transport-mmio.ts';

const ADDRESS = 0xfeb00000;

/** A device that answers each request with `bytesOf(request number)` bytes counting up from 1. */
function rig(bytesOf: (request: number) => number | null, queueSizes = [8]) {
  const base = new SimulatedBase();
  const device = new SimulatedDevice(base, {
    address: ADDRESS,
    deviceId: 4,
    features: 0x20000000,
    queueSizes,
  });
  let requests = 0;
  let next = 0;
  device.onNotify = () => {
    const chain = device.take(0)!;
    const bytes = bytesOf(requests++);
    if (bytes === null) return;
    const into = chain.writable[0]!;
    for (let i = 0; i < Math.min(bytes, into.length); i++) into[i] = ++next;
    device.complete(0, chain.head, bytes);
  };
  const probed = MmioTransport.probe(base, { address: ADDRESS, bytes: 512, gsi: 5 });
  assert.ok(probed.ok && probed.value !== null);
  return { device, opened: VirtioRng.open(base, probed.value), requests: () => requests };
}

test('fill › larger than the pool › every byte once, asked for as needed', () => {
  const { opened, requests } = rig(() => 256);
  assert.ok(opened.ok);
  const out = new Uint8Array(600);
  opened.value.fill(out.subarray(0, 1));
  assert.equal(requests(), 1);
  opened.value.fill(out.subarray(1));
  assert.equal(requests(), 3);
  assert.deepEqual(
    out,
    new Uint8Array(600).map((_, i) => i + 1),
  );
});

test('fill › the device gives few bytes at a time › still complete', () => {
  const { opened, requests } = rig(() => 3);
  assert.ok(opened.ok);
  const out = new Uint8Array(10);
  opened.value.fill(out);
  assert.deepEqual(out, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  assert.equal(requests(), 4);
});

test('open › silent, empty or lying device › a fault and FAILED', () => {
  for (const [bytes, kind] of [
    [null, 'silent'],
    [0, 'used length'],
    [257, 'used length'],
  ] as const) {
    const { device, opened } = rig(() => bytes);
    assert.ok(!opened.ok);
    assert.equal(opened.error.kind, kind);
    assert.ok((device.status & 128) !== 0);
  }
  const { opened } = rig(() => 256, [0]);
  assert.ok(!opened.ok && opened.error.kind === 'malformed');
});

test('fill › the device fails later › throws and says which device', () => {
  const { opened } = rig((request) => (request === 0 ? 256 : null));
  assert.ok(opened.ok);
  const rng = opened.value;
  rng.fill(new Uint8Array(256));
  const wanted = (error: Error) =>
    error instanceof EntropyError && /virtio-mmio 0xfeb00000 didn't answer/.test(error.message);
  assert.throws(() => rng.fill(new Uint8Array(1)), wanted);
  assert.throws(() => rng.fill(new Uint8Array(1)), wanted);
});
