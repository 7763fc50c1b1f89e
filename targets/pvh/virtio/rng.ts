/**
 * Entropy device, virtio 1.2 §5.4: one queue of buffers that the device fills with random bytes.
 */

import { assert, err, ok, type Result } from '#core';
import type { Entropy } from '#device';
import type { Base } from '../base.ts';
import { formatVirtioFault, type VirtioFault } from './fault.ts';
import { VirtioDevice, type VirtioTransport } from './transport.ts';
import type { Virtqueue } from './virtqueue.ts';

export const RNG_DEVICE_ID = 4;
const POOL_BYTES = 256;
/** A host's own source may be slow to start, but not this slow. */
const ANSWER_MICROS_MAX = 5_000_000;

/** Thrown by `fill` when the device fails: without entropy nothing may go on. */
export class EntropyError extends Error {
  override readonly name = 'EntropyError';
}

/**
 * Random bytes by polling: `fill` waits for the device, as a rule for microseconds, 5 s at most.
 * Bytes are given out once and then cleared.
 */
export class VirtioRng implements Entropy {
  private readonly device: VirtioDevice;
  private readonly queue: Virtqueue;
  private readonly pool: Uint8Array;
  /** Unused bytes are pool[at..end). */
  private at = 0;
  private end = 0;

  private constructor(device: VirtioDevice, queue: Virtqueue) {
    this.device = device;
    this.queue = queue;
    this.pool = device.base.dmaAllocate(POOL_BYTES, 64);
    queue.describe(0, device.base.physicalAddress(this.pool), POOL_BYTES, true, -1);
  }

  /** Starts the device and waits for its first bytes. */
  static open(base: Base, transport: VirtioTransport): Result<VirtioRng, VirtioFault> {
    const opened = VirtioDevice.open(base, transport, () => 0);
    if (!opened.ok) return opened;
    const device = opened.value;
    const queue = device.addQueue(0, 1, 1);
    if (!queue.ok) return queue;
    device.run();
    const rng = new VirtioRng(device, queue.value);
    const fault = rng.refill();
    return fault === null ? ok(rng) : err(fault);
  }

  fill(out: Uint8Array): void {
    for (let i = 0; i < out.length; i++) {
      if (this.at === this.end) {
        const fault = this.refill();
        if (fault !== null) {
          throw new EntropyError(`${this.device.transport.name} ${formatVirtioFault(fault)}`);
        }
      }
      out[i] = this.pool[this.at]!;
      this.pool[this.at++] = 0;
    }
  }

  private refill(): VirtioFault | null {
    const { base, transport, fault } = this.device;
    if (fault !== null) return fault;
    const { queue } = this;
    queue.post(0, POOL_BYTES);
    const old = queue.publish();
    assert(old >= 0);
    base.barrier();
    if (queue.wantsNotify(old)) transport.notify(0);
    const start = base.clockMonotonic();
    while (!queue.hasCompletions()) {
      const waitedMicros = base.clockMonotonic() - start;
      if (waitedMicros > ANSWER_MICROS_MAX) {
        return this.device.stop({ kind: 'silent', what: 'random bytes', waitedMicros });
      }
    }
    const count = queue.collect();
    if (count < 0) return this.device.stop(queue.fault!);
    const bytes = queue.lengths[0]!;
    if (bytes === 0) return this.device.stop({ kind: 'used length', queue: 0, bytes });
    this.at = 0;
    this.end = bytes;
    return null;
  }
}
