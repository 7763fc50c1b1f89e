/**
 * Console device, virtio 1.2 §5.3: output of port 0, a copy of the image's lines for a host that
 * reads them faster than a serial port; and, on a device with several ports, the control channel
 * (control-port.ts). A full or dead device loses lines; it never delays the image.
 */

import { err, hot, ok, type Result, readU32le } from '#core';
import type { Console } from '#device';
import type { Base } from '../base.ts';
import { ControlPort } from './control-port.ts';
import type { VirtioFault } from './fault.ts';
import { VirtioDevice, type VirtioTransport } from './transport.ts';
import type { Virtqueue } from './virtqueue.ts';

export const CONSOLE_DEVICE_ID = 3;
/** VIRTIO_CONSOLE_F_MULTIPORT. */
const MULTIPORT_BIT = 2;
/** The configuration: u16 columns, u16 rows, u32 ports at most, ... */
const CONFIG_BYTES = 8;
const PORTS_MAX_AT = 4;
const TRANSMIT_QUEUE = 1;
const LINES_MAX = 16;
const LINE_BYTES_MAX = 512;

export class VirtioConsole implements Console {
  /** Its second port, which may turn out to be the control channel; null when it has none. */
  readonly control: ControlPort | null;
  private readonly device: VirtioDevice;
  private readonly queue: Virtqueue;
  private readonly memory: Uint8Array;
  private readonly physical: number;
  private readonly free: number[] = [];

  private constructor(device: VirtioDevice, queue: Virtqueue, control: ControlPort | null) {
    this.control = control;
    this.device = device;
    this.queue = queue;
    this.memory = device.base.dmaAllocate(queue.size * LINE_BYTES_MAX, 64);
    this.physical = device.base.physicalAddress(this.memory);
    for (let i = queue.size - 1; i >= 0; i--) this.free.push(i);
  }

  /** `onControlFault` is told once, when the device breaks a rule and is stopped. */
  static open(
    base: Base,
    transport: VirtioTransport,
    onControlFault: (fault: VirtioFault) => void,
  ): Result<VirtioConsole, VirtioFault> {
    const opened = VirtioDevice.open(base, transport, () => MULTIPORT_BIT);
    if (!opened.ok) return opened;
    const device = opened.value;
    // The receive queue must exist, but never gets a buffer: nobody reads.
    const receive = device.addQueue(0, 1, 1);
    if (!receive.ok) return err(receive.error);
    const queue = device.addQueue(TRANSMIT_QUEUE, 1, LINES_MAX);
    if (!queue.ok) return queue;
    const control = addControl(device, onControlFault);
    if (!control.ok) return control;
    device.run();
    control.value?.start();
    return ok(new VirtioConsole(device, queue.value, control.value));
  }

  /** Lines longer than LINE_BYTES_MAX - 1 bytes of UTF-8 are cut. */
  writeLine(line: string): void {
    const { queue, device, control } = this;
    if (device.fault !== null || (control?.isNamed && !control.hasConsole)) return;
    const count = queue.collect();
    if (count < 0) {
      device.stop(queue.fault!);
      return;
    }
    for (let i = 0; i < count; i++) this.free.push(queue.heads[i]!);
    const slot = this.free.pop();
    if (slot === undefined) return;
    const text = hot.utf8Encode(`${line}\n`);
    const bytes = Math.min(text.length, LINE_BYTES_MAX);
    hot.copy(this.memory, slot * LINE_BYTES_MAX, text, 0, bytes);
    queue.describe(slot, this.physical + slot * LINE_BYTES_MAX, bytes, false, -1);
    queue.post(slot, 0);
    const old = queue.publish();
    device.base.barrier();
    if (queue.wantsNotify(old)) device.transport.notify(TRANSMIT_QUEUE);
  }
}

function addControl(
  device: VirtioDevice,
  onFault: (fault: VirtioFault) => void,
): Result<ControlPort | null, VirtioFault> {
  if ((device.features & MULTIPORT_BIT) === 0) return ok(null);
  const config = device.readConfigBytes(CONFIG_BYTES);
  if (!config.ok) return config;
  if (readU32le(config.value, PORTS_MAX_AT) < 2) return ok(null);
  return ControlPort.add(device, onFault);
}
