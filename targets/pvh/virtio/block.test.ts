/** The driver on a simulated disk; QEMU's own are in tests/boot/block.test.ts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { instantOfMicros, SeededRandom, TimerQueue } from '#core';
import { blockCases, readOnlyBlockCases } from '#device/conformance';
import { createTurn } from '../../base/loop.ts';
import { BLOCK_CONFIG, type BlockConfig, VirtioBlock } from './block.ts';
import type { Outcome } from './block-operations.ts';
import { BLOCK_FEATURE } from './block-setup.ts';
import { formatVirtioFault, type VirtioFault } from './fault.ts';
import { SimulatedBase } from './simulated-base.ts';
import type { SimulatedOptions } from './simulated-device.ts';
import { type DiskConfig, SimulatedDisk } from './simulated-disk.ts';
import { MmioTransport } from './transport-mmio.ts';

const EVENT_INDEX = 0x20000000;
const ADDRESS = 0xfeb00000;
const ALL = Object.values(BLOCK_FEATURE).reduce((sum, bit) => sum | bit, 0);
const EVERYTHING = (ALL | EVENT_INDEX) & ~BLOCK_FEATURE.readOnly;

interface Options {
  readonly features?: number;
  readonly disk?: Partial<DiskConfig>;
  readonly device?: Partial<SimulatedOptions>;
  readonly config?: Partial<BlockConfig>;
  readonly serial?: string;
}

function openDisk({ features = EVERYTHING, disk: fields, device, config, serial }: Options) {
  const base = new SimulatedBase();
  const simulated = {
    ...{ sectors: 256, sizeMax: 4_096, segmentsMax: 8, blockBytes: 512, physicalExponent: 3 },
    ...{ discardSectorsMax: 3, zeroesSectorsMax: 5 },
    ...fields,
  };
  const options = { address: ADDRESS, features, queueSizes: [128], ...device };
  const disk = new SimulatedDisk(base, simulated, options);
  if (serial !== undefined) disk.serial = serial;
  const probed = MmioTransport.probe(base, { address: ADDRESS, bytes: 512, gsi: 5 });
  assert.ok(probed.ok && probed.value !== null);
  const faults: VirtioFault[] = [];
  const onFault = (fault: VirtioFault): void => void faults.push(fault);
  const opened = VirtioBlock.open(base, probed.value, { ...BLOCK_CONFIG, ...config }, onFault);
  return { base, disk, opened, faults };
}

function rig(options: Options = {}) {
  const { base, disk, opened, faults } = openDisk(options);
  assert.ok(opened.ok, 'the device opens');
  const block = opened.value;
  base.onTurn(createTurn(base, new TimerQueue(instantOfMicros(0)), [block.loop]));
  const run = (): void => {
    base.run();
    block.checkInvariants();
  };
  return { base, disk, block, faults, run };
}

type Rig = ReturnType<typeof rig>;

/** Turns, and ends held requests in an order of chance, until `work` is over. */
async function finish<T>({ disk, run }: Rig, work: Promise<T>, random: SeededRandom): Promise<T> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  for (let turns = 0; turns < 20_000 && !isOver; turns++) {
    run();
    if (disk.held.length > 0) disk.end(random.below(disk.held.length));
    run();
    await setImmediate();
  }
  return over;
}

const filled = (byte: number, bytes = 512): Uint8Array => new Uint8Array(bytes).fill(byte);
const gone: Outcome = { ok: false, error: { kind: 'gone' } };

const KINDS: Record<string, Options> = {
  'all features': {},
  'no features': { features: 0, disk: { sizeMax: 0, segmentsMax: 0 } },
  'one request at a time': { device: { queueSizes: [4] }, disk: { segmentsMax: 1 } },
  'segments of odd sizes': { disk: { sizeMax: 700, segmentsMax: 3 } },
  'blocks of 4096 bytes': {
    disk: { blockBytes: 4_096, discardSectorsMax: 24, zeroesSectorsMax: 8 },
  },
  'a queue of 8': { device: { queueSizes: [8] } },
};
for (const [kind, options] of Object.entries(KINDS)) {
  for (const { name, run } of blockCases) {
    test(`${kind} › ${name}`, async () => {
      const made = rig(options);
      made.disk.isHolding = true;
      await finish(made, run(made.block), new SeededRandom(1));
      assert.deepEqual(made.faults, []);
    });
  }
}
for (const { name, run } of readOnlyBlockCases) {
  test(`read only › ${name}`, async () => {
    const made = rig({ features: ALL });
    await finish(made, run(made.block), new SeededRandom(1));
    assert.equal(made.disk.requests.get(4), undefined, 'nothing to flush');
  });
}

test('open › is what the device says', () => {
  const { block } = rig({ serial: 'a-name-of-20-letters' });
  assert.deepEqual(
    [block.name, block.blockBytes, block.physicalBlockBytes, block.blockCount, block.isReadOnly],
    ['a-name-of-20-letters', 512, 4_096, 256, false],
  );
  const large = rig({ disk: { sectors: 2 ** 40 + 7, blockBytes: 4_096, physicalExponent: 0 } });
  assert.deepEqual([large.block.blockCount, large.block.physicalBlockBytes], [2 ** 37, 4_096]);
});

test('open › no serial number, or one that is no name › the name of its place', () => {
  for (const serial of ['', 'a b', 'ä', '\u0001']) {
    assert.equal(rig({ serial }).block.name, 'virtio-mmio 0xfeb00000');
  }
});

test('open › only features that we know are accepted', () => {
  const { disk } = rig({ features: 0x7fffffff & ~BLOCK_FEATURE.readOnly });
  assert.equal(disk.device.driverFeatures, EVERYTHING);
  const readOnly = rig({ features: 0x7fffffff });
  const { flush, discard, writeZeroes } = BLOCK_FEATURE;
  assert.equal(readOnly.disk.device.driverFeatures & (flush | discard | writeZeroes), 0);
});

const bad: Record<string, [VirtioFault['kind'], Options]> = {
  'no capacity': ['malformed', { disk: { sectors: 0 } }],
  'less than a block': ['malformed', { disk: { sectors: 7, blockBytes: 4_096 } }],
  'more bytes than there are': ['malformed', { disk: { sectors: 2 ** 45 } }],
  'blocks of no size': ['malformed', { disk: { blockBytes: 0 } }],
  'blocks of 256 bytes': ['malformed', { disk: { blockBytes: 256 } }],
  'blocks of 513 bytes': ['malformed', { disk: { blockBytes: 513 } }],
  'blocks of 128 KiB': ['malformed', { disk: { blockBytes: 131_072, sectors: 1_024 } }],
  'blocks of 2 GiB': ['malformed', { disk: { blockBytes: 2 ** 31 } }],
  'physical blocks of 2^16': ['malformed', { disk: { physicalExponent: 16 } }],
  'segments of no size': ['malformed', { disk: { sizeMax: 0 } }],
  'no segments': ['malformed', { disk: { segmentsMax: 0 } }],
  'no request for a block': ['malformed', { disk: { sizeMax: 63 } }],
  'a queue of 2': ['malformed', { device: { queueSizes: [2] } }],
  'no queue': ['malformed', { device: { queueSizes: [0] } }],
  'refused features': ['features', { device: { refusesFeatures: true } }],
  'a silent reset': ['silent', { device: { neverResets: true } }],
  'a restless configuration': ['malformed', { device: { restless: true } }],
};
for (const [name, [kind, options]] of Object.entries(bad)) {
  test(`open › ${name} › a fault`, () => {
    const { opened, disk } = openDisk(options);
    assert.ok(!opened.ok);
    assert.equal(opened.error.kind, kind);
    assert.ok(formatVirtioFault(opened.error).length > 10);
    if (options.device?.neverResets !== true) assert.ok((disk.device.status & 128) !== 0);
  });
}

test('open › largest block, segments that just hold a block › fine', () => {
  const wide = { blockBytes: 65_536, sectors: 1_024, sizeMax: 65_536, segmentsMax: 1 };
  assert.equal(rig({ disk: wide }).block.blockCount, 8);
  assert.equal(rig({ disk: { sizeMax: 64, segmentsMax: 8 } }).block.blockCount, 256);
});

test('open › the serial number never comes › a fault, and no waiting for ever', () => {
  const base = new SimulatedBase();
  const options = { address: ADDRESS, features: 0, queueSizes: [8] };
  const disk = new SimulatedDisk(base, { sectors: 8 }, options);
  disk.device.onNotify = () => {};
  const probed = MmioTransport.probe(base, { address: ADDRESS, bytes: 512, gsi: 5 });
  assert.ok(probed.ok && probed.value !== null);
  const opened = VirtioBlock.open(base, probed.value, BLOCK_CONFIG, () => assert.fail());
  assert.ok(!opened.ok && opened.error.kind === 'silent');
});

test('more than a request holds › split at the limits, as many at once as configured', async () => {
  const made = rig({ config: { requests: 3 } });
  made.disk.isHolding = true;
  const bytes = new Uint8Array(128 * 1_024).map((_, i) => i * 7 + (i >> 9));
  const written = made.block.write(0, bytes);
  made.run();
  // 8 segments of 4,096 bytes a request.
  assert.equal(made.disk.held.length, 3);
  await finish(made, written, new SeededRandom(3));
  assert.equal(made.disk.requests.get(1), 4);
  assert.equal(made.disk.heldMax, 3);
  assert.deepEqual(made.disk.memory, bytes);
});

test('discards and zeros › split at their own limits', async () => {
  const made = rig();
  made.disk.memory.fill(1);
  const { block } = made;
  await finish(made, block.writeZeroes!(1, 11), new SeededRandom(1));
  await finish(made, block.discard!(20, 7), new SeededRandom(1));
  assert.deepEqual([made.disk.requests.get(13), made.disk.requests.get(11)], [3, 3]);
  const kinds = Array.from({ length: 29 }, (_, sector) => made.disk.memory[512 * sector]);
  const expected = [1, ...Array(11).fill(0), ...Array(8).fill(1), ...Array(7).fill(0xdd), 1, 1];
  assert.deepEqual(kinds, expected);
});

test('discards smaller than a block, or not offered › there is no such operation', () => {
  const small = rig({ disk: { blockBytes: 4_096, discardSectorsMax: 7, zeroesSectorsMax: 8 } });
  assert.equal(small.block.discard, undefined);
  assert.notEqual(small.block.writeZeroes, undefined);
  const none = rig({ features: EVERYTHING & ~BLOCK_FEATURE.discard & ~BLOCK_FEATURE.writeZeroes });
  assert.equal(none.block.discard ?? none.block.writeZeroes, undefined);
});

test('flush › asked of the device only where its cache needs it', async () => {
  for (const [features, count] of [
    [EVERYTHING, 1],
    [EVERYTHING & ~BLOCK_FEATURE.flush, undefined],
  ] as const) {
    const made = rig({ features });
    assert.ok((await finish(made, made.block.flush(), new SeededRandom(1))).ok);
    assert.equal(made.disk.requests.get(4), count);
  }
});

test('operations without end › at the bound fine, one more is busy, and all are done', async () => {
  const made = rig({ config: { operationsMax: 20 } });
  made.disk.isHolding = true;
  const all = Array.from({ length: 20 }, (_, at) => made.block.write(at, filled(at)));
  made.run();
  const busy = { ok: false, error: { kind: 'busy' } };
  assert.deepEqual(await made.block.read(0, filled(0)), busy);
  assert.deepEqual(await made.block.flush(), busy);
  assert.equal(made.block.counters().busy, 2);
  const ends = await finish(made, Promise.all(all), new SeededRandom(2));
  assert.ok(ends.every(({ ok }) => ok));
  assert.ok((await finish(made, made.block.read(19, filled(0)), new SeededRandom(2))).ok);
});

test('70,000 requests › indices wrap › nothing lost, and no interrupt while busy', async () => {
  const made = rig();
  const before = made.disk.device.interrupts;
  const bytes = filled(3);
  for (let i = 0; i < 8_750; i++) {
    for (let at = 0; at < 8; at++) void made.block.write(at, bytes);
    made.base.run();
  }
  made.run();
  assert.equal(made.block.counters().requestsDone, 70_000);
  assert.equal(made.block.counters().waiting, 0);
  // With event indices one may come in every 2^16 completions.
  assert.ok(made.disk.device.interrupts - before <= 2);
});

test('idle, something under way › one interrupt for the end; nothing under way › none', async () => {
  const made = rig();
  made.disk.isHolding = true;
  const read = made.block.read(0, filled(0));
  made.run();
  const before = made.disk.device.interrupts;
  made.disk.end(0);
  assert.equal(made.disk.device.interrupts - before, 1);
  made.run();
  assert.ok((await read).ok);
});

for (const [status, code] of [
  [1, 1],
  [2, 2],
] as const) {
  test(`status ${status} › that operation fails, others go on`, async () => {
    const made = rig();
    made.disk.status = status;
    const into = filled(0xa5);
    const failed = { ok: false, error: { kind: 'device', code } };
    for (const work of [() => made.block.read(0, into), () => made.block.flush()]) {
      assert.deepEqual(await finish(made, work(), new SeededRandom(1)), failed);
    }
    assert.ok(
      into.every((byte) => byte === 0xa5),
      'nothing of it is handed over',
    );
    made.disk.status = 0;
    assert.ok((await finish(made, made.block.read(0, into), new SeededRandom(1))).ok);
    assert.equal(made.block.counters().requestsFailed, 2);
    assert.deepEqual(made.faults, []);
  });
}

test('a piece fails › no more are begun; the answer comes when all that were are over', async () => {
  const made = rig({ config: { requests: 2 } });
  made.disk.isHolding = true;
  let isOver = false;
  const work = made.block.write(0, new Uint8Array(128 * 1_024)).finally(() => {
    isOver = true;
  });
  made.run();
  made.disk.status = 1;
  made.disk.end(0);
  made.disk.status = 0;
  made.run();
  await setImmediate();
  assert.ok(!isOver && made.disk.held.length === 1);
  made.disk.end(0);
  made.run();
  assert.deepEqual(await work, { ok: false, error: { kind: 'device', code: 1 } });
  assert.equal(made.disk.requests.get(1), 2);
  assert.equal(made.block.counters().waiting, 0);
});

// What a lying device does: everything under way ends, and nothing is handed over.
const lies: Record<string, [VirtioFault['kind'], (disk: SimulatedDisk) => void]> = {
  'id out of range': ['used id', (disk) => disk.device.complete(0, 4_000, 1)],
  'id of 2^32 - 1': ['used id', (disk) => disk.device.complete(0, 0xffffffff, 1)],
  'id inside a chain': [
    'used id',
    (disk) => disk.device.complete(0, disk.held[0]!.chain.head + 1, 1),
  ],
  'id twice': [
    'used id',
    (disk) => {
      const { head } = disk.held[0]!.chain;
      disk.held[0]!.chain.writable.at(-1)![0] = 0;
      disk.device.completeRaw(0, head, 513, 0);
      disk.device.completeRaw(0, head, 513, 1);
      disk.device.publishUsed(0, 2);
    },
  ],
  'length over the buffers': [
    'used length',
    (disk) => disk.device.complete(0, disk.held[0]!.chain.head, 514),
  ],
  'length of 2^32 - 1': [
    'used length',
    (disk) => disk.device.complete(0, disk.held[0]!.chain.head, 0xffffffff),
  ],
  'success, and less than was to be read': [
    'used length',
    (disk) => {
      disk.held[0]!.chain.writable.at(-1)![0] = 0;
      disk.device.complete(0, disk.held[0]!.chain.head, 511);
    },
  ],
  'no status': ['status', (disk) => disk.device.complete(0, disk.held[0]!.chain.head, 513)],
  'status 3': [
    'status',
    (disk) => {
      disk.held[0]!.chain.writable.at(-1)![0] = 3;
      disk.device.complete(0, disk.held[0]!.chain.head, 513);
    },
  ],
  'more ends than requests': ['used overrun', (disk) => disk.device.publishUsed(0, 9)],
  'an index that ran backwards': ['used overrun', (disk) => disk.device.publishUsed(0, 0xffff)],
  'device needs reset': [
    'needs reset',
    (disk) => {
      disk.device.status |= 64;
      disk.device.interrupt(2);
    },
  ],
};
for (const [name, [kind, lie]] of Object.entries(lies)) {
  test(`hostile device › ${name} › stopped with ${kind}, everything ends with an error`, async () => {
    const made = rig({ config: { requests: 2 } });
    const { block, disk } = made;
    disk.isHolding = true;
    const into = filled(0xa5);
    const all = [
      block.read(0, into),
      block.write(1, filled(1)),
      block.flush(),
      block.read(2, into),
    ];
    made.run();
    lie(disk);
    made.run();
    made.run();
    assert.deepEqual(
      made.faults.map((fault) => fault.kind),
      [kind],
    );
    assert.ok(formatVirtioFault(made.faults[0]!).length > 10);
    const ends = await Promise.all(all);
    assert.deepEqual(ends.slice(1), [gone, gone, gone]);
    assert.equal(ends[0]!.ok, false);
    assert.ok(into.every((byte) => byte === 0xa5));
    assert.ok((disk.device.status & 128) !== 0, 'told that we failed');
    assert.deepEqual([block.counters().stopped, block.counters().waiting], [1, 0]);
    for (const work of [block.read(0, into), block.flush(), block.discard!(0, 1)]) {
      assert.deepEqual(await work, gone);
    }
  });
}

test('hostile device › writes into memory after the end › what was read stays as it is', async () => {
  const made = rig();
  made.disk.isHolding = true;
  const into = filled(0);
  const read = made.block.read(0, into);
  made.run();
  const { chain } = made.disk.end(0);
  made.run();
  await read;
  chain.writable[0]!.fill(0xee);
  assert.ok(into.every((byte) => byte === 0));
});

/** A device that does anything at all: what it says of itself, and how it ends requests. */
async function anything(seed: number): Promise<string> {
  const random = new SeededRandom(seed);
  const pick = (...choices: readonly number[]): number => choices[random.below(choices.length)]!;
  const made = openDisk({
    features: random.u32() % 2 ** 30,
    disk: {
      sectors: pick(0, 1, 64, 256, 2 ** 40, 2 ** 53),
      sizeMax: pick(0, 1, 511, 513, 4_096, 2 ** 32 - 1),
      segmentsMax: pick(0, 1, 3, 126, 2 ** 32 - 1),
      blockBytes: pick(0, 512, 520, 4_096, 65_536, 2 ** 31),
      physicalExponent: pick(0, 3, 255),
      discardSectorsMax: pick(0, 1, 2 ** 32 - 1),
      zeroesSectorsMax: pick(0, 7, 2 ** 32 - 1),
    },
    device: { queueSizes: [pick(0, 1, 3, 4, 128, 32_768)] },
  });
  if (!made.opened.ok) return made.opened.error.kind;
  const { base, disk, faults } = made;
  const block = made.opened.value;
  base.onTurn(createTurn(base, new TimerQueue(instantOfMicros(0)), [block.loop]));
  disk.isHolding = true;
  const bytes = new Uint8Array(4 * block.blockBytes);
  const all = [block.read(0, bytes), block.write(0, bytes), block.flush(), block.read(0, bytes)];
  for (let turns = 0; turns < 12; turns++) {
    base.run();
    const request = disk.held[random.below(Math.max(1, disk.held.length))];
    const head = random.chance(0.3) ? random.u32() : (request?.chain.head ?? 0);
    if (request !== undefined && random.chance(0.8)) {
      request.chain.writable.at(-1)![0] = pick(0, 0, 0, 1, 2, 3, 255);
    }
    if (random.chance(0.05)) disk.device.publishUsed(0, random.below(65_536));
    else disk.device.complete(0, head, random.chance(0.2) ? random.u32() : random.below(2_200));
    disk.held.splice(disk.held.indexOf(request!), request === undefined ? 0 : 1);
    base.run();
    block.checkInvariants();
  }
  // What never ended ends when the device is given up.
  disk.device.status |= 64;
  disk.device.interrupt(2);
  base.run();
  const ends = await Promise.all(all);
  assert.ok(faults.length <= 1 && ends.every((end) => end.ok || end.error.kind.length > 3));
  return faults[0]?.kind ?? 'fine';
}

test('hostile device › anything, 200 times › no throw, no loop, every operation ends', async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) seen.add(await anything(seed));
  for (const kind of ['malformed', 'used id', 'used length', 'used overrun', 'status']) {
    assert.ok(seen.has(kind), `${kind} among ${[...seen]}`);
  }
});
