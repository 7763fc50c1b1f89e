/**
 * A Node process as a machine, whatever its network is. The CLI tells it about content, disks, and
 * where its supervisor listens, through environment variables:
 *
 *     MORGANA_CONTENT   {"site": "/home/me/htdocs"}
 *     MORGANA_DISKS     [{"name": "data", "file": "/home/me/data.img", "readOnly": false}]
 *     MORGANA_CONTROL   /run/user/1000/morgana/unikernels/site/channel.sock
 */

import { randomFillSync } from 'node:crypto';
import { totalmem } from 'node:os';
import { wallTimeOfMillis } from '#core';
import type { KvReadOnly, Machine, NetDevice, Program } from '#device';
import { NodeControl } from './control.ts';
import { readContent } from './directory.ts';
import { type AttachedDisk, FileBlock } from './file-block.ts';
import { hostFiles } from './host-files.ts';
import type { NodeLoop } from './loop.ts';
import { NodeVitals } from './vitals.ts';

/** Exit codes as other targets have them (base/include/base_abi.h, BSD's sysexits.h). */
export const EXIT = {
  usage: 64,
  /** A link or a disk can't be had. */
  unavailable: 69,
  /** A link was closed, or lied. */
  deviceFailed: 122,
  /** BASE_EXIT_UNCAUGHT: the program's promise was rejected. */
  uncaught: 124,
} as const;

export interface MachineOptions {
  readonly bootArguments: readonly string[];
  /** Directory, or tar, by the name of its device. */
  readonly content: Readonly<Record<string, string>>;
  readonly disks?: readonly AttachedDisk[];
  /** Path of the supervisor's socket; without it there is no control channel. */
  readonly control?: string | undefined;
}

export const controlOfProcess = (): string | undefined => process.env.MORGANA_CONTROL;

export function contentOfProcess(): Readonly<Record<string, string>> {
  const { MORGANA_CONTENT: content } = process.env;
  return content === undefined ? {} : JSON.parse(content);
}

export function disksOfProcess(): readonly AttachedDisk[] {
  const { MORGANA_DISKS: disks } = process.env;
  return disks === undefined ? [] : JSON.parse(disks);
}

/** Ends the process with one sentence when one can't be had. */
function openDisks(loop: NodeLoop, disks: readonly AttachedDisk[]): readonly FileBlock[] {
  return disks.map((disk) => {
    const opened = FileBlock.open(loop, disk);
    if (opened.ok) return opened.value;
    process.stderr.write(`error: disk '${disk.name}': ${opened.error}\n`);
    return process.exit(EXIT.unavailable);
  });
}

export function bareMachine(
  loop: NodeLoop,
  options: MachineOptions,
  interfaces: readonly NetDevice[],
): Machine {
  const read = new Map<string, KvReadOnly>();
  return {
    target: 'node',
    timers: loop.timers,
    clock: { wall: () => wallTimeOfMillis(Date.now()) },
    memoryBytes: totalmem(),
    entropy: { fill: (out) => void randomFillSync(out) },
    console: { writeLine: (line) => void process.stdout.write(`${line}\n`) },
    bootArguments: options.bootArguments,
    interfaces,
    blocks: openDisks(loop, options.disks ?? []),
    content(name) {
      if (!Object.hasOwn(options.content, name)) return null;
      const known = read.get(name) ?? readContent(options.content[name]!);
      read.set(name, known);
      return known;
    },
    hostFiles: hostFiles(options.content),
    control: options.control === undefined ? null : new NodeControl(loop, options.control),
    vitals: new NodeVitals(loop),
    evaluate: null,
    exit(code) {
      // What the last turn sent goes to the kernel, which passes it on after our end.
      loop.endTurn();
      return process.exit(code);
    },
  };
}

/**
 * Runs `program`. Ends the process with its exit code; with 0 on SIGINT or SIGTERM, or when the
 * program waits for nothing that could still happen.
 */
export function start(loop: NodeLoop, machine: Machine, program: Program): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
  loop.turn(() => {
    program(machine).then(
      (code) => machine.exit(code),
      (error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? String(error)) : String(error);
        process.stderr.write(`error: ${text}\n`);
        process.exit(EXIT.uncaught);
      },
    );
  });
}
