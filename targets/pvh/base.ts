/**
 * What the C base (base/) gives TypeScript: the other side of base/include/base_abi.h and of the
 * engine shim, base/engine/. Only targets/pvh imports this file. Not here: any protocol or driver.
 *
 * The image's script finds one object of this shape as the global `__base`. All times are integers
 * held in a number; all addresses are physical and below 2^53. A call outside its documented ranges
 * is a broken promise of ours: the base throws a RangeError that ends the image.
 */

/** One part of the payload: bytes that the CLI appended to the base, mapped read-only. */
export interface PayloadSection {
  readonly name: string;
  /** A view on the image's own read-only pages: writing through it faults, as the design wants. */
  readonly bytes: Uint8Array;
}

export interface Base {
  /** BASE_ABI_VERSION of base_abi.h. */
  readonly abiVersion: number;
  /** The kernel command line, at most 4,095 bytes, as the virtual machine monitor gave it. */
  readonly cmdline: string;
  readonly payload: readonly PayloadSection[];

  // Console and end of the image.
  /** Writes UTF-8 text to the serial console; blocks for as long as the UART does (bounded). */
  consoleWrite(text: string): void;
  /** One byte typed at the serial console, or -1 when none waits. */
  consoleRead(): number;
  /** Stops the machine; `code` in 0..126. Never returns. */
  exit(code: number): never;

  // Time.
  /** Microseconds since boot; never goes back. */
  clockMonotonic(): number;
  /**
   * Microseconds since 1970-01-01T00:00:00Z; read from the RTC or kvm-clock at boot, then from the
   * TSC.
   */
  clockWall(): number;

  // Entropy.
  /**
   * Fills all of `out` from RDSEED or RDRAND; false (and `out` untouched) when the CPU has neither.
   */
  entropyFill(out: Uint8Array): boolean;

  // Memory.
  readonly memory: { readonly totalBytes: number; usedBytes(): number; heapBytes(): number };
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
  /**
   * Registers the turn of the event loop. The base calls `turn(woken)`, then runs promise jobs
   * until none is left, then: if `turn` returned -1, calls it again at once; else halts the CPU
   * until an interrupt or until clockMonotonic() reaches the returned deadline (microseconds;
   * Infinity: interrupts only).
   */
  onTurn(turn: (woken: number) => number): void;

  /**
   * Samples since boot or the last call, as text for base/profile.mjs; empty unless the command
   * line has `profile=HZ`. Absent from simulated bases.
   */
  profile?(): string;

  // Hot bytes: see packages/core/hot-bytes.ts for each contract.
  readonly hot: import('#core').HotBytes;
}
