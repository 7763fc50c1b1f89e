/**
 * What the base gives on a bare machine, beside what it gives everywhere (targets/base/base.ts):
 * memory that devices reach, the devices' registers, their interrupts. All addresses are physical
 * and below 2^53.
 */

import type { Base as AnyBase } from '../base/base.ts';

export type { PayloadSection } from '../base/base.ts';

export interface Base extends AnyBase {
  /** Zeroed memory below 4 GiB for a device; `align` a power of two up to 65536. Never freed. */
  dmaAllocate(bytes: number, align: number): Uint8Array;
  /** Physical address of byte 0 of this view. Stable for the life of its buffer (nothing moves). */
  physicalAddress(view: Uint8Array): number;

  // Devices. MMIO addresses must lie outside RAM; widths of 8, 16, 32 bits.
  mmioRead(address: number, widthBits: 8 | 16 | 32): number;
  mmioWrite(address: number, widthBits: 8 | 16 | 32, value: number): void;
  portRead(port: number, widthBits: 8 | 16 | 32): number;
  portWrite(port: number, widthBits: 8 | 16 | 32, value: number): void;
  /** Orders all earlier stores before all later loads (mfence). */
  barrier(): void;

  // Interrupts are only wake-ups from the idle wait.
  /**
   * Routes a global system interrupt to a wake-up; the bit (0..30) it sets in `woken`. Level,
   * active high or as given.
   */
  interruptLine(gsi: number, trigger: 'edge' | 'level', polarity: 'high' | 'low'): number;
  /** A fresh message-signalled interrupt: what to write into an MSI-X entry, and its bit. */
  interruptMessage(): { readonly address: number; readonly data: number; readonly bit: number };
}
