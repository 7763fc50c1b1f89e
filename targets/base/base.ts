/**
 * What the C base (base/) gives TypeScript on every platform: the other side of
 * base/include/base_abi.h and of the engine shim, base/engine/. What a platform adds is in
 * targets/pvh/base.ts and targets/process/base.ts. Not here: any protocol or driver.
 *
 * The image's script finds one object of this shape as the global `__base`. All times are integers
 * held in a number. A call outside its documented ranges is a broken promise of ours: the base
 * throws a RangeError that ends the image.
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
  /**
   * The kernel command line, at most 4,095 bytes, as the virtual machine monitor gave it; the
   * machine's words alone where there is none.
   */
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
  /** Microseconds since 1970-01-01T00:00:00Z. */
  clockWall(): number;

  // Entropy.
  /**
   * Fills all of `out` from the CPU's or the host's source; false when there is none.
   */
  entropyFill(out: Uint8Array): boolean;

  // Memory.
  readonly memory: {
    readonly totalBytes: number;
    usedBytes(): number;
    heapBytes(): number;
    /** The fields of QuickJS's JSMemoryUsage, in order (heap.ts); absent from simulated bases. */
    usage?(): readonly number[];
  };

  // The event loop.
  /**
   * Registers the turn of the event loop. The base calls `turn(woken)`, then runs promise jobs
   * until none is left, then: if `turn` returned -1, calls it again at once; else waits until an
   * interrupt or until clockMonotonic() reaches the returned deadline (microseconds;
   * Infinity: interrupts only).
   */
  onTurn(turn: (woken: number) => number): void;

  /**
   * Samples what runs `hz` times a second (20 to 20000) into `table`, zeroed and
   * PROFILE_TABLE_BYTES long (profile.ts), which is the base's until `profile(0, null)`. False when
   * it can't: a process can with --profile or --control only. Absent from simulated bases.
   */
  profile?(hz: number, table: Uint8Array | null): boolean;
  /** "name file:line:column" of a script function that a profile has, or "<gone>". */
  functionName?(address: number): string;

  // Hot bytes: see packages/core/hot-bytes.ts for each contract.
  readonly hot: import('#core').HotBytes;

  /** On the bases with Mbed TLS only: a build chooses them for images that use it (build.ts). */
  readonly crypto?: import('./crypto-native.ts').NativeCrypto;
}
