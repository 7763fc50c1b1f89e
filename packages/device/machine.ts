/**
 * A target, as a program sees it. Each target exports `launch(program)`, which makes the machine,
 * runs the program's event loop, and ends with the program's exit code.
 */

import type { Result, TimerQueue } from '#core';
import type { BlockDevice } from './block.ts';
import type { ControlChannel } from './control.ts';
import type { Clock, Console, Entropy } from './environment.ts';
import type { KvReadOnly } from './kv.ts';
import type { NetDevice } from './net.ts';
import type { Vitals } from './vitals.ts';

/** A file of the host that a program runs on. */
export interface HostFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface HostFiles {
  /**
   * The file at `path`, or those in that directory (not further below), in byte order of their
   * names; null when it can't be read. For small files that a person names: keys, certificates.
   */
  read(path: string): readonly HostFile[] | null;
  /** The directory that content of this name is read from; null: it is no directory of the host. */
  contentDirectory(name: string): string | null;
  /** Another text once what `read` gives may have changed; null: it can't be read. Cheap. */
  stamp(path: string): string | null;
}

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
  /** Files of the host, by paths that its arguments name; absent where there is no such host. */
  readonly hostFiles?: HostFiles;
  /** The way to whoever supervises this machine; null where it was given none. */
  readonly control: ControlChannel | null;
  /** What it can tell about itself; null where it can tell nothing (a simulated machine). */
  readonly vitals: Vitals | null;
  /**
   * Runs a script, UTF-8 source, in this program's realm, for hot reload: its completion value, or
   * what it threw as text. Null on every target: the entry of a development build, and no other,
   * puts `evaluateScript` (evaluate.ts) in its place, so that other images aren't even linked with
   * a way to new code.
   */
  readonly evaluate: ((code: Uint8Array) => Result<unknown, string>) | null;
  /** Ends the program at once with exit code 0..126. */
  exit(code: number): never;
}

/**
 * Resolves with the exit code; a server's never does. A rejection ends the machine with an error.
 */
export type Program = (machine: Machine) => Promise<number>;
