import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import {
  AssertionError,
  after,
  FOREVER,
  hot,
  instantOfMicros,
  millis,
  readU16be,
  readU32be,
  Timer,
  writeU16be,
} from '#core';
import type { Program } from '#device';
import {
  launch,
  PcapRecorder,
  SimNetDevice,
  type SimNetDeviceOptions,
  SimRandom,
  SimTimeout,
  SimWorld,
  simNetDeviceDefaults,
} from './index.ts';

interface End {
  readonly device: SimNetDevice;
  readonly got: Uint8Array[];
  readonly borrowed: Uint8Array[];
  readonly vouched: boolean[];
  ready: number;
}

/** Two devices on one switch, and what arrives at each. */
function pair(seed = 1, options: Partial<SimNetDeviceOptions> = {}) {
  const world = new SimWorld(seed);
  const ends = ['a', 'b'].map((name): End => {
    const { device } = world.addHost(name, options);
    const end: End = { device, got: [], borrowed: [], vouched: [], ready: 0 };
    end.device.attach({
      receive(frame, checksumGood) {
        end.vouched.push(checksumGood);
        end.got.push(frame.slice());
        end.borrowed.push(frame);
      },
      transmitReady() {
        end.ready += 1;
      },
    });
    return end;
  });
  const [a, b] = ends as [End, End];
  return { world, a, b };
}

/** Sends a frame with `byte` as content; false when there is no room. */
function send(from: End, to: End, byte: number, parts: Uint8Array[] = []): boolean {
  const memory = from.device.reserve();
  if (memory === null) return false;
  memory.set(to.device.mac, 0);
  memory.set(from.device.mac, 6);
  memory.set([8, 0], 12);
  memory.fill(byte, 14, 60);
  from.device.commit(60, parts, null);
  return true;
}

const contents = (end: End): number[] => end.got.map((frame) => frame[14]!);

test('random › the same seed › the same numbers; a fork › others', () => {
  const [a, b, c] = [new SimRandom(42), new SimRandom(42), new SimRandom(43)];
  const draws = [a, b, c].map((random) => Array.from({ length: 8 }, () => random.u32()));
  assert.deepEqual(draws[0], draws[1]);
  assert.notDeepEqual(draws[0], draws[2]);
  assert.notEqual(a.fork().u32(), a.u32());
});

test('random › mean and bounds › as asked', () => {
  const random = new SimRandom(3);
  let sum = 0;
  for (let i = 0; i < 10_000; i++) {
    const value = random.between(3, 7);
    assert(value >= 3 && value <= 7);
    sum += value;
  }
  assert(Math.abs(sum / 10_000 - 5) < 0.1);
  assert.equal(random.chance(0), false);
  assert.throws(() => random.pick([]), RangeError);
});

test('switch › without faults › everything, in order, after the delay', () => {
  const { world, a, b } = pair();
  for (let i = 0; i < 50; i++) send(a, b, i);
  world.run(instantOfMicros(99));
  assert.deepEqual(b.got, []);
  world.run(instantOfMicros(100));
  assert.deepEqual(
    contents(b),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

test('switch › each fault › happens about as often as asked, and the same again for a seed', () => {
  const run = (seed: number) => {
    const { world, a, b } = pair(seed);
    Object.assign(world.network.faults, {
      lossShare: 0.1,
      duplicateShare: 0.1,
      reorderShare: 0.1,
      corruptShare: 0.1,
    });
    for (let i = 0; i < 1_000; i++) {
      send(a, b, i & 255);
      world.run(after(world.timers.now, millis(0.05)));
    }
    world.run(instantOfMicros(1e9));
    return { counters: world.network.counters, got: Buffer.concat(b.got).toString('base64') };
  };
  const first = run(5);
  for (const name of ['lost', 'duplicated', 'reordered', 'corrupted'] as const) {
    assert(first.counters[name] > 60 && first.counters[name] < 160, name);
  }
  assert.deepEqual(run(5), first);
  assert.notEqual(run(6).got, first.got);
});

test('switch › corruption › one bit, never of the Ethernet header', () => {
  const { world, a, b } = pair();
  world.network.faults.corruptShare = 1;
  send(a, b, 0);
  world.run(instantOfMicros(1_000));
  const bits = b.got[0]!.subarray(14).reduce(
    (sum, byte) => sum + byte.toString(2).split('1').length - 1,
    0,
  );
  assert.equal(bits, 1);
  assert.deepEqual(b.got[0]!.subarray(0, 6), b.device.mac);
});

test('switch › cut, then healed › nothing passes, then everything', () => {
  const { world, a, b } = pair();
  world.network.cut(a.device, b.device);
  send(a, b, 1);
  send(b, a, 2);
  world.run(instantOfMicros(1_000));
  assert.deepEqual([a.got, b.got], [[], []]);
  world.network.heal();
  send(a, b, 3);
  world.run(instantOfMicros(2_000));
  assert.deepEqual(contents(b), [3]);
});

test('device › frames after the call, memory after commit › overwritten', () => {
  const { world, a, b } = pair();
  const memory = a.device.reserve()!;
  send(a, b, 1);
  assert(memory.every((byte) => byte === 0xa5));
  world.run(instantOfMicros(1_000));
  assert(b.borrowed[0]!.every((byte) => byte === 0xa5));
});

test('device › a part that changes while borrowed › found', () => {
  const { world, a, b } = pair();
  const part = Uint8Array.of(1, 2, 3);
  send(a, b, 1, [part]);
  part[1] = 9;
  assert.throws(() => world.run(instantOfMicros(1_000)), AssertionError);
});

test('device › broken promises of a sender › assertions', () => {
  const { a, b } = pair();
  assert.throws(() => a.device.commit(60, [], null), /reserve/);
  assert(a.device.reserve());
  assert.throws(() => a.device.commit(13, [], null), AssertionError);
  assert.throws(() => a.device.commit(60, [new Uint8Array(1500)], null), /MTU/);
  const request = { startAt: 34, fieldAt: 16, segmentBytes: 0, headerBytes: 0 };
  assert(a.device.reserve());
  assert.throws(() => a.device.commit(60, [], request), /offload/);
  const many = Array.from({ length: 17 }, () => new Uint8Array(1));
  assert.throws(() => send(a, b, 1, many), AssertionError);
  assert.throws(() => a.device.attach({ receive() {}, transmitReady() {} }), /twice/);
  const loose = new SimNetDevice(
    { ...simNetDeviceDefaults, mac: new Uint8Array(6) },
    new SimWorld(1).timers,
    () => {},
  );
  assert.throws(() => loose.reserve(), /attach/);
});

test('device › bandwidth › frames leave one by one; a full queue refuses, then tells', () => {
  const { world, a, b } = pair(1, { bitsPerSecond: 480_000, queueFramesMax: 2 });
  // 60 bytes at 480 kbit/s are a millisecond.
  assert.deepEqual([send(a, b, 1), send(a, b, 2), send(a, b, 3)], [true, true, false]);
  world.run(instantOfMicros(999));
  assert.equal(a.ready, 0);
  world.run(instantOfMicros(1_000));
  assert.equal(a.ready, 1);
  assert.equal(send(a, b, 4), true);
  world.run(instantOfMicros(2_099));
  assert.equal(b.got.length, 1);
  world.run(instantOfMicros(10_000));
  assert.deepEqual([contents(b), a.ready], [[1, 2, 4], 1]);
});

/** A TCP segment over IPv4 with its checksum left to the device. */
function largeSegment(
  from: End,
  to: End,
  payloadBytes: number,
): { head: Uint8Array; part: Uint8Array } {
  const head = new Uint8Array(54);
  head.set(to.device.mac, 0);
  head.set(from.device.mac, 6);
  head.set([8, 0, 0x45], 12);
  writeU16be(head, 16, 40 + payloadBytes);
  head.set([64, 6], 22);
  head.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  head.set([0, 0, 1, 0], 38);
  head.set([0x50, 0x19], 46);
  writeU16be(
    head,
    50,
    hot.checksum(Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2, 0, 6), 0, 10, 20 + payloadBytes),
  );
  return { head, part: Uint8Array.from({ length: payloadBytes }, (_, i) => i) };
}

test('device › a large segment › cut into frames that verify (RFC 9293, RFC 791)', () => {
  const { world, a, b } = pair(1, { transmitChecksum: true, segmentBytesMax: 65_535 });
  const { head, part } = largeSegment(a, b, 2_500);
  a.device.reserve()!.set(head);
  a.device.commit(54, [part], { startAt: 34, fieldAt: 16, segmentBytes: 1_000, headerBytes: 54 });
  world.run(instantOfMicros(1_000));
  assert.deepEqual(
    b.got.map((frame) => frame.length - 54),
    [1_000, 1_000, 500],
  );
  assert.deepEqual(
    b.got.map((frame) => readU32be(frame, 38)),
    [256, 1_256, 2_256],
  );
  assert.deepEqual(
    b.got.map((frame) => frame[47]),
    [0x10, 0x10, 0x19],
  );
  for (const frame of b.got) {
    assert.equal(hot.checksum(frame, 14, 20, 0), 0xffff);
    const pseudo = Uint8Array.from([...frame.subarray(26, 34), 0, 6]);
    const sum = hot.checksum(pseudo, 0, 10, frame.length - 34);
    assert.equal(hot.checksum(frame, 34, frame.length - 34, sum), 0xffff);
  }
  assert.deepEqual(Buffer.concat(b.got.map((frame) => frame.subarray(54))), Buffer.from(part));
});

test('device › a checksum request › filled in, or left and vouched for between machines of one host', () => {
  for (const receivesPartialChecksums of [false, true]) {
    const { world, a, b } = pair(1, { transmitChecksum: true, receivesPartialChecksums });
    const { head } = largeSegment(a, b, 0);
    a.device.reserve()!.set(head);
    a.device.commit(54, [], { startAt: 34, fieldAt: 16, segmentBytes: 0, headerBytes: 0 });
    world.run(instantOfMicros(1_000));
    const isUnfilled = readU16be(b.got[0]!, 50) === readU16be(head, 50);
    assert.equal(isUnfilled, receivesPartialChecksums);
    assert.deepEqual(b.vouched, [receivesPartialChecksums]);
  }
});

test('world › a condition that never comes › SimTimeout with the seed', () => {
  const { world } = pair(77);
  assert.throws(
    () => world.runUntil(() => false, instantOfMicros(1_000)),
    (error: unknown) => {
      return error instanceof SimTimeout && error.message.includes('seed 77');
    },
  );
  assert.equal(world.timers.now, 1_000);
});

test('world › a checker that fails › the instant at which it happens', () => {
  const { world, a, b } = pair();
  world.onCheck(() => {
    if (b.got.length > 0) throw new AssertionError('seen');
  });
  send(a, b, 1);
  assert.throws(() => world.run(FOREVER), /seen/);
  assert.equal(world.timers.now, 100);
});

test('launch › a program of promises and timers › its exit code, in virtual time', async () => {
  const world = new SimWorld(1);
  const program: Program = async (machine) => {
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => {
        machine.timers.arm(new Timer(() => resolve()), after(machine.timers.now, millis(500)));
      });
      machine.console.writeLine(
        `${new Date(machine.clock.wall()).toISOString()} ${machine.bootArguments}`,
      );
    }
    return 7;
  };
  const process = launch(program, { world, host: world.addHost('a'), bootArguments: ['--x=1'] });
  assert.equal(await process.wait(instantOfMicros(10_000_000), settle), 7);
  assert.equal(process.consoleLines[2], '2026-01-01T00:00:01.500Z --x=1');
});

test('launch › exit from a timer, a rejection, no end › the code, the error, SimTimeout', async () => {
  const start = (program: Program) => {
    const world = new SimWorld(1);
    return launch(program, { world, host: world.addHost('a') });
  };
  const limit = instantOfMicros(10_000_000);
  const exits = start(
    (machine) =>
      new Promise(() => {
        machine.timers.arm(new Timer(() => machine.exit(3)), after(machine.timers.now, millis(5)));
      }),
  );
  assert.equal(await exits.wait(limit, settle), 3);
  const early = start(async (machine) => machine.exit(4));
  assert.equal(await early.wait(limit, settle), 4);
  const rejects = start(() => Promise.reject(new TypeError('planted')));
  await assert.rejects(rejects.wait(limit, settle), /planted/);
  await assert.rejects(start(() => new Promise(() => {})).wait(limit, settle), SimTimeout);
});

test('pcap › frames › a header and a record each, up to the bound', () => {
  const { world, a, b } = pair();
  const pcap = new PcapRecorder(2);
  world.network.tap = pcap.tap;
  for (let i = 0; i < 3; i++) send(a, b, i);
  const file = pcap.bytes();
  assert.equal(file.length, 24 + 2 * (16 + 60));
  assert.deepEqual([...file.subarray(0, 4)], [0xd4, 0xc3, 0xb2, 0xa1]);
  assert.equal(file[24 + 8], 60);
});
