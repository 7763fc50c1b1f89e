/**
 * The machine an image runs on: `launch` finds devices, runs the program and its event loop.
 * Required reading: base.ts, loop.ts. Boot arguments and the devices' addresses come from the
 * kernel command line (cmdline.ts). Exit codes: the program's own, or one of EXIT and of the base's
 * (base_abi.h).
 */

import type { Console, Entropy, Machine, Program } from '#device';
import { baseEntropy, baseMachine, drain, EXIT, start } from '../base/launch.ts';
import type { Base } from './base.ts';
import { type CommandLine, parseCommandLine } from './cmdline.ts';
import { BLOCK_CONFIG, BLOCK_DEVICE_ID, VirtioBlock } from './virtio/block.ts';
import { CONSOLE_DEVICE_ID, VirtioConsole } from './virtio/console.ts';
import type { ControlPort } from './virtio/control-port.ts';
import { discover } from './virtio/discovery.ts';
import { formatVirtioFault, type VirtioFault } from './virtio/fault.ts';
import { NET_CONFIG, NET_DEVICE_ID, type NetConfig, VirtioNet } from './virtio/net.ts';
import { RNG_DEVICE_ID, VirtioRng } from './virtio/rng.ts';
import type { VirtioTransport } from './virtio/transport.ts';

export { EXIT };

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
  const devices = [...boot.nets, ...boot.blocks.map(({ loop }) => loop)];
  start(base, machine, program, devices, boot.control, true);
}

const ambientBase = (): Base => (globalThis as unknown as { readonly __base: Base }).__base;

class Boot {
  readonly nets: VirtioNet[] = [];
  readonly blocks: VirtioBlock[] = [];
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

  machine(line: CommandLine): Omit<Machine, 'vitals'> {
    const { base } = this;
    const { transports, bad } = discover(base, line.mmioWindows);
    for (const { name, fault } of bad) this.report(name, fault);
    for (const transport of transports) this.open(transport);
    return {
      ...baseMachine(base, this.console),
      target: 'pvh',
      entropy: this.chooseEntropy(),
      bootArguments: line.bootArguments,
      interfaces: this.nets,
      blocks: this.blocks,
      control: this.control,
      evaluate: null,
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
    } else if (transport.deviceId === BLOCK_DEVICE_ID) {
      // What is under way gets an error: the program decides whether it can go on without.
      const opened = VirtioBlock.open(base, transport, BLOCK_CONFIG, (fault) =>
        this.report(name, fault),
      );
      if (opened.ok) this.blocks.push(opened.value);
      else this.report(name, opened.error);
    } else if (transport.deviceId === RNG_DEVICE_ID && this.rng === null) {
      const opened = VirtioRng.open(base, transport);
      if (opened.ok) this.rng = opened.value;
      else this.report(name, opened.error);
    } else if (transport.deviceId === CONSOLE_DEVICE_ID && this.copy === null) {
      const opened = VirtioConsole.open(base, transport, (fault) => this.report(name, fault));
      if (opened.ok) this.copy = opened.value;
      else this.report(name, opened.error);
    }
  }

  /** A console device's second port: whether its host named it ours is known later. */
  get control(): ControlPort | null {
    return this.copy?.control ?? null;
  }

  private report(name: string, fault: VirtioFault): void {
    this.console.writeLine(`error: ${name} ${formatVirtioFault(fault)}`);
  }

  /** The CPU's own source, else virtio-rng, else the end. */
  private chooseEntropy(): Entropy {
    const { base, console, rng } = this;
    return (
      baseEntropy(base, console) ??
      rng ??
      this.fail(
        'no source of random bytes: give the machine a CPU with RDRAND (-cpu max) or a virtio-rng device',
        EXIT.noEntropy,
      )
    );
  }

  private exit(code: number): never {
    drain(this.base, this.nets);
    return this.base.exit(code);
  }
}
