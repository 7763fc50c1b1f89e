/** The network devices on simulated links: what all must do, and what each does at its limits. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instantOfMicros, TimerQueue } from '#core';
import type { NetDevice, NetHandler } from '#device';
import { type NetWire, netCases, testFrame } from '#device/conformance';
import { SimRandom } from '#targets/sim/index';
import { createTurn, type LoopDevice } from '../base/loop.ts';
import { LINK } from './base.ts';
import { joinEnds, SimulatedProcess, SimulatedStream, SimulatedTap } from './simulated-base.ts';
import { formatStreamFault, StreamDevice, type StreamFault } from './stream-device.ts';
import { TapDevice } from './tap-device.ts';

const HEADER_BYTES = 12;
const FRAME_BYTES_MAX = 65_549;

class Recorder implements NetHandler {
  readonly frames: Uint8Array[] = [];
  readonly good: boolean[] = [];
  ready = 0;

  receive(frame: Uint8Array, checksumGood: boolean): void {
    this.frames.push(frame.slice());
    this.good.push(checksumGood);
  }

  transmitReady(): void {
    this.ready++;
  }
}

function loop(base: SimulatedProcess, devices: readonly LoopDevice[]): void {
  base.onTurn(createTurn(base, new TimerQueue(instantOfMicros(0)), devices));
}

function never(): never {
  throw new Error('the link was given up');
}

function tapWire(shape: Partial<SimulatedTap>): NetWire {
  const base = new SimulatedProcess();
  const ends = [new SimulatedTap(1), new SimulatedTap(2)] as const;
  joinEnds<SimulatedTap>(ends[0], ends[1]);
  for (const end of ends) {
    base.addLink(Object.assign(end, shape));
  }
  const [a, b] = [new TapDevice(base, 0, never), new TapDevice(base, 1, never)];
  loop(base, [a, b]);
  return { a, b, settle: async () => void base.run() };
}

function streamWire(shape: Partial<SimulatedStream>): NetWire {
  const base = new SimulatedProcess();
  const ends = [new SimulatedStream(1), new SimulatedStream(2)] as const;
  joinEnds<SimulatedStream>(ends[0], ends[1]);
  for (const end of ends) {
    base.addLink(Object.assign(end, shape));
  }
  const [a, b] = [new StreamDevice(base, 0, never), new StreamDevice(base, 1, never)];
  loop(base, [a, b]);
  return { a, b, settle: async () => void base.run() };
}

const kinds: Record<string, () => NetWire> = {
  tap: () => tapWire({}),
  'tap whose queue holds 20 frames': () => tapWire({ queueFramesMax: 20 }),
  stream: () => streamWire({}),
  'stream that holds 5,000 bytes': () => streamWire({ bytesMax: 5_000 }),
  'stream cut at every byte': () => streamWire({ cut: () => 1 }),
};
for (const seed of [1, 2, 3]) {
  kinds[`stream cut anywhere, seed ${seed}`] = () => {
    const random = new SimRandom(seed);
    return streamWire({
      cut: (bytes) => 1 + random.below(bytes),
      bytesMax: 1_000 + random.below(50_000),
    });
  };
}

for (const [kind, wire] of Object.entries(kinds)) {
  for (const { name, run } of netCases) test(`${kind} › ${name}`, () => run(wire()));
}

function send(device: NetDevice, frame: Uint8Array): boolean {
  const memory = device.reserve();
  if (memory === null) return false;
  memory.set(frame);
  device.commit(frame.length, [], null);
  return true;
}

describe('tap', () => {
  function rig() {
    const base = new SimulatedProcess();
    const tap = new SimulatedTap(1);
    base.addLink(tap);
    let gone = 0;
    const device = new TapDevice(base, 0, () => gone++);
    const recorder = new Recorder();
    device.attach(recorder);
    loop(base, [device]);
    return { base, tap, device, recorder, gone: () => gone };
  }

  /** A frame behind a header whose flags are `flags`. */
  const behind = (flags: number, frame: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(HEADER_BYTES + frame.length);
    bytes[0] = flags;
    bytes.set(frame, HEADER_BYTES);
    return bytes;
  };

  test('header › no flags, NEEDS_CSUM, DATA_VALID › vouched for in the latter two', () => {
    const { base, tap, device, recorder } = rig();
    for (const flags of [0, 1, 2]) {
      tap.arriving.push(behind(flags, testFrame(device, device, 60, flags)));
    }
    base.run();
    assert.deepEqual(recorder.good, [false, true, true]);
  });

  test('a checksum, or segments, left to do › told while the frame is in hand', () => {
    const { base, tap, device, recorder } = rig();
    const requests: unknown[] = [];
    recorder.receive = () => void requests.push(structuredClone(device.receivedRequest()));
    const first = behind(1, testFrame(device, device, 60, 1));
    first.set([0, 0, 0, 0, 0, 34, 0, 6, 0], 1);
    const large = behind(1, testFrame(device, device, 5_000, 2));
    large.set([1, 54, 0, 0xb4, 0x05, 34, 0, 16, 0], 1);
    const summed = behind(2, testFrame(device, device, 5_000, 3));
    summed.set([1, 54, 0, 0xb4, 0x05], 1);
    tap.arriving.push(first, large, summed, behind(2, testFrame(device, device, 60, 4)));
    base.run();
    assert.deepEqual(requests, [
      { startAt: 34, fieldAt: 6, segmentBytes: 0, headerBytes: 0 },
      { startAt: 34, fieldAt: 16, segmentBytes: 1_460, headerBytes: 54 },
      { startAt: 0, fieldAt: 0, segmentBytes: 1_460, headerBytes: 54 },
      null,
    ]);
  });

  test('the largest frame › received; shorter than a header or an Ethernet header › counted', () => {
    const { base, tap, device, recorder } = rig();
    const large = testFrame(device, device, FRAME_BYTES_MAX, 1);
    tap.arriving.push(behind(1, large), new Uint8Array(5), new Uint8Array(HEADER_BYTES + 13));
    base.run();
    assert.deepEqual(recorder.frames, [large]);
    assert.equal(device.counters().receiveShort, 2);
  });

  test('a segment to be cut › the header says so, for IPv4 and IPv6; the next one is plain', () => {
    const { base, tap, device } = rig();
    const request = { startAt: 34, fieldAt: 16, segmentBytes: 1460, headerBytes: 54 };
    for (const [high, low] of [
      [0x08, 0x00],
      [0x86, 0xdd],
    ]) {
      const memory = device.reserve()!;
      memory.set(testFrame(device, device, 54, 1));
      memory[12] = high!;
      memory[13] = low!;
      device.commit(54, [new Uint8Array(40_000)], request);
    }
    assert.ok(send(device, testFrame(device, device, 60, 2)));
    base.run();
    const headers = tap.sent.map((bytes) => [...bytes.subarray(0, HEADER_BYTES)]);
    assert.deepEqual(headers, [
      [1, 1, 54, 0, 180, 5, 34, 0, 16, 0, 0, 0],
      [1, 4, 54, 0, 180, 5, 34, 0, 16, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]);
    assert.equal(tap.sent[0]!.length, HEADER_BYTES + 54 + 40_000);
  });

  test('no room › the frame waits and leaves first, transmitReady tells', () => {
    const { base, tap, device, recorder } = rig();
    tap.queueFramesMax = 1;
    const frames = [1, 2, 3].map((seed) => testFrame(device, device, 60 + seed, seed));
    assert.ok(send(device, frames[0]!) && send(device, frames[1]!));
    assert.equal(device.reserve(), null);
    base.run();
    assert.ok(base.isWaitingForRoom(0));
    assert.equal(recorder.ready, 0);
    tap.queueFramesMax = 9;
    base.run();
    assert.equal(recorder.ready, 1);
    assert.ok(!base.isWaitingForRoom(0));
    assert.ok(send(device, frames[2]!));
    const lengths = tap.sent.map((bytes) => bytes.length - HEADER_BYTES);
    assert.deepEqual(lengths, [61, 62, 63]);
    assert.equal(device.counters().transmitFull, 1);
  });

  test('the host refuses a frame › lost and counted, the device goes on', () => {
    const { base, tap, device } = rig();
    tap.sendCode = LINK.lost;
    assert.ok(send(device, testFrame(device, device, 60, 1)));
    tap.sendCode = 0;
    assert.ok(send(device, testFrame(device, device, 60, 2)));
    base.run();
    assert.equal(device.counters().sendLost, 1);
    assert.equal(tap.sent.length, 1);
  });

  for (const direction of ['receiveCode', 'sendCode'] as const) {
    test(`taken away › noticed by ${direction} › told once, and silent from then on`, () => {
      const { base, tap, device, gone } = rig();
      tap[direction] = LINK.gone;
      send(device, testFrame(device, device, 60, 1));
      base.run();
      send(device, testFrame(device, device, 60, 2));
      base.run();
      assert.equal(gone(), 1);
      assert.equal(device.counters().linkUp, 0);
    });
  }

  test('idle › sleeps after one read; a frame a time › two reads each', () => {
    const { base, tap, device } = rig();
    base.run();
    const before = base.calls;
    for (let i = 0; i < 10; i++) {
      tap.arriving.push(behind(0, testFrame(device, device, 60, i)));
      base.run();
    }
    assert.equal(base.calls - before, 20);
  });

  test('more frames than one turn takes › all arrive', () => {
    const { base, tap, device, recorder } = rig();
    for (let i = 0; i < 200; i++) tap.arriving.push(behind(0, testFrame(device, device, 60, i)));
    base.run();
    assert.equal(recorder.frames.length, 200);
  });
});

describe('stream', () => {
  function rig() {
    const base = new SimulatedProcess();
    const stream = new SimulatedStream(1);
    base.addLink(stream);
    const faults: StreamFault[] = [];
    const device = new StreamDevice(base, 0, (fault) => faults.push(fault));
    const recorder = new Recorder();
    device.attach(recorder);
    loop(base, [device]);
    return { base, stream, device, recorder, faults };
  }

  const framed = (bytes: Uint8Array, length = bytes.length): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    return Buffer.concat([head, bytes]);
  };

  const LIES = [0, 1, 13, FRAME_BYTES_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff];
  for (const length of LIES) {
    test(`length ${length} › the link is given up, what came before was handed over`, () => {
      const { base, stream, device, recorder, faults } = rig();
      const good = testFrame(device, device, 60, 1);
      stream.arriving = Buffer.concat([framed(good), framed(good, length), framed(good)]);
      base.run();
      assert.deepEqual(faults, [{ kind: 'frame length', bytes: length }]);
      assert.match(formatStreamFault(faults[0]!), new RegExp(`a frame of ${length} bytes`));
      assert.deepEqual(recorder.frames, [good]);
      assert.ok(!send(device, good));
      base.run();
      assert.equal(stream.sent.length, 0);
    });
  }

  for (const length of [14, 15, 1514, 9014, FRAME_BYTES_MAX]) {
    test(`length ${length} › handed over`, () => {
      const { base, stream, device, recorder } = rig();
      const frames = [1, 2, 3].map((seed) => testFrame(device, device, length, seed));
      stream.arriving = Buffer.concat(frames.map((frame) => framed(frame)));
      base.run();
      assert.deepEqual(recorder.frames, frames);
    });
  }

  test('half a frame, then nothing › sleeps; the rest › handed over', () => {
    const { base, stream, device, recorder } = rig();
    const frame = testFrame(device, device, 1000, 1);
    const bytes = framed(frame);
    for (const [from, to] of [
      [0, 2],
      [2, 4],
      [4, 500],
      [500, 1004],
    ] as const) {
      assert.equal(recorder.frames.length, 0);
      stream.arriving = bytes.subarray(from, to);
      base.run();
    }
    assert.deepEqual(recorder.frames, [frame]);
  });

  test('closed › told once, nothing more is sent', () => {
    const { base, stream, device, faults } = rig();
    stream.isClosed = true;
    base.run();
    base.run();
    assert.deepEqual(faults, [{ kind: 'closed' }]);
    assert.equal(formatStreamFault(faults[0]!), 'was closed by its peer');
    assert.equal(device.reserve(), null);
    assert.ok(device.hasSentAll());
    assert.equal(device.counters().linkUp, 0);
  });

  test('closed while sending › told', () => {
    const { base, stream, device, faults } = rig();
    assert.ok(send(device, testFrame(device, device, 60, 1)));
    stream.isClosed = true;
    base.run();
    assert.deepEqual(faults, [{ kind: 'closed' }]);
  });

  test('a peer that never reads › the queue is bounded, then room again', () => {
    const { base, stream, device, recorder } = rig();
    stream.bytesMax = 10_000;
    const frame = testFrame(device, device, 1514, 1);
    let accepted = 0;
    while (send(device, frame) && accepted < 1_000) accepted++;
    // 262,144 bytes of ours and 10,000 of the wire.
    assert.equal(accepted, Math.floor((262_144 + 10_000) / 1518));
    base.run();
    assert.ok(base.isWaitingForRoom(0));
    assert.equal(recorder.ready, 0);
    stream.bytesMax = 10_000_000;
    base.run();
    assert.equal(recorder.ready, 1);
    assert.equal(stream.sent.length, accepted * 1518);
    assert.ok(!base.isWaitingForRoom(0));
  });

  test('many frames in a turn › one write and one read', () => {
    const base = new SimulatedProcess();
    const ends = [new SimulatedStream(1), new SimulatedStream(2)] as const;
    joinEnds<SimulatedStream>(ends[0], ends[1]);
    for (const end of ends) base.addLink(end);
    const [a, b] = [new StreamDevice(base, 0, never), new StreamDevice(base, 1, never)];
    const recorder = new Recorder();
    b.attach(recorder);
    loop(base, [a, b]);
    base.run();
    const before = base.calls;
    for (let i = 0; i < 50; i++) assert.ok(send(a, testFrame(a, b, 200, i)));
    base.run();
    assert.equal(recorder.frames.length, 50);
    assert.equal(base.calls - before, 2);
  });
});
