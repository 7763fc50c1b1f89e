/**
 * What every NetDevice must do, as cases that any target can run: in a test runner, in the
 * simulator, in an image. A case gets a wire with a device at each end and fails by throwing.
 * Required reading: net.ts. Not here: cutting of large segments, which needs a wire with a host's
 * kernel at the other end.
 */

import { assert, hot } from '#core';
import type { ChecksumRequest, NetDevice } from '#device';

/**
 * Two devices of the same kind joined by a wire that loses and reorders nothing. A transmit queue
 * holds at least 16 frames.
 */
export interface NetWire {
  readonly a: NetDevice;
  readonly b: NetDevice;
  /** Waits until all that was committed has been received; rejects when that takes too long. */
  settle(): Promise<void>;
}

export interface NetCase {
  readonly name: string;
  /** `wire` is fresh: nobody has attached to its devices. */
  run(wire: NetWire): Promise<void>;
}

/** A handler that keeps copies. */
class Recorder {
  readonly frames: Uint8Array[] = [];
  readonly good: boolean[] = [];
  readonly requests: (ChecksumRequest | null)[] = [];
  ready = 0;
  private readonly device: NetDevice;

  constructor(device: NetDevice) {
    this.device = device;
  }

  receive(frame: Uint8Array, checksumGood: boolean): void {
    this.frames.push(frame.slice());
    this.good.push(checksumGood);
    const request = checksumGood ? (this.device.receivedRequest?.() ?? null) : null;
    this.requests.push(request === null ? null : { ...request });
  }

  transmitReady(): void {
    this.ready++;
  }
}

/**
 * More than a transmit queue holds as a rule, and so few bytes that every wire keeps them waiting.
 */
const FRAMES_AT_ONCE = 200;
const NO_PARTS: readonly Uint8Array[] = [];
const ETHERNET_HEADER_BYTES = 14;
/** IEEE 802 local experimental EtherType: no stack takes these frames for its own. */
const ETHERTYPE_EXPERIMENTAL = 0x88b5;

function attachBoth(wire: NetWire): { a: Recorder; b: Recorder } {
  const recorders = { a: new Recorder(wire.a), b: new Recorder(wire.b) };
  wire.a.attach(recorders.a);
  wire.b.attach(recorders.b);
  return recorders;
}

/** A frame from `from` to `to` of `bytes` bytes, its content drawn from `seed`. */
export function testFrame(
  from: NetDevice,
  to: NetDevice,
  bytes: number,
  seed: number,
): Uint8Array<ArrayBuffer> {
  assert(bytes >= ETHERNET_HEADER_BYTES);
  const frame = new Uint8Array(bytes);
  frame.set(to.mac, 0);
  frame.set(from.mac, 6);
  frame[12] = ETHERTYPE_EXPERIMENTAL >> 8;
  frame[13] = ETHERTYPE_EXPERIMENTAL & 0xff;
  for (let i = ETHERNET_HEADER_BYTES; i < bytes; i++) frame[i] = seed + 31 * i + (i >> 8);
  return frame;
}

/** Sends `frame` whole; false when the queue is full. */
function send(device: NetDevice, frame: Uint8Array): boolean {
  const memory = device.reserve();
  if (memory === null) return false;
  hot.copy(memory, 0, frame, 0, frame.length);
  device.commit(frame.length, NO_PARTS, null);
  return true;
}

function expectFrames(got: readonly Uint8Array[], want: readonly Uint8Array[]): void {
  assert(got.length === want.length, `${got.length} frames arrived, ${want.length} were sent`);
  for (const [i, frame] of want.entries()) expectFrame(got[i]!, frame, i);
}

function expectFrame(got: Uint8Array, want: Uint8Array, index: number): void {
  assert(got.length === want.length, `frame ${index}: ${got.length} bytes, not ${want.length}`);
  const same = hot.equal(got, 0, want, 0, want.length);
  assert(same, `frame ${index} of ${want.length} bytes arrived changed`);
}

const identity: NetCase = {
  name: 'mac, mtu and offload › make sense',
  async run(wire) {
    for (const device of [wire.a, wire.b]) {
      assert(device.mac.length === 6 && (device.mac[0]! & 1) === 0, 'mac is a station address');
      assert(device.mtuBytes >= 576, 'mtu is one for IPv4 hosts');
      const { segmentBytesMax, segmentBytesMaxIpv6 = 0, transmitChecksum } = device.offload;
      assert(segmentBytesMax === 0 || segmentBytesMax >= device.mtuBytes, 'segment limit');
      assert(segmentBytesMax === 0 || transmitChecksum, 'segmentation needs checksums');
      assert(segmentBytesMaxIpv6 === 0 || segmentBytesMax > 0, 'IPv6 segments alone');
    }
    assert(!hot.equal(wire.a.mac, 0, wire.b.mac, 0, 6), 'two devices have two addresses');
  },
};

const reserveTwice: NetCase = {
  name: 'reserve › not committed › the same memory again',
  async run(wire) {
    attachBoth(wire);
    const first = wire.a.reserve();
    assert(first !== null && first.length >= ETHERNET_HEADER_BYTES + wire.a.mtuBytes, 'room');
    assert(wire.a.reserve() === first, 'the same memory');
  },
};

const lengths: NetCase = {
  name: 'frames of every kind of length › sent › arrive unchanged and in order',
  async run(wire) {
    const { a, b } = attachBoth(wire);
    const most = ETHERNET_HEADER_BYTES + wire.a.mtuBytes;
    const sizes = [60, 61, 62, 63, 64, 65, 127, 128, 255, 256, 257, 1000, 1023, most - 1, most];
    const there = sizes.map((bytes, i) => testFrame(wire.a, wire.b, bytes, i));
    const back = sizes.map((bytes, i) => testFrame(wire.b, wire.a, bytes, 100 + i));
    for (const frame of there) assert(send(wire.a, frame), 'room for a few frames');
    for (const frame of back) assert(send(wire.b, frame), 'room for a few frames');
    await wire.settle();
    expectFrames(b.frames, there);
    expectFrames(a.frames, back);
  },
};

const manyBursts: NetCase = {
  name: 'many bursts › sent › all arrive in order',
  async run(wire) {
    const { b } = attachBoth(wire);
    const sent: Uint8Array[] = [];
    for (let burst = 0; burst < 40; burst++) {
      for (let i = 0; i < 1 + (burst % 9); i++) {
        const bytes = 60 + ((burst * 131 + i * 17) % 1400);
        const frame = testFrame(wire.a, wire.b, bytes, sent.length);
        assert(send(wire.a, frame), 'room for a burst');
        sent.push(frame);
      }
      await wire.settle();
    }
    expectFrames(b.frames, sent);
  },
};

const parts: NetCase = {
  name: 'commit with parts › head and parts arrive as one frame',
  async run(wire) {
    const { b } = attachBoth(wire);
    const sent: Uint8Array[] = [];
    for (let count = 0; count <= 16; count++) {
      const headBytes = 40 + count;
      const frame = testFrame(wire.a, wire.b, headBytes + 50 * count + 20, count);
      const pieces: Uint8Array[] = [];
      for (let i = 0, at = headBytes; i < count; i++) {
        // The third is empty, the last takes the rest.
        const bytes = i === 2 ? 0 : i === count - 1 ? frame.length - at : 37;
        pieces.push(frame.subarray(at, at + bytes));
        at += bytes;
      }
      // Too short to name the rest: without parts, or with the empty one last, the head is the
      // frame.
      const carried = pieces.reduce((sum, piece) => sum + piece.length, headBytes);
      const memory = wire.a.reserve();
      assert(memory !== null, 'room for a frame with parts');
      hot.copy(memory, 0, frame, 0, headBytes);
      wire.a.commit(headBytes, pieces, null);
      sent.push(frame.subarray(0, carried));
      await wire.settle();
    }
    for (const [i, frame] of sent.entries()) {
      const got = b.frames[i];
      assert(got !== undefined && got.length >= frame.length, `frame ${i} with parts arrived`);
      // Ethernet may pad to 60 bytes.
      assert(frame.length < 60 || got.length === frame.length, `frame ${i} with parts is as long`);
      assert(hot.equal(got, 0, frame, 0, frame.length), `frame ${i} with parts is unchanged`);
    }
  },
};

const fullQueue: NetCase = {
  name: 'more frames than the queue holds › transmitReady after null, and nothing is lost',
  async run(wire) {
    const { a, b } = attachBoth(wire);
    const sent: Uint8Array[] = [];
    let full = false;
    // A device may be as fast as we are: then its queue never fills.
    while (!full && sent.length < FRAMES_AT_ONCE) {
      const frame = testFrame(wire.a, wire.b, 60 + (sent.length % 100), sent.length);
      full = !send(wire.a, frame);
      if (!full) sent.push(frame);
    }
    await wire.settle();
    assert(!full || a.ready >= 1, 'transmitReady was called');
    const last = testFrame(wire.a, wire.b, 77, 7);
    assert(send(wire.a, last), 'room again');
    sent.push(last);
    await wire.settle();
    expectFrames(b.frames, sent);
  },
};

const echo: NetCase = {
  name: 'frame › sent from within receive › arrives',
  async run(wire) {
    const a = new Recorder(wire.a);
    wire.a.attach(a);
    wire.b.attach({
      receive(frame) {
        const reply = frame.slice();
        reply.set(frame.subarray(0, 6), 6);
        reply.set(frame.subarray(6, 12), 0);
        assert(send(wire.b, reply), 'room for a reply');
      },
      transmitReady() {},
    });
    for (let i = 0; i < 10; i++) assert(send(wire.a, testFrame(wire.a, wire.b, 100 + i, i)));
    await wire.settle();
    expectFrames(
      a.frames,
      Array.from({ length: 10 }, (_, i) => testFrame(wire.b, wire.a, 100 + i, i)),
    );
  },
};

const checksum: NetCase = {
  name: 'checksum request › where offered › the sum is right or vouched for',
  async run(wire) {
    if (!wire.a.offload.transmitChecksum) return;
    const { b } = attachBoth(wire);
    for (let i = 0; i < 4; i++) {
      const frame = testFrame(wire.a, wire.b, 120 + i, i);
      // A transport header at 34 with its checksum 16 bytes in, as TCP on IPv4 has it.
      frame[50] = 0x12;
      frame[51] = 0x34;
      const memory = wire.a.reserve();
      assert(memory !== null);
      hot.copy(memory, 0, frame, 0, frame.length);
      const request = { startAt: 34, fieldAt: 16, segmentBytes: 0, headerBytes: 0 };
      wire.a.commit(frame.length, NO_PARTS, request);
      await wire.settle();
      const got = b.frames[i]!;
      assert(got.length === frame.length, 'the frame has its length');
      // The field began as the pseudo-header's sum: whole, everything adds up to the inverse of
      // zero.
      const whole = hot.checksum(got, 34, got.length - 34, 0x1234) === 0xffff;
      assert(b.good[i] === true || whole, 'sum filled in or vouched for');
      const left = b.requests[i]!;
      const isTold = left === null ? whole : left.startAt === 34 && left.fieldAt === 16;
      assert(isTold && (left?.segmentBytes ?? 0) === 0, 'what is left to do is told');
    }
    assert(send(wire.a, testFrame(wire.a, wire.b, 90, 9)));
    await wire.settle();
    expectFrame(b.frames[4]!, testFrame(wire.a, wire.b, 90, 9), 4);
  },
};

const counters: NetCase = {
  name: 'counters › are numbers',
  async run(wire) {
    attachBoth(wire);
    assert(send(wire.a, testFrame(wire.a, wire.b, 64, 1)));
    await wire.settle();
    const all = Object.values(wire.a.counters());
    assert(all.length > 0 && all.every((value) => Number.isSafeInteger(value) && value >= 0));
  },
};

/** The suite. Each case needs a fresh wire. */
export const netCases: readonly NetCase[] = [
  identity,
  reserveTwice,
  lengths,
  manyBursts,
  parts,
  fullQueue,
  echo,
  checksum,
  counters,
];
