/**
 * What a machine can tell about itself while it runs: its heap by kind, its event loop, a CPU
 * profile. Plain data: packages/inspect makes snapshots and exports of it. Nothing here costs
 * anything while nobody asks, but for two sums a turn that `loop` is made of.
 */

export interface Vitals {
  /** Walks the heap: milliseconds for a large one, in which nothing else happens. */
  heap(): HeapVitals;
  /** O(1). */
  loop(): LoopVitals;
  /**
   * Samples what runs, `hz` times a second (`isProfileHz`; the machine may round it). False when
   * this machine can't, samples already, or there is no such rate.
   */
  startProfile(hz: number): Promise<boolean>;
  /** Ends it; null when none ran. A tree of 4,096 nodes at most. */
  stopProfile(): Promise<CpuProfile | null>;
}

export const PROFILE_HZ_MIN = 20;
export const PROFILE_HZ_MAX = 20_000;

/** Whole rates within the two only. */
export const isProfileHz = (hz: number): boolean =>
  Number.isInteger(hz) && hz >= PROFILE_HZ_MIN && hz <= PROFILE_HZ_MAX;

/** How many there are of a kind, where that is known, and their bytes. */
export interface HeapKind {
  readonly count: number;
  readonly bytes: number;
}

export interface HeapVitals {
  /** What there is for the program: used, and free. */
  readonly totalBytes: number;
  readonly usedBytes: number;
  /**
   * By kind, as the engine has them: on the C base "objects", "properties", "shapes", "strings",
   * "atoms", "functions", "bytecode", "lineNumbers", "arrays" and "arrayBuffers"; elsewhere the
   * engine's spaces. `usedBytes` has more: the image's code, the allocator's rounding, the base's
   * own, memory for devices.
   */
  readonly kinds: Readonly<Record<string, HeapKind>>;
}

/** Counts since the start, so that any number of readers can take differences. */
export interface LoopVitals {
  /** How long the loop has run. */
  readonly micros: number;
  /** Turns that did something, and how long they took with the promise jobs behind each. */
  readonly turns: number;
  readonly busyMicros: number;
  /**
   * Turns of a millisecond and longer: entry i counts those of 2^i to 2^(i+1) ms, the last one all
   * that are longer. The longest of the last 10 to 20 seconds; 0 when none took a millisecond.
   */
  readonly slowTurns: readonly number[];
  readonly turnMicrosMax: number;
  /** The same of timers that fired, by how late they were. */
  readonly lateTimers: readonly number[];
  readonly lateMicrosMax: number;
}

/** Entries of `slowTurns` and `lateTimers`: the last one is for 1,024 ms and more. */
export const SLOW_ENTRIES = 11;

/** A calling-context tree: each node is a function under the one that called it. */
export interface CpuProfile {
  /** Samples a second, as the machine took them. */
  readonly hz: number;
  readonly micros: number;
  /** All that were taken; of them: with nothing to run, and without a place in the table. */
  readonly samples: number;
  readonly idle: number;
  readonly lost: number;
  readonly nodes: readonly ProfileNode[];
}

export interface ProfileNode {
  /** Index of the caller's node, below this one's; -1 at the root. */
  readonly parent: number;
  /** Samples that found this node on top. */
  readonly samples: number;
  /**
   * A function of the program; one of the engine or the base that the program called; or 64 bytes
   * of machine code in which the CPU was. The latter two have addresses for names ("0x12340"),
   * which the base's symbols explain: tools/cli/symbols.ts.
   */
  readonly kind: 'script' | 'native' | 'code';
  /** "<anonymous>" and "<gone>" stand for names that can't be had. */
  readonly name: string;
  /** Where the function begins, from 1; empty and 0 for native code. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
