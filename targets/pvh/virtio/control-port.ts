/**
 * The control channel of a virtual machine: a named port of a console device, virtio 1.2 §5.3 with
 * VIRTIO_CONSOLE_F_MULTIPORT. On QEMU:
 *
 *     -device virtio-serial-device,max_ports=2 -chardev socket,id=c,path=SOCKET,server=on,wait=off
 *     -device virtserialport,chardev=c,name=morgana.control
 *
 * A port of a name, and not a console of its own, since its host says when it is opened and closed:
 * another client of the socket must not get the rest of a frame that was for the one before, and
 * the name is found whatever else the machine has. It is port 1, the first that isn't a console.
 *
 * Interrupts are asked for all the time, so that a loop that is busy with others sees what comes.
 * Nothing the device writes is believed; when it breaks a rule it is stopped, and the machine goes
 * on without. Required reading: packages/device/control.ts, transport.ts.
 */

import { assert, err, hot, ok, type Result } from '#core';
import {
  CONTROL_QUEUE_BYTES_LOW,
  CONTROL_QUEUE_BYTES_MAX,
  type ControlChannel,
  type ControlHandler,
  controlMark,
} from '#device';
import type { RareDevice } from '../../base/loop.ts';
import type { VirtioFault } from './fault.ts';
import type { VirtioDevice } from './transport.ts';
import type { Virtqueue } from './virtqueue.ts';

export const CONTROL_PORT_NAME = 'morgana.control';
/** The port's number, which fixes its queues; port 0 is the console. */
const PORT = 1;
const QUEUE = { messagesIn: 2, messagesOut: 3, receive: 4, transmit: 5 } as const;
/** struct virtio_console_control: u32 port, u16 event, u16 value; a name may follow. */
const MESSAGE_BYTES = 8;
const EVENT = { deviceReady: 0, portAdd: 1, portReady: 3, portOpen: 6, portName: 7 } as const;
const ANY_PORT = 0xffff_ffff;

const MESSAGES_IN = 8;
const MESSAGES_OUT = 8;
/** What a message may have behind its head: a name of ours and more. */
const MESSAGE_IN_BYTES = 64;
const RECEIVE_BUFFERS = 4;
const RECEIVE_BYTES = 4_096;
const TRANSMITS = 8;

export class ControlPort implements ControlChannel, RareDevice {
  queuedBytes = 0;
  /** Whether the device has a console, port 0, too; known once `isNamed`. */
  hasConsole = false;
  /** The host said that the port has our name. */
  isNamed = false;
  readonly wakeBits: number;
  private readonly device: VirtioDevice;
  private readonly messagesIn: MessagesIn;
  private readonly messagesOut: MessagesOut;
  private readonly receive: Virtqueue;
  private readonly transmit: Virtqueue;
  private readonly onFault: (fault: VirtioFault) => void;
  private handler: ControlHandler | null = null;
  /** The receive buffers' memory, once the port is in use. */
  private into: Uint8Array | null = null;
  private isOpen = false;
  private timesOpened = 0;
  /** Not yet with the device. */
  private readonly queue: Uint8Array[] = [];
  /** With the device, by descriptor; and the descriptors that are free. */
  private readonly sending: (Uint8Array | null)[] = [];
  private readonly free: number[] = [];
  private wasHigh = false;
  private readonly tally = { received: 0, sent: 0, refused: 0, lost: 0, strange: 0 };

  private constructor(
    device: VirtioDevice,
    queues: Record<keyof typeof QUEUE, Virtqueue>,
    onFault: (fault: VirtioFault) => void,
  ) {
    this.device = device;
    this.wakeBits = device.wakeBits;
    this.messagesIn = new MessagesIn(device, queues.messagesIn);
    this.messagesOut = new MessagesOut(device, queues.messagesOut);
    this.receive = queues.receive;
    this.transmit = queues.transmit;
    this.onFault = onFault;
    for (let id = queues.transmit.size - 1; id >= 0; id--) this.free.push(id);
  }

  /** Adds the queues of a device that has the feature, and isn't running yet. */
  static add(
    device: VirtioDevice,
    onFault: (fault: VirtioFault) => void,
  ): Result<ControlPort, VirtioFault> {
    const sizes = {
      messagesIn: MESSAGES_IN,
      messagesOut: MESSAGES_OUT,
      receive: RECEIVE_BUFFERS,
      transmit: TRANSMITS,
    };
    const queues: Partial<Record<keyof typeof QUEUE, Virtqueue>> = {};
    for (const name of ['messagesIn', 'messagesOut', 'receive', 'transmit'] as const) {
      const added = device.addQueue(QUEUE[name], 1, sizes[name]);
      if (!added.ok) return err(added.error);
      queues[name] = added.value;
    }
    const all = queues as Record<keyof typeof QUEUE, Virtqueue>;
    return ok(new ControlPort(device, all, onFault));
  }

  /** To be called when the device runs: asks it for its ports. */
  start(): void {
    this.arm();
    this.messagesIn.postAll();
    this.messagesOut.send(ANY_PORT, EVENT.deviceReady, 1);
  }

  attach(handler: ControlHandler): void {
    assert(this.handler === null, 'attached already');
    this.handler = handler;
    if (this.isNamed) this.use();
  }

  write(bytes: Uint8Array): boolean {
    if (this.queuedBytes + bytes.length > CONTROL_QUEUE_BYTES_MAX) {
      this.tally.refused += bytes.length;
      return false;
    }
    if (!this.isOpen || bytes.length === 0) {
      this.tally.lost += bytes.length;
      return true;
    }
    this.queue.push(bytes);
    this.queuedBytes += bytes.length;
    if (this.queuedBytes >= CONTROL_QUEUE_BYTES_LOW) this.wasHigh = true;
    this.send();
    return true;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.tally, open: this.isOpen ? 1 : 0 };
  }

  poll(woken: number): boolean {
    const { device } = this;
    if ((woken & this.wakeBits) !== 0) device.acknowledge(woken);
    if (device.fault === null) {
      // What is received after the port was opened again is only handed over after that was heard:
      // the host says so before it sends anything.
      const received = this.collectReceived();
      let had = this.readMessages();
      if (received > 0) this.deliver(received);
      if (this.reclaim() || received > 0) had = true;
      // All is looked at again before anybody sleeps.
      if (had) return true;
      if (device.fault === null) return this.arm();
    }
    this.close();
    return false;
  }

  /** Asks for an interrupt at the next event; true when there is something already. */
  private arm(): boolean {
    const { receive, transmit } = this;
    const messages = this.messagesIn.queue;
    for (const queue of [messages, receive, transmit]) queue.requestInterrupt();
    this.device.base.barrier();
    return messages.hasCompletions() || receive.hasCompletions() || transmit.hasCompletions();
  }

  private fail(queue: Virtqueue): boolean {
    this.onFault(this.device.stop(queue.fault!));
    return false;
  }

  private readMessages(): boolean {
    const { messagesIn } = this;
    const count = messagesIn.queue.collect();
    if (count < 0) return this.fail(messagesIn.queue);
    if (count === 0) return false;
    for (let i = 0; i < count; i++) this.take(messagesIn.message(i));
    messagesIn.repost(count);
    return true;
  }

  /** One message of the device's; those that don't concern us are left alone. */
  private take(message: Uint8Array): void {
    if (message.length < MESSAGE_BYTES) {
      this.tally.strange++;
      return;
    }
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const port = view.getUint32(0, true);
    const event = view.getUint16(4, true);
    const value = view.getUint16(6, true);
    if (port > PORT) return;
    if (event === EVENT.portAdd) {
      if (port !== PORT) this.hasConsole = true;
      this.messagesOut.send(port, EVENT.portReady, 1);
      if (port !== PORT) this.messagesOut.send(port, EVENT.portOpen, 1);
    } else if (event === EVENT.portName && port === PORT) this.takeName(message);
    else if (event === EVENT.portOpen && port === PORT) this.takeOpen(value === 1);
  }

  private takeName(message: Uint8Array): void {
    // QEMU ends it with a zero, which isn't the name's.
    const end = message.length - (message.at(-1) === 0 ? 1 : 0);
    const name = hot.latin1(message, MESSAGE_BYTES, Math.max(end, MESSAGE_BYTES));
    if (name !== CONTROL_PORT_NAME || this.isNamed) return;
    this.isNamed = true;
    if (this.handler !== null) this.use();
  }

  private takeOpen(isOpen: boolean): void {
    if (isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    if (!isOpen) {
      this.close();
      return;
    }
    // QEMU may send what it hadn't sent of an old frame first.
    this.write(controlMark());
    if (this.timesOpened++ > 0) this.handler?.reopened?.();
  }

  private close(): void {
    this.isOpen = false;
    for (const bytes of this.queue) {
      this.tally.lost += bytes.length;
      this.queuedBytes -= bytes.length;
    }
    this.queue.length = 0;
    this.wasHigh = false;
  }

  /** Lets the host send: it holds back until the port is opened on this side too. */
  private use(): void {
    const { receive, device } = this;
    const memory = device.base.dmaAllocate(receive.size * RECEIVE_BYTES, 64);
    const physical = device.base.physicalAddress(memory);
    this.into = memory;
    for (let id = 0; id < receive.size; id++) {
      receive.describe(id, physical + id * RECEIVE_BYTES, RECEIVE_BYTES, true, -1);
      receive.post(id, RECEIVE_BYTES);
    }
    publish(device, receive);
    this.messagesOut.send(PORT, EVENT.portOpen, 1);
  }

  private collectReceived(): number {
    if (this.into === null) return 0;
    const count = this.receive.collect();
    if (count < 0) this.fail(this.receive);
    return Math.max(count, 0);
  }

  private deliver(count: number): void {
    const { receive, handler } = this;
    const into = this.into!;
    for (let i = 0; i < count; i++) {
      const from = receive.heads[i]! * RECEIVE_BYTES;
      const bytes = receive.lengths[i]!;
      this.tally.received += bytes;
      if (bytes > 0) handler!.data(into.subarray(from, from + bytes));
    }
    receive.repost(count, RECEIVE_BYTES);
    publish(this.device, receive);
  }

  /** Takes back what the device has read, and gives it more. */
  private reclaim(): boolean {
    const { transmit } = this;
    const count = transmit.collect();
    if (count < 0) return this.fail(transmit);
    if (count === 0) return false;
    for (let i = 0; i < count; i++) {
      const id = transmit.heads[i]!;
      const bytes = this.sending[id]!.length;
      this.sending[id] = null;
      this.free.push(id);
      this.queuedBytes -= bytes;
      this.tally.sent += bytes;
    }
    this.send();
    if (this.wasHigh && this.queuedBytes < CONTROL_QUEUE_BYTES_LOW) {
      this.wasHigh = false;
      this.handler?.drained();
    }
    return true;
  }

  /** Nothing is copied: the device reads what was written where it is. */
  private send(): void {
    const { queue, free, transmit, device } = this;
    if (device.fault !== null) return;
    while (queue.length > 0 && free.length > 0) {
      const id = free.pop()!;
      const bytes = queue.shift()!;
      this.sending[id] = bytes;
      transmit.describe(id, device.base.physicalAddress(bytes), bytes.length, false, -1);
      transmit.post(id, 0);
    }
    publish(device, transmit);
  }
}

function publish(device: VirtioDevice, queue: Virtqueue): void {
  const old = queue.publish();
  if (old < 0) return;
  device.base.barrier();
  if (queue.wantsNotify(old)) device.transport.notify(queue.index);
}

/** What the device says about its ports. */
class MessagesIn {
  readonly queue: Virtqueue;
  private readonly device: VirtioDevice;
  private readonly memory: Uint8Array;

  constructor(device: VirtioDevice, queue: Virtqueue) {
    this.device = device;
    this.queue = queue;
    this.memory = device.base.dmaAllocate(queue.size * MESSAGE_IN_BYTES, 64);
  }

  postAll(): void {
    const physical = this.device.base.physicalAddress(this.memory);
    for (let id = 0; id < this.queue.size; id++) {
      const at = physical + id * MESSAGE_IN_BYTES;
      this.queue.describe(id, at, MESSAGE_IN_BYTES, true, -1);
      this.queue.post(id, MESSAGE_IN_BYTES);
    }
    publish(this.device, this.queue);
  }

  /** Entry `i` of what was collected, copied: the device could still change it. */
  message(i: number): Uint8Array {
    const from = this.queue.heads[i]! * MESSAGE_IN_BYTES;
    return this.memory.slice(from, from + this.queue.lengths[i]!);
  }

  repost(count: number): void {
    this.queue.repost(count, MESSAGE_IN_BYTES);
    publish(this.device, this.queue);
  }
}

/** What we say. With no room, since the device reads nothing, it isn't said. */
class MessagesOut {
  private readonly device: VirtioDevice;
  private readonly queue: Virtqueue;
  private readonly memory: Uint8Array;
  private readonly free: number[] = [];

  constructor(device: VirtioDevice, queue: Virtqueue) {
    this.device = device;
    this.queue = queue;
    this.memory = device.base.dmaAllocate(queue.size * MESSAGE_BYTES, 64);
    for (let id = queue.size - 1; id >= 0; id--) this.free.push(id);
  }

  send(port: number, event: number, value: number): void {
    const { device, queue, free, memory } = this;
    if (device.fault !== null) return;
    const count = queue.collect();
    if (count < 0) {
      device.stop(queue.fault!);
      return;
    }
    for (let i = 0; i < count; i++) free.push(queue.heads[i]!);
    const id = free.pop();
    if (id === undefined) return;
    const view = new DataView(memory.buffer, memory.byteOffset + id * MESSAGE_BYTES, MESSAGE_BYTES);
    view.setUint32(0, port, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    const physical = device.base.physicalAddress(memory) + id * MESSAGE_BYTES;
    queue.describe(id, physical, MESSAGE_BYTES, false, -1);
    queue.post(id, 0);
    publish(device, queue);
  }
}
