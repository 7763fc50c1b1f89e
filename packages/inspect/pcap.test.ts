import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, readU32le, TimerQueue, wallTimeOfMillis } from '#core';
import { type NetDevice, type NetHandler, PCAP_HEAD_BYTES, PCAP_RECORD_BYTES } from '#device';
import { captureBatchBytes, snapBytesMax } from './limits.ts';
import { Capture, type CaptureOptions, captureOptionsOf, hasPort, TapPoint } from './pcap.ts';

/** A device that keeps what is sent, and its handler. */
class Wire {
  readonly sent: Uint8Array[] = [];
  readonly received: Uint8Array[] = [];
  readonly point: TapPoint;
  readonly device: NetDevice;
  handler: NetHandler | null = null;
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly clock = { wall: () => wallTimeOfMillis(1_700_000_000_123) };

  constructor(isOwned = true) {
    const memory = new Uint8Array(70_000);
    this.device = {
      mac: new Uint8Array(6),
      mtuBytes: 1_500,
      offload: { transmitChecksum: false, segmentBytesMax: 0 },
      attach: (handler) => {
        this.handler = handler;
      },
      reserve: () => memory,
      commit: (headBytes, parts) =>
        void this.sent.push(
          Uint8Array.from([...memory.slice(0, headBytes), ...parts.flatMap((p) => [...p])]),
        ),
      counters: () => ({}),
    };
    this.point = new TapPoint(this.device);
    if (isOwned) this.own();
  }

  /** Somebody takes the device over. */
  own(): void {
    this.device.attach({
      receive: (frame) => void this.received.push(frame.slice()),
      transmitReady() {},
    });
  }

  send(frame: Uint8Array, parts: readonly Uint8Array[] = []): void {
    this.device.reserve()!.set(frame);
    this.device.commit(frame.length, parts, null);
  }
}

const ALL: CaptureOptions = { snapBytes: snapBytesMax, port: null, exceptPort: null };

/** A capture whose reader takes while `takes.now`. */
function capture(wire: Wire, options: Partial<CaptureOptions> = {}, takes = { now: true }) {
  const pieces: Uint8Array[] = [];
  const made = new Capture(wire.point, { ...ALL, ...options }, wire, (bytes) => {
    if (takes.now) pieces.push(bytes.slice());
    return takes.now;
  });
  return { capture: made, takes, bytes: () => Buffer.concat(pieces), pieces };
}

/** Records of a file: frame length and what was kept. */
function records(file: Uint8Array): { frameBytes: number; kept: Uint8Array; micros: number }[] {
  assert.equal(readU32le(file, 0), 0xa1b2c3d4);
  const found = [];
  for (let at = PCAP_HEAD_BYTES; at < file.length; ) {
    const kept = readU32le(file, at + 8);
    const start = at + PCAP_RECORD_BYTES;
    found.push({
      frameBytes: readU32le(file, at + 12),
      kept: file.slice(start, start + kept),
      micros: readU32le(file, at) * 1_000_000 + readU32le(file, at + 4),
    });
    at = start + kept;
  }
  return found;
}

/** TCP over IPv4 or IPv6 between two ports. */
function frameOf(version: 4 | 6, ports: [number, number], protocol = 6): Uint8Array {
  const frame = new Uint8Array(80);
  const transportAt = version === 4 ? 34 : 54;
  frame.set(version === 4 ? [0x08, 0x00, 0x45] : [0x86, 0xdd, 0x60], 12);
  frame[version === 4 ? 23 : 20] = protocol;
  frame.set([ports[0] >> 8, ports[0] & 255, ports[1] >> 8, ports[1] & 255], transportAt);
  return frame;
}

test('no capture › nothing stands in the way; none is left after one', () => {
  const wire = new Wire();
  const { commit } = wire.device;
  const { receive } = wire.handler!;
  const { capture: one } = capture(wire);
  const { capture: two } = capture(wire);
  assert.notEqual(wire.device.commit, commit);
  one.stop();
  assert.notEqual(wire.device.commit, commit);
  two.stop();
  assert.equal(wire.device.commit, commit);
  assert.equal(wire.handler!.receive, receive);
});

test('frames both ways › are captured whole, with their time, and arrive all the same', () => {
  const wire = new Wire();
  const { capture: made, bytes } = capture(wire);
  wire.timers.run(instantOfMicros(1_500_000));
  wire.handler!.receive(Uint8Array.of(1, 2, 3), false);
  wire.send(Uint8Array.of(4, 5), [Uint8Array.of(6), Uint8Array.of(7, 8)]);
  made.stop();
  const found = records(bytes());
  assert.deepEqual(
    found.map(({ kept }) => [...kept]),
    [
      [1, 2, 3],
      [4, 5, 6, 7, 8],
    ],
  );
  assert.equal(found[0]!.micros, 1_700_000_000_123_000 + 1_500_000);
  assert.deepEqual(
    wire.received.map((frame) => [...frame]),
    [[1, 2, 3]],
  );
  assert.deepEqual(
    wire.sent.map((frame) => [...frame]),
    [[4, 5, 6, 7, 8]],
  );
});

test('a long frame › is cut at snapBytes, wherever its parts end; at the bound it is whole', () => {
  const wire = new Wire();
  const { capture: made, bytes } = capture(wire, { snapBytes: 4 });
  wire.send(Uint8Array.of(1, 2), [Uint8Array.of(3), Uint8Array.of(4, 5), Uint8Array.of(6)]);
  wire.send(Uint8Array.of(1, 2, 3, 4));
  wire.send(Uint8Array.of(1, 2, 3, 4, 5));
  made.stop();
  const found = records(bytes());
  assert.deepEqual(
    found.map(({ kept, frameBytes }) => [kept.length, frameBytes]),
    [
      [4, 6],
      [4, 4],
      [4, 5],
    ],
  );
  const large = capture(wire);
  wire.send(new Uint8Array(snapBytesMax));
  large.capture.stop();
  assert.equal(records(large.bytes())[0]!.kept.length, snapBytesMax);
});

test('a reader that is slow › whole batches are dropped and counted, the file stays readable', () => {
  const wire = new Wire();
  const { capture: made, takes, bytes, pieces } = capture(wire);
  const frame = new Uint8Array(1_000);
  const perBatch = Math.floor(captureBatchBytes / (frame.length + PCAP_RECORD_BYTES));
  for (let i = 0; i < perBatch; i++) wire.send(frame);
  assert.equal(pieces.length, 1, 'the header');
  takes.now = false;
  wire.send(frame);
  takes.now = true;
  made.stop();
  assert.deepEqual(made.counters, { frames: perBatch + 1, dropped: perBatch });
  assert.equal(records(bytes()).length, 1);
});

test('a reader that takes nothing at first › gets the header before any record', () => {
  const wire = new Wire();
  const { capture: made, takes, bytes, pieces } = capture(wire, {}, { now: false });
  const frame = new Uint8Array(snapBytesMax);
  wire.send(frame);
  wire.send(frame);
  assert.deepEqual([pieces.length, made.counters.dropped], [0, 1]);
  takes.now = true;
  wire.send(frame);
  assert.equal(pieces[0]!.length, PCAP_HEAD_BYTES + PCAP_RECORD_BYTES + snapBytesMax);
  made.stop();
  assert.equal(records(bytes()).length, 2);
  assert.deepEqual(made.counters, { frames: 3, dropped: 1 });
  assert.equal(wire.timers.size, 0);
});

test('a reader that takes nothing at first, no frames › the header comes when it does, or at the end', () => {
  const wire = new Wire();
  const one = capture(wire, {}, { now: false });
  const two = capture(wire, {}, { now: false });
  wire.timers.run(instantOfMicros(50_000));
  one.takes.now = true;
  wire.timers.run(instantOfMicros(100_000));
  assert.deepEqual([one.bytes().length, two.bytes().length], [PCAP_HEAD_BYTES, 0]);
  two.takes.now = true;
  one.capture.stop();
  two.capture.stop();
  assert.deepEqual([one.bytes().length, two.bytes().length], [PCAP_HEAD_BYTES, PCAP_HEAD_BYTES]);
  assert.equal(wire.timers.size, 0);
});

test('a capture before the interface has an owner › sees what the owner sends and gets', () => {
  const wire = new Wire(false);
  const { capture: made, bytes } = capture(wire);
  for (const owners of [1, 2]) {
    wire.own();
    wire.handler!.receive(Uint8Array.of(owners), false);
    wire.send(Uint8Array.of(9));
  }
  made.stop();
  assert.deepEqual(
    records(bytes()).map(({ kept }) => kept[0]),
    [1, 9, 2, 9],
  );
  wire.handler!.receive(Uint8Array.of(3), false);
  assert.deepEqual(
    wire.received.map((frame) => frame[0]),
    [1, 2, 3],
  );
});

test('a frame › is not kept longer than a moment', () => {
  const wire = new Wire();
  const { bytes } = capture(wire);
  wire.send(Uint8Array.of(1));
  assert.equal(records(bytes()).length, 0);
  wire.timers.run(instantOfMicros(50_000));
  assert.equal(records(bytes()).length, 1);
});

test('ports › TCP and UDP of both families; one left out', () => {
  const wire = new Wire();
  const http = capture(wire, { port: 80 });
  const others = capture(wire, { exceptPort: 80 });
  for (const version of [4, 6] as const) {
    wire.send(frameOf(version, [80, 5_000]));
    wire.send(frameOf(version, [5_000, 80], 17));
    wire.send(frameOf(version, [5_000, 81]));
    wire.send(frameOf(version, [80, 80], 1));
  }
  http.capture.stop();
  others.capture.stop();
  assert.equal(records(http.bytes()).length, 4);
  assert.equal(records(others.bytes()).length, 4);
  const fragment = frameOf(4, [80, 80]);
  fragment[21] = 1;
  assert.equal(hasPort(fragment, fragment.length, 80), false);
  const options = frameOf(4, [0, 0]);
  options[14] = 0x4f;
  assert.equal(hasPort(options, 77, 0), false, 'ports behind the end');
  for (let count = 0; count < 80; count++) hasPort(frameOf(6, [80, 80]), count, 80);
});

test('options › within bounds, or a sentence', () => {
  assert.deepEqual(captureOptionsOf({}), { snapBytes: snapBytesMax, port: null });
  assert.deepEqual(captureOptionsOf({ snapBytes: 1, port: 65_535 }), {
    snapBytes: 1,
    port: 65_535,
  });
  for (const wrong of [
    { snapBytes: 0 },
    { snapBytes: snapBytesMax + 1 },
    { port: 0 },
    { port: 65_536 },
    { port: '80' },
  ]) {
    assert.equal(typeof captureOptionsOf(wrong), 'string');
  }
});
