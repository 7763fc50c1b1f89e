import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, TimerQueue } from '#core';
import type { NetHandler } from '#device';
import { type NetWire, netCases } from '#device/conformance';
import { createTurn } from '../../base/loop.ts';
import { formatVirtioFault, type VirtioFault } from './fault.ts';
import { NET_CONFIG, VirtioNet } from './net.ts';
import { NET_FEATURE } from './net-setup.ts';
import { SimulatedBase } from './simulated-base.ts';
import type { SimulatedOptions } from './simulated-device.ts';
import { nicConfig, SimulatedNic } from './simulated-nic.ts';
import { MmioTransport } from './transport-mmio.ts';

const EVENT_INDEX = 0x20000000;
const MAC = [0x52, 0x54, 0, 0, 0, 1];
const PLAIN = NET_FEATURE.mac | NET_FEATURE.mtu | NET_FEATURE.status;
const SMALL = { receiveBuffers: 8, transmitBuffers: 16, bufferBytes: 2048 };

interface Rig {
  readonly base: SimulatedBase;
  readonly nic: SimulatedNic;
  readonly net: VirtioNet;
  readonly faults: VirtioFault[];
}

function openNet(base: SimulatedBase, options: Partial<SimulatedOptions>, config = SMALL) {
  const address = options.address ?? 0xfeb00000;
  const gsi = options.gsi ?? 5;
  const nic = new SimulatedNic(base, {
    address,
    deviceId: 1,
    features: PLAIN,
    queueSizes: [256, 256],
    config: nicConfig(MAC),
    ...options,
  });
  const transport = MmioTransport.probe(base, { address, bytes: 512, gsi });
  assert.ok(transport.ok && transport.value !== null);
  const faults: VirtioFault[] = [];
  const opened = VirtioNet.open(base, transport.value, config, (fault) => faults.push(fault));
  return { nic, opened, faults };
}

function rig(options: Partial<SimulatedOptions> = {}, config = SMALL): Rig {
  const base = new SimulatedBase();
  const { nic, opened, faults } = openNet(base, options, config);
  assert.ok(opened.ok, 'the device opens');
  base.onTurn(createTurn(base, new TimerQueue(instantOfMicros(0)), [opened.value]));
  return { base, nic, net: opened.value, faults };
}

function openFault(options: Partial<SimulatedOptions>): VirtioFault {
  const { opened } = openNet(new SimulatedBase(), options);
  assert.ok(!opened.ok, 'the device must be refused');
  assert.ok(formatVirtioFault(opened.error).length > 10);
  return opened.error;
}

function handler(onFrame: (frame: Uint8Array, good: boolean) => void = () => {}): NetHandler {
  return { receive: onFrame, transmitReady() {} };
}

function twoNics(features: number, config = SMALL): NetWire {
  const base = new SimulatedBase();
  const mac = [...MAC];
  mac[5] = 2;
  const a = openNet(base, { features }, config);
  const other = { features, address: 0xfeb01000, gsi: 6, config: nicConfig(mac) };
  const b = openNet(base, other, config);
  assert.ok(a.opened.ok && b.opened.ok);
  a.nic.onFrame = ({ header, frame }) => b.nic.deliver(frame, header);
  b.nic.onFrame = ({ header, frame }) => a.nic.deliver(frame, header);
  const devices = [a.opened.value, b.opened.value];
  base.onTurn(createTurn(base, new TimerQueue(instantOfMicros(0)), devices));
  const settle = async (): Promise<void> => {
    base.run();
    assert.deepEqual([...a.faults, ...b.faults], []);
  };
  return { a: a.opened.value, b: b.opened.value, settle };
}

const everything =
  PLAIN |
  EVENT_INDEX |
  NET_FEATURE.mergeableBuffers |
  NET_FEATURE.checksum |
  NET_FEATURE.guestChecksum;
for (const [name, features] of Object.entries({ plain: PLAIN, everything })) {
  for (const netCase of netCases) {
    test(`conformance, ${name} features, small queues › ${netCase.name}`, async () => {
      await netCase.run(twoNics(features));
    });
    test(`conformance, ${name} features › ${netCase.name}`, async () => {
      await netCase.run(twoNics(features, NET_CONFIG));
    });
  }
}

test('event indices › busy › no interrupts; idle › one for the next frame', () => {
  const { base, nic, net } = rig({ features: PLAIN | EVENT_INDEX });
  let received = 0;
  net.attach(handler(() => received++));
  base.run();
  const before = nic.device.interrupts;
  nic.deliver(new Uint8Array(60));
  nic.deliver(new Uint8Array(60));
  nic.deliver(new Uint8Array(60));
  assert.equal(nic.device.interrupts - before, 1);
  base.run();
  assert.equal(received, 3);
});

test('100,000 frames both ways › ring indices wrap › nothing lost', () => {
  const { base, nic, net } = rig({ features: PLAIN | EVENT_INDEX });
  let received = 0;
  let sent = 0;
  net.attach(handler(() => received++));
  nic.onFrame = () => sent++;
  const frame = new Uint8Array(60);
  for (let i = 0; i < 100_000; i++) {
    nic.deliver(frame);
    const memory = net.reserve();
    if (memory !== null) net.commit(60, [], null);
    if (i % 5 === 0) base.run();
  }
  base.run();
  assert.equal(received, 100_000);
  assert.equal(sent, net.counters().sent);
  assert.ok(sent > 90_000);
});

test('commit › virtio_net_hdr › carries the checksum request once', () => {
  const features = PLAIN | NET_FEATURE.checksum | NET_FEATURE.hostTso4;
  const { base, nic, net } = rig({ features });
  assert.deepEqual(net.offload, {
    transmitChecksum: true,
    segmentBytesMax: 65_535,
    segmentBytesMaxIpv6: 0,
  });
  const headers: number[][] = [];
  nic.onFrame = ({ header }) => headers.push([...header]);
  const part = new Uint8Array(3000);
  net.reserve();
  net.commit(54, [part], { startAt: 34, fieldAt: 16, segmentBytes: 1460, headerBytes: 54 });
  net.reserve();
  net.commit(100, [], { startAt: 34, fieldAt: 6, segmentBytes: 0, headerBytes: 0 });
  base.run();
  for (let i = 0; i < 16; i++) {
    net.reserve();
    net.commit(60, [], null);
  }
  base.run();
  assert.deepEqual(headers[0], [1, 1, 54, 0, 1460 & 0xff, 1460 >> 8, 34, 0, 16, 0, 0, 0]);
  assert.deepEqual(headers[1], [1, 0, 0, 0, 0, 0, 34, 0, 6, 0, 0, 0]);
  for (const header of headers.slice(2)) assert.deepEqual(header, new Array(12).fill(0));
});

test('commit › a large segment of IPv6 › said so, where the device takes it', () => {
  const features = PLAIN | NET_FEATURE.checksum | NET_FEATURE.hostTso4 | NET_FEATURE.hostTso6;
  const { base, nic, net } = rig({ features });
  assert.equal(net.offload.segmentBytesMaxIpv6, 65_535);
  const kinds: number[] = [];
  nic.onFrame = ({ header }) => kinds.push(header[1]!);
  const request = { startAt: 54, fieldAt: 16, segmentBytes: 1440, headerBytes: 74 };
  for (const type of [0x86, 0x08]) {
    net.reserve()![12] = type;
    net.commit(74, [new Uint8Array(3000)], request);
  }
  base.run();
  assert.deepEqual(kinds, [4, 1]);
  const alone = rig({ features: features & ~NET_FEATURE.hostTso4 });
  assert.equal(alone.net.offload.segmentBytesMaxIpv6, 0, 'not without IPv4');
});

test('host segmentation without checksums › is not taken', () => {
  const { net, nic } = rig({ features: PLAIN | NET_FEATURE.hostTso4 });
  assert.equal(net.offload.segmentBytesMax, 0);
  assert.equal(nic.device.driverFeatures, PLAIN);
});

test('unknown feature bits › are never accepted', () => {
  const { nic } = rig({ features: 0x7fffffff });
  assert.equal(nic.device.driverFeatures & 0x1fffffff & ~(everything | 0x1980), 0);
});

test('a frame over many buffers › merged › arrives whole', () => {
  const { base, nic, net } = rig({ features: everything }, { ...SMALL, receiveBuffers: 32 });
  const got: Uint8Array[] = [];
  net.attach(handler((frame, good) => good && got.push(frame.slice())));
  const frame = new Uint8Array(40_000).map((_, i) => i * 7);
  for (let i = 0; i < 5; i++) {
    nic.deliver(frame.subarray(i), 1);
    nic.deliver(frame.subarray(0, 60), 1);
    base.run();
  }
  assert.equal(got.length, 10);
  for (let i = 0; i < 5; i++) assert.deepEqual(got[2 * i], frame.subarray(i));
});

test('a checksum, or segments, left to do › told while the frame is in hand', () => {
  const { base, nic, net } = rig({ features: everything }, { ...SMALL, receiveBuffers: 32 });
  const requests: unknown[] = [];
  const told = (): void => void requests.push({ ...net.receivedRequest() });
  net.attach(handler(told));
  const partial = Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 6, 0, 0, 0);
  const large = Uint8Array.of(1, 1, 54, 0, 0xb4, 0x05, 34, 0, 16, 0, 0, 0);
  const summed = Uint8Array.of(2, 1, 54, 0, 0xb4, 0x05, 0, 0, 0, 0, 0, 0);
  for (const [header, bytes] of [
    [partial, 60],
    [large, 5_000],
    [summed, 5_000],
    [Uint8Array.of(2), 60],
  ] as const) {
    nic.deliver(new Uint8Array(bytes), header);
    base.run();
  }
  assert.deepEqual(requests, [
    { startAt: 34, fieldAt: 6, segmentBytes: 0, headerBytes: 0 },
    { startAt: 34, fieldAt: 16, segmentBytes: 1_460, headerBytes: 54 },
    { startAt: 0, fieldAt: 0, segmentBytes: 1_460, headerBytes: 54 },
    {},
  ]);
});

test('mtu larger than a buffer › is cut to what a buffer holds', () => {
  const { net } = rig({ config: nicConfig(MAC, 9000) });
  assert.equal(net.mtuBytes, 2048 - 16 - 14);
});

test('sent parts › completed › are let go and their descriptors come back', () => {
  const { base, nic, net } = rig();
  let frames = 0;
  nic.onFrame = ({ frame }) => {
    frames++;
    assert.equal(frame.length, 20 + 16 * 5);
  };
  const parts = Array.from({ length: 16 }, () => new Uint8Array(5));
  for (let i = 0; i < 300; i++) {
    if (net.reserve() === null) {
      base.run();
      assert.notEqual(net.reserve(), null);
    }
    net.commit(20, parts, null);
  }
  base.run();
  assert.equal(frames, 300);
  assert.ok(net.hasSentAll());
});

test('link down › configuration change › counted', () => {
  const config = nicConfig(MAC);
  const { base, nic, net } = rig({ config });
  assert.equal(net.counters().linkUp, 1);
  config[6] = 0;
  nic.device.interrupt(2);
  base.run();
  assert.equal(net.counters().linkUp, 0);
});

// What a lying device does while it runs: stopped, told so, reported once, nothing handed over.
const lies: Record<string, [VirtioFault['kind'], (nic: SimulatedNic) => void]> = {
  'id out of range': ['used id', (nic) => nic.device.complete(0, 4000, 100)],
  'id of 2^32 - 1': ['used id', (nic) => nic.device.complete(0, 0xffffffff, 100)],
  'id twice': [
    'used id',
    (nic) => {
      nic.device.completeRaw(0, 1, 60, 0);
      nic.device.completeRaw(0, 1, 60, 1);
      nic.device.publishUsed(0, 2);
    },
  ],
  'length over the buffer': ['used length', (nic) => nic.device.complete(0, 0, 4096)],
  'length of 2^32 - 1': ['used length', (nic) => nic.device.complete(0, 0, 0xffffffff)],
  'length under the header': ['used length', (nic) => nic.device.complete(0, 0, 11)],
  'more completions than buffers': ['used overrun', (nic) => nic.device.publishUsed(0, 9)],
  'an index that ran backwards': ['used overrun', (nic) => nic.device.publishUsed(0, 0xffff)],
  'buffers of a merged frame missing': [
    'malformed',
    (nic) => {
      const chain = nic.device.take(0)!;
      chain.writable[0]![10] = 2;
      nic.device.complete(0, chain.head, 1000);
    },
  ],
  'a merged frame of no buffers': [
    'malformed',
    (nic) => {
      const chain = nic.device.take(0)!;
      chain.writable[0]![10] = 0;
      nic.device.complete(0, chain.head, 1000);
    },
  ],
  'device needs reset': [
    'needs reset',
    (nic) => {
      nic.device.status |= 64;
      nic.device.interrupt(2);
    },
  ],
};
for (const [name, [kind, lie]] of Object.entries(lies)) {
  test(`hostile device › ${name} › stopped with ${kind}`, () => {
    const { base, nic, net, faults } = rig({ features: everything });
    net.attach(handler());
    assert.notEqual(net.reserve(), null);
    base.run();
    lie(nic);
    base.run();
    base.run();
    assert.deepEqual(
      faults.map((fault) => fault.kind),
      [kind],
    );
    assert.ok(formatVirtioFault(faults[0]!).length > 10);
    assert.ok((nic.device.status & 128) !== 0, 'told that we failed');
    assert.equal(net.reserve(), null);
    net.commit(60, [], null); // The memory was reserved before the lie: ignored.
    assert.equal(net.counters().stopped, 1);
    assert.ok(net.hasSentAll(), 'an exit does not wait for it');
  });
}

test('hostile device › completes what was not sent › stopped when slots are taken back', () => {
  const { base, nic, net, faults } = rig();
  base.run();
  nic.device.complete(1, 3, 0);
  assert.ok(!net.hasSentAll() || faults.length === 1);
  assert.deepEqual(faults[0], { kind: 'used overrun', queue: 1, count: 1 });
});

test('hostile device › claims to have written into a sent frame › stopped', () => {
  const { nic, net, faults } = rig();
  nic.stuck = true;
  net.reserve();
  net.commit(60, [], null);
  net.flush();
  const chain = nic.device.take(1)!;
  nic.device.complete(1, chain.head, 1);
  net.hasSentAll();
  assert.deepEqual(faults[0], { kind: 'used length', queue: 1, bytes: 1 });
});

test('device that never completes › queue fills › reserve is null, the loop still sleeps', () => {
  const { base, nic, net, faults } = rig();
  let ready = 0;
  net.attach({ receive() {}, transmitReady: () => ready++ });
  nic.stuck = true;
  let sent = 0;
  while (net.reserve() !== null) {
    net.commit(60, [], null);
    sent++;
  }
  base.run();
  assert.equal(sent, 16);
  assert.equal(net.reserve(), null);
  assert.deepEqual(faults, []);
  assert.equal(ready, 0);
  nic.stuck = false;
  nic.transmit();
  base.run();
  assert.equal(ready, 1);
  assert.notEqual(net.reserve(), null);
});

test('start › refused features, no VERSION_1, bad queues, silent reset › each a fault', () => {
  assert.equal(openFault({ refusesFeatures: true }).kind, 'features');
  assert.equal(openFault({ featuresHigh: 0 }).kind, 'features');
  assert.equal(openFault({ neverResets: true }).kind, 'silent');
  assert.equal(openFault({ queueSizes: [0, 256] }).kind, 'malformed');
  assert.equal(openFault({ queueSizes: [256, 0] }).kind, 'malformed');
  assert.equal(openFault({ queueSizes: [256, 16] }).kind, 'malformed');
  assert.equal(openFault({ queueSizes: [256] }).kind, 'malformed');
  assert.equal(openFault({ queuesReady: true }).kind, 'malformed');
  assert.equal(openFault({ restless: true }).kind, 'malformed');
});

test('start › configuration garbage › a fault', () => {
  assert.equal(openFault({ config: nicConfig([1, 0, 0, 0, 0, 0]) }).kind, 'malformed');
  assert.equal(openFault({ config: nicConfig([0, 0, 0, 0, 0, 0]) }).kind, 'malformed');
  assert.equal(openFault({ config: nicConfig(MAC, 67) }).kind, 'malformed');
  assert.equal(openFault({ config: new Uint8Array(0) }).kind, 'malformed');
  assert.equal(openFault({ features: 0 }).kind, 'malformed');
});

test('start › queue of an odd size › the power of two below', () => {
  const { nic } = rig({ queueSizes: [5, 100] });
  assert.deepEqual(
    nic.device.queues.map(({ size }) => size),
    [4, 64],
  );
});
