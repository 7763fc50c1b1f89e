/**
 * Finds virtio devices: windows named on the kernel command line (QEMU's microvm without ACPI,
 * Firecracker) and functions on PCI bus 0 (q35, pc).
 */

import type { Base } from '../base.ts';
import type { VirtioFault } from './fault.ts';
import type { VirtioTransport } from './transport.ts';
import { MmioTransport, type MmioWindow, mmioName } from './transport-mmio.ts';
import { PciTransport, scanPci } from './transport-pci.ts';

/** A device that was found but can't be used. */
export interface BadDevice {
  readonly name: string;
  readonly fault: VirtioFault;
}

export interface Discovery {
  /** In the order of the command line (the virtual machine's own), then of PCI addresses. */
  readonly transports: readonly VirtioTransport[];
  readonly bad: readonly BadDevice[];
}

export function discover(base: Base, mmioWindows: readonly MmioWindow[]): Discovery {
  const transports: VirtioTransport[] = [];
  const bad: BadDevice[] = [];
  for (const window of mmioWindows) {
    const probed = MmioTransport.probe(base, window);
    if (!probed.ok) bad.push({ name: mmioName(window), fault: probed.error });
    else if (probed.value !== null) transports.push(probed.value);
  }
  for (const fn of scanPci(base)) {
    const probed = PciTransport.probe(base, fn);
    if (probed.ok) transports.push(probed.value);
    else bad.push({ name: fn.name, fault: probed.error });
  }
  return { transports, bad };
}
