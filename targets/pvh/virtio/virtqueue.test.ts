import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimulatedBase } from './simulated-base.ts';
import { SimulatedDevice } from './simulated-device.ts';
import { VirtioDevice } from './transport.ts';
import { MmioTransport } from './transport-mmio.ts';

const EVENT_INDEX = 0x20000000;

function rig(features: number, size: number) {
  const base = new SimulatedBase();
  const options = { address: 0x1000, deviceId: 9, features, queueSizes: [size] };
  const device = new SimulatedDevice(base, options);
  const probed = MmioTransport.probe(base, { address: 0x1000, bytes: 512, gsi: 5 });
  assert.ok(probed.ok && probed.value !== null);
  const opened = VirtioDevice.open(base, probed.value, () => 0);
  assert.ok(opened.ok);
  const queue = opened.value.addQueue(0, 1, size);
  assert.ok(queue.ok);
  opened.value.run();
  return { base, device, queue: queue.value };
}

test('chain › described › the device sees the same pieces in order', () => {
  const { base, device, queue } = rig(0, 8);
  const memory = base.dmaAllocate(300, 16);
  memory.fill(7);
  const physical = base.physicalAddress(memory);
  queue.describe(5, physical, 10, false, 2);
  queue.describe(2, physical + 10, 20, false, 7);
  queue.describe(7, physical + 30, 200, true, -1);
  queue.post(5, 200);
  assert.ok(queue.publish() >= 0);
  const chain = device.take(0)!;
  assert.equal(chain.head, 5);
  assert.deepEqual(
    chain.readable.map(({ length }) => length),
    [10, 20],
  );
  chain.writable[0]!.fill(9);
  device.complete(0, 5, 200);
  assert.equal(queue.collect(), 1);
  assert.deepEqual([queue.heads[0], queue.lengths[0]], [5, 200]);
  assert.deepEqual(memory.subarray(28, 32), Uint8Array.of(7, 7, 9, 9));
});

test('post › before publish › invisible; publish twice › nothing new', () => {
  const { base, device, queue } = rig(0, 4);
  queue.describe(0, base.physicalAddress(base.dmaAllocate(8, 8)), 8, true, -1);
  queue.post(0, 8);
  assert.equal(device.take(0), null);
  assert.equal(queue.publish(), 0);
  assert.equal(queue.publish(), -1);
  assert.equal(queue.outstanding, 1);
  assert.throws(() => queue.post(0, 8), /the device holds this chain/);
});

test('completion › of a chain posted but not published › a lie', () => {
  const { base, device, queue } = rig(0, 4);
  queue.describe(0, base.physicalAddress(base.dmaAllocate(8, 8)), 8, true, -1);
  queue.post(0, 8);
  device.complete(0, 0, 8);
  assert.equal(queue.collect(), -1);
  assert.deepEqual(queue.fault, { kind: 'used overrun', queue: 0, count: 1 });
});

test('after a lie › collect › goes on refusing, the first fault stays', () => {
  const { base, device, queue } = rig(0, 4);
  queue.describe(0, base.physicalAddress(base.dmaAllocate(8, 8)), 8, true, -1);
  queue.post(0, 8);
  queue.publish();
  device.complete(0, 3, 0);
  assert.equal(queue.collect(), -1);
  device.complete(0, 0, 9);
  assert.equal(queue.collect(), -1);
  assert.deepEqual(queue.fault, { kind: 'used id', queue: 0, id: 3 });
});

test('flags › the device asks for silence › no notification; we ask › no interrupt', () => {
  const { base, device, queue } = rig(0, 4);
  queue.describe(0, base.physicalAddress(base.dmaAllocate(8, 8)), 8, true, -1);
  queue.post(0, 8);
  const old = queue.publish();
  assert.ok(queue.wantsNotify(old));
  device.setNoNotify(0, true);
  assert.ok(!queue.wantsNotify(old));
  device.take(0);
  device.complete(0, 0, 0);
  assert.equal(device.interrupts, 0);
  queue.requestInterrupt();
  device.complete(0, 0, 0);
  assert.equal(device.interrupts, 1);
});

// A naive model of which chains the device holds, driven by random posts, takes and completions
// in any order, long enough for the 16-bit indices to wrap.
for (const features of [0, EVENT_INDEX]) {
  test(`random traffic, features ${features} › agrees with a set of chains`, () => {
    const step = fc.record({ posts: fc.nat(8), takes: fc.nat(8), completes: fc.nat(8) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 200 }), fc.nat(7), (steps, skew) => {
        const { base, device, queue } = rig(features, 8);
        const physical = base.physicalAddress(base.dmaAllocate(64, 8));
        for (let id = 0; id < 8; id++) queue.describe(id, physical + 8 * id, 8, true, -1);
        const free = [0, 1, 2, 3, 4, 5, 6, 7];
        const held: number[] = [];
        const expected: number[] = [];
        for (const { posts, takes, completes } of steps) {
          for (let i = 0; i < posts && free.length > 0; i++) queue.post(free.shift()!, 8);
          const old = queue.publish();
          if (old >= 0) queue.wantsNotify(old);
          for (let i = 0; i < takes; i++) {
            const chain = device.take(0);
            if (chain !== null) held.push(chain.head);
          }
          for (let i = 0; i < completes && held.length > 0; i++) {
            const [head] = held.splice(skew % held.length, 1);
            device.complete(0, head!, head!);
            expected.push(head!);
          }
          assert.equal(queue.hasCompletions(), expected.length > 0);
          assert.equal(queue.collect(), expected.length);
          for (const [i, head] of expected.entries()) {
            assert.deepEqual([queue.heads[i], queue.lengths[i]], [head, head]);
          }
          free.push(...expected.splice(0));
        }
      }),
      { seed: 1, numRuns: 20 },
    );
  });
}

test('event indices › a publication that passes avail_event › notifies, others do not', () => {
  const { base, device, queue } = rig(EVENT_INDEX, 8);
  const physical = base.physicalAddress(base.dmaAllocate(64, 8));
  for (let id = 0; id < 8; id++) queue.describe(id, physical + 8 * id, 8, true, -1);
  // The device starts with avail_event 0: it wants to hear of entry 0.
  queue.post(0, 8);
  assert.ok(queue.wantsNotify(queue.publish()));
  queue.post(1, 8);
  assert.ok(!queue.wantsNotify(queue.publish()));
  device.take(0);
  device.take(0);
  queue.post(2, 8);
  queue.post(3, 8);
  assert.ok(queue.wantsNotify(queue.publish()));
});
