/**
 * The machine an image runs on: `launch` finds devices, runs the program and its event loop.
 * Required reading: base.ts, loop.ts. Boot arguments and the devices' addresses come from the
 * kernel command line (cmdline.ts). Exit codes: the program's own, or one of EXIT and of the base's
 * (base_abi.h).
 */

import { instantOfMicros, TimerQueue, wallTimeOfMillis } from '#core';
import {
  type Console,
  type Entropy,
  formatKvPackFault,
  type KvReadOnly,
  type Machine,
  openKvPack,
  type Program,
} from '#device';
import type { Base } from './base.ts';
import { type CommandLine, parseCommandLine } from './cmdline.ts';
import { createTurn } from './loop.ts';
import { CONSOLE_DEVICE_ID, VirtioConsole } from './virtio/console.ts';
import { discover } from './virtio/discovery.ts';
import { formatVirtioFault, type VirtioFault } from './virtio/fault.ts';
import { NET_CONFIG, NET_DEVICE_ID, type NetConfig, VirtioNet } from './virtio/net.ts';
import { RNG_DEVICE_ID, VirtioRng } from './virtio/rng.ts';
import type { VirtioTransport } from './virtio/transport.ts';

export const EXIT = {
  /** A network device stopped working or lied. */
  deviceFailed: 122,
  /** BASE_EXIT_NO_ENTROPY. */
  noEntropy: 123,
  /** BASE_EXIT_UNCAUGHT: the program's promise was rejected. */
  uncaught: 124,
  /** BASE_EXIT_BAD_IMAGE: the command line or the content can't be read. */
  badImage: 126,
} as const;

/** Frames still with the device at the end get this long to leave. */
const EXIT_DRAIN_MICROS_MAX = 50_000;

/** Runs `program` on the machine that the base describes; the global `__base` unless given. */
export function launch(
  program: Program,
  config: NetConfig = NET_CONFIG,
  base = ambientBase(),
): void {
  const boot: Boot = new Boot(base, config);
  const line = parseCommandLine(base.cmdline);
  if (!line.ok) boot.fail(`can't read "${line.error.word}" in the command line`, EXIT.badImage);
  const machine = boot.machine(line.value);
  base.onTurn(createTurn(base, machine.timers, boot.nets));
  program(machine).then(
    (code) => machine.exit(code),
    (reason) => boot.fail(describeError(reason), EXIT.uncaught),
  );
}

const ambientBase = (): Base => (globalThis as unknown as { readonly __base: Base }).__base;

class Boot {
  readonly nets: VirtioNet[] = [];
  private readonly base: Base;
  private readonly config: NetConfig;
  private rng: VirtioRng | null = null;
  private copy: VirtioConsole | null = null;
  private readonly console: Console;

  constructor(base: Base, config: NetConfig) {
    this.base = base;
    this.config = config;
    this.console = {
      writeLine: (line) => {
        base.consoleWrite(`${line}\n`);
        this.copy?.writeLine(line);
      },
    };
  }

  fail(message: string, code: number): never {
    this.console.writeLine(`error: ${message}`);
    return this.exit(code);
  }

  machine(line: CommandLine): Machine {
    const { base } = this;
    const { transports, bad } = discover(base, line.mmioWindows);
    for (const { name, fault } of bad) this.report(name, fault);
    for (const transport of transports) this.open(transport);
    const packs = this.openContents();
    return {
      target: 'pvh',
      timers: new TimerQueue(instantOfMicros(base.clockMonotonic())),
      clock: { wall: () => wallTimeOfMillis(Math.floor(base.clockWall() / 1000)) },
      memoryBytes: base.memory.totalBytes,
      entropy: this.chooseEntropy(),
      console: this.console,
      bootArguments: line.bootArguments,
      interfaces: this.nets,
      content: (name) => packs.get(name) ?? null,
      exit: (code) => this.exit(code),
    };
  }

  private open(transport: VirtioTransport): void {
    const { base } = this;
    const { name } = transport;
    if (transport.deviceId === NET_DEVICE_ID) {
      const opened = VirtioNet.open(base, transport, this.config, (fault) =>
        this.fail(`${name} ${formatVirtioFault(fault)}`, EXIT.deviceFailed),
      );
      if (opened.ok) this.nets.push(opened.value);
      else this.report(name, opened.error);
    } else if (transport.deviceId === RNG_DEVICE_ID && this.rng === null) {
      const opened = VirtioRng.open(base, transport);
      if (opened.ok) this.rng = opened.value;
      else this.report(name, opened.error);
    } else if (transport.deviceId === CONSOLE_DEVICE_ID && this.copy === null) {
      const opened = VirtioConsole.open(base, transport);
      if (opened.ok) this.copy = opened.value;
      else this.report(name, opened.error);
    }
  }

  private report(name: string, fault: VirtioFault): void {
    this.console.writeLine(`error: ${name} ${formatVirtioFault(fault)}`);
  }

  /** The CPU's own source, else virtio-rng, else the end. */
  private chooseEntropy(): Entropy {
    const { base, rng } = this;
    if (base.entropyFill(new Uint8Array(16))) {
      return {
        fill: (out) => {
          if (!base.entropyFill(out))
            this.fail('RDRAND stopped giving random bytes', EXIT.noEntropy);
        },
      };
    }
    return (
      rng ??
      this.fail(
        'no source of random bytes: give the machine a CPU with RDRAND (-cpu max) or a virtio-rng device',
        EXIT.noEntropy,
      )
    );
  }

  private openContents(): Map<string, KvReadOnly> {
    const packs = new Map<string, KvReadOnly>();
    for (const { name, bytes } of this.base.payload) {
      const pack = openKvPack(bytes);
      if (!pack.ok) this.fail(`content "${name}" ${formatKvPackFault(pack.error)}`, EXIT.badImage);
      else packs.set(name, pack.value);
    }
    return packs;
  }

  private exit(code: number): never {
    const { base } = this;
    for (const net of this.nets) net.flush();
    const start = base.clockMonotonic();
    while (!this.nets.every((net) => net.hasSentAll())) {
      if (base.clockMonotonic() - start > EXIT_DRAIN_MICROS_MAX) break;
    }
    return base.exit(code);
  }
}

/** A thrown value as text; this engine's `stack` leaves the message out. */
function describeError(reason: unknown): string {
  if (!(reason instanceof Error)) return `the program ended with ${String(reason)}`;
  return `${reason.name}: ${reason.message}\n${(reason.stack ?? '').trimEnd()}`;
}
