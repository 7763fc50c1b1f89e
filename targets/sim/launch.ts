/** Runs a program (device/machine.ts) on a simulated host, in virtual time. */

import type { Instant } from '#core';
import type { BlockDevice, ControlChannel, KvReadOnly, Machine, Program } from '#device';
import type { Settle, SimHost, SimWorld } from './sim-world.ts';

/** What a simulated machine says it has; nothing is taken from it. */
const SIM_MEMORY_BYTES = 64 * 1024 * 1024;

class SimExit extends Error {
  override readonly name = 'SimExit';
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

export interface SimLaunch {
  readonly world: SimWorld;
  readonly host: SimHost;
  readonly bootArguments?: readonly string[];
  readonly content?: Readonly<Record<string, KvReadOnly>>;
  readonly blocks?: readonly BlockDevice[];
  readonly control?: ControlChannel;
}

export interface SimProcess {
  /** Lines that the program wrote to its console. */
  readonly consoleLines: readonly string[];
  /** The exit code, or null while it runs. */
  readonly exitCode: number | null;
  /** Runs the world until the program ends; throws what it threw, or SimTimeout. */
  wait(limit: Instant, settle: Settle): Promise<number>;
}

/** Starts `program`; it goes on whenever the world runs asynchronously. */
export function launch(program: Program, options: SimLaunch): SimProcess {
  const { world, host } = options;
  const consoleLines: string[] = [];
  let exitCode: number | null = null;
  let failure: { readonly error: unknown } | null = null;
  const machine: Machine = {
    target: 'sim',
    timers: world.timers,
    clock: world.clock,
    memoryBytes: SIM_MEMORY_BYTES,
    entropy: host.entropy,
    console: { writeLine: (line) => consoleLines.push(line) },
    bootArguments: options.bootArguments ?? [],
    interfaces: [host.device],
    blocks: options.blocks ?? [],
    content: (name) => options.content?.[name] ?? null,
    control: options.control ?? null,
    vitals: null,
    evaluate: null,
    exit(code): never {
      exitCode = code;
      throw new SimExit(code);
    },
  };
  program(machine).then(
    (code) => {
      exitCode ??= code;
    },
    (error: unknown) => {
      if (!(error instanceof SimExit)) failure = { error };
    },
  );
  return {
    consoleLines,
    get exitCode() {
      return exitCode;
    },
    async wait(limit, settle) {
      try {
        await world.runAsync(() => exitCode !== null || failure !== null, limit, settle);
      } catch (error) {
        // `exit` from a timer or packet comes through the world's loop.
        if (!(error instanceof SimExit)) throw error;
      }
      if (failure !== null) throw failure.error;
      return exitCode ?? 1;
    },
  };
}
