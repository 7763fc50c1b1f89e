/** The control channel on a simulated console device; QEMU's is in tests/boot/control.test.ts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, TimerQueue } from '#core';
import { CONTROL_QUEUE_BYTES_LOW, CONTROL_QUEUE_BYTES_MAX, controlMark } from '#device';
import { createTurn } from '../../base/loop.ts';
import { VirtioConsole } from './console.ts';
import type { ControlPort } from './control-port.ts';
import type { VirtioFault } from './fault.ts';
import { SimulatedBase } from './simulated-base.ts';
import { type Chain, SimulatedDevice } from './simulated-device.ts';
import { MmioTransport } from './transport-mmio.ts';

const ADDRESS = 0xfeb00000;
const EVENT_INDEX_BIT = 0x20000000;
const PORTS = 31;
const EVENT = { deviceReady: 0, portAdd: 1, portReady: 3, consolePort: 4, open: 6, name: 7 };
const QUEUE = { messagesIn: 2, messagesOut: 3, receive: 4, transmit: 5 };

type Message = readonly [port: number, event: number, value: number];

/** The host's side of a console device with several ports, which answers as QEMU does. */
class Host {
  readonly base = new SimulatedBase();
  readonly device: SimulatedDevice;
  readonly console: VirtioConsole;
  readonly control: ControlPort;
  readonly said: Message[] = [];
  readonly faults: VirtioFault[] = [];
  readonly read: Uint8Array[] = [];
  /** Chains that the host holds and doesn't read. */
  readonly held: Chain[] = [];
  isHolding = false;
  readonly got: Uint8Array[] = [];
  drained = 0;
  reopened = 0;

  constructor(features = 2 | EVENT_INDEX_BIT) {
    const config = new Uint8Array(12);
    config[4] = PORTS;
    const queueSizes = [64, 64, 32, 32, 128, 128];
    const options = { address: ADDRESS, deviceId: 3, features, queueSizes, config };
    this.device = new SimulatedDevice(this.base, options);
    this.device.onNotify = (queue) => {
      if (queue === QUEUE.messagesOut) this.hear();
      else if (queue === QUEUE.transmit) this.take();
    };
    const probed = MmioTransport.probe(this.base, { address: ADDRESS, bytes: 512, gsi: 5 });
    assert.ok(probed.ok && probed.value !== null);
    const opened = VirtioConsole.open(this.base, probed.value, (fault) => this.faults.push(fault));
    assert.ok(opened.ok);
    this.console = opened.value;
    this.control = opened.value.control!;
    const timers = new TimerQueue(instantOfMicros(0));
    this.base.onTurn(createTurn(this.base, timers, [], this.control));
  }

  attach(): void {
    this.control.attach({
      data: (bytes) => void this.got.push(bytes.slice()),
      drained: () => void this.drained++,
      reopened: () => void this.reopened++,
    });
  }

  /** Says something about a port; `more` follows the head. */
  say(port: number, event: number, value: number, more = ''): void {
    const message = Buffer.alloc(8 + more.length);
    message.writeUInt32LE(port, 0);
    message.writeUInt16LE(event, 4);
    message.writeUInt16LE(value, 6);
    message.write(more, 8, 'latin1');
    this.sayBytes(message);
  }

  sayBytes(message: Uint8Array): void {
    const chain = this.device.take(QUEUE.messagesIn)!;
    chain.writable[0]!.set(message);
    this.device.complete(QUEUE.messagesIn, chain.head, message.length);
    this.base.run();
  }

  /** As QEMU does, until the port is open on both sides. */
  introduce(name = 'morgana.control\0'): void {
    this.say(1, EVENT.portAdd, 1);
    this.say(1, EVENT.name, 1, name);
    this.say(1, EVENT.open, 1);
  }

  send(bytes: Uint8Array): boolean {
    const chain = this.device.take(QUEUE.receive);
    if (chain === null) return false;
    chain.writable[0]!.set(bytes);
    this.device.complete(QUEUE.receive, chain.head, bytes.length);
    return true;
  }

  /** Reads what waits, or holds it. */
  take(): void {
    for (let chain = this.device.take(QUEUE.transmit); chain !== null; ) {
      if (this.isHolding) this.held.push(chain);
      else this.finish(chain);
      chain = this.device.take(QUEUE.transmit);
    }
  }

  release(): void {
    this.isHolding = false;
    for (const chain of this.held.splice(0)) this.finish(chain);
  }

  private finish(chain: Chain): void {
    this.read.push(...chain.readable.map((bytes) => bytes.slice()));
    this.device.complete(QUEUE.transmit, chain.head, 0);
  }

  private hear(): void {
    for (let chain = this.device.take(QUEUE.messagesOut); chain !== null; ) {
      const bytes = Buffer.concat(chain.readable);
      assert.equal(bytes.length, 8);
      this.said.push([bytes.readUInt32LE(0), bytes.readUInt16LE(4), bytes.readUInt16LE(6)]);
      this.device.complete(QUEUE.messagesOut, chain.head, 0);
      chain = this.device.take(QUEUE.messagesOut);
    }
  }
}

/** A host whose port is open on both sides; the mark with which our stream begins is read. */
function talking(features?: number): Host {
  const host = new Host(features);
  host.attach();
  host.introduce();
  assert.deepEqual(host.read.splice(0), [controlMark()]);
  return host;
}

const filled = (bytes: number): Uint8Array => new Uint8Array(bytes).map((_, i) => i * 31);

test('start › says that it is ready, then that the port is, and opens it once somebody reads', () => {
  const host = new Host();
  assert.deepEqual(host.said, [[0xffff_ffff, EVENT.deviceReady, 1]]);
  host.introduce();
  assert.deepEqual(host.said.slice(1), [[1, EVENT.portReady, 1]]);
  assert.equal(host.device.take(QUEUE.receive), null);
  host.attach();
  assert.deepEqual(host.said.slice(2), [[1, EVENT.open, 1]]);
  assert.ok(host.send(filled(3)));
  host.base.run();
  assert.deepEqual(host.got, [filled(3)]);
});

for (const features of [2, 2 | EVENT_INDEX_BIT]) {
  test(`features ${features} › much both ways › as it was, and the loop sleeps`, () => {
    const host = talking(features);
    const sent: Uint8Array[] = [];
    for (let round = 0; round < 50; round++) {
      const bytes = filled(1 + ((round * 997) % 4_096));
      assert.ok(host.send(bytes));
      sent.push(bytes);
      if (round % 3 === 0) host.base.run();
      assert.ok(host.control.write(bytes.slice()));
    }
    host.base.run();
    assert.deepEqual(Buffer.concat(host.got), Buffer.concat(sent));
    assert.deepEqual(Buffer.concat(host.read), Buffer.concat(sent));
    assert.equal(host.control.queuedBytes, 0);
    const total = Buffer.concat(sent).length;
    const { received, sent: given, lost } = host.control.counters();
    assert.deepEqual([received, given, lost], [total, total + controlMark().length, 0]);
  });
}

test('a host that sends all the time › four pieces at most are on their way', () => {
  const host = talking();
  let pieces = 0;
  while (host.send(filled(4_096))) pieces++;
  assert.equal(pieces, 4);
  host.base.run();
  assert.equal(host.got.length, 4);
  assert.ok(host.send(filled(1)));
});

test('a host that never reads › bounded, refuses what does not fit, tells when drained', () => {
  const host = talking();
  host.isHolding = true;
  const piece = CONTROL_QUEUE_BYTES_MAX / 16;
  for (let i = 0; i < 16; i++) assert.ok(host.control.write(filled(piece)));
  assert.ok(!host.control.write(filled(1)));
  assert.equal(host.held.length, 8);
  host.base.run();
  assert.equal(host.drained, 0);
  host.release();
  host.base.run();
  assert.equal(host.drained, 1);
  assert.equal(Buffer.concat(host.read).length, CONTROL_QUEUE_BYTES_MAX);
  assert.equal(host.control.counters().refused, 1);
  host.isHolding = true;
  assert.ok(host.control.write(filled(CONTROL_QUEUE_BYTES_LOW - 1)));
  host.release();
  host.base.run();
  assert.equal(host.drained, 1);
});

test('closed and opened again › what waited is lost and counted, and it is told once', () => {
  const host = talking();
  host.isHolding = true;
  for (let i = 0; i < 10; i++) assert.ok(host.control.write(filled(100)));
  host.say(1, EVENT.open, 0);
  assert.ok(host.control.write(filled(7)));
  // Two waited; eight were with the device, which throws them away.
  assert.equal(host.control.counters().lost, 207);
  assert.equal(host.control.queuedBytes, 800);
  assert.equal(host.reopened, 0);
  host.read.length = 0;
  host.release();
  host.base.run();
  assert.equal(host.control.queuedBytes, 0);
  host.read.length = 0;
  host.say(1, EVENT.open, 1);
  host.say(1, EVENT.open, 1);
  assert.equal(host.reopened, 1);
  assert.ok(host.control.write(filled(5)));
  assert.deepEqual(host.read, [controlMark(), filled(5)]);
});

test('opened again, and bytes of the new stream, seen at once › the opening is told first', () => {
  const host = talking();
  const order: string[] = [];
  host.got.push = () => order.push('data');
  Object.defineProperty(host, 'reopened', { set: () => order.push('reopened'), get: () => 0 });
  const messages = [0, 1].map((value) => ({ chain: host.device.take(QUEUE.messagesIn)!, value }));
  for (const { chain, value } of messages) {
    chain.writable[0]!.set(Uint8Array.of(1, 0, 0, 0, EVENT.open, 0, value, 0));
    host.device.complete(QUEUE.messagesIn, chain.head, 8);
  }
  assert.ok(host.send(filled(3)));
  host.base.run();
  assert.deepEqual(order, ['reopened', 'data']);
});

test('a port of another name, or none › is not opened, and the console goes on', () => {
  for (const name of ['other\0', '', '\0', 'morgana.control.2', 'x'.repeat(56)]) {
    const host = new Host();
    host.attach();
    host.introduce(name);
    assert.ok(!host.said.some(([, event]) => event === EVENT.open));
    host.console.writeLine('line');
    assert.ok(host.device.take(1) !== null);
  }
});

test('our port alone › no lines are copied; beside a console › they are', () => {
  for (const hasConsole of [false, true]) {
    const host = new Host();
    if (hasConsole) {
      host.say(0, EVENT.portAdd, 1);
      host.say(0, EVENT.consolePort, 1);
    }
    host.introduce();
    host.console.writeLine('line');
    assert.equal(host.device.take(1) !== null, hasConsole);
  }
});

test('messages that are short, or of other ports › no harm', () => {
  const host = talking();
  for (let bytes = 0; bytes < 8; bytes++) host.sayBytes(new Uint8Array(bytes));
  for (const port of [2, 30, 0xffff_ffff]) host.say(port, EVENT.portAdd, 1);
  for (let event = 8; event < 70; event++) host.say(1, event, 0xffff, 'x'.repeat(event % 50));
  assert.equal(host.control.counters().strange, 8);
  assert.ok(host.send(filled(3)));
  host.base.run();
  assert.deepEqual(host.got, [filled(3)]);
});

test('a host that adds the port again and again, and reads no answer › bounded', () => {
  const host = new Host();
  host.device.onNotify = () => {};
  for (let i = 0; i < 100; i++) host.say(1, EVENT.portAdd, 1);
  let answers = 0;
  while (host.device.take(QUEUE.messagesOut) !== null) answers++;
  assert.ok(answers <= 8);
});

for (const [queue, id, bytes, kind] of [
  [QUEUE.messagesIn, 99, 8, 'used id'],
  [QUEUE.messagesIn, 0, 65, 'used length'],
  [QUEUE.receive, 4, 8, 'used id'],
  [QUEUE.receive, 0, 4_097, 'used length'],
  [QUEUE.transmit, 0, 0, 'used overrun'],
] as const) {
  test(`the device lies in queue ${queue}: ${kind} › stopped, told once, and writes are lost`, () => {
    const host = talking();
    if (queue !== QUEUE.transmit) assert.ok(host.device.take(queue) !== null);
    host.device.complete(queue, id, bytes);
    host.base.run();
    assert.deepEqual(
      host.faults.map((fault) => fault.kind),
      [kind],
    );
    assert.ok((host.device.status & 128) !== 0);
    assert.ok(host.control.write(filled(3)));
    assert.equal(host.control.counters().lost, 3);
    host.base.run();
    assert.equal(host.faults.length, 1);
  });
}

test('more completions than were posted › stopped', () => {
  const host = talking();
  for (let i = 0; i < 9; i++) host.device.completeRaw(QUEUE.receive, 0, 1, i);
  host.device.publishUsed(QUEUE.receive, 9);
  host.base.run();
  assert.equal(host.faults[0]?.kind, 'used overrun');
});
