/**
 * A target, as a program sees it. Each target exports `launch(program)`, which makes the machine,
 * runs the program's event loop, and ends with the program's exit code.
 */

import type { TimerQueue } from '#core';
import type { BlockDevice } from './block.ts';
import type { Clock, Console, Entropy } from './environment.ts';
import type { KvReadOnly } from './kv.ts';
import type { NetDevice } from './net.ts';

export interface Machine {
  /** The target's name, as `--target` takes it. */
  readonly target: string;
  readonly timers: TimerQueue;
  /** Memory that the machine has, for bounds that follow it. */
  readonly memoryBytes: number;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly console: Console;
  /** Boot-time arguments, one per element, as in argv. */
  readonly bootArguments: readonly string[];
  /** Network interfaces, in the order of discovery; empty where the host's sockets are used. */
  readonly interfaces: readonly NetDevice[];
  /** Block devices, in the order of discovery. */
  readonly blocks: readonly BlockDevice[];
  /** Content linked into the image under `name`, or null. */
  content(name: string): KvReadOnly | null;
  /** Ends the program at once with exit code 0..126. */
  exit(code: number): never;
}

/**
 * Resolves with the exit code; a server's never does. A rejection ends the machine with an error.
 */
export type Program = (machine: Machine) => Promise<number>;
